"""``cnncli models``: the networks by name, and the layers of one."""

import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby, starmap
from shutil import get_terminal_size

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE
from cnncli.cli.layer_table import layer_lines
from cnncli.cli.messages import wrapped
from cnncli.cli.network_entry import (
    Entry,
    about,
    entries,
    faults_of,
    find_entry,
    part_json,
    read_wanted,
    refuse,
)
from cnncli.cli.options.models import Settings
from cnncli.cli.streams import write_line
from cnncli.models.architecture import IMPORTED
from cnncli.models.catalog import Limits, Range
from cnncli.models.summary import Summary, summary
from cnncli.models.tree import Part, tree
from cnncli.nn.graph import MAIN
from cnncli.table import table_lines
from cnncli.text import amount, printable

_HANG = " " * 8  # of what follows a heading such as "Paper"
_HEADING = ("network", "parameters", "mult-adds", "memory", "rec. field", "image")
_BY_WORTH = (0, 1, 2, 3, 4, 5)
_RIGHT = (1, 2, 3)
_LEGEND = (
    "memory: parameters, and the activations that inference of one image needs at once",
    "rec. field: receptive field, the pixels that a value of the last feature maps depends on; all: a layer "
    "before takes means over the whole image",
)


def run(settings: Settings) -> int:
    """List the networks, or show one, and return the exit code.

    The settings ``debug``, ``quiet`` and ``threads`` are taken as by other commands; they change nothing.

    Raises
    ------
    UsageError
        There is no such network, or it does not fit the images.
    """
    model, json = settings.model, settings.json
    with faults_of("models"):
        wanted = read_wanted(settings.size, settings.classes, settings.gray)
        if model is None:
            refuse(wanted, "without a network; expected it with one", "Name one, as in cnncli models vgg16.")
            lines = _list(json=json)
        else:
            lines = _network(find_entry(model, wanted), json=json, fold=not settings.all)
    for line in lines:
        write_line(line)
    return DONE


def _list(*, json: bool) -> Iterator[str]:
    """The lines of all networks: those of a paper under it, then those that are trained."""
    found = [(entry, summary(entry.graph)) for entry in entries()]
    if json:
        yield from (as_json(about(entry, table)) for entry, table in found)
        return
    columns = get_terminal_size().columns
    rows = [_HEADING, *(_row(entry, table) for entry, table in found)]
    heading, *lines = table_lines(rows, columns=columns, by_worth=_BY_WORTH, right=_RIGHT, indent=2)
    yield heading
    for title, group in groupby(zip(found, lines, strict=True), key=lambda each: _title(each[0][0])):
        yield from wrapped([title], columns)
        yield from (line for _, line in group)
    yield ""
    legend = (each for each in _LEGEND if each.partition(": ")[0] in heading)
    yield from wrapped([*legend, "One of them, layer by layer: cnncli models NAME"], columns)


def _row(entry: Entry, table: Summary) -> tuple[str, ...]:
    return (
        entry.name,
        f"{table.parameters:,}",
        amount(table.multiply_adds),
        amount(table.memory, "B"),
        _field(entry, table),
        _by(entry.graph.input_shape[:3]),
    )


def _title(entry: Entry) -> str:
    """What a network is listed under."""
    if entry.checkpoint is not None:
        return "Trained, and shipped with cnncli"
    model = entry.model
    return f"{model.paper}, {model.year}" if model and model.paper else "Networks of cnncli"


def _network(entry: Entry, *, json: bool, fold: bool) -> Iterator[str]:
    """The lines of one network."""
    table = summary(entry.graph)
    parts = tree(entry.graph, table, fold=fold)
    changes = entry.model.changes if entry.model else ""
    if json:
        layers = [part_json(part) for part in parts]
        yield as_json({**about(entry, table), "changes": changes or None, "layers": layers})
        return
    columns = get_terminal_size().columns
    yield from wrapped([printable(line) for line in _head(entry, changes)], columns, _HANG)
    yield ""
    yield from layer_lines(parts, columns)
    yield ""
    yield from wrapped(_foot(entry, table, parts), columns, _HANG)
    yield f"Try     {printable(_command(entry))}"


def _head(entry: Entry, changes: str) -> Iterator[str]:
    model, checkpoint = entry.model, entry.checkpoint
    name = entry.name if checkpoint is None else f"{entry.name} ({entry.architecture})"
    own = "a model of ONNX" if entry.architecture == IMPORTED else "layers of your own"
    yield f"{name}: {model.about if model else own}"
    if checkpoint is not None and isinstance(provenance := checkpoint.training.get("provenance"), str):
        yield f"Trained {provenance}"
    if model and model.paper:
        yield f"Paper   {model.paper}, {model.year}"
    if changes:
        yield f"Form    {changes}"
    if model and model.options and checkpoint is None:
        yield f"Options {', '.join(starmap(_option, model.options.items()))}"
    shape = entry.graph.input_shape
    if entry.reads_texts:
        yield f"Input   texts of up to {shape.width:,} words, {entry.classes:,} classes"
    else:
        color = "gray" if shape.channels == 1 else "in colour"
        of = "" if entry.graph.frames == 1 else f"clips of {entry.graph.frames} frames of "
        size = f"{shape.height // entry.graph.frames}x{shape.width}"
        yield f"Input   {of}{size} {color}, {entry.classes:,} classes"


def _option(name: str, limits: Limits) -> str:
    if isinstance(limits, Range):
        return f"{name}={limits.low:g} to {limits.high:g}"
    return name if limits is None else f"{name}={' or '.join(limits)}"


def _foot(entry: Entry, table: Summary, parts: Sequence[Part]) -> Iterator[str]:
    seen = _field(entry, table)
    yield (
        f"Sum     {table.parameters:,} parameters, {amount(table.multiply_adds)} multiply-adds, "
        f"{amount(table.memory, 'B')} of memory"
        + (f"; a value of the last feature maps depends on {seen} pixels" if seen else "")
    )
    others = [role for role in entry.graph.outputs if role != MAIN]
    if others:
        yield f"{_HANG}{' and '.join(others)} serve training alone: the sum of multiply-adds is without them"
    yield f"{_HANG}rec. field: receptive field, the part of the image that a value depends on"
    if any(map(_is_folded, parts)):
        yield f"{_HANG}of blocks that are alike the first is listed, and all are summed up: --all lists each"


def _is_folded(part: Part) -> bool:
    return len(part.names) > 1 or any(map(_is_folded, part.parts))


def _command(entry: Entry) -> str:
    """What can be done next; never wrapped, so that it can be copied."""
    name = shlex.quote(entry.name)
    if entry.reads_texts:
        return (
            f"cnncli {'train reviews.tsv' if entry.checkpoint is None else 'predict --text TEXT'} -m {name}"
        )
    if entry.graph.frames > 1:
        return f"cnncli {'train clips/' if entry.checkpoint is None else 'predict clip.gif'} -m {name}"
    if entry.checkpoint is not None:
        return f"cnncli predict photo.jpg -m {name}"
    size = entry.graph.input_shape
    sized = f"{size.height}" if size.height == size.width else f"{size.width}x{size.height}"
    return f"cnncli train photos/ -m {name} --size {sized}"


def _field(entry: Entry, table: Summary) -> str:
    """The receptive field in a cell; texts have none."""
    field = table.receptive_field
    return "" if entry.reads_texts else "all" if field is None else _by(field)


def _by(numbers: Sequence[int]) -> str:
    return "x".join(map(str, numbers))
