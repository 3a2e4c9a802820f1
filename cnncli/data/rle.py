"""Run-length encoded masks of COCO, read: lists of counts, and the text that its programs write.

The text has a number in one or more characters, each with five bits of it and one that says whether more
follow, the lowest bits first; from the fourth number on it is the difference to the one before the last.
Source: rleFrString of the COCO API (P. Dollár, T.-Y. Lin).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.data.masks import runs_of_counts

Ints = NDArray[np.int64]
_LOWEST = 48  # the character of 0
_MORE, _SIGN, _VALUE = 0x20, 0x10, 0x1F
_LONGEST = 8  # characters of a number: 40 bits


class WrongMaskError(ValueError):
    """A mask that cannot be used; the text says why."""


def runs_of_rle(counts: Any, height: int, width: int) -> tuple[Ints, Ints]:
    """Starts and ends of the runs of an encoded mask.

    Parameters
    ----------
    counts : list of int, or str
        As in COCO's files: any JSON value may stand there.
    height, width : int
        Of the image.

    Raises
    ------
    WrongMaskError
        Where it is no such thing, or covers other than the image's pixels.
    """
    lengths = counts_of_text(counts) if isinstance(counts, str) else _counts_of_list(counts)
    if (lengths < 0).any():
        raise WrongMaskError(f"its RLE has a run of {lengths.min():,} pixels")
    # Summed as floats as well: whole numbers of 64 bits could wrap round.
    if lengths.sum() != height * width or lengths.sum(dtype=np.float64) > 2.0**53:
        total = lengths.sum(dtype=np.float64)
        raise WrongMaskError(f"its RLE covers {total:,.0f} pixels; expected {height} x {width}")
    return runs_of_counts(lengths)


def _counts_of_list(counts: Any) -> Ints:
    if not isinstance(counts, list) or any(type(each) is not int for each in counts):
        raise WrongMaskError("its RLE has no list of whole numbers and no text as counts")
    try:
        return np.array(counts, np.int64)
    except OverflowError:
        raise WrongMaskError("its RLE has a count beyond 64 bits") from None


def counts_of_text(text: str) -> Ints:
    """The counts that a text encodes.

    Raises
    ------
    WrongMaskError
        Where it ends within a number, or has characters that mean nothing.
    """
    try:
        bits = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _LOWEST
    except UnicodeEncodeError:
        raise WrongMaskError("its RLE has characters that mean nothing") from None
    if not len(bits):
        return bits
    if bits.min() < 0 or bits.max() >= 2 * _MORE:
        raise WrongMaskError("its RLE has characters that mean nothing")
    last = (bits & _MORE) == 0
    if not last[-1]:
        raise WrongMaskError("its RLE ends within a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST:
        raise WrongMaskError("its RLE has a number of more than 40 bits")
    place = 5 * (np.arange(len(bits)) - np.repeat(starts, lengths))
    numbers = np.add.reduceat((bits & _VALUE) << place, starts)
    numbers -= np.where(bits[ends] & _SIGN, 1 << (5 * lengths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
