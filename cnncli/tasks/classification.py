"""Classification: one class for an image.

Legend: N images, K classes. Outputs (N, K) are before the softmax.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.nn import SoftmaxCrossEntropy

if TYPE_CHECKING:
    from cnncli.data.loader import Batch
    from cnncli.data.model import Split
    from cnncli.nn import Network
    from cnncli.tasks.scores import Calibration
    from cnncli.training.checkpoint import Preprocessing

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def log_softmax(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms of the probabilities, (N, K) float64; rows of any size, none overflows."""
    shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def probabilities(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Softmax of the outputs, (N, K) float64; rows sum to 1."""
    return np.asarray(np.exp(log_softmax(outputs)))


def are_finite(outputs: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(N,) whether a network's outputs for an image are finite: large weights overflow for some."""
    return np.asarray(np.isfinite(outputs).all(axis=1))


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
class Classification:
    """What the training loop needs to know about outputs that are classes.

    Attributes
    ----------
    classes : int
        K.
    smoothing : float
        Label smoothing: the share of each target that is spread over all classes, 0 to 1.
    weights : tuple of float or None
        How much each class counts.
    """

    classes: int
    smoothing: float = 0.0
    weights: tuple[float, ...] | None = None

    @property
    def loss(self) -> SoftmaxCrossEntropy:
        """Cross-entropy of the softmax."""
        return SoftmaxCrossEntropy(smoothing=self.smoothing, class_weights=self.weights)

    def targets(self, batch: "Batch") -> NDArray[np.generic]:
        """True classes, or shares of two classes where images were mixed."""
        return batch.labels if batch.mixed is None else batch.targets(self.classes)

    def losses(self, outputs: Floats, labels: Labels) -> NDArray[np.float64]:
        """(N,) cross-entropy without smoothing or weights."""
        return np.asarray(-log_softmax(outputs)[np.arange(len(labels)), labels])

    def hits(self, outputs: Floats, labels: Labels) -> int:
        """How many have the largest output at their true class."""
        return int(np.count_nonzero(outputs.argmax(axis=1) == labels))


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class.

    Attributes
    ----------
    label : str
        The class.
    precision : float or None
        Share of the images predicted as this class that are of it; None where none is predicted so.
    recall : float or None
        Share of its images that are predicted as it; None where it has no images.
    f1 : float or None
        Harmonic mean of the two.
    support : int
        Its images.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Outputs of a network for a split, with the true classes.

    Attributes
    ----------
    indices : ndarray, shape (N,), intp
        Positions in the split.
    labels : ndarray, shape (N,), int64
        True classes.
    outputs : ndarray, shape (N, K), float32
        Before the softmax.
    """

    indices: NDArray[np.intp]
    labels: Labels
    outputs: Floats

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> Labels:
        """(N,) predicted class: that of the largest output."""
        return np.asarray(self.outputs.argmax(axis=1), np.int64)

    @property
    def accuracy(self) -> float:
        """Share of images whose predicted class is the true one, 0 to 1."""
        return float(np.mean(self.predicted == self.labels))

    @property
    def loss(self) -> float:
        """Mean cross-entropy."""
        return float(-log_softmax(self.outputs)[np.arange(len(self)), self.labels].mean())

    @property
    def log_loss(self) -> float:
        """Mean cross-entropy with no probability below 2.2e-16."""
        from cnncli.tasks.scores import log_loss

        return log_loss(probabilities(self.outputs), self.labels)

    @property
    def top5_accuracy(self) -> float | None:
        """Share of images whose true class is among the five likeliest; None for five classes or fewer."""
        from cnncli.tasks.scores import top_accuracy

        return top_accuracy(self.outputs, self.labels)

    @property
    def auc(self) -> float | None:
        """Area under the ROC curve of two classes; None for others."""
        from cnncli.tasks.scores import area_under_curve

        return area_under_curve(self.outputs, self.labels)

    @property
    def calibration(self) -> "Calibration":
        """Confidence and accuracy, by bins."""
        from cnncli.tasks.scores import calibration

        return calibration(probabilities(self.outputs), self.labels)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(K, K) counts: rows are true classes, columns predicted ones."""
        classes = self.outputs.shape[1]
        flat = np.bincount(self.labels * classes + self.predicted, minlength=classes * classes)
        return np.asarray(flat.reshape(classes, classes), np.int64)

    def by_class(self, classes: Sequence[str]) -> list[ClassScores]:
        """Precision, recall and F1 of each class."""
        counts = self.confusion
        rows = []
        for k, label in enumerate(classes):
            right, predicted, support = int(counts[k, k]), int(counts[:, k].sum()), int(counts[k].sum())
            f1 = 2 * right / (predicted + support) if predicted + support else None
            rows.append(
                ClassScores(
                    label,
                    right / predicted if predicted else None,
                    right / support if support else None,
                    f1,
                    support,
                )
            )
        return rows

    def mistakes(self) -> NDArray[np.intp]:
        """Positions (in this evaluation) of misclassified images, the most confident first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        sure = probabilities(self.outputs[wrong]).max(axis=1) if wrong.size else np.empty(0)
        return wrong[np.argsort(-sure, kind="stable")]


def evaluate(
    network: "Network",
    split: "Split",
    preprocessing: "Preprocessing",
    *,
    batch: int = 256,
    threads: int = 1,
) -> Evaluation:
    """Run a network on every image of a split.

    Parameters
    ----------
    network : Network
        With K outputs.
    split : Split
        Of the network's input shape, with labels.
    preprocessing : Preprocessing
        Mean and deviation that the network was trained with.
    batch : int
        Images at a time.
    threads : int
        To use.

    Raises
    ------
    CnncliError
        Where an output is not a number.
    """
    from cnncli.data.loader import Loader
    from cnncli.nn import Inference

    size = max(1, min(batch, len(split)))
    mean, std = (np.asarray(v, np.float32) for v in (preprocessing.mean, preprocessing.std))
    loader = Loader(split, size, mean=mean, std=std, threads=threads)
    inference = Inference(network, size, threads=threads)
    classes = network.graph.output_shape.size
    indices, labels, outputs = (
        [np.empty(0, np.intp)],
        [np.empty(0, np.int64)],
        [np.empty((0, classes), np.float32)],
    )
    for part in loader.epoch(0):
        indices.append(part.indices.copy())
        labels.append(part.labels.copy())
        outputs.append(inference.run(part.x))
    evaluation = Evaluation(np.concatenate(indices), np.concatenate(labels), np.concatenate(outputs))
    if lost := int(np.count_nonzero(~are_finite(evaluation.outputs))):
        raise CnncliError(
            f"the outputs of the network for {lost:,} of {len(evaluation):,} images are not numbers: "
            "values overflow on their way; expected finite outputs",
            "Train the network again with a lower --lr, or copy the checkpoint again from where it came.",
        )
    return evaluation
