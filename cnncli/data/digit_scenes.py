"""Scenes of digits over textured photographs, made on the fly: their boxes and masks are known exactly.

Each scene has one to five of the digits of MNIST, of random size, rotation, colour and place, painted over a
random part of a photograph that ships. Digits of test scenes are none of those of training scenes. All is
drawn by counters (`random_numbers`): scene n of a seed is the same on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.data.random_numbers import uniform

SIDE = 128  # pixels of a scene, usually
SMALLEST, LARGEST = 32, 256
BACKGROUND = 0  # in a map of classes; digit d is d + 1
PHOTOGRAPHS = ("brick.png", "camera.png", "chelsea.png", "coins.png", "grass.png", "gravel.png")
MOST = 5  # digits of a scene, usually
_TRIES = 8  # places that are tried for a digit
_SHARED = 0.1  # of the smaller box that two may have in common
_SIZES = 0.25, 0.5  # of a digit's square, in sides of the scene
_TURN = 30.0  # degrees to either side
_LEAN = -0.15, 0.15
_COVERED = 0.5  # opacity from which a pixel belongs to a digit
_CONTRAST = 70.0  # levels that a digit is lighter or darker than the ground below it, at least

_NUMBERS = 192  # random ones of a scene: more than it can take
_AT_ONCE = 256  # digits

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scenes:
    """N scenes of S x S pixels.

    Attributes
    ----------
    images : ndarray, shape (N, S, S, 3), uint8
        Colours.
    maps : ndarray, shape (N, S, S), uint8
        Class of each pixel: `BACKGROUND`, or a digit plus 1.
    scene : ndarray, shape (M,), int64
        Of each of M digits the scene that it is in, in rising order.
    digits : ndarray, shape (M,), int64
        0 to 9.
    boxes : ndarray, shape (M, 4), float32
        x, y, width and height of what is seen of each, in pixels; digits lie in front of those before them.
    """

    images: Bytes
    maps: Bytes
    scene: NDArray[np.int64]
    digits: NDArray[np.int64]
    boxes: NDArray[np.float32]


def make_scenes(
    numbers: NDArray[np.int64],
    side: int,
    *,
    seed: int,
    digits: Bytes,
    labels: NDArray[np.int64],
    grounds: list[Bytes],
    most: int = MOST,
) -> Scenes:
    """Make scenes.

    Parameters
    ----------
    numbers : ndarray, shape (N,), int64
        Of the scenes: each is the same whichever others are made.
    side : int
        Pixels of each side.
    seed : int
        Decides everything.
    digits : ndarray, shape (D, 28, 28), uint8
        Light on dark.
    labels : ndarray, shape (D,), int64
        What they are, 0 to 9.
    grounds : list of ndarray, shape (h, w, 3), uint8
        Photographs of at least ``side`` pixels a side.
    most : int
        Digits of a scene, 1 or more.
    """
    plans = [_Plan(seed, number, side, (len(digits), most), grounds) for number in numbers.tolist()]
    patches = _opacities(digits, [each for plan in plans for each in plan.digits], side)
    images = np.empty((len(plans), side, side, 3), np.uint8)
    maps = np.full((len(plans), side, side), BACKGROUND, np.uint8)
    rows: list[tuple[int, int, tuple[float, ...]]] = []
    for number, plan in enumerate(plans):
        image = plan.ground.astype(np.float32) * plan.tint
        np.minimum(image, 255, out=image)
        objects = np.full((side, side), -1, np.int8)  # which of the scene's digits a pixel shows
        for place, digit in enumerate(plan.digits):
            _paint(image, objects, next(patches), digit, place)
        images[number] = np.rint(image)
        for place, digit in enumerate(plan.digits):
            here, label = objects == place, int(labels[digit.which])
            maps[number][here] = label + 1
            rows.append((number, label, _around(here)))
    return Scenes(
        images,
        maps,
        np.array([scene for scene, *_ in rows], np.int64),
        np.array([label for _, label, _ in rows], np.int64),
        np.array([box for *_, box in rows], np.float32).reshape(-1, 4),
    )


@dataclass(frozen=True, eq=False)
class _Digit:
    """A digit of a scene.

    Attributes
    ----------
    which : int
        Its position among the digits.
    left, top, size : float
        Its square, in pixels.
    turn, lean : float
        Its rotation in radians, and its shear.
    colour : tuple of float
        Where between the darkest and the lightest that it may be, for each channel.
    contrary : bool
        It is lighter than a dark ground, and darker than a light one.
    """

    which: int
    left: float
    top: float
    size: float
    turn: float
    lean: float
    colour: tuple[float, float, float]
    contrary: bool


class _Plan:
    """What is drawn by lot for a scene: its ground and its digits."""

    def __init__(
        self, seed: int, scene: int, side: int, digits: tuple[int, int], grounds: list[Bytes]
    ) -> None:
        self._numbers = iter(uniform(seed, scene, np.arange(_NUMBERS)).tolist())
        photograph = grounds[self._below(len(grounds))]
        top, left = (self._below(size - side + 1) for size in photograph.shape[:2])
        part = photograph[top : top + side, left : left + side]
        self.ground = part[:, ::-1] if self._unit() < 0.5 else part
        self.tint = np.array([self._between(0.6, 1.1) for _ in range(3)], np.float32)
        self.digits = [self._digit(square, digits[0]) for square in self._squares(side, digits[1])]

    def _unit(self) -> float:
        return float(next(self._numbers))

    def _between(self, low: float, high: float) -> float:
        return low + (high - low) * self._unit()

    def _below(self, count: int) -> int:
        return int(self._unit() * count)

    def _squares(self, side: int, most: int) -> list[tuple[float, float, float]]:
        """x, y and size of the digits' squares; the first always finds a place, others may be left out."""
        taken: list[tuple[float, float, float]] = []
        for _ in range(1 + self._below(most)):
            for _ in range(_TRIES):
                size = side * self._between(*_SIZES)
                square = self._between(0, side - size), self._between(0, side - size), size
                if all(_shared(square, other) <= _SHARED * min(size, other[2]) ** 2 for other in taken):
                    taken.append(square)
                    break
        return taken

    def _digit(self, square: tuple[float, float, float], digits: int) -> _Digit:
        which, turn, lean = (
            self._below(digits),
            np.deg2rad(self._between(-_TURN, _TURN)),
            self._between(*_LEAN),
        )
        colour = self._unit(), self._unit(), self._unit()
        return _Digit(which, *square, float(turn), lean, colour, self._unit() < 0.8)


def _shared(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    """Pixels that two squares have in common."""
    across, down = (min(a[i] + a[2], b[i] + b[2]) - max(a[i], b[i]) for i in range(2))
    return max(0.0, across) * max(0.0, down)


def _paint(image: Floats, objects: NDArray[np.int8], opacity: Floats, digit: _Digit, place: int) -> None:
    """Paint a digit over the image, and note the pixels that it covers.

    ``opacity`` begins at the pixel that holds the corner of its square, and may reach beyond the image.
    """
    x, y = int(digit.left), int(digit.top)
    below = image[y : y + len(opacity), x : x + len(opacity)]
    opacity = opacity[: below.shape[0], : below.shape[1]]
    covered = opacity >= _COVERED
    mean = float(below[covered].mean()) if covered.any() else 128.0
    light = (mean < 128) == digit.contrary if _CONTRAST < mean < 255 - _CONTRAST else mean < 128
    low, high = (min(255.0, mean + _CONTRAST), 255.0) if light else (0.0, max(0.0, mean - _CONTRAST))
    colour = np.array([low + (high - low) * each for each in digit.colour], np.float32)
    below += opacity[..., None] * (colour - below)
    objects[y : y + len(opacity), x : x + opacity.shape[1]][covered] = place


def _opacities(digits: Bytes, drawn: list[_Digit], side: int) -> Iterator[Floats]:
    """Opacity, 0 to 1, of each drawn digit in a patch of pixels that holds its square."""
    edge = int(side * _SIZES[1]) + 2
    for at in range(0, len(drawn), _AT_ONCE):
        here = drawn[at : at + _AT_ONCE]
        padded = np.pad(digits[[each.which for each in here]], ((0, 0), (1, 2), (1, 2)))
        yield from _turned(padded, here, edge)


def _turned(padded: Bytes, drawn: list[_Digit], edge: int) -> Floats:
    """(n, edge, edge) opacities: each pixel looks where in the upright digit it lies."""
    values = np.array([(d.left, d.top, d.size, d.turn, d.lean) for d in drawn], np.float64)
    left, top, size, turn, lean = (each[:, None, None] for each in values.T)
    pixels = np.arange(edge) + 0.5
    across, down = pixels - left % 1 - size / 2, pixels[:, None] - top % 1 - size / 2
    scale, middle = (padded.shape[1] - 3) / size, padded.shape[1] / 2 - 1
    row = (np.cos(turn) * down - np.sin(turn) * across) * scale
    column = (np.cos(turn) * across + np.sin(turn) * down) * scale + lean * row
    last = padded.shape[1] - 1.001
    row, column = (np.clip(each + middle, 0, last).astype(np.float32) for each in (row, column))
    i, j = row.astype(np.intp), column.astype(np.intp)
    below, right = row - i, column - j
    base = (np.arange(len(drawn))[:, None, None] * padded.shape[1] + i) * padded.shape[2] + j
    flat = padded.ravel()
    upper = flat[base] * (1 - right) + flat[base + 1] * right
    lower = flat[base + padded.shape[2]] * (1 - right) + flat[base + padded.shape[2] + 1] * right
    return np.asarray((upper * (1 - below) + lower * below) / 255, np.float32)


def _around(here: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """The smallest box around pixels: x, y, width, height; zeros where there are none."""
    rows, columns = np.flatnonzero(here.any(axis=1)), np.flatnonzero(here.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    return (
        float(columns[0]),
        float(rows[0]),
        float(columns[-1] - columns[0] + 1),
        float(rows[-1] - rows[0] + 1),
    )
