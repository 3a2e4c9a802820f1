"""Layer 0: JSON, in and out. What comes from outside is taken apart into values known to be in order.

A checkpoint, a run's description or a kernel file may be damaged, edited or made to do harm. What is read
from one is therefore asked for by name, type and range, and the first value that is none of these raises
`MalformedError`, whose text names it: nothing behind this module meets a number that is no number, a list
where text should be, or a count of 10^30.
"""

import math
from collections.abc import Set
from typing import Any, TypeVar

from cnncli.text import inert

Kind = TypeVar("Kind")

_MOST_SHOWN = 60  # characters of a wrong value that a message shows
_DEEPEST = 64  # lists in lists


class MalformedError(ValueError):
    """A value is missing, of another type or out of range; the text says which, and what was expected."""


def parse_json(data: bytes | str) -> Any:
    """Read JSON.

    ``NaN`` and ``Infinity``, which some programs write and JSON does not know, become None.

    Raises
    ------
    MalformedError
        Where it is not JSON, not UTF-8, nested more than 64 deep, or holds a number of thousands of digits.
    """
    import json

    try:
        found = json.loads(data, parse_constant=lambda _: None)
        # The text of a small value may stand for a great one: 1e999 is infinite.
        _check(found, _DEEPEST)
    except RecursionError:
        raise MalformedError("it is nested too deep") from None
    except UnicodeDecodeError as error:
        raise MalformedError(f"byte {error.start + 1} is not UTF-8") from None
    except MalformedError:
        raise
    except json.JSONDecodeError as error:
        raise MalformedError(f"it is not JSON: {error}") from None
    except ValueError:  # Python turns no more than 4,300 digits into a number
        raise MalformedError("it holds a number of thousands of digits") from None
    return found


def as_json(value: object) -> str:
    r"""Write JSON on one line, letters as they are; a number that is none becomes null.

    What a terminal would obey, and half a surrogate pair, is stated as ``\uNNNN``.

    Parameters
    ----------
    value : object
        Of dicts, lists, tuples, texts and plain numbers.
    """
    import json

    compact: Any = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    try:
        text = json.dumps(value, **compact)
    except ValueError:
        text = json.dumps(_finite(value), **compact)
    return inert(text)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check(value: Any, left: int) -> None:
    if isinstance(value, dict | list):
        if not left:
            raise MalformedError(f"it is nested more than {_DEEPEST} deep")
        for each in value.values() if isinstance(value, dict) else value:
            _check(each, left - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise MalformedError("it holds a number beyond the range of floats")


class Fields:
    """An object of JSON whose values are asked for one by one.

    Parameters
    ----------
    value : object
        What was read; anything but a dict is refused.
    where : str
        What messages call it, such as ``preprocessing``; empty for a file's outermost object.
    """

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, dict):
            raise MalformedError(
                f"{where or 'it'} is {_brief(value)}; expected an object with names and values"
            )
        self._values, self._where = value, where

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def only(self, names: Set[str]) -> None:
        """Refuse names that are unknown, and the lack of known ones."""
        if wrong := sorted(self._values.keys() ^ names):
            raise MalformedError(
                f"{', '.join(map(_brief, wrong[:5]))}: unknown or missing in {self._where or 'it'}"
            )

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        return _whole(self._get(name), self._named(name), low, high)

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number from ``low`` to ``high``."""
        return _number(self._get(name), self._named(name), low, high)

    def optional_number(self, name: str) -> float | None:
        """A finite number, or None where there is none."""
        return None if self._get(name) is None else self.number(name)

    def text(self, name: str) -> str:
        """A text."""
        return _of_type(self._get(name), str, self._named(name), "text")

    def optional_text(self, name: str) -> str | None:
        """A text, or None where there is none."""
        return None if self._get(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """True or False."""
        return _of_type(self._get(name), bool, self._named(name), "true or false")

    def fields(self, name: str) -> "Fields":
        """An object within this one."""
        return Fields(self._get(name), self._named(name))

    def record(self, name: str) -> dict[str, Any]:
        """An object that is kept as it is, for people to read."""
        return dict(_of_type(self._get(name), dict, self._named(name), "an object"))

    def optional_record(self, name: str) -> dict[str, Any] | None:
        """The same, or None."""
        return None if self._get(name) is None else self.record(name)

    def rows(self, name: str) -> list["Fields"]:
        """A list of objects."""
        return [Fields(each, f"{self._named(name)}[{at}]") for at, each in enumerate(self._list(name))]

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(_of_type(each, str, self._named(name), "a list of texts") for each in self._list(name))

    def wholes(self, name: str, count: int | None, low: int, high: int) -> tuple[int, ...]:
        """A list of so many whole numbers, or of any number (None)."""
        return tuple(_whole(each, self._named(name), low, high) for each in self._list(name, count))

    def numbers(
        self, name: str, count: int, low: float = -math.inf, high: float = math.inf
    ) -> tuple[float, ...]:
        """A list of so many finite numbers."""
        return tuple(_number(each, self._named(name), low, high) for each in self._list(name, count))

    def raw(self) -> dict[str, Any]:
        """All of it, as it was read: JSON's own types, finite numbers."""
        return dict(self._values)

    def _named(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def _get(self, name: str) -> object:
        if name not in self._values:
            raise MalformedError(f"{self._named(name)} is missing")
        return self._values[name]

    def _list(self, name: str, count: int | None = None) -> list[object]:
        found: list[object] = _of_type(self._get(name), list, self._named(name), "a list")
        if count is not None and len(found) != count:
            raise MalformedError(f"{self._named(name)} has {len(found):,} values; expected {count}")
        return found


def _whole(value: object, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(f"{name} is {_brief(value)}; expected a whole number from {low:,} to {high:,}")
    return value


def _number(value: object, name: str, low: float, high: float) -> float:
    try:
        number = float(value) if type(value) in (int, float) else math.nan  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and low <= number <= high):
        limits = f" from {low:g} to {high:g}" if math.isfinite(low) or math.isfinite(high) else ""
        raise MalformedError(f"{name} is {_brief(value)}; expected a number{limits}")
    return number


def _of_type(value: object, kind: type[Kind], name: str, expected: str) -> Kind:
    if not isinstance(value, kind):
        raise MalformedError(f"{name} is {_brief(value)}; expected {expected}")
    return value


def _brief(value: object) -> str:
    """A value for a message, cut where it is long."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    import json

    try:
        text = json.dumps(value, ensure_ascii=False)
    except ValueError:  # more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}… ({len(text):,} characters)"
