"""Tables whose rows hold a text and a label."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_splits
from cnncli.data.class_labels import TextLabels
from cnncli.data.classes import case_warnings, class_name, class_of_label, is_missing, ordered
from cnncli.data.column_values import column_values, fitted, is_number
from cnncli.data.columns import (
    TEXTS,
    Column,
    Table,
    column_by_option,
    find_label,
    find_split,
    is_header,
    split_words,
)
from cnncli.data.file_lookup import FileLookup, looks_like_image
from cnncli.data.layout import Layout
from cnncli.data.model import Dataset, Skipped
from cnncli.data.sheet import Row, Sheet
from cnncli.data.split_names import joined, plain
from cnncli.data.texts import LONGEST, WordList, texts_of
from cnncli.data.words import words_of
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_SAMPLE = 50  # rows by which a table is recognised
_PROSE = 3  # words of a cell, on average, from which a column is one of texts
_LONG_ROW = 100  # lines of one row from which a quotation mark may have been left open
_EXPECTED = "Write a row for each text: its label and the text, with a header such as label,text."


def holds_texts(sheet: Sheet, head: list[Row], lookup: FileLookup, layout: Layout) -> bool:
    """Tell whether a table is one of texts: nothing in it names an image, and a column is prose.

    Parameters
    ----------
    sheet : Sheet
        The table.
    head : list of list of str
        Its first rows.
    lookup : FileLookup
        Finds files beside it.
    layout : Layout
        What the user says about columns.
    """
    if layout.text_column is not None:
        return True
    if layout.path_column is not None:
        return False
    with closing(sheet.rows()) as rows:
        sample = [row for _, row in islice(rows, _SAMPLE)]
    if any(looks_like_image(cell) or lookup.find_exact(cell) for row in sample for cell in row):
        return False
    named = [at for at, cell in enumerate(head[0]) if plain(cell) in TEXTS]
    return bool(named) or bool(_prose(sample, len(head[0])))


def _prose(sample: list[Row], width: int) -> list[int]:
    """Columns whose cells are sentences."""
    found = []
    for at in range(width):
        cells = [row[at] for row in sample if len(row) > at and row[at]]
        words = sum(len(words_of(cell)) for cell in cells if not is_number(cell))
        if cells and words >= _PROSE * len(cells):
            found.append(at)
    return found


@dataclass(frozen=True)
class _PlainSheet(Sheet):
    """A table in which every line is a row, and tabs stand between its cells: quotation marks are text.

    A cell that is quoted as a whole, as Excel writes it, loses its marks.
    """

    def rows(self) -> Generator[tuple[int, Row], None, None]:
        """As of `Sheet`."""
        for number, line in enumerate(self.lines(), 1):
            cells = [_unquoted(cell.strip()) for cell in line.rstrip("\r\n").split("\t")]
            if any(cells):
                yield number, cells


def _unquoted(cell: str) -> str:
    if len(cell) < 2 or not cell.startswith('"') or not cell.endswith('"'):
        return cell
    inner = cell[1:-1].replace('""', "\0")
    return cell if '"' in inner else inner.replace("\0", '"')


def _as_lines(sheet: Sheet) -> Sheet:
    """The same table, read line by line where all lines of a tab-separated one have as many cells."""
    if sheet.delimiter != "\t":
        return sheet
    with closing(sheet.lines()) as lines:
        tabs = {line.count("\t") for line in lines if line.strip()}
    if len(tabs) != 1 or sheet.has_separator_line:
        return sheet
    return _PlainSheet(sheet.path, sheet.encoding, sheet.delimiter, has_separator_line=False)


@dataclass(frozen=True)
class _Plan:
    """How a table of texts is read; attributes as for a table of paths."""

    header: bool
    width: int
    text: Column
    label: Column
    split: Column | None
    splits: dict[str, str]
    class_names: dict[str, str]
    columns_used: str


@dataclass
class _Rows:
    """The contents of the rows: of each split the words, classes and names of its texts; what is left out."""

    words: dict[str, list[list[str]]] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    empty: int = 0
    unlabelled: int = 0
    without_split: int = 0
    cut: int = 0
    longest_row: tuple[int, int] = (0, 0)  # lines, number of the last


def load_texts(sheet: Sheet, load_options: LoadOptions) -> Dataset:
    """Read a table of texts.

    Raises
    ------
    CnncliError
        Where its columns are ambiguous, or nothing can be learned from them.
    """
    sheet = _as_lines(sheet)
    plan = _make_plan(sheet, load_options.layout)
    rows = _read(sheet, plan)
    classes = ordered(name for names in rows.classes.values() for name in names)
    if not classes:
        reason = f"; the first: {rows.skipped[0].sentence}" if rows.skipped else ""
        raise CnncliError(
            f"no row of {shown(sheet.path)} has both a text and a label ({plan.columns_used}){reason}",
            _EXPECTED,
        )
    numbers = {name: at for at, name in enumerate(classes)}
    class_names = tuple(shown(name) for name in classes)
    known = WordList()
    parts = {}
    for part, words in rows.words.items():
        labels = np.array([numbers[name] for name in rows.classes[part]], np.int64)
        targets = TextLabels(labels, class_names)
        parts[part] = texts_of(words, targets, rows.names[part], known=known, label=part)
    count = sum(map(len, parts.values()))
    description = DatasetDescription(
        name=sheet.path.name.split(".")[0] or "data",
        provenance=f"{count:,} texts of {len(classes):,} classes in {shown(sheet.path)}: {plan.columns_used}",
        warnings=(*_warnings(rows, plan), *case_warnings(classes)),
        skipped=tuple(rows.skipped),
        files=(sheet.path,),
    )
    return from_splits(description, parts, load_options)


def _make_plan(sheet: Sheet, layout: Layout) -> _Plan:
    with closing(sheet.rows()) as rows:
        first = next(row for _, row in rows)
    asked = [plain(name) for name in (layout.label_column, layout.text_column) if name is not None]
    header = is_header(first) or any(plain(cell) in asked for cell in first if cell)
    counted = column_values(sheet.rows(), len(first), skip=int(header))
    table = Table(shown(sheet.path), tuple(first) if header else ("",) * len(first), counted)
    label = None
    if layout.label_column is not None:
        label = column_by_option(table, "--label-column", layout.label_column)
    text = _find_text(table, layout, label)
    split = find_split(table, (text, label), use=layout.splits)
    label = find_label(table, text, split) if label is None else label
    splits, odd = split_words(table, split) if split is not None else ({}, "")
    columns_used = f"texts by {table.column(text)}, classes by {table.column(label)}"
    if split is not None:
        columns_used += f", splits by {table.column(split)}" + (f": {odd}" if odd else "")
    return _Plan(
        header,
        len(first),
        table.column(text),
        table.column(label),
        None if split is None else table.column(split),
        splits,
        class_of_label(counted.values[label], str(table.column(label)), table.file),
        columns_used,
    )


def _find_text(table: Table, layout: Layout, label: int | None) -> int:
    """The column of texts: as the user says, by its name, or the only one that is prose."""
    if layout.text_column is not None:
        text = column_by_option(table, "--text-column", layout.text_column)
        if text == label:
            raise CnncliError(
                f"--text-column and --label-column both name {table.column(text)} of {table.file}; "
                "expected two columns",
                "Give one of them another value.",
            )
        return text
    found = table.with_names(TEXTS, excluding=[] if label is None else [label])
    found = found or [at for at in _prose(table.column_values.sample, len(table.names)) if at != label]
    if len(found) != 1:
        columns = joined([str(table.column(at)) for at in sorted(found)]) or "no column"
        raise CnncliError(
            f"{columns} of {table.file} could {'all ' if found else ''}be the text; expected one",
            "Use --text-column NAME, or its number from 1.",
        )
    return found[0]


def _read(sheet: Sheet, plan: _Plan) -> _Rows:
    rows, before = _Rows(), 0
    for number, row in islice(sheet.rows(), int(plan.header), None):
        rows.longest_row = max(rows.longest_row, (number - before, number))
        before = number
        name = f"{shown(sheet.path.name)}:{number}"
        cells = fitted(row, plan.width)
        if cells is None or len(row) <= max(plan.text.at, plan.label.at):
            rows.skipped.append(Skipped(name, f"{len(row)} columns; expected {plan.width}"))
        elif any("\udc80" <= letter <= "\udcff" for letter in cells[plan.text.at]):
            rows.skipped.append(Skipped(name, "bytes that are not UTF-8"))
        else:
            _add_row(rows, plan, cells, name)
    return rows


def _add_row(rows: _Rows, plan: _Plan, cells: Row, name: str) -> None:
    label = cells[plan.label.at]
    word = "" if plan.split is None else cells[plan.split.at]
    words = words_of(cells[plan.text.at])
    if is_missing(label):
        rows.unlabelled += 1
    elif plan.split is not None and is_missing(word):
        rows.without_split += 1
    elif not words:
        rows.empty += 1
    else:
        part = "train" if plan.split is None else plan.splits[word]
        rows.cut += len(words) > LONGEST
        rows.words.setdefault(part, []).append(words)
        rows.classes.setdefault(part, []).append(plan.class_names.get(label) or class_name(label))
        rows.names.setdefault(part, []).append(name)


def _warnings(rows: _Rows, plan: _Plan) -> Iterator[str]:
    lines, last = rows.longest_row
    if lines > _LONG_ROW:
        yield (
            f"one row spans {lines:,} lines, up to line {last:,}: "
            "a quotation mark may have been left open there"
        )
    if rows.cut:
        yield f"{rows.cut:,} texts have more than {LONGEST:,} words: what comes after them is left out"
    if rows.empty:
        yield f"{rows.empty:,} rows have no text in {plan.text}: left out"
    if rows.unlabelled:
        yield f"{rows.unlabelled:,} rows have no label in {plan.label} (empty or nan): left out"
    if rows.without_split:
        yield f"{rows.without_split:,} rows have no split in {plan.split}: left out"
