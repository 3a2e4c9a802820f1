"""``cnncli convolve``: from what the user said to filtered files."""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import numpy as np

from cnncli.cli.batch import Outcome, run_batch
from cnncli.cli.names import STREAM, Job, Naming, find_inputs, plan_outputs
from cnncli.cli.run import DONE, SOME_FAILED, UsageError, report, report_error
from cnncli.core.threads import thread_count
from cnncli.errors import CnncliError
from cnncli.filters.apply import Applied, Depth, apply_filters
from cnncli.filters.borders import OutputMode, parse_border
from cnncli.filters.mapping import FULL_SCALE
from cnncli.filters.model import Filter
from cnncli.filters.options import Normalize, Options, RangeMode
from cnncli.filters.spec import parse_spec
from cnncli.images.faults import shown
from cnncli.images.formats import FORMATS, READ_SUFFIXES, SUFFIXES, format_for
from cnncli.images.picture import Picture
from cnncli.images.read import DEFAULT_MAX_PIXELS, read_picture
from cnncli.images.write import encode_picture, write_picture

_BITS = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16), 32: np.dtype(np.float32)}


@dataclass(frozen=True)
class Task:
    """What is done to every input."""

    filters: tuple[Filter, ...]
    spec: str
    options: Options
    bias: str
    format: str | None
    bits: int | None
    quality: int | None
    compress: bool
    max_pixels: int
    explain: str | None


def convolve_command(
    *, kernel: list[str] | None, json: bool, quiet: bool, threads: int | None, **given: Any
) -> int:
    """Run the command.

    Parameters
    ----------
    kernel : list of str or None
        The SPECs.
    json, quiet, threads
        As on the command line.
    **given
        The other options, by the names that the command line has for them.

    Returns
    -------
    int
        The exit code.
    """
    try:
        task = _task(kernel or [], given)
        cores = thread_count(threads)
        sources, faults = find_inputs(
            given["inputs"] or [],
            recursive=given["recursive"],
            files_from=given["files_from"],
            null=given["null"],
            suffixes=READ_SUFFIXES,
        )
        jobs = plan_outputs(sources, given["output"], in_place=given["in_place"], naming=_naming(task))
        _check_outputs(jobs, task)
    except UsageError:
        raise
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    for fault in faults:
        report_error(fault)
    failed, clipped = len(faults), []
    alone = len(jobs) == 1
    for job, outcome in run_batch(
        jobs, lambda job, threads: _convolve(job, task, threads), cores, quiet=quiet
    ):
        if outcome.error is not None:
            report_error(outcome.error)
            failed += 1
            continue
        _announce(job, outcome.value, json=json)
        clipped.append((outcome.value["clipped"], job.target))
        if not quiet:
            for note in outcome.notes:
                report(note)
    if not quiet:
        _warn_of_clipping(clipped, alone=alone)
    return SOME_FAILED if failed else DONE


def _task(specs: list[str], given: dict[str, Any]) -> Task:
    """Everything that can be checked before an image is opened."""
    if not specs:
        raise UsageError(
            "no kernel is given; expected -k SPEC at least once",
            "for example -k sobel, or -k gaussian:sigma=2; see cnncli kernels",
        )
    options = Options(
        border=parse_border(given["border"]),
        mode=_choice("--mode", given["mode"], get_args(OutputMode)),
        stride=_pair("--stride", given["stride"]),
        dilation=given["dilation"],
        anchor=None if given["anchor"] is None else _numbers("--anchor", given["anchor"], 2),
        correlate=given["correlate"],
        normalize=_choice("--normalize", given["normalize"], get_args(Normalize)),
        repeat=given["repeat"],
        scale=given["scale"],
        range=_choice("--range", given["range_"], get_args(RangeMode)),
        gray=given["gray"],
        linear=given["linear"],
        roi=None if given["roi"] is None else _numbers("--roi", given["roi"], 4),
    )
    _bias(given["bias"], 1.0)
    bits, quality = given["bits"], given["quality"]
    if bits is not None and bits not in _BITS:
        raise UsageError(
            f"--bits is {bits}; expected 8, 16 or 32", "leave --bits out to keep those of the input"
        )
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"--quality is {quality}; expected 1 to 100", "leave --quality out for 92")
    explain = given["explain"]
    if explain is not None and os.path.splitext(explain)[1].lower() not in (".png", ".gif"):  # noqa: PTH122
        raise UsageError(f"--explain is {explain}; expected a file that ends in .png or .gif", "add .png")
    limit = given["max_pixels"]
    if limit is not None and limit < 1:
        raise UsageError(f"--max-pixels is {limit}; expected 1 or more", "leave --max-pixels out")
    return Task(
        filters=tuple(parse_spec(spec) for spec in specs),
        spec=" ".join(specs) if len(specs) == 1 else " | ".join(specs),
        options=options,
        bias=given["bias"],
        format=None if given["format_"] is None else format_for("", format=given["format_"]),
        bits=bits,
        quality=quality,
        compress=given["compress"],
        max_pixels=limit or DEFAULT_MAX_PIXELS,
        explain=explain,
    )


def _choice(name: str, value: str | None, valid: tuple[str, ...]) -> Any:
    """One of several words."""
    if value is None or value in valid:
        return value
    from difflib import get_close_matches

    near = get_close_matches(value, valid, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"leave {name} out for the default"
    raise UsageError(f"{name} is {value!r}; expected {', '.join(valid[:-1])} or {valid[-1]}", hint)


def _numbers(name: str, text: str, count: int) -> tuple[int, ...]:
    """Whole numbers between commas (or x, as in 3x2)."""
    try:
        numbers = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        shape = ",".join("XYWH"[:count])
        raise UsageError(
            f"{name} is {text!r}; expected {count} whole numbers, {shape}",
            f"for example {name} 0,0" + ",64,64" * (count == 4),
        )
    return numbers


def _pair(name: str, text: str) -> tuple[int, ...]:
    """One whole number for both axes, or two."""
    return _numbers(name, text, 2) if "," in text or "x" in text else _numbers(name, f"{text},{text}", 2)


def _bias(text: str, white: float) -> float:
    """A bias in units of the image, or as a share of full scale."""
    try:
        value = float(text.rstrip("%")) * (white / 100 if text.endswith("%") else 1)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise UsageError(
            f"--bias is {text!r}; expected a number, or a share such as 50%", "leave --bias out for 0"
        )
    return float(value)


def _naming(task: Task) -> Naming:
    """How outputs are called that the user has not named."""
    suffix = None
    if task.format is not None:
        suffix = next(suffix for suffix, format in SUFFIXES.items() if format == task.format)
    kernel = "-".join(filter.name for filter in task.filters)
    return Naming(kernel, suffix, frozenset(SUFFIXES))


def _check_outputs(jobs: list[Job], task: Task) -> None:
    """Formats that cannot be written, and bytes that would go to a terminal."""
    for job in jobs:
        if job.target != STREAM:
            format_for(job.target, format=task.format)
        elif sys.stdout.isatty():
            raise UsageError(
                "the image would go to the terminal; expected a file or a pipe",
                "name an output with -o, or pipe it into another program",
            )
    if task.explain is not None and len(jobs) != 1:
        raise UsageError(
            f"--explain is given with {len(jobs)} inputs; expected one",
            "explain one image, then filter the others",
        )


def _convolve(job: Job, task: Task, threads: int) -> Outcome:
    """Filter one input and write its result."""
    start = perf_counter()
    picture = _read(job.source, task.max_pixels)
    format = task.format or (format_for(job.target) if job.target != STREAM else _stream_format(picture))
    source, target, notes = _depths(picture, format, task, job.target)
    options = replace(task.options, bias=_bias(task.bias, source.white))
    applied = [
        apply_filters(
            frame, task.filters, options, alpha=picture.alpha, source=source, target=target, threads=threads
        )
        for frame in picture.frames
    ]
    result = replace(picture, frames=tuple(each.pixels for each in applied), format=format)
    if job.announced:
        _make_folder(Path(job.target).parent)
    _write(result, job.target, format, task, threads)
    if task.explain is not None:
        from cnncli.cli.explain import Run, write_explanation

        write_explanation(
            Path(task.explain), Run(picture, task.filters, options, source, job.source, threads)
        )
    height, width, channels = result.frames[0].shape
    value = {
        "input": job.source,
        "output": job.target,
        "width": width,
        "height": height,
        "channels": channels,
        "dtype": str(result.frames[0].dtype),
        "kernel": task.spec,
        "plan": " | ".join(str(plan) for plan in applied[0].plans),
        "clipped": _mean_clipped(applied),
        "seconds": round(perf_counter() - start, 6),
    }
    if len(applied) > 1:
        value["frames"] = len(applied)
    return Outcome(value=value, notes=notes)


def _mean_clipped(applied: list[Applied]) -> float:
    return float(np.mean([each.clipped for each in applied]))


def _read(source: str, max_pixels: int) -> Picture:
    if source == STREAM:
        return read_picture(sys.stdin.buffer.read(), max_pixels=max_pixels, name="standard input")
    return read_picture(Path(source), max_pixels=max_pixels)


def _stream_format(picture: Picture) -> str:
    """What a stream of this picture is written as: as it came, or PNG where that cannot be written."""
    return picture.format if picture.format in FORMATS else "PNG"


def _depths(picture: Picture, format: str, task: Task, target: str) -> tuple[Depth, Depth, list[str]]:
    """What the numbers of input and output mean, and what has to be said about it."""
    dtype = picture.frames[0].dtype
    array = picture.format == "NPY"
    source = Depth(dtype, _array_white(picture) if array else FULL_SCALE[dtype], raw=array)
    if format == "NPY" and task.bits in (None, 32):
        return source, Depth(_BITS[32], source.white, raw=True), []
    if task.bits is not None:
        chosen = _BITS[task.bits]
        return source, Depth(chosen, FULL_SCALE[chosen]), []
    depths = FORMATS[format].depths
    if dtype == np.float32 and 32 not in depths:
        white = FULL_SCALE[_BITS[8]]
        more = "; --bits 16 keeps more" if 16 in depths else ""
        return source, Depth(_BITS[8], white), [f"note: {shown(target)} is written with 8 bits{more}"]
    return source, Depth(dtype, FULL_SCALE[dtype]), []


def _array_white(picture: Picture) -> float:
    """What white is in an array: its type's full scale; for floats 1 if all lie within -1 to 1, else 255."""
    frame = picture.frames[0]
    if frame.dtype != np.float32:
        return FULL_SCALE[frame.dtype]
    largest = max((float(np.nanmax(np.abs(each), initial=0.0)) for each in picture.frames), default=0.0)
    return 1.0 if largest <= 1 else 255.0


def _write(picture: Picture, target: str, format: str, task: Task, threads: int) -> None:
    if target != STREAM:
        write_picture(
            picture,
            Path(target),
            format=format,
            quality=task.quality,
            compress=task.compress,
            threads=threads,
        )
        return
    data = encode_picture(picture, format, quality=task.quality, compress=task.compress, threads=threads)
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _make_folder(folder: Path) -> None:
    """The folder of an output that a template or a folder names."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CnncliError(
            f"cannot make the folder {shown(folder)}: {(error.strerror or str(error)).lower()}; "
            "expected a place that can be written",
            "choose another -o",
        ) from error


def _announce(job: Job, value: dict[str, Any], *, json: bool) -> None:
    """A result's line: JSON, or its name where the name was made up."""
    if json:
        from json import dumps

        line = dumps({**value, "input": shown(job.source), "output": shown(job.target)}, ensure_ascii=False)
    elif job.announced:
        line = job.target
    else:
        return
    print(line, file=sys.stderr if job.target == STREAM else sys.stdout, flush=True)


def _warn_of_clipping(clipped: list[tuple[float, str]], *, alone: bool) -> None:
    """Say what share of pixels was clipped, and how to keep them."""
    hit = [each for each in clipped if each[0] > 0]
    if not hit:
        return
    share, target = max(hit)
    amount = f"{share:.1%}" if share >= 0.001 else "less than 0.1%"
    if alone:
        text = f"{amount} of the pixels were clipped"
    else:
        text = (
            f"pixels were clipped in {len(hit)} of {len(clipped)} images, {amount} at most ({shown(target)})"
        )
    report(f"warning: {text}; --range stretch or a smaller --scale keeps them")
