"""Choose the images that are held out: by a seeded hash of their content, the same on every machine."""

import numpy as np
from numpy.typing import NDArray

from cnncli.data.random_numbers import hashed, uniform

TEST_SHARE = 0.2  # of datasets without a test split
TEST_SEED = 0  # fixed: the test images never depend on the user's seed
# Counters that differ from each other and from those of shuffling and augmentation, so that validation and
# test images are chosen independently even where the seeds are equal.
TEST_DRAW, VAL_DRAW = 7_920, 7_921
_SHIPPED_DRAW = 7_919


def choose_held_out(
    keys: NDArray[np.uint64], groups: NDArray[np.int64] | None, share: float, *, seed: int, draw: int
) -> NDArray[np.bool_]:
    """Choose the images that are held out.

    Each key gives a number from 0 to 1, and images whose number lies below ``share`` are held out. So an
    image's split follows from its content alone: adding, removing, renaming, damaging or reordering images
    moves no other image, and copies stay together. About ``share`` of each group, such as each class, is held
    out, not exactly as much: an exact share would move images at the boundary.

    Of a group with two or more different images, at least one is held out and at least one stays. Where all
    numbers of a group lie on one side, the image nearest to the threshold changes sides. Only in that case,
    which occurs once in 87 groups of 20 images with a share of 0.2, can a new image move another one.
    (No rule can avoid this: each pair of three images would have to be divided, and none could change
    sides when the third is added.)

    Parameters
    ----------
    keys : ndarray, shape (N,), uint64
        From `identity.merged_keys`: equal for images that must be in the same split.
    groups : ndarray, shape (N,), int64, or None
        The group of each image, 0 or more; None: all are one.
    share : float
        0, for none, to 1.
    seed, draw : int
        Choose which images are held out. ``draw`` is `TEST_DRAW` or `VAL_DRAW`.

    Returns
    -------
    ndarray, shape (N,), bool
        True: held out.
    """
    if share <= 0 or not len(keys):
        return np.zeros(len(keys), bool)
    groups = np.zeros(len(keys), np.int64) if groups is None else groups
    numbers = uniform(seed, draw, keys)
    held = numbers < share
    for members in _lacking(held, groups, side=True):
        if len(np.unique(keys[members])) > 1:
            held |= keys == keys[members[np.argmin(numbers[members])]]
    for members in _lacking(held, groups, side=False):
        held &= keys != keys[members[np.argmax(numbers[members])]]
    return held


def _lacking(held: NDArray[np.bool_], groups: NDArray[np.int64], *, side: bool) -> list[NDArray[np.intp]]:
    """The images of each group that has no image on a side."""
    counts = np.bincount(groups)
    there = np.bincount(groups[held == side], minlength=len(counts))
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(counts)
    return [order[ends[k] - counts[k] : ends[k]] for k in np.flatnonzero((there == 0) & (counts > 0))]


def shipped_test(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the digits shipped with cnncli are test images: 100 of each class, the same in every version.

    The digits are always in the same order; the digit model that is shipped was not trained on these.
    """
    numbers = hashed(TEST_SEED, _SHIPPED_DRAW, np.arange(len(labels)))
    order = np.lexsort((numbers, labels))
    counts = np.bincount(labels)
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    held = np.zeros(len(labels), bool)
    held[order] = place < np.repeat(np.rint(counts * TEST_SHARE), counts)
    return held
