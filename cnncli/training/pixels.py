"""What a network that learns from a data set is to expect of pixels."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnncli.data.digits import are_digits
from cnncli.data.model import Arrays, Dataset, level_counts, moments
from cnncli.data.prepare import InputSpec
from cnncli.tasks.preprocessing import Preprocessing

_DIGIT = (28, 28, 1)
_TAIL = 0.001  # the share of pixels, darkest and brightest, that may be outliers
_FEW = 8  # levels of 256: what lies within so many has hardly any contrast


def preprocessing_of(
    dataset: Dataset,
    start: Preprocessing | None,
    threads: int = 1,
    *,
    counts: NDArray[np.int64] | None = None,
) -> tuple[Preprocessing, tuple[str, ...]]:
    """Describe how pixels become inputs: size, colour and scale of the data, mean and deviation.

    Parameters
    ----------
    dataset : Dataset
        What is learned.
    start : Preprocessing or None
        Of weights to start from: their mean and deviation are kept where size and colour are the same, and
        at any size if they are resized as networks from elsewhere are.
    threads : int
        To use.
    counts : ndarray, shape (C, 256), int64
        `level_counts` of the training images, if they are known.

    Returns
    -------
    preprocessing, warnings
        What goes into the checkpoint, and what is odd about the pixels.
    """
    input_spec = dataset.input_spec or InputSpec(dataset.shape)
    height, width, channels = dataset.shape
    if counts is None:
        counts = level_counts(dataset.train, threads=threads)
    if start is not None and (start.shape == dataset.shape or (start.resize and start.channels == channels)):
        mean, std = start.mean, start.std
    else:
        mean, std = (tuple(float(v) for v in each) for each in moments(counts))
    scales: dict[str, tuple[float, ...]] = {
        kind: (each.low, each.high, each.least, each.most) for kind, each in input_spec.scales.items()
    }
    found = Preprocessing(
        (height, width),
        channels,
        mean,
        std,
        digits=_shows_digits(dataset),
        fit=input_spec.fit,
        scales=scales,
    )
    if input_spec.resize is not None:
        resize = input_spec.resize
        found = replace(
            found, resize=resize.side, interpolation=resize.interpolation, long_side=resize.long_side
        )
    warnings = _on_contrast(counts)
    if dataset.known == "mnist" and not found.digits:
        warnings += ("not as MNIST has its digits: predict will not turn ink on paper for this network",)
    return found, warnings


def shows_drawings(counts: NDArray[np.int64]) -> bool:
    """Whether pixels tell of things on a plain ground: a quarter of all or more have the same level."""
    return bool((4 * counts.max(axis=1) >= counts.sum(axis=1)).all())


def _shows_digits(dataset: Dataset) -> bool:
    """MNIST's own digits, as large and light on dark: `as_digit` leaves all of them as they are."""
    images = dataset.train.images if isinstance(dataset.train, Arrays) else None
    if dataset.known != "mnist" or images is None or images.shape[1:] != _DIGIT:
        return False
    return bool(are_digits(images).all())


def _on_contrast(counts: NDArray[np.int64]) -> tuple[str, ...]:
    """Warn where nearly all pixels are of one shade: the scale is another one, or outliers set it."""
    share = counts.sum(axis=0).cumsum() / max(1, int(counts.sum()))
    low, high = np.searchsorted(share, (_TAIL, 1 - _TAIL))
    within = int(high - low) + 1
    if within > _FEW:
        return ()
    return (
        f"nearly all pixels lie within {within} of 256 levels: the images are almost black or of one shade, "
        "or a few numbers are far larger than the others",
    )
