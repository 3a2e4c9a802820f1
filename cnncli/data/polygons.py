"""Polygons to masks, pixel for pixel as COCO's programs draw them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.available import available_memory
from cnncli.core.object_jobs import POLYGON_EDGES
from cnncli.data.masks import Ints, Masks, runs_of_crossings, union
from cnncli.data.rle import WrongMaskError
from cnncli.errors import CnncliError
from cnncli.text import amount

_STEPS = 5
_AT_ONCE = 1 << 22  # crossings, 8 bytes each
_MOST_STEPS = 1 << 33  # of all outlines of a file: some ten seconds; COCO's 860,000 objects have 2e9


@dataclass(eq=False)
class Outlines:
    """Polygons of objects, collected, then drawn all at once."""

    points: list[NDArray[np.float64]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    steps: float = 0.0

    def add(self, polygon: object, height: int, width: int) -> int:
        """Take a polygon, x0, y0, x1, y1 … in pixels; return its number.

        Raises
        ------
        WrongMaskError
            Where it is none of three corners or more near the image.
        CnncliError
            Where all outlines together are longer than those of any real data set.
        """
        values = polygon if isinstance(polygon, list) else []
        if len(values) < 6 or len(values) % 2 or any(type(each) not in (int, float) for each in values):
            raise WrongMaskError("its polygon is no list of three or more corners x, y")
        try:
            points = np.array(values, np.float64).reshape(-1, 2)
        except OverflowError:
            points = np.full((3, 2), np.inf)
        limits = np.array([width, height])
        if not ((points >= -limits) & (points <= 2 * limits)).all():
            raise WrongMaskError(f"its polygon lies far outside the image of {width}x{height} pixels")
        self.steps += _STEPS * float(np.abs(points - np.roll(points, -1, axis=0)).max(axis=1).sum())
        if self.steps > _MOST_STEPS:
            raise CnncliError(
                f"the polygons' outlines are longer than {_MOST_STEPS // _STEPS:,} pixels together; expected "
                "those of objects",
                "Check what wrote the polygons.",
            )
        self.points.append(points)
        self.sizes.append((height, width))
        return len(self.points) - 1

    def drawn(self, *, threads: int = 1) -> list[tuple[Ints, Ints]]:
        """Starts and ends of the runs of each polygon's mask.

        Raises
        ------
        CnncliError
            Where memory cannot hold them.
        """
        # A column is crossed once for each five steps at most that an edge goes sideways, and once more.
        sideways = [np.abs(each[:, 0] - np.roll(each[:, 0], -1)) for each in self.points]
        room = np.array([int(each.sum()) + 3 * len(each) for each in sideways], np.int64)
        _check_memory(int(room.sum()))
        batch = (np.cumsum(room) - room) // _AT_ONCE
        drawn: list[tuple[Ints, Ints]] = []
        for each in np.unique(batch):
            drawn += self._drawn(np.flatnonzero(batch == each), room, threads)
        return drawn

    def _drawn(self, which: NDArray[np.intp], room: Ints, threads: int) -> list[tuple[Ints, Ints]]:
        """Those of some polygons, with room for so many crossings of each."""
        points = np.concatenate([self.points[at] for at in which])
        first = np.cumsum([0, *(len(self.points[at]) for at in which)], dtype=np.int64)
        sizes = np.array([self.sizes[at] for at in which], np.int64)
        places = np.concatenate([[0], np.cumsum(room[which])]).astype(np.int64)
        crossings, counts = np.zeros(places[-1], np.int64), np.zeros(len(which), np.int64)
        job = np.zeros(1, POLYGON_EDGES)
        job["points"], job["first"], job["sizes"] = points.ctypes.data, first.ctypes.data, sizes.ctypes.data
        job["places"], job["counts"] = places.ctypes.data, counts.ctypes.data
        job["crossings"] = crossings.ctypes.data
        native.run("polygon_edges", job, len(which), threads=threads)
        return [
            runs_of_crossings(np.sort(crossings[at : at + count]), int(height * width))
            for at, count, (height, width) in zip(places[:-1], counts, sizes, strict=True)
        ]


def _check_memory(crossings: int) -> None:
    """Refuse outlines whose runs, and a copy of them, memory cannot hold."""
    needed, available = 2 * 8 * crossings, available_memory()
    if available is not None and needed > available:
        raise CnncliError(
            f"masks of the polygons take {amount(needed, 'B')} of memory, and {amount(available, 'B')} are "
            "available; expected fewer or smaller ones",
            "Split the annotations by images.",
        )


def masks_of_polygons(
    objects: Sequence[Sequence[object]], sizes: Sequence[tuple[int, int]], *, threads: int = 1
) -> Masks:
    """Masks of objects, each of which is what its polygons cover together.

    Parameters
    ----------
    objects : sequence of sequences of lists
        Of each object its polygons, x0, y0, x1, y1 … in pixels.
    sizes : sequence of (H, W)
        Of each object's image.
    threads : int
        Polygons are spread over them.
    """
    outlines = Outlines()
    parts = [
        [outlines.add(each, *size) for each in polygons]
        for polygons, size in zip(objects, sizes, strict=True)
    ]
    drawn = outlines.drawn(threads=threads)
    return Masks.of(sizes, [union([drawn[at] for at in part]) for part in parts])
