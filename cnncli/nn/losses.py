"""Loss functions, of outputs (N, K), or (N, H, W, K) with a target for each pixel.

All are means over the batch, as in PyTorch: over its samples or pixels, or over their weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cnncli.core.nn_jobs import LOSSES
from cnncli.errors import CnncliError

Floats = NDArray[np.float32]
UNCOUNTED = -1  # the class of a pixel that does not count


class Loss:
    """A loss of one sample's outputs and targets.

    Attributes
    ----------
    weighted : bool
        Rows of targets have one more number, the weight of the sample or pixel; 0: it does not count.
    least : float
        What the mean divides by at least; where it would be 0, nothing counts.
    """

    loop: ClassVar[str] = "losses"
    kind: ClassVar[int] = 0
    weighted: bool = False
    least: ClassVar[float] = 0.0
    alpha: float = 0.0
    beta: float = 1.0

    def check(self, outputs: int) -> None:
        """Refuse a number of outputs that the loss has no meaning for.

        Raises
        ------
        CnncliError
            If it is such a number.
        """

    def shift(self, outputs: int) -> Floats:
        """(outputs,) what the softmax adds to each."""
        return np.zeros(outputs, np.float32)

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Fill in the targets that the native loop reads.

        Parameters
        ----------
        targets : ndarray
            Integer labels (N,) or (N, H, W), or rows (N, K) or (N, H, W, K).
        out : ndarray, shape (N, K) or (N, H, W, K), float32
            Filled in; the last axis is one longer where rows have a weight.

        Returns
        -------
        float
            What the mean divides the sum of the losses by, 0 or more: samples, pixels or their weights.
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
    adjusted : bool
        Outputs get the logarithm of their class's weight before the softmax, classes of weight 0 none. So
        rare classes teach more, and yet outputs become the logarithms of how likely the classes are: weights
        alone make networks see rare classes where frequent ones are likelier. Source: Menon et al.,
        Long-tail learning via logit adjustment, 2021, section 4, with weights for frequencies.

    Both match PyTorch's ``cross_entropy``, for class indices and for probabilities.
    """

    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    adjusted: bool = False
    kind = LOSSES["softmax"]

    def shift(self, outputs: int) -> Floats:
        """Logarithms of the weights, where the loss is adjusted."""
        return _logarithms(self.class_weights if self.adjusted else None, outputs)

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets are class indices (N,) or (N, H, W), or class probabilities (N, K) as made by mixup.

        A pixel of class `UNCOUNTED` does not count.
        """
        classes = out.shape[-1]
        weights = None if self.class_weights is None else np.asarray(self.class_weights, np.float32)
        if weights is not None and len(weights) != classes:
            raise CnncliError(
                f"there are {len(weights)} class weights; expected {classes}, one for each class",
                "Give as many weights as classes.",
            )
        labels = targets.ndim < out.ndim
        if labels:
            counts = _one_hot(targets, out)
            total = float(counts.sum() if weights is None else counts @ weights.astype(np.float64))
        else:
            _check_rows(targets, out)
            out[:] = targets
            total = float(out[..., 0].size)
        if self.smoothing:
            counted = (targets.astype(np.intp) >= 0)[..., None] if labels else np.float32(1)
            out *= 1 - self.smoothing
            out += np.float32(self.smoothing / classes) * counted
        if weights is not None:
            out *= weights
        return total


@dataclass(frozen=True)
class Dice(Loss):
    """One minus Dice's coefficient of the softmax, the mean over the classes that a sample has.

    With p the probabilities of a class and t its targets over all pixels of a sample, the coefficient is
    (2 sum(p t) + 1) / (sum(p) + sum(t) + 1).

    Attributes
    ----------
    class_weights : tuple of float or None
        Of an adjusted cross-entropy beside it: both are of the same softmax.
    """

    class_weights: tuple[float, ...] | None = None
    loop = "dice"

    def shift(self, outputs: int) -> Floats:
        """Logarithms of the weights."""
        return _logarithms(self.class_weights, outputs)

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets are class indices (N, H, W); a pixel of class `UNCOUNTED` does not count."""
        _one_hot(targets, out)
        return float(len(out))


@dataclass(frozen=True)
class SigmoidCrossEntropy(Loss):
    """Cross-entropy of the sigmoid of each output, for targets that are not mutually exclusive."""

    weighted: bool = False
    kind = LOSSES["sigmoid"]

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets (…, K), 0 to 1, and after them the weight, if rows have one."""
        _check_rows(targets, out)
        out[:] = targets
        return _count_of(out, self.weighted)


@dataclass(frozen=True)
class Focal(Loss):
    """Focal loss of the sigmoid of each output: what is right already counts little.

    It is summed over all outputs and divided by the sum of the targets, which is the number of things that
    there are to be found, or by 1 where there are fewer. Source: Lin et al., Focal loss for dense object
    detection, 2017.

    Attributes
    ----------
    alpha : float, 0 to 1
        Weight of targets of 1; targets of 0 weigh 1 - alpha.
    gamma : float
        Power of the distance from the target.
    """

    alpha: float = 0.25
    gamma: float = 2.0
    weighted: bool = True
    least = 1.0
    kind = LOSSES["focal"]

    @property
    def beta(self) -> float:  # type: ignore[override]
        """Gamma, where the native loop reads it."""
        return self.gamma

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets (…, K), 0 to 1, and after them the weight, if rows have one."""
        _check_rows(targets, out)
        out[:] = targets
        found = out[..., :-1] * out[..., -1:] if self.weighted else out
        return float(np.sum(found, dtype=np.float64))


@dataclass(frozen=True)
class SmoothL1(Loss):
    """Squared error for small differences, absolute error for large ones.

    Attributes
    ----------
    beta : float
        Difference at which one becomes the other.
    """

    beta: float = 1.0
    weighted: bool = False
    kind = LOSSES["smooth l1"]

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets (…, K), and after them the weight, if rows have one."""
        _check_rows(targets, out)
        out[:] = targets
        return _count_of(out, self.weighted)


@dataclass(frozen=True)
class BoxOverlap(Loss):
    """One minus the generalised intersection over union of two boxes.

    Outputs are how far the left, top, right and bottom sides are from a point, in any unit; they may be
    negative. The mean is over the weights. Source: Rezatofighi et al., Generalized intersection over union,
    2019.
    """

    weighted: bool = True
    loop = "box_losses"

    def check(self, outputs: int) -> None:
        """Four sides."""
        if outputs != 4:
            raise CnncliError(
                f"boxes have {outputs} outputs; expected 4, the distances of their sides",
                "End the branch of the boxes in 4 channels.",
            )

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets (…, 5): left, top, right, bottom, weight."""
        _check_rows(targets, out)
        out[:] = targets
        return float(np.sum(out[..., -1], dtype=np.float64))


def _logarithms(weights: tuple[float, ...] | None, outputs: int) -> Floats:
    """(outputs,) of weights; 0 of those of 0, and where there are none."""
    known = np.asarray(weights or np.ones(outputs), np.float32)
    return np.log(np.where(known > 0, known, np.float32(1)))


def _count_of(rows: Floats, weighted: bool) -> float:
    """All outputs, each of the weight of its row."""
    if not weighted:
        return float(rows.size)
    weights = float(np.sum(rows[..., -1], dtype=np.float64))
    return weights * int(rows.shape[-1] - 1)


def _one_hot(labels: NDArray[np.generic], out: Floats) -> NDArray[np.int64]:
    """Fill in the shares of classes; returns how many samples or pixels each class has, (K,)."""
    pixels = out.ndim > 2
    if labels.shape != out.shape[:-1]:
        raise CnncliError(
            f"labels have shape {labels.shape}; expected {out.shape[:-1]}",
            "Give one class for each pixel." if pixels else "Give one class for each sample.",
        )
    _check_labels(labels, out.shape[-1], lowest=UNCOUNTED if pixels else 0)
    classes, known = out.shape[-1], labels.astype(np.intp).ravel()
    rows = np.arange(known.size) if known.min(initial=0) >= 0 else np.flatnonzero(known >= 0)
    known = known[rows]
    out[:] = 0
    out.reshape(-1)[rows * classes + known] = 1
    return np.bincount(known, minlength=classes)


def _check_labels(labels: NDArray[np.generic], classes: int, *, lowest: int) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise CnncliError(
            f"labels are {labels.dtype}; expected whole numbers", "Give class numbers from 0 on."
        )
    least, most = int(labels.min(initial=0)), int(labels.max(initial=0))
    if least < lowest or most >= classes:
        raise CnncliError(
            f"labels run from {least} to {most}; expected {lowest} to {classes - 1}",
            "Give the network as many outputs as there are classes.",
        )


def _check_rows(targets: NDArray[np.generic], out: Floats) -> None:
    if targets.shape != out.shape:
        raise CnncliError(
            f"targets have shape {targets.shape}; expected {out.shape}",
            "Give one row of targets per sample, one target per output.",
        )
