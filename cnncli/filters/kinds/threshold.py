"""Thresholds: white above a level, which is fixed, found by Otsu's method, or follows the mean around."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from cnncli.filters.entry import MAX_WINDOW, Entry, Example, Parameter, freeze, spec_of
from cnncli.filters.histogram import Numbers, Values
from cnncli.filters.kinds.adaptive import Adaptive
from cnncli.filters.kinds.levels import Levels
from cnncli.filters.level_curves import Curve
from cnncli.filters.model import Filter
from cnncli.records import record

_OTSU_BINS = 256  # of a histogram of floats


@record(kw_only=True, eq=False)
class Threshold(Levels):
    """White above a level, which is a share of white, black at it and below."""

    level: float

    explained = "White where the pixel is above the level, black elsewhere."

    def level_of(self, values: Values) -> float:
        """The level in units of the image."""
        return self.level * values.white

    def curve(self, values: Values) -> Curve:
        """A step; what is no number is black."""
        # In float32, as pixels are.
        return Curve(form="step", low=float(np.float32(self.level_of(values))), least=0.0, most=values.white)

    def told(self, values: Values, here: float) -> str:
        """The comparison."""
        from cnncli.filters.worked import show

        level = float(np.float32(self.level_of(values)))
        result = values.white if here > level else 0.0
        return (
            f"as {show(here)} is {'above' if result else 'not above'} the level {show(level)}: {show(result)}"
        )


@record(kw_only=True, eq=False)
class Otsu(Threshold):
    """The level between two groups of values that differ most."""

    by_all = True
    explained = (
        "White above the level that splits all values into two groups that differ most (Otsu's method)."
    )

    def level_of(self, values: Values) -> float:
        """The last value of the darker group; the first of equally good ones.

        Source: N. Otsu: A Threshold Selection Method from Gray-Level Histograms, 1979, eq. 14.
        """
        levels, counts = _binned(values)
        if levels.size < 2:
            return float(levels[0]) if levels.size else 0.0
        below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            dark = np.cumsum(counts * levels) / below
            bright = np.cumsum((counts * levels)[::-1])[::-1] / above
            apart = below[:-1] * above[1:] * (dark[:-1] - bright[1:]) ** 2
        return float(levels[int(np.nanargmax(apart))])


def _binned(values: Values) -> tuple[Numbers, Numbers]:
    """A histogram: whole levels as they are, floats in 256 bins."""
    low, high = values.ends
    if values.bins_per_unit is None:
        present = values.counts > 0
        return values.levels[present], values.counts[present]
    edges = np.linspace(low, high, _OTSU_BINS + 1)
    return (edges[:-1] + edges[1:]) / 2, values.counts.reshape(_OTSU_BINS, -1).sum(axis=1)


def threshold(*, method: str = "level", level: float = 0.5, size: int = 15, offset: float = 0.0) -> Filter:
    """Make a threshold."""
    how: dict[str, Any] = {"name": "threshold", "signed": False, "gray": True}
    if method == "otsu":
        return Otsu(spec=spec_of("threshold", method=method), level=0.0, **how)
    if method == "level":
        return Threshold(spec=spec_of("threshold", method=method, level=level), level=level, **how)
    spec = spec_of("threshold", method=method, size=size, offset=offset)
    return Adaptive(spec=spec, weights=freeze(np.full((size, size), 1 / size**2)), offset=offset, **how)


#: The methods of a threshold, and what follows each without a name.
FORMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"level": ("level",), "otsu": (), "adaptive": ("size", "offset")}
)

THRESHOLD = Entry(
    name="threshold",
    family="levels",
    summary="white above a level, else black: fixed, by Otsu, or by the mean around",
    parameters=(
        Parameter(
            name="method",
            meaning="how the level is chosen",
            default="level",
            kind="choice",
            choices=tuple(FORMS),
            synonyms={"fixed": "level", "local": "adaptive", "mean": "adaptive", "auto": "otsu"},
        ),
        Parameter(
            name="level",
            meaning="share of white, as 0.5 or 50%",
            default="0.5 as a level",
            low=0,
            high=1,
            aliases=("value", "thresh"),
        ),
        Parameter(
            name="size",
            meaning="columns and rows of the mean, for adaptive",
            default="15 of adaptive",
            kind="odd",
            low=3,
            high=MAX_WINDOW,
            aliases=("blocksize", "block-size"),
        ),
        Parameter(
            name="offset",
            meaning="share of white that the level lies below the mean, for adaptive",
            default="0 of adaptive",
            low=-1,
            high=1,
            aliases=("c",),
        ),
    ),
    forms=FORMS,
    build=threshold,
    source="N. Otsu: A Threshold Selection Method from Gray-Level Histograms, 1979",
    example=Example(
        spec="threshold:method=level,level=0.5", patch=((0.6,),), expected=1.0, note="0.6 is above 0.5"
    ),
)

ENTRIES = {THRESHOLD.name: THRESHOLD}
