"""``cnncli compare``: how alike two pictures are, or the pictures of two folders."""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cnncli.checked import as_json
from cnncli.cli import values
from cnncli.cli.compared import Side, check_alike, difference_picture, open_side
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.messages import report
from cnncli.cli.names import STREAM, expanded, is_standard, is_terminal, overwritten
from cnncli.cli.options.compare import Settings
from cnncli.cli.outputs import check_shown, make_folder_of, write_output
from cnncli.cli.result_form import called
from cnncli.cli.streams import write_line
from cnncli.core.threads import thread_count
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.filters.similarity import Scale, Similarity, Window, compare, psnr_of
from cnncli.images.decoding_limits import DEFAULT_MAX_PIXELS
from cnncli.images.encode import encode_picture
from cnncli.images.formats import READ_SUFFIXES, format_for
from cnncli.nearest import did_you_mean
from cnncli.records import record
from cnncli.threaded import in_threads

#: Metrics by name, and the decimals of their numbers in text.
METRICS = {
    "mse": "MSE",
    "mae": "MAE",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "largest": "largest",
    "differing": "differing",
}
Limits = tuple[tuple[str, float, str], ...]


@record
class _Pair:
    """Two files, and where their difference goes."""

    first: str
    second: str
    target: str | None


@record
class _Wanted:
    """What is asked of each pair: limits, as (metric, value, as written), and how it is compared."""

    low: Limits
    high: Limits
    window: Window
    threads: int
    max_pixels: int


def run(settings: Settings) -> int:
    """Compare, print, and return the exit code: 1 if a pair failed, or lies beyond a limit."""
    try:
        wanted = _wanted(settings)
        pairs, faults = _pairs(settings)
    except UsageError:
        raise
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    codes = [settle(fault, debug=settings.debug) for fault in faults]
    several = len(pairs) + len(faults) > 1
    codes += [code for pair in pairs if (code := _do(pair, settings, wanted, several=several))]
    if not codes:
        return DONE
    return codes[0] if not several else SOME_FAILED


def _wanted(settings: Settings) -> _Wanted:
    """What the options ask for."""
    if settings.scale is not None and not (math.isfinite(settings.scale) and settings.scale > 0):
        raise UsageError(
            f"--scale is {settings.scale}; expected a number above 0", "Leave it out to reach white."
        )
    return _Wanted(
        low=_limits("--min", settings.low),
        high=_limits("--max", settings.high),
        window=values.choice("--window", settings.window, get_args(Window)),
        threads=thread_count(settings.threads),
        max_pixels=values.within("--max-pixels", settings.max_pixels, 1) or DEFAULT_MAX_PIXELS,
    )


def _do(pair: _Pair, settings: Settings, wanted: _Wanted, *, several: bool) -> int:
    """Compare a pair and say what was found; its exit code."""
    tell = partial(report, exactly=True) if is_standard(pair.target or "") else write_line
    try:
        found = _compared(pair, settings, wanted)
    except Exception as error:  # noqa: BLE001 - the others are still compared
        code = settle(error, debug=settings.debug, about=shown(pair.first))
        if settings.json:
            message = error.message if isinstance(error, CnncliError) else str(error)
            tell(as_json({**_names(pair), "error": message}))
        return code
    for line in _told(pair, found, json=settings.json, several=several):
        tell(line)
    beyond = _beyond(found, wanted)
    if beyond and not settings.quiet:
        names = f"{called(pair.first)} and {called(pair.second)}"
        report(*(f"different: {names}: {each}" for each in beyond))
    return SOME_FAILED if beyond else DONE


def _limits(name: str, given: Sequence[str] | None) -> Limits:
    """Numbers that ``--min`` or ``--max`` gives metrics."""
    found = []
    for text in given or ():
        word, equals, value = text.partition("=")
        metric = word.strip().lower()
        if metric not in METRICS:
            hint = (
                did_you_mean(metric, METRICS, form=f"{name} {{}}=…")
                or f"Write, for example, {name} ssim=0.95."
            )
            raise UsageError(f"{name} is {text!r}; expected one of {', '.join(METRICS)} = a number", hint)
        if not equals:
            raise UsageError(
                f"{name} is {text!r}; expected a number behind it", f"Write, for example, {name} {metric}=1."
            )
        found.append((metric, values.level(name, value, 1.0), text))
    return tuple(found)


def _pairs(settings: Settings) -> tuple[list[_Pair], list[CnncliError]]:
    """The files to compare, and what has no counterpart."""
    first, second, output = settings.first, settings.second, settings.output
    faults: list[CnncliError] = []
    check_shown(output)
    folders = [name != STREAM and Path(name).is_dir() for name in (first, second)]
    if folders[0] != folders[1]:
        folder, file = (first, second) if folders[0] else (second, first)
        raise UsageError(
            f"{shown(folder)} is a folder and {shown(file)} is none; expected two pictures or two folders",
            "Name a picture in the folder.",
        )
    if not folders[0]:
        if first == second == STREAM:
            raise UsageError("standard input (-) is given twice; expected it once", "Name one of the files.")
        pairs = [_Pair(first, second, output)]
        if output == STREAM and sys.stdout.isatty():
            raise UsageError(
                "the difference would go to the terminal; expected a file or a pipe",
                "Name an output with -o, pipe it into another program, or show it with -o term.",
            )
    else:
        pairs, faults = _in_folders(settings)
    written = [pair.target for pair in pairs if pair.target is not None and not is_standard(pair.target)]
    if found := overwritten(written, [name for pair in pairs for name in (pair.first, pair.second)]):
        raise UsageError(
            f"the output {shown(found[0])} is also an input; expected another file",
            "Choose another name with -o.",
        )
    return pairs, faults


def _in_folders(settings: Settings) -> tuple[list[_Pair], list[CnncliError]]:
    """Pictures of the same name in two folders, or of the same stem where there is one only."""
    places: list[dict[str, str]] = []
    faults: list[CnncliError] = []
    for name in (settings.first, settings.second):
        sources, unread = expanded(name, READ_SUFFIXES, recursive=settings.recursive)
        faults += unread
        places.append({os.path.relpath(source.path, name): source.path for source in sources})
    here, there = places
    stems: dict[str, list[str]] = {}
    for name in there:
        stems.setdefault(_stem(name), []).append(name)
    pairs, taken = [], set()
    for name, path in here.items():
        alike = [name] if name in there else stems.get(_stem(name), [])
        if len(alike) != 1:
            what = "holds none of that name" if not alike else f"holds {' and '.join(map(shown, alike))}"
            faults.append(
                CnncliError(
                    f"{shown(path)} has no counterpart: {shown(settings.second)} {what}",
                    "Add it, or compare the two files by themselves.",
                )
            )
            continue
        taken.add(alike[0])
        pairs.append(_Pair(path, there[alike[0]], _target(settings.output, name)))
    faults += [
        CnncliError(
            f"{shown(path)} has no counterpart: {shown(settings.first)} holds none of that name",
            "Add it, or compare the two files by themselves.",
        )
        for name, path in there.items()
        if name not in taken and pairs
    ]
    return pairs, faults


def _target(output: str | None, name: str) -> str | None:
    """Where the difference of two pictures of a name goes."""
    if output is None or is_terminal(output):
        return output
    return os.path.join(output, f"{_stem(name)}.png")  # noqa: PTH118 - which keeps addresses


def _stem(name: str) -> str:
    """A name without its suffix; that of a difference is .png, as its numbers are to be seen."""
    return str(Path(name).with_suffix(""))


def _compared(pair: _Pair, settings: Settings, wanted: _Wanted) -> Similarity:
    """Compare two files, frame by frame, and write their difference if asked for."""
    names = (pair.first, pair.second)
    with ExitStack() as opened:

        def side(number: int) -> Side:
            whole = pair.target is not None
            return opened.enter_context(open_side(names[number], max_pixels=wanted.max_pixels, whole=whole))

        sides = in_threads(side, 2, threads=wanted.threads)
        first, second = check_alike(sides[0], sides[1], gray=settings.gray)
        found = []
        for number, shape in enumerate(first.shapes):
            scale = Scale(first.white, alpha=first.alpha)
            rows = first.rows_of(number), second.rows_of(number)
            found.append(
                compare(rows[0], rows[1], shape, scale, window=wanted.window, threads=wanted.threads)
            )
        if pair.target is not None:
            _write(pair.target, first, second, settings)
    return _together(found, first.white)


def _together(found: Sequence[Similarity], white: float) -> Similarity:
    """What was found of several frames, as of one picture."""
    if len(found) == 1:
        return found[0]
    mse = float(np.mean([each.mse for each in found]))
    similar = [each.ssim for each in found if each.ssim is not None]
    return Similarity(
        mse=mse,
        mae=float(np.mean([each.mae for each in found])),
        largest=float(np.max([each.largest for each in found])),
        differing=float(np.mean([each.differing for each in found])),
        ssim=float(np.mean(similar)) if len(similar) == len(found) else None,
        psnr=psnr_of(mse, white),
    )


def _write(target: str, first: Side, second: Side, settings: Settings) -> None:
    """Write the difference picture."""
    format = "PNG" if is_standard(target) else format_for(target)
    picture, factor = difference_picture(first, second, format=format, scale=settings.scale)
    data = encode_picture(picture, format)
    make_folder_of(target)
    write_output(target, data)
    if is_standard(target):
        return
    if factor != 1 and not settings.quiet and settings.scale is None:
        report(f"note: {shown(target)} shows the difference times {factor:.4g}")


def _told(pair: _Pair, found: Similarity, *, json: bool, several: bool) -> Iterator[str]:
    """What is printed of a pair."""
    if json:
        finite = math.isfinite(found.psnr)
        yield as_json(
            {
                **_names(pair),
                **_numbers(found),
                "psnr": found.psnr if finite else None,
                "same": found.largest == 0,
            }
        )
        return
    if several:
        yield f"{shown(pair.first)}  {shown(pair.second)}"
    indent = "  " if several else ""
    for name, value in _numbers(found).items():
        yield f"{indent}{METRICS[name]:10}{_shown(name, value)}"


def _names(pair: _Pair) -> dict[str, Any]:
    return {
        "first": in_unicode(pair.first),
        "second": in_unicode(pair.second),
        "output": None if pair.target is None else in_unicode(pair.target),
    }


def _numbers(found: Similarity) -> dict[str, float | None]:
    return {name: getattr(found, name) for name in METRICS}


def _shown(name: str, value: float | None) -> str:
    """A number as it is printed."""
    if value is None:
        return "none: a side is shorter than its window"
    if name == "psnr":
        return "infinite: they are the same" if value == math.inf else f"{value:.2f} dB"
    if name == "differing":
        return f"{value:.2%} of the pixels"
    return f"{value:.6f}" if name == "ssim" else f"{value:.6g}"


def _beyond(found: Similarity, wanted: _Wanted) -> list[str]:
    """In words, which limits are not kept; a number that is none keeps none."""
    lines = []
    for limits, side in ((wanted.low, "min"), (wanted.high, "max")):
        for name, limit, text in limits:
            value = getattr(found, name)
            kept = value is not None and (value >= limit if side == "min" else value <= limit)
            if not kept:
                lines.append(f"{METRICS[name]} is {_shown(name, value)}; expected --{side} {text}")
    return lines
