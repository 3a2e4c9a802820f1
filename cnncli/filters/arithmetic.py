"""Arithmetic with kernels: ``gaussian:3 - gaussian:1``, ``2*sobel_x``, ``rot90([1 0 -1])``.

Grammar, read from left to right; a SPEC ends at a blank, a ``*`` or a parenthesis, so that a ``-`` inside it
belongs to it (``zero-crossings``, ``gabor:theta=-30``)::

    sum      = product (("+" | "-") product)*
    product  = signed (("*" | "/") signed)*
    signed   = "-" signed | number | "(" sum ")" | function "(" sum ("," sum)* ")" | kernel
    kernel   = SPEC of one linear kernel | matrix in brackets | file

Kernels are added with the cells that lie on the output pixel, usually their middles, on one another, so that
the response of a sum is the sum of the responses.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cnncli.errors import CnncliError
from cnncli.filters.entry import MAX_SIZE, MAX_WEIGHT
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.matrix import custom
from cnncli.filters.model import Filter, Weights
from cnncli.records import record, replace

Parse = Callable[[str], Filter]

MOST_NESTED = 50
MOST_PRODUCTS = 500_000_000
"""Multiplications of a ``conv(…)``, about a second."""

_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_OPERATOR = re.compile(r"\s[-+*/]\s|\*|(?:^|\s)[-+]\s*[A-Za-z(\[]|^\s*\(|\]\s*[-+*/]|[-+*/]\s*\[")
_WORD = re.compile(r"(?<![\w.])(?!(?:nan|inf|infinity)\b)[A-Za-z_]", re.IGNORECASE)
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.:])")
_SPEC = re.compile(r"[^\s()*\[\]]+")
_FUNCTION = re.compile(r"([A-Za-z_]\w*)\s*\(")
_BLANKS = re.compile(r"\s*")
_LOOK = "See a kernel and its matrix with: cnncli kernels 'gaussian:3 - gaussian:1'"


@record(eq=False)
class Part:
    """A kernel within an expression.

    Attributes
    ----------
    weights : ndarray, shape (kh, kw), float64
        As written for convolution.
    anchor : (x, y)
        The cell at the output pixel.
    gray : bool
        Whether a kernel in it prefers luma.
    named, own : bool
        Whether it has kernels by name, and a user's matrices.
    """

    weights: Weights
    anchor: tuple[int, int]
    gray: bool
    named: bool
    own: bool


def is_arithmetic(text: str) -> bool:
    """Tell whether a SPEC is an expression: an operator between blanks or beside a bracket, or a function.

    Examples
    --------
    >>> is_arithmetic("gaussian:3 - gaussian:1"), is_arithmetic("0 -1 0; -1 5 -1; 0 -1 0")
    (True, False)
    """
    outside = as_signs(text)
    while outside != (outside := _BRACKETS.sub(lambda found: "[" + "_" * (len(found[0]) - 2) + "]", outside)):
        pass
    bare = re.sub(r"\[_*\]", "[]", outside)
    if any(found[1] in FUNCTIONS for found in _FUNCTION.finditer(bare)):
        return True
    return bool(_OPERATOR.search(bare) and (_WORD.search(bare) or "[]" in bare))


def as_signs(text: str) -> str:
    """Dashes of typesetting as the minus that they look like."""
    return text.replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")


def parse_arithmetic(text: str, parse: Parse) -> Linear:
    """Compose the kernel of an expression.

    Parameters
    ----------
    text : str
        As `is_arithmetic` takes for one.
    parse : callable
        Reads a SPEC in it.

    Returns
    -------
    Linear
        Its spec is the text. Where its weights sum to 0, responses are signed, and luma is filtered if a
        kernel in it prefers that.

    Raises
    ------
    CnncliError
        With the place in the text, if it means nothing, or holds a kernel that is not linear.
    """
    found = _Reader(as_signs(text), parse).whole()
    height, width = found.weights.shape
    anchor = None if found.anchor == (width // 2, height // 2) else found.anchor
    filter = custom(found.weights, anchor=anchor, spec=text.strip())
    return replace(
        filter, gray=found.gray and bool(filter.signed), flips=found.own, mixed=found.own and found.named
    )


def files_in(text: str) -> list[str]:
    """Files that an expression reads."""
    words = _SPEC.findall(text) if is_arithmetic(text) else []
    return [word for word in (each.rstrip(",") for each in words) if Path(word).is_file()]


def _turned(part: Part, times: int) -> Part:
    """Turned counterclockwise by quarters."""
    for _ in range(times):
        (x, y), width = part.anchor, part.weights.shape[1]
        part = replace(part, weights=np.rot90(part.weights), anchor=(y, width - 1 - x))
    return part


def _mirrored(part: Part, axis: int) -> Part:
    """With columns (1) or rows (0) in reverse."""
    x, y = part.anchor
    height, width = part.weights.shape
    anchor = (width - 1 - x, y) if axis else (x, height - 1 - y)
    return replace(part, weights=np.flip(part.weights, axis), anchor=anchor)


def _transposed(part: Part) -> Part:
    return replace(part, weights=part.weights.T, anchor=part.anchor[::-1])


#: Functions of one kernel; ``conv`` takes two or more. Turning is NumPy's: ``rot90`` counterclockwise.
_OF_ONE: dict[str, Callable[[Part], Part]] = {
    "rot90": lambda part: _turned(part, 1),
    "rot180": lambda part: _turned(part, 2),
    "rot270": lambda part: _turned(part, 3),
    "fliplr": lambda part: _mirrored(part, 1),
    "flipud": lambda part: _mirrored(part, 0),
    "transpose": _transposed,
}
FUNCTIONS = (*_OF_ONE, "conv")


def added(one: Part, other: Part, sign: float = 1.0) -> Part:
    """The sum, or the difference with a sign of -1, of two kernels with their anchors on one another."""
    left, top = (max(a, b) for a, b in zip(one.anchor, other.anchor, strict=True))
    beyond = [
        [side - 1 - at for side, at in zip(part.weights.shape[::-1], part.anchor, strict=True)]
        for part in (one, other)
    ]
    right, bottom = (max(a, b) for a, b in zip(*beyond, strict=True))
    weights = np.zeros((top + bottom + 1, left + right + 1))
    for part, factor in ((one, 1.0), (other, sign)):
        x, y = left - part.anchor[0], top - part.anchor[1]
        height, width = part.weights.shape
        weights[y : y + height, x : x + width] += factor * part.weights
    return _joined(one, other, weights, (left, top))


def convolved(one: Part, other: Part) -> Part:
    """The kernel that does what two do one after the other.

    Raises
    ------
    CnncliError
        If that takes too long.
    """
    small, large = sorted((one, other), key=lambda part: np.count_nonzero(part.weights))
    (height, width), (kh, kw) = large.weights.shape, small.weights.shape
    cells = np.argwhere(small.weights)
    if len(cells) * height * width > MOST_PRODUCTS or max(height + kh, width + kw) - 1 > MAX_SIZE:
        raise CnncliError(
            f"conv of kernels of {kw}x{kh} and {width}x{height} is too large",
            "Apply them one after the other: -k A -k B",
        )
    weights = np.zeros((height + kh - 1, width + kw - 1))
    for y, x in cells:
        weights[y : y + height, x : x + width] += small.weights[y, x] * large.weights
    anchor = (one.anchor[0] + other.anchor[0], one.anchor[1] + other.anchor[1])
    return _joined(one, other, weights, anchor)


def _joined(one: Part, other: Part, weights: Weights, anchor: tuple[int, int]) -> Part:
    return Part(weights, anchor, one.gray or other.gray, one.named or other.named, one.own or other.own)


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str, parse: Parse) -> None:
        self.text, self.parse = text, parse
        self.at = self.depth = 0

    def whole(self) -> Part:
        """The kernel of all of the text."""
        found = self.sum()
        if self.next():
            raise self.fault(f"{self.next()!r} stands where + - * or / or the end is expected", self._blank())
        if isinstance(found, float):
            raise self.fault(
                "a number stands where a kernel is expected", "Multiply a kernel by it: 2*identity.", at=0
            )
        self.check(found, 0)
        return found

    def sum(self) -> Part | float:
        """Products with + and - between them."""
        found = self.product()
        while (sign := self.next()) in ("+", "-"):
            place = self.take()
            other = self.product()
            factor = 1.0 if sign == "+" else -1.0
            if isinstance(found, float) and isinstance(other, float):
                found += factor * other
            elif isinstance(found, float) or isinstance(other, float):
                raise self.fault(
                    f"a number and a kernel stand beside {sign!r}; expected two kernels",
                    "Multiply identity by the number to add it: 0.5*identity.",
                    at=place,
                )
            else:
                found = added(found, other, factor)
                self.check(found, place)
        return found

    def product(self) -> Part | float:
        """Factors with * and / between them."""
        found = self.signed()
        while (sign := self.next()) in ("*", "/"):
            place = self.take()
            other = self.signed()
            if sign == "/":
                found = self.over(found, other, place)
            elif isinstance(found, float) and isinstance(other, float):
                found *= other
            elif isinstance(found, Part) and isinstance(other, Part):
                raise self.fault(
                    "two kernels stand beside '*'; expected a number and a kernel",
                    "Write conv(A, B) for a kernel that does what A and B do one after the other.",
                    at=place,
                )
            else:
                part, number = (found, other) if isinstance(found, Part) else (other, found)
                found = self.scaled(part, number, place)
        return found

    def over(self, found: Part | float, other: Part | float, place: int) -> Part | float:
        """A quotient."""
        if isinstance(other, Part):
            raise self.fault("a kernel stands behind '/'; expected a number", _LOOK, at=place)
        if other == 0:
            raise self.fault("0 stands behind '/'; expected another number", "Divide by another.", at=place)
        return found / other if isinstance(found, float) else self.scaled(found, 1 / other, place)

    def scaled(self, part: Part | float, number: Part | float, place: int) -> Part:
        """A kernel times a number."""
        assert isinstance(part, Part)
        assert isinstance(number, float)
        found = replace(part, weights=part.weights * number)
        self.check(found, place)
        return found

    def signed(self) -> Part | float:
        """A number, a kernel, or what stands in parentheses, with any signs before it."""
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise self.fault(f"more than {MOST_NESTED} signs and parentheses lie in one another", _LOOK)
        try:
            return self.operand()
        finally:
            self.depth -= 1

    def operand(self) -> Part | float:
        """As `signed`."""
        first = self.next()
        if first in ("-", "+"):
            place = self.take()
            found = self.signed()
            factor = -1.0 if first == "-" else 1.0
            return factor * found if isinstance(found, float) else self.scaled(found, factor, place)
        if first == "(":
            opened = self.take()
            found = self.sum()
            self.close(opened)
            return found
        if first == "[":
            return self.matrix()
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return float(number[0])
        function = _FUNCTION.match(self.text, self.at)
        if function is not None:
            return self.call(function)
        return self.kernel()

    def call(self, function: re.Match[str]) -> Part:
        """A function of kernels."""
        name, place = function[1], self.at
        if name not in FUNCTIONS:
            raise self.fault(
                f"{name!r} is no function; expected one of {', '.join(FUNCTIONS)}",
                "Write parameters of a kernel behind a colon: gaussian:3.",
            )
        opened = self.at = function.end() - 1
        self.take()
        given = [self.sum()]
        while self.next() == ",":
            self.take()
            given.append(self.sum())
        self.close(opened)
        parts = [each for each in given if isinstance(each, Part)]
        fits = len(given) > 1 if name == "conv" else len(given) == 1
        if not fits or len(parts) < len(given):
            expected = "two kernels or more" if name == "conv" else "one kernel"
            got = "a number" if len(parts) < len(given) else f"{len(given)}"
            hint = f"Write for example: {name}({'box:3, ' if name == 'conv' else ''}sobel:x)"
            raise self.fault(f"{name} gets {got}; expected {expected}", hint, at=place)
        found = parts[0] if name == "conv" else _OF_ONE[name](parts[0])
        for other in parts[1:]:
            try:
                found = convolved(found, other)
            except CnncliError as error:
                raise self.fault(error.message, error.hint, at=place) from None
        self.check(found, place)
        return found

    def matrix(self) -> Part:
        """A matrix in brackets."""
        place, depth = self.at, 0
        for end in range(self.at, len(self.text)):
            depth += (self.text[end] == "[") - (self.text[end] == "]")
            if depth == 0:
                self.at = end + 1
                return self.part(self.text[place : self.at], place)
        raise self.fault("'[' is not closed", "Write a matrix as in [0 -1 0; -1 5 -1; 0 -1 0].")

    def kernel(self) -> Part:
        """A kernel by its SPEC."""
        place, found = self.at, _SPEC.match(self.text, self.at)
        if found is None or self.next() == ",":
            what = repr(self.next()) if self.next() else "the end"
            raise self.fault(f"{what} stands where a kernel or a number is expected", _LOOK)
        # A comma ends a name, and parameters where a blank follows.
        word = found[0].rstrip(",") if ":" in found[0] else found[0].partition(",")[0]
        self.at = place + len(word)
        return self.part(word, place)

    def part(self, word: str, place: int) -> Part:
        """The kernel of a SPEC that stands at a place."""
        try:
            filter = self.parse(word)
        except CnncliError as error:
            raise self.fault(error.message, self.spaced(word) or error.hint, at=place) from None
        if type(filter) is not Linear:
            raise self.fault(
                f"{word} is not one linear kernel; expected kernels whose weights can be added",
                f"Write {filter.name}:x or {filter.name}:y for a derivative."
                if filter.name in ("sobel", "scharr", "prewitt", "roberts", "farid")
                else f"Apply it before or after: -k {filter.name} -k …",
                at=place,
            )
        height, width = filter.weights.shape
        anchor = filter.anchor or (width // 2, height // 2)
        return Part(filter.weights, anchor, filter.gray, not filter.flips, filter.flips)

    def spaced(self, word: str) -> str:
        """A hint for an operator without blanks, where the text would be read with them."""
        for found in re.finditer(r"(?<=[\w\]])([-+/,])(?=[A-Za-z0-9.\[(])", word):
            try:
                self.parse(word[: found.start()])
            except CnncliError:
                continue
            where = "behind" if found[1] == "," else "on both sides of"
            return f"Write a blank {where} {found[1]!r}."
        return ""

    def check(self, part: Part, place: int) -> None:
        """Refuse kernels that are too large, and weights beyond what can be filtered with."""
        height, width = part.weights.shape
        if max(height, width) > MAX_SIZE:
            raise self.fault(
                f"the kernel is {width}x{height}; expected at most {MAX_SIZE} columns and rows",
                "Use smaller kernels.",
                at=place,
            )
        if not (np.abs(part.weights) <= MAX_WEIGHT).all():
            raise self.fault(
                f"a weight lies beyond {MAX_WEIGHT:g}; expected smaller numbers",
                "Use smaller factors.",
                at=place,
            )

    def next(self) -> str:
        """The character that follows after blanks; empty at the end."""
        found = _BLANKS.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def take(self) -> int:
        """Go on behind the character that follows; its place."""
        self.at += 1
        return self.at - 1

    def close(self, opened: int) -> None:
        """Take a closing parenthesis."""
        if self.next() != ")":
            what = repr(self.next()) if self.next() else "the end"
            raise self.fault(
                f"{what} stands where ')' is expected, for the '(' at character {opened + 1}", self._blank()
            )
        self.take()

    def _blank(self) -> str:
        return f"Write + - * or / between two kernels, with blanks around it. {_LOOK}"

    def fault(self, what: str, hint: str, *, at: int | None = None) -> CnncliError:
        """The error of a place, counted from 1."""
        place = self.at if at is None else at
        return CnncliError(f"kernel {self.text!r}, character {place + 1}: {what}", hint)
