"""Names of classes, wherever they are read: one spelling of accents, one order, what is no name at all."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from cnncli.data.words import joined

_WHOLE = re.compile(r"-?\d+", re.ASCII)
_MISSING = ("", "nan", "<na>")  # an empty cell, and what pandas and NumPy write for one


def class_name(text: str) -> str:
    """One name for all its spellings: accents in one letter (NFC), nothing around it."""
    return unicodedata.normalize("NFC", text).strip()


def is_missing(text: str) -> bool:
    """Whether a label says that there is none."""
    return text.strip().casefold() in _MISSING


def ordered(names: Iterable[str]) -> list[str]:
    """By number where every name is a whole number, else by name."""
    distinct = set(names)
    if all(_WHOLE.fullmatch(name) for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)


def doubtful(names: Iterable[str]) -> list[str]:
    """Warnings of classes that differ in nothing but case."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[name.casefold()].append(name)
    return [
        f"{joined(sorted(same))} differ by case only and count as {len(same)} classes"
        for same in alike.values()
        if len(same) > 1
    ]
