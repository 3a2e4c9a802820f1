"""``cnncli featuremaps``: what a trained network sees in an image, and what it has learned, drawn."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from cnncli.checked import as_json
from cnncli.cli import values
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.featuremaps_input import EXAMPLE, read_seen
from cnncli.cli.featuremaps_layers import chosen_layers
from cnncli.cli.featuremaps_outputs import Outputs, outputs_of
from cnncli.cli.featuremaps_page import made_page
from cnncli.cli.messages import report
from cnncli.cli.names import STREAM
from cnncli.cli.options.featuremaps import Settings
from cnncli.cli.progress import progress_bar
from cnncli.cli.streams import write_line
from cnncli.cli.trained import Trained, load_trained, no_output
from cnncli.core.threads import thread_count
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.tasks.task import Decoded, are_finite
from cnncli.views.featuremaps.model import Arrays, Drawing, Request, Subject
from cnncli.views.featuremaps.table import VIEWS

_PREDICTIONS = 5


def run(settings: Settings) -> int:
    """Run the command and return its exit code."""
    start = perf_counter()
    views = _views(settings.view or ["maps"])
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    pictured = any(VIEWS[view].pictured for view in views)
    if settings.input is None and settings.text is None and pictured:
        raise UsageError(
            "no input is given; expected an image, - for standard input, or --text",
            f"Run, for example: {EXAMPLE}",
        )
    outputs = outputs_of(
        settings.output, settings.raw, source=_source(settings), views=views, layers=settings.layer or []
    )
    trained = load_trained(settings, quiet=settings.quiet)
    try:
        cores = thread_count(settings.threads)
        if settings.text is not None or trained.task.noun == "texts":
            return _of_text(settings, trained, outputs, views=views, threads=cores, start=start)
        rows = {view: VIEWS[view] for view in views}
        layers = chosen_layers(trained.network.graph, settings.layer or [], rows)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    read = {"input": settings.input, "checkpoint": trained.checkpoint.path}
    outputs.check(read)
    seen, changes = (None, ()) if settings.input is None else read_seen(settings.input, trained)
    subject = Subject(trained.checkpoint, trained.network, cores, seen)
    drawn = [name for view in views if VIEWS[view].runs for name in layers[view]]
    decoded = None if seen is None else _decoded(subject, drawn, settings.input or "")
    bar = partial(_progress, quiet=settings.quiet)
    named = bool(settings.layer)
    drawings = {
        view: VIEWS[view].draw(subject, Request(layers=layers[view], named=named, progress=bar))
        for view in views
    }
    page = made_page(trained, seen, decoded, drawings, views=rows, changes=changes)
    target = outputs.write(page, _arrays(drawings), read)
    record = {
        **({} if decoded is None else decoded.record()),
        "views": {view: drawing.record for view, drawing in drawings.items()},
    }
    _say(record, settings, target, start=start)
    notes = [note for drawing in drawings.values() for note in drawing.notes]
    if changes:
        notes.append(f"the picture was {', '.join(changes)}, as the network expects it")
    for note in () if settings.quiet else notes:
        report(f"note: {note}")
    return DONE


def _views(words: list[str]) -> list[str]:
    """Views in the order in which they were asked for, each once."""
    found = [each for word in words for each in word.split(",")]
    for each in found:
        values.choice("--view", each, tuple(VIEWS))
    return list(dict.fromkeys(found))


def _source(settings: Settings) -> str:
    """What a page without a name is called after."""
    if settings.input is not None:
        return settings.input
    return (
        "text"
        if settings.text is not None
        else Path(settings.model or "digits").name.removesuffix(".safetensors")
    )


def _progress(count: int, unit: str, *, quiet: bool) -> Any:
    return progress_bar(count, unit=unit, quiet=quiet)


def _decoded(subject: Subject, names: list[str], source: str) -> Decoded:
    """What the network predicts of the image, computed with all that views will ask for."""
    subject.activations(names)
    outputs = subject.outputs[None]
    if not are_finite(outputs).all():
        raise no_output(source)
    (decoded,) = subject.checkpoint.task.decode(outputs, top=_PREDICTIONS)
    return decoded


def _arrays(drawings: Mapping[str, Drawing]) -> Arrays:
    """Arrays of all views; those of several in a folder for each."""
    alone = len(drawings) == 1
    return {
        name if alone else f"{view}/{name}": array
        for view, drawing in drawings.items()
        for name, array in drawing.arrays.items()
    }


def _of_text(
    settings: Settings, trained: Trained, outputs: Outputs, *, views: list[str], threads: int, start: float
) -> int:
    """Look at a text."""
    from cnncli.cli.featuremaps_text import given_text, look_at

    text = given_text(settings.text, settings.input)
    seen = look_at(text, trained, settings.layer or [], views=views, threads=threads)
    read = {"input": settings.input, "checkpoint": trained.checkpoint.path}
    target = outputs.write(seen.page, seen.arrays, read)
    _say(seen.record, settings, target, start=start)
    for note in () if settings.quiet else seen.notes:
        report(note)
    return DONE


def _say(record: Mapping[str, Any], settings: Settings, target: str, *, start: float) -> None:
    """Print an object, or the name of a page that the user has not named."""
    if settings.json:
        source = settings.text if settings.text is not None else settings.input
        value = {
            "input": None if source is None else in_unicode(source),
            "output": in_unicode(target),
            **record,
            "seconds": round(perf_counter() - start, 6),
        }
        line = as_json(value)
        report(line, exactly=True) if target == STREAM else write_line(line)
    elif settings.output is None and target != STREAM:
        write_line(target)
