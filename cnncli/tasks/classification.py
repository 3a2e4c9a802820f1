"""Classification: one class for an image.

Legend: N images, K classes. Outputs (N, K) are before the softmax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.nn import SoftmaxCrossEntropy
from cnncli.nn.graph import MAIN
from cnncli.tasks.softmax import log_softmax, probabilities
from cnncli.tasks.task import Metric, OfClasses, Outputs, Tally, same_for_all

if TYPE_CHECKING:
    from cnncli.data.class_labels import ClassLabels
    from cnncli.data.loader import Batch
    from cnncli.data.prepare import InputSpec
    from cnncli.data.targets import Targets
    from cnncli.nn import Term
    from cnncli.tasks.class_evaluation import ClassEvaluation
    from cnncli.tasks.task import Decoded, Task

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
_NAMED = 8  # classes that a message names


class Prediction(NamedTuple):
    """A class and its probability."""

    label: str
    probability: float


def predictions(
    shares: NDArray[np.floating], classes: Sequence[str], *, top: int = 5
) -> list[list[Prediction]]:
    """The likeliest classes of each image, likeliest first.

    Parameters
    ----------
    shares : ndarray, shape (N, K)
        Probabilities.
    classes : sequence of str
        K names.
    top : int
        How many of an image at most.
    """
    order = np.argsort(-shares, axis=1, kind="stable")[:, :top]
    likeliest = np.take_along_axis(shares, order, axis=1)
    return [
        [Prediction(classes[k], share) for k, share in zip(*pair, strict=True)]
        for pair in zip(order.tolist(), likeliest.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class LikeliestClasses:
    """The likeliest classes of one image.

    Attributes
    ----------
    predictions : sequence of Prediction
        Likeliest first.
    """

    predictions: Sequence[Prediction]

    def record(self) -> dict[str, Any]:
        """``{"predictions": [{"label": …, "probability": …}, …]}``."""
        return {
            "predictions": [
                {"label": each.label, "probability": round(each.probability, 6)} for each in self.predictions
            ]
        }

    def cells(self) -> list[str]:
        """Labels, each with its probability after it."""
        return [cell for each in self.predictions for cell in (each.label, f"{each.probability:.6f}")]

    def seen_in(self, input_spec: "InputSpec", size: tuple[int, int]) -> "LikeliestClasses":
        """The same: classes have no place."""
        del input_spec, size
        return self

    def bars(self) -> list[tuple[str, float]]:
        """Labels and their probabilities."""
        return [(each.label, each.probability) for each in self.predictions]


@dataclass(frozen=True)
class Classification(OfClasses):
    """One of K classes for an image."""

    name: ClassVar[str] = "classification"
    noun: ClassVar[str] = "images"
    watched: ClassVar[Metric] = Metric("accuracy")

    @classmethod
    def classes_of(cls, targets: "Targets") -> tuple[str, ...]:
        """The names that labels are numbers of."""
        return _labels(targets).classes

    def counts_of(self, targets: "Targets") -> Labels:
        """(K,) images of each class."""
        return np.bincount(_labels(targets).numbers, minlength=len(self.classes))

    def as_known(self, targets: "Targets", dataset: str) -> "ClassLabels":
        """Labels in the network's numbering.

        Raises
        ------
        CnncliError
            Where the network does not know one of the classes.
        """
        from cnncli.data.classes import class_name

        labels = _labels(targets)
        if labels.noun != self.noun:
            raise CnncliError(
                f"{dataset} holds {labels.noun}; expected {self.noun}, on which the network was trained",
                f"Give a network for {labels.noun} with -m.",
            )
        known = {class_name(name): number for number, name in enumerate(self.classes)}
        missing = [name for name in labels.classes if name not in known]
        if missing:
            from cnncli.files.faults import in_unicode

            raise CnncliError(
                f"{in_unicode(dataset)} has {_several(labels.classes)}; expected some of the network's "
                f"{_several(self.classes)}",
                f"Give the checkpoint that was trained on such {self.noun} with -m: {in_unicode(missing[0])} "
                "is not among the classes of this one.",
            )
        numbers = np.array([known[name] for name in labels.classes], np.int64)
        return replace(labels, numbers=numbers[labels.numbers], classes=self.classes)

    def rows_of(self, other: "Task") -> list[int]:
        """The outputs of the same classes, by their names."""
        from cnncli.data.classes import class_name

        known = {class_name(name): row for row, name in enumerate(other.outputs)}
        return [known.get(class_name(name), -1) for name in self.classes]

    def objective(self, outputs: Sequence[str]) -> "list[Term]":
        """Cross-entropy of the softmax, also of auxiliary heads."""
        loss = SoftmaxCrossEntropy(smoothing=self.smoothing, class_weights=self.weights)
        return same_for_all(loss, outputs)

    def encode(self, batch: "Batch") -> NDArray[np.generic]:
        """(n,) true classes, or (n, K) shares of two classes where images are mixed."""
        labels = _labels(batch.targets).numbers
        if batch.mixed is None or batch.share is None:
            return labels
        shares = np.zeros((len(batch), len(self.classes)), np.float32)
        rows = np.arange(len(batch))
        shares[rows, labels] = batch.share
        shares[rows, _labels(batch.mixed).numbers] += 1 - batch.share
        return shares

    def losses(self, outputs: Outputs, batch: "Batch") -> NDArray[np.float64]:
        """(n,) cross-entropy without smoothing or weights."""
        labels = _labels(batch.targets).numbers
        return np.asarray(-log_softmax(outputs[MAIN])[np.arange(len(labels)), labels])

    def tally(self, outputs: Outputs, batch: "Batch") -> Tally:
        """How many have the largest output at their true class."""
        return {"hits": int(np.count_nonzero(outputs[MAIN].argmax(axis=1) == _labels(batch.targets).numbers))}

    def metrics(self, tally: Tally, images: int) -> dict[str, float]:
        """Accuracy: the share of images whose predicted class is the true one."""
        return {"accuracy": tally["hits"] / images}

    def kept(self, outputs: Outputs, batch: "Batch") -> Floats:
        """All of the main output."""
        del batch
        return outputs[MAIN]

    def evaluation(self, indices: NDArray[np.intp], targets: "Targets", kept: Floats) -> "ClassEvaluation":
        """Judge predictions of classes."""
        from cnncli.tasks.class_evaluation import ClassEvaluation

        return ClassEvaluation(indices, _labels(targets).numbers, kept, self.classes)

    def no_result(self) -> dict[str, Any]:
        """No images, and no accuracy."""
        return {"images": 0, "right": 0, "accuracy": None, "loss": None}

    def sentence(self, result: Mapping[str, Any]) -> str:
        """Accuracy, with the counts."""
        from cnncli.tasks.scores import accuracy_text

        return f"accuracy {accuracy_text(result['right'], result['images'])}"

    def decode(self, outputs: Outputs, *, top: int) -> "list[Decoded]":
        """The likeliest classes of each image and their probabilities."""
        found = predictions(probabilities(outputs[MAIN]), self.classes, top=top)
        return [LikeliestClasses(each) for each in found]

    def columns(self, top: int) -> list[str]:
        """``label, probability, label_2, probability_2, …``."""
        marks = [f"_{rank}" if rank > 1 else "" for rank in range(1, min(top, len(self.classes)) + 1)]
        return [column for mark in marks for column in (f"label{mark}", f"probability{mark}")]


def _labels(targets: "Targets") -> "ClassLabels":
    """Targets, which are class labels where the task is this one."""
    from cnncli.data.class_labels import ClassLabels

    if not isinstance(targets, ClassLabels):
        raise TypeError(f"targets are {type(targets).__name__}; expected ClassLabels")
    return targets


def _several(names: Sequence[str]) -> str:
    from cnncli.files.faults import in_unicode

    first = ", ".join(in_unicode(name) for name in names[:_NAMED])
    return f"{len(names)} classes ({first}{', …' if len(names) > _NAMED else ''})"
