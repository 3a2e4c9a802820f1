"""IDX files, the format of MNIST: a header of sizes, then the numbers; often compressed with gzip.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
"""

import gzip
import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.faults import reading_fault, shown

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGES = re.compile(r"(?P<before>.*?)images(?P<after>[-._]idx[34][-._]ubyte(?:\.gz)?)$", re.IGNORECASE)
_SPLITS = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val"}


def read_idx(path: Path) -> NDArray[np.generic]:
    """Read an IDX file, compressed or not.

    Returns
    -------
    ndarray
        Of the shape and type that its header tells, in the machine's byte order.

    Raises
    ------
    CnncliError
        Where it cannot be read, is no IDX file, is truncated, or goes on behind its end.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            head = file.read(4)
            dtype, rank = _read_magic(head, path)
            header = file.read(4 * rank)
            if len(header) < 4 * rank:
                raise _damaged(path, "it ends within its header")
            sizes = np.frombuffer(header, ">u4").astype(np.int64)
            expected = int(np.prod(sizes, dtype=object)) * dtype.itemsize
            data = file.read(expected + 1)
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise _damaged(path, str(error).lower() or "its compressed data is broken") from error
    except (OverflowError, MemoryError) as error:
        raise _damaged(path, "its header tells of more numbers than fit into memory") from error
    except OSError as error:
        raise reading_fault(error, path) from error
    if len(data) != expected:
        more = "more" if len(data) > expected else f"{len(data):,}"
        raise _damaged(path, f"it holds {more} bytes of numbers where its header says {expected:,}")
    numbers = np.frombuffer(data, dtype).reshape(sizes)
    return numbers.astype(dtype.newbyteorder("="))


def find_idx(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Find pairs of images and labels in a folder.

    Returns
    -------
    dict
        Split ("train", "val", "test") to the paths of images and labels. Files whose names tell no
        split count as "train".
    """
    found: dict[str, tuple[Path, Path]] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir()):
        match = _IMAGES.match(path.name)
        if match is None:
            continue
        split = next((_SPLITS[word] for word in _words(match["before"]) if word in _SPLITS), "train")
        after = re.sub("idx[34]", "idx1", match["after"], flags=re.IGNORECASE)
        endings = {after, after.removesuffix(".gz"), f"{after.removesuffix('.gz')}.gz"}
        for ending in sorted(endings):
            labels = folder / f"{match['before']}labels{ending}"
            if labels.exists():
                found.setdefault(split, (path, labels))
    return found


def _words(name: str) -> list[str]:
    return re.split(r"[-._ ]", name.lower())


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
