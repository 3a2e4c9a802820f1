"""Kernels written as matrices: ``0 -1 0; -1 5 -1; 0 -1 0`` and ImageMagick's ``3x3: ...``."""

import re

import numpy as np

from cnncli.errors import CnncliError
from cnncli.filters.entry import MAX_SIZE, MAX_WEIGHT, freeze, read_number, write_number
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Weights

_FORM = "Write numbers with spaces or commas between them and ';' between rows: '0 -1 0; -1 5 -1; 0 -1 0'"
_SIZED_FORM = "Write the size and then the numbers row by row: '3x3: 0,-1,0 -1,5,-1 0,-1,0'"
_HEAD = re.compile(
    r"\s*([0-9]{1,9})\s*(?:[xX]\s*([0-9]{1,9})\s*)?(?:\+([0-9]{1,9})\+([0-9]{1,9}))?\s*:(.*)", re.DOTALL
)
_BARE_SPACE = re.compile(r"[^\s,]\s+[^\s,]")  # between numbers without a comma
_NOT_PART = frozenset({"nan", "+nan", "-nan", "-", "−"})


def custom(
    weights: Weights, *, anchor: tuple[int, int] | None = None, name: str = "custom", spec: str | None = None
) -> Linear:
    """Make a filter from a user's matrix.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw)
        As written.
    anchor : (x, y), optional
        The cell at the output pixel.
    name : str
        For output file names.
    spec : str, optional
        The SPEC it came from; by default the matrix itself.

    Returns
    -------
    Linear
        It is flipped, unless ``--correlate`` is given. If its weights sum to 0, responses are signed.
    """
    if spec is None:
        rows = [" ".join(write_number(float(weight)) for weight in row) for row in weights]
        kh, kw = weights.shape
        spec = "; ".join(rows) if anchor is None else f"{kw}x{kh}+{anchor[0]}+{anchor[1]}: " + " ".join(rows)
    signed = True if _sums_to_zero(weights) else None
    return Linear(name=name, spec=spec, signed=signed, weights=freeze(weights), anchor=anchor, flips=True)


def _sums_to_zero(weights: Weights) -> bool:
    """Whether the response to a flat area is 0, up to rounding of weights such as 1/3."""
    return bool(weights.any()) and abs(float(weights.sum())) <= 1e-6 * float(np.abs(weights).sum())


def parse_matrix(text: str, *, where: str = "kernel") -> Weights:
    """Read a matrix of numbers.

    Parameters
    ----------
    text : str
        Commas or white space between numbers, ``;`` or line ends between rows. Fractions are allowed.
    where : str
        Where the matrix comes from, for messages.

    Returns
    -------
    ndarray, shape (kh, kw), float64

    Raises
    ------
    CnncliError
        With row and column (from 1) of a cell that is empty, not a number or not finite, or of a row whose
        length differs from the first; or if there is no number at all. If the matrix is ambiguous, both
        readings are shown.
    """
    lines = [line.strip() for line in text.splitlines()]
    rows = [row for line in lines if line for row in line.removesuffix(";").split(";")]
    if any("," in row and _BARE_SPACE.search(row) for row in rows):
        from cnncli.filters.readings import ask, separator_readings

        ask(separator_readings(rows), f"{where} has both commas and blanks between numbers")
    if sum(map(bool, lines)) > 1 and any(";" in line.removesuffix(";") for line in lines):
        from cnncli.filters.readings import ask, line_readings

        found = line_readings([line for line in lines if line])
        ask(found, f"{where} has several lines and ';' inside them")
    if not any(row.strip() for row in rows):
        raise CnncliError(f"{where} of 0 weights; expected at least one number", _FORM)
    cells = [_cells(row, number, where) for number, row in enumerate(rows, 1)]
    return check_rows(cells, where=where)


def check_rows(rows: list[list[float]], *, where: str) -> Weights:
    """Check that rows have the same length and are not too long; an array of shape (kh, kw)."""
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise CnncliError(
                f"{where}, row {number}, column {min(len(row), width) + 1}: the row has {len(row)} numbers; "
                f"expected {width} as in row 1",
                "Give every row the same number of weights.",
            )
    if width == 0:
        raise CnncliError(f"{where} of 0 weights; expected at least one number", _FORM)
    if max(width, len(rows)) > MAX_SIZE:
        raise CnncliError(
            f"{where} is {width}x{len(rows)}; expected at most {MAX_SIZE} columns and rows",
            "Use a smaller kernel, or --dilation to spread one.",
        )
    return np.array(rows, dtype=np.float64)


def parse_sized(text: str) -> Linear:
    """Read ImageMagick's form, ``3x3: 0,-1,0 -1,5,-1 0,-1,0`` or ``3x3+1+1: ...`` with an anchor.

    The default anchor is ImageMagick's, column (kw - 1) // 2 and row (kh - 1) // 2: for even sizes, the cell
    before the default of the other forms.

    Source: ImageMagick 6, ``magick/morphology.c``, ParseKernelArray: the origin of a kernel without offsets.

    Raises
    ------
    CnncliError
        If the size or the anchor is invalid, the number of weights does not match the size, or a number is
        invalid (with its row and column).
    """
    found = _HEAD.fullmatch(text)
    if found is None:
        raise CnncliError(
            f"kernel {text.partition(':')[0].strip()!r} is not WxH: or WxH+X+Y: and numbers", _SIZED_FORM
        )
    kw, kh = int(found[1]), int(found[2] or found[1])
    if not (1 <= kw <= MAX_SIZE and 1 <= kh <= MAX_SIZE):
        raise CnncliError(f"kernel is {kw}x{kh}; expected 1 to {MAX_SIZE} columns and rows", _SIZED_FORM)
    anchor = None if found[3] is None else (int(found[3]), int(found[4]))
    if anchor is None and not (kw % 2 and kh % 2):
        anchor = ((kw - 1) // 2, (kh - 1) // 2)
    if anchor is not None and (anchor[0] >= kw or anchor[1] >= kh):
        raise CnncliError(
            f"anchor +{anchor[0]}+{anchor[1]} lies outside the {kw}x{kh} kernel; "
            f"expected +0+0 to +{kw - 1}+{kh - 1}",
            "Count columns and rows of the anchor from 0.",
        )
    body = found[5].strip()
    tokens = re.split(r"\s*,\s*|\s+", body) if body else []
    numbers = [_number(token, *_place(index, kw), where="kernel") for index, token in enumerate(tokens)]
    if len(numbers) != kw * kh:
        row, column = _place(len(numbers), kw) if len(numbers) < kw * kh else (kh + 1, 1)
        raise CnncliError(
            f"kernel, row {row}, column {column}: {len(numbers)} numbers in total; "
            f"expected {kw * kh} for {kw}x{kh}",
            _SIZED_FORM,
        )
    return custom(np.array(numbers).reshape(kh, kw), anchor=anchor)


def _place(index: int, kw: int) -> tuple[int, int]:
    return index // kw + 1, index % kw + 1


def _cells(row: str, number: int, where: str) -> list[float]:
    tokens = re.split(r"\s*,\s*|\s+", row.strip())
    return [_number(token, number, column, where=where) for column, token in enumerate(tokens, 1)]


def _number(token: str, row: int, column: int, *, where: str) -> float:
    place = f"{where}, row {row}, column {column}"
    if not token:
        raise CnncliError(f"{place}: is empty; expected a number", _FORM)
    if token.lower() in _NOT_PART:
        raise CnncliError(
            f"{place}: {token!r} (not part of the kernel, in ImageMagick); expected a number",
            "Write 0 where a cell is to have no weight.",
        )
    value = read_number(token)
    if value is None:
        raise CnncliError(f"{place}: {token!r} is not a number", _FORM)
    return check_weight(value, token, place)


def check_weight(value: float, shown: str, place: str) -> float:
    """Return a weight that is safe in float32 arithmetic; refuse NaN, infinity and huge values."""
    if -MAX_WEIGHT <= value <= MAX_WEIGHT:
        return value
    raise CnncliError(
        f"{place}: {shown} is out of range; expected a number from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}",
        "Check the number: weights are usually between -100 and 100.",
    )
