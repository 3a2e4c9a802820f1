"""Open images with Pillow, and decode the first ones while the rest of the program is still loading.

Decoding a large photograph, or thirty small ones, takes as long as importing NumPy, and releases the
interpreter lock. So this module imports nothing heavy, and `decode_ahead` can be called at the very start.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cnncli.images.arrow import use_large_pages
from cnncli.modules import quiet_logs
from cnncli.threaded import Pool

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_JPEG, _PNG = ("JpegImagePlugin", "JPEG"), ("PngImagePlugin", "PNG")
_FORMATS = {".jpg": _JPEG, ".jpeg": _JPEG, ".png": _PNG}
MOST_TEXT, MOST_TEXTS = (
    1 << 24,
    1 << 26,
)  # bytes to which one text of a PNG, and all of its texts, may decompress
_PLAIN_PNG = ("L", "RGB", "RGBA")  # raw modes that need nothing but decoding
_LETTERS = 1 << 24  # pixels, more than any rendered line of text has
#: Bytes of pixels from which on pictures whose rows can be read one after another are read in bands.
IN_BANDS = 64 << 20
_LEAST_AHEAD = 1 << 16  # bytes of a single file; smaller ones are decoded before a thread would start
_MOST_AHEAD = 100_000_000  # pixels, below every default limit
_MOST_OF_MANY, _MOST_FILES = 25_000_000, 100  # total pixels, and files: more than can be decoded in time


def configure_pillow(max_pixels: int) -> None:
    """Set Pillow's pixel limit and memory allocation, and silence its warnings about metadata.

    The limit is needed for images inside others (icons), whose size is known late. Each image gets one block
    of memory, which `pillow_pixels.pixels_in_place` requires.
    """
    from PIL import Image

    quiet_logs()
    Image.core.set_use_block_allocator(1)  # type: ignore[attr-defined]
    Image.MAX_IMAGE_PIXELS = max(max_pixels, _LETTERS)  # the limit also applies to rendered text
    bomb = ("error", None, Image.DecompressionBombWarning, None, 0)
    if bomb not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)


def open_image(stream: IO[bytes], plugin: str, format: str) -> ImageFile:
    """Read a header with the Pillow plugin for the format.

    Raises
    ------
    SyntaxError, OSError, ValueError
        Where the plugin does not accept it.
    """
    # JPEG and AVIF without Pillow's handling of EXIF, which reports 72 dpi where there is no resolution, and
    # fails on an image because of one entry that cannot be rewritten.
    if format == "JPEG":  # the factory would search for further images, such as depth maps
        jpeg: ImageFile = _jpeg_class()(stream)
        return jpeg
    if format == "AVIF":
        from cnncli.images.avif import open_avif

        return open_avif(stream)
    module: Any = importlib.import_module(f"PIL.{plugin}")
    if format == "PNG":
        module.MAX_TEXT_CHUNK, module.MAX_TEXT_MEMORY = MOST_TEXT, MOST_TEXTS
    from PIL import Image

    return Image.OPEN[format][0](stream, "")


@functools.cache
def _jpeg_class() -> Any:
    from PIL.JpegImagePlugin import JpegImageFile

    return type("_Jpeg", (JpegImageFile,), {"_read_dpi_from_exif": lambda _: None})


class _AheadDecoder:
    """Decode images in a thread, one after the other, until the first is requested."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._images: dict[tuple[int, ...], ImageFile] = {}  # by the identity of the file
        self._pixel_budget = _MOST_AHEAD if len(paths) == 1 else _MOST_OF_MANY
        self._pool = Pool(1)
        # What a task raises stays in it: the regular reader will meet the same error and report it.
        self._tasks = [self._pool.begin(functools.partial(self._decode, path)) for path in paths]

    def _decode(self, path: Path) -> None:
        with path.open("rb") as stream:
            image = open_image(stream, *_FORMATS[path.suffix.lower()])
            self._pixel_budget -= image.width * image.height
            size = image.width * image.height * len(image.getbands())
            if self._pixel_budget < 0 or not _is_plain(image) or (size >= IN_BANDS and image.format == "PNG"):
                return
            # In one piece: between pieces, the thread would wait for the interpreter lock.
            image.decodermaxblock = path.stat().st_size
            image.load_prepare()
            use_large_pages(image)
            image.load()
            self._images[_identity(stream)] = image

    def take(self, stream: IO[bytes]) -> ImageFile | None:
        """Remove and return the decoded image of a stream's file; None where there is none."""
        self._pool.leave()
        return self._images.pop(_identity(stream), None)

    def wait(self) -> None:
        """Wait until all that is to be decoded is."""
        for task in self._tasks:
            task.wait()


_ahead: list[_AheadDecoder] = []


def decode_ahead(inputs: Sequence[str] | None) -> None:
    """Start decoding a command's JPEG and PNG inputs in the background."""
    paths = list(itertools.islice(_decodable(inputs or ()), _MOST_FILES))
    if not paths:
        return
    configure_pillow(_MOST_AHEAD)
    # Here and not by the thread, whose imports would wait for those of NumPy again and again.
    importlib.import_module(f"PIL.{_FORMATS[paths[0].suffix.lower()][0]}")
    with contextlib.suppress(OSError):  # a single file that has been removed
        if len(paths) > 1 or paths[0].stat().st_size >= _LEAST_AHEAD:
            _ahead.append(_AheadDecoder(paths))


def _decodable(inputs: Sequence[str]) -> Iterator[Path]:
    """JPEG and PNG files by suffix among the inputs, and directly in folders among them."""
    for name in inputs:
        with contextlib.suppress(OSError, ValueError):  # reported when the input is read
            # As strings: sorting a hundred thousand names takes a tenth of the time of paths.
            names = sorted(os.listdir(name)) if os.path.isdir(name) else [""]  # noqa: PTH112, PTH208
            for each in names:
                path = Path(name, each)
                if path.suffix.lower() in _FORMATS and path.is_file():
                    yield path


def _is_plain(image: ImageFile) -> bool:
    """Whether an image needs nothing but decoding."""
    moves = getattr(image, "n_frames", 1) != 1
    return image.format == "JPEG" or (image.tile[0].args in _PLAIN_PNG and not moves)


def _identity(stream: IO[bytes]) -> tuple[int, ...]:
    """The identity of a file and its current version."""
    file = os.fstat(stream.fileno())
    return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns


def decoded_ahead(stream: IO[bytes]) -> ImageFile | None:
    """Remove and return the image decoded ahead from a stream's file; None where there is none."""
    if not _ahead or not hasattr(stream, "name"):
        return None
    return _ahead[0].take(stream)
