"""What ``cnncli convolve`` is to do, checked as far as it can be before an image is opened."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import STREAM, is_special, is_terminal, overwritten
from cnncli.cli.options.convolve import Settings
from cnncli.cli.outputs import Job, Naming, check_shown
from cnncli.errors import CnncliError
from cnncli.files.atomic import is_device
from cnncli.files.faults import shown
from cnncli.filters.borders import OutputMode, parse_border
from cnncli.filters.model import Filter, Move, PlacedKernels
from cnncli.filters.named import find_entry, values_of
from cnncli.filters.options import Normalize, Options, RangeMode, place_kernels
from cnncli.filters.spec import name_for_files, parse_spec
from cnncli.images.decoding_limits import DEFAULT_MAX_PIXELS
from cnncli.images.formats import FORMATS, SUFFIXES, format_for
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.area import FilterArea

BITS = (8, 16, 32)
#: Pixels a side that a dilated kernel may cover; the memory for its border grows with their square.
LARGEST_EXTENT = 16_384
#: Images on one page of --explain.
MOST_EXPLAINED = 12
_LONGEST_NAME = 100  # of kernels in the name of an output


@record
class Task:
    """What is done to every input.

    Attributes
    ----------
    filters : tuple of Filter
        Applied one after another.
    spec : str
        The SPECs as they were written.
    name : str
        What stands for them in names of outputs.
    options : Options
        How; its ``bias`` is still 0.
    bias : str
        As written: how much a share of full scale is depends on the image.
    format, bits, quality
        Of the output; None: the input's own, and the format's usual quality.
    compress : bool
        Small rather than fast.
    max_pixels : int
        Larger images are refused.
    strip : bool
        Write pixels alone.
    explain : str or None
        Where the picture that explains the run goes.
    part : FilterArea or None
        Where filters work, if not everywhere.
    preview : int
        Pixels of the longer side of a small version of each result, which is to be shown; 0: of none.
    """

    filters: tuple[Filter, ...]
    spec: str
    name: str
    options: Options
    bias: str
    format: str | None
    bits: int | None
    quality: int | None
    compress: bool
    max_pixels: int
    strip: bool
    explain: str | None
    part: "FilterArea | None" = None
    preview: int = 0

    @property
    def clips(self) -> bool:
        """Whether what is cut off is meant to be."""
        deciding = (each for each in reversed(self.filters) if each.clips or not isinstance(each, Move))
        return next((each.clips for each in deciding), False)

    @property
    def around_gray(self) -> bool:
        """Whether responses of a matrix are shown around mid-gray without anybody having said so."""
        deciding = next((each for each in reversed(self.filters) if each.signed is not None), None)
        return deciding is not None and deciding.flips and self.options.range is None


def read_task(settings: Settings) -> Task:
    """Make a task of the command line.

    Parameters
    ----------
    settings : Settings
        What it says.

    Returns
    -------
    Task

    Raises
    ------
    CnncliError
        If an option has a value that means nothing, or that does not fit a kernel.
    """
    specs = settings.kernel or []
    if not specs:
        raise UsageError(
            "no kernel is given; expected -k SPEC at least once",
            "Choose one of `cnncli kernels`, for example -k sobel or -k gaussian:sigma=2.",
        )
    options = _options(settings)
    values.level("--bias", settings.bias, 1.0)
    bits = settings.bits
    if bits is not None and bits not in BITS:
        raise UsageError(
            f"--bits is {bits}; expected 8, 16 or 32", "Leave --bits out to keep those of the input."
        )
    max_pixels = values.within("--max-pixels", settings.max_pixels, 1) or DEFAULT_MAX_PIXELS
    filters = tuple(_checked(parse_spec(spec), spec, options).opened(max_pixels) for spec in specs)
    part = _part(settings, max_pixels, filters)
    if part is not None and part.region is not None:  # nothing is cut out
        options = replace(options, roi=None)
    return Task(
        filters=filters,
        spec=" | ".join(specs),
        name=_name(specs, filters),
        options=options,
        bias=settings.bias,
        format=None if settings.format_ is None else format_for("", format=settings.format_),
        bits=bits,
        quality=values.within("--quality", settings.quality, 1, 100),
        compress=settings.compress,
        max_pixels=max_pixels,
        strip=settings.strip,
        explain=settings.explain,
        part=part,
    )


def _part(settings: Settings, max_pixels: int, filters: Sequence[Filter]) -> "FilterArea | None":
    """Where filters work; what reads it is imported only where it is asked for."""
    if not settings.inside and settings.mask is None and settings.channels is None:
        return None
    from cnncli.cli.parts import read_part

    return read_part(settings, max_pixels, filters)


def _options(settings: Settings) -> Options:
    """How filters are applied."""
    return Options(
        border=parse_border(settings.border),
        mode=values.choice("--mode", settings.mode, get_args(OutputMode)),
        stride=values.pair("--stride", settings.stride),
        dilation=settings.dilation,
        anchor=values.point("--anchor", settings.anchor),
        correlate=settings.correlate,
        normalize=values.choice("--normalize", settings.normalize, get_args(Normalize)),
        repeat=settings.repeat,
        scale=settings.scale,
        range=values.choice("--range", settings.range_, get_args(RangeMode)),
        gray=settings.gray,
        linear=settings.linear,
        roi=values.region("--roi", settings.roi),
    )


def _checked(filter: Filter, spec: str, options: Options) -> Filter:
    """A filter that the options fit, and that does something."""
    _check_operand(spec)
    _check_dilation(place_kernels(filter, options), filter.name, options.dilation)
    if filter.kernels and not filter.combines and not filter.kernels[0].any():
        raise CnncliError(
            f"kernel {spec!r} has no weight but 0; expected at least one other",
            "Give another factor: with 0, every result would be black.",
        )
    return filter


def _operand_of(spec: str) -> str:
    """The second picture that a SPEC names; empty where it names none."""
    head, _, rest = spec.partition(":")
    entry = find_entry(head) if rest.strip() else None
    return "" if entry is None or not entry.operand else str(values_of(entry, rest).get(entry.operand, ""))


def _check_operand(spec: str) -> None:
    """Refuse a kernel of two pictures without the second one: its name would be taken for an input."""
    head, _, rest = spec.partition(":")
    entry = find_entry(head)
    if entry is None or not entry.operand:
        return
    if not rest or not values_of(entry, rest).keys() & {"level", entry.operand}:
        raise CnncliError(
            f"{spec.strip()} has no second picture; expected its file behind a colon",
            f"Write -k {entry.name}:{'0.5:' if entry.name == 'blend' else ''}other.png.",
        )


def _check_dilation(placed_kernels: PlacedKernels, name: str, dilation: int) -> None:
    height, width = (
        (n - 1) * dilation + 1
        for n in (placed_kernels.kernels[0].shape if placed_kernels.kernels else (1, 1))
    )
    if max(width, height) > LARGEST_EXTENT:
        raise UsageError(
            f"--dilation is {dilation}, with which {name} covers {width} x {height} pixels; "
            f"expected at most {LARGEST_EXTENT} a side",
            "Use a smaller --dilation.",
        )


def kept_files(specs: list[str], *others: str | None) -> list[str]:
    """Files besides the inputs that are read, and must not be written to: kernels, pictures, lists, masks."""
    found = [spec.strip() for spec in specs if os.path.isfile(spec.strip())]  # noqa: PTH113
    if any(mark in spec for spec in specs for mark in "*(- +"):
        from cnncli.filters.arithmetic import files_in

        found += [file for spec in specs for file in files_in(spec)]
    found += [name for spec in specs if (name := _operand_of(spec))]
    return [*found, *(other for other in others if other is not None and other != STREAM)]


def naming_of(task: Task) -> Naming:
    """How outputs are called that the user has not named."""
    suffix = None
    if task.format is not None:
        suffix = next(suffix for suffix, format in SUFFIXES.items() if format == task.format)
    return Naming(task.name, suffix, frozenset(SUFFIXES))


def _name(specs: list[str], filters: tuple[Filter, ...]) -> str:
    """What stands for the kernels in names of outputs, of a length that file systems take."""
    name = "-".join(map(name_for_files, specs, filters))
    if len(name) <= _LONGEST_NAME:
        return name
    from zlib import crc32

    return f"{name[:_LONGEST_NAME]}-{crc32(name.encode()):08x}"


def check_outputs(jobs: list[Job], task: Task, *, in_place: bool, kept: list[str]) -> None:
    """Refuse formats that cannot be written, and bytes that would go to a terminal.

    Parameters
    ----------
    jobs : list of Job
        From `plan_outputs`.
    task : Task
        What is done.
    in_place : bool
        Whether inputs are replaced.
    kept : list of str
        From `kept_files`.

    Raises
    ------
    CnncliError
        For these, and for an explanation that has no place.
    """
    if in_place and task.format is not None:
        raise UsageError(
            "--in-place and --format are both given; expected one of them",
            "Leave --in-place out: a file of another format has another name.",
        )
    for job in jobs:
        if job.fault is not None:
            continue
        format = task.format
        if is_terminal(job.target):
            check_shown(job.target)
            if format is not None:
                raise UsageError(
                    f"--format is given with -o {job.target}, which shows pictures; expected a file",
                    "Leave --format out, or name a file with -o.",
                )
            continue
        if job.target == STREAM or is_special(job.target):
            if _is_terminal(job.target):
                raise UsageError(
                    "the image would go to the terminal; expected a file or a pipe",
                    "Name an output with -o, pipe it into another program, or show it with -o term.",
                )
        else:
            format = _format_of(job, task)
        _check_bits(task.bits, format)
    if task.explain is not None:
        _check_explanation(task.explain, jobs, kept)
        last = task.filters[-1]
        if not last.explained_alone:
            how = "moves pixels" if isinstance(last, Move) else "no window alone explains"
            raise UsageError(
                f"--explain is given for {last.name}, which {how}; expected a kernel that works on windows",
                "Leave --explain out, or explain the kernels before it.",
            )


def _format_of(job: Job, task: Task) -> str:
    """What the name of an output asks for."""
    try:
        return format_for(job.target, format=task.format)
    except CnncliError as error:
        if not job.replaces:
            raise
        hint = "Rename it, or leave --in-place out and name the output with -o."
        raise UsageError(error.message, hint) from error


def _check_bits(bits: int | None, format: str | None) -> None:
    """Refuse bits that the output's format does not have, where it is known already."""
    if bits is None or format is None or bits in FORMATS[format].depths:
        return
    depths = " or ".join(map(str, FORMATS[format].depths))
    able = " ".join(suffix for suffix, other in SUFFIXES.items() if bits in FORMATS[other].depths)
    raise UsageError(
        f"--bits is {bits} and the output {format}; expected {depths} bits",
        f"Leave --bits out, or write one of {able}.",
    )


def _is_terminal(target: str) -> bool:
    try:
        if target == STREAM:
            return sys.stdout.isatty()
        handle = os.open(target, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.isatty(handle)
    finally:
        os.close(handle)


def _check_explanation(path: str, jobs: list[Job], kept: list[str]) -> None:
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    if suffix not in (".png", ".gif", ".html") and not is_device(path):
        raise UsageError(
            f"--explain is {shown(path)}; expected a file that ends in .png, .gif or .html",
            "Add .png to its name.",
        )
    most = MOST_EXPLAINED if suffix == ".html" else 1
    if not 1 <= len(jobs) <= most:
        expected = "one" if most == 1 else f"1 to {most}"
        raise UsageError(
            f"--explain is given with {len(jobs)} inputs; expected {expected}",
            "Explain one image, then filter the others."
            if most == 1
            else "Explain some of them, then filter the others.",
        )
    others = {
        "also an input" if len(jobs) > 1 else "also the input": [job.source for job in jobs],
        "also an output" if len(jobs) > 1 else "also the output": [job.target for job in jobs],
        "also read": kept,
    }
    for role, files in others.items():
        if overwritten([path], files):
            raise UsageError(
                f"--explain is {shown(path)}, which is {role}; expected another file",
                "Choose another name for the explanation.",
            )


def depth_of(bits: int) -> "np.dtype[np.generic]":
    """The numbers that have so many bits: 8, 16 or 32."""
    return np.dtype({8: np.uint8, 16: np.uint16, 32: np.float32}[bits])
