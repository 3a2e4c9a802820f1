"""What a filtered picture is, besides its pixels: format, depth, metadata, and what has to be said of it."""

import sys
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.cli import values
from cnncli.cli.metadata_notes import kept_metadata
from cnncli.cli.names import STREAM, is_special, is_terminal
from cnncli.cli.outputs import Job, called_output, make_folder_of
from cnncli.cli.task import Task, depth_of
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.filters.apply import Depth
from cnncli.filters.mapping import FULL_SCALE
from cnncli.filters.model import Move, Plan
from cnncli.filters.options import Options
from cnncli.filters.run import result_shape
from cnncli.images import large
from cnncli.images.encode import timing_losses
from cnncli.images.formats import FORMATS, format_for
from cnncli.images.picture import Facts, Picture, Pixels
from cnncli.records import replace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AROUND = (
    "the weights sum to 0, so that responses are shown around mid-gray; "
    "--range abs shows their size, --range clip those above 0"
)


_WORTH_SAYING = 4  # times the least bytes of a large picture: photographs of 24 megapixels are usual


def called(source: str) -> str:
    """The input's name in messages."""
    return "standard input" if source == STREAM else shown(source)


def shown_result(job: Job) -> str:
    """The output's name in messages."""
    return called_output(job.result)


def result_format(job: Job, task: Task, picture: Picture) -> str:
    """What is written: as asked; by the file's suffix; to a stream, as it came, or PNG if it cannot be.

    What replaces an input keeps its format, whatever the suffix: a PNG called .jpg would lose by it.
    """
    if is_terminal(job.target):
        return "TIFF"  # which holds all that can be shown
    if task.format is not None:
        return task.format
    if job.target == STREAM or is_special(job.target):
        return picture.format if picture.format in FORMATS else "PNG"
    format = format_for(job.target)
    if not _is_misnamed(job, picture, format):
        return format
    if picture.format not in FORMATS:
        raise CnncliError(
            f"--in-place: {shown(job.source)} holds {picture.format}, which cannot be written; "
            f"expected {format}, as its suffix says",
            "Leave --in-place out, and name the output with -o.",
        )
    return picture.format


def _is_misnamed(job: Job, picture: Picture, format: str) -> bool:
    """Whether an input that is replaced holds another format than its suffix says."""
    netpbm = {"PPM", "PGM", "PBM", "PFM"}  # one format to a reader
    same = format == picture.format or (format in netpbm and picture.format in netpbm)
    return job.replaces and not same


def format_notes(job: Job, picture: Picture, format: str) -> list[str]:
    """What has to be said about the format."""
    if is_terminal(job.target):
        count = len(picture.frames)
        return [f"note: {called(job.source)}: the first of {count:,} frames is shown"] if count > 1 else []
    where = shown_result(job)
    notes = []
    if job.replaces and _is_misnamed(job, picture, format_for(job.target)):
        notes.append(f"note: {shown(job.source)} holds {format}, whatever its suffix says, and keeps it")
    notes += [f"note: {where}: {each}" for each in timing_losses(picture, format)]
    return notes


def result_size(task: Task, size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the result of a picture of some width and height.

    Raises
    ------
    CnncliError
        If an option does not fit that size.
    """
    from cnncli.filters.bands import BandedFilters

    width, height = size
    depth = Depth(np.dtype(np.uint8), FULL_SCALE[np.dtype(np.uint8)])
    filters = BandedFilters(task.filters, task.options, (height, width, 1), False, depth, depth)
    height, width = filters.stages()[-1].result
    return width, height


def check_sizes(task: Task, shapes: Sequence[tuple[int, ...]]) -> None:
    """Refuse to make pictures of more pixels than are read, before there is memory for one.

    Parameters
    ----------
    task : Task
        What is done.
    shapes : sequence of (height, width, …)
        Of the frames.

    Raises
    ------
    CnncliError
        For the first kernel that makes such pictures, or does not fit the size of a frame.
    """
    if not any(isinstance(filter, Move) for filter in task.filters):
        return
    sides = [(shape[0], shape[1]) for shape in shapes]
    for filter in list(task.filters) * task.options.repeat:
        sides = [result_shape(filter, task.options, each) for each in sides]
        pixels = sum(height * width for height, width in sides)
        if isinstance(filter, Move) and pixels > task.max_pixels:
            many = f", {len(sides)} frames" if len(sides) > 1 else ""
            raise CnncliError(
                f"{filter.name} makes {sides[0][1]} x {sides[0][0]} pixels{many}; "
                f"at most {task.max_pixels:,} pixels are made",
                f"Give a smaller size, or use --max-pixels {pixels}.",
            )


def result_depths(
    picture: Picture, format: str, task: Task, target: str, facts: Facts
) -> tuple[Depth, Depth, list[str]]:
    """What the numbers of input and output mean, and what has to be said about it.

    Parameters
    ----------
    picture : Picture
        The input.
    format, task, target
        Of the output, what is done, and the output's name.
    facts : Facts
        Of all pixels of the input.
    """
    dtype = picture.frames[0].dtype
    array = picture.format == "NPY"
    source = Depth(dtype, facts.white, raw=array)
    if format == "NPY" and task.bits in (None, 32):
        return source, Depth(depth_of(32), source.white, raw=True), []
    where = called_output(target)
    deep = FULL_SCALE[dtype] if array else source.white  # floats of a file keep their scale
    said = []
    if deep != FULL_SCALE[dtype]:
        said.append(f"note: {where}: floats of the input reach beyond 1, so that white is {deep:g}")
    if task.bits is not None:
        chosen = depth_of(task.bits)
        return source, Depth(chosen, deep if chosen == dtype else FULL_SCALE[chosen]), said
    depths, bits = FORMATS[format].depths, dtype.itemsize * 8
    if bits not in depths and 8 in depths:
        more = "--bits 16 keeps more" if 16 in depths else f"{format} holds no more"
        note = f"note: {where} is written with 8 of {bits} bits; {more}"
        return source, Depth(depth_of(8), 255.0), [*said, note, *_dark(facts, where)]
    return source, Depth(dtype, deep), said


def facts_of_picture(picture: Picture, *, top: bool) -> Facts:
    """What depends on all pixels of a picture that lies in memory; its largest value where asked for."""
    white = picture.full_scale
    if picture.dtype == np.float32:
        from cnncli.images.levels import picture_white

        white = picture_white(picture)
    shades = [each[..., :-1] if picture.alpha else each for each in picture.frames]
    largest = max(float(each.max()) for each in shades) if top and picture.dtype == np.uint16 else 0
    return Facts(white, not picture.alpha, largest)


def becomes_bytes(picture: Picture, format: str, task: Task) -> bool:
    """Whether more than 8 bits are written with 8, for want of others in the format."""
    depths = FORMATS[format].depths
    return task.bits is None and picture.dtype.itemsize * 8 not in depths and 8 in depths


def _dark(facts: Facts, where: str) -> list[str]:
    """What has to be said where 16 bits that hold 12 or fewer become 8 by their type."""
    from cnncli.images.levels import MOST_OF_12_BITS

    top = int(facts.top)
    if not 0 < top <= MOST_OF_12_BITS:
        return []
    return [f"note: {where} is almost black, pixels reach {top:,} of 65,535; --range stretch brightens them"]


def input_notes(job: Job, picture: Picture, format: str) -> list[str]:
    """What has to be said about the file that was read, and the format."""
    return [
        *(f"note: {called(job.source)}: {each}" for each in picture.notes),
        *format_notes(job, picture, format),
    ]


def whole_notes(job: Job, picture: Picture, why: str) -> list[str]:
    """What has to be said about a large picture that lies in memory as a whole, and why."""
    size = sum(frame.nbytes for frame in picture.frames)
    if not why or size < _WORTH_SAYING * large.LEAST_BYTES:
        return []
    return [f"note: {called(job.source)} lies in memory as a whole, {size / 1e6:,.0f} MB: {why}"]


def gray_notes(job: Job, task: Task, target: Depth, *, signed: bool) -> list[str]:
    """What has to be said about responses around mid-gray."""
    return [f"note: {shown_result(job)}: {_AROUND}"] if signed and not target.raw and task.around_gray else []


def _has_missing(picture: Picture) -> bool:
    """Whether opacity says where there are data, as its file states a value for those that are missing."""
    from cnncli.images.geo import missing_value

    return missing_value(picture.metadata.geo) is not None


def settled_options(task: Task, picture: Picture, source: Depth) -> Options:
    """The options in the units, and with the tone curve, of a picture."""
    masked = picture.alpha and bool(picture.metadata.geo) and _has_missing(picture)
    options = replace(task.options, bias=values.level("--bias", task.bias, source.white), masked=masked)
    if not options.linear:
        return options
    from cnncli.filters.curves import curve_of

    return replace(options, curve=curve_of(picture.metadata))


def result_picture(
    picture: Picture, frames: tuple[Pixels, ...], format: str, task: Task, of: tuple[Depth, Depth]
) -> Picture:
    """The result, with the metadata that it keeps; ``of`` are the depths of input and output."""
    result = replace(picture, frames=frames, format=format)
    same_type = (of[0].dtype, of[0].white) == (of[1].dtype, of[1].white)
    return replace(result, metadata=kept_metadata(picture, result, task, same_type=same_type))


def has_bands(picture: Picture) -> bool:
    """Whether a picture has channels that are neither gray nor RGB."""
    return picture.channels - picture.alpha not in (1, 3)


def reported(
    result: Picture, task: Task, plans: Sequence[Plan], *, clipped: float, start: float
) -> dict[str, Any]:
    """What ``--json`` says of a result that was begun at a time."""
    height, width, channels = result.frames[0].shape
    return {
        "width": width,
        "height": height,
        "channels": channels,
        "dtype": str(result.dtype),
        "kernel": task.spec,
        "plan": " | ".join(map(str, plans)),
        "clipped": clipped,
        "seconds": round(perf_counter() - start, 6),
    }


def result_gain(task: Task, result: Picture, target: Depth) -> float:
    """By how much a result may be brighter, where there are people to be told."""
    if target.raw or not sys.stderr.isatty():
        return 1
    from cnncli.cli.advice import gain_of

    return gain_of(task, result, target.white)


def preview_side(job: Job, task: Task) -> int:
    """Pixels of the longer side of a small version of the result, where it is to be shown; else 0."""
    if not is_terminal(job.target):
        return task.preview
    from cnncli.cli.terminal import MOST

    return max(MOST, task.preview)


def result_preview(job: Job, task: Task, result: Picture, target: Depth) -> "NDArray[np.uint8] | None":
    """A small version of the result, (h, w, 3 or 4), where it is to be shown."""
    if not (side := preview_side(job, task)):
        return None
    from cnncli.images.screen.preview import preview_of

    return preview_of(result, side, white=target.white)


def make_folder(job: Job) -> None:
    """Make the folder of an output that a template or a folder names."""
    if job.announced:
        make_folder_of(job.target)
