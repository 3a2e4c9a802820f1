"""Tables whose rows are images: a column for each pixel, or all pixels in one cell."""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_arrays
from cnncli.data.classes import class_of_label, doubtful, is_missing
from cnncli.data.column_values import ColumnValues, column_values, fitted, is_number
from cnncli.data.columns import Table, chosen, find_label, find_split, is_header, is_label, split_words
from cnncli.data.labels import number_labels, unlabelled
from cnncli.data.model import Dataset
from cnncli.data.npz import as_images
from cnncli.data.sheet import LONGEST, Row, Sheet
from cnncli.data.split_names import plain
from cnncli.errors import CnncliError
from cnncli.images.faults import shown

_ROWS_AT_ONCE = 2_000
_FEWEST_ROWS, _CELLS = 20, 4_000_000  # looked at before columns are chosen
_PIXEL = re.compile(r"[a-z]*_?\d+([x_,]\d+)*")  # pixel0, px_12, 3x17, x5, 784
_EXPECTED = "Write a row for each image: its label and its pixels."

Pixels = NDArray[np.uint8] | NDArray[np.float32]


class _Images:
    """Rows as they come, kept as bytes as long as they are whole numbers of 0 to 255."""

    def __init__(self) -> None:
        self.blocks: list[Pixels] = []
        self.labels: list[str] = []
        self.splits: list[str] = []

    def add(self, pixels: NDArray[np.float32]) -> None:
        """Take the next rows."""
        whole = pixels.size and pixels.min() >= 0 and pixels.max() <= 255
        exact = pixels.astype(np.uint8) if whole else None
        self.blocks.append(exact if exact is not None and np.array_equal(exact, pixels) else pixels)

    def joined(self) -> Pixels:
        """All of them: bytes where all are, and some are above 1, else floats."""
        if all(block.dtype == np.uint8 for block in self.blocks):
            bytes_: NDArray[np.uint8] = np.concatenate([np.asarray(b, np.uint8) for b in self.blocks])
            return bytes_ if bytes_.size and bytes_.max() > 1 else bytes_.astype(np.float32)
        return np.concatenate([block.astype(np.float32) for block in self.blocks])


def load_pixel_columns(sheet: Sheet, head: list[Row], load_options: LoadOptions) -> Dataset:
    """Read a table with a column for each pixel, one for the label, and maybe one for the split.

    Raises
    ------
    CnncliError
        Where rows differ in length or hold no numbers, or columns can be read in more than one way.
    """
    first, second = head[0], head[-1]
    numbers = [sum(map(is_number, row)) for row in (first, second)]
    header = numbers[0] < len(first) and (is_header(first) or numbers[0] < numbers[1])
    names = tuple(first) if header else ("",) * len(first)
    table, beside = _beside_pixels(sheet, names, head[int(header) :], load_options)
    label, split = _chosen(table, beside, load_options)
    dropped = [at for at in beside if at not in (label, split)]
    pixels = [at for at in table.others(label, split) if at not in dropped]
    shape = _pixel_shape(sheet.path, len(pixels))
    images = _Images()
    for block in _blocks(sheet, skip=int(header)):
        _check_lengths(sheet, block, len(first))
        images.add(_numbers(sheet, block, pixels))
        for cells, at in ((images.labels, label), (images.splits, split)):
            if at is not None:
                cells.extend(_cells([line for _, line in block], sheet.delimiter, at, len(first)))
    if not images.blocks:
        raise CnncliError(f"{shown(sheet.path)} holds no images; expected a row an image", _EXPECTED)
    left = f" and {len(dropped)} others left out" if dropped else ""
    said = f"classes by {table.column(label)} of {len(first)}{left}"
    return _assembled(sheet, table, images, shape, said=said, split=split, load_options=load_options)


def load_pixel_cells(sheet: Sheet, names: Row, pixels: int, load_options: LoadOptions) -> Dataset:
    """Read a table with all pixels of an image in one cell, between spaces, as FER2013 has them.

    Raises
    ------
    CnncliError
        Where cells differ in length or hold no numbers, or columns can be read in more than one way.
    """
    width = len(names)
    counted = column_values(_without(sheet.rows(), pixels, width), width, skip=1)
    table = Table(shown(sheet.path), tuple(names), counted)
    asked = load_options.layout.label_column
    label = None if asked is None else chosen(table, "--label-column", asked)
    split = find_split(table, (pixels, label), wanted=load_options.layout.splits)
    label = find_label(table, pixels, split) if label is None else label
    images = _Images()
    count = 0
    body = islice(sheet.rows(), 1, None)
    while rows := list(islice(body, _ROWS_AT_ONCE)):
        cells = [(number, fitted(row, width) or []) for number, row in rows]
        lines = [(number, row[pixels] if row else "") for number, row in cells]
        count = count or len(lines[0][1].split())
        for number, line in lines:
            if len(line.split()) != count:
                raise CnncliError(
                    f"{shown(sheet.path)}: line {number} has {len(line.split()):,} pixels; "
                    f"expected {count:,}",
                    "Give every image the same size.",
                )
        images.add(_numbers(sheet, lines, range(count), delimiter=None))
        images.labels += [row[label] for _, row in cells]
        images.splits += [row[split] for _, row in cells] if split is not None else []
    if not count:
        raise CnncliError(f"{shown(sheet.path)} holds no images; expected a row an image", _EXPECTED)
    shape = _pixel_shape(sheet.path, count)
    said = f"images by {table.column(pixels)}, classes by {table.column(label)}"
    return _assembled(sheet, table, images, shape, said=said, split=split, load_options=load_options)


def _without(rows: Iterable[tuple[int, Row]], at: int, width: int) -> Iterator[tuple[int, Row]]:
    """Rows without what stands in a column: counting pixels would hold all of them."""
    for number, row in rows:
        if (cells := fitted(row, width)) is not None:
            yield number, [*cells[:at], "", *cells[at + 1 :]]


def _assembled(
    sheet: Sheet,
    table: Table,
    images: _Images,
    shape: tuple[int, int, int],
    *,
    said: str,
    split: int | None,
    load_options: LoadOptions,
) -> Dataset:
    """Divide the rows, number their labels, and bring pixels to images."""
    path = sheet.path
    pixels = images.joined().reshape(-1, *shape)
    spelt = class_of_label(set(images.labels) - {""}, "the column of labels", table.file)
    texts = np.array([spelt.get(label, label) for label in images.labels])
    places, undivided, divided = _places(table, images, split)
    classes, labels = number_labels({part: texts[at] for part, at in places.items()}, None, path)
    stored = {part: pixels[at] if split is not None else pixels for part, at in places.items()}
    brought = {part: as_images(each, path) for part, each in stored.items()}
    count = sum(int((numbers >= 0).sum()) for numbers in labels.values())
    found = DatasetDescription(
        name=path.name.split(".")[0] or "data",
        classes=classes,
        provenance=f"{count:,} images of {len(classes):,} classes in {shown(path)}: {said}{divided}",
        notes=tuple(dict.fromkeys(note for _, note in brought.values() if note)),
        warnings=(
            *(text for numbers in labels.values() for text in unlabelled(numbers, str(path))),
            *([f"{undivided:,} rows have no word for a split: left out"] if undivided else []),
            *doubtful(classes),
        ),
        files=(path,),
    )
    parts = {part: (brought[part][0], labels[part]) for part in places}
    raw = {part: each.astype(np.float32) for part, each in stored.items()}  # whatever other rows hold
    return from_arrays(found, parts, load_options, raw=raw)


def _places(table: Table, images: _Images, split: int | None) -> tuple[dict[str, NDArray[np.intp]], int, str]:
    """Split to rows, the number of rows that are of none, and what is said of it."""
    if split is None:
        return {"train": np.arange(len(images.labels))}, 0, ""
    meaning, odd = split_words(table, split)
    of = np.array([meaning.get(word, "") for word in images.splits])
    places = {part: np.flatnonzero(of == part) for part in ("train", "val", "test") if part in of}
    if not places:
        raise CnncliError(
            f"{table.file}: {table.column(split)} is empty in all rows; expected train, val or test",
            "Write them, or say --no-splits to divide the images anew.",
        )
    return places, int((of == "").sum()), f", splits by {table.column(split)}" + (f": {odd}" if odd else "")


def _beside_pixels(
    sheet: Sheet, names: tuple[str, ...], body: list[Row], load_options: LoadOptions
) -> tuple[Table, list[int]]:
    """What is known of the columns that may be no pixels, and which of them are none for certain."""
    width, asked = len(names), load_options.layout.label_column
    beside = {at for row in body[:1] for at, cell in enumerate(row[:width]) if not is_number(cell)}
    called = [at for at, name in enumerate(names) if name and not _PIXEL.fullmatch(plain(name))]
    if len(called) < width:
        beside.update(called)
    nothing = ColumnValues(width, values=[{}] * width)
    if asked is not None:
        beside.add(chosen(Table(shown(sheet.path), names, nothing), "--label-column", asked))
    counted: dict[int, dict[str, int]] = {at: {} for at in (*beside, 0, width - 1)}
    count = max(_FEWEST_ROWS, min(_ROWS_AT_ONCE, _CELLS // width))
    with closing(sheet.rows()) as rows:
        for _, row in islice(rows, int(any(names)), count):
            for at, values in counted.items():
                if at < len(row) and not is_missing(row[at]):
                    values[row[at]] = values.get(row[at], 0) + 1
    known = [counted.get(at, {}) for at in range(width)]
    return Table(shown(sheet.path), names, ColumnValues(width, values=known)), sorted(beside)


def _chosen(table: Table, beside: list[int], load_options: LoadOptions) -> tuple[int, int | None]:
    """The columns of label and split."""
    layout = load_options.layout
    asked = None if layout.label_column is None else chosen(table, "--label-column", layout.label_column)
    pixels = table.others(*beside)
    split = find_split(_only(table, beside), (asked, *pixels), wanted=layout.splits)
    if asked is not None:
        return asked, split
    able = [at for at in beside if at != split]
    if len(able) == 1 and table.column_values.is_unique(able[0]) and not is_label(table.names[able[0]]):
        raise CnncliError(
            f"{table.column(able[0])} of {table.file} has a value of its own in each row; expected classes",
            "Say --label-column NAME, or its number from 1, if it holds the classes all the same.",
        )
    if len(able) == 1:
        return able[0], split
    if able:
        return find_label(_only(table, beside), pixels[0] if pixels else -1, split), split
    if any(table.names):
        raise CnncliError(
            f"{table.file} has {table.column_values.width:,} columns, all of them called as pixels are; "
            "expected labels",
            "Call it label, or say --label-column NAME, or its number from 1.",
        )
    return _by_values(table), split


def _only(table: Table, columns: Sequence[int]) -> Table:
    """A table that knows nothing of its other columns."""
    values = [
        table.column_values.values[at] if at in columns else {} for at in range(table.column_values.width)
    ]
    names = tuple(name if at in columns else "" for at, name in enumerate(table.names))
    counted = ColumnValues(
        table.column_values.width, table.column_values.rows, values, table.column_values.sample
    )
    return Table(table.file, names, counted)


def _by_values(table: Table) -> int:
    """The first or the last column, whichever can be a label and is no pixel in a corner."""
    last = table.column_values.width - 1
    distinct = {at: len(table.column_values.values[at]) for at in (0, last)}
    able = sorted(filter(partial(_are_classes, table), (0, last)), key=distinct.__getitem__)
    # A corner of photographs has many values, a label few.
    if not able or (len(able) == 2 and 4 * distinct[able[0]] > distinct[able[1]]):
        how = "both" if able else "neither"
        raise CnncliError(
            f"column 1 and column {last + 1:,} of {table.file} could {how} be the label; expected one",
            f"Say --label-column 1, or --label-column {last + 1}.",
        )
    return able[0]


def _are_classes(table: Table, at: int) -> bool:
    values = table.column_values.values[at]
    whole = all(is_number(value) and float(value).is_integer() for value in values)
    return len(values) > 1 and whole and not table.column_values.is_unique(at)


def _pixel_shape(path: Path, count: int) -> tuple[int, int, int]:
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side and side * side * channels == count:
            return side, side, channels
    raise CnncliError(
        f"{shown(path)}: {count} pixels a row; expected those of a square image, gray or RGB (784, 3072 …)",
        "Save other shapes as .npz.",
    )


def _blocks(sheet: Sheet, *, skip: int) -> Iterator[list[tuple[int, str]]]:
    """Lines that are not empty, with their numbers, some at a time."""
    numbered = ((number, line) for number, line in enumerate(sheet.lines(), 1) if line.strip())
    lines = islice(numbered, skip + int(sheet.told), None)
    while block := list(islice(lines, _ROWS_AT_ONCE)):
        yield block


def _check_lengths(sheet: Sheet, block: list[tuple[int, str]], width: int) -> None:
    for number, line in block:
        count = (
            line.count(sheet.delimiter) + 1 if '"' not in line else len(_split([line], sheet.delimiter)[0])
        )
        if count != width:
            raise CnncliError(
                f"{shown(sheet.path)}: line {number} has {count:,} columns; expected {width:,}, as before",
                "Give every row the same columns.",
            )


def _numbers(
    sheet: Sheet, block: list[tuple[int, str]], columns: Sequence[int], delimiter: str | None = ","
) -> NDArray[np.float32]:
    """Pixels of some rows: float32 (rows, pixels)."""
    delimiter = sheet.delimiter if delimiter else None
    lines = [line for _, line in block]
    try:
        found = np.loadtxt(
            lines, np.float32, delimiter=delimiter, comments=None, ndmin=2, quotechar='"', usecols=columns
        )
    except (ValueError, OverflowError) as error:
        raise _culprit(sheet, block, columns, delimiter) from error
    if not np.isfinite(found).all():
        raise _culprit(sheet, block, columns, delimiter)
    return np.asarray(found, np.float32)


def _culprit(
    sheet: Sheet, block: list[tuple[int, str]], columns: Sequence[int], delimiter: str | None
) -> CnncliError:
    """The error that names the first cell that is no number."""
    for number, line in block:
        cells = line.split() if delimiter is None else _split([line], delimiter)[0]
        for at in columns:
            if at >= len(cells) or not is_number(cells[at].strip()):
                got = shown(cells[at].strip()[:40]) if at < len(cells) else "nothing"
                return CnncliError(
                    f"{shown(sheet.path)}: line {number}, column {at + 1} holds {got or 'nothing'}; "
                    "expected a number",
                    "Write a number for every pixel.",
                )
    return CnncliError(f"{shown(sheet.path)}: its pixels are no numbers; expected numbers", _EXPECTED)


def _split(lines: Iterable[str], delimiter: str) -> list[Row]:
    csv.field_size_limit(LONGEST)
    return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))


def _cells(lines: list[str], delimiter: str, at: int, width: int) -> list[str]:
    """One column of some lines, without taking all of them apart."""
    if any('"' in line for line in lines):
        return [row[at].strip() for row in _split(lines, delimiter)]
    if at < width // 2:
        return [line.split(delimiter, at + 1)[at].strip() for line in lines]
    return [line.rsplit(delimiter, width - at)[-(width - at)].strip() for line in lines]
