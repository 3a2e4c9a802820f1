"""Arrays and text in one file, in the safetensors format: numbers only, nothing is evaluated.

Format: eight bytes with the length of a JSON header, the header (dtype, shape and place of each array,
and ``__metadata__`` of strings), then the arrays' bytes.
"""

from collections.abc import Iterator, Mapping
from math import prod
from mmap import ACCESS_READ, PAGESIZE, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown

Arrays = dict[str, NDArray[Any]]
Content = mmap | bytes

_LARGEST_HEADER = 100_000_000  # bytes, as the safetensors package has it
_WEIGHTS = ("F32", "F16", "BF16", "F64")  # types that weights may have: all of them become F32
#: Types of the format, and how their bytes are read.
_KINDS = {
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    **{f"{sign.upper()}{8 * size}": f"<{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8)},
    "BF16": "<u2",
    "BOOL": "?",
}
_UNREAD = ("C64", "F4", "F6_E2M3", "F6_E3M2")


def write_tensors(
    path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], *, durable: bool = False
) -> None:
    """Write arrays and metadata, whole or not at all; the same content gives the same bytes.

    Parameters
    ----------
    path : Path
        The file, usually ``*.safetensors``.
    arrays : mapping of str to ndarray
        Any shapes; real numbers.
    metadata : mapping of str to str
        Text by name.
    durable : bool
        Return only when the file would outlast a loss of power.

    Raises
    ------
    CnncliError
        Where the file cannot be written.
    """
    import json
    from itertools import chain

    from cnncli.files.atomic import write_atomic

    # By falling size of a number, as the format's own package does, so that every array is aligned.
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in names:
        start, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": _type_name(arrays[name]),
            "shape": arrays[name].shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    pieces = (np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data for name in names)
    write_atomic(path, chain((len(text).to_bytes(8, "little") + text,), pieces), durable=durable)


def _type_name(array: NDArray[Any]) -> str:
    """``F32``, ``I64``, ``BOOL``."""
    return "BOOL" if array.dtype.kind == "b" else f"{array.dtype.kind.upper()}{8 * array.dtype.itemsize}"


def read_tensors(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Read arrays and metadata.

    Returns
    -------
    arrays, metadata
        By name; the arrays are read-only views of the mapped file, so that a large one is not copied.
        BF16 becomes float32.

    Raises
    ------
    CnncliError
        Where the file cannot be read, is damaged or cut short, or is of another kind.
    """
    try:
        data = _content(path)
    except OSError as error:
        raise reading_fault(error, path) from error
    metadata, entries, start = _check_header(data, path)
    return {name: _array(data, start, name, entries[name], path) for name in sorted(entries)}, metadata


def in_passing(arrays: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """Arrays that are each read once: pages of a mapped file are given back as the next array is read.

    Otherwise a process holds the pages of a large file beside the weights that it has made of them.
    """
    return _Passing(arrays)


class _Passing(Mapping[str, NDArray[Any]]):
    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._last: NDArray[Any] | None = None

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = self._arrays[name]
        if self._last is not None:
            _give_back(self._last)
        self._last = found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def _give_back(array: NDArray[Any]) -> None:
    """Give back the pages of a mapped file that an array covers; the file is read again where it is used."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    owner = owner.obj if isinstance(owner, memoryview) else owner
    if not isinstance(owner, mmap) or not hasattr(owner, "madvise"):
        return
    from mmap import MADV_DONTNEED  # where there is madvise

    first = array.ctypes.data - np.frombuffer(owner, np.uint8).ctypes.data
    start = first - first % PAGESIZE
    owner.madvise(MADV_DONTNEED, start, first - start + array.nbytes)


def _content(path: Path) -> Content:
    """The bytes of a file: mapped, or read where it is empty or a pipe."""
    with path.open("rb") as file:
        try:
            return mmap(file.fileno(), 0, access=ACCESS_READ)
        except (ValueError, OSError):
            return file.read()


def _array(data: Content, start: int, name: str, entry: Fields, path: Path) -> NDArray[Any]:
    """The array that an entry of the header describes."""
    kind = entry.text("dtype")
    if kind not in _KINDS:
        if kind in _UNREAD or kind.startswith("F8_"):
            raise _of_type(kind, name, path)
        raise _damaged(path, f"{shown(name)} is of the unknown type {shown(kind)}")
    try:
        shape = entry.wholes("shape", None, 0, len(data))
    except MalformedError as error:
        raise _damaged(path, f"its arrays do not fit its header ({error})") from error
    first, last = entry.wholes("data_offsets", 2, 0, len(data))
    count = prod(shape)
    if last - first != count * np.dtype(_KINDS[kind]).itemsize:
        raise _damaged(
            path, f"its arrays do not fit its header ({shown(name)} of {kind} and shape {list(shape)})"
        )
    found = np.frombuffer(data, _KINDS[kind], count, start + first)
    if kind == "BF16":  # the upper half of a float32
        found = (found.astype(np.uint32) << 16).view(np.float32)
    return found.reshape(shape)


def _check_header(data: Content, path: Path) -> tuple[dict[str, str], dict[str, Fields], int]:
    """Metadata, entries by name, and where the arrays begin, after making sure that all of it is there."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or data[8:9] != b"{" or length > _LARGEST_HEADER:
        raise _foreign(path, data)
    if 8 + length > len(data):
        raise _damaged(path, f"its header needs {length} bytes, of which {len(data) - 8} are there")
    try:
        header = Fields(parse_json(data[8 : 8 + length])).raw()
        described = Fields(header.pop("__metadata__", {}), "__metadata__")
        metadata = {name: described.text(name) for name in described.raw()}
        entries = {name: Fields(entry, name) for name, entry in header.items()}
        spans = sorted(entry.wholes("data_offsets", 2, 0, len(data)) for entry in entries.values())
        for entry in entries.values():
            entry.text("dtype")
        needed = max((last for _, last in spans), default=0)
    except MalformedError as error:
        raise _damaged(path, f"its header is no list of arrays: {error}") from error
    if 8 + length + needed != len(data):
        raise _damaged(
            path, f"its header speaks of {8 + length + needed} bytes, of which {len(data)} are there"
        )
    ends = [0, *(last for _, last in spans)]
    if any(first != end for (first, _), end in zip(spans, ends, strict=False)):
        raise _damaged(path, "its arrays do not fit its header (they overlap, or there are gaps)")
    return metadata, entries, 8 + length


def _foreign(path: Path, data: Content) -> CnncliError:
    kinds = {
        b"PK\x03\x04": "a zip archive, as PyTorch and Keras write it",
        b"\x80\x02": "a Python pickle",
        b"\x89HDF": "an HDF5 file",
        b"\x89PNG": "a PNG picture",
        b"\xff\xd8\xff": "a JPEG picture",
    }
    kind = next((name for start, name in kinds.items() if data[: len(start)] == start), None)
    kind = kind or ("empty" if not data else "not in the safetensors format")
    pickled = data[:2] in (b"PK", b"\x80\x02")
    return CnncliError(
        f"{shown(path)} is {kind}; expected a checkpoint (.safetensors)",
        _conversion(path)
        if pickled
        else "Give a file that cnncli train wrote: best.safetensors or last.safetensors in a run's folder.",
    )


def _conversion(path: Path) -> str:
    """How to turn a file of PyTorch, which can run programs when it is opened, into one that cannot."""
    return (
        "Convert it in Python (import torch, safetensors.torch), as pickles can run programs and are never "
        "opened here:\n"
        f"  weights = torch.load({path.name!r}, weights_only=True)\n"
        f"  safetensors.torch.save_file(weights, {path.with_suffix('.safetensors').name!r})"
    )


def _damaged(path: Path, why: str) -> CnncliError:
    return CnncliError(
        f"{shown(path)} is damaged or cut short: {why}",
        "Copy the file again from where it came, or train the network again.",
    )


def _of_type(found: str, name: str, path: Path) -> CnncliError:
    return CnncliError(
        f"{shown(path)} holds {shown(name)} as {shown(found)}; expected {', '.join(_WEIGHTS[:-1])} or "
        f"{_WEIGHTS[-1]}",
        "Copy the file again from where it came, or save its weights as 32-bit floats (F32).",
    )


def as_weights(arrays: Arrays, path: Path) -> Arrays:
    """The arrays as float32.

    Raises
    ------
    CnncliError
        Where one is of another type than `_WEIGHTS`, as bytes of integers mean nothing as weights, or
        holds a value that float32 has not.
    """
    weights = {}
    for name, array in in_passing(arrays).items():
        type_ = _type_name(array)
        if type_ not in _WEIGHTS:
            raise _of_type(type_, name, path)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told below
            weights[name] = array.astype(np.float32, copy=False)
        if not np.isfinite(weights[name]).all():
            raise CnncliError(
                f"{shown(path)} holds values that are not numbers, in {name}",
                "Train again with a lower --lr: the training that wrote it diverged.",
            )
    return weights
