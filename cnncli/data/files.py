"""Splits whose images are in files: decoded all at once, or block by block during training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.identity import file_key, row_digests
from cnncli.data.image_facts import ImageFacts
from cnncli.data.model import Images, Report, Shape, Skipped
from cnncli.data.prepare import InputSpec, Prepared, prepared, read_file, read_for, read_prepared
from cnncli.data.targets import Targets
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.images.picture import Picture
from cnncli.threaded import in_threads

_AT_ONCE = 256  # files in the pool's queue: limits memory, and reports progress often


@dataclass(frozen=True, eq=False)
class Files:
    """A split of files that are decoded when needed; all of them are known to be good (`decodable`).

    Attributes
    ----------
    paths : tuple of Path
        One for each image.
    targets : Targets
        Of the images.
    input_spec : InputSpec
        The format that every image is converted to.
    digests : ndarray, shape (N,), uint64, or None
        Of the images as they are read, if known.
    keys : ndarray, shape (N,), uint64, or None
        Of the files, if known.
    """

    paths: tuple[Path, ...]
    targets: Targets
    input_spec: InputSpec
    digests: NDArray[np.uint64] | None = None
    keys: NDArray[np.uint64] | None = None

    @property
    def shape(self) -> Shape:
        """(H, W, C) of every image."""
        return self.input_spec.shape

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """Path of an image."""
        return shown(self.paths[index])

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> None:
        """Decode the images at ``indices`` into ``out``.

        Raises
        ------
        CnncliError
            Where a file has been removed or damaged since; no other image is substituted.
        """

        def one(place: int) -> None:
            path = self.paths[indices[place]]
            try:
                out[place] = read_prepared(read_file(path), self.input_spec, name=str(path)).pixels
            except CnncliError as error:
                raise CnncliError(
                    f"{shown(path)} could be read when the data set was opened, but no longer can: "
                    f"{error.message}",
                    "Bring the file back; a run goes on with cnncli train --resume.",
                ) from error

        in_threads(one, len(indices), threads=threads)


class FileDigests:
    """Keys and digests of files (`identity`), recorded while they are decoded; 0 for files that cannot be.

    Attributes
    ----------
    keys, digests : ndarray, shape (N,), uint64
    """

    def __init__(self, count: int) -> None:
        self.keys, self.digests = np.zeros(count, np.uint64), np.zeros(count, np.uint64)

    def at(self, places: Sequence[int]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Keys and digests at these positions."""
        picked = np.asarray(places, np.intp)
        return self.keys[picked], self.digests[picked]


def _read_and_record(
    path: Path,
    input_spec: InputSpec,
    place: int,
    image_facts: ImageFacts | None,
    file_digests: FileDigests | None,
) -> Images:
    """Decode one file, and record its properties, key and digest."""
    data = read_file(path)

    def read() -> tuple[Picture, Prepared]:
        picture, size = read_for(data, input_spec, name=str(path))
        try:
            if image_facts is not None:
                image_facts.record_input(shown(path), picture, size)
            return picture, prepared(picture, input_spec)
        except CnncliError as error:
            raise CnncliError(f"{shown(path)}: {error.message}", error.hint) from error

    picture, done = with_memory_retry(read, str(path))
    if image_facts is not None:
        image_facts.record_result(shown(path), picture, done)
    if file_digests is not None:
        file_digests.keys[place] = file_key(data)
        file_digests.digests[place] = row_digests(done.pixels[None])[0]
    return done.pixels


def decode_all(
    paths: Sequence[Path],
    input_spec: InputSpec,
    *,
    threads: int = 1,
    report: Report | None = None,
    image_facts: ImageFacts | None = None,
    file_digests: FileDigests | None = None,
) -> tuple[Images, list[int], list[Skipped]]:
    """Decode files into one array.

    Parameters
    ----------
    paths : sequence of Path
        Image files.
    input_spec : InputSpec
        What every image is brought to.
    threads : int
        Number of threads that decode.
    report : callable or None
        Called with ("decoding", images done, images in total).
    image_facts : ImageFacts or None
        Filled with the properties of the images.
    file_digests : FileDigests or None
        For as many files; filled.

    Returns
    -------
    images, kept, skipped
        uint8 (n, H, W, C); the n positions in ``paths`` that were read; the other files, with the reason.
    """
    images = np.empty((len(paths), *input_spec.shape), np.uint8)

    def one(place: int) -> None:
        images[place] = _read_and_record(paths[place], input_spec, place, image_facts, file_digests)

    kept, skipped = _try_each(one, paths, threads=threads, progress=report and partial(report, "decoding"))
    return (images[kept] if skipped else images), kept, skipped


def decodable(
    paths: Sequence[Path],
    input_spec: InputSpec,
    *,
    threads: int = 1,
    report: Report | None = None,
    image_facts: ImageFacts | None = None,
    file_digests: FileDigests | None = None,
) -> tuple[list[int], list[Skipped]]:
    """Tell which files can be decoded, by decoding all of them once.

    Nothing less shows that a file is complete: a truncated file has a valid header. It takes as long as
    reading the images of one epoch.

    Parameters
    ----------
    paths, input_spec, threads, image_facts, file_digests
        As for `decode_all`.
    report : callable or None
        Called with ("checking", images done, images in total).

    Returns
    -------
    kept, skipped
        The positions in ``paths`` of good files; the others, with the reason.
    """

    def one(place: int) -> None:
        _read_and_record(paths[place], input_spec, place, image_facts, file_digests)

    return _try_each(one, paths, threads=threads, progress=report and partial(report, "checking"))


def _try_each(
    work: Callable[[int], None],
    paths: Sequence[Path],
    *,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[int], list[Skipped]]:
    """Call ``work`` with the position of each path; return positions that succeed, and the other paths."""
    faults: dict[int, str] = {}

    def one(place: int) -> None:
        try:
            work(place)
        except CnncliError as error:
            faults[place] = error.message

    for at in range(0, len(paths), _AT_ONCE):
        end = min(at + _AT_ONCE, len(paths))
        in_threads(partial(lambda start, index: one(start + index), at), end - at, threads=threads)
        if progress:
            progress(end, len(paths))
    kept = [place for place in range(len(paths)) if place not in faults]
    return kept, [Skipped(shown(paths[place]), faults[place]) for place in sorted(faults)]
