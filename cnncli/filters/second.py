"""The second picture of a kernel that combines two: read once, or in bands where it is large."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.luma import LUMA, LUMINANCE
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.filters.entry import read_number
from cnncli.filters.model import Floats
from cnncli.filters.rgbx import as_rgb
from cnncli.images.geo import missing_value
from cnncli.images.large import LargePicture, facts_of, open_large
from cnncli.images.levels import picture_white
from cnncli.images.picture import Metadata, Picture, Pixels
from cnncli.images.read import read_picture
from cnncli.images.row_source import blank
from cnncli.records import record, replace

if TYPE_CHECKING:
    from cnncli.filters.apply import Depth
    from cnncli.filters.color import Curve
    from cnncli.filters.options import Options

_reading = Lock()


class Held:
    """A large picture's file: read in bands for one picture that is filtered in bands, else once as a whole.

    Parameters
    ----------
    path : str
        The file.
    max_pixels : int or None
        As for ``read_picture``.
    """

    def __init__(self, path: str, max_pixels: int | None) -> None:
        self.path, self.max_pixels = str(Path(path).absolute()), max_pixels
        self._whole: Pixels | None = None
        self._bands: LargePicture | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without pixels, for another machine that sees the same file."""
        return {**self.__dict__, "_whole": None, "_bands": None}

    def rows(self, start: int, stop: int) -> Pixels:
        """Rows of the picture, opacity included."""
        if self._bands is not None:
            return self._bands.rows(start, stop)
        with _reading:
            if self._whole is None:
                self._whole = _read(self.path, self.max_pixels).frames[0]
        return self._whole[start:stop]

    @contextmanager
    def in_bands(self) -> Iterator["Held"]:
        """The same file, opened to be read in bands; as a context."""
        found = Held(self.path, self.max_pixels)
        large = open_large(Path(self.path), max_pixels=self.max_pixels)
        if not isinstance(large, LargePicture):  # another file meanwhile
            yield found
            return
        with closing(large):
            found._bands = large
            yield found


@record(eq=False)
class Second:
    """The second picture.

    Attributes
    ----------
    name : str
        Its file.
    pixels : ndarray, shape (H, W, C)
        Its colours.
    cover : ndarray, shape (H, W, 1), float32, or None
        Its opacity from 0 to 1; None: it is opaque, or has missing data.
    there : ndarray, shape (H, W, 1), bool, or None
        Where it has data, if a value stands for those that are missing.
    white : float
        Its full scale.
    metadata : Metadata
        That of its file.
    top : float
        Its largest value, if it has 16 bits.
    held : Held or None
        Its file, if it is large: the arrays above are then without pixels, but for their shapes and types.
    factor : float
        What its values are multiplied by to be in units of the first picture.
    luma : tuple of three floats
        Weights that make its colours gray.
    curve : Curve or None
        The tone curve by which it is decoded to linear light.
    channel : int or None
        The only one of its colours that is taken.
    """

    name: str
    pixels: Pixels
    cover: Floats | None
    there: NDArray[np.bool_] | None
    white: float
    metadata: Metadata = Metadata()
    top: float = 0.0
    held: Held | None = None
    factor: float = 1.0
    luma: tuple[float, float, float] = LUMA
    curve: "Curve | None" = None
    channel: int | None = None

    def at(self, start: int, count: int) -> "Second":
        """Some rows, in memory, in linear light if that is filtered, and of the channel that is taken."""
        rows = slice(start, start + count)
        pixels, cover, there = (
            None if each is None else each[rows] for each in (self.pixels, self.cover, self.there)
        )
        if self.held is not None:
            frame = self.held.rows(start, start + count)
            alpha = frame.shape[2] > self.pixels.shape[2]
            pixels, opacity = (frame[..., :-1], frame[..., -1:]) if alpha else (frame, None)
            if opacity is not None:
                cover = None if cover is None else np.asarray(opacity / np.float32(self.white), np.float32)
                there = None if there is None else opacity > 0
        assert pixels is not None
        pixels = np.ascontiguousarray(pixels)
        if self.curve is not None:
            from cnncli.filters.color import to_linear

            pixels = to_linear(pixels, self.white, self.curve)
        if self.channel is not None:
            pixels = np.ascontiguousarray(pixels[..., self.channel : self.channel + 1])
        return replace(self, pixels=pixels, cover=cover, there=there, held=None, curve=None, channel=None)


def read_second(kernel: str, path: str, max_pixels: int | None = None) -> Second:
    """Read the second picture of a kernel.

    Raises
    ------
    CnncliError
        If it cannot be read, or holds several pictures.
    """
    if path == "-":
        raise CnncliError(
            f"{kernel}: the second picture is standard input; expected a file",
            "Name a file: standard input is for pictures to filter.",
        )
    front, colon, behind = path.rpartition(":")
    if colon and not Path(path).exists() and Path(front).is_file() and read_number(behind.removesuffix("%")):
        raise CnncliError(
            f"{kernel}: no file {shown(path)}; expected a number before the file",
            f"Write -k {kernel}:{behind}:{shown(front)}.",
        )
    large = open_large(Path(path), max_pixels=max_pixels) if Path(path).is_file() else None
    if isinstance(large, LargePicture):
        with closing(large):
            return _second_in_bands(path, large, Held(path, max_pixels))
    picture = _read(path, max_pixels)
    if len(picture.frames) != 1:
        raise CnncliError(
            f"{kernel}: {shown(path)} holds {len(picture.frames)} pictures; expected one",
            "Save one of them as a picture of its own.",
        )
    white, frame = picture_white(picture), as_rgb(picture.frames[0], threads=1)
    colors = np.ascontiguousarray(frame[..., :-1]) if picture.alpha else frame
    top = float(colors.max()) if frame.dtype == np.uint16 else 0.0
    second = Second(path, colors, None, None, white, picture.metadata, top)
    if not picture.alpha:
        return second
    cover = np.asarray(frame[..., -1:] / np.float32(white), np.float32)
    if missing_value(picture.metadata.geo) is not None:
        there = cover > 0
        return replace(second, there=None if there.all() else there)
    return replace(second, cover=None if (cover >= 1).all() else cover)


def _second_in_bands(path: str, large: LargePicture, held: Held) -> Second:
    """A second picture of which only shape and type are in memory."""
    facts, picture = facts_of(large), large.picture
    height, width, channels = picture.frames[0].shape
    colors = blank((height, width, channels - picture.alpha), picture.dtype)
    missing = missing_value(picture.metadata.geo) is not None
    clear = picture.alpha and not facts.opaque
    cover = blank((height, width, 1), np.float32) if clear and not missing else None
    there = blank((height, width, 1), np.bool_) if clear and missing else None
    top = facts.top if picture.dtype == np.uint16 else 0.0
    return Second(path, colors, cover, there, facts.white, picture.metadata, top, held)


def _read(path: str, max_pixels: int | None) -> Picture:
    return read_picture(Path(path), max_pixels=max_pixels, bands=True)


def settled(second: Second, options: "Options", source: "Depth") -> Second:
    """The second picture for the first one's type and white. Numbers of two pictures of floats are alike."""
    alike = source.dtype == second.pixels.dtype == np.float32
    factor = 1.0 if alike else source.white / second.white
    if not options.linear:
        return replace(second, factor=factor)
    from cnncli.filters.curves import curve_of

    return replace(second, factor=factor, luma=LUMINANCE, curve=curve_of(second.metadata))
