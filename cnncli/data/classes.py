"""Class names from any source: normalised accents, a defined order, and missing labels."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from cnncli.data.split_names import joined
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_MISSING = ("", "nan", "<na>")  # an empty cell, and what pandas and NumPy write for one


def class_name(text: str) -> str:
    """Normalise a class name: accents composed (NFC), surrounding spaces removed."""
    return unicodedata.normalize("NFC", text).strip()


def is_missing(text: str) -> bool:
    """Whether a label means that there is none."""
    return text.strip().casefold() in _MISSING


def ordered(names: Iterable[str]) -> list[str]:
    """Sort by number where every name is a whole number of up to 18 digits, else by name."""
    distinct = set(names)
    if all(_WHOLE.fullmatch(name) for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)


def case_warnings(names: Iterable[str]) -> list[str]:
    """Warnings about classes whose names differ only in case."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[name.casefold()].append(name)
    return [
        f"{joined(sorted(same))} differ by case only and count as {len(same)} classes"
        for same in alike.values()
        if len(same) > 1
    ]


def class_of_label(labels: Iterable[str], column: str, table: str) -> dict[str, str]:
    """Class names for labels that are written as decimals (``1.0`` is class 1); empty for other labels.

    Raises
    ------
    CnncliError
        Where all labels are numbers but not all of them are whole: they are measurements, not classes.
    """
    texts = list(labels)
    if not any("." in text for text in texts) or not all(_DECIMAL.fullmatch(text) for text in texts):
        return {}
    if broken := [text for text in texts if not float(text).is_integer()]:
        what = "not whole numbers" if len(broken) > 1 else "not a whole number"
        raise CnncliError(
            f"{column} of {table} holds {joined([shown(text) for text in broken], 2)}, {what}; "
            "expected classes",
            "Name another column with --label-column, or write names for the classes.",
        )
    return {text: str(int(float(text))) for text in texts}
