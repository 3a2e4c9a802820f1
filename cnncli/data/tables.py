"""Tables whose rows hold a path and a label, or a label and pixels."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_files
from cnncli.data.class_labels import ClassLabels
from cnncli.data.classes import case_warnings, class_name, class_of_label, is_missing, ordered
from cnncli.data.column_values import column_values, fitted, is_number
from cnncli.data.columns import (
    PATHS,
    PIXELS,
    Column,
    Table,
    column_by_option,
    competing_labels,
    find_label,
    find_split,
    is_header,
    split_words,
)
from cnncli.data.file_lookup import AmbiguousName, FileLookup, looks_like_image
from cnncli.data.layout import Layout
from cnncli.data.model import Dataset, Skipped
from cnncli.data.sheet import Row, Sheet, open_sheet
from cnncli.data.split_names import joined, plain
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.text import listed

_FEWEST_PIXELS = 16  # a row with more columns of numbers is an image
_OTHERS = 3  # most columns other than pixels: label, split, a name
_MOST_SKIPPED = 100_000  # rows that cannot be used; with more, it is another kind of table
_EXPECTED = "Write a row for each image: its path and its label, or its label and its pixels."


def load_table(path: Path, load_options: LoadOptions) -> Dataset:
    """Read a ``.csv`` or ``.tsv``, also ``.gz``, in UTF-8 or UTF-16.

    Rows hold a path, relative to the table's folder, and a label, with or without a header, and optionally a
    split; or a label and the pixels of a gray or RGB image, row by row, in separate columns or in one cell
    (FER2013); or a label and a text.

    Raises
    ------
    CnncliError
        Where it cannot be read, or its columns are ambiguous.
    """
    sheet = open_sheet(path)
    with closing(sheet.rows()) as rows:
        head = [row for _, row in islice(rows, 2)]
    if not head:
        raise CnncliError(f"{shown(path)} is empty; expected a table of images or texts", _EXPECTED)
    lookup = FileLookup(path.parent)
    if load_options.layout.path_column is None:
        from cnncli.data.pixel_tables import load_pixel_cells, load_pixel_columns

        pixels = [at for at, cell in enumerate(head[0]) if plain(cell) in PIXELS]
        if len(pixels) == 1 and len(head) > 1 and " " in "".join(head[1][pixels[0] :]):
            return load_pixel_cells(sheet, head[0], pixels[0], load_options)
        if any(_is_wide(row, lookup) for row in head):
            return load_pixel_columns(sheet, head, load_options)
    from cnncli.data.text_tables import holds_texts, load_texts

    if holds_texts(sheet, head, lookup, load_options.layout):
        return load_texts(sheet, load_options)
    return _load_paths(sheet, head, lookup, load_options)


def _is_wide(row: Row, lookup: FileLookup) -> bool:
    """Whether a row holds pixels: many numbers, and no file name."""
    others = [cell for cell in row if not is_number(cell)]
    return (
        len(row) > _FEWEST_PIXELS
        and len(others) <= _OTHERS
        and not any(looks_like_image(cell) or lookup.find_exact(cell) for cell in others)
    )


@dataclass(frozen=True)
class _Plan:
    """How a table of paths is read.

    Attributes
    ----------
    header : bool
        Whether the first row is a header.
    width : int
        Number of columns.
    path, label : Column
    split : Column or None
    splits : dict
        Each word in the split column to its split.
    class_names : dict
        Label as written to its class name.
    columns_used : str
        The columns that were chosen, in words.
    warnings : tuple of str
    """

    header: bool
    width: int
    path: Column
    label: Column
    split: Column | None
    splits: dict[str, str]
    class_names: dict[str, str]
    columns_used: str
    warnings: tuple[str, ...]


@dataclass
class _Rows:
    """The contents of the rows of a table of paths.

    Attributes
    ----------
    files : dict
        File to its class and split.
    conflicting : dict
        File listed with two classes to a description.
    skipped : list of Skipped
    unlabelled, undivided, repeated : int
        Rows without a label; rows without a split; rows that repeat another row.
    shared : set of Path
        Files listed in two splits.
    inexact : int
        Names that differ from those on disk.
    first_inexact : str
        The first of these names, and its file.
    """

    files: dict[Path, tuple[str, str]] = field(default_factory=dict)
    conflicting: dict[Path, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    unlabelled: int = 0
    without_split: int = 0
    repeated: int = 0
    shared: set[Path] = field(default_factory=set)
    inexact: int = 0
    first_inexact: str = ""


def _load_paths(sheet: Sheet, head: list[Row], lookup: FileLookup, load_options: LoadOptions) -> Dataset:
    plan = _make_plan(sheet, head, lookup, load_options.layout)
    rows = _read(sheet, plan, lookup)
    parts: dict[str, list[tuple[Path, str]]] = {}
    for file, (label, split) in rows.files.items():
        if file not in rows.conflicting:
            parts.setdefault(split, []).append((file, label))
    if not rows.files and rows.skipped:
        named = listed([f"{each.path}, {each.reason}" for each in rows.skipped], separator="; ")
        raise CnncliError(
            f"no row of {shown(sheet.path)} can be used: {named}",
            f"Write paths relative to the table's folder ({shown(lookup.folder)}). "
            f"It was read with {plan.columns_used}.",
        )
    if not parts:
        raise CnncliError(
            f"no row of {shown(sheet.path)} can be used: {rows.unlabelled:,} without a label, "
            f"{rows.without_split:,} without a split, {len(rows.conflicting):,} images with several labels; "
            "expected an image, its label and its split in each",
            f"Check that rows have as many columns as the first. It was read with {plan.columns_used}.",
        )
    classes = ordered(label for files in parts.values() for _, label in files)
    numbers = {name: at for at, name in enumerate(classes)}
    class_names = tuple(shown(name) for name in classes)
    labelled = {
        split: (
            [file for file, _ in files],
            ClassLabels(np.array([numbers[label] for _, label in files], np.int64), class_names),
        )
        for split, files in parts.items()
    }
    count = sum(map(len, parts.values()))
    found = DatasetDescription(
        name=sheet.path.name.split(".")[0] or "data",
        provenance=f"{count:,} images of {len(classes):,} classes listed in {shown(sheet.path)}: "
        f"{plan.columns_used}",
        notes=_inexact_names(rows),
        warnings=(*plan.warnings, *_row_warnings(rows, plan), *case_warnings(classes)),
        skipped=tuple(rows.skipped),
        files=(sheet.path,),
    )
    return from_files(found, labelled, load_options)


def _make_plan(sheet: Sheet, head: list[Row], lookup: FileLookup, layout: Layout) -> _Plan:
    """Find the header and the columns."""
    first, width = head[0], len(head[0])
    header = _has_header(head, lookup, layout)
    counted = column_values(sheet.rows(), width, skip=int(header))
    if header and not _is_named(first, layout):  # a first row whose file is missing, or a header?
        header = not any(counted.values[at].get(cell, 0) > 1 for at, cell in enumerate(first))
        counted = counted if header else column_values(sheet.rows(), width, skip=0)
    table = Table(shown(sheet.path), tuple(first) if header else ("",) * width, counted)
    given_label = (
        None
        if layout.label_column is None
        else column_by_option(table, "--label-column", layout.label_column)
    )
    if layout.path_column is not None:
        path = column_by_option(table, "--path-column", layout.path_column)
        if path == given_label:
            raise CnncliError(
                f"--path-column and --label-column both name {table.column(path)} of {table.file}; "
                "expected two columns",
                "Give one of them another value.",
            )
    else:
        path = _find_path(table, lookup, excluding=given_label)
    split = find_split(table, (path, given_label), use=layout.splits)
    label = find_label(table, path, split) if given_label is None else given_label
    if given_label is None:
        _check_competing_labels(table, sheet, header, label, competing_labels(table, label, path, split))
    splits, odd = split_words(table, split) if split is not None else ({}, "")
    columns_used = f"images by {table.column(path)}, classes by {table.column(label)}"
    if split is not None:
        columns_used += f", splits by {table.column(split)}" + (f": {odd}" if odd else "")
    warnings = []
    if counted.is_unique(label):
        warnings.append(
            f"{table.column(label)} has a different class in each of {counted.present(label):,} rows"
        )
    return _Plan(
        header=header,
        width=width,
        path=table.column(path),
        label=table.column(label),
        split=None if split is None else table.column(split),
        splits=splits,
        class_names=class_of_label(counted.values[label], str(table.column(label)), table.file),
        columns_used=columns_used,
        warnings=tuple(warnings),
    )


def _is_named(first: Row, layout: Layout) -> bool:
    """Whether the first row contains usual column names or those named by the user."""
    asked = [plain(name) for name in (layout.label_column, layout.path_column) if name is not None]
    return is_header(first) or any(plain(cell) in asked for cell in first if cell)


def _has_header(head: list[Row], lookup: FileLookup, layout: Layout) -> bool:
    first, second = head[0], head[1] if len(head) > 1 else []
    if any(looks_like_image(cell) or lookup.find_exact(cell) for cell in first):
        return False
    if _is_named(first, layout):
        return True
    if any(looks_like_image(cell) or lookup.find_exact(cell) for cell in second):
        return True
    return any(lookup.find(cell) for cell in second) and not any(lookup.find(cell) for cell in first)


def _find_path(table: Table, lookup: FileLookup, *, excluding: int | None) -> int:
    """The column of images: by name and by existing files, else the only one that names files."""
    sample = table.column_values.sample
    named = [at for at in table.with_names(PATHS) if at != excluding]
    free = table.others(excluding)
    there = [at for at in free if any(lookup.find_exact(row[at]) for row in sample)]
    looks = [at for at in free if any(looks_like_image(row[at]) for row in sample)]
    for candidates in (
        [at for at in named if at in there],
        there,
        [at for at in named if at in looks],
        looks,
        [at for at in named if any(lookup.find(row[at]) for row in sample)],
        named[:1],
        [at for at in free if any(lookup.find(row[at]) for row in sample)],
    ):
        if candidates:
            return _same_files(table, lookup, candidates)
    raise CnncliError(
        f"no column of {table.file} names an image file, and none is a text; expected one or the other",
        "Write a row for each image or text, or name a column of texts with --text-column.",
    )


def _same_files(table: Table, lookup: FileLookup, candidates: list[int]) -> int:
    """The first of several columns, all of which must name the same files."""
    for at in candidates[1:]:
        if any(lookup.find(row[at]) != lookup.find(row[candidates[0]]) for row in table.column_values.sample):
            columns = joined([str(table.column(each)) for each in sorted(candidates)])
            raise CnncliError(
                f"{columns} of {table.file} could all be the image; expected one",
                "Use --path-column NAME, or its number from 1.",
            )
    return candidates[0]


def _check_competing_labels(table: Table, sheet: Sheet, header: bool, label: int, others: list[int]) -> None:
    """Refuse to choose between columns that are named as labels but group the images differently."""
    pairs: dict[int, set[tuple[str, str]]] = {at: set() for at in others}
    for _, row in islice(sheet.rows() if others else (), int(header), None):
        cells = fitted(row, table.column_values.width)
        for at, found in pairs.items():
            if cells is not None:
                found.add((cells[label], cells[at]))
    for at, found in pairs.items():
        if len(found) > min(len({a for a, _ in found}), len({b for _, b in found})):
            raise CnncliError(
                f"{table.column(label)} and {table.column(at)} of {table.file} could both be the class, and "
                "group the images differently; expected one",
                "Use --label-column NAME, or its number from 1.",
            )


def _read(sheet: Sheet, plan: _Plan, lookup: FileLookup) -> _Rows:
    """Read the rows, and find the file of each."""
    rows = _Rows()
    for number, row in islice(sheet.rows(), int(plan.header), None):
        if len(rows.skipped) > _MOST_SKIPPED:
            first = rows.skipped[0]
            raise CnncliError(
                f"more than {_MOST_SKIPPED:,} rows of {shown(sheet.path)} cannot be used; the first: "
                f"{first.path}, {first.reason}",
                _EXPECTED,
            )
        cells = fitted(row, plan.width)
        if cells is None or len(row) <= max(plan.path.at, plan.label.at):
            reason = f"{len(row)} columns; expected {plan.width}"
            rows.skipped.append(Skipped(f"{shown(sheet.path)}:{number}", reason))
        else:
            _add_row(rows, plan, lookup, cells, number)
    return rows


def _add_row(rows: _Rows, plan: _Plan, lookup: FileLookup, cells: Row, number: int) -> None:
    cell, label = cells[plan.path.at], cells[plan.label.at]
    word = "" if plan.split is None else cells[plan.split.at]
    if is_missing(label) or (plan.split is not None and is_missing(word)):
        rows.unlabelled += is_missing(label)
        rows.without_split += not is_missing(label)
        return
    file = lookup.find(cell)
    if file is None:
        rows.skipped.append(Skipped(shown(lookup.folder / cell), f"no such file (row {number})"))
    elif isinstance(file, AmbiguousName):
        names = joined([str(path) for path in file.paths])
        rows.skipped.append(Skipped(shown(cell), f"it could be {names} (row {number})"))
    else:
        name = plan.class_names.get(label) or class_name(label)
        split = "train" if plan.split is None else plan.splits[word]
        known = rows.files.get(file)
        if known is None:
            rows.files[file] = name, split
        elif known[0] != name:
            rows.conflicting[file] = f"{shown(cell)} ({shown(known[0])} and {shown(name)})"
        elif known[1] != split:
            rows.shared.add(file)
        else:
            rows.repeated += 1
        if file != lookup.folder / cell:
            rows.inexact += 1
            rows.first_inexact = rows.first_inexact or f"{shown(cell)} is {shown(file)}"


def _inexact_names(rows: _Rows) -> tuple[str, ...]:
    if not rows.inexact:
        return ()
    return (
        f"{rows.inexact:,} names lack the suffix or folder, or differ from those on disk: "
        f"{rows.first_inexact}",
    )


def _row_warnings(rows: _Rows, plan: _Plan) -> Iterator[str]:
    if rows.conflicting:
        yield (
            f"{len(rows.conflicting):,} files are listed with two labels and are left out: "
            f"{listed([*rows.conflicting.values()])}"
        )
    if rows.repeated:
        yield f"{rows.repeated:,} rows repeat a file and count once"
    if rows.shared:
        names = [shown(path) for path in sorted(rows.shared)]
        yield f"{len(names):,} files are listed in two splits and count in the first: {listed(names)}"
    if rows.unlabelled:
        yield f"{rows.unlabelled:,} rows have no label in {plan.label} (empty or nan): left out"
    if rows.without_split:
        yield f"{rows.without_split:,} rows have no split in {plan.split}: left out"
