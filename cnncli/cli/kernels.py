"""``cnncli kernels``: the list of named kernels, and all about one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.messages import console_of_stdout
from cnncli.cli.options.kernels import Settings
from cnncli.cli.streams import write_line
from cnncli.errors import CnncliError
from cnncli.filters.catalog import CATALOG
from cnncli.filters.entry import Entry, Parameter
from cnncli.filters.kinds.bank import Bank
from cnncli.filters.model import Filter, Weights
from cnncli.filters.named import ALIASES, find_entry
from cnncli.filters.spec import parse_spec
from cnncli.filters.worked import show
from cnncli.text import printable

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 9
"""Kernels with more columns or rows are shown by their middle; half of it in a bank."""

_SAME = 1e-7
"""Singular values below this share of the largest do not count: float32 cannot tell them from 0."""


def run(settings: Settings) -> int:
    """List the named kernels, or show one, and return the exit code.

    The settings ``debug``, ``quiet`` and ``threads`` are taken as by other commands; they change nothing.

    Raises
    ------
    UsageError
        The SPEC is wrong.
    """
    try:
        _show(settings.spec, json=settings.json)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    return DONE


def _show(spec: str | None, *, json: bool) -> None:
    chosen = None if spec is None else parse_spec(spec)
    if json:
        objects = (
            (entry_json(entry) for entry in CATALOG.values()) if chosen is None else [kernel_json(chosen)]
        )
        for found in objects:
            write_line(as_json(found))
        return
    console = console_of_stdout()
    if chosen is None:
        render_list(console)
    else:
        render_kernel(chosen, console)


def render_list(console: Console) -> None:
    """Print all named kernels by family, with their parameters."""
    from rich.table import Table
    from rich.text import Text

    families = dict.fromkeys(entry.family for entry in CATALOG.values())
    for family in families:
        console.print(Text(family, style="bold"))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(width=17, no_wrap=True, style="cyan")
        table.add_column(overflow="fold")
        for entry in CATALOG.values():
            if entry.family == family:
                names = ", ".join(parameter.name for parameter in entry.parameters)
                table.add_row(f"  {entry.name}", Text(f"{entry.summary}{f' ({names})' if names else ''}"))
        console.print(table)
    console.print()
    console.print("Show one of them: cnncli kernels NAME", markup=False)


def render_kernel(filter: Filter, console: Console) -> None:
    """Print all about one kernel: parameters, weights, sum, rank, plan, source and a worked example.

    Parameters
    ----------
    filter : Filter
        From any SPEC.
    console : Console
        Where to.
    """
    entry = find_entry(filter.name) if filter.spec.partition(":")[0] == filter.name else None
    _line(console, filter.name if entry is None else f"{entry.name}: {entry.summary}", style="bold")
    _line(console, f"SPEC    {_shortened(filter.spec)}", hang=8)
    _line(console, f"Result  {result_in_words(filter)}", hang=8)
    if entry is not None:
        _render_parameters(entry, console)
    if isinstance(filter, Bank):
        _render_bank(filter, console)
    else:
        for label, weights in filter.shown_weights():
            _render_weights(label, weights, console, as_given=entry is None)
    _line(console, f"Plan    {filter.plan()}", hang=8)
    if entry is not None:
        _line(console, f"Source  {entry.source}", hang=8)
        _render_example(entry, console)
    # Never wrapped, so that it can be copied.
    command = printable(f"cnncli convolve photo.jpg -k {shlex.quote(_shortened(filter.spec))} -o out.png")
    console.print(f"Try     {command}", markup=False, soft_wrap=True)


def result_in_words(filter: Filter) -> str:
    """Say how a filter's response is shown: in gray or colour, from black or around mid-gray."""
    color = "in gray" if filter.gray else "in colour"
    if filter.span is not None:
        return f"{color}, a direction: mid-gray is 0, black -180 and white 180 degrees"
    if filter.signed:
        return f"{color}, around mid-gray"
    return color if filter.signed is None else f"{color}, from black up"


def rank_of(weights: Weights) -> int:
    """Count the separable kernels that add up to a kernel; the singular values that float32 can tell from 0.

    Of a kernel longer than 256 the rank is taken of 128 random combinations of its columns: exact up
    to 128, which is all that a plan could use.
    """
    if not weights.any():
        return 0
    if min(weights.shape) > 256:
        weights = weights @ np.random.default_rng(1).standard_normal((weights.shape[1], 128))
    values = np.linalg.svd(weights, compute_uv=False)
    return int((values > _SAME * values[0]).sum())


def entry_json(entry: Entry) -> dict[str, Any]:
    """Describe a named kernel as a JSON object."""
    return {
        "name": entry.name,
        "family": entry.family,
        "summary": entry.summary,
        "aliases": [alias for alias, name in ALIASES.items() if name == entry.name],
        "parameters": [
            {
                "name": parameter.name,
                "default": parameter.default,
                "range": parameter.range,
                "meaning": parameter.meaning,
            }
            for parameter in entry.parameters
        ],
        "source": entry.source,
    }


def kernel_json(filter: Filter) -> dict[str, Any]:
    """Describe one filter, with its weights, as a JSON object."""
    entry = find_entry(filter.name) if filter.spec.partition(":")[0] == filter.name else None
    found: dict[str, Any] = {"name": filter.name} if entry is None else entry_json(entry)
    found |= {
        "spec": filter.spec,
        "result": result_in_words(filter),
        "kernels": [
            {
                "label": label,
                "weights": weights.tolist(),
                "sum": float(weights.sum()),
                "rank": rank_of(weights),
            }
            for label, weights in filter.shown_weights()
        ],
        "plan": str(filter.plan()),
    }
    if entry is not None:
        example = entry.example
        found["example"] = {"spec": example.spec, "patch": example.patch, "expected": example.expected}
    return found


def weight_rows(
    weights: Weights, *, widest: int = WIDEST, as_given: bool = False
) -> tuple[str, list[list[str]]]:
    """Write weights for reading.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw)
        Of a large kernel only the middle is written.
    widest : int
        The most columns and rows written.
    as_given : bool
        The weights are a user's matrix: those of a few decimals are written as they are, without a scale.

    Returns
    -------
    heading : str
        Scale and size: ``1/4 ×``, ``the middle 9x9 of 43x43``; may be empty.
    rows : list of lists of str
        Whole numbers, where one scale makes all weights whole.
    """
    kh, kw = weights.shape
    top, left = max(0, (kh - widest) // 2), max(0, (kw - widest) // 2)
    shown = weights[top : top + widest, left : left + widest]
    sh, sw = shown.shape
    middle = "" if shown.shape == weights.shape else f"the middle {sw}x{sh} of {kw}x{kh}"
    scale = _scale(weights)
    as_given = as_given and _are_short(shown)
    if scale is not None and (scale == 1 or not as_given):
        rows = [[str(round(float(weight) * scale)) for weight in row] for row in shown]
        return f"{middle} {f'1/{scale} ×' if scale > 1 else ''}".strip(), rows
    if as_given:
        return middle, [[f"{weight + 0.0:g}" for weight in row] for row in shown.tolist()]
    largest = float(np.abs(shown).max())
    if not 1e-3 <= largest < 1e5:
        return middle, [[f"{weight:.2e}" for weight in row] for row in shown]
    decimals = max(0, 4 - max(0, int(np.floor(np.log10(largest))) + 1))
    # Adding 0 turns -0 into 0.
    return middle, [
        [f"{round(float(weight), decimals) + 0.0:.{decimals}f}" for weight in row] for row in shown
    ]


def _scale(weights: Weights) -> int | None:
    """Find the smallest whole number that makes all weights whole; None where they need many digits."""
    if weights.size > WIDEST**4 or np.abs(weights).max() > 1e5:
        return None
    scaled = ((d, weights * d) for d in range(1, 257))
    return next((d for d, whole in scaled if np.allclose(whole, np.rint(whole), 0, 1e-9)), None)


def _are_short(weights: Weights) -> bool:
    """Whether no weight has more than three decimals."""
    scaled = weights * 1000
    return bool(np.abs(scaled).max() < 1e6 and np.allclose(scaled, np.rint(scaled), 0, 1e-9))


def _render_parameters(entry: Entry, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    if not entry.parameters:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("Parameter", no_wrap=True, style="cyan")
    for heading in ("Default", "Range", "Meaning"):
        table.add_column(heading, overflow="fold")
    for parameter in entry.parameters:
        cells = (parameter.default, _range(parameter), parameter.meaning)
        table.add_row(parameter.name, *(Text(cell) for cell in cells))
    console.print()
    console.print(table)
    console.print()


def _range(parameter: Parameter) -> str:
    if parameter.kind in ("choice", "file", "size", "area"):
        return parameter.range
    kind = {"number": "", "whole": " whole", "odd": " odd"}[parameter.kind]
    return f"{show(parameter.low)} to {show(parameter.high)}{kind}"


def _render_weights(label: str, weights: Weights, console: Console, *, as_given: bool) -> None:
    heading, rows = weight_rows(weights, as_given=as_given)
    _line(console, f"{label}, as written for convolution{f': {heading}' if heading else ''}")
    for text in _aligned(rows):
        _line(console, f"    {text}")
    _line(console, f"    {_sums(weights)}, rank {rank_of(weights)}")


def _sums(weights: Weights) -> str:
    total, magnitude = float(weights.sum()), float(np.abs(weights).sum())
    total = 0.0 if abs(total) < 1e-12 * magnitude else total
    return f"sum {show(total)}, sum of magnitudes {show(magnitude)}"


def _render_bank(filter: Bank, console: Console) -> None:
    """Print the masks side by side, as many as fit."""
    labels = [label for label, _ in filter.shown_weights()]
    written = [weight_rows(weights, widest=WIDEST // 2 + 1) for weights in filter.bank]
    _line(console, f"Masks, as written for convolution{f': {written[0][0]}' if written[0][0] else ''}")
    blocks = [[label, *_aligned(rows)] for label, (_, rows) in zip(labels, written, strict=True)]
    width = max(len(line) for block in blocks for line in block) + 3
    across = max(1, (console.width - 4) // width)
    for first in range(0, len(blocks), across):
        for lines in zip(*blocks[first : first + across], strict=True):
            _line(console, f"    {''.join(line.ljust(width) for line in lines)}".rstrip())
    ranks = sorted({rank_of(weights) for weights in filter.bank})
    shown = " or ".join(str(rank) for rank in ranks)
    _line(console, f"    each: {_sums(filter.bank[0])}, rank {shown}")


def _render_example(entry: Entry, console: Console) -> None:
    example = entry.example
    lines, value = parse_spec(example.spec).spell_out(example.patch)
    console.print()
    _line(console, f"Example {example.spec} on the middle of", hang=8)
    for text in _aligned([[show(pixel) for pixel in row] for row in example.patch]):
        _line(console, f"    {text}")
    for text in lines:
        _line(console, f"    {text}")
    _line(console, f"    {show(value)}: {example.note}")
    console.print()


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    width = max(len(cell) for row in rows for cell in row)
    for row in rows:
        yield " ".join(cell.rjust(width) for cell in row)


def _line(console: Console, text: str, *, style: str = "", hang: int | None = None) -> None:
    """Print a line, wrapped to the console with an indent of ``hang`` (by default its own)."""
    from textwrap import wrap

    from rich.text import Text

    text = printable(text)
    indent = len(text) - len(text.lstrip())
    follow = " " * (indent if hang is None else hang)
    wrapped = wrap(
        text, console.width, subsequent_indent=follow, break_long_words=False, break_on_hyphens=False
    )
    for line in [text] if len(text) <= console.width else wrapped:
        console.print(Text(line, style=style), soft_wrap=True)


def _shortened(spec: str) -> str:
    return spec if len(spec) <= 400 else f"{spec[:400]}…"
