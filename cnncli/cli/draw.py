"""``cnncli draw``: a figure of a network."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.names import STREAM
from cnncli.cli.network_entry import Entry, faults_of, find_entry, read_wanted
from cnncli.cli.options.draw import Settings
from cnncli.cli.streams import write_line, write_stdout
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import in_unicode
from cnncli.models.summary import Summary, summary
from cnncli.nearest import did_you_mean
from cnncli.text import amount, printable
from cnncli.views.architecture.cards import Card
from cnncli.views.architecture.draw import STYLES, draw
from cnncli.views.architecture.page import Heading
from cnncli.views.architecture.sheet import Sheet

if TYPE_CHECKING:
    from cnncli.views.figure.scene import Figure

FORMATS = (".svg", ".png", ".pdf", ".html")
_SCALES = {
    "blocks": "Boxes: height, depth and thickness are the square roots of height, width and number of maps",
    "flow": "",
}


def run(settings: Settings) -> int:
    """Draw a network, and return the exit code.

    The settings ``debug`` and ``threads`` are taken as by other commands; they change nothing.

    Raises
    ------
    UsageError
        There is no such network, style or format.
    """
    model, style = settings.model, settings.style
    if style not in STYLES:
        hint = did_you_mean(style, STYLES) or "Name one of them."
        raise UsageError(f"--style is {style!r}; expected {' or '.join(STYLES)}", hint)
    target, suffix = _target(settings)
    with faults_of("draw"):
        entry = find_entry(model, read_wanted(settings.size, settings.classes, settings.gray))
    table = summary(entry.graph)
    if suffix == ".html":
        return _write_page(settings, entry, target)
    sheet = Sheet.of(entry.graph, table, whole=settings.all)
    figure = draw(sheet, _heading(entry, table, sheet.shown, style), STYLES[style])
    data = _encoded(figure, suffix)
    if target == STREAM:
        write_stdout(data)
        return DONE
    write_atomic(Path(target), data)
    if settings.json:
        write_line(as_json(_about(entry, figure, sheet.shown, (style, target))))
    elif not settings.quiet:
        write_line(printable(target))
    return DONE


def _write_page(settings: Settings, entry: Entry, target: str) -> int:
    """Write the page of a trained network, to explore in a browser.

    Raises
    ------
    UsageError
        Where there are no weights, or options shape figures.
    """
    from cnncli.cli.explored_page import explored_page
    from cnncli.training.checkpoint import load_checkpoint

    if entry.checkpoint is None or entry.checkpoint.path is None:
        raise UsageError(
            f"{settings.model} has no weights, with which a page to explore computes; expected a checkpoint",
            "Give a checkpoint, a run's folder, digits or imagenet; or a name that ends in .svg.",
        )
    if settings.style != "blocks":
        raise UsageError(
            f"--style is {settings.style!r} with a page; expected it with a figure",
            "Leave --style out.",
        )
    checkpoint = load_checkpoint(entry.checkpoint.path)
    with faults_of("draw"):
        html = explored_page(checkpoint, checkpoint.network(), whole=settings.all)
    write_atomic(Path(target), html.encode("utf-8", "backslashreplace"))
    if settings.json:
        write_line(as_json({**_named(entry), "output": in_unicode(target), "style": "page"}))
    elif not settings.quiet:
        write_line(printable(target))
    return DONE


def _named(entry: Entry) -> dict[str, Any]:
    return {"name": in_unicode(entry.name), "architecture": entry.architecture}


def _target(settings: Settings) -> tuple[str, str]:
    """The file to write, or ``-``, and the ending that says its format."""
    target = f"{_stem(settings.model)}.svg" if settings.output is None else settings.output
    suffix = ".svg" if target == STREAM else Path(target).suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(
            f"the figure's file is {target!r}; expected a name that ends in {', '.join(FORMATS)}",
            "Give one of these endings: SVG and PDF stay sharp at any size.",
        )
    if settings.json and target == STREAM:
        raise UsageError("--json and the figure would both be on standard output", "Give -o FILE.")
    return target, suffix


def _stem(model: str) -> str:
    """A file's name for a network: that of its file, or its own without what shells and file systems mind."""
    path = Path(model)
    name = path.stem if path.suffix == ".safetensors" else path.name
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.")[:80] or "network"


def _heading(entry: Entry, table: Summary, shown: Sequence[Card], style: str) -> Heading:
    """The network's name, where it is from, and its sums."""
    model = entry.model
    source = f"{model.about}. {model.paper}, {model.year}." if model and model.paper else ""
    shape = entry.graph.input_shape
    sums = (
        f"{entry.classes:,} classes, {table.parameters:,} parameters, "
        f"{amount(table.multiply_adds)} multiply-adds for an input of {shape}"
    )
    spoken = "; ".join(f"{', '.join(part.words for part in card.parts)}: {card.shape}" for card in shown)
    notes = tuple(line for line in (source, sums, _SCALES[style]) if line)
    return Heading(printable(entry.name), notes, f"{sums}. Input {shape}; {spoken}")


def _encoded(figure: "Figure", suffix: str) -> bytes:
    if suffix == ".svg":
        from cnncli.views.figure.svg import as_svg

        return as_svg(figure).encode()
    if suffix == ".pdf":
        try:
            from cnncli.views.figure.pdf import as_pdf
        except ModuleNotFoundError as error:
            raise UsageError(
                f"PDF needs the package {error.name}, which is not installed",
                "Install it with: pip install fpdf2",
            ) from error
        return as_pdf(figure)
    from cnncli.images.picture import Picture
    from cnncli.images.png import encode_png
    from cnncli.views.figure.png import as_pixels

    return encode_png(Picture((as_pixels(figure),)), compress=True)


def _about(entry: Entry, figure: "Figure", shown: Sequence[Card], drawn: tuple[str, str]) -> dict[str, Any]:
    """What was drawn, for ``--json``.

    Returns
    -------
    dict
        name, architecture; style, output; width and height in pixels of 1/96 inch; cards, each with the names
        of its layers or blocks, what they do, what it reads, shape (H, W, C), parameters and multiply_adds.
    """
    style, target = drawn
    return {
        **_named(entry),
        "style": style,
        "output": in_unicode(target),
        "width": round(figure.width),
        "height": round(figure.height),
        "cards": [
            {
                "names": list(card.names),
                "layers": [part.words for part in card.parts],
                "reads": list(card.reads),
                "shape": list(card.shape[:3]),
                "parameters": card.parameters,
                "multiply_adds": card.multiply_adds,
            }
            for card in shown
        ],
    }
