"""What training and the commands ask of a task. Legend: N images, K outputs of the network's head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import MalformedError

if TYPE_CHECKING:
    from cnncli.checked import Fields
    from cnncli.data.loader import Batch
    from cnncli.data.prepare import InputSpec
    from cnncli.data.targets import Targets
    from cnncli.nn import Graph, Loss, Network, Term

Floats = NDArray[np.float32]
Outputs = Mapping[str, Floats]
"""What a network computed of n images by the role of the output, as in `Graph.outputs`."""
Tally = dict[str, Any]
AUXILIARY_WEIGHT = 0.3  # of the loss of an auxiliary head, of which inference knows nothing


@dataclass(frozen=True)
class Metric:
    """A number that says how good a network is.

    Attributes
    ----------
    name : str
        Such as ``accuracy``; ``train_accuracy`` and ``val_accuracy`` in the rows of epochs.
    higher_is_better : bool
        Which way is up.
    is_share : bool
        It goes from 0 to 1, and reads as a percentage.
    """

    name: str
    higher_is_better: bool = True
    is_share: bool = True

    @property
    def comparative(self) -> str:
        """What a better value is: ``higher`` or ``lower``."""
        return "higher" if self.higher_is_better else "lower"

    def text(self, value: float) -> str:
        """A value as people read it."""
        return f"{value:.2%}" if self.is_share else f"{value:.4g}"

    def is_better(self, value: float, other: float) -> bool:
        """Tell whether a value is better than another; equal ones are not."""
        return value > other if self.higher_is_better else value < other

    def best(self, values: Sequence[float]) -> float:
        """The best of some values."""
        return max(values) if self.higher_is_better else min(values)


class Decoded(Protocol):
    """What a network predicts of one image."""

    def record(self) -> dict[str, Any]:
        """Its part of a line of JSON."""

    def cells(self) -> list[str]:
        """Its cells of a row of CSV, under `Task.columns`; there may be fewer."""

    def seen_in(self, input_spec: "InputSpec", size: tuple[int, int]) -> "Decoded":
        """The same in pixels of the image, of this height and width, that was prepared for the network."""

    def bars(self) -> list[tuple[str, float]]:
        """What tables and pages draw as bars: names with shares of 0 to 1, the largest first."""


class Evaluation(Protocol):
    """How well a network does on images whose targets are known."""

    @property
    def indices(self) -> NDArray[np.intp]:
        """(N,) positions of the images in their split."""

    def __len__(self) -> int: ...

    def result(self) -> dict[str, Any]:
        """What a run notes of its test: ``images``, ``loss``, the watched metric by name, counts."""

    def scores(self) -> dict[str, Any]:
        """All of it, as JSON."""

    def headline(self) -> str:
        """The watched metric in words, such as ``accuracy 98.80% (988 of 1,000)``."""

    def report(self, columns: int) -> list[str]:
        """What there is besides, as lines of at most so many columns; the first one stands alone."""


class Task(Protocol):
    """What a network is to learn, and what its outputs mean."""

    name: ClassVar[str]
    """Its key in `TASKS`, and in checkpoints."""
    noun: ClassVar[str]
    """What it is of, in the plural: ``images``, ``texts``."""
    output_noun: ClassVar[str]
    """What outputs are, in the plural: ``classes``."""
    outputs_of: ClassVar[str]
    """What a network has outputs for, as `Model.of` says it: ``images``, ``texts``, ``pixels``, ``boxes``."""
    bars_show: ClassVar[str]
    """What the shares of `Decoded.bars` are, such as ``probability``; empty where there are none."""
    watched: ClassVar[Metric]
    """The metric that decides which epoch is the best and when patience ends."""

    # What it is of

    @classmethod
    def of(cls, targets: "Targets") -> Self:
        """The task of a data set's targets."""

    @classmethod
    def from_fields(cls, fields: "Fields") -> Self:
        """The reverse of `settings`, of JSON that may come from anywhere.

        Raises
        ------
        MalformedError
            Where a setting is missing or means nothing.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, as JSON: names that are its own, such as ``classes``."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the K outputs of the head."""

    def difference(self, targets: "Targets") -> str:
        """Say how targets are not those of this task; empty where they are."""

    def as_known(self, targets: "Targets", dataset: str) -> "Targets":
        """Targets of another data set as the network knows them.

        Raises
        ------
        CnncliError
            Where it knows some of them not; ``dataset`` is the name for the message.
        """

    def rows_of(self, other: "Task") -> list[int]:
        """For each output the row of another task's head that means the same; -1 where there is none."""

    def accepts(self, graph: "Graph") -> bool:
        """Whether outputs of a network are such that this task can read them."""

    def read(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """Of a network's outputs by role those that say what it predicts; others only help it to learn."""

    # Training

    def begin(self, network: "Network") -> None:
        """Change first weights of a new network where the objective needs others than usual."""

    def trained_with(self, options: Mapping[str, Any], targets: "Targets") -> Self:
        """The same with the objective that a run's options ask for, on training images of these targets."""

    def objective(self, outputs: Sequence[str]) -> "list[Term]":
        """What training makes small, for a network's outputs by role; the first term is of the main one."""

    def encode(self, batch: "Batch") -> "NDArray[np.generic] | dict[str, NDArray[np.generic]]":
        """Targets of a batch as the losses take them: mixed where images are, moved where pixels are.

        One array for all terms of the objective, or one for each by the role of its output.
        """

    def losses(self, outputs: Outputs, batch: "Batch") -> NDArray[np.float64]:
        """(n,) the plain loss of each image of a batch, as validation reports it."""

    def tally(self, outputs: Outputs, batch: "Batch") -> Tally:
        """Numbers from which `metrics` follow, of a batch; they add up over batches."""

    def metrics(self, tally: Tally, images: int) -> dict[str, float]:
        """Metrics of so many images by name, the watched one among them."""

    # Results

    def kept(self, outputs: Outputs, batch: "Batch") -> NDArray[Any]:
        """(n, …) what an evaluation needs of the outputs for a batch: those, or counts made of them."""

    def evaluation(self, indices: NDArray[np.intp], targets: "Targets", kept: NDArray[Any]) -> Evaluation:
        """Judge what was kept (N, …) of the outputs for images at these positions of their split."""

    def no_result(self) -> dict[str, Any]:
        """`Evaluation.result` where there are no test images."""

    def sentence(self, result: Mapping[str, Any]) -> str:
        """The headline again, from a result."""

    def decode(self, outputs: Outputs, *, top: int) -> list[Decoded]:
        """Read outputs, which are finite; of likeliest things at most ``top``."""

    def columns(self, top: int) -> list[str]:
        """Heads of the columns of CSV under which `Decoded.cells` stand."""


@dataclass(frozen=True)
class OfClasses:
    """What tasks share that tell K classes apart, of images or of pixels.

    Attributes
    ----------
    classes : tuple of str
        K names, in the order of the outputs.
    smoothing : float
        Label smoothing: the share of each target that is spread over all classes, 0 to 1.
    weights : tuple of float or None
        How much each class counts in the cross-entropy.
    """

    classes: tuple[str, ...]
    smoothing: float = 0.0
    weights: tuple[float, ...] | None = None
    output_noun: ClassVar[str] = "classes"
    outputs_of: ClassVar[str] = "images"
    bars_show: ClassVar[str] = "probability"

    @classmethod
    def classes_of(cls, targets: "Targets") -> tuple[str, ...]:
        """The names of the classes that targets are of."""
        raise NotImplementedError

    def counts_of(self, targets: "Targets") -> NDArray[np.int64]:
        """(K,) how many targets are of each class."""
        raise NotImplementedError

    @classmethod
    def of(cls, targets: "Targets") -> Self:
        """Of the classes of these targets."""
        return cls(cls.classes_of(targets))

    @classmethod
    def from_fields(cls, fields: "Fields") -> Self:
        """The reverse of `settings`.

        Raises
        ------
        MalformedError
            Where ``classes`` are no names, or none.
        """
        classes = fields.texts("classes")
        if not classes:
            raise MalformedError("classes is empty; expected their names")
        return cls(classes)

    def accepts(self, graph: "Graph") -> bool:
        """Whether there is a value for each class, of an image or of each of its pixels."""
        places = graph.input_shape[:2] if self.outputs_of == "pixels" else (1, 1)
        return graph.output_shape[:3] == (*places, len(self.classes))

    def begin(self, network: "Network") -> None:
        """Leave all as it is."""
        del network

    def read(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """The main output alone; auxiliary heads only help to learn."""
        from cnncli.nn.graph import MAIN

        del outputs
        return (MAIN,)

    @property
    def settings(self) -> dict[str, Any]:
        """The names of the classes."""
        return {"classes": self.classes}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.classes

    def difference(self, targets: "Targets") -> str:
        """Say that targets are of other classes."""
        from cnncli.text import listed

        found = self.classes_of(targets)
        if found == self.classes:
            return ""
        return f"the classes are {listed(found)}, not {listed(self.classes)}"

    def numbers_of(self, classes: Sequence[str], dataset: str, noun: str) -> list[int]:
        """The network's numbers of a data set's classes; ``noun`` is what it has of them, in the plural.

        Raises
        ------
        CnncliError
            Where the network does not know one of them.
        """
        from cnncli.errors import CnncliError
        from cnncli.files.faults import in_unicode

        missing = [name for name in classes if name not in self.classes]
        if missing:
            raise CnncliError(
                f"{in_unicode(dataset)} has {noun} of {in_unicode(missing[0])}; expected classes of the "
                f"network: {', '.join(map(in_unicode, self.classes))}",
                f"Give the checkpoint that was trained on such {noun} with -m.",
            )
        return [self.classes.index(name) for name in classes]

    def trained_with(self, options: Mapping[str, Any], targets: "Targets") -> Self:
        """With label smoothing and class weights as the options say."""
        weights = None
        if options["class_weights"]:
            from cnncli.tasks.class_weights import class_weights

            weights = tuple(float(w) for w in class_weights(self.counts_of(targets)))
        return replace(self, smoothing=options["smoothing"], weights=weights)


def same_for_all(loss: "Loss", outputs: Sequence[str]) -> "list[Term]":
    """An objective with one loss for the main output and for auxiliary heads, which weigh less.

    Source: Szegedy et al., Going deeper with convolutions, 2014, section 5.
    """
    from cnncli.nn import Term
    from cnncli.nn.graph import MAIN

    return [Term(role, loss, 1.0 if role == MAIN else AUXILIARY_WEIGHT) for role in outputs]


def added(tally: Tally, more: Tally) -> Tally:
    """The sum of two tallies."""
    return tally | {name: tally.get(name, 0) + value for name, value in more.items()}


def are_finite(outputs: Outputs) -> NDArray[np.bool_]:
    """(N,) whether all of a network's outputs for an image are finite: large weights overflow for some."""
    each = [np.isfinite(values).all(axis=tuple(range(1, values.ndim))) for values in outputs.values()]
    return np.asarray(np.logical_and.reduce(each))


def at_images(outputs: Outputs, which: NDArray[np.generic]) -> dict[str, Floats]:
    """Outputs for some of the images, by their positions or as a mask."""
    return {role: values[which] for role, values in outputs.items()}
