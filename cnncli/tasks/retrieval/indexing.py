"""Make a gallery: vectors are kept as they come, so that nothing is computed twice, and published at the end.

While it is made, what has been embedded lies in ``unfinished.vectors``: a head that says by which network,
and for each image its digest, its vector and a checksum. A process that dies leaves that behind, and the next
one takes all that is whole from it.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import as_json
from cnncli.core.search import padded_width
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.drafts import PATTERN, remove_remnant
from cnncli.files.faults import shown, writing_fault
from cnncli.records import record
from cnncli.tasks.retrieval.gallery import DESCRIPTION, Gallery, Image, Model, description

UNFINISHED = "unfinished.vectors"
_OWN = re.compile(
    rf"(vectors-[0-9a-f]{{16}}\.f32|files-[0-9a-f]{{16}}\.jsonl|approximate-.*\.(usearch|json)|{UNFINISHED})"
)
_CLOCK = 2_000_000_000  # nanoseconds: the coarsest times that file systems note
_ROWS = 1 << 12  # vectors that are written at a time

Floats = NDArray[np.float32]


@record
class Place:
    """Where a vector lies: in the gallery that there was, or among what is unfinished."""

    finished: bool
    row: int


def belongs(name: str) -> bool:
    """Whether a file is one of a gallery in the making: its own, or a draft of one."""
    return bool(_OWN.fullmatch(name)) or fnmatch(name, PATTERN)


class Indexing:
    """A gallery in the making: the vectors that are there, and those that come.

    Parameters
    ----------
    folder : Path
        Of the gallery; it exists, and `reserved` is held.
    model : Model
        What embeds.
    width : int
        Numbers of its vectors.
    before : Gallery or None
        The gallery that there is, of the same model.
    """

    def __init__(self, folder: Path, model: Model, width: int, before: Gallery | None) -> None:
        self._folder, self._model, self._width, self._before = folder, model, width, before
        self._kept = np.dtype([("digest", "V32"), ("vector", "<f4", (padded_width(width),)), ("sum", "<u4")])
        self._head = as_json([model.digest, model.layer, width]).encode() + b"\n"
        self._path = folder / UNFINISHED
        self.places: dict[str, Place] = {}
        for row, image in enumerate(before.images if before is not None else ()):
            self.places.setdefault(image.digest, Place(True, row))
        self._count = self._resumed()

    @property
    def resumed(self) -> int:
        """Vectors that another process has left."""
        return sum(not place.finished for place in self.places.values())

    def _resumed(self) -> int:
        """Take what is whole of what is unfinished, drop the rest, and count the records."""
        try:
            with self._path.open("r+b") as file:
                records = self._records(file.read(len(self._head)) == self._head)
                whole = [_checksum(each) == int(each["sum"]) for each in records]
                count = whole.index(False) if False in whole else len(whole)
                if count:
                    for row in range(count):
                        digest = records[row]["digest"].tobytes().hex()
                        self.places.setdefault(digest, Place(False, row))
                    file.truncate(len(self._head) + count * self._kept.itemsize)
                    return count
        except FileNotFoundError:
            pass
        self._path.write_bytes(self._head)
        return 0

    def _records(self, fits: bool = True) -> NDArray[np.void]:
        """The whole records, mapped."""
        count = (self._path.stat().st_size - len(self._head)) // self._kept.itemsize
        if not fits or count < 1:
            return np.zeros(0, self._kept)
        return np.memmap(self._path, self._kept, "r", len(self._head), (count,))

    def keep(self, vectors: Mapping[str, Floats]) -> None:
        """Keep vectors of images by their digests.

        Raises
        ------
        CnncliError
            Where they cannot be written.
        """
        records = np.zeros(len(vectors), self._kept)
        for each, (digest, vector) in zip(records, vectors.items(), strict=True):
            each["digest"], each["vector"] = np.void(bytes.fromhex(digest)), vector
            each["sum"] = _checksum(each)
        with _writing(self._path), self._path.open("ab") as file:
            file.write(records.tobytes())
        for digest in vectors:
            self.places.setdefault(digest, Place(False, self._count))
            self._count += 1

    def abandon(self) -> None:
        """Make no gallery: what has been embedded stays for the next process, if there is anything."""
        if not self._count:
            with suppress(OSError):
                self._path.unlink()

    def publish(self, images: Sequence[Image], folders: tuple[str, ...], *, begun: int) -> str:
        """Put the gallery of these images, whose vectors are all there, in the place of the one before.

        Parameters
        ----------
        images : sequence of Image
            In the order that it is to have.
        folders : tuple of str
            Those that they lie in.
        begun : int
            When the first of them was read, in nanoseconds.

        Returns
        -------
        str
            Its generation.

        Raises
        ------
        CnncliError
            Where it cannot be written; the one that there is stays.
        """
        from hashlib import sha256

        lines = "".join(f"{image.as_line()}\n" for image in images).encode()
        about = description(self._model, self._width, folders, len(images))
        generation = sha256(as_json(about).encode() + b"\n" + lines).hexdigest()[:16]
        names = {"vectors": f"vectors-{generation}.f32", "files": f"files-{generation}.jsonl"}
        if self._before is None or self._before.generation != generation:
            write_atomic(self._folder / names["vectors"], self._rows(images))
            write_atomic(self._folder / names["files"], lines)
            text = as_json({**about, "generation": generation, **names})
            write_atomic(self._folder / DESCRIPTION, text.encode() + b"\n")
        os.utime(self._folder / DESCRIPTION, ns=(begun, begun))
        self._clear({*names.values()}, generation)
        return generation

    def _rows(self, images: Sequence[Image]) -> Iterator[bytes]:
        """Vectors of images, some at a time."""
        records = self._records()
        for lo in range(0, len(images), _ROWS):
            rows = np.empty((len(images[lo : lo + _ROWS]), padded_width(self._width)), "<f4")
            for row, image in zip(rows, images[lo : lo + _ROWS], strict=True):
                place = self.places[image.digest]
                if place.finished and self._before is not None:
                    row[:] = self._before.vectors[place.row]
                else:
                    row[:] = records[place.row]["vector"]
            yield rows.tobytes()

    def _clear(self, names: set[str], generation: str) -> None:
        """Remove what belongs to the gallery that there was, and what is unfinished no more."""
        for entry in self._folder.iterdir():
            if fnmatch(entry.name, PATTERN):
                remove_remnant(str(entry))
            if not _OWN.fullmatch(entry.name) or entry.name in names:
                continue
            if not entry.name.startswith(f"approximate-{generation}"):
                with suppress(OSError):
                    entry.unlink()


def _checksum(record: Any) -> int:
    return crc32(record["vector"].tobytes(), crc32(record["digest"].tobytes()))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise writing_fault(error, path) from error


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Hold a gallery's folder, made if it is missing, against other processes that index into it.

    A folder that was made and has remained empty is taken away again.

    Raises
    ------
    CnncliError
        Where it cannot be made, or another process holds it.
    """
    import fcntl

    with ExitStack() as stack:
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CnncliError(
                f"another process indexes into {shown(folder)}; expected one at a time",
                "Wait until it has ended, or write to another folder with -o.",
            ) from error
        except OSError:  # a file system without locks
            pass
        try:
            yield
        finally:
            with suppress(OSError):
                folder.rmdir()


def unchanged(image: Image, status: os.stat_result, begun: int) -> bool:
    """Whether a file is the one that was read, by its size and time, without reading it again.

    A file that was changed at about the time at which reading began may have been changed once more without a
    sign of it: it is not trusted.

    Parameters
    ----------
    image : Image
        As the gallery has it.
    status : os.stat_result
        Of the file now.
    begun : int
        When the reading of the gallery's images began, in nanoseconds.
    """
    same = (image.size, image.changed) == (status.st_size, status.st_mtime_ns)
    return same and image.changed < begun - _CLOCK
