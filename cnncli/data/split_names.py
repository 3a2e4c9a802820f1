"""Words for training, validation and test, for folders, tables, arrays and IDX files alike."""

import re
import unicodedata
from collections.abc import Collection, Iterable

from cnncli.errors import CnncliError
from cnncli.files.faults import shown

#: Split to the words that mean it, in any case; a space, dash or dot counts as an underscore.
SPLITS: dict[str, tuple[str, ...]] = {
    "train": ("train", "training", "train_set", "training_set", "seg_train", "fit"),
    "val": ("val", "valid", "validation", "dev", "eval", "val_set", "validation_set", "publictest"),
    "test": ("test", "testing", "test_set", "seg_test", "holdout", "evaluation", "privatetest", "t10k"),
}
_MEANING = {word: split for split, words in SPLITS.items() for word in words}
_NUMBERS = {"0": "train", "1": "val", "2": "test"}
_LISTED = 6  # names that are listed in a message


def plain(word: str) -> str:
    """Normalise a word: lower case, composed accents, parts joined by underscores."""
    return re.sub(r"[\s\-.]+", "_", unicodedata.normalize("NFC", word).strip().casefold())


def split_of(word: str) -> str | None:
    """The split that a word means on its own; None where it means none."""
    return _MEANING.get(plain(word))


def assigned(words: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The meaning of each word, considering the others.

    ``0``, ``1`` and ``2`` are training, validation and test where these three occur and nothing else.
    ``eval`` means test where another word means validation and none means test (train, dev, eval).

    Returns
    -------
    meaning, unknown
        Word to split; words that mean no split.
    """
    numbers = {word: re.sub(r"\.0+$", "", word.strip()) for word in words}
    if set(numbers.values()) == set(_NUMBERS):
        return {word: _NUMBERS[number] for word, number in numbers.items()}, []
    meaning = {word: split for word in words if (split := split_of(word)) is not None}
    others = {split for word, split in meaning.items() if plain(word) != "eval"}
    if others >= {"train", "val"} and "test" not in others:
        meaning |= {word: "test" for word in meaning if plain(word) == "eval"}
    return meaning, [word for word in words if word not in meaning]


def joined(names: Iterable[str], most: int = _LISTED) -> str:
    """Names joined for a sentence: a, b and c, or the first few and how many more."""
    listed = [shown(name) or "''" for name in names]
    if len(listed) > most:
        return f"{', '.join(listed[:most])} and {len(listed) - most:,} more"
    return " and ".join(filter(None, [", ".join(listed[:-1]), listed[-1]])) if listed else ""


def unknown_words(where: str, unknown: Collection[str], hint: str) -> CnncliError:
    """The error for words that mean no split."""
    verb = "means" if len(unknown) == 1 else "mean"
    known = ", ".join(f"{split} ({', '.join(words[1:])})" for split, words in SPLITS.items())
    return CnncliError(
        f"{where}: {joined(unknown)} {verb} no split; expected {known}, or 0, 1 and 2 together", hint
    )


def meaning_note(meaning: dict[str, str]) -> str:
    """The meaning of words that is not obvious, such as ``eval is test``; else empty."""
    odd = {word: split for word, split in meaning.items() if plain(word) != split}
    return ", ".join(
        f"{shown(word)} is {split}" for word, split in sorted(odd.items(), key=lambda each: each)
    )
