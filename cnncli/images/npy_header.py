"""Read ``.npy`` files safely: the header's shape and dtype are checked before any data are read.

Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays", versions 1.0 to 3.0.
"""

import ast
import io
import math
import re
from typing import IO

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.records import record

MAGIC = b"\x93NUMPY"
_LENGTHS = {(1, 0): (2, "latin-1"), (2, 0): (4, "latin-1"), (3, 0): (4, "utf-8")}
_MOST_TEXT = 10_000  # bytes of a header: NumPy itself writes about a hundred
_MOST_AXES = 32
_PIECE = 1 << 26  # bytes read at a time
_MOST_BYTES = 1 << 62  # larger sizes do not fit into a file's length
_LAST_LETTER = 0x10FFFF  # of Unicode: NumPy keeps four bytes a letter, Python takes no more than this
_PYTHON_2 = re.compile(r"(?<=\d)L\b")  # whole numbers that Python 2 wrote: (512L, 512L)


@record
class Header:
    """The contents of a ``.npy`` header.

    Attributes
    ----------
    shape : tuple of int
        Sizes of the axes; empty for a single number.
    by_column : bool
        Column-major (Fortran) order: the first axis varies fastest.
    dtype : numpy.dtype
        Numbers or text, never objects or structured.
    """

    shape: tuple[int, ...]
    by_column: bool
    dtype: np.dtype[np.generic]

    @property
    def nbytes(self) -> int:
        """Bytes of data that must follow."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes] | io.BufferedIOBase) -> Header:
    """Read the header at a stream's position, and leave the stream at the data.

    Raises
    ------
    CnncliError
        Where the header is invalid, or states Python objects, fields, or impossible sizes. The message begins
        with "its" or "it", so that the caller can put the file's name before it.
    """
    start = stream.read(len(MAGIC) + 2)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 2:
        raise _damaged("it does not begin as a .npy file does")
    version = (start[-2], start[-1])
    if version not in _LENGTHS:
        raise CnncliError(
            f"it is a .npy file of version {version[0]}.{version[1]}; expected 1.0, 2.0 or 3.0",
            "Save plain numbers with numpy.save, without field names.",
        )
    size, encoding = _LENGTHS[version]
    length = int.from_bytes(stream.read(size), "little")
    if length > _MOST_TEXT:
        raise _damaged(f"its .npy header claims {length:,} bytes; expected at most {_MOST_TEXT:,}")
    text = stream.read(length)
    if len(text) < length:
        raise _damaged(f"its .npy header ends after {len(text):,} of {length:,} bytes")
    return _parsed(text, encoding)


def read_array(stream: IO[bytes] | io.BufferedIOBase) -> NDArray[np.generic]:
    """Read the array at a stream's position.

    Never allocates more than the stream holds.

    Returns
    -------
    ndarray
        With the shape, order and dtype of its header; possibly read-only.

    Raises
    ------
    CnncliError
        As `read_header`, where data are missing, and where characters are not valid Unicode.
    """
    header = read_header(stream)
    data = _read(stream, header.nbytes)
    if len(data) < header.nbytes:
        raise truncated(len(data), header)
    flat = np.frombuffer(data, header.dtype) if data else np.empty(0, header.dtype)
    if header.dtype.kind == "U" and data:
        letters = np.frombuffer(data, np.dtype(np.uint32).newbyteorder(header.dtype.byteorder))
        if (largest := int(letters.max())) > _LAST_LETTER:
            raise _damaged(f"its text holds the letter {largest:#x}; expected at most {_LAST_LETTER:#x}")
    return flat.reshape(header.shape, order="F" if header.by_column else "C")


def truncated(there: int, header: Header) -> CnncliError:
    """The error for a file with too few bytes of numbers."""
    return CnncliError(
        f"it is truncated: {there:,} bytes of numbers where shape {header.shape} of {header.dtype} "
        f"needs {header.nbytes:,}",
        "Save it again with numpy.save, or copy it again.",
    )


def _read(stream: IO[bytes] | io.BufferedIOBase, count: int) -> bytes | bytearray:
    """Read up to ``count`` bytes; memory grows only with the data that there are."""
    if count <= _PIECE:
        return stream.read(count)
    data = bytearray()
    while len(data) < count and (piece := stream.read(min(_PIECE, count - len(data)))):
        data += piece
    return data


def _parsed(text: bytes, encoding: str) -> Header:
    try:
        value = ast.literal_eval(_PYTHON_2.sub("", text.decode(encoding)).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise _damaged("its .npy header is damaged: it does not describe an array") from error
    if not isinstance(value, dict) or value.keys() != {"descr", "fortran_order", "shape"}:
        raise _damaged("its .npy header is damaged: it lacks descr, fortran_order or shape")
    header = Header(_shape(value["shape"]), _flag(value["fortran_order"]), _dtype(value["descr"]))
    if header.nbytes >= _MOST_BYTES:
        raise _damaged(f"its .npy header tells of shape {header.shape}, more than any file holds")
    return header


def _shape(value: object) -> tuple[int, ...]:
    if (
        not isinstance(value, tuple)
        or len(value) > _MOST_AXES
        or not all(type(each) is int and 0 <= each < _MOST_BYTES for each in value)
    ):
        raise _damaged("its .npy header is damaged: its shape is not a tuple of sizes")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _damaged("its .npy header is damaged: fortran_order is neither True nor False")
    return value


def _dtype(value: object) -> np.dtype[np.generic]:
    import warnings

    if isinstance(value, list | tuple):
        raise CnncliError(
            "its array has fields (a structured dtype); expected plain numbers",
            "Save plain numbers with numpy.save, without field names.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names of types that NumPy takes but wants to give up
            dtype = np.dtype(value) if isinstance(value, str) else None
    except (TypeError, ValueError, SyntaxError, OverflowError, MemoryError):
        dtype = None
    if dtype is None or dtype.kind == "V" or (dtype.itemsize == 0 and not dtype.hasobject):
        raise _damaged("its .npy header is damaged: its dtype is none that NumPy knows")
    if dtype.hasobject:
        raise CnncliError(
            f"its array has dtype {dtype}, pickled Python objects, which are never read; expected numbers",
            "Save an array of uint8, uint16 or floats.",
        )
    return dtype


def _damaged(why: str) -> CnncliError:
    return CnncliError(why, "Save it again with numpy.save, or copy it again.")
