"""``cnncli featuremaps``: the feature maps of a trained network for an image, or its kernels, drawn."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import as_json
from cnncli.cli import values
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.featuremap_views import VIEWS, Arrays, ViewInputs, chosen_layers
from cnncli.cli.messages import report
from cnncli.cli.names import STREAM, identity
from cnncli.cli.options.featuremaps import Settings
from cnncli.cli.streams import read_stdin, write_line, write_stdout
from cnncli.cli.trained import Trained, load_trained, no_output
from cnncli.core.threads import thread_count
from cnncli.data.prepare import InputSpec, Prepared, eight_bits, read_file, read_prepared
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import in_unicode, shown, writing_fault
from cnncli.files.numbered import write_numbered
from cnncli.images.canvas import Canvas
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.images.picture import Picture
from cnncli.images.png import encode_png
from cnncli.images.read import read_picture
from cnncli.images.resize import resized
from cnncli.nn import Inference
from cnncli.tasks.task import Decoded, are_finite
from cnncli.views.colors import as_rgb
from cnncli.views.sections import BarRow, Page, Section, Tile
from cnncli.views.sections_page import head_canvas, page_canvas, section_canvas

FOLDER = "featuremaps"  # of pages without -o
_LONGEST_NAME = 60
_ROWS = 2  # of maps of a layer, unless it is named
_PREDICTIONS = 5
_SHOWN = 448  # pixels of the picture in the head, at most
_EXAMPLE = "cat digit.png | cnncli featuremaps - -o maps.png"


@dataclass(frozen=True, eq=False)
class LayerActivations:
    """A picture, what the network computes from it, and what is to be drawn.

    Attributes
    ----------
    name : str
        Of the picture.
    picture : ndarray, shape (h, w, 3), uint8
        As it came, no larger than it is drawn.
    prepared : Prepared
        As the network takes it.
    decoded : Decoded
        What the network predicts of the image.
    sections : list of Section
        Of the page.
    layers : list of dict
        For ``--json``.
    arrays : dict of str to ndarray
        For ``--raw``.
    brief : int
        Layers of which little is drawn.
    """

    name: str
    picture: NDArray[np.uint8]
    prepared: Prepared
    decoded: Decoded
    sections: list[Section]
    layers: list[dict[str, Any]]
    arrays: Arrays
    brief: int


def run(settings: Settings) -> int:
    """Run the command and return its exit code."""
    start = perf_counter()
    input, text, output, raw = settings.input, settings.text, settings.output, settings.raw
    layers, view, json, quiet = settings.layer or [], settings.view, settings.json, settings.quiet
    values.choice("--view", view, tuple(VIEWS))
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    if input is None and text is None:
        raise UsageError(
            "no input is given; expected an image, - for standard input, or --text",
            f"Run, for example: {_EXAMPLE}",
        )
    target = _target(output, input or "text", layers, view)
    trained = load_trained(settings, quiet=quiet)
    try:
        cores = thread_count(settings.threads)
        if text is not None or trained.task.noun == "texts":
            from cnncli.cli.featuremaps_text import given_text, look_at

            seen = look_at(given_text(text, input), trained, layers, view=view, threads=cores)
            target = _written_page(seen.page, seen.arrays, (output, target, raw))
            source = given_text(text, None) if text is not None else str(input)
            _say(seen.record, source, target, view=view, start=start, json=json, named=output is not None)
            for note in () if quiet else seen.notes:
                report(note)
            return DONE
        names, brief = chosen_layers(trained.network.graph, layers, view)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    assert input is not None
    _check_overwrites({"input": input, "checkpoint": trained.checkpoint.path}, names, target, raw, view)
    picture, prepared = _read(input, trained)
    activations = _look(
        (picture, prepared), input, trained, names, view=view, named=bool(layers), threads=cores, brief=brief
    )
    target = _written_page(_page(activations, trained, view), activations.arrays, (output, target, raw))
    record = {**activations.decoded.record(), "layers": activations.layers}
    _say(record, input, target, view=view, start=start, json=json, named=output is not None)
    if activations.prepared.changes and not quiet:
        report(f"note: the picture was {', '.join(activations.prepared.changes)}, as the network expects it")
    return DONE


def _target(output: str | None, source: str, layers: Sequence[str], view: str) -> str:
    """Where the page goes, checked before anything is read.

    Without ``-o`` into a folder of its own, where ``*.png`` in the next command does not take it for an
    image to read.
    """
    if output is None:
        target = STREAM if source == STREAM else _default_name(source, layers, view)
    else:
        target = output
    if target == STREAM:
        if os.isatty(1):
            raise UsageError(
                "the page would go to the terminal; expected a file or a pipe", "Name an output with -o."
            )
        return target
    suffix = os.path.splitext(target)[1].lower()  # noqa: PTH122
    if suffix not in ("", ".png", ".html", ".htm") and not _is_folder(target):
        raise UsageError(
            f"-o {shown(target)} ends in {suffix}; expected .png, .html or a folder",
            "Name a file or a folder, for example: -o maps.png",
        )
    return target


def _default_name(source: str, layers: Sequence[str], view: str) -> str:
    """``featuremaps/7-maps.png`` for ``digits/7.png``, with the layers that were asked for."""
    stem = os.path.splitext(os.path.basename(source))[0]  # noqa: PTH119, PTH122
    chosen = "".join(f"-{name}" for name in layers)
    chosen = chosen if len(chosen) <= _LONGEST_NAME else f"-{len(layers)}-layers"
    return os.path.join(FOLDER, f"{stem}-{view}{chosen}.png")  # noqa: PTH118


def _check_overwrites(
    read: Mapping[str, str | Path | None], names: Sequence[str], target: str, raw: str | None, view: str
) -> None:
    """Nothing that is written, page, pictures or arrays, may be what is read."""
    kept = {identity(os.fspath(path)): what for what, path in read.items() if path not in (None, STREAM)}
    for option, path in _written(names, target, raw, view):
        what = kept.get(identity(path))
        if what is not None:
            raise UsageError(
                f"the output {shown(path)} is also the {what}; expected another file",
                f"Choose another {option}.",
            )


def _written(names: Sequence[str], target: str, raw: str | None, view: str) -> Iterator[tuple[str, str]]:
    """All files that are written for these layers, each with the option that says where."""
    if target != STREAM and not _is_folder(target):
        yield "-o", target
    elif target != STREAM:
        for name in _picture_names(names):
            yield "-o", os.path.join(target, name)  # noqa: PTH118
    if raw is not None:
        for name in ("input", *names) if VIEWS[view].runs else names:
            yield "--raw", os.path.join(raw, f"{name}.npy")  # noqa: PTH118


def _picture_names(names: Sequence[str]) -> list[str]:
    """Files of a folder: the head, then each layer."""
    return ["00-input.png", *(f"{number:02}-{name}.png" for number, name in enumerate(names, 1))]


def _is_folder(target: str) -> bool:
    suffix = os.path.splitext(target)[1]  # noqa: PTH122
    return target.endswith(os.sep) or os.path.isdir(target) or not suffix  # noqa: PTH112


def _read(source: str, trained: Trained) -> tuple[Picture, Prepared]:
    """The picture to be shown, and what the network takes of it."""
    if source == STREAM:
        data, name = read_stdin(example=_EXAMPLE), "standard input"
    else:
        try:
            data, name = read_file(Path(source)), source
        except ValueError as error:  # a NUL byte in the name
            raise CnncliError(f"cannot read {shown(source)}: {error}", "Check the name.") from error
    return read_picture(data, name=name, first=True), read_prepared(data, trained.input_spec, name=name)


def _look(
    read: tuple[Picture, Prepared],
    name: str,
    trained: Trained,
    names: list[str],
    *,
    view: str,
    named: bool,
    threads: int,
    brief: Collection[str],
) -> LayerActivations:
    """Run the network and turn what it computes into sections."""
    checkpoint, network = trained.checkpoint, trained.network
    picture, prepared = read
    x = checkpoint.preprocessing.normalise(prepared.pixels[None])
    kept = tuple(names) if VIEWS[view].runs else ()
    inference = Inference(
        network, 1, threads=threads, keep=tuple(each for each in kept if each != network.graph.output)
    )
    activations = {each: array[0] for each, array in inference.activations(x).items()}
    outputs = activations[network.graph.output].reshape(1, -1)
    if not are_finite(outputs).all():
        raise no_output(name)
    (decoded,) = trained.task.decode(outputs, top=_PREDICTIONS)
    rows, side = (None, VIEWS[view].sides[1]) if named else (_ROWS, VIEWS[view].sides[0])
    inputs = ViewInputs(
        network, names, activations, x[0], prepared.pixels, trained.task.outputs, rows, side, brief
    )
    sections, about, arrays = VIEWS[view].draw(inputs)
    return LayerActivations(
        name, _small(picture, trained.input_spec), prepared, decoded, sections, about, arrays, len(brief)
    )


def _small(picture: Picture, input_spec: InputSpec) -> NDArray[np.uint8]:
    """The picture as it looks, opacity on white, no larger than it is drawn."""
    pixels = picture.frames[0]
    if pixels.dtype != np.uint8:
        pixels, _ = eight_bits(picture, input_spec)
    if picture.alpha:
        opacity = pixels[..., -1:].astype(np.float32) / 255
        shades = pixels[..., :-1].astype(np.float32)
        pixels = np.rint(shades * opacity + 255 * (1 - opacity)).astype(np.uint8)
    height, width = pixels.shape[:2]
    scale = min(1.0, _SHOWN / max(height, width))
    if scale < 1:
        pixels = resized(
            np.ascontiguousarray(pixels), max(1, round(width * scale)), max(1, round(height * scale))
        )
    return as_rgb(pixels)


def _page(activations: LayerActivations, trained: Trained, view: str) -> Page:
    checkpoint = trained.checkpoint
    name = "standard input" if activations.name == STREAM else shown(os.path.basename(activations.name))  # noqa: PTH119
    height, width, channels = checkpoint.preprocessing.shape
    changes = ", ".join(activations.prepared.changes)
    pictures = (
        Tile(activations.picture, name),
        Tile(
            as_rgb(activations.prepared.pixels),
            f"input of the network: {height}\u00a0×\u00a0{width}, {'gray' if channels == 1 else 'colour'}",
            changes,
        ),
    )
    bars = tuple(BarRow(shown(name), _percent(share), share) for name, share in activations.decoded.bars())
    where = f"from {shown(os.path.basename(checkpoint.path or ''))}"  # noqa: PTH119
    outputs = f"{len(trained.task.outputs):,} {trained.task.output_noun}"
    subtitle = f"{name}, {trained.network.size:,} parameters {where}, {outputs}"
    return Page(
        VIEWS[view].title.format(checkpoint.architecture.name),
        subtitle,
        pictures,
        bars,
        tuple(activations.sections),
        _how_to_read(activations, view),
    )


def _percent(share: float) -> str:
    return f"{share:.2%}" if share >= 5e-5 or not share else "< 0.01%"


def _how_to_read(activations: LayerActivations, view: str) -> str:
    text = VIEWS[view].reading
    text += " Sizes are height × width."
    if activations.brief:
        text += (
            f" {activations.brief} layers inside blocks have one row of maps: "
            "--layer\u00a0NAME draws all of one."
        )
    return text


def write_page(target: str, page: Page) -> None:
    """Write a page: one picture, one HTML file, or a folder of pictures.

    Parameters
    ----------
    target : str
        Ends in ``.png`` or ``.html``, or is a folder, or ``-`` for a PNG on standard output.
    page : Page
        What to draw.
    """
    if target == STREAM:
        write_stdout(_png(page_canvas(page)))
    elif target.lower().endswith((".html", ".htm")) and not os.path.isdir(target):  # noqa: PTH112
        from cnncli.views.sections_html import page_html

        write_atomic(Path(target), page_html(page).encode("utf-8", "backslashreplace"))
    elif not _is_folder(target):
        write_atomic(Path(target), _png(page_canvas(page)))
    else:
        folder = _made(Path(target))
        names = _picture_names([section.name for section in page.sections])
        write_atomic(folder / names[0], _png(head_canvas(page)))
        for name, section in zip(names[1:], page.sections, strict=True):
            write_atomic(folder / name, _png(section_canvas(section)))


def _png(canvas: Canvas) -> bytes:
    return encode_png(Picture((canvas.array(),)))


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise writing_fault(error, folder) from error
    return folder


def _write_arrays(folder: Path, arrays: Arrays) -> None:
    """One ``.npy`` for each layer, float32."""
    import io

    _made(folder)
    for name, array in arrays.items():
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(array, np.float32))
        write_atomic(folder / f"{name}.npy", stream.getvalue())


def _written_page(page: Page, arrays: Arrays, outputs: tuple[str | None, str, str | None]) -> str:
    """Write a page and its arrays; returns where the page is."""
    output, target, raw = outputs
    if output is None and target != STREAM:
        _made(Path(FOLDER))
        target = str(write_numbered(Path(target), _png(page_canvas(page))))
    else:
        write_page(target, page)
    if raw is not None:
        _write_arrays(Path(raw), arrays)
    return target


def _say(
    record: Mapping[str, Any],
    source: str,
    target: str,
    *,
    view: str,
    start: float,
    json: bool,
    named: bool,
) -> None:
    """Print an object, or the name of a page that the user has not named."""
    if json:
        value = {"input": in_unicode(source), "output": in_unicode(target), "view": view, **record}
        line = as_json({**value, "seconds": round(perf_counter() - start, 6)})
        report(line, exactly=True) if target == STREAM else write_line(line)
    elif not named and target != STREAM:
        write_line(target)
