"""What every view takes and gives: a network and an image in, sections of a page, a record and arrays out."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.models.stages import stages
from cnncli.nn import Dropout, Flatten, Graph, Inference, Network, Node
from cnncli.records import record
from cnncli.training.checkpoint import Checkpoint
from cnncli.training.recording import History
from cnncli.views.colors import Colors, as_rgb
from cnncli.views.sections import Section

Floats = NDArray[np.float32]
Arrays = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Seen:
    """An image, as people and as the network see it.

    Attributes
    ----------
    name : str
        Of its file, or ``standard input``.
    picture : ndarray, shape (h, w, 3), uint8
        As it came, no larger than it is drawn.
    pixels : ndarray, shape (H, W, C), uint8
        As the network takes it.
    x : ndarray, shape (H, W, C), float32
        The same, normalised.
    size : (int, int) or None
        Height and width of its file; None: those of ``pixels``.
    """

    name: str
    picture: Colors
    pixels: NDArray[np.uint8]
    x: Floats
    size: tuple[int, int] | None = None

    @property
    def rgb(self) -> Colors:
        """What the network takes, (H, W, 3)."""
        return as_rgb(self.pixels)


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, an image and what the first computes from the second.

    Attributes
    ----------
    checkpoint : Checkpoint
        Of the network: its task, architecture and preprocessing.
    network : Network
        With its weights.
    threads : int
        To use.
    image : Seen or None
        None where a view is drawn of the network alone.
    """

    checkpoint: Checkpoint
    network: Network
    threads: int
    image: Seen | None = None
    _known: Arrays = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        """The network's layers."""
        return self.network.graph

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K outputs."""
        return self.checkpoint.task.outputs

    @property
    def seen(self) -> Seen:
        """The image.

        Raises
        ------
        CnncliError
            Where there is none.
        """
        if self.image is None:
            raise CnncliError("no image is given; expected one", "Name an image.")
        return self.image

    def activations(self, names: Collection[str]) -> Arrays:
        """Outputs of layers for the image, each (H, W, C); what was computed once is kept."""
        graph = self.graph
        missing = [name for name in names if name not in self._known]
        if missing or graph.output not in self._known:
            kept = [name for name in missing if name != graph.output]
            inference = Inference(self.network, 1, threads=self.threads, keep=kept)
            found = inference.activations(np.ascontiguousarray(self.seen.x[None]))
            self._known.update((name, array[0]) for name, array in found.items())
        return {name: self._known[name] for name in names}

    @property
    def outputs(self) -> Floats:
        """What the network computes of the image before the softmax, (K,), or (H, W, K) of each pixel."""
        outputs = self.activations([self.graph.output])[self.graph.output]
        return outputs.reshape(-1) if outputs.shape[:2] == (1, 1) else outputs

    @property
    def read_outputs(self) -> Arrays:
        """Outputs that the task reads, by role, as of a batch of this image: (1, K) or (1, H, W, K)."""
        outputs = self.graph.outputs
        roles = self.checkpoint.task.read(tuple(outputs))
        arrays = self.activations([outputs[role] for role in roles])
        each = ((role, arrays[outputs[role]][None]) for role in roles)
        return {role: array.reshape(1, -1) if array.shape[1:3] == (1, 1) else array for role, array in each}


class Progress(Protocol):
    """How far a view's work is."""

    def draw(self, done: int) -> None:
        """Show that so many items are done."""


class Pictures(Protocol):
    """Images of a data set as a network takes them."""

    skipped: int
    """Those that could not be read."""

    def __len__(self) -> int: ...

    def batches(self, size: int) -> Iterator[tuple[list[str], NDArray[np.uint8]]]:
        """So many at a time: their names, and (n, H, W, C)."""


class Unseen:
    """Progress that nobody sees."""

    def __call__(self, count: int, unit: str) -> AbstractContextManager["Unseen"]:
        """Of so many items; no function, which would be a method of the records whose default it is."""
        del count, unit
        return nullcontext(self)

    def draw(self, done: int) -> None:
        """Show nothing."""


@record(kw_only=True)
class Request:
    """What is to be drawn.

    Attributes
    ----------
    layers : tuple of str
        Those that the view draws, in the order of computation.
    named : bool
        The user has named them: everything of them is drawn.
    every : bool
        The user has asked for all layers.
    units : tuple of str
        Numbers of the units to draw, or names of classes; none: the first ones of each layer.
    targets : tuple of str
        Classes whose attributions are drawn, by name or number; none: the predicted one.
    region : (x, y, width, height) or None
        The part of the picture of which attributions are, in pixels of its file.
    baseline : str
        What stands for nothing to see, of `cnncli.attribution.model.BASELINES`.
    pictures : Pictures or None
        A data set to look through.
    history : History or None
        What a run has recorded of its learning.
    seed : int
        Of what begins with noise.
    progress : callable
        Of a number of items and their name in the plural: shows how far the work is while its context lasts.
    """

    layers: tuple[str, ...] = ()
    named: bool = False
    every: bool = False
    units: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    region: tuple[float, float, float, float] | None = None
    baseline: str = "mean"
    pictures: Pictures | None = None
    history: History | None = None
    seed: int = 0
    progress: Callable[[int, str], AbstractContextManager[Progress]] = Unseen()


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a view has drawn.

    Attributes
    ----------
    sections : sequence of Section
        Of a page; their names are those of files.
    record : dict
        For ``--json``: what was drawn, JSON values by name.
    arrays : dict of str to ndarray
        For ``--raw``, float32.
    reading : str
        How to read it.
    notes : sequence of str
        What the user is to know besides.
    frames, seconds : sequence of ndarray, shape (h, w, 3), uint8, and of float
        Of a view that moves, in place of sections: its frames, and how long each is seen.
    fits_screen : bool
        Its sections are strips that fit a screen together.
    """

    sections: Sequence[Section]
    record: dict[str, Any]
    arrays: Arrays
    reading: str = ""
    notes: Sequence[str] = ()
    frames: Sequence[Colors] = ()
    seconds: Sequence[float] = ()
    fits_screen: bool = False


def changes_values(node: Node) -> bool:
    """Whether a layer computes something, outside training."""
    return not isinstance(node.layer, Flatten | Dropout)


def of_stages(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """The layers that stand for the stages of a network; all where it has none."""
    wanted = {stage.output for stage in stages(graph)}
    return [name for name in names if name in wanted] or names


def every(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """All layers of a view, where none is named."""
    del graph
    return names


class View(NamedTuple):
    """A view.

    Attributes
    ----------
    about : str
        What it draws, for help and completion.
    title : str
        Of the page; the network's name is put in.
    draw : callable
        Of a `Subject` and a `Request`.
    has : callable
        Whether a node is among its layers.
    noun : str
        What messages call such a layer.
    usual : callable
        Of the graph and the names of its layers: which of them it draws where none is named.
    runs : bool
        It draws what those layers compute from the image: one run of the network serves all such views.
    pictured : bool
        It needs an image.
    explored : bool
        All that it draws is also in the page that is explored in a browser.
    of_run : bool
        It draws what a run has recorded, as frames.
    """

    about: str
    title: str
    draw: Callable[[Subject, Request], Drawing]
    has: Callable[[Node], bool] = changes_values
    noun: str = "layer"
    usual: Callable[[Graph, Sequence[str]], Sequence[str]] = every
    runs: bool = False
    pictured: bool = True
    explored: bool = False
    of_run: bool = False
