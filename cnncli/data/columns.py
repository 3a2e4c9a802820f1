"""Which column of a table holds the image, which the class, which the split: by name first."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnncli.data.column_values import ColumnValues
from cnncli.data.split_names import assigned, joined, meaning_note, plain, split_of, unknown_words
from cnncli.errors import CnncliError
from cnncli.images.faults import shown

PATHS = (
    "path", "paths", "filepath", "filepaths", "file_path", "file_paths", "file", "files", "filename",
    "filenames", "file_name", "file_names", "image_path", "image_paths", "image_file", "image_name",
    "image_filename", "image", "images", "img", "imgs", "img_path", "img_name", "picture", "pictures",
    "photo", "photos", "fname", "name", "names", "image_id", "imageid", "image_ids", "id_code", "id", "ids",
)  # fmt: skip
PIXELS = ("pixels", "pixel_values")
_LABELS = (
    "label", "labels", "class", "classes", "class_name", "classname", "class_names", "label_name", "target",
    "targets", "category", "categories", "category_name", "class_id", "classid", "label_id", "labelid",
    "category_id", "ground_truth",
)  # fmt: skip
_RARER_LABELS = ("y", "digit", "digits", "emotion", "emotions", "expression")
_SPLITS = (
    "split", "splits", "subset", "subsets", "set", "partition", "usage", "phase", "data_split", "train_test",
)  # fmt: skip
_WORDS = frozenset((*PATHS, *PIXELS, *_LABELS, *_RARER_LABELS, *_SPLITS))
_YES, _NO = ("true", "yes", "1", "1_0"), ("false", "no", "0", "0_0")
_ASKED = "Say --label-column NAME, or its number from 1."


@dataclass(frozen=True)
class Column:
    """A column of a table: its place from 0, and its name, empty where there is no header."""

    at: int
    name: str

    def __str__(self) -> str:
        return f"column {self.at + 1}" + (f" ({shown(self.name)})" if self.name else "")


@dataclass(frozen=True)
class Table:
    """A table whose columns are looked for.

    Attributes
    ----------
    file : str
        As messages call it.
    names : tuple of str
        The header's cells, empty ones where there is none.
    column_values : ColumnValues
        What the rows hold.
    """

    file: str
    names: tuple[str, ...]
    column_values: ColumnValues

    def column(self, at: int) -> Column:
        """A column by its place."""
        return Column(at, self.names[at])

    def called(self, words: Sequence[str], but: Sequence[int] = ()) -> list[int]:
        """Columns whose names are among these words, the first word first."""
        names = [plain(name) for name in self.names]
        return [at for word in words for at, name in enumerate(names) if name == word and at not in but]

    def others(self, *but: int | None) -> list[int]:
        """All columns but these."""
        return [at for at in range(self.column_values.width) if at not in but]


def is_header(row: Sequence[str]) -> bool:
    """Whether a row has a word by which columns are called."""
    return any(plain(cell) in _WORDS for cell in row)


def is_label(name: str) -> bool:
    """Whether a column is called as labels are."""
    return plain(name) in (*_LABELS, *_RARER_LABELS)


def chosen(table: Table, option: str, value: str) -> int:
    """The column that an option names: by the header's word, else by its number from 1.

    Raises
    ------
    CnncliError
        Where there is none, or more than one is called so.
    """
    exact = [at for at, name in enumerate(table.names) if name and name == value.strip()]
    found = exact or [at for at, name in enumerate(table.names) if name and plain(name) == plain(value)]
    if (
        not found
        and value.strip().isdecimal()
        and len(value) < 10
        and 1 <= int(value) <= table.column_values.width
    ):
        found = [int(value) - 1]
    if len(found) == 1:
        return found[0]
    header = joined([name for name in table.names if name], 20)
    raise CnncliError(
        f"{option} is {shown(value)}, which {'several columns' if found else 'no column'} of {table.file} "
        f"{'are' if found else 'is'} called; expected {f'one of {header}, or ' if header else ''}"
        f"a number of 1 to {table.column_values.width}",
        f"Give {option} another value.",
    )


def find_label(table: Table, image: int, split: int | None) -> int:
    """The column that holds the class of each image.

    A column by one of the usual names is taken; of several that name the same classes, the one with names
    rather than numbers. Without such a name it is the one column that can be it: not all of its values
    are the same, and not all are different.

    Raises
    ------
    CnncliError
        Where none or more than one can be it.
    """
    counts = table.column_values.values
    for words in (_LABELS, _RARER_LABELS):
        if named := table.called(words, but=[image] if split is None else [image, split]):
            texts = [at for at in named if not table.column_values.are_numbers(at)]
            return (texts or named)[0]
    rest = table.others(image, split)
    if not rest:
        what = (
            "one column" if table.column_values.width == 1 else "no column besides those of images and splits"
        )
        raise CnncliError(
            f"{table.file} has {what}; expected a path and a label",
            "Write a row for each image: its path and its label, or its label and its pixels.",
        )
    able = [at for at in rest if len(counts[at]) > 1 and not table.column_values.is_unique(at)]
    if len(able) == 1 or (not able and len(rest) == 1 and not table.column_values.is_unique(rest[0])):
        return (able or rest)[0]
    columns = [str(table.column(at)) for at in able or rest]
    if not able:
        raise CnncliError(
            f"no column of {table.file} can be the class: {joined(columns)} "
            f"{'has' if len(rest) == 1 else 'have'} a value of its own in each row, or one in all of them; "
            "expected a column of classes",
            _ASKED,
        )
    if _one_hot(table, able):
        raise CnncliError(
            f"{joined(columns)} of {table.file} could be one label in one-hot columns, or several "
            "yes-or-no labels; expected one column of classes",
            "Write the name of the class into one column called label, or name one with --label-column.",
        )
    raise CnncliError(f"{joined(columns)} of {table.file} could all be the class; expected one", _ASKED)


def rivals(table: Table, label: int, image: int, split: int | None) -> list[int]:
    """Other columns that are called as labels are, in the same rank of names."""
    but = [at for at in (label, image, split) if at is not None]
    words = _LABELS if plain(table.names[label]) in _LABELS else _RARER_LABELS
    return table.called(words, but=but) if plain(table.names[label]) in words else []


def _one_hot(table: Table, columns: Sequence[int]) -> bool:
    marks = {"0", "1", "0.0", "1.0"}
    return len(columns) > 1 and all(set(table.column_values.values[at]) <= marks for at in columns)


def find_split(table: Table, taken: Sequence[int | None], *, wanted: bool | None) -> int | None:
    """The column that divides the images; None where there is none, or it is not to be looked at.

    By name; or by its values, where they are words for splits and nothing else, one of them for training.

    Raises
    ------
    CnncliError
        Where more than one can be it, or one is asked for and there is none.
    """
    if wanted is False:
        return None
    free = [
        at
        for at in table.others(*taken)
        if plain(table.names[at]) in _SPLITS or _flagged(table.names[at]) is not None
    ]
    if not free:
        labels = table.called((*_LABELS, *_RARER_LABELS))
        free = [at for at in table.others(*taken, *labels) if _says_splits(table.column_values.values[at])]
    if len(free) > 1:
        raise CnncliError(
            f"{joined([str(table.column(at)) for at in free])} of {table.file} could all be the split; "
            "expected one",
            "Rename those that are not, or say --no-splits to divide the images anew.",
        )
    if wanted and not free:
        raise CnncliError(
            f"--splits: no column of {table.file} is called split or holds words for splits; expected one",
            "Call the column split, or leave --splits out.",
        )
    return free[0] if free else None


def _flagged(name: str) -> str | None:
    """The split that a column of yes and no is about: ``is_valid``, ``is_test``."""
    return split_of(plain(name).removeprefix("is_")) if plain(name).startswith("is_") else None


def _says_splits(values: dict[str, int]) -> bool:
    found = {split_of(word) for word in values}
    return len(found) > 1 and "train" in found and None not in found


def split_words(table: Table, split: int) -> tuple[dict[str, str], str]:
    """What each value of the column of splits means, and a note where that is not plain.

    Raises
    ------
    CnncliError
        Where a value means no split.
    """
    values = list(table.column_values.values[split])
    flag = _flagged(table.names[split])
    if flag in ("val", "test"):
        meaning = {word: flag if plain(word) in _YES else "train" for word in values}
        unknown = [word for word in values if plain(word) not in _YES + _NO]
    else:
        meaning, unknown = assigned(values)
    if unknown:
        rows = sum(table.column_values.values[split][word] for word in unknown)
        raise unknown_words(
            f"{table.column(split)} of {table.file}, {rows:,} rows",
            sorted(unknown),
            "Write train, val and test, or say --no-splits to divide the images anew.",
        )
    return meaning, meaning_note(meaning)
