"""How well classes are predicted. Legend: N images, K classes. Outputs (N, K) are before the softmax."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.tasks.softmax import log_softmax, probabilities

if TYPE_CHECKING:
    from cnncli.tasks.scores import Calibration

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


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
class ClassEvaluation:
    """Outputs of a network for a split, with the true classes.

    Attributes
    ----------
    indices : ndarray, shape (N,), intp
        Positions in the split.
    labels : ndarray, shape (N,), int64
        True classes.
    outputs : ndarray, shape (N, K), float32
        Before the softmax.
    classes : tuple of str
        K names.
    """

    indices: NDArray[np.intp]
    labels: Labels
    outputs: Floats
    classes: tuple[str, ...]

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
        classes = len(self.classes)
        flat = np.bincount(self.labels * classes + self.predicted, minlength=classes * classes)
        return np.asarray(flat.reshape(classes, classes), np.int64)

    def by_class(self) -> list[ClassScores]:
        """Precision, recall and F1 of each class."""
        counts = self.confusion
        rows = []
        for k, label in enumerate(self.classes):
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

    def result(self) -> dict[str, Any]:
        """Images, those predicted right, accuracy and loss."""
        return {
            "images": len(self),
            "right": int((self.predicted == self.labels).sum()),
            "accuracy": self.accuracy,
            "loss": self.loss,
        }

    def scores(self) -> dict[str, Any]:
        """Accuracy and loss, scores of each class, the confusion matrix."""
        from cnncli.tasks.scores import means

        scores = self.by_class()
        macro, weighted = means(scores)
        return {
            "accuracy": _rounded(self.accuracy),
            "loss": _rounded(self.loss),
            "log_loss": _rounded(self.log_loss),
            "top5_accuracy": _rounded(self.top5_accuracy),
            "auc": _rounded(self.auc),
            "ece": _rounded(self.calibration.error),
            "macro": {name: _rounded(value) for name, value in macro._asdict().items()},
            "weighted": {name: _rounded(value) for name, value in weighted._asdict().items()},
            "classes": [
                {
                    "label": each.label,
                    "precision": _rounded(each.precision),
                    "recall": _rounded(each.recall),
                    "f1": _rounded(each.f1),
                    "support": each.support,
                }
                for each in scores
            ],
            "confusion": self.confusion.tolist(),
        }

    def headline(self) -> str:
        """Accuracy, with the counts."""
        from cnncli.tasks.scores import accuracy_text

        return f"accuracy {accuracy_text(int(np.trace(self.confusion)), len(self))}"

    def report(self, columns: int) -> list[str]:
        """Further scores, a row for each class, and the confusion matrix or the worst of it."""
        from cnncli.tasks.class_report import report_lines

        return report_lines(self, columns)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
