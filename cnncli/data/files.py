"""Splits whose images lie in files: decoded all at once, or a block at a time while others are trained on."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.model import Images, Labels, Report, Shape, Skipped
from cnncli.data.prepare import read_input
from cnncli.errors import CnncliError
from cnncli.images.faults import shown

_AT_ONCE = 256  # files in the pool's queue: bounds memory, and tells progress often


@dataclass(frozen=True, eq=False)
class Files:
    """A split in files, decoded when they are asked for.

    A file that turns out damaged gives way to the next good one of the split, in the split's order,
    which depends on the files alone, and is listed in ``skipped``.

    Attributes
    ----------
    paths : tuple of Path
        One an image.
    labels : ndarray, shape (N,), int64
        The class of each image.
    shape : (H, W, C)
        What every image is brought to.
    skipped : list of Skipped
        Files found damaged so far, each once.
    """

    paths: tuple[Path, ...]
    labels: Labels
    shape: Shape
    skipped: list[Skipped] = field(default_factory=list)
    _bad: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """Path of an image."""
        return shown(self.paths[index])

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> NDArray[np.intp]:
        """Decode the images at ``indices`` into ``out``; what was read in fact is returned."""
        used = np.empty(len(indices), np.intp)

        def one(place: int) -> None:
            used[place] = self._decode(int(indices[place]), out[place])

        _spread(one, len(indices), threads)
        return used

    def _decode(self, index: int, out: Images) -> int:
        """The image at an index, or the next good one; its index."""
        for step in range(len(self)):
            at = (index + step) % len(self)
            if at in self._bad:
                continue
            try:
                out[...] = read_input(self.paths[at], self.shape)
            except CnncliError as error:
                self._note(at, error)
                continue
            return at
        raise CnncliError(
            f"none of the {len(self):,} images of a split can be read any more",
            "Check that the folder is still there, and the disk it lies on.",
        )

    def _note(self, index: int, error: CnncliError) -> None:
        with self._lock:
            if index not in self._bad:
                self._bad.add(index)
                self.skipped.append(Skipped(shown(self.paths[index]), error.message))


def decode_all(
    paths: Sequence[Path], shape: Shape, *, threads: int = 1, report: Report | None = None
) -> tuple[Images, list[int], list[Skipped]]:
    """Decode files into one array.

    Parameters
    ----------
    paths : sequence of Path
        Image files.
    shape : (H, W, C)
        What every image is brought to.
    threads : int
        That decode side by side.
    report : callable or None
        Told ("decoding", images done, images in all).

    Returns
    -------
    images, kept, skipped
        uint8 (n, H, W, C); the n positions in ``paths`` that were read; the others, with the reason.
    """
    images = np.empty((len(paths), *shape), np.uint8)
    faults: dict[int, str] = {}

    def one(place: int) -> None:
        try:
            images[place] = read_input(paths[place], shape)
        except CnncliError as error:
            faults[place] = error.message

    for at in range(0, len(paths), _AT_ONCE):
        end = min(at + _AT_ONCE, len(paths))
        _spread(one, end - at, threads, start=at)
        if report:
            report("decoding", end, len(paths))
    kept = [place for place in range(len(paths)) if place not in faults]
    skipped = [Skipped(shown(paths[place]), faults[place]) for place in sorted(faults)]
    return (images[kept] if faults else images), kept, skipped


def _spread(work: Callable[[int], None], count: int, threads: int, *, start: int = 0) -> None:
    """Call ``work`` for each of ``count`` places, from several threads; the first fault is raised."""
    places: Iterable[int] = range(start, start + count)
    if threads <= 1 or count <= 1:
        for place in places:
            work(place)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, places):
            pass
