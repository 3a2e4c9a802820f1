"""Read clips frame by frame: animations, videos by the extra `video`, and folders of frames."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.images import decoding_limits
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.picture import Picture
from cnncli.images.read import read_frames, read_picture
from cnncli.records import record

if TYPE_CHECKING:
    from types import ModuleType

ANIMATED = frozenset((".gif", ".png", ".apng", ".webp", ".avif"))
"""Suffixes of images that may be animations."""
VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ogv", ".wmv", ".flv", ".3gp", ".ts")
)
_MISSING = 2  # frames that a whole video may have fewer than its header says
_DIGITS = re.compile(r"\d+")


@record(eq=False)
class Frame:
    """A frame of a clip.

    Attributes
    ----------
    picture : Picture
        Of one frame.
    seconds : float or None
        When it is shown, from the first one on; None where nothing tells.
    length : float or None
        For how many seconds; None where nothing tells.
    """

    picture: Picture
    seconds: float | None = None
    length: float | None = None


def frames_of(source: Path | IO[bytes], *, name: str, is_video: bool) -> Iterator[Frame]:
    """The frames of a clip, one after the other; none of them is kept.

    Parameters
    ----------
    source : Path or binary file
        A file, or a folder of frames.
    name : str
        For messages.
    is_video : bool
        It is a video, not an image.

    Raises
    ------
    CnncliError
        Where it cannot be read or has no frames; also after some frames, where the rest is damaged, or of
        another size.
    """
    if isinstance(source, Path) and source.is_dir():
        frames = _in_folder(source)
    elif is_video:
        frames = _of_video(source, name)
    else:
        frames = _of_animation(source if isinstance(source, Path) else source.read(), name)
    size = None
    for number, frame in enumerate(frames, 1):
        if size not in (None, frame.picture.size):
            raise CnncliError(
                f"{shown(name)}: frame {number} has {_by(frame.picture.size)} pixels, those before it "
                f"{_by(size)}; expected frames of one size",
                "Save the clip again with frames of one size.",
            )
        size = frame.picture.size
        yield frame


def _by(size: tuple[int, int] | None) -> str:
    return "x".join(map(str, size or ()))


def is_video_file(path: Path) -> bool:
    """Whether a file is a video by its suffix."""
    return path.suffix.lower() in VIDEOS


def frame_files(folder: Path) -> list[Path]:
    """Images in a folder, in the order of the numbers in their names.

    Raises
    ------
    CnncliError
        Where the folder cannot be read.
    """
    try:
        files = [each for each in folder.iterdir() if each.suffix.lower() in READ_SUFFIXES]
    except OSError as error:
        raise reading_fault(error, folder) from error
    return sorted((each for each in files if not each.name.startswith(".")), key=_by_number)


def _by_number(path: Path) -> tuple[list[int], str]:
    return [int(each) for each in _DIGITS.findall(path.stem)[-1:]], path.name


def _in_folder(folder: Path) -> Iterator[Frame]:
    files = frame_files(folder)
    if not files:
        raise CnncliError(
            f"{shown(folder)} has no frames; expected images such as 0001.png", "Check the folder."
        )
    for path in files:
        yield Frame(read_picture(path, first=True))


def _of_animation(source: Path | bytes, name: str) -> Iterator[Frame]:
    milliseconds = 0.0
    for picture in read_frames(source, name=name):
        length = sum(picture.durations)
        yield Frame(picture, milliseconds / 1000, length / 1000) if picture.durations else Frame(picture)
        milliseconds += length


def _of_video(source: Path | IO[bytes], name: str) -> Iterator[Frame]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield from _of_video(file, name)
        return
    av, count, passed, begin = _library(name), 0, 0, None
    try:
        with av.open(source) as container:
            if not container.streams.video:
                raise CnncliError(f"{shown(name)} has no pictures; expected a video", "Check the file.")
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"
            _check_size(name, stream.width, stream.height)
            for frame in container.decode(stream):
                seconds = None if frame.time is None else float(frame.time)
                begin = seconds if begin is None else begin  # that of MPEG-TS is seldom 0
                seconds = None if seconds is None or begin is None else seconds - begin
                yield Frame(_picture(frame), seconds, _length(frame))
                count += 1
                # A frame that stays is not stored again: the time says how many have gone by.
                passed = max(count, _number(seconds, stream.average_rate))
            said = stream.frames
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise _damaged(name, str(error), count) from error
    if passed < said - _MISSING:
        raise _damaged(name, f"it ends after {passed:,} of {said:,} frames", count)


def _check_size(name: str, width: int, height: int) -> None:
    most = decoding_limits.max_pixels()
    if not 0 < width * height <= most:
        raise CnncliError(
            f"{shown(name)} has frames of {width:,}x{height:,} pixels; expected at most {most:,} in all",
            "Raise --max-pixels if you trust the file.",
        )


def _length(frame: Any) -> float | None:
    """For how many seconds a frame is shown; None where the video does not say."""
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else None


def _number(seconds: float | None, rate: Any) -> int:
    """Which frame it is, by its time."""
    return 0 if seconds is None or not rate else 1 + round(seconds * float(rate))


def _picture(frame: Any) -> Picture:
    """A frame as it is to be seen."""
    gray = frame.format.name.startswith("gray")
    pixels = frame.to_ndarray(format="gray" if gray else "rgb24")
    pixels = pixels[..., None] if gray else pixels
    turns = round(getattr(frame, "rotation", 0) / 90)
    return Picture((np.ascontiguousarray(np.rot90(pixels, turns)),), format="PNG")


def _damaged(name: str, why: str, count: int) -> CnncliError:
    after = f" after {count:,} frames" if count else ""
    return CnncliError(
        f"{shown(name)} is damaged or truncated{after} ({shown(' '.join(why.split()))}); "
        "expected a whole video",
        "Copy or download it again.",
    )


def _library(name: str) -> "ModuleType":
    try:
        import av
    except ImportError as error:
        raise CnncliError(
            f"{shown(name)} is a video, and PyAV, which decodes them, is not installed",
            "Install it with: pip install 'cnncli[video]', or save the clip as GIF or as a folder of frames.",
        ) from error
    av.logging.set_level(None)
    library: ModuleType = av
    return library
