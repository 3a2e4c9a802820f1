"""Arrays in an ``.npz`` file: every header is read, but only the arrays that are used are decompressed."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.unpacking import limit, too_large
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.images.npy_header import MAGIC, Header, read_array, read_header

_PLAIN = "Save plain arrays with np.savez: x as uint8 of one shape, y as integers or strings."
EXPECTED = "Save arrays x and y, or x_train, y_train, x_test and y_test, with np.savez."


class Archive:
    """An open ``.npz``.

    Attributes
    ----------
    path : Path
    headers : dict
        Array name to its header. An array whose header cannot be read, such as pickled objects, maps to the
        error that reading it raises.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self.path, self._file = path, file
        self._left = limit(path.stat().st_size)
        self.headers: dict[str, Header | CnncliError] = {}
        for member in file.infolist():
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            if name in self.headers:
                raise damaged(path, f"it holds two arrays {shown(name)}")
            self.headers[name] = self._header(member)

    def _header(self, member: zipfile.ZipInfo) -> Header | CnncliError:
        try:
            with self._file.open(member) as stream:
                return read_header(stream)
        except CnncliError as error:
            return error

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of an array; empty where its header cannot be read."""
        header = self.headers[name]
        return header.shape if isinstance(header, Header) else ()

    def read(self, name: str) -> NDArray[np.generic]:
        """Decompress an array, in the machine's byte order.

        Raises
        ------
        CnncliError
            Where it holds objects or is damaged, or where all arrays read would together exceed `limit`.
        """
        header = self.headers[name]
        member = self._file.getinfo(f"{name}.npy")
        if isinstance(header, CnncliError):
            raise self._in(name, header)
        if member.compress_type != zipfile.ZIP_STORED:
            if header.nbytes > self._left:
                packed = self.path.stat().st_size
                raise too_large(f"{shown(self.path)}, array {shown(name)},", header.nbytes, packed)
            self._left -= header.nbytes
        try:
            with self._file.open(member) as stream:
                array = read_array(stream)
                if stream.read(1):
                    raise CnncliError("it holds more bytes than its header says", _PLAIN)
        except CnncliError as error:
            raise CnncliError(
                f"{shown(self.path)}, array {shown(name)}: {error.message}", error.hint
            ) from error
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _in(self, name: str, error: CnncliError) -> CnncliError:
        return CnncliError(f"{shown(self.path)}, array {shown(name)}: {error.message}", _PLAIN)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an ``.npz``.

    Raises
    ------
    CnncliError
        While it is open: where it cannot be read, is damaged, or is not an ``.npz`` file.
    """
    try:
        with path.open("rb") as raw:
            begins = raw.peek(len(MAGIC))[: len(MAGIC)]
            if begins == MAGIC:
                raise CnncliError(f"{shown(path)} is a single array", EXPECTED)
            if not begins.startswith(b"PK"):
                raise damaged(path, "it is not a zip archive")
            with zipfile.ZipFile(raw) as file:
                yield Archive(path, file)
    except OSError as error:
        if error.errno is None:
            raise damaged(path, str(error)) from error
        raise reading_fault(error, path) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise damaged(path, str(error) or type(error).__name__) from error
    except (ValueError, UnicodeError) as error:  # impossible numbers in the zip directory
        raise damaged(path, str(error)) from error


def damaged(path: Path, why: str) -> CnncliError:
    """The error for a file that is not a complete ``.npz``."""
    return CnncliError(
        f"{shown(path)} is damaged or not an .npz file ({shown(why)})",
        "Save it again with np.savez_compressed.",
    )
