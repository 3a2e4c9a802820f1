"""``cnncli convolve``: from what the user said to filtered files."""

import sys
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.cli import values
from cnncli.cli.batch import Outcome, run_batch
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.messages import report
from cnncli.cli.metadata_notes import Notes, kept_metadata, notes_on_losses
from cnncli.cli.names import STREAM, find_inputs, is_special, located
from cnncli.cli.options.convolve import Settings
from cnncli.cli.outputs import Job, plan_outputs
from cnncli.cli.streams import read_stdin, write_line, write_stdout
from cnncli.cli.task import Task, check_outputs, depth_of, kept_files, naming_of, read_task
from cnncli.core.threads import thread_count
from cnncli.errors import CnncliError
from cnncli.files.atomic import drafted, write_atomic
from cnncli.files.faults import in_unicode, shown
from cnncli.filters.apply import Applied, Depth, apply_filters
from cnncli.filters.mapping import FULL_SCALE
from cnncli.filters.options import Options
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.images.encode import KEEPS_FOUR_BYTES, check_frames, encode_with_losses, timing_losses
from cnncli.images.formats import FORMATS, READ_SUFFIXES, format_for
from cnncli.images.picture import Picture, Pixels
from cnncli.images.read import read_picture
from cnncli.records import replace

if TYPE_CHECKING:
    from cnncli.cli.explained import FilterRun
    from cnncli.cli.explained_page import SharedPage

LEAST_CLIPPED = 0.01  # share of pixels
_AROUND = (
    "the weights sum to 0, so that responses are shown around mid-gray; "
    "--range abs shows their size, --range clip those above 0"
)


def run(settings: Settings) -> int:
    """Run the command and return its exit code."""
    quiet, debug, json = settings.quiet, settings.debug, settings.json
    if settings.inputs and not all("." in name and ":" not in name for name in settings.inputs):
        from cnncli.cli.misplaced import refuse_kernels_among_inputs

        refuse_kernels_among_inputs(settings)
    try:
        task, jobs, faults = _planned(settings)
        cores = thread_count(settings.threads)
    except UsageError:
        raise
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    codes = []
    for name, empty in faults:
        _tell_fault(name, empty, settings.output, json=json)
        codes.append(settle(empty, debug=debug))
    clipped: list[tuple[float, str]] = []
    gains: list[tuple[float, str]] = []
    notes = Notes()
    shared = _shared_page(task, jobs)

    def work(job: Job, threads: int) -> Outcome:
        if job.source == STREAM:  # which can be read once only
            return _convolve(job, task, threads, shared)
        return with_memory_retry(lambda: _convolve(job, task, threads, shared), job.source)

    with closing(run_batch(jobs, work, cores, quiet=quiet)) as outcomes:
        for job, outcome in outcomes:
            if outcome.error is not None:
                fault = located(outcome.error, job.listed)
                _tell_fault(job.source, fault, job.target, json=json)
                codes.append(settle(fault, debug=debug, about=shown(job.source)))
                continue
            _announce(job, outcome.value, json=json)
            clipped.append((outcome.value["clipped"], job.result))
            gains.append((outcome.gain, job.result))
            if not quiet:
                notes.say(job, outcome.notes)
    if not quiet:
        if clipped and task.part is not None and task.part.mask is not None and not task.part.mask.any():
            report(f"warning: --mask {shown(settings.mask or '')} is black everywhere: nothing is filtered")
        notes.close()
        _advise(clipped if not task.clips else [], gains, alone=len(jobs) == 1)
    if shared is not None:
        shared.write()
    if not codes:
        return DONE
    # An option that does not fit the only image there is, is wrong usage; of many, some failed.
    return codes[0] if len(jobs) == 1 and not faults else SOME_FAILED


def _planned(settings: Settings) -> tuple[Task, list[Job], list[tuple[str, CnncliError]]]:
    """The task, what it is done to, and the folders that gave nothing."""
    task = read_task(settings)
    sources, faults = find_inputs(
        settings.inputs or [],
        recursive=settings.recursive,
        files_from=settings.files_from,
        null=settings.null,
        suffixes=READ_SUFFIXES,
    )
    kept = kept_files(settings.kernel or [], settings.files_from, settings.mask)
    jobs = plan_outputs(
        sources,
        settings.output,
        in_place=settings.in_place,
        naming=naming_of(task),
        kept=kept,
    )
    if jobs or not faults:
        check_outputs(jobs, task, in_place=settings.in_place, kept=kept)
    return task, jobs, faults


def _shared_page(task: Task, jobs: list[Job]) -> "SharedPage | None":
    """The page on which several inputs are explained; one input's is written with its result."""
    if task.explain is None or len(jobs) < 2:
        return None
    from cnncli.cli.explained_page import SharedPage

    return SharedPage(Path(task.explain), [job.target for job in jobs])


def _convolve(job: Job, task: Task, threads: int, shared: "SharedPage | None") -> Outcome:
    """Filter one input and write its result."""
    start = perf_counter()
    contents = read_stdin() if job.source == STREAM else Path(job.source)
    picture = read_picture(contents, max_pixels=task.max_pixels, bands=True)
    format = _format(job, task, picture)
    check_frames(picture, format)
    if task.explain is not None and _has_bands(picture):
        raise CnncliError(
            f"--explain: {_called(job.source)} has {picture.channels} channels; expected gray or RGB",
            "Explain the kernel on another picture.",
        )
    source, target, notes = _depths(picture, format, task, job.result)
    notes += [f"note: {_called(job.source)}: {each}" for each in picture.notes]
    notes += _losses(job, picture, format)
    task = replace(task, options=_settled(task, picture, source))
    applied = _applied(job, picture, task, (source, target), threads, rgbx=format in KEEPS_FOUR_BYTES)
    if applied[0].signed and not target.raw and task.around_gray:
        notes.append(f"note: {_shown_result(job)}: {_AROUND}")
    result = replace(picture, frames=tuple(each.pixels for each in applied), format=format)
    same_type = (source.dtype, source.white) == (target.dtype, target.white)
    result = replace(result, metadata=kept_metadata(picture, result, task, same_type=same_type))
    data, lost = encode_with_losses(
        result, format, quality=task.quality, compress=task.compress, threads=threads
    )
    notes += notes_on_losses(job, picture, task, lost)
    if task.part is not None:
        from cnncli.cli.parts import notes_on_the_rest

        notes += notes_on_the_rest(job.target, result)
    page = None
    if task.explain is not None:
        from cnncli.cli.explained import FilterRun

        run = FilterRun(picture, task.filters, task.options, source, job.source, threads)
        page = None if shared else _explanation(run, Path(task.explain).suffix)
    _write(job, data, task.explain, page)
    if shared is not None:
        shared.add(job.target, run)
    height, width, channels = result.frames[0].shape
    return Outcome(
        value={
            "width": width,
            "height": height,
            "channels": channels,
            "dtype": str(result.frames[0].dtype),
            "kernel": task.spec,
            "plan": " | ".join(str(plan) for plan in applied[0].plans),
            "clipped": sum(each.clipped for each in applied) / len(applied),
            "seconds": round(perf_counter() - start, 6),
        },
        notes=notes,
        gain=_gain(task, result, target),
    )


def _explanation(run: "FilterRun", suffix: str) -> bytes:
    """The file that explains the run on a single input."""
    if suffix.lower() != ".html":
        from cnncli.cli.explained import encode_explanation

        return encode_explanation(run, suffix)
    from cnncli.cli.explained_page import encode_page, page_picture

    return encode_page([page_picture(run)], run)


def _settled(task: Task, picture: Picture, source: Depth) -> Options:
    """The options in the units, and with the tone curve, of a picture."""
    options = replace(task.options, bias=values.level("--bias", task.bias, source.white))
    if not options.linear:
        return options
    from cnncli.filters.curves import curve_of

    return replace(options, curve=curve_of(picture.metadata))


def _write(job: Job, data: bytes, explain: str | None, page: bytes | None) -> None:
    """Write the result, which may replace the input, and the explanation, if there is one: both or none."""
    if job.announced:
        _make_folder(Path(job.target).parent)
    beside = nullcontext() if explain is None or page is None else drafted(Path(explain), page)
    with beside:
        if job.target == STREAM:
            write_stdout(data)
        else:
            write_atomic(Path(job.target), data)


def _applied(
    job: Job, picture: Picture, task: Task, depths: tuple[Depth, Depth], threads: int, *, rgbx: bool
) -> list[Applied]:
    """The filtered frames."""
    source, target = depths

    def filtered(frame: Pixels) -> Applied:
        how: dict[str, Any] = {"alpha": picture.alpha, "source": source, "target": target, "rgbx": rgbx}
        if task.part is None:
            return apply_filters(frame, task.filters, task.options, threads=threads, **how)
        from cnncli.filters.area import apply_in_area

        return apply_in_area(frame, task.filters, task.options, task.part, threads=threads, **how)

    # Where colours are weighed together, channels that are no colours are filtered each by itself.
    alone = _has_bands(picture) and any(filter.weighs_colors for filter in task.filters)
    try:
        return [_each_channel(frame, filtered) if alone else filtered(frame) for frame in picture.frames]
    except CnncliError as error:  # an option that does not fit the size of this image
        raise UsageError(f"{_called(job.source)}: {error.message}", error.hint) from error


def _has_bands(picture: Picture) -> bool:
    """Whether a picture has channels that are neither gray nor RGB."""
    return picture.channels - picture.alpha not in (1, 3)


def _each_channel(frame: Pixels, filtered: Callable[[Pixels], Applied]) -> Applied:
    """A frame filtered channel by channel."""
    parts = [filtered(np.ascontiguousarray(frame[..., at : at + 1])) for at in range(frame.shape[2])]
    pixels = np.concatenate([part.pixels for part in parts], axis=2)
    return replace(parts[0], pixels=pixels, clipped=sum(part.clipped for part in parts) / len(parts))


def _called(source: str) -> str:
    return "standard input" if source == STREAM else shown(source)


def _format(job: Job, task: Task, picture: Picture) -> str:
    """What is written: as asked; by the file's suffix; to a stream, as it came, or PNG if it cannot be.

    What replaces an input keeps its format, whatever the suffix: a PNG called .jpg would lose by it.
    """
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


def _losses(job: Job, picture: Picture, format: str) -> list[str]:
    """What has to be said about the format."""
    where = _shown_result(job)
    notes = []
    if job.replaces and _is_misnamed(job, picture, format_for(job.target)):
        notes.append(f"note: {shown(job.source)} holds {format}, whatever its suffix says, and keeps it")
    notes += [f"note: {where}: {each}" for each in timing_losses(picture, format)]
    return notes


def _depths(picture: Picture, format: str, task: Task, target: str) -> tuple[Depth, Depth, list[str]]:
    """What the numbers of input and output mean, and what has to be said about it."""
    dtype = picture.frames[0].dtype
    array = picture.format == "NPY"
    source = Depth(dtype, _white(picture), raw=array)
    if format == "NPY" and task.bits in (None, 32):
        return source, Depth(depth_of(32), source.white, raw=True), []
    where = "standard output" if target == STREAM else shown(target)
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
        return source, Depth(depth_of(8), 255.0), [*said, note, *_dark(picture, where)]
    return source, Depth(dtype, deep), said


def _white(picture: Picture) -> float:
    """White of a picture whose numbers are kept as they are; that of floats depends on them."""
    if picture.dtype != np.float32:
        return picture.full_scale
    from cnncli.images.levels import picture_white

    return picture_white(picture)


def _dark(picture: Picture, where: str) -> list[str]:
    """What has to be said where 16 bits that hold 12 or fewer become 8 by their type."""
    if picture.frames[0].dtype != np.uint16:
        return []
    from cnncli.images.levels import MOST_OF_12_BITS

    shades = (each[..., :-1] if picture.alpha else each for each in picture.frames)
    top = max(int(each.max()) for each in shades)
    if not 0 < top <= MOST_OF_12_BITS:
        return []
    return [f"note: {where} is almost black, pixels reach {top:,} of 65,535; --range stretch brightens them"]


def _make_folder(folder: Path) -> None:
    """The folder of an output that a template or a folder names."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        what = (getattr(error, "strerror", None) or str(error)).lower()
        raise CnncliError(
            f"cannot make the folder {shown(folder)}: {what}; expected a place that can be written",
            "Choose another name with -o.",
        ) from error


def _announce(job: Job, value: Mapping[str, Any], *, json: bool) -> None:
    """A result's line: JSON, or its name where the name was made up."""
    if json:
        from cnncli.checked import as_json

        line = as_json({"input": in_unicode(job.source), "output": in_unicode(job.result), **value})
    elif job.announced:
        line = job.target
    else:
        return
    _tell(line, job.target)


def _tell_fault(source: str, error: BaseException, target: str | None, *, json: bool) -> None:
    """The line of JSON of an input without a result; the keys are those of ``cnncli predict``."""
    if json:
        from cnncli.checked import as_json

        message = error.message if isinstance(error, CnncliError) else str(error) or type(error).__name__
        _tell(as_json({"input": in_unicode(source), "error": message}), target)


def _tell(line: str, target: str | None) -> None:
    """A line for a reader: standard output, unless that is the image."""
    if target == STREAM:
        report(line, exactly=True)
    else:
        write_line(line)


def _shown_result(job: Job) -> str:
    return "standard output" if job.target == STREAM else shown(job.result)


def _gain(task: Task, result: Picture, target: Depth) -> float:
    """By how much a result may be brighter, where there are people to be told."""
    if target.raw or not sys.stderr.isatty():
        return 1
    from cnncli.cli.advice import gain_of

    return gain_of(task, result, target.white)


def _advise(clipped: list[tuple[float, str]], gains: list[tuple[float, str]], *, alone: bool) -> None:
    """Say what was cut off, beyond specks that nobody misses, and what is dim."""
    if any(share >= LEAST_CLIPPED for share, _ in clipped):
        from cnncli.cli.advice import warn_of_clipping

        warn_of_clipping([each for each in clipped if each[0] >= LEAST_CLIPPED], len(clipped), alone=alone)
    if any(gain > 1 for gain, _ in gains):
        from cnncli.cli.advice import advise_on_scale

        advise_on_scale([each for each in gains if each[0] > 1], len(gains))
