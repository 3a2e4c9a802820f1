"""How a response becomes the pixel that is written: in numbers where the rule is a line, else in words."""

from math import degrees, isfinite, radians

import numpy as np

from cnncli.filters.color import from_linear
from cnncli.views.explain.arithmetic import UNROUNDED, Result, result, settled, signed
from cnncli.views.explain.model import Explanation, as_printed, decimals_of, number

_MOST_DECIMALS = 6
_TIE = 1e-6  # how far from a half a number may lie that is one


def pixel_lines(e: Explanation, found: Result, pixel: int) -> tuple[str, ...]:
    """Say how a response becomes the pixel.

    Parameters
    ----------
    e : Explanation
        With the rule.
    found : Result
        The response.
    pixel : int
        What the run made of it.
    """
    if e.filter.edge_map:
        return ()
    if e.gain is None:
        return (f"{e.rule} → {pixel}",) if e.rule else ()
    gain = e.gain
    if e.filter.is_angle:
        gain = radians(e.gain)
        found = Result(float(as_printed(degrees(found.shown), 1)), degrees(found.real), 1)
    lines, start = _coded(e, found)
    more, mapped = _scaled(start, gain, e.offset)
    lines = (*lines, *more)
    if e.rectified and mapped.real < 0:
        mapped = Result(abs(mapped.shown), abs(mapped.real), mapped.decimals)
        lines = (*lines, f"without its sign: {mapped.text}")
    if isfinite(mapped.real) and abs(min(max(mapped.real, 0.0), 255.0) - pixel) > 1:
        if e.has_opacity:
            return (f"weighted by opacity in the run → {pixel}",)
        return (f"{e.rule} → {pixel}",) if e.rule else ()
    return (*lines, *_rounded(mapped, pixel))


def _coded(e: Explanation, found: Result) -> tuple[tuple[str, ...], Result]:
    """Say what linear light is as a number of the image."""
    if not e.linear_light:
        return (), found
    value = float(from_linear(np.array([found.real], np.float32), e.full, e.curve)[0])
    coded = result(value, value)
    return (f"as {e.curve.name}: {coded.text}",), coded


def _scaled(start: Result, gain: float, offset: float) -> tuple[tuple[str, ...], Result]:
    """Spell gain and offset, where they change anything."""
    if (gain, offset) == (1.0, 0.0):
        return (), start
    factor, spelled = _factor(gain)
    d = decimals_of([offset])
    printed = float(as_printed(offset, d))
    mapped = result(start.shown * factor + printed, start.real * gain + offset)
    text = f"{start.text}{spelled}" + (f" {signed(offset, d)}" if offset else "")
    more, settled_at = settled(mapped)
    return (f"{text} = {mapped.text}", *more), settled_at


def _factor(gain: float) -> tuple[float, str]:
    """Return a gain as it is printed, and how: as a divisor where that is a whole number."""
    over = 1 / gain if gain else 0.0
    if gain == 1:
        return 1.0, ""
    if abs(over) > 2 and abs(over - round(over)) < 1e-6 * abs(over):
        return 1 / round(over), f" ÷ {number(round(over), 0)}"
    text = f"{gain:.4g}"
    return float(text), f" × {text.replace('-', '−')}"


def _rounded(mapped: Result, pixel: int) -> tuple[str, ...]:
    """Say how a number becomes the whole one that is written."""
    if not isfinite(mapped.real):
        return (f"{number(mapped.real, 0)} is written as {pixel}",)
    lines: tuple[str, ...] = ()
    value, decimals = mapped.shown, mapped.decimals
    made_tie = not _is_tie(mapped.real) and _whole(mapped.real) == pixel  # if it is one, by rounding
    while (_whole(value) != pixel or (made_tie and _is_tie(value))) and decimals < _MOST_DECIMALS:
        decimals += 1
        value = float(as_printed(mapped.real, decimals))
        lines = (f"{UNROUNDED}{number(value, decimals)}",)
    if value == pixel:
        return lines
    if not 0 <= round(value) <= 255:
        return (*lines, f"clip to 0..255 → {pixel}")
    tie = "round half to even" if _is_tie(value) else "round"
    return (*lines, f"{tie} → {pixel}")


def _is_tie(value: float) -> bool:
    return abs(value % 1 - 0.5) < _TIE


def _whole(value: float) -> int:
    return int(np.clip(np.rint(value), 0, 255))
