"""IDX files, the format of MNIST: a header with sizes, then the values; often compressed with gzip.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.split_names import assigned, split_of, unknown_words
from cnncli.data.unpacking import is_packed, limit, opened, too_large
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES = re.compile(r"(?P<before>.*?)images(?P<after>[-._]idx[34][-._]ubyte)(?:\.gz)?$", re.IGNORECASE)


def read_idx(path: Path) -> NDArray[np.generic]:
    """Read an IDX file, compressed or not.

    Returns
    -------
    ndarray
        With the shape and type that its header states, in the machine's byte order.

    Raises
    ------
    CnncliError
        Where it cannot be read, is not an IDX file, is truncated, or has extra bytes.
    """
    with opened(path) as file:
        dtype, rank = _read_magic(file.read(4), path)
        header = file.read(4 * rank)
        if len(header) < 4 * rank:
            raise _damaged(path, "it ends within its header")
        sizes = [int(size) for size in np.frombuffer(header, ">u4")]
        expected = math.prod(sizes) * dtype.itemsize
        size = path.stat().st_size
        if expected > limit(size):
            if is_packed(path):
                raise too_large(shown(path), expected, size)
            raise _damaged(
                path, f"it is {size:,} bytes long, but its header says {expected:,} bytes of values"
            )
        data = file.read(expected + 1)
    if len(data) != expected:
        more = "more" if len(data) > expected else f"{len(data):,}"
        raise _damaged(path, f"it holds {more} bytes of values, but its header says {expected:,}")
    numbers = np.frombuffer(data, dtype).reshape(sizes)
    return numbers.astype(dtype.newbyteorder("="), copy=False)


def find_idx(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Find pairs of images and labels in a folder.

    Returns
    -------
    dict
        Split ("train", "val", "test") to the paths of images and labels. A single pair whose name
        contains no word for a split counts as "train".

    Raises
    ------
    CnncliError
        Where two pairs belong to one split, or one of several has a name without a word for a split.
    """
    pairs = {name: (images, labels) for name, images, labels in _image_files(folder) if labels is not None}
    words = {name: _split_word(name) for name in pairs}
    meaning, unknown = assigned(list(words.values()))
    if unknown and len(pairs) > 1:
        files = [pairs[name][0].name for name in pairs if words[name] in unknown]
        raise unknown_words(
            f"{shown(folder)} holds {len(pairs)} sets of images; the names of some",
            files,
            "Move them away, or rename them: train-images-idx3-ubyte, t10k-images-idx3-ubyte.",
        )
    found: dict[str, tuple[Path, Path]] = {}
    for name, pair in pairs.items():
        split = meaning.get(words[name], "train")
        if split in found:
            raise CnncliError(
                f"{shown(folder)}: {shown(found[split][0].name)} and {shown(pair[0].name)} are both {split} "
                "images; expected one set of each",
                "Put each data set into a folder of its own.",
            )
        found[split] = pair
    return found


def without_labels(folder: Path) -> list[Path]:
    """Image files without a matching label file."""
    return [images for _, images, labels in _image_files(folder) if labels is None]


def _image_files(folder: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """The part of a file's name before ``images``, the file, and its labels; uncompressed files go first."""
    names = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
    for name in sorted(names):
        match = _IMAGES.match(name)
        if match is None or (name.lower().endswith(".gz") and name[: -len(".gz")] in names):
            continue
        after = re.sub("idx[34]", "idx1", match["after"], flags=re.IGNORECASE)
        labels_name = f"{match['before']}labels{after}"
        labels = next((folder / each for each in (labels_name, f"{labels_name}.gz") if each in names), None)
        yield match["before"], folder / name, labels


def _split_word(name: str) -> str:
    """The word in a name that means a split, else its last word."""
    words = [word for word in re.split(r"[-._ ]", name) if word]
    return next((word for word in words if split_of(word) is not None), words[-1] if words else "")


def _read_magic(head: bytes, path: Path) -> tuple[np.dtype[np.generic], int]:
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not 1 <= head[3] <= 4:
        begins = head.hex(" ") or "nothing"
        raise CnncliError(
            f"{shown(path)} is not an IDX file: it begins with {begins}; expected 00 00, a type, a rank",
            "Check how the file was made, or download it again.",
        )
    return np.dtype(_TYPES[head[2]]), head[3]


def _damaged(path: Path, why: str) -> CnncliError:
    return CnncliError(
        f"{shown(path)} is damaged or truncated: {why}; expected a whole IDX file",
        "Delete it and download it again.",
    )
