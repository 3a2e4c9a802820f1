"""``cnncli predict`` for clips: what happens when, window by window, of clips of any length.

Only as many frames are held as the windows of one batch have. Windows overlap by half. Each stands for the
part of the clip around its middle, and neighbours with the same label are one range.
"""

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cnncli import ending
from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE, SOME_FAILED, settle
from cnncli.cli.messages import report, report_error
from cnncli.cli.names import STREAM, find_inputs, wanted_names
from cnncli.cli.options.predict import Settings
from cnncli.cli.row_writers import Csv, JsonLines, Row, choose_row_writer
from cnncli.cli.streams import write_stdout
from cnncli.cli.trained import Trained, no_output
from cnncli.data.clip_files import ANIMATED, VIDEOS, Frame, frame_files, frames_of, is_video_file
from cnncli.data.prepare import InputSpec, prepared_as
from cnncli.errors import CnncliError
from cnncli.files.faults import encoded, in_unicode, input_fault, shown
from cnncli.images.formats import sniffed
from cnncli.nn import Inference
from cnncli.nn.graph import MAIN
from cnncli.tasks.task import are_finite
from cnncli.tasks.video import ClipInput

_AT_ONCE = 8  # windows of a batch
_PREFIX = 4096  # bytes by which a format is known
_EXAMPLE = "cnncli predict clip.gif -m RUN, or: cat clip.mp4 | cnncli predict -m RUN"
Floats = NDArray[np.float32]


@dataclass
class Range:
    """A part of a clip in which the likeliest class is the same.

    Attributes
    ----------
    first, last : int
        Its frames, from 0.
    start, end : float or None
        In seconds; None where nothing tells when frames are shown.
    outputs : ndarray, shape (K,)
        Sum of the outputs for its windows.
    windows : int
        How many there are.
    """

    first: int
    last: int
    start: float | None
    end: float | None
    outputs: Floats
    windows: int = 1

    @property
    def label(self) -> int:
        """The likeliest class."""
        return int(self.outputs.argmax())

    @property
    def place(self) -> str:
        """When it is, in words."""
        if self.start is None or self.end is None:
            return f"frames {self.first}-{self.last}"
        return f"{self.start:.2f}-{self.end:.2f} s"


@dataclass(frozen=True)
class _Part:
    """What a row says of a range: its place, then its classes."""

    range: Range
    decoded: Any

    def record(self) -> dict[str, Any]:
        """Frames, seconds and predictions."""
        part = self.range
        times = {} if part.start is None else {"start": round(part.start, 3), "end": round(part.end or 0, 3)}
        return {"first_frame": part.first, "last_frame": part.last, **times, **self.decoded.record()}

    def cells(self) -> list[str]:
        """Start and end in seconds, frames, then labels and probabilities."""
        part = self.range
        times = ["" if each is None else f"{each:.3f}" for each in (part.start, part.end)]
        return [*times, str(part.first), str(part.last), *self.decoded.cells()]

    def bars(self) -> list[tuple[str, float]]:
        """Labels and probabilities."""
        found: list[tuple[str, float]] = self.decoded.bars()
        return found

    def seen_in(self, input_spec: InputSpec, size: tuple[int, int]) -> "_Part":
        """The same: classes have no place."""
        del input_spec, size
        return self


COLUMNS = ("start", "end", "first_frame", "last_frame")


@dataclass
class _Count:
    done: int = 0
    failed: int = 0


def predict_clips(trained: Trained, settings: Settings, *, threads: int) -> int:
    """Say what a network sees in clips; returns the exit code."""
    names, count = _names(settings), _Count()
    reader = ClipReader(trained, threads=threads)
    task, top = trained.task, settings.top
    if settings.csv:
        writer: Any = Csv([*COLUMNS, *task.columns(top)])
    else:
        writer = choose_row_writer(
            [f"{each} 00.00-00.00 s" for each in names], task, json=settings.json, csv=False, top=top
        )
    _write(writer.header())
    with ending.saying(lambda: f"{count.done} classified"):
        for name in names:
            count.done += 1
            for line in _lines(name, reader, writer, settings):
                if isinstance(line, str):
                    _write(line)
                    continue
                count.failed += 1
                if writer.holds_errors:
                    _write(writer.line(Row(name, error=line)))
                else:
                    settle(line, debug=settings.debug)
    if count.failed and writer.holds_errors:
        what = f"{count.failed} of {count.done} clips could not be read"
        report_error(CnncliError(what, "Look at the field error of their lines, which says why."))
    return SOME_FAILED if count.failed else DONE


def _lines(name: str, reader: "ClipReader", writer: Any, settings: Settings) -> Iterator[str | CnncliError]:
    """The lines of a clip, and at the end what was wrong with it, if anything was."""
    trained, parts, last = reader.trained, [], 0
    told = sys.stdout.isatty() and not settings.csv
    try:
        for part in reader.ranges(name):
            last = part.last
            if isinstance(writer, JsonLines):
                parts.append(part)
                continue
            row = Row(
                f"{name} {part.place}" if told else name, _Part(part, _decoded(trained, part, settings.top))
            )
            yield writer.line(row)
    except (CnncliError, OSError, ValueError, MemoryError) as error:
        yield input_fault(error, name)
        return
    if parts:
        yield _as_json(name, parts, trained, settings.top)
    if not last and not settings.quiet:
        report(f"note: {shown(name)} has one frame, in which nothing moves: what is said of it is a guess")


def _write(line: str | None) -> None:
    if line is not None:
        write_stdout(encoded(line) + b"\n")


def _decoded(trained: Trained, part: Range, top: int) -> Any:
    (decoded,) = trained.task.decode({MAIN: part.outputs[None] / np.float32(part.windows)}, top=top)
    return decoded


def _as_json(name: str, parts: Sequence[Range], trained: Trained, top: int) -> str:
    """One object for a clip: what it is as a whole, and its ranges."""
    whole = Range(
        0,
        parts[-1].last,
        parts[0].start,
        parts[-1].end,
        np.sum([each.outputs for each in parts], axis=0),
        sum(each.windows for each in parts),
    )
    value = {
        "input": in_unicode(name),
        "frames": whole.last + 1,
        **({} if whole.end is None else {"seconds": round(whole.end, 3)}),
        **_decoded(trained, whole, top).record(),
        "ranges": [_Part(each, _decoded(trained, each, top)).record() for each in parts],
    }
    return as_json(value)


def _names(settings: Settings) -> list[str]:
    """Clips that are named: files, folders of frames, and what lies in folders of clips."""
    wanted = wanted_names(
        settings.inputs or [], files_from=settings.files_from, null=settings.null, example=_EXAMPLE
    )
    found = [each for name in wanted for each in _expanded(name)]
    if settings.files_from is not None:
        listed, _ = find_inputs(
            [],
            recursive=settings.recursive,
            files_from=settings.files_from,
            null=settings.null,
            suffixes=VIDEOS | ANIMATED,
        )
        found += [each.path for each in listed]
    return found


def _expanded(name: str) -> list[str]:
    folder = Path(name)
    if name == STREAM or not folder.is_dir():
        return [name]
    entries = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    clips = [each for each in entries if each.suffix.lower() in VIDEOS or _is_clip(each)]
    return [str(each) for each in clips] or [name]


def _is_clip(path: Path) -> bool:
    """Whether it is an animation, or a folder of frames."""
    if path.is_dir():
        return bool(frame_files(path))
    return path.suffix.lower() in ANIMATED - {".png"}


class ClipReader:
    """What a network sees in a clip, window by window.

    Parameters
    ----------
    trained : Trained
        A network for clips.
    threads : int
        To use.
    """

    def __init__(self, trained: Trained, *, threads: int) -> None:
        preprocessing = trained.checkpoint.preprocessing
        assert isinstance(preprocessing, ClipInput)
        self.trained = trained
        self.input, self._spec = preprocessing, trained.input_spec
        self._span = preprocessing.window.span
        self._hop = max(1, self._span // 2)
        self._plan = Inference(trained.network, _AT_ONCE, threads=threads)

    def ranges(self, name: str) -> Iterator[Range]:
        """Ranges of a clip, each as soon as it has ended.

        Raises
        ------
        CnncliError
            Where it cannot be read, also after some ranges; or outputs are not numbers.
        """
        held: Range | None = None
        for part in self._windows(name):
            if held is not None and held.label == part.label:
                held.last, held.end = part.last, part.end
                held.outputs, held.windows = held.outputs + part.outputs, held.windows + 1
                continue
            if held is not None:
                yield held
            held = part
        if held is not None:
            yield held

    def _windows(self, name: str) -> Iterator[Range]:
        """The part of the clip for which each window stands."""
        pixels: list[NDArray[np.uint8]] = []
        times: list[float | None] = []
        length = None  # of the last frame, in seconds
        base = 0  # number of the first frame that is held
        most = self._span + (_AT_ONCE - 1) * self._hop + 1
        for frame in frames_named(name):
            pixels.append(prepared_as(frame.picture, self._spec, name=name).pixels)
            times.append(frame.seconds)
            length = frame.length
            if len(pixels) == most:  # one more than the windows take: none of them is the last
                starts = [number * self._hop for number in range(_AT_ONCE)]
                yield from self._answers(name, pixels, times, starts, base=base, ended=False)
                gone = _AT_ONCE * self._hop
                del pixels[:gone], times[:gone]
                base += gone
        if not pixels:
            raise CnncliError(f"{shown(name)} has no frames; expected some", "Check the file.")
        times.append(_end(times, length))
        last = max(0, len(pixels) - self._span)
        starts = [*range(0, last, self._hop), last]
        for at in range(0, len(starts), _AT_ONCE):
            some = starts[at : at + _AT_ONCE]
            yield from self._answers(name, pixels, times, some, base=base, ended=at + _AT_ONCE >= len(starts))

    def _answers(
        self,
        name: str,
        pixels: Sequence[NDArray[np.uint8]],
        times: Sequence[float | None],
        starts: Sequence[int],
        *,
        base: int,
        ended: bool,
    ) -> Iterator[Range]:
        outputs = self._plan.run(self.input.strips(np.stack(pixels), starts))
        if not are_finite({MAIN: outputs}).all():
            raise no_output(name)
        aside = (self._span - self._hop) // 2
        for number, start in enumerate(starts):
            first = 0 if base + start == 0 else start + aside
            after = start + aside + self._hop
            if number + 1 < len(starts):
                after = min(after, starts[number + 1] + aside)
            elif ended:
                after = len(pixels)
            after = max(min(after, len(pixels)), first + 1)
            yield Range(
                base + first,
                base + after - 1,
                times[first],
                times[after],
                outputs[number],
            )


def _end(times: Sequence[float | None], length: float | None) -> float | None:
    """When a clip ends whose last frame is so long; where nothing tells, as long as the one before."""
    last = times[-1]
    if last is None:
        return None
    if length is None:
        length = last - (times[-2] or 0.0) if len(times) > 1 else 0.0
    return last + length


def frames_named(name: str) -> Iterator[Frame]:
    """The frames of a clip that is named, or of standard input for ``-``; errors as of `frames_of`."""
    if name != STREAM:
        path = Path(name)
        return frames_of(path, name=name, is_video=is_video_file(path))
    prefix = sys.stdin.buffer.read(_PREFIX)
    source = _Prefixed(prefix, sys.stdin.buffer)
    return frames_of(source, name="standard input", is_video=sniffed(prefix) is None)  # type: ignore[arg-type]


class _Prefixed:
    """A stream whose beginning has been read already."""

    def __init__(self, prefix: bytes, rest: IO[bytes]) -> None:
        self._prefix, self._rest = io.BytesIO(prefix), rest

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all."""
        found = self._prefix.read(size)
        if size < 0 or not found:
            return found + self._rest.read(size)
        return found
