"""Images to splits: by their content, seeded, the same on every machine."""

import numpy as np
from numpy.typing import NDArray

from cnncli.data.random_numbers import hashed, uniform

TEST_SHARE = 0.2  # of data that come without a test split
TEST_SEED = 0  # which images are the test's never depends on what the user chooses
# Counters of their own, apart from each other, from orders and from augmentation: which images are held out
# for validation has nothing to do with which are held out for the test, also with equal seeds.
TEST_DRAW, VAL_DRAW = 7_920, 7_921
_SHIPPED_DRAW = 7_919


def drawn(
    keys: NDArray[np.uint64], labels: NDArray[np.int64], share: float, *, seed: int, draw: int
) -> NDArray[np.bool_]:
    """Choose the images that are held out.

    Each key gives a number from 0 to 1, and images whose number lies below ``share`` are held out. So an
    image's side follows from its content alone: images that are added, removed, renamed, damaged or put
    into another order move no other, and copies stay together. Each class is held out by about ``share``,
    not by exactly so much, for an exact share would move those at its edge.

    Of a class with two different images or more, one at least is held out and one stays. Where the numbers
    of a class all lie on one side, the image nearest to the other side changes over; only there, which in
    a class of 20 images with a share of 0.2 happens once in 87 times, can one more image move another one.
    (No rule can do without: of three images each pair would have to be divided, and none might change
    sides when the third comes.)

    Parameters
    ----------
    keys : ndarray, shape (N,), uint64
        As `identity.groups` gives them: equal for images that must be on one side.
    labels : ndarray, shape (N,), int64
        The class of each image, 0 or more.
    share : float
        0, for none, to 1.
    seed, draw : int
        Which images. ``draw`` is `TEST_DRAW` or `VAL_DRAW`.

    Returns
    -------
    ndarray, shape (N,), bool
        True: held out.
    """
    if share <= 0 or not len(keys):
        return np.zeros(len(keys), bool)
    numbers = uniform(seed, draw, keys)
    held = numbers < share
    for members in _lacking(held, labels, wanted=True):
        if len(np.unique(keys[members])) > 1:
            held |= keys == keys[members[np.argmin(numbers[members])]]
    for members in _lacking(held, labels, wanted=False):
        held &= keys != keys[members[np.argmax(numbers[members])]]
    return held


def _lacking(held: NDArray[np.bool_], labels: NDArray[np.int64], *, wanted: bool) -> list[NDArray[np.intp]]:
    """The images of each class of which none is on a side."""
    counts = np.bincount(labels)
    there = np.bincount(labels[held == wanted], minlength=len(counts))
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(counts)
    return [order[ends[k] - counts[k] : ends[k]] for k in np.flatnonzero((there == 0) & (counts > 0))]


def shipped_test(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the digits that ship are the test's: 100 of each class, the same since the first version.

    They are a set of their own, always in one order; the digit model that ships has not seen these.
    """
    numbers = hashed(TEST_SEED, _SHIPPED_DRAW, np.arange(len(labels)))
    order = np.lexsort((numbers, labels))
    counts = np.bincount(labels)
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    held = np.zeros(len(labels), bool)
    held[order] = place < np.repeat(np.rint(counts * TEST_SHARE), counts)
    return held
