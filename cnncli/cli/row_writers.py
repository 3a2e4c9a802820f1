"""How predictions read: a table on a terminal, JSON, CSV, or columns for other programs."""

import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from cnncli.checked import as_json
from cnncli.data.conversion import Conversion
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.records import record
from cnncli.tasks.task import Decoded, Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NAME_WIDTH = 28  # of names that are not known yet
_LEAST_NAME = 16  # characters of names that a bar leaves
_LABEL_WIDTH = 16  # at most, of the labels after the first
_BAR = 10  # cells
_SHARE = 7  # characters of a share
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@record
class Row:
    """What came of one input.

    Attributes
    ----------
    name : str
        Of the input.
    decoded : Decoded or None
        What the network predicts of it; None where there is an error.
    adapted : tuple of str
        What was done to the picture that the user might not expect.
    error : CnncliError or None
        Why there is no prediction.
    model : str or None
        The network that ships which was chosen for it; None where one was asked for.
    conversion : Conversion or None
        From another size or number of channels.
    files : mapping of str to str
        What was written of it, and where.
    size : (H, W)
        Of the picture as its file has it.
    pixels : ndarray, shape (H, W, 3), uint8, or None
        The picture, where it is to be drawn on.
    skipped : bool
        What is to be written of it stands already, so that it was not read.
    """

    name: str
    decoded: Decoded | None = None
    adapted: tuple[str, ...] = ()
    error: CnncliError | None = None
    model: str | None = None
    conversion: Conversion | None = None
    files: Mapping[str, str] = MappingProxyType({})
    size: tuple[int, int] = (0, 0)
    pixels: "NDArray[np.uint8] | None" = None
    skipped: bool = False


class RowWriter(Protocol):
    """A way to write rows."""

    @property
    def holds_errors(self) -> bool:
        """Rows with an error are part of the output; else they are reported on standard error alone."""

    def header(self) -> str | None:
        """The first line."""

    def line(self, row: Row) -> str:
        """The line of one input."""


class JsonLines:
    """One JSON object a line."""

    holds_errors = True

    def header(self) -> str | None:
        """None."""
        return None

    def line(self, row: Row) -> str:
        """``{"input":…,"predictions":…}`` or what else the task says, or ``{"input":…,"error":…}``.

        Where no network was asked for, ``"model"`` names the one that was used.
        """
        value: dict[str, object] = {"input": in_unicode(row.name)}
        if row.error is not None:
            value["error"] = row.error.message
        elif row.decoded is not None:
            value |= row.decoded.record()
        value |= {kind: in_unicode(path) for kind, path in row.files.items()}
        if row.model is not None:
            value["model"] = row.model
        if row.conversion is not None:
            value["converted"] = row.conversion.record()
        if row.adapted:
            value["adapted"] = row.adapted
        if row.skipped:
            value["skipped"] = True
        return as_json(value)


class Csv:
    """Comma-separated values with a header; fields are quoted where they have to be (RFC 4180)."""

    holds_errors = True

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns

    def header(self) -> str | None:
        """``input``, the columns of the task, ``error``."""
        return ",".join(["input", *self._columns, "error"])

    def line(self, row: Row) -> str:
        """The fields of one input."""
        fields = [row.name]
        fields += row.decoded.cells() if row.decoded is not None else []
        fields += [""] * (1 + len(self._columns) - len(fields))
        fields.append(row.error.message if row.error is not None else "")
        # Exact for programs; a terminal is no program.
        return ",".join(map(_quoted, map(shown, fields) if sys.stdout.isatty() else fields))


class Columns:
    """Name, and the cells of the task (label and probability, …), with tabs between."""

    holds_errors = False

    def header(self) -> str | None:
        """None."""
        return None

    def line(self, row: Row) -> str:
        """The columns of one input."""
        fields = [row.name, *(row.decoded.cells() if row.decoded is not None else [])]
        return "\t".join(map(shown, fields))


class Table:
    """Aligned columns with a bar, for people.

    Parameters
    ----------
    names : sequence of str
        Inputs, as far as they are known, for the width of the first column.
    labels : sequence of str
        What may be predicted, for the width of the others.
    columns : int
        Of the terminal.
    styled : bool
        The label stands out.
    heading : str
        What stands over the shares.
    """

    holds_errors = False

    def __init__(
        self,
        names: Sequence[str],
        labels: Sequence[str],
        *,
        columns: int,
        styled: bool,
        heading: str = "probability",
    ) -> None:
        widest = max(map(len, map(shown, names)), default=_NAME_WIDTH)
        self._label = max(5, min(max(len(shown(label)) for label in labels), columns // 3))
        beside = self._label + 2 + 2
        self._barred = beside + _SHARE + 2 + _BAR + min(widest, _LEAST_NAME) <= columns
        beside += _SHARE + 2 + _BAR if self._barred else max(_SHARE, len(heading))
        self._name = max(5, min(widest, columns // 2, columns - beside))
        self._columns, self._used = columns, self._name + beside
        self._styled, self._heading = styled, heading

    def header(self) -> str | None:
        """Names of the columns."""
        text = f"{'input':{self._name}}  {'label':{self._label}}  {self._heading}"
        return f"\x1b[1m{text}\x1b[0m" if self._styled else text

    def line(self, row: Row) -> str:
        """Name, label, probability, and as far as they fit a bar and the runners-up."""
        (first, probability), *rest = row.decoded.bars() if row.decoded is not None else [("", 0.0)]
        name = _fitted(shown(row.name), self._name, keep_end=True)
        # Of another network than the first, it may be longer than the column.
        label = _fitted(shown(first), max(self._label, min(len(shown(first)), self._columns // 3)))
        share = f"{probability:{_SHARE}.2%}" + (f"  {_bar(probability)}" if self._barred else "")
        others = ""
        for other, less in rest:
            more = f"  {_fitted(shown(other), _LABEL_WIDTH).rstrip()} {less:.2%}"
            if self._used + len(label) - self._label + len(others) + len(more) > self._columns:
                break
            others += more
        if not self._styled:
            return f"{name}  {label}  {share}{others}".rstrip()
        return f"{name}  \x1b[1m{label}\x1b[0m  {share}\x1b[2m{others}\x1b[0m"


def choose_row_writer(names: Sequence[str], task: Task, *, json: bool, csv: bool, top: int) -> RowWriter:
    """The way that was asked for, or that suits where standard output goes."""
    if json:
        return JsonLines()
    if csv:
        return Csv(task.columns(top))
    if not sys.stdout.isatty() or not task.bars_show:
        return Columns()
    try:
        columns = os.get_terminal_size(1).columns or 80
    except OSError:
        columns = 80
    styled = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return Table(names, task.outputs, columns=columns, styled=styled, heading=task.bars_show)


def _quoted(field: str) -> str:
    if any(sign in field for sign in ',"\r\n'):
        return '"' + field.replace('"', '""') + '"'
    return field


def _fitted(text: str, width: int, *, keep_end: bool = False) -> str:
    """Exactly so many characters: filled with blanks, or cut with … at the end, or in front."""
    if len(text) <= width:
        return text.ljust(width)
    return "…" + text[len(text) - width + 1 :] if keep_end else text[: width - 1] + "…"


def _bar(share: float) -> str:
    whole, rest = divmod(round(share * _BAR * 8), 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)
