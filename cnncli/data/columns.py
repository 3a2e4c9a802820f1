"""Find the columns of a table that hold image, class and split: first by name, then by content."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnncli.data.column_values import ColumnValues
from cnncli.data.split_names import assigned, joined, meaning_note, plain, split_of, unknown_words
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

PATHS = (
    "path", "paths", "filepath", "filepaths", "file_path", "file_paths", "file", "files", "filename",
    "filenames", "file_name", "file_names", "image_path", "image_paths", "image_file", "image_name",
    "image_filename", "image", "images", "img", "imgs", "img_path", "img_name", "picture", "pictures",
    "photo", "photos", "fname", "name", "names", "image_id", "imageid", "image_ids", "id_code", "id", "ids",
)  # fmt: skip
PIXELS = ("pixels", "pixel_values")
TEXTS = (
    "text", "texts", "sentence", "sentences", "review", "reviews", "comment", "comments", "tweet", "tweets",
    "message", "messages", "document", "documents", "content", "body", "review_text", "comment_text",
    "tweet_text", "reviewtext", "phrase", "utterance", "question", "headline",
)  # fmt: skip
_LABELS = (
    "label", "labels", "class", "classes", "class_name", "classname", "class_names", "label_name", "target",
    "targets", "category", "categories", "category_name", "class_id", "classid", "label_id", "labelid",
    "category_id", "ground_truth",
)  # fmt: skip
_RARER_LABELS = (
    "y", "digit", "digits", "emotion", "emotions", "expression", "sentiment", "polarity", "intent",
)  # fmt: skip
_SPLITS = (
    "split", "splits", "subset", "subsets", "set", "partition", "usage", "phase", "data_split", "train_test",
)  # fmt: skip
_WORDS = frozenset((*PATHS, *PIXELS, *TEXTS, *_LABELS, *_RARER_LABELS, *_SPLITS))
_YES, _NO = ("true", "yes", "1", "1_0"), ("false", "no", "0", "0_0")
_LABEL_HINT = "Use --label-column NAME, or its number from 1."


@dataclass(frozen=True)
class Column:
    """A column of a table: its index from 0, and its name, empty where there is no header."""

    at: int
    name: str

    def __str__(self) -> str:
        return f"column {self.at + 1}" + (f" ({shown(self.name)})" if self.name else "")


@dataclass(frozen=True)
class Table:
    """A table whose columns are to be identified.

    Attributes
    ----------
    file : str
        Its name in messages.
    names : tuple of str
        The cells of the header; empty strings where there is none.
    column_values : ColumnValues
        The values in the rows.
    """

    file: str
    names: tuple[str, ...]
    column_values: ColumnValues

    def column(self, at: int) -> Column:
        """A column by its index."""
        return Column(at, self.names[at])

    def with_names(self, words: Sequence[str], excluding: Sequence[int] = ()) -> list[int]:
        """Indices of the columns whose names are among these words, in the order of the words."""
        names = [plain(name) for name in self.names]
        return [at for word in words for at, name in enumerate(names) if name == word and at not in excluding]

    def others(self, *excluding: int | None) -> list[int]:
        """All columns but these."""
        return [at for at in range(self.column_values.width) if at not in excluding]


def is_header(row: Sequence[str]) -> bool:
    """Whether a row contains a usual column name."""
    return any(plain(cell) in _WORDS for cell in row)


def is_label(name: str) -> bool:
    """Whether a column has a usual name for labels."""
    return plain(name) in (*_LABELS, *_RARER_LABELS)


def column_by_option(table: Table, option: str, value: str) -> int:
    """The column that an option names, by its header or by its number from 1.

    Raises
    ------
    CnncliError
        Where there is no such column, or more than one.
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
        f"{option} is {shown(value)}, but {table.file} has {'several columns' if found else 'no column'} of "
        f"that name; expected {f'one of {header}, or ' if header else ''}"
        f"a number from 1 to {table.column_values.width}",
        f"Give {option} another value.",
    )


def find_label(table: Table, image: int, split: int | None) -> int:
    """The column that holds the class of each image.

    A column with one of the usual names is chosen; of several, one with names is preferred to one with
    numbers. Without such a name, it must be the only column whose values are neither all equal nor all
    different.

    Raises
    ------
    CnncliError
        Where no column or more than one can be the class.
    """
    counts = table.column_values.values
    for words in (_LABELS, _RARER_LABELS):
        if named := table.with_names(words, excluding=[image] if split is None else [image, split]):
            texts = [at for at in named if not table.column_values.are_numbers(at)]
            return (texts or named)[0]
    rest = table.others(image, split)
    if not rest:
        what = (
            "one column"
            if table.column_values.width == 1
            else "no column other than those of images and splits"
        )
        raise CnncliError(
            f"{table.file} has {what}; expected a path and a label",
            "Write a row for each image: its path and its label, or its label and its pixels.",
        )
    candidates = [at for at in rest if len(counts[at]) > 1 and not table.column_values.is_unique(at)]
    if len(candidates) == 1 or (
        not candidates and len(rest) == 1 and not table.column_values.is_unique(rest[0])
    ):
        return (candidates or rest)[0]
    columns = [str(table.column(at)) for at in candidates or rest]
    if not candidates:
        raise CnncliError(
            f"no column of {table.file} can be the class: {joined(columns)} "
            f"{'has' if len(rest) == 1 else 'have'} a different value in each row, or the same in all; "
            "expected a column of classes",
            _LABEL_HINT,
        )
    if _is_one_hot(table, candidates):
        raise CnncliError(
            f"{joined(columns)} of {table.file} could be one label in one-hot columns, or several "
            "yes-or-no labels; expected one column of classes",
            "Write the name of the class into one column called label, or name one with --label-column.",
        )
    raise CnncliError(f"{joined(columns)} of {table.file} could all be the class; expected one", _LABEL_HINT)


def competing_labels(table: Table, label: int, image: int, split: int | None) -> list[int]:
    """Other columns with usual names for labels, of the same rank of names."""
    excluding = [at for at in (label, image, split) if at is not None]
    words = _LABELS if plain(table.names[label]) in _LABELS else _RARER_LABELS
    return table.with_names(words, excluding=excluding) if plain(table.names[label]) in words else []


def _is_one_hot(table: Table, columns: Sequence[int]) -> bool:
    binary = {"0", "1", "0.0", "1.0"}
    return len(columns) > 1 and all(set(table.column_values.values[at]) <= binary for at in columns)


def find_split(table: Table, taken: Sequence[int | None], *, use: bool | None) -> int | None:
    """The column that divides the images into splits; None where there is none or ``use`` is False.

    It is found by name, or by its values where all of them are words for splits and one means training.

    Raises
    ------
    CnncliError
        Where more than one can be the split, or ``use`` is True and there is none.
    """
    if use is False:
        return None
    free = [
        at
        for at in table.others(*taken)
        if plain(table.names[at]) in _SPLITS or _flagged(table.names[at]) is not None
    ]
    if not free:
        labels = table.with_names((*_LABELS, *_RARER_LABELS))
        free = [at for at in table.others(*taken, *labels) if _says_splits(table.column_values.values[at])]
    if len(free) > 1:
        raise CnncliError(
            f"{joined([str(table.column(at)) for at in free])} of {table.file} could all be the split; "
            "expected one",
            "Rename those that are not, or use --no-splits to divide the images anew.",
        )
    if use and not free:
        raise CnncliError(
            f"--splits: no column of {table.file} is named split or holds words for splits; expected one",
            "Call the column split, or leave --splits out.",
        )
    return free[0] if free else None


def _flagged(name: str) -> str | None:
    """The split that a yes-or-no column such as ``is_valid`` or ``is_test`` refers to."""
    return split_of(plain(name).removeprefix("is_")) if plain(name).startswith("is_") else None


def _says_splits(values: dict[str, int]) -> bool:
    found = {split_of(word) for word in values}
    return len(found) > 1 and "train" in found and None not in found


def split_words(table: Table, split: int) -> tuple[dict[str, str], str]:
    """What each value of the split column means, and a note where that is not obvious.

    Raises
    ------
    CnncliError
        Where a value is not a word for a split.
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
            "Write train, val and test, or use --no-splits to divide the images anew.",
        )
    return meaning, meaning_note(meaning)
