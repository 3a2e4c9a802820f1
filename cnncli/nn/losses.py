"""Loss functions, of outputs (N, K), or (N, H, W, K) with a target for each pixel.

All are means over the batch, as in PyTorch: over its samples or pixels, or over their weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native, nn_jobs
from cnncli.core.nn_jobs import LOSSES
from cnncli.errors import CnncliError

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
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

    def scratch_floats(self, outputs: int) -> int:
        """Floats of scratch memory that the native loop needs."""
        return 0

    def label_rows(self, outputs: int) -> Floats | None:
        """Rows of targets for `UNCOUNTED` and each label, all in one array; None: it takes no labels.

        Raises
        ------
        CnncliError
            If the loss has class weights for another number of classes.
        """
        return None

    def weigh(self, labels: Labels, outputs: int) -> float:
        """What the mean divides by where targets are labels (N,) or (N, H, W); else as `prepare`."""
        raise NotImplementedError

    def beside(self, labels: Labels, outputs: int) -> float:
        """What a second loss of a sample counts, where there is one in this."""
        return 0.0

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Fill in the rows of targets that the native loop reads.

        Parameters
        ----------
        targets : ndarray, shape (N, K) or (N, H, W, K)
            One row for each sample or pixel.
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

    Targets are labels (N,) or (N, H, W), where `UNCOUNTED` ones do not count, or class probabilities (N, K).
    Both match PyTorch's ``cross_entropy``.
    """

    smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    adjusted: bool = False
    kind = LOSSES["softmax"]

    def shift(self, outputs: int) -> Floats:
        """Logarithms of the weights, where the loss is adjusted."""
        return _logarithms(self.class_weights if self.adjusted else None, outputs)

    def label_rows(self, outputs: int) -> Floats:
        """1 for the class of a label, smoothed, times the weights; 0 for all of `UNCOUNTED`."""
        rows = _one_hot_rows(outputs)
        self._smooth_and_weigh(rows[1:])
        return rows

    def weigh(self, labels: Labels, outputs: int) -> float:
        """The number of labels, or the sum of their weights."""
        counts = _counts(labels, outputs)
        weights = self._weights(outputs)
        return float(counts.sum() if weights is None else counts @ weights.astype(np.float64))

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Targets are class probabilities (N, K) as made by mixup."""
        _check_rows(targets, out)
        out[:] = targets
        self._smooth_and_weigh(out)
        return float(out[..., 0].size)

    def _smooth_and_weigh(self, rows: Floats) -> None:
        classes = rows.shape[-1]
        weights = self._weights(classes)
        if self.smoothing:
            rows *= 1 - self.smoothing
            rows += np.float32(self.smoothing / classes)
        if weights is not None:
            rows *= weights

    def _weights(self, outputs: int) -> Floats | None:
        if self.class_weights is not None and len(self.class_weights) != outputs:
            raise CnncliError(
                f"there are {len(self.class_weights)} class weights; expected {outputs}, one for each class",
                "Give as many weights as classes.",
            )
        return None if self.class_weights is None else np.asarray(self.class_weights, np.float32)


@dataclass(frozen=True)
class Dice(Loss):
    """One minus Dice's coefficient of the softmax, the mean over the classes that a sample has.

    With p the probabilities of a class and t its targets over all pixels of a sample, the coefficient is
    (2 sum(p t) + 1) / (sum(p) + sum(t) + 1). Targets are labels (N, H, W); `UNCOUNTED` ones do not count.

    Attributes
    ----------
    entropy : SoftmaxCrossEntropy or None
        Its mean is added. Where it is adjusted, both are of the outputs that it adjusts.
    """

    entropy: SoftmaxCrossEntropy | None = None
    loop = "dice"

    def scratch_floats(self, outputs: int) -> int:
        """Pixels of a group, class by class."""
        lanes = native.processor()[3].lanes
        classes = -(-outputs // lanes) * lanes
        return nn_jobs.DICE_HEADER * lanes + nn_jobs.DICE_KINDS * classes * lanes + classes

    def shift(self, outputs: int) -> Floats:
        """As of the cross-entropy."""
        return super().shift(outputs) if self.entropy is None else self.entropy.shift(outputs)

    def label_rows(self, outputs: int) -> Floats:
        """(outputs + 1, 2 outputs + 1): 1 for a label's class, then the cross-entropy's row, then its sum."""
        own = _one_hot_rows(outputs)
        other = np.zeros_like(own) if self.entropy is None else self.entropy.label_rows(outputs)
        return np.concatenate([own, other, other.sum(axis=1, keepdims=True)], axis=1)

    def weigh(self, labels: Labels, outputs: int) -> float:
        """The number of samples."""
        return float(len(labels))

    def beside(self, labels: Labels, outputs: int) -> float:
        """What the cross-entropy of a sample counts: the mean over samples becomes its own mean."""
        whole = 0.0 if self.entropy is None else self.entropy.weigh(labels, outputs)
        return len(labels) / whole if whole > 0 else 0.0

    def prepare(self, targets: NDArray[np.generic], out: Floats) -> float:
        """Refuse rows: each pixel has one class."""
        raise CnncliError(
            f"labels have shape {targets.shape}; expected {out.shape[:-1]}", "Give one class for each pixel."
        )


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


def _one_hot_rows(outputs: int) -> Floats:
    """(outputs + 1, outputs) zeros for a pixel that does not count, and after them 1 for each class."""
    return np.eye(outputs + 1, outputs, -1, dtype=np.float32)


def _counts(labels: Labels, outputs: int) -> NDArray[np.int64]:
    """(outputs,) how many samples or pixels each class has."""
    return np.bincount(labels.ravel() + 1, minlength=outputs + 1)[1:]


def checked_labels(labels: NDArray[np.generic], like: Floats) -> Labels:
    """Labels as the native loop reads them: one for each sample or pixel.

    Parameters
    ----------
    labels : ndarray, shape (N,) or (N, H, W), integers
        Classes; `UNCOUNTED` is allowed for pixels.
    like : ndarray, shape (N, K) or (N, H, W, K)
        Outputs that they belong to.

    Raises
    ------
    CnncliError
        Where they are others.
    """
    pixels, classes = like.ndim > 2, like.shape[-1]
    if labels.shape != like.shape[:-1]:
        raise CnncliError(
            f"labels have shape {labels.shape}; expected {like.shape[:-1]}",
            "Give one class for each pixel." if pixels else "Give one class for each sample.",
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise CnncliError(
            f"labels are {labels.dtype}; expected whole numbers", "Give class numbers from 0 on."
        )
    least, most = int(labels.min(initial=0)), int(labels.max(initial=0))
    lowest = UNCOUNTED if pixels else 0
    if least < lowest or most >= classes:
        raise CnncliError(
            f"labels run from {least} to {most}; expected {lowest} to {classes - 1}",
            "Give the network as many outputs as there are classes.",
        )
    return labels.astype(np.int64, copy=False)


def _check_rows(targets: NDArray[np.generic], out: Floats) -> None:
    if targets.shape != out.shape:
        raise CnncliError(
            f"targets have shape {targets.shape}; expected {out.shape}",
            "Give one row of targets per sample, one target per output.",
        )
