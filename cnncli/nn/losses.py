"""Loss functions. All are means over the batch, as in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cnncli.core.nn_jobs import LOSSES
from cnncli.errors import CnncliError

Floats = NDArray[np.float32]


class Loss:
    """A loss of one sample's outputs and targets."""

    kind: ClassVar[int]
    beta: float = 1.0

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Fill in the targets that the native loop reads.

        Parameters
        ----------
        targets : ndarray
            Integer labels (N,), or rows (N, K).
        out : ndarray, shape (N, K), float32
            Filled in.

        Returns
        -------
        float
            Factor of each sample's loss in the mean.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of the softmax of the outputs.

    Attributes
    ----------
    smoothing : float, 0 to 1
        Label smoothing: the part of each target that is spread evenly over all classes.
    class_weights : tuple of float or None
        One for each class. For labels the mean is weighted by the samples' classes; for class probabilities
        (mixup) each probability is multiplied by its class's weight, and the mean is over the samples.

    Both match PyTorch's ``cross_entropy``, for class indices and for probabilities.
    """

    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    kind = LOSSES["softmax"]

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets are class indices (N,), or class probabilities (N, K) as made by mixup."""
        classes = out.shape[1]
        if targets.ndim == 1:
            _check_labels(targets, classes)
            out[:] = 0
            out[np.arange(len(out)), targets] = 1
        else:
            _check_rows(targets, out)
            out[:] = targets
        if self.class_weights is None:
            if self.smoothing:
                out *= 1 - self.smoothing
                out += self.smoothing / classes
            return 1 / len(out)
        if len(self.class_weights) != classes:
            raise CnncliError(
                f"there are {len(self.class_weights)} class weights; expected {classes}, one for each class",
                "Give as many weights as classes.",
            )
        weights = np.asarray(self.class_weights, np.float32)
        total = float(np.sum(out @ weights, dtype=np.float64)) if targets.ndim == 1 else len(out)
        out *= 1 - self.smoothing
        out += self.smoothing / classes
        out *= weights
        return 1 / total if total > 0 else 0.0


@dataclass(frozen=True)
class SigmoidCrossEntropy(Loss):
    """Cross-entropy of the sigmoid of each output, for targets that are not mutually exclusive."""

    kind = LOSSES["sigmoid"]

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets (N, K), 0 to 1."""
        _check_rows(targets, out)
        out[:] = targets
        return 1.0 / out.size


@dataclass(frozen=True)
class SmoothL1(Loss):
    """Squared error for small differences, absolute error for large ones.

    Attributes
    ----------
    beta : float
        Difference at which one becomes the other.
    """

    beta: float = 1.0
    kind = LOSSES["smooth l1"]

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets (N, K)."""
        _check_rows(targets, out)
        out[:] = targets
        return 1.0 / out.size


def _check_labels(labels: NDArray[np.generic], classes: int) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise CnncliError(
            f"labels are {labels.dtype}; expected whole numbers", "Give class numbers from 0 on."
        )
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0 or highest >= classes:
        raise CnncliError(
            f"labels run from {lowest} to {highest}; expected 0 to {classes - 1}",
            "Give the network as many outputs as there are classes.",
        )


def _check_rows(targets: NDArray[np.generic], out: Floats) -> None:
    if targets.shape != out.shape:
        raise CnncliError(
            f"targets have shape {targets.shape}; expected {out.shape}",
            "Give one row of targets per sample, one target per output.",
        )
