"""Tables: path and label in a row, or label and pixels."""

import contextlib
import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import Found, Wishes, from_arrays, from_files, listed
from cnncli.data.folder import without_conflicts
from cnncli.data.labels import number_labels
from cnncli.data.model import Dataset, Skipped
from cnncli.data.npz import as_images
from cnncli.errors import CnncliError
from cnncli.images.faults import reading_fault, shown
from cnncli.images.formats import READ_SUFFIXES

_PATH_WORDS = ("path", "file", "filename", "filepath", "file_name", "image", "image_path", "img", "name")
_LABEL_WORDS = ("label", "class", "target", "category", "y", "digit")
_SPLIT_WORDS = ("split", "subset", "set", "partition")
_TEXT_WORDS = ("text", "review", "sentence", "content", "comment", "message")
_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_FEWEST_PIXELS = 16  # columns of numbers from which a row is an image
_ROWS_AT_ONCE = 2_000
_EXPECTED = "Expected a row for each image: its path and its label, or its label and its pixels."

Row = list[str]


def load_table(path: Path, wishes: Wishes) -> Dataset:
    """Read a ``.csv`` or ``.tsv``, also ``.gz``.

    Rows are path and label (paths are relative to the table's folder), with a header or without, and
    maybe a column ``split``; or a label and the pixels of a gray or an RGB image, row by row.

    Raises
    ------
    CnncliError
        Where it cannot be read, its rows differ in length, or it is a table of texts.
    """
    with _faults(path), _opened(path) as file:
        delimiter = _delimiter(path, file)
        rows = _rows(file, delimiter)
        first = next(rows, None)
        second = next(rows, None)
        if first is None:
            raise CnncliError(f"{shown(path)} is empty; expected a table of images", _EXPECTED)
        sample = second if second is not None else first
        if len(sample) > _FEWEST_PIXELS:
            file.seek(0)
            return _load_pixels(path, file, delimiter, wishes)
        everything = [first, *([second] if second is not None else []), *rows]
    return _load_paths(path, everything, wishes)


def _load_paths(path: Path, rows: list[Row], wishes: Wishes) -> Dataset:
    columns, header = _columns(path, rows)
    parts: dict[str, list[tuple[Path, str]]] = {}
    skipped: list[Skipped] = []
    seen: dict[Path, tuple[str, str]] = {}
    torn: dict[Path, str] = {}
    repeated = 0
    for number, row in enumerate(rows[header:], header + 1):
        if len(row) <= max(columns.values()):
            skipped.append(Skipped(f"{shown(path)}:{number}", f"{len(row)} columns; expected {len(rows[0])}"))
            continue
        file, label = path.parent / row[columns["path"]].strip(), row[columns["label"]].strip()
        split = _SPLITS.get(row[columns["split"]].strip().lower(), "train") if "split" in columns else "train"
        if not file.is_file():
            skipped.append(Skipped(shown(file), f"no such file (row {number})"))
        elif file not in seen:
            seen[file] = label, split
        elif seen[file][0] != label:
            torn[file] = f"{shown(row[columns['path']])} ({seen[file][0]} and {label})"
        else:
            repeated += 1
    for file, (label, split) in seen.items():
        if file not in torn:
            parts.setdefault(split, []).append((file, label))
    warnings = []
    if torn:
        warnings.append(
            f"{len(torn):,} files are listed with two labels and are left out: {listed([*torn.values()])}"
        )
    if repeated:
        warnings.append(f"{repeated:,} rows repeat a file and count once")
    return _labelled(path, parts, wishes, warnings=warnings, skipped=skipped)


def _labelled(
    path: Path,
    parts: dict[str, list[tuple[Path, str]]],
    wishes: Wishes,
    *,
    warnings: list[str],
    skipped: list[Skipped],
) -> Dataset:
    """Number the labels, look for contradictions, and decode."""
    names = {label for files in parts.values() for _, label in files}
    whole = all(name.lstrip("-").isdecimal() for name in names)
    classes = sorted(names, key=lambda name: (int(name), name) if whole else (0, name))
    numbers = {name: label for label, name in enumerate(classes)}
    numbered = {split: [(file, numbers[label]) for file, label in files] for split, files in parts.items()}
    kept, said = without_conflicts(numbered, tuple(classes))
    count = sum(len(files) for files in kept.values())
    found = Found(
        name=_stem(path),
        classes=tuple(shown(name) for name in classes),
        provenance=f"{count:,} images of {len(classes):,} classes listed in {shown(path)}",
        warnings=(*warnings, *said),
        skipped=tuple(skipped),
        files=(path,),
    )
    return from_files(found, {split: files for split, files in kept.items() if files}, wishes)


def _columns(path: Path, rows: list[Row]) -> tuple[dict[str, int], int]:
    """Which column holds what, and the number of header rows."""
    words = [cell.strip().lower() for cell in rows[0]]
    by_word = {
        role: next((words.index(word) for word in known if word in words), None)
        for role, known in (("path", _PATH_WORDS), ("label", _LABEL_WORDS), ("split", _SPLIT_WORDS))
    }
    header = by_word["label"] is not None and not _exists(path, rows[0])
    if not header and len(rows) > 1 and not _exists(path, rows[0]):
        header = bool(_exists(path, rows[1]))
    body = rows[1:] if header else rows
    if header and any(word in words for word in _TEXT_WORDS) and by_word["path"] is None:
        raise _of_texts(path)
    columns = {role: at for role, at in by_word.items() if at is not None} if header else {}
    if "path" not in columns:
        columns["path"] = _path_column(path, body)
    if "label" not in columns:
        columns["label"] = next((at for at in range(len(rows[0])) if at not in columns.values()), -1)
        if columns["label"] < 0:
            raise CnncliError(f"{shown(path)} has one column; expected a path and a label", _EXPECTED)
    return columns, int(header)


def _path_column(path: Path, body: list[Row]) -> int:
    """The column whose cells are files, or look like images."""
    for row in body[:20]:
        if there := _exists(path, row):
            return there[0]
    for row in body[:20]:
        for at, cell in enumerate(row):
            if Path(cell.strip()).suffix.lower() in READ_SUFFIXES:
                return at
    raise _of_texts(path)


def _exists(path: Path, row: Row) -> list[int]:
    """Columns of a row that name a file."""
    return [at for at, cell in enumerate(row) if _is_file(path.parent, cell.strip())]


def _is_file(folder: Path, cell: str) -> bool:
    try:
        return bool(cell) and (folder / cell).is_file()
    except (OSError, ValueError):  # a text, too long for a name
        return False


def _of_texts(path: Path) -> CnncliError:
    return CnncliError(
        f"no column of {shown(path)} names an image file; it seems to be a table of texts",
        f"Texts cannot be trained on yet. {_EXPECTED}",
    )


def _load_pixels(path: Path, file: TextIO, delimiter: str, wishes: Wishes) -> Dataset:
    """Rows of numbers: one label, and the pixels of an image."""
    first = next(_rows(file, delimiter))
    header = not all(_is_number(cell) for cell in first)
    named = next((at for at, cell in enumerate(first) if cell.strip().lower() in _LABEL_WORDS), None)
    if not header:
        file.seek(0)
    blocks = [_numbers(path, lines, delimiter) for lines in _line_blocks(file)]
    if not blocks or len({block.shape[1] for block in blocks}) > 1:
        raise CnncliError(f"{shown(path)}: rows of different lengths, or none", _EXPECTED)
    table = np.concatenate(blocks)
    at = named if header and named is not None else _label_column(table)
    labels = table[:, at].astype(np.int64)
    pixels = np.delete(table, at, axis=1).reshape(len(table), *_pixel_shape(path, table.shape[1] - 1))
    images, note = as_images(pixels.astype(np.uint8) if _is_bytes(pixels) else pixels, path)
    classes, numbered = number_labels({"train": labels}, None, path)
    found = Found(
        name=_stem(path),
        classes=classes,
        provenance=f"{len(images):,} images of {len(classes):,} classes in {shown(path)}",
        notes=(f"the label is column {at + 1} of {table.shape[1]}", *([note] if note else [])),
        files=(path,),
    )
    return from_arrays(found, {"train": (images, numbered["train"])}, wishes)


def _is_bytes(pixels: NDArray[np.float32]) -> bool:
    """Whether the numbers are whole, and reach from 0 to more than 1 but not above 255."""
    whole = bool(np.array_equal(pixels, np.rint(pixels)))
    return whole and pixels.size > 0 and pixels.min() >= 0 and 1 < pixels.max() <= 255


def _label_column(table: NDArray[np.float32]) -> int:
    """The first column, unless it never changes, as corner pixels do, and the last one does."""
    first, last = table[:, 0], table[:, -1]
    return -1 % table.shape[1] if np.ptp(first) == 0 and np.ptp(last) > 0 else 0


def _pixel_shape(path: Path, count: int) -> tuple[int, int, int]:
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side * side * channels == count:
            return side, side, channels
    raise CnncliError(
        f"{shown(path)}: {count} pixels a row; expected those of a square image, gray or RGB (784, 3072 …)",
        "Save other shapes as .npz.",
    )


def _line_blocks(file: TextIO) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in file:
        if line.strip():
            lines.append(line)
        if len(lines) == _ROWS_AT_ONCE:
            yield lines
            lines = []
    if lines:
        yield lines


def _numbers(path: Path, lines: list[str], delimiter: str) -> NDArray[np.float32]:
    try:
        return np.loadtxt(lines, np.float32, delimiter=delimiter, comments=None, ndmin=2, quotechar='"')
    except ValueError as error:
        raise CnncliError(
            f"{shown(path)}: {shown(str(error))}", "Expected a number in every column."
        ) from error


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _delimiter(path: Path, file: TextIO) -> str:
    """Tabs in .tsv; else whichever of comma, semicolon and tab the first line has most of."""
    line = file.readline(1 << 20)
    file.seek(0)
    if ".tsv" in path.suffixes:
        return "\t"
    return max((",", ";", "\t"), key=line.count)


def _rows(file: TextIO, delimiter: str) -> Iterator[Row]:
    return (row for row in csv.reader(file, delimiter=delimiter) if any(cell.strip() for cell in row))


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or "data"


def _opened(path: Path) -> TextIO:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    kind = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    return gzip.open(path, "rt", **kind) if packed else path.open("r", **kind)  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading into an error that names the table."""
    try:
        yield
    except (zlib.error, EOFError, gzip.BadGzipFile, csv.Error) as error:
        raise CnncliError(
            f"{shown(path)} is damaged or no table ({shown(str(error))})", "Export it again."
        ) from error
    except OSError as error:
        raise reading_fault(error, path) from error
