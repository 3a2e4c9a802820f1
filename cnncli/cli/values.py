"""The values of options, read from what the user wrote."""

from math import isfinite
from typing import Any

from cnncli.cli.exit_codes import UsageError


def choice(name: str, value: str | None, valid: tuple[str, ...]) -> Any:
    """Take one of several words; None stays None.

    Raises
    ------
    UsageError
        For another word; the nearest is suggested.
    """
    if value is None or value in valid:
        return value
    from cnncli.nearest import did_you_mean

    hint = did_you_mean(value, valid, form=f"{name} {{}}") or f"Leave {name} out for the default."
    raise UsageError(f"{name} is {value!r}; expected {', '.join(valid[:-1])} or {valid[-1]}", hint)


def whole_numbers(name: str, text: str, example: str) -> tuple[int, ...]:
    """Read as many whole numbers between commas as the example has.

    Parameters
    ----------
    name : str
        Of the option.
    text : str
        ``1,2`` or ``1x2``.
    example : str
        What could have been written.

    Raises
    ------
    UsageError
        For anything else.
    """
    try:
        numbers = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        numbers = ()
    count = example.count(",") + 1
    if len(numbers) != count:
        raise UsageError(
            f"{name} is {text!r}; expected {count} whole numbers between commas",
            f"Write, for example: {name} {example}",
        )
    return numbers


def numbers(name: str, text: str | None) -> tuple[float, ...] | None:
    """Read numbers between commas; None stays None."""
    if text is None:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(map(isfinite, found)):
        raise UsageError(
            f"{name} is {text!r}; expected a number, or several between commas",
            f"Write, for example: {name} 0.485,0.456,0.406",
        )
    return found


def pair(name: str, text: str) -> tuple[int, int]:
    """Read one whole number from 1 up for both axes, or one for each."""
    numbers = text.replace("x", ",").split(",")
    try:
        x, y = (int(part) for part in (numbers * 2 if len(numbers) == 1 else numbers))
    except ValueError:
        x = y = 0
    if min(x, y) < 1:
        raise UsageError(
            f"{name} is {text!r}; expected a whole number of 1 or more, or two",
            f"Write, for example, {name} 2, or {name} 2,3.",
        )
    return x, y


def point(name: str, text: str | None) -> tuple[int, int] | None:
    """Read a column and a row."""
    if text is None:
        return None
    x, y = whole_numbers(name, text, "0,0")
    return x, y


def region(name: str, text: str | None) -> tuple[int, int, int, int] | None:
    """Read a corner and a size of at least one pixel: ``X,Y,W,H``, or ImageMagick's ``WxH+X+Y``."""
    if text is None:
        return None
    if "+" in text or ("," not in text and text.lower().count("x") == 1):
        return _as_offset(name, text)
    x, y, width, height = whole_numbers(name, text, "0,0,64,64")
    if x < 0 or y < 0 or width < 1 or height < 1:
        raise UsageError(
            f"{name} is {text!r}; expected X,Y from 0,0 up, and W,H of 1 or more",
            f"Write, for example: {name} 0,0,64,64",
        )
    return x, y, width, height


def _as_offset(name: str, text: str) -> tuple[int, int, int, int]:
    """Read ``WxH+X+Y``."""
    from cnncli.filters.geometry import find_area

    area = find_area(text)
    if area is None or area.offset is None or area.size.percent or min(area.offset) < 0:
        raise UsageError(
            f"{name} is {text!r}; expected WxH+X+Y, or X,Y,W,H, from the upper left corner",
            f"Write, for example: {name} 64x64+0+0",
        )
    return (*area.offset, int(area.size.width or 0), int(area.size.height or 0))


def level(name: str, text: str, white: float) -> float:
    """Read a number in units of the image, or a share of full scale such as ``50%``.

    Parameters
    ----------
    name : str
        Of the option.
    text : str
        What was written.
    white : float
        Full scale.
    """
    share = text.endswith("%")
    try:
        value = float(text[:-1] if share else text) * (white / 100 if share else 1)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise UsageError(
            f"{name} is {text!r}; expected a number, or a share such as 50%", f"Leave {name} out for 0."
        )
    return value


def within(name: str, value: int | None, low: int, high: int | None = None) -> int | None:
    """Take a whole number between bounds; None stays None."""
    if value is not None and (value < low or (high is not None and value > high)):
        expected = f"{low} or more" if high is None else f"{low} to {high}"
        raise UsageError(f"{name} is {value}; expected {expected}", f"Leave {name} out for the default.")
    return value
