"""Catalog entries of named kernels: parameters, source, and a worked example."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from cnncli.errors import CnncliError
from cnncli.filters.model import Filter, Weights
from cnncli.records import record

Value = float | int | str

MAX_SIZE = 4097
"""The largest side of a kernel: 4097 x 4097 weights take 128 MiB."""

MAX_WINDOW = 255
"""The largest side of the window of a filter without kernels: median, bilateral."""

MAX_WEIGHT = 1e30
"""Weights beyond this would overflow float32 when multiplied by a 16-bit image."""

STEP = ((0.0, 0.0, 1.0), (0.0, 0.0, 1.0), (0.0, 0.0, 1.0))
"""A full-scale step, bright on the right: the patch of many examples."""

#: Names of a parameter whose values are the same here.
RENAMED = dict.fromkeys(("answer", "direction", "dir", "axis", "component"), "output")

#: Names of parameters in other programs.
_PARAMETERS = {
    **dict.fromkeys(("std", "stddev", "sd", "standard-deviation", "sigmax", "sigma-x"), "sigma"),
    **dict.fromkeys(("ksize", "kernel-size", "radius", "window", "width", "diameter", "d", "k"), "size"),
    **dict.fromkeys(("threshold1", "lower", "minval", "low-threshold"), "low"),
    **dict.fromkeys(("threshold2", "upper", "maxval", "high-threshold"), "high"),
    **dict.fromkeys(("orientation", "theta", "rotation", "degrees"), "angle"),
    **dict.fromkeys(("percent", "strength", "gain"), "amount"),
    **RENAMED,
}

_DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NUMBER = re.compile(rf"({_DECIMAL})(?:/({_DECIMAL}))?")


def read_number(text: str) -> float | None:
    """Read a decimal number or a fraction such as ``1/9``.

    Parameters
    ----------
    text : str
        The number, in ASCII digits.

    Returns
    -------
    float or None
        None if the text is not a number, or a fraction over zero. May be infinite (``1e999``).
    """
    found = _NUMBER.fullmatch(text.replace("−", "-"))
    if found is None:
        return None
    over = float(found[2]) if found[2] is not None else 1.0
    return None if over == 0 else float(found[1]) / over


def write_number(value: Value) -> str:
    """Write a parameter or weight in the fewest digits that read back as the same number."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def plain(name: str) -> str:
    """Normalise a name: ignore case, and treat spaces, underscores and hyphens alike."""
    return re.sub(r"[\s_-]+", "-", name.strip()).casefold()


def spec_of(name: str, **values: Value) -> str:
    """Write a canonical SPEC: ``spec_of("gaussian", sigma=2.0, size=17)`` is ``gaussian:sigma=2,size=17``."""
    shown = ",".join(f"{key.replace('_', '-')}={write_number(value)}" for key, value in values.items())
    return f"{name}:{shown}" if shown else name


def file_words(path: str) -> str:
    """A file's name without its suffix, in characters that any file system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).stem).strip("-.") or "custom"


def see(name: str) -> str:
    """A hint where to read about the parameters of a named kernel."""
    return f"See what {name} takes with: cnncli kernels {name}"


def freeze(weights: object) -> Weights:
    """Copy weights into a read-only C-contiguous float64 array."""
    array = np.array(weights, dtype=np.float64, order="C")
    array.setflags(write=False)
    return array


@record(kw_only=True)
class Parameter:
    """One parameter of a named kernel.

    Attributes
    ----------
    name : str
        As written in a SPEC.
    meaning : str
        One line, with the unit.
    default : str
        As displayed; if it depends on other parameters, how.
    kind : str
        ``number``, ``whole`` (an integer), ``odd`` (an odd integer), ``choice``, ``file``, ``size`` (``50%``,
        ``640x480``) or ``area`` (``640x480+10+20``).
    low, high : float
        The range, both ends included.
    choices : tuple of str
        The values of a ``choice``.
    synonyms : mapping
        Synonyms of choices.
    aliases : tuple of str
        Other names of the parameter.
    """

    name: str
    meaning: str
    default: str
    kind: Literal["number", "whole", "odd", "choice", "file", "size", "area"] = "number"
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = MappingProxyType({})
    aliases: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """The valid values in words, as in ``a whole odd number from 1 to 4097``."""
        if self.kind == "file":
            return "the name of a picture's file"
        if self.kind == "choice":
            return ", ".join(self.choices[:-1]) + f" or {self.choices[-1]}"
        if self.kind in ("size", "area"):
            from cnncli.filters.geometry import AREAS, SIZES

            return SIZES if self.kind == "size" else AREAS
        noun = {"number": "a number", "whole": "a whole number", "odd": "a whole odd number"}[self.kind]
        return f"{noun} from {write_number(self.low)} to {write_number(self.high)}"

    def read(self, text: str, kernel: str) -> Value:
        """Read a value from a SPEC.

        Parameters
        ----------
        text : str
            The value as written.
        kernel : str
            The kernel's name, for the message.

        Returns
        -------
        float, int or str
            In range.

        Raises
        ------
        CnncliError
            Not a value of this kind, or out of range.
        """
        if self.kind == "file":
            return text
        if self.kind == "choice":
            return self._choose(text, kernel)
        if self.kind in ("size", "area"):
            from cnncli.filters.geometry import parse_area, parse_size

            return str((parse_size if self.kind == "size" else parse_area)(text, kernel))
        value = read_number(text)
        if self.kind == "number" and text.endswith("%") and self.low >= -1 and self.high <= 1:
            share = read_number(text[:-1])
            value = None if share is None else share / 100
        wrong = value is None or not self.low <= value <= self.high
        if value is not None and self.kind != "number" and not wrong:
            wrong = value != int(value) or (self.kind == "odd" and int(value) % 2 == 0)
        if value is None or wrong:
            raise CnncliError(
                f"{kernel}: {self.name}={text}; expected {self.range}",
                self._as_fraction(value) or see(kernel),
            )
        return value if self.kind == "number" else int(value)

    def _as_fraction(self, value: float | None) -> str:
        """Suggest a fraction of full scale, as the parameter expects, for a level from 0 to 255."""
        if self.kind != "number" or (self.low, self.high) != (0, 1) or not 1 < (value or 0) <= 255:
            return ""
        from cnncli.nearest import meant

        fraction = f"{self.name}={(value or 0) / 255:.2g}"
        return meant(f"{fraction}, which is {value:g} of 255")

    def _choose(self, text: str, kernel: str) -> str:
        word = plain(text)
        word = self.synonyms.get(word, word)
        if word in self.choices:
            return word
        from cnncli.nearest import did_you_mean

        raise CnncliError(
            f"{kernel}: {self.name}={text}; expected {self.range}",
            did_you_mean(word, self.choices, see(kernel), form=f"{self.name}={{}}"),
        )


def output_parameter(
    meaning: str,
    choices: tuple[str, ...] = ("magnitude", "direction"),
    synonyms: Mapping[str, str] = MappingProxyType({}),
) -> Parameter:
    """The parameter by which edge detectors and banks choose what they give: a magnitude, or a direction."""
    return Parameter(
        name="output",
        meaning=meaning,
        default="magnitude",
        kind="choice",
        choices=choices,
        synonyms={
            **dict.fromkeys(("max", "maximum", "mag", "norm"), "magnitude"),
            "angle": "direction",
            **synonyms,
        },
    )


@record(kw_only=True)
class Example:
    """A worked example: the response of a filter at the centre of a patch.

    Attributes
    ----------
    spec : str
        The filter.
    patch : tuple of rows
        Pixels, full scale is 1; large enough for the kernel.
    expected : float
        The response at the centre, column W // 2 and row H // 2.
    note : str
        An explanation in one line.
    """

    spec: str
    patch: tuple[tuple[float, ...], ...]
    expected: float
    note: str


@record(kw_only=True)
class Entry:
    """A named kernel.

    Attributes
    ----------
    name, family, summary : str
        The summary is one line.
    parameters : tuple of Parameter
        In the order of values given without a name.
    forms : mapping
        Where the first parameter is a choice that may be left out: for each of its values, the parameters
        whose values follow it without a name. A colon separates values too, as in ``open:disk:5``.
    operand : str
        The parameter that takes all the rest of a SPEC, whatever it holds, unless that is a number; which is
        then the value of the first parameter, if that has none yet.
    colons : bool
        Whether it does so without forms.
    build : callable
        Makes the filter from keyword arguments (``sigma-y`` is ``sigma_y``) that are in range and, where
        there are forms, belong to the form that is among them.
    source : str
        Author, title, year, equation.
    example : Example
        A worked example.
    """

    name: str
    family: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    build: Callable[..., Filter]
    source: str
    example: Example
    operand: str = ""
    forms: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    colons: bool = False

    def order(self, first: str) -> tuple[str, ...]:
        """Names of the values that are given without one, of which this is the first."""
        if not self.forms:
            return tuple(parameter.name for parameter in self.parameters)
        shape = self.parameters[0]
        word = plain(first)
        word = shape.synonyms.get(word, word)
        if word in self.forms:
            return (shape.name, *self.forms[word])
        number = read_number(first.strip().removesuffix("%"))
        return self.forms[shape.default] if number is not None else (shape.name,)

    def make(self, values: Mapping[str, Value]) -> Filter:
        """Build the filter of the values that a SPEC gives; of forms, the one that is named or has them all.

        Raises
        ------
        CnncliError
            If a value belongs to another form.
        """
        if not self.forms:
            return self.build(**values)
        shape = self.parameters[0]
        given = [name for name in (key.replace("_", "-") for key in values) if name != shape.name]
        fitting = (form for form, names in self.forms.items() if set(given) <= set(names))
        form = str(values.get(shape.name) or next(fitting, shape.default))
        foreign = next((name for name in given if name not in self.forms[form]), None)
        if foreign is not None:
            behind = (self.parameter(name).default.split()[0] for name in self.forms[form][:1])
            value = write_number(values[foreign.replace("-", "_")])
            raise CnncliError(
                f"{self.name}: {foreign}={value} is given for {shape.name}={form}; expected "
                f"{' and '.join(self.forms[form]) or 'nothing'} behind it",
                f"Write for example: -k {':'.join((self.name, form, *behind))}",
            )
        return self.build(**{**values, shape.name: form})

    def parameter(self, word: str) -> Parameter:
        """Find a parameter by name or alias.

        Raises
        ------
        CnncliError
            If there is none; the valid ones are listed.
        """
        folded = plain(word)
        for parameter in self.parameters:
            if folded == parameter.name or folded in parameter.aliases:
                return parameter
        names = [parameter.name for parameter in self.parameters]
        if not names:
            message = f"{self.name}: unknown parameter {word.strip()!r}; {self.name} takes none"
            raise CnncliError(message, f"Write: -k {self.name}")
        raise CnncliError(
            f"{self.name}: unknown parameter {word.strip()!r}; expected {', '.join(names)}",
            f"{_suggested(folded, names)} {see(self.name)}".lstrip(),
        )


def _suggested(word: str, names: list[str]) -> str:
    """Suggest a parameter, as ``sigma=…``, for a name from another program; empty if nothing is similar."""
    from cnncli.nearest import did_you_mean, meant

    known = _PARAMETERS.get(word)
    return meant(f"{known}=…") if known in names else did_you_mean(word, names, form="{}=…")
