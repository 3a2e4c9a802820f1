"""Gradients of what a network computes, with respect to its input and to what its layers compute."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import MIN_SHARED_WORK
from cnncli.core.threads import available_cores
from cnncli.errors import CnncliError
from cnncli.nn.calls import program
from cnncli.nn.elementwise import copy
from cnncli.nn.graph import INPUT
from cnncli.nn.inference import check_images, check_memory, too_large
from cnncli.nn.memory import Tensor, lay_out
from cnncli.nn.network import Floats, Network
from cnncli.nn.schedule import Schedule, trained_layers
from cnncli.records import record

#: From the outputs (N, K) or (N, H, W, K) of the images: the gradient of a number with respect to them.
Start = Callable[[Floats], Floats]


@record
class Flow:
    """What went forward through a network, and what came back.

    Attributes
    ----------
    outputs : ndarray, shape (N, K) or (N, H, W, K), float32
        Of the node that is differentiated.
    activations : dict of str to ndarray, shape (N, H, W, C), float32
        By node.
    gradients : dict of str to ndarray, shape (N, H, W, C), float32
        By node: of its output; 0 where the node has no influence.
    """

    outputs: Floats
    activations: dict[str, Floats]
    gradients: dict[str, Floats]


class Gradient:
    """Gradients of a node's output, scheduled once for a batch size.

    Layers behave as in inference: batch norms use their running statistics, dropout is the identity.

    Parameters
    ----------
    network : Network
        Call `refresh` after its weights have changed.
    batch : int
        Most samples at a time.
    of : str or None
        Name of the node that is differentiated; None: the main output.
    wrt : collection of str
        Nodes, or `INPUT`, with respect to whose outputs it is.
    keep : collection of str
        Nodes whose activations are returned.
    guided : bool
        Guided backpropagation: a ReLU also holds back what is negative of the gradient of its output. The
        result is no gradient.
    threads : int or None
        None: all cores.

    Raises
    ------
    CnncliError
        If there is no such node, or it would need more memory than is available.

    Examples
    --------
    >>> gradient = Gradient(network, 8, keep=("conv5",), wrt=(INPUT, "conv5"))
    >>> flow = gradient.run(images, of_class([3, 7]))  # logits of class 3 and 7 of two images
    >>> flow.gradients["input"].shape
    (2, 224, 224, 3)

    Source of guided backpropagation: Springenberg et al., Striving for simplicity, 2015.
    """

    def __init__(
        self,
        network: Network,
        batch: int,
        *,
        of: str | None = None,
        wrt: Collection[str] = (INPUT,),
        keep: Collection[str] = (),
        guided: bool = False,
        threads: int | None = None,
    ) -> None:
        self.network = network
        self.batch = batch
        self.of = network.graph.output if of is None else of
        workers = available_cores() if threads is None else threads
        inner = [name for name in (*keep, *wrt) if name != INPUT]
        wanted = list(dict.fromkeys((self.of, *inner)))
        graph = network.graph.pruned(wanted)
        every = trained_layers(graph, network.parameters, also=wrt)
        shares = batch == 1 and graph.multiply_adds >= MIN_SHARED_WORK
        schedule = self._schedule = Schedule(
            network, graph, batch, keep=wanted, trained=every, threads=workers if shares else 1
        )
        schedule.forward()
        self._kept = {name: self._room(name) for name in dict.fromkeys((self.of, *keep))}
        for name, array in self._kept.items():
            copy(schedule, schedule.value(name), self._outside(name, array))
        schedule.start_backward()
        self._gradients = {name: self._room(name) for name in dict.fromkeys(wrt)}
        self._start = self._room(self.of)
        copy(schedule, self._outside(self.of, self._start), schedule.gradient_target(self.of)[0])
        kept = {name: self._outside(name, array) for name, array in self._gradients.items()}
        schedule.backward(kept=kept, guided=guided)
        self._plan(workers)
        self.refresh()

    def _room(self, name: str) -> Floats:
        return np.zeros((self.batch, *self.network.graph.shape_of(name).strip), np.float32)

    def _outside(self, name: str, array: Floats) -> Tensor:
        return Tensor(self.network.graph.shape_of(name), external=array.ctypes.data)

    def _plan(self, workers: int) -> None:
        forward, backward = self._schedule.passes()
        chunks = self._schedule.chunks
        try:
            layout = lay_out([*forward, *backward], chunks)
            self._forward, self._backward = (
                program(phases, chunks, threads=workers, scratch_bytes=layout.scratch_bytes)
                for phases in (forward, backward)
            )
        except MemoryError as fault:
            raise too_large(self.batch) from fault
        self._arena = layout.arena
        arrays = (*self._kept.values(), *self._gradients.values(), self._start)
        self.memory = (
            self._schedule.memory
            + layout.arena.nbytes
            + 2 * workers * layout.scratch_bytes
            + sum(array.nbytes for array in arrays)
        )
        check_memory(self.memory, self.batch)

    def refresh(self) -> None:
        """Load the network's current weights."""
        self._schedule.folded.fold()

    def run(self, images: Floats, start: Start) -> Flow:
        """What flows forward and back for at most one batch of images.

        Parameters
        ----------
        images : ndarray, shape (N, H, W, C), float32
            Contiguous.
        start : callable
            Given the outputs, the gradient with respect to them of the number that is differentiated, such
            as `of_class`, `of_unit` or `of_cross_entropy` makes it. Each sample has its own number.
        """
        samples = check_images(images, self.network, self.batch)
        self._schedule.start(images, samples, 0)
        self._forward.run(samples)
        outputs = self._kept[self.of][:samples].copy()
        if outputs.shape[1:3] == (1, 1):
            outputs = outputs.reshape(samples, -1)
        self._start[:samples] = start(outputs).reshape(self._start[:samples].shape)
        self._backward.run(samples)
        return Flow(outputs, _copies(self._kept, samples), _copies(self._gradients, samples))


def _copies(arrays: dict[str, Floats], samples: int) -> dict[str, Floats]:
    return {name: array[:samples].copy() for name, array in arrays.items()}


def of_class(classes: int | Sequence[int] | NDArray[np.integer] | None = None) -> Start:
    """The output before the softmax of a class: one for all samples, one for each, or None: the highest.

    Raises
    ------
    CnncliError
        When it is called, if there is no such class.
    """

    def start(outputs: Floats) -> Floats:
        count = outputs.shape[-1]
        chosen = outputs.argmax(1) if classes is None else np.broadcast_to(classes, len(outputs))
        if chosen.min() < 0 or chosen.max() >= count:
            raise CnncliError(
                f"class {int(chosen.min() if chosen.min() < 0 else chosen.max())} of {count}; expected 0 to "
                f"{count - 1}",
                "Choose a class that the network has.",
            )
        made = np.zeros_like(outputs)
        made[np.arange(len(outputs)), chosen] = 1
        return made

    return start


def of_unit(unit: int, place: tuple[int, int] | None = None) -> Start:
    """A channel's value at a place (row, column), or None: its mean over all places.

    Raises
    ------
    CnncliError
        When it is called, if there is no such channel or place.
    """

    def start(outputs: Floats) -> Floats:
        made = np.zeros_like(outputs)
        maps = made.reshape(len(made), *(outputs.shape[1:3] if outputs.ndim == 4 else (1, 1)), -1)
        _, height, width, count = maps.shape
        row, column = (0, 0) if place is None else place
        if not (0 <= unit < count and 0 <= row < height and 0 <= column < width):
            raise CnncliError(
                f"unit {unit} at row {row}, column {column} of {height}x{width}x{count} values; expected "
                "numbers from 0 on, below these",
                "Choose a unit that the layer has.",
            )
        if place is None:
            maps[..., unit] = 1 / (height * width)
        else:
            maps[:, row, column, unit] = 1
        return made

    return start


def of_cross_entropy(labels: Sequence[int] | NDArray[np.integer]) -> Start:
    """The cross-entropy of the softmax of the outputs, of each sample by itself: not their mean.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes.
    """
    true = of_class(labels)

    def start(outputs: Floats) -> Floats:
        powers = np.exp(outputs - outputs.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True) - true(outputs), np.float32)

    return start
