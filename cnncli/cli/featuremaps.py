"""``cnncli featuremaps``: what a trained network sees in an image, and what it has learned, drawn."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from cnncli.checked import as_json
from cnncli.cli import values
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.featuremaps_input import EXAMPLE, Image, read_image, seen_by
from cnncli.cli.featuremaps_layers import chosen_layers
from cnncli.cli.featuremaps_outputs import Outputs, outputs_of
from cnncli.cli.featuremaps_page import made_page
from cnncli.cli.featuremaps_request import request_of
from cnncli.cli.messages import report
from cnncli.cli.names import is_standard
from cnncli.cli.options.featuremaps import Settings
from cnncli.cli.streams import write_line
from cnncli.cli.trained import Trained, load_trained, names_network, no_output
from cnncli.core.threads import thread_count
from cnncli.data.conversion import Taken
from cnncli.data.shipped import suiting
from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import in_unicode
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.records import replace
from cnncli.tasks.task import Decoded, are_finite
from cnncli.views.featuremaps.model import Arrays, Drawing, Request, Seen, Subject, View
from cnncli.views.featuremaps.table import VIEWS

_PREDICTIONS = 5
_CHOSEN = {
    "digits": "seen by digits, the network for small gray pictures; -m imagenet is for photographs",
    "imagenet": "seen by imagenet, the network for photographs; -m digits reads digits of any size",
}


class _Look(NamedTuple):
    """An image, if there is one, what the network predicts of it, and what views have drawn."""

    source: str | None
    seen: Seen | None
    taken: Taken | None
    decoded: Decoded | None
    drawings: dict[str, Drawing]

    @property
    def changes(self) -> tuple[str, ...]:
        """What was done to it, in words."""
        return () if self.taken is None else self.taken.changes

    @property
    def record(self) -> dict[str, Any]:
        """For ``--json``."""
        said = {} if self.decoded is None else self.decoded.record()
        made = {} if self.taken is None else self.taken.record()
        return {**made, **said, "views": {view: drawing.record for view, drawing in self.drawings.items()}}


def run(settings: Settings) -> int:
    """Run the command and return its exit code."""
    if settings.explain is not None or settings.at is not None:
        return _explain(settings)
    start = perf_counter()
    inputs = settings.inputs or []
    views = _views(settings.view or ["maps"])
    if any(VIEWS[view].of_run for view in views):
        return _history(settings, views, start=start)
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    pictured = any(VIEWS[view].pictured for view in views)
    if not inputs and settings.text is None and pictured:
        raise UsageError(
            "no input is given; expected an image, - for standard input, or --text",
            f"Run, for example: {EXAMPLE}",
        )
    outputs = outputs_of(
        settings.output, settings.raw, source=_source(settings), views=views, layers=settings.layer or []
    )
    _check_count(settings, explored=outputs.is_html and all(VIEWS[view].explored for view in views))
    first = read_image(inputs[0]) if inputs and not names_network(settings) else None
    trained = _trained(settings, first)
    of_text = settings.text is not None or trained.task.noun == "texts"
    of_clip = not of_text and trained.task.noun == "clips" and inputs
    explored = not of_text and not of_clip and outputs.is_html and _is_explored(views, trained)
    _check_count(settings, explored=explored)
    try:
        cores = thread_count(settings.threads)
        if of_text:
            return _of_text(settings, trained, outputs, views=views, threads=cores, start=start)
        if of_clip:
            return _of_clip(settings, trained, outputs, views=views, threads=cores, start=start)
        rows = {view: VIEWS[view] for view in views}
        layers = chosen_layers(trained.network.graph, settings.layer or [], rows, every=settings.all)
        asked = request_of(settings, trained, views, threads=cores)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    read = _read_files(inputs, trained)
    outputs.check(read)
    sources: Sequence[str | None] = inputs or [None]
    subjects = [_subject(source, trained, cores, known=first) for source in sources]
    try:
        looks = [_look(*subject, layers, asked) for subject in subjects]
    except OptionError as error:
        raise UsageError(error.message, error.hint) from error
    if explored:
        target = _write_explored(looks, settings, trained, outputs, read=read, layers=layers)
    else:
        target = _write_page(looks[0], trained, outputs, read, rows)
    for look in looks:
        _say(look.record, look.source, settings, target, start=start)
    _report(looks, trained, settings)
    return DONE


def _explain(settings: Settings) -> int:
    """Work one value of a convolution out."""
    from cnncli.cli.featuremaps_explain import FILMS, NAME, asked_unit, drawn_unit

    start = perf_counter()
    word, source = asked_unit(settings)
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    layers = [word.replace(":", "-")]
    outputs = outputs_of(
        settings.output, settings.raw, source=source, views=[NAME], layers=layers, films=FILMS
    )
    first = None if names_network(settings) else read_image(source)
    trained = _trained(settings, first)
    if trained.task.noun != "images":
        raise UsageError(
            f"--explain is given for a network of {trained.task.noun}; expected one of images",
            "Leave --explain out.",
        )
    try:
        cores = thread_count(settings.threads)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    read = _read_files([source], trained)
    outputs.check(read)
    _, subject, taken = _subject(source, trained, cores, known=first)
    film = outputs.film(FILMS)
    row, drawing = drawn_unit(subject, word, settings.at, moving=bool(film), quiet=settings.quiet)
    look = _Look(source, subject.image, taken, _decoded(subject, [], source), {NAME: drawing})
    if film:
        target = outputs.write_film(drawing, film, read)
    else:
        target = _write_page(look, trained, outputs, read, {NAME: row})
    _say(look.record, source, settings, target, start=start)
    _report([look], trained, settings)
    return DONE


def _history(settings: Settings, views: list[str], *, start: float) -> int:
    """Look at what a run has recorded."""
    from cnncli.cli.featuremaps_history import drawn_history

    made = drawn_history(settings, views)
    _say(made.drawing.record, made.run, settings, made.target, start=start)
    return DONE


def _report(looks: Sequence[_Look], trained: Trained, settings: Settings) -> None:
    """Say what the user is to know besides, each note once."""
    for note in () if settings.quiet else dict.fromkeys(_notes(looks, trained)):
        report(f"note: {note}")


def _is_explored(views: Sequence[str], trained: Trained) -> bool:
    """Whether a page of HTML is one to explore; pages of other views and networks are still."""
    from cnncli.views.explore.network import can_explore

    return all(VIEWS[view].explored for view in views) and can_explore(trained.network.graph)


def _check_count(settings: Settings, *, explored: bool) -> None:
    """Several images fit on no page but that which is explored."""
    count = len(settings.inputs or [])
    if count > 1 and not explored:
        raise UsageError(
            f"{count} inputs are given; expected one, or several images for a page of maps to explore",
            "Give one INPUT at a time, or -o page.html for all of them.",
        )
    if count > 1 and settings.raw is not None:
        raise UsageError(f"--raw is given with {count} inputs; expected one", "Give one input.")


def _read_files(inputs: Sequence[str], trained: Trained) -> dict[str, str | Path | None]:
    """What is read, by what it is."""
    pictures = {f"input {number}" if number > 1 else "input": each for number, each in enumerate(inputs, 1)}
    return {**pictures, "checkpoint": trained.checkpoint.path}


def _trained(settings: Settings, first: Image | None) -> Trained:
    """The network that was asked for; without one that which ships and suits the first image."""
    if first is None:
        return load_trained(settings, quiet=settings.quiet)
    name = suiting(first.picture)
    return replace(load_trained(replace(settings, model=name), quiet=settings.quiet), shipped=name)


def _subject(
    source: str | None, trained: Trained, threads: int, *, known: Image | None
) -> tuple[str | None, Subject, Taken | None]:
    """An image as the network takes it."""
    if source is None:
        return None, Subject(trained.checkpoint, trained.network, threads), None
    image = known if known is not None and known.source == source else read_image(source)
    seen, taken = seen_by(image, trained)
    return source, Subject(trained.checkpoint, trained.network, threads, seen), taken


def _look(
    source: str | None,
    subject: Subject,
    taken: Taken | None,
    layers: Mapping[str, tuple[str, ...]],
    asked: Request,
) -> _Look:
    """Let the views draw what the network makes of an image."""
    drawn = [name for view, names in layers.items() if VIEWS[view].runs for name in names]
    decoded = None if source is None else _decoded(subject, drawn, source)
    drawings = {
        view: VIEWS[view].draw(subject, replace(asked, layers=names)) for view, names in layers.items()
    }
    return _Look(source, subject.image, taken, decoded, drawings)


def _write_page(
    look: _Look,
    trained: Trained,
    outputs: Outputs,
    read: Mapping[str, str | Path | None],
    rows: Mapping[str, View],
) -> str:
    """Write what views have drawn, ``rows`` being those of the views; returns where."""
    page = made_page(trained, look.seen, look.decoded, look.drawings, views=rows, changes=look.changes)
    return outputs.write(page, _arrays(look.drawings), read)


def _write_explored(
    looks: Sequence[_Look],
    settings: Settings,
    trained: Trained,
    outputs: Outputs,
    *,
    read: Mapping[str, str | Path | None],
    layers: Mapping[str, tuple[str, ...]],
) -> str:
    """Write a page to explore, which begins at the first layer that was named; returns where."""
    from cnncli.cli.explored_page import explored_page
    from cnncli.views.explore.page import Shown

    begins = bool(settings.layer) or "maps" not in layers
    inputs = [
        Shown(look.seen.name, look.seen.picture, look.seen.pixels, look.changes)
        for look in looks
        if look.seen is not None
    ]
    html = explored_page(
        trained.checkpoint,
        trained.network,
        inputs,
        start=next(iter(layers.values()))[0] if begins else None,
        threads=thread_count(settings.threads),
    )
    outputs.write_html(html, _arrays(looks[0].drawings), read)
    return outputs.target


def _notes(looks: Sequence[_Look], trained: Trained) -> Iterator[str]:
    """What the user is to know besides."""
    if trained.shipped is not None:
        yield _CHOSEN[trained.shipped]
    for look in looks:
        yield from (note for drawing in look.drawings.values() for note in drawing.notes)
        if look.changes:
            which = "the picture" if len(looks) == 1 or look.seen is None else look.seen.name
            yield f"{which} was {', '.join(look.changes)}, as the network expects it"


def _views(words: list[str]) -> list[str]:
    """Views in the order in which they were asked for, each once."""
    found = [each for word in words for each in word.split(",")]
    for each in found:
        values.choice("--view", each, tuple(VIEWS))
    return list(dict.fromkeys(found))


def _source(settings: Settings) -> str:
    """What a page without a name is called after."""
    if settings.inputs:
        return settings.inputs[0]
    return (
        "text"
        if settings.text is not None
        else Path(settings.model or "digits").name.removesuffix(".safetensors")
    )


def _decoded(subject: Subject, names: list[str], source: str) -> Decoded:
    """What the network predicts of the image, computed with all that views will ask for."""
    graph = subject.graph
    roles = subject.checkpoint.task.read(tuple(graph.outputs))
    subject.activations([*names, *(graph.output_of(role) for role in roles)])
    outputs = subject.read_outputs
    if not are_finite(outputs).all():
        raise no_output(source)
    (decoded,) = subject.checkpoint.task.decode(outputs, top=_PREDICTIONS)
    image = subject.seen
    return decoded.seen_in(subject.checkpoint.preprocessing.input_spec, image.size or image.pixels.shape[:2])


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

    source = next(iter(settings.inputs or []), None)
    text = given_text(settings.text, source)
    seen = look_at(text, trained, settings.layer or [], views=views, threads=threads)
    read = {"input": source, "checkpoint": trained.checkpoint.path}
    target = outputs.write(seen.page, seen.arrays, read)
    _say(seen.record, source, settings, target, start=start)
    for note in () if settings.quiet else seen.notes:
        report(note)
    return DONE


def _of_clip(
    settings: Settings, trained: Trained, outputs: Outputs, *, views: list[str], threads: int, start: float
) -> int:
    """Look at a clip."""
    from cnncli.cli.featuremaps_clip import look_at_clip

    (source,) = settings.inputs or []
    seen = look_at_clip(source, trained, settings.layer or [], views=views, threads=threads)
    read = {"input": source if Path(source).is_file() else None, "checkpoint": trained.checkpoint.path}
    target = outputs.write(seen.page, seen.arrays, read)
    _say(seen.record, source, settings, target, start=start)
    for note in () if settings.quiet else seen.notes:
        report(note)
    return DONE


def _say(
    record: Mapping[str, Any], source: str | None, settings: Settings, target: str, *, start: float
) -> None:
    """Print an object, or the name of a page that the user has not named."""
    if settings.json:
        given = settings.text if settings.text is not None else source
        value = {
            "input": None if given is None else in_unicode(given),
            "output": in_unicode(target),
            **record,
            "seconds": round(perf_counter() - start, 6),
        }
        line = as_json(value)
        report(line, exactly=True) if is_standard(target) else write_line(line)
    elif settings.output is None and not is_standard(target):
        write_line(target)
