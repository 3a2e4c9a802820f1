"""Tables whose rows are images, with one column for each pixel or all pixels in one cell."""

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
from cnncli.data.class_labels import ClassLabels
from cnncli.data.classes import case_warnings, class_of_label, is_missing
from cnncli.data.column_values import ColumnValues, column_values, fitted, is_number
from cnncli.data.columns import (
    Table,
    column_by_option,
    find_label,
    find_split,
    is_header,
    is_label,
    split_words,
)
from cnncli.data.labels import number_labels, unlabelled
from cnncli.data.model import Dataset
from cnncli.data.npz import as_images
from cnncli.data.sheet import LONGEST, Row, Sheet
from cnncli.data.split_names import plain
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_ROWS_AT_ONCE = 2_000
_FEWEST_ROWS, _CELLS = 20, 4_000_000  # rows and cells that are inspected before columns are chosen
_PIXEL = re.compile(r"[a-z]*_?\d+([x_,]\d+)*")  # pixel0, px_12, 3x17, x5, 784
_EXPECTED = "Write a row for each image: its label and its pixels."

Pixels = NDArray[np.uint8] | NDArray[np.float32]


class _Images:
    """Rows of pixels as they are read, stored as bytes where they are integers from 0 to 255."""

    def __init__(self) -> None:
        self.blocks: list[Pixels] = []
        self.labels: list[str] = []
        self.splits: list[str] = []

    def add(self, pixels: NDArray[np.float32]) -> None:
        """Add the next rows."""
        whole = pixels.size and pixels.min() >= 0 and pixels.max() <= 255
        exact = pixels.astype(np.uint8) if whole else None
        self.blocks.append(exact if exact is not None and np.array_equal(exact, pixels) else pixels)

    def joined(self) -> Pixels:
        """All rows: uint8 where all are bytes and some are above 1, else float32."""
        if all(block.dtype == np.uint8 for block in self.blocks):
            bytes_: NDArray[np.uint8] = np.concatenate([np.asarray(b, np.uint8) for b in self.blocks])
            return bytes_ if bytes_.size and bytes_.max() > 1 else bytes_.astype(np.float32)
        return np.concatenate([block.astype(np.float32) for block in self.blocks])


def load_pixel_columns(sheet: Sheet, head: list[Row], load_options: LoadOptions) -> Dataset:
    """Read a table with one column for each pixel, one for the label, and optionally one for the split.

    Raises
    ------
    CnncliError
        Where rows differ in length, pixels are not numbers, or the columns are ambiguous.
    """
    first, second = head[0], head[-1]
    numbers = [sum(map(is_number, row)) for row in (first, second)]
    header = numbers[0] < len(first) and (is_header(first) or numbers[0] < numbers[1])
    names = tuple(first) if header else ("",) * len(first)
    table, non_pixels = _non_pixel_columns(sheet, names, head[int(header) :], load_options)
    label, split = _label_and_split(table, non_pixels, load_options)
    dropped = [at for at in non_pixels if at not in (label, split)]
    pixels = [at for at in table.others(label, split) if at not in dropped]
    shape = _pixel_shape(sheet.path, len(pixels))
    images = _Images()
    for block in _blocks(sheet, skip=int(header)):
        _check_lengths(sheet, block, len(first))
        images.add(_parse_pixels(sheet, block, pixels))
        for cells, at in ((images.labels, label), (images.splits, split)):
            if at is not None:
                cells.extend(_cells([line for _, line in block], sheet.delimiter, at, len(first)))
    if not images.blocks:
        raise CnncliError(f"{shown(sheet.path)} holds no images; expected one row per image", _EXPECTED)
    left = f" and {len(dropped)} others left out" if dropped else ""
    columns_used = f"classes by {table.column(label)} of {len(first)}{left}"
    return _assemble(
        sheet, table, images, shape, columns_used=columns_used, split=split, load_options=load_options
    )


def load_pixel_cells(sheet: Sheet, names: Row, pixels: int, load_options: LoadOptions) -> Dataset:
    """Read a table with all pixels of an image in one cell, separated by spaces, as in FER2013.

    Raises
    ------
    CnncliError
        Where cells differ in length, pixels are not numbers, or the columns are ambiguous.
    """
    width = len(names)
    counted = column_values(_without(sheet.rows(), pixels, width), width, skip=1)
    table = Table(shown(sheet.path), tuple(names), counted)
    given_label = load_options.layout.label_column
    label = None if given_label is None else column_by_option(table, "--label-column", given_label)
    split = find_split(table, (pixels, label), use=load_options.layout.splits)
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
        images.add(_parse_pixels(sheet, lines, range(count), delimiter=None))
        images.labels += [row[label] for _, row in cells]
        images.splits += [row[split] for _, row in cells] if split is not None else []
    if not count:
        raise CnncliError(f"{shown(sheet.path)} holds no images; expected one row per image", _EXPECTED)
    shape = _pixel_shape(sheet.path, count)
    columns_used = f"images by {table.column(pixels)}, classes by {table.column(label)}"
    return _assemble(
        sheet, table, images, shape, columns_used=columns_used, split=split, load_options=load_options
    )


def _without(rows: Iterable[tuple[int, Row]], at: int, width: int) -> Iterator[tuple[int, Row]]:
    """Rows with one column emptied: counting its values would keep all pixels in memory."""
    for number, row in rows:
        if (cells := fitted(row, width)) is not None:
            yield number, [*cells[:at], "", *cells[at + 1 :]]


def _assemble(
    sheet: Sheet,
    table: Table,
    images: _Images,
    shape: tuple[int, int, int],
    *,
    columns_used: str,
    split: int | None,
    load_options: LoadOptions,
) -> Dataset:
    """Divide the rows into splits, number their labels, and convert pixels to images."""
    path = sheet.path
    pixels = images.joined().reshape(-1, *shape)
    class_names = class_of_label(set(images.labels) - {""}, "the column of labels", table.file)
    texts = np.array([class_names.get(label, label) for label in images.labels])
    places, without_split, divided = _places(table, images, split)
    classes, labels = number_labels({part: texts[at] for part, at in places.items()}, None, path)
    stored = {part: pixels[at] if split is not None else pixels for part, at in places.items()}
    arrays = {part: as_images(each, path) for part, each in stored.items()}
    count = sum(int((numbers >= 0).sum()) for numbers in labels.values())
    found = DatasetDescription(
        name=path.name.split(".")[0] or "data",
        provenance=f"{count:,} images of {len(classes):,} classes in {shown(path)}: {columns_used}{divided}",
        notes=tuple(dict.fromkeys(note for _, note in arrays.values() if note)),
        warnings=(
            *(text for numbers in labels.values() for text in unlabelled(numbers, str(path))),
            *([f"{without_split:,} rows have no split: left out"] if without_split else []),
            *case_warnings(classes),
        ),
        files=(path,),
    )
    parts = {part: (arrays[part][0], ClassLabels(labels[part], classes)) for part in places}
    raw = {
        part: each.astype(np.float32) for part, each in stored.items()
    }  # independent of the type of other rows
    return from_arrays(found, parts, load_options, raw=raw)


def _places(table: Table, images: _Images, split: int | None) -> tuple[dict[str, NDArray[np.intp]], int, str]:
    """Rows of each split, the number of rows without a split, and a description."""
    if split is None:
        return {"train": np.arange(len(images.labels))}, 0, ""
    meaning, odd = split_words(table, split)
    of = np.array([meaning.get(word, "") for word in images.splits])
    places = {part: np.flatnonzero(of == part) for part in ("train", "val", "test") if part in of}
    if not places:
        raise CnncliError(
            f"{table.file}: {table.column(split)} is empty in all rows; expected train, val or test",
            "Write them, or use --no-splits to divide the images anew.",
        )
    return places, int((of == "").sum()), f", splits by {table.column(split)}" + (f": {odd}" if odd else "")


def _non_pixel_columns(
    sheet: Sheet, names: tuple[str, ...], body: list[Row], load_options: LoadOptions
) -> tuple[Table, list[int]]:
    """The table with counted values of columns that may not be pixels, and those that certainly are not."""
    width, given_label = len(names), load_options.layout.label_column
    non_pixels = {at for row in body[:1] for at, cell in enumerate(row[:width]) if not is_number(cell)}
    called = [at for at, name in enumerate(names) if name and not _PIXEL.fullmatch(plain(name))]
    if len(called) < width:
        non_pixels.update(called)
    no_values = ColumnValues(width, values=[{}] * width)
    if given_label is not None:
        non_pixels.add(
            column_by_option(Table(shown(sheet.path), names, no_values), "--label-column", given_label)
        )
    counted: dict[int, dict[str, int]] = {at: {} for at in (*non_pixels, 0, width - 1)}
    count = max(_FEWEST_ROWS, min(_ROWS_AT_ONCE, _CELLS // width))
    with closing(sheet.rows()) as rows:
        for _, row in islice(rows, int(any(names)), count):
            for at, values in counted.items():
                if at < len(row) and not is_missing(row[at]):
                    values[row[at]] = values.get(row[at], 0) + 1
    known = [counted.get(at, {}) for at in range(width)]
    return Table(shown(sheet.path), names, ColumnValues(width, values=known)), sorted(non_pixels)


def _label_and_split(
    table: Table, non_pixels: list[int], load_options: LoadOptions
) -> tuple[int, int | None]:
    """Indices of the columns of label and split."""
    layout = load_options.layout
    given_label = (
        None
        if layout.label_column is None
        else column_by_option(table, "--label-column", layout.label_column)
    )
    pixels = table.others(*non_pixels)
    split = find_split(_restricted(table, non_pixels), (given_label, *pixels), use=layout.splits)
    if given_label is not None:
        return given_label, split
    candidates = [at for at in non_pixels if at != split]
    if (
        len(candidates) == 1
        and table.column_values.is_unique(candidates[0])
        and not is_label(table.names[candidates[0]])
    ):
        raise CnncliError(
            f"{table.column(candidates[0])} of {table.file} has a different value in each row; "
            "expected classes",
            "Use --label-column NAME, or its number from 1, if it holds the classes all the same.",
        )
    if len(candidates) == 1:
        return candidates[0], split
    if candidates:
        return find_label(_restricted(table, non_pixels), pixels[0] if pixels else -1, split), split
    if any(table.names):
        raise CnncliError(
            f"{table.file} has {table.column_values.width:,} columns, all of them named as pixels; "
            "expected a column of labels",
            "Call it label, or use --label-column NAME, or its number from 1.",
        )
    return _by_values(table), split


def _restricted(table: Table, columns: Sequence[int]) -> Table:
    """A copy of the table in which other columns have no name and no values."""
    values = [
        table.column_values.values[at] if at in columns else {} for at in range(table.column_values.width)
    ]
    names = tuple(name if at in columns else "" for at, name in enumerate(table.names))
    counted = ColumnValues(
        table.column_values.width, table.column_values.rows, values, table.column_values.sample
    )
    return Table(table.file, names, counted)


def _by_values(table: Table) -> int:
    """The first or the last column, whichever can be a label rather than a corner pixel."""
    last = table.column_values.width - 1
    distinct = {at: len(table.column_values.values[at]) for at in (0, last)}
    candidates = sorted(filter(partial(_are_classes, table), (0, last)), key=distinct.__getitem__)
    # The corner pixel of photographs has many distinct values, a label few.
    if not candidates or (len(candidates) == 2 and 4 * distinct[candidates[0]] > distinct[candidates[1]]):
        how = "both" if candidates else "neither"
        raise CnncliError(
            f"column 1 and column {last + 1:,} of {table.file} could {how} be the label; expected one",
            f"Use --label-column 1, or --label-column {last + 1}.",
        )
    return candidates[0]


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
        f"{shown(path)}: {count} pixels per row; expected a square image, gray or RGB (784, 3072 …)",
        "Save other shapes as .npz.",
    )


def _blocks(sheet: Sheet, *, skip: int) -> Iterator[list[tuple[int, str]]]:
    """Blocks of lines that are not empty, with their numbers."""
    numbered = ((number, line) for number, line in enumerate(sheet.lines(), 1) if line.strip())
    lines = islice(numbered, skip + int(sheet.has_separator_line), None)
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


def _parse_pixels(
    sheet: Sheet, block: list[tuple[int, str]], columns: Sequence[int], delimiter: str | None = ","
) -> NDArray[np.float32]:
    """Pixels of a block of rows: float32 (rows, pixels)."""
    delimiter = sheet.delimiter if delimiter else None
    lines = [line for _, line in block]
    try:
        found = np.loadtxt(
            lines, np.float32, delimiter=delimiter, comments=None, ndmin=2, quotechar='"', usecols=columns
        )
    except (ValueError, OverflowError) as error:
        raise _cell_error(sheet, block, columns, delimiter) from error
    if not np.isfinite(found).all():
        raise _cell_error(sheet, block, columns, delimiter)
    return np.asarray(found, np.float32)


def _cell_error(
    sheet: Sheet, block: list[tuple[int, str]], columns: Sequence[int], delimiter: str | None
) -> CnncliError:
    """The error that names the first cell that is not a number."""
    for number, line in block:
        cells = line.split() if delimiter is None else _split([line], delimiter)[0]
        for at in columns:
            if at >= len(cells) or not is_number(cells[at].strip()):
                got = shown(cells[at].strip()[:40]) if at < len(cells) else "nothing"
                return CnncliError(
                    f"{shown(sheet.path)}: line {number}, column {at + 1} holds {got or 'no_values'}; "
                    "expected a number",
                    "Write a number for every pixel.",
                )
    return CnncliError(f"{shown(sheet.path)}: its pixels are not numbers; expected numbers", _EXPECTED)


def _split(lines: Iterable[str], delimiter: str) -> list[Row]:
    csv.field_size_limit(LONGEST)
    return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))


def _cells(lines: list[str], delimiter: str, at: int, width: int) -> list[str]:
    """One column of some lines, without splitting the lines completely."""
    if any('"' in line for line in lines):
        return [row[at].strip() for row in _split(lines, delimiter)]
    if at < width // 2:
        return [line.split(delimiter, at + 1)[at].strip() for line in lines]
    return [line.rsplit(delimiter, width - at)[-(width - at)].strip() for line in lines]
