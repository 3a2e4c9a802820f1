"""Images opened with Pillow, the first of them decoded while the rest of the program is still being loaded.

Decoding a large photograph, or thirty small ones, takes as long as importing NumPy, and lets other threads
run meanwhile. So this module imports nothing heavy, and `decode_ahead` can be called first of all.
"""

from __future__ import annotations

import _thread
import contextlib
import functools
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cnncli.images.arrow import use_large_pages
from cnncli.modules import quiet_logs

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_JPEG, _PNG = ("JpegImagePlugin", "JPEG"), ("PngImagePlugin", "PNG")
_FORMATS = {".jpg": _JPEG, ".jpeg": _JPEG, ".png": _PNG}
MOST_TEXT, MOST_TEXTS = 1 << 24, 1 << 26  # bytes that a text of a PNG may unpack to, and all of its texts
_PLAIN_PNG = ("L", "RGB", "RGBA")  # as the decoder calls them; others need more than decoding
_LETTERS = 1 << 24  # pixels, more than a line of text has
_LEAST_AHEAD = 1 << 16  # bytes of a lone file: below, it is decoded before a thread has started
_MOST_AHEAD = 100_000_000  # pixels, which every limit that is not asked for allows
_MOST_OF_MANY, _MOST_FILES = 25_000_000, 100  # pixels together, and files: more than there is time for


def configure_pillow(max_pixels: int) -> None:
    """Let Pillow's limit and memory follow ours, and keep its remarks about metadata off the terminal.

    The limit still counts for images inside others (icons), whose size is seen late. Each image gets one
    block of memory, which `memory.pixels_in_place` needs.
    """
    from PIL import Image

    quiet_logs()
    Image.core.set_use_block_allocator(1)  # type: ignore[attr-defined]
    Image.MAX_IMAGE_PIXELS = max(max_pixels, _LETTERS)  # which counts for text that is drawn, too
    bomb = ("error", None, Image.DecompressionBombWarning, None, 0)
    if bomb not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)


def open_image(stream: IO[bytes], plugin: str, format: str) -> ImageFile:
    """Read a header with the one plugin of Pillow that knows the format.

    Raises
    ------
    SyntaxError, OSError, ValueError
        Where the plugin does not accept it.
    """
    import importlib

    # JPEG and AVIF without Pillow's way with EXIF: it states 72 dpi where there is nothing to read, and one
    # entry that cannot be written again is the picture's end.
    if format == "JPEG":  # the factory would look for further pictures, such as depth maps, behind the first
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
    """Images that a thread decodes, one after the other, until somebody comes for the first."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._images: dict[tuple[int, ...], ImageFile] = {}  # by what tells one file from another
        self._stopping = False
        self._ended = _thread.allocate_lock()  # held until the thread is done
        self._ended.acquire()
        self._pixel_budget = _MOST_AHEAD if len(paths) == 1 else _MOST_OF_MANY
        _thread.start_new_thread(self._decode_all, ())

    def _decode_all(self) -> None:
        try:
            for path in self._paths:
                if self._stopping:
                    break
                # Whoever reads the file next meets the same fault, and reports it.
                with contextlib.suppress(Exception):
                    self._decode(path)
        finally:
            self._ended.release()

    def _decode(self, path: Path) -> None:
        with path.open("rb") as stream:
            image = open_image(stream, *_FORMATS[path.suffix.lower()])
            self._pixel_budget -= image.width * image.height
            if self._pixel_budget < 0 or not _is_plain(image):
                return
            # In one piece: between two, the thread would have to wait for its turn to run.
            image.decodermaxblock = path.stat().st_size
            image.load_prepare()
            use_large_pages(image)
            image.load()
            self._images[_identity(stream)] = image

    def take(self, stream: IO[bytes]) -> ImageFile | None:
        """The decoded image of the file that a stream reads, once; None where it is not one of these."""
        self._stopping = True
        self.wait()
        return self._images.pop(_identity(stream), None)

    def wait(self) -> None:
        """Wait until the thread is done."""
        with self._ended:
            pass


_ahead: list[_AheadDecoder] = []


def decode_ahead(inputs: Sequence[str] | None) -> None:
    """Start decoding a command's inputs, as far as they are JPEG or PNG."""
    paths = list(itertools.islice(_decodable(inputs or ()), _MOST_FILES))
    with contextlib.suppress(OSError):  # a lone file that is gone by now
        if paths and (len(paths) > 1 or paths[0].stat().st_size >= _LEAST_AHEAD):
            configure_pillow(_MOST_AHEAD)
            _ahead.append(_AheadDecoder(paths))


def _decodable(inputs: Sequence[str]) -> Iterator[Path]:
    """Files among the inputs, and those right in folders, as far as their names promise what is wanted."""
    for name in inputs:
        with contextlib.suppress(OSError, ValueError):  # reported when the input is read
            # As text, of which a hundred thousand names are sorted in a tenth of the time of paths.
            names = sorted(os.listdir(name)) if os.path.isdir(name) else [""]  # noqa: PTH112, PTH208
            for each in names:
                path = Path(name, each)
                if path.suffix.lower() in _FORMATS and path.is_file():
                    yield path


def _is_plain(image: ImageFile) -> bool:
    """Whether decoding is all that an image needs."""
    moves = getattr(image, "n_frames", 1) != 1
    return image.format == "JPEG" or (image.tile[0].args in _PLAIN_PNG and not moves)


def _identity(stream: IO[bytes]) -> tuple[int, ...]:
    """What tells a file, as it is now, from others."""
    file = os.fstat(stream.fileno())
    return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns


def decoded_ahead(stream: IO[bytes]) -> ImageFile | None:
    """The image that `decode_ahead` made of the very file that a stream reads, once; else None."""
    if not _ahead or not hasattr(stream, "name"):
        return None
    return _ahead[0].take(stream)
