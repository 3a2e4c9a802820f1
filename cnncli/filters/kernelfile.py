"""Kernels from files: text, CSV, JSON, NumPy arrays and images."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cnncli.core.luma import LUMA
from cnncli.errors import CnncliError
from cnncli.filters.entry import MAX_SIZE, MAX_WEIGHT, file_words
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.matrix import check_rows, check_weight, custom, parse_matrix
from cnncli.filters.model import Weights

TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".dat")
IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".webp",
    ".bmp",
    ".gif",
    ".pgm",
    ".ppm",
    ".pbm",
    ".pnm",
)
SUFFIXES = (*TEXT_SUFFIXES, ".json", ".npy", *IMAGE_SUFFIXES)

MAX_BYTES = 512 * 2**20
"""More than the largest kernel takes as text."""

_JSON_FORM = 'Write [[0, -1, 0], [-1, 5, -1], [0, -1, 0]] or {"weights": [[...]], "anchor": [1, 1]}.'


def is_file_name(text: str) -> bool:
    """Tell whether a SPEC that is not a kernel's name is a file name: by its suffix or a ``/``."""
    path = text.strip()
    if Path(path).suffix.lower() in SUFFIXES and "\n" not in path:
        return True
    return path.startswith(("/", "./", "../")) or (
        "/" in path and re.match(r"[^\d\s+.,;/−-]", path) is not None
    )


def read_kernel_file(path: str, *, read_image: Callable[[str], Weights] | None = None) -> Linear:
    """Read a kernel from a file, by its suffix.

    Parameters
    ----------
    path : str
        ``.txt``, ``.csv``, ``.tsv``, ``.dat``: numbers as in a matrix SPEC, ``#`` starts a comment; in a
        file of several lines ``;`` separates columns, and a comma is then a decimal comma.
        ``.json``: a list of lists, or an object with ``weights`` and optionally ``anchor`` [x, y].
        ``.npy``: an array of 2 dimensions; 1 dimension is a row. An image: gray, full scale is 1,
        black is 0, as displayed; nothing is normalised.
    read_image : callable, optional
        Reads an image file as weights of shape (kh, kw); by default `read_image_weights`.

    Returns
    -------
    Linear
        Named after the file; its spec is the path.

    Raises
    ------
    CnncliError
        If the file cannot be read, or a number is invalid, with its row and column.
    """
    suffix = Path(path).suffix.lower()
    anchor = None
    if suffix in TEXT_SUFFIXES:
        where = f"kernel file {path!r}"
        weights = parse_matrix(_with_commas(_without_comments(_text(path)), where), where=where)
    elif suffix == ".json":
        weights, anchor = _read_json(path)
    elif suffix == ".npy":
        weights = _read_npy(path)
    elif suffix in IMAGE_SUFFIXES:
        weights = _checked((read_image or read_image_weights)(path), path)
    else:
        raise CnncliError(
            f"kernel file {path!r} has {f'the suffix {suffix}' if suffix else 'no suffix'}; "
            f"expected one of {' '.join(SUFFIXES)}",
            "Rename the file, or choose a kernel by name from the list of: cnncli kernels",
        )
    return custom(weights, anchor=anchor, name=file_words(path), spec=path)


def read_image_weights(path: str) -> Weights:
    """Read an image as weights.

    Parameters
    ----------
    path : str
        An image of at most MAX_SIZE columns and rows.

    Returns
    -------
    ndarray, shape (H, W), float64
        Gray times opacity of the first frame, full scale 1.

    Raises
    ------
    CnncliError
        If it cannot be read.
    """
    from cnncli.images.read import read_picture

    picture = read_picture(Path(path), max_pixels=MAX_SIZE**2, first=True)
    pixels = picture.frames[0].astype(np.float64) / picture.full_scale
    opacity = pixels[..., -1] if picture.alpha else 1.0
    colors = pixels[..., : picture.channels - picture.alpha]
    gray = colors @ np.array(LUMA) if colors.shape[2] == 3 else colors[..., 0]
    return np.asarray(gray * opacity)


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as fault:
        raise _unreadable(path, fault) from None
    if len(data) > MAX_BYTES:
        raise CnncliError(
            f"kernel file {path!r} is larger than {MAX_BYTES >> 20} MiB; expected a kernel",
            "Check that this is the kernel and not the image.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise CnncliError(
            f"kernel file {path!r} is not text: byte {fault.start + 1} is {data[fault.start]:#04x}; "
            "expected UTF-8",
            "Save it as plain text, or give it the suffix of its format.",
        ) from None


def _unreadable(path: str, fault: Exception) -> CnncliError:
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return CnncliError(
        f"kernel file {path!r} cannot be read: {reason}; expected a kernel",
        "Check the name, or choose a kernel by name from the list of: cnncli kernels",
    )


def _without_comments(text: str) -> str:
    return "\n".join(line.partition("#")[0] for line in text.splitlines())


def _with_commas(text: str, where: str) -> str:
    """Text of several lines with ``;`` between columns, as saved by spreadsheets, with commas instead."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [line.removesuffix(";") for line in lines]
    if len(rows) < 2 or not any(";" in row for row in rows):
        return text
    return "\n".join(_row_with_commas(row, number, where) for number, row in enumerate(rows, 1))


def _row_with_commas(row: str, number: int, where: str) -> str:
    cells = [cell.strip() for cell in row.split(";")]
    for column, cell in enumerate(cells, 1):
        if re.search(r"\s|,.*,", cell):
            raise CnncliError(
                f"{where}, row {number}, column {column}: {cell!r} is more than one number; "
                "expected one between ';', which separates columns in a file of several lines",
                "Write ';' between all numbers of a row, or between none and each row on a line of its own.",
            )
    return ",".join(cell.replace(",", ".") for cell in cells) or ";"


def _read_json(path: str) -> tuple[Weights, tuple[int, int] | None]:
    import json

    try:
        found = json.loads(_text(path))
    except RecursionError:
        raise CnncliError(
            f"kernel file {path!r} is nested too deeply; expected a list of lists", _JSON_FORM
        ) from None
    except ValueError as fault:
        raise CnncliError(f"kernel file {path!r} is not JSON: {fault}", _JSON_FORM) from None
    anchor = None
    if isinstance(found, dict):
        unknown = sorted(set(found) - {"weights", "anchor"})
        if unknown or "weights" not in found:
            what = f"unknown key {unknown[0]!r}" if unknown else "no key 'weights'"
            raise CnncliError(
                f"kernel file {path!r}: {what}; expected weights and optionally anchor", _JSON_FORM
            )
        anchor, found = found.get("anchor"), found["weights"]
    weights = weights_of_lists(found, where=f"kernel file {path!r}")
    return weights, _anchor(anchor, weights, path)


def weights_of_lists(rows: Any, *, where: str) -> Weights:
    """Convert a list of lists of numbers (or one list: a row), as in JSON, to weights.

    Parameters
    ----------
    rows : list
        The value that was read.
    where : str
        Where it comes from, for messages.

    Returns
    -------
    ndarray, shape (kh, kw), float64

    Raises
    ------
    CnncliError
        With row and column (from 1) of a value that is not a number.
    """
    if isinstance(rows, list) and rows and not any(isinstance(row, list) for row in rows):
        rows = [rows]
    if not isinstance(rows, list):
        raise CnncliError(f"{where} is a {type(rows).__name__}; expected a list of lists", _JSON_FORM)
    if not rows or rows == [[]]:
        raise CnncliError(f"{where} of 0 weights; expected at least one number", _JSON_FORM)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list):
            raise CnncliError(f"{where}, row {number}: {row!r} is not a list of numbers", _JSON_FORM)
        for column, value in enumerate(row, 1):
            place = f"{where}, row {number}, column {column}"
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise CnncliError(f"{place}: {value!r} is not a number", _JSON_FORM)
            check_weight(value, f"{value}"[:40], place)
    return check_rows(rows, where=where)


def _anchor(anchor: Any, weights: Weights, path: str) -> tuple[int, int] | None:
    if anchor is None:
        return None
    kh, kw = weights.shape
    x, y = anchor if isinstance(anchor, list) and len(anchor) == 2 else (None, None)
    if type(x) is int and type(y) is int and 0 <= x < kw and 0 <= y < kh:
        return x, y
    raise CnncliError(
        f"kernel file {path!r}: anchor {anchor!r}; expected [x, y] from [0, 0] to [{kw - 1}, {kh - 1}]",
        "Count columns and rows of the anchor from 0.",
    )


def _read_npy(path: str) -> Weights:
    from cnncli.images.npy_header import read_array

    try:
        with Path(path).open("rb") as file:
            array = read_array(file)
    except (OSError, ValueError) as fault:
        raise _unreadable(path, fault) from None
    except CnncliError as fault:
        raise CnncliError(f"kernel file {path!r} cannot be read: {fault.message}", fault.hint) from fault
    if array.dtype.kind not in "biuf":
        raise CnncliError(
            f"kernel file {path!r} holds {array.dtype}; expected real numbers",
            "Save it as float32 or float64.",
        )
    if array.ndim not in (1, 2):
        raise CnncliError(
            f"kernel file {path!r} has shape {array.shape}; expected 2 dimensions (kh, kw)",
            "Save one kernel to a file, as an array of rows and columns.",
        )
    return _checked(np.atleast_2d(array), path)


def _checked(weights: Weights, path: str) -> Weights:
    where = f"kernel file {path!r}"
    kh, kw = weights.shape
    if max(kh, kw) > MAX_SIZE:
        raise CnncliError(
            f"{where} is {kw}x{kh}; expected at most {MAX_SIZE} columns and rows", "Use a smaller kernel."
        )
    if weights.size == 0:
        raise CnncliError(
            f"{where} of 0 weights; expected at least one number", "Save an array with numbers in it."
        )
    weights = np.array(weights, dtype=np.float64)
    wrong = np.argwhere(~(np.abs(weights) <= MAX_WEIGHT))
    for row, column in wrong[:1]:
        value = float(weights[row, column])
        check_weight(value, repr(value), f"{where}, row {row + 1}, column {column + 1}")
    return weights
