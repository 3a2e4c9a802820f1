"""Decompress datasets up to a stated limit, so that a small file cannot fill the memory."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown

FLOOR = 64 << 20  # bytes that any file may decompress to
RATIO = 100  # or this many times the file's size: MNIST's files expand 5 times, its table 8 times
_PIECE = 1 << 20  # bytes that are decompressed at a time
_LINES, _BYTES_OF_LINE = 1_000_000, 4  # lines of a compressed table
_GZIP = b"\x1f\x8b"


def is_packed(path: Path) -> bool:
    """Whether a file is gzip by its first bytes."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def limit(packed: int) -> int:
    """Bytes to which ``packed`` bytes may decompress: the larger of 64 MiB and 100 times as many."""
    return max(FLOOR, RATIO * packed)


def too_large(name: str, unpacked: int, packed: int) -> CnncliError:
    """The error for data that would decompress to more than the limit.

    Parameters
    ----------
    name : str
        Name of the file, or of the array in it.
    unpacked, packed : int
        Decompressed bytes, at least; bytes of the file.
    """
    return CnncliError(
        f"{name} unpacks to {unpacked / 1e6:,.0f} MB or more from {packed / 1e6:,.1f} MB; expected at most "
        f"{limit(packed) / 1e6:,.0f} MB ({RATIO} times its size, or {FLOOR >> 20} MiB)",
        "Unpack it yourself if it is in order: plain files have no such limit.",
    )


class Unpacked(io.RawIOBase):
    """A gzip file that is read up to the limit; reading further raises `CnncliError`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._name, self._packed = shown(path), path.stat().st_size
        self._file = gzip.GzipFile(path, "rb")

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always: seeking back starts again from the beginning."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer with the next bytes."""
        count = self._file.readinto(cast(bytearray, buffer))
        if self._file.tell() > limit(self._packed):
            raise too_large(self._name, self._file.tell(), self._packed)
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in the decompressed data."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Position in the decompressed data."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()


def check_size(path: Path) -> None:
    """Refuse a compressed table that exceeds `limit`, or has too many lines, before it is read.

    Raises
    ------
    CnncliError
        As `opened`; and where there are more than a million lines, and more than one for 4 compressed bytes.
    """
    lines = 0
    with opened(path) as file:
        packed = is_packed(path)
        while packed and (piece := file.read(_PIECE)):
            lines += piece.count(b"\n")
    size = path.stat().st_size
    if lines > max(_LINES, size // _BYTES_OF_LINE):
        raise CnncliError(
            f"{shown(path)} unpacks to {lines:,} lines from {size / 1e6:,.1f} MB; expected at most "
            f"{_LINES:,}, or one for {_BYTES_OF_LINE} bytes",
            "Unpack it yourself if it is in order: plain files have no such limit.",
        )


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressing it if its first bytes are those of gzip.

    Raises
    ------
    CnncliError
        While it is open: where it cannot be read, is damaged, or decompresses to more than `limit`.
    """
    try:
        if not is_packed(path):
            with path.open("rb") as file:
                yield file
            return
        with io.BufferedReader(Unpacked(path), 1 << 16) as unpacked:
            yield cast(IO[bytes], unpacked)
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise CnncliError(
            f"{shown(path)} is damaged or truncated: {str(error).lower() or 'it ends early'}; "
            "expected a whole gzip file",
            "Copy or download it again.",
        ) from error
    except OSError as error:
        raise reading_fault(error, path) from error
