"""``cnncli draw``: a figure of a network."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.messages import report
from cnncli.cli.names import STREAM, is_standard, is_terminal
from cnncli.cli.network_entry import Entry, faults_of, find_entry, read_wanted
from cnncli.cli.options.draw import Settings
from cnncli.cli.outputs import check_shown, write_output
from cnncli.cli.streams import write_line
from cnncli.files.atomic import is_device, write_atomic
from cnncli.files.faults import in_unicode
from cnncli.models.summary import Summary, summary
from cnncli.nearest import did_you_mean
from cnncli.text import amount, printable
from cnncli.views.architecture.backward import terms_of
from cnncli.views.architecture.cards import Card
from cnncli.views.architecture.draw import STYLES, draw
from cnncli.views.architecture.example import SEED, Example, tip_of, weight_norm
from cnncli.views.architecture.page import Heading, paper_of
from cnncli.views.architecture.sheet import Sheet

if TYPE_CHECKING:
    from cnncli.views.figure.scene import Figure

FORMATS = (".svg", ".png", ".pdf", ".html")
_WITH_CLASSES = ("classification", "text")  # tasks whose loss is the cross-entropy of one class
MOVING = (".gif", ".png", ".apng")
_FILM_SCALE, _FILM_SIDE = 1.25, 1280  # pixels for each of the figure, and of its longer side at most
_SCALES = {
    "blocks": "Boxes: height, depth and thickness are the square roots of height, width and number of maps",
    "flow": "",
}


def run(settings: Settings) -> int:
    """Draw a network, and return the exit code.

    Raises
    ------
    UsageError
        There is no such network, style or format.
    """
    style = settings.style
    if style not in STYLES:
        hint = did_you_mean(style, STYLES) or "Name one of them."
        raise UsageError(f"--style is {style!r}; expected {' or '.join(STYLES)}", hint)
    target, suffix = _target(settings)
    with faults_of("draw"):
        entry = find_entry(settings.model, read_wanted(settings.size, settings.classes, settings.gray))
    _check_signal(settings, entry)
    table = summary(entry.graph)
    if suffix == ".html":
        return _write_page(settings, entry, target)
    sheet = Sheet.of(entry.graph, table, whole=settings.all, back=settings.backprop)
    if settings.image is not None or settings.backprop:
        from cnncli.cli.draw_example import example_of

        sheet = replace(sheet, example=example_of(entry, settings, sheet.tips))
        _report_changes(settings, sheet.example)
    figure = draw(sheet, _heading(entry, table, sheet, style), STYLES[style])
    data = _encoded_film(figure, sheet, suffix) if settings.animate else _encoded(figure, suffix)
    write_output(target, data)
    if is_standard(target):
        return DONE
    if settings.json:
        write_line(as_json(_about(entry, figure, sheet, (style, target))))
    elif not settings.quiet:
        write_line(printable(target))
    return DONE


def _report_changes(settings: Settings, example: Example | None) -> None:
    """Say what was done to the picture of ``--image``."""
    if settings.image is None or settings.quiet or example is None or example.taken is None:
        return
    if changes := example.taken.changes:
        report(f"note: {example.name} was {', '.join(changes)}, as the network expects it")


def _write_page(settings: Settings, entry: Entry, target: str) -> int:
    """Write the page of a trained network, to explore in a browser.

    Raises
    ------
    UsageError
        Where there are no weights, or options shape figures.
    """
    from cnncli.cli.explored_page import explored_page
    from cnncli.cli.trained import load_named

    if entry.checkpoint is None or entry.checkpoint.path is None:
        raise UsageError(
            f"{settings.model} has no weights, with which a page to explore computes; expected a checkpoint",
            "Give a checkpoint, a run's folder, or one that ships (digits); or a name that ends in .svg.",
        )
    if settings.style != "blocks":
        raise UsageError(
            f"--style is {settings.style!r} with a page; expected it with a figure",
            "Leave --style out.",
        )
    for option, value in (("--image", settings.image), ("--backprop", settings.backprop)):
        if value:
            raise UsageError(
                f"{option} is given with a page; expected it with a figure", f"Leave {option} out."
            )
    checkpoint = load_named(entry.name)
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
    if settings.output is not None and is_terminal(settings.output):
        return _shown(settings, settings.output)
    formats = MOVING if settings.animate else FORMATS
    target = f"{_stem(settings.model)}{formats[0]}" if settings.output is None else settings.output
    suffix = formats[0] if target == STREAM or is_device(target) else Path(target).suffix.lower()
    if suffix not in formats:
        what = "animation" if settings.animate else "figure"
        hint = "Give one of these endings: SVG and PDF stay sharp at any size."
        if settings.animate:
            hint = "Give one of these endings."
        elif suffix in MOVING:
            hint = "Add --animate, or give one of these endings."
        raise UsageError(
            f"the {what}'s file is {target!r}; expected a name that ends in {', '.join(formats)}", hint
        )
    if settings.json and target == STREAM:
        raise UsageError("--json and the figure would both be on standard output", "Give -o FILE.")
    return target, suffix


def _shown(settings: Settings, target: str) -> tuple[str, str]:
    """The terminal, for which a figure is a PNG."""
    check_shown(target)
    for option, given in (("--animate", settings.animate), ("--json", settings.json)):
        if given:
            raise UsageError(
                f"{option} is given with -o {target}, which shows a figure; expected a file", "Give -o FILE."
            )
    return target, ".png"


def _check_signal(settings: Settings, entry: Entry) -> None:
    """Refuse what changes nothing, and pictures for networks that read texts."""
    if settings.target is not None and not settings.backprop:
        raise UsageError("--target is given without --backprop", "Add --backprop, or leave it out.")
    if entry.reads_texts:
        for option, value in (("--image", settings.image), ("--target", settings.target)):
            if value is not None:
                raise UsageError(
                    f"{option} is given with {entry.name}, which reads texts; expected a network for images",
                    "Leave it out.",
                )
    task = None if entry.checkpoint is None else entry.checkpoint.task
    if task is not None and task.name not in _WITH_CLASSES and (settings.image or settings.backprop):
        raise UsageError(
            f"{entry.name} is trained for {task.name}; expected a network for classification",
            "Leave --image and --backprop out.",
        )


def _stem(model: str) -> str:
    """A file's name for a network: that of its file, or its own without what shells and file systems mind."""
    path = Path(model)
    name = path.stem if path.suffix == ".safetensors" else path.name
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.")[:80] or "network"


def _heading(entry: Entry, table: Summary, sheet: Sheet, style: str) -> Heading:
    """The network's name, where it is from, its sums, and what is shown of a picture."""
    model = entry.model
    source = f"{model.about}. {model.paper}, {model.year}." if model and model.paper else ""
    shape = entry.graph.input_shape
    sums = (
        f"{entry.classes:,} classes, {table.parameters:,} parameters, "
        f"{amount(table.multiply_adds)} multiply-adds for an input of {shape}"
    )
    spoken = "; ".join(
        f"{', '.join(part.words for part in card.parts)}: {card.shape}" for card in sheet.shown
    )
    drawn = sheet.example is not None and sheet.example.drawn
    scale = "" if drawn else _SCALES[style]
    notes = tuple(line for line in (source, sums, scale, *_signal_notes(entry, sheet)) if line)
    return Heading(printable(entry.name), notes, f"{sums}. Input {shape}; {spoken}")


def _signal_notes(entry: Entry, sheet: Sheet) -> list[str]:
    """What the maps and the norms are of."""
    example = sheet.example
    if example is None:
        return []
    notes = []
    if example.drawn:
        notes.append(
            f"Maps of {example.name}: those that vary most, each layer on its own scale (from 0, dark, to "
            "yellow; or blue below 0, orange above)"
        )
    if sheet.back:
        notes.append(f"In red the way back; |…| are the Euclidean norms of the gradients for {example.name}")
    if entry.checkpoint is None:
        notes.append(f"The network is not trained: its weights are random (seed {SEED})")
    return notes


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


def _encoded_film(figure: "Figure", sheet: Sheet, suffix: str) -> bytes:
    """The animation, as GIF or animated PNG."""
    from cnncli.views.architecture.film import lit, moments
    from cnncli.views.figure.png import as_pixels

    shown = moments(sheet)
    scale = min(_FILM_SCALE, _FILM_SIDE / max(figure.width, figure.height))
    frames = [as_pixels(lit(figure, moment), scale) for moment in shown]
    seconds = [moment.seconds for moment in shown]
    if suffix == ".gif":
        from cnncli.images.flipbook import encode_flipbook

        return encode_flipbook(frames, seconds)
    from cnncli.images.picture import Picture
    from cnncli.images.png import encode_png

    durations = tuple(1000 * each for each in seconds)
    return encode_png(Picture(tuple(frames), durations=durations, loop=0), compress=True)


def _about(entry: Entry, figure: "Figure", sheet: Sheet, drawn: tuple[str, str]) -> dict[str, Any]:
    """What was drawn, for ``--json``.

    Returns
    -------
    dict
        name, architecture; style, output; width and height in pixels of 1/96 inch; paper, on which that fits;
        cards, and by the letter of each kind of block the cards in its inside, each with the names of its
        layers or blocks, what they do, the letter of its block, what it reads, shape (H, W, C),
        parameters and multiply_adds, with --backprop terms (by layer, in the order of the way back) and
        gradient_norms; of a picture example: image, weights (trained, or random), predictions, and with
        --backprop true_class and loss.
    """
    style, target = drawn
    return {
        **_named(entry),
        "style": style,
        "output": in_unicode(target),
        "width": round(figure.width),
        "height": round(figure.height),
        "paper": paper_of(figure) or None,
        "cards": [_card_json(sheet, card) for card in sheet.shown],
        "insides": {
            letter: [_card_json(sheet, card) for card in inside] for letter, inside in sheet.insides.items()
        },
        **({} if sheet.example is None else {"example": _example_json(entry, sheet, sheet.example)}),
    }


def _card_json(sheet: Sheet, card: Card) -> dict[str, Any]:
    return {
        "names": list(card.names),
        "layers": [part.words for part in card.parts],
        "block": sheet.letter_of(card) or None,
        "reads": list(card.reads),
        "shape": list(card.shape[:3]),
        "parameters": card.parameters,
        "multiply_adds": card.multiply_adds,
        **_back_json(sheet, card),
    }


def _back_json(sheet: Sheet, card: Card) -> dict[str, Any]:
    """What stands at a card of the way back: norms are None where the loss does not reach."""
    if not sheet.back:
        return {}
    terms = {name: list(terms) for name, terms in terms_of(sheet.graph, card).items()}
    if sheet.example is None:
        return {"terms": terms}
    norms = {"output": sheet.example.outputs.get(tip_of(sheet.graph, card))}
    norms["weights"] = weight_norm(sheet.graph, card, sheet.example)
    return {"terms": terms, "gradient_norms": norms}


def _example_json(entry: Entry, sheet: Sheet, example: Example) -> dict[str, Any]:
    loss = {"true_class": in_unicode(example.true), "loss": example.loss} if sheet.back else {}
    answers = [
        {"label": in_unicode(label), "probability": round(share, 6)} for label, share in example.answers
    ]
    weights = "random" if entry.checkpoint is None else "trained"
    made = {} if example.taken is None else example.taken.record()
    return {"image": in_unicode(example.name), **made, "weights": weights, "predictions": answers, **loss}
