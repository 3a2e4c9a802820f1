"""What a detector says of an image: its things, each with a class, a box and how sure it is.

Boxes are x, y, width and height in pixels of the image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.tasks.detected import Found, found_in
from cnncli.tasks.detection_tiles import joined, tiles_of

if TYPE_CHECKING:
    from cnncli.data.prepare import InputSpec
    from cnncli.tasks.task import Decoded, Outputs

_DIGITS = 2  # of a pixel
_AT_ONCE = 64  # tiles


class Thing(NamedTuple):
    """Something that was found: what, how sure, and where, as x, y, width and height."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Things:
    """What is found in one image, the surest first."""

    things: Sequence[Thing]

    def record(self) -> dict[str, Any]:
        """``{"objects": [{"label": …, "score": …, "box": [x, y, width, height]}, …]}``."""
        return {
            "objects": [
                {
                    "label": each.label,
                    "score": round(each.score, 6),
                    "box": [round(edge, _DIGITS) for edge in each.box],
                }
                for each in self.things
            ]
        }

    def cells(self) -> list[str]:
        """How many there are, and all of them in words."""
        texts = [f"{each.label} {each.score:.3f} at {_size(each.box)}" for each in self.things]
        return [str(len(texts)), ", ".join(texts)]

    def seen_in(self, input_spec: "InputSpec", size: tuple[int, int]) -> "Things":
        """The same in pixels of the image; what lies in the black around it is left out."""
        from cnncli.data.prepare import moved_out

        boxes = np.array([each.box for each in self.things], np.float64).reshape(-1, 4)
        boxes = moved_out(boxes, input_spec, np.broadcast_to(np.array(size, np.int64), (len(boxes), 2)))
        low = np.clip(boxes[:, :2], 0, size[::-1])
        sides = np.clip(boxes[:, :2] + boxes[:, 2:], 0, size[::-1]) - low
        rows = np.concatenate([low, sides], axis=1)
        pairs = zip(self.things, rows.tolist(), strict=True)
        return Things([each._replace(box=tuple(row)) for each, row in pairs if min(row[2:]) > 0])

    def bars(self) -> list[tuple[str, float]]:
        """None."""
        return []


class Located(Things):
    """The same, with boxes in shares of the sides of the network's input until it is `seen_in` an image."""

    def seen_in(self, input_spec: "InputSpec", size: tuple[int, int]) -> Things:
        """The same in pixels of the image."""
        height, width, _ = input_spec.shape
        shares = [each.box for each in self.things]
        boxes = [(x * width, y * height, w * width, h * height) for x, y, w, h in shares]
        pairs = zip(self.things, boxes, strict=True)
        return Things([each._replace(box=box) for each, box in pairs]).seen_in(input_spec, size)


def _size(box: Sequence[float]) -> str:
    x, y, width, height = (round(edge, _DIGITS) for edge in box)
    return f"{x:g},{y:g} {width:g}x{height:g}"


def things_of(outputs: "Outputs", classes: Sequence[str], *, least: float) -> "list[Decoded]":
    """What is found in each image with a score of at least ``least``."""
    images = len(next(iter(outputs.values())))
    found = found_in(outputs, least=least)
    return [Things(_things(found.at(found.images == image), classes)) for image in range(images)]


def things_in_tiles(
    pixels: NDArray[np.uint8],
    tile: tuple[int, int],
    run: Callable[[NDArray[np.uint8]], "Outputs"],
    classes: Sequence[str],
    *,
    least: float,
) -> Things:
    """What is found in an image of any size, of which a network sees overlapping tiles.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, C), uint8
        The image; where it is smaller than a tile, black is added.
    tile : (H, W)
        What the network takes.
    run : callable
        Gives the outputs for some tiles (n, H, W, C), uint8.
    classes : sequence of str
        Names of the classes.
    least : float
        Lowest score.
    """
    size = pixels.shape[0], pixels.shape[1]
    places = tiles_of(*size, tile)
    parts = []
    for at in range(0, len(places), _AT_ONCE):
        batch = np.zeros((len(places[at : at + _AT_ONCE]), *tile, pixels.shape[2]), np.uint8)
        for out, (top, left) in zip(batch, places[at : at + _AT_ONCE], strict=True):
            part = pixels[top : top + tile[0], left : left + tile[1]]
            out[: part.shape[0], : part.shape[1]] = part
        found = found_in(run(batch), least=least)
        parts += [found.at(found.images == image) for image in range(len(batch))]
    return Things(_things(joined(parts, places, size, tile), classes))


def _things(found: Found, classes: Sequence[str]) -> list[Thing]:
    sizes = np.concatenate([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], axis=1)
    rows = zip(found.labels.tolist(), found.scores.tolist(), sizes.tolist(), strict=True)
    return [Thing(classes[label], score, tuple(box)) for label, score, box in rows]
