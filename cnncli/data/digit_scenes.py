"""Scenes of digits over textured photographs, made on the fly: their boxes and masks are known exactly.

Each scene has one to five of the digits of MNIST, of random size, rotation, colour and place, painted over a
random part of a photograph that ships. Digits of test scenes are none of those of training scenes. All is
drawn by counters (`random_numbers`): scene n of a seed is the same on every machine.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.data_jobs import PAINTED, SCENES, scene_scratch_bytes
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
_NUMBERS = 192  # random ones of a scene: more than it can take
PAINT_LOOP = "paint_digits"  # the native loop that makes scenes

Bytes = NDArray[np.uint8]


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
    threads: int = 1,
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
    threads : int
        Scenes are spread over them.
    """
    lots = uniform(seed, np.asarray(numbers)[:, None], np.arange(_NUMBERS))
    plans = [_Plan(lot, side, (len(digits), most), grounds) for lot in lots.tolist()]
    drawn = [digit for plan in plans for digit in plan.digits]
    which = np.array([digit.which for digit in drawn], np.intp)
    sources = np.ascontiguousarray(digits[which], np.uint8)
    scene = np.repeat(np.arange(len(plans)), [len(plan.digits) for plan in plans])
    made = Scenes(
        np.stack([plan.ground for plan in plans]),
        np.full((len(plans), side, side), BACKGROUND, np.uint8),
        scene,
        labels[which],
        np.empty((len(drawn), 4), np.float32),
    )
    arrays: dict[str, NDArray[Any]] = {
        "images": made.images,
        "maps": made.maps,
        "boxes": made.boxes,
        "tints": np.repeat(np.stack([plan.tint for plan in plans]), side, axis=0),
        "digits": _painted(drawn, sources, made.digits),
        "first": np.searchsorted(scene, np.arange(len(plans) + 1)).astype(np.int64),
    }
    job = np.zeros(1, SCENES)
    for name, array in arrays.items():
        job[name] = array.ctypes.data
    edge = int(side * _SIZES[1]) + 2
    job["side"], job["edge"] = side, edge
    scratch = scene_scratch_bytes(side, edge, native.processor()[3].lanes)
    native.run(PAINT_LOOP, job, len(plans), threads=threads, scratch_bytes=scratch)
    return made


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
        self, numbers: list[float], side: int, digits: tuple[int, int], grounds: list[Bytes]
    ) -> None:
        self._numbers = iter(numbers)
        photograph = grounds[self._below(len(grounds))]
        top, left = (self._below(size - side + 1) for size in photograph.shape[:2])
        part = photograph[top : top + side, left : left + side]
        self.ground = part[:, ::-1] if self._unit() < 0.5 else part
        self.tint = np.array([self._between(0.6, 1.1) for _ in range(3)], np.float32)
        self.digits = [self._digit(square, digits[0]) for square in self._squares(side, digits[1])]

    def _unit(self) -> float:
        return next(self._numbers)

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


def _painted(drawn: list[_Digit], sources: Bytes, labels: NDArray[np.int64]) -> NDArray[np.void]:
    """Records of digits that are drawn; ``sources`` has to outlive them."""
    records = np.zeros(len(drawn), PAINTED)
    records["digit"] = sources.ctypes.data + np.arange(len(drawn)) * sources[:1].nbytes
    records["label"] = labels
    for name in ("left", "top", "size", "lean", "contrary"):
        records[name] = [getattr(digit, name) for digit in drawn]
    turn = np.array([digit.turn for digit in drawn])
    records["cos"], records["sin"] = np.cos(turn), np.sin(turn)
    colours = np.array([digit.colour for digit in drawn])
    records["red"], records["green"], records["blue"] = colours.T
    return records
