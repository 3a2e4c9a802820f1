"""Clips of a digit that moves, grows, shrinks or turns, made on the fly: what it does is known exactly.

Every clip shows one of the digits of MNIST at any place and in any size, leaning by any angle up to 115
degrees, so that a frame alone does not tell what happens: a digit that moves left is at each moment where one
that moves right may be.
Digits of test clips are none of those of training clips. All is drawn by counters (`random_numbers`): clip n
of a seed is the same on every machine.
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.data.random_numbers import uniform

SIDE = 32  # pixels of a frame, usually
SMALLEST, LARGEST = 16, 128
FRAMES = 12  # of a clip
MOTIONS = ("left", "right", "up", "down", "growing", "shrinking", "clockwise", "counterclockwise")
_NUMBERS = 10  # random ones of a clip
_SIZES = 0.4, 0.62  # of a digit's square, in sides of a frame
_WAY = 0.22, 0.4  # that it moves, in sides of a frame
_GROWTH = 1.35, 1.7  # its largest size by its smallest
_LEAN = 35.0  # degrees that it leans to either side in the middle of a turn
_TURN = 100.0, 160.0  # degrees that it turns; where it does not, it stands somewhere on such a way
_GROUND, _LIGHT = (0.0, 70.0), (150.0, 255.0)  # levels of gray
_GRAIN, _GRAINS = 6.0, 64  # levels of noise to either side, and how many different frames of noise there are
_AT_ONCE = 512  # frames that are drawn together

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]


def make_motions(count: int, side: int, *, seed: int, digits: Bytes) -> tuple[Bytes, NDArray[np.int64]]:
    """Make clips.

    Parameters
    ----------
    count, side : int
        Clips, and pixels of each side of a frame.
    seed : int
        Decides everything.
    digits : ndarray, shape (D, 28, 28), uint8
        Light on dark.

    Returns
    -------
    frames : ndarray, shape (N, `FRAMES`, S, S, 1), uint8
        Of the clips.
    labels : ndarray, shape (N,), int64
        What happens, as in `MOTIONS`: as many clips of each, but for a rest.
    """
    clip = np.arange(count)
    labels = clip % len(MOTIONS)
    drawn = uniform(seed, clip[:, None], np.arange(_NUMBERS))
    which = (drawn[:, 0] * len(digits)).astype(np.intp)
    paths = _paths(labels, drawn, side)
    out = np.empty((count, FRAMES, side, side, 1), np.uint8)
    padded = np.pad(digits, ((0, 0), (2, 3), (2, 3)))
    ground, light = (
        (low + (high - low) * drawn[:, 8 + i]).astype(np.float32)
        for i, (low, high) in enumerate((_GROUND, _LIGHT))
    )
    grains = uniform(seed, np.arange(_GRAINS * side * side)).reshape(_GRAINS, side, side)
    grains = (_GRAIN * (2 * grains - 1)).astype(np.float32)
    picks = (uniform(seed, clip[:, None], _NUMBERS + np.arange(FRAMES)) * _GRAINS).astype(np.intp)
    clips = max(1, _AT_ONCE // FRAMES)
    for at in range(0, count, clips):
        here = slice(at, at + clips)
        opacity = _opacities(padded, np.repeat(which[here], FRAMES), paths[here].reshape(-1, 4), side)
        levels = opacity.reshape(-1, FRAMES, side, side)
        levels *= (light - ground)[here, None, None, None]
        levels += ground[here, None, None, None]
        levels += grains[picks[here]]
        out[here] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[..., None]
    return out, labels.astype(np.int64)


def _paths(labels: NDArray[np.intp], drawn: Floats, side: int) -> Floats:
    """(N, T, 4) x and y of the middle, size of the square and angle in every frame.

    The opposite motion is the same path backwards: the same angles, places and sizes occur in both.
    """
    along = np.linspace(-0.5, 0.5, FRAMES)[None]
    kind = labels[:, None]
    way, growth, turn = (low + (high - low) * drawn[:, 1:2] for low, high in (_WAY, _GROWTH, _TURN))
    size = side * (_SIZES[0] + (_SIZES[1] - _SIZES[0]) * drawn[:, 2:3])
    sign = np.where(kind % 2 == 0, -1.0, 1.0)  # left, up: back along an axis
    grows, turns = kind // 2 == 2, kind // 2 == 3
    across, down = (np.where(kind // 2 == axis, sign * way * side * along, 0.0) for axis in (0, 1))
    sizes = size * np.where(grows, growth ** (-sign * along), 1.0)
    # Rows go down, so that a growing angle turns clockwise as seen.
    turned = np.where(turns, -sign * along, drawn[:, 6:7] - 0.5)
    angles = np.deg2rad(_LEAN * (2 * drawn[:, 3:4] - 1) + turn * turned)
    room = side - sizes.max(axis=1, keepdims=True)
    middle = []
    for axis, moved in enumerate((across, down)):
        free = np.maximum(0.0, room - np.ptp(moved, axis=1)[:, None])
        middle.append(side / 2 + free * (drawn[:, 4 + axis : 5 + axis] - 0.5) + moved)
    return np.stack(np.broadcast_arrays(*middle, sizes, angles), axis=-1)


def _opacities(padded: Bytes, which: NDArray[np.intp], paths: Floats, side: int) -> NDArray[np.float32]:
    """(n, S, S) opacity, 0 to 1, of digits: each pixel looks where in the upright digit it lies."""
    x, y, size, angle = (each[:, None, None] for each in paths.T.astype(np.float32))
    pixels = np.arange(side, dtype=np.float32) + np.float32(0.5)
    across, down = pixels - x, pixels[:, None] - y
    scale, middle = (padded.shape[1] - 5) / size, np.float32(padded.shape[1] / 2 - 1)
    column = (np.cos(angle) * across + np.sin(angle) * down) * scale + middle
    row = (np.cos(angle) * down - np.sin(angle) * across) * scale + middle
    last = np.float32(padded.shape[1] - 1.001)
    row, column = np.clip(row, 0, last), np.clip(column, 0, last)
    i, j = row.astype(np.intp), column.astype(np.intp)
    below, right = row - i, column - j
    base = (which[:, None, None] * padded.shape[1] + i) * padded.shape[2] + j
    flat = padded.ravel()
    upper = flat[base] * (1 - right) + flat[base + 1] * right
    lower = flat[base + padded.shape[2]] * (1 - right) + flat[base + padded.shape[2] + 1] * right
    return np.asarray((upper * (1 - below) + lower * below) / 255, np.float32)
