"""Images opened with Pillow, and one of them decoded while the rest of the program is still being loaded.

Decoding a large photograph takes as long as importing NumPy, and lets other threads run meanwhile. So
this module imports nothing heavy, and `decode_ahead` can be called first of all.
"""

from __future__ import annotations

import _thread
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cnncli.images.arrow import use_large_pages

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_AHEAD = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
_PLAIN_PNG = ("L", "RGB", "RGBA")  # as the decoder calls them; others need more than decoding
_LEAST_AHEAD = 1 << 16  # bytes of a file: below, it is decoded before a thread has started
_MOST_AHEAD = 100_000_000  # pixels, which every limit that is not asked for allows


def settle_pillow(max_pixels: int) -> None:
    """Let Pillow's limit and memory follow ours, and keep its remarks about metadata off the terminal.

    The limit still counts for images inside others (icons), whose size is seen late. Each image gets one
    block of memory, which `memory.pixels_in_place` needs.
    """
    from PIL import Image

    Image.core.set_use_block_allocator(1)  # type: ignore[attr-defined]
    Image.MAX_IMAGE_PIXELS = max_pixels
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

    module = importlib.import_module(f"PIL.{plugin}")
    if format == "JPEG":  # the factory would look for further pictures, such as depth maps, behind the first
        jpeg: ImageFile = module.JpegImageFile(stream)
        return jpeg
    from PIL import Image

    return Image.OPEN[format][0](stream, "")


class _Ahead:
    """An image that a thread decodes; who comes for it waits until it is done."""

    def __init__(self, stream: IO[bytes], image: ImageFile) -> None:
        self.file = os.fstat(stream.fileno())
        self._stream = stream
        self._image: ImageFile | None = image
        # In one piece: between two, the thread would have to wait for its turn to run.
        image.decodermaxblock = self.file.st_size
        self._done = _thread.allocate_lock()
        self._done.acquire()
        _thread.start_new_thread(self._decode, (image,))

    def _decode(self, image: ImageFile) -> None:
        try:
            image.load_prepare()
            use_large_pages(image)
            image.load()
        except Exception:  # noqa: BLE001 - whoever reads the file next meets the same fault, and reports it
            self._image = None
        finally:
            self._stream.close()
            self._done.release()

    def result(self) -> ImageFile | None:
        """The decoded image; None where it could not be."""
        with self._done:
            return self._image


_ahead: list[_Ahead] = []


def decode_ahead(inputs: Sequence[str] | None) -> None:
    """Start decoding a command's input, if it is one JPEG or PNG that is worth it."""
    if inputs is None or len(inputs) != 1:
        return
    path = Path(inputs[0])
    format = _AHEAD.get(path.suffix.lower())
    try:
        if format is None or not path.is_file() or path.stat().st_size < _LEAST_AHEAD:
            return
        settle_pillow(_MOST_AHEAD)
        stream = path.open("rb")
        image = _plain_image(stream, format)
        if image is None:
            stream.close()
        else:
            _ahead.append(_Ahead(stream, image))
    except OSError:  # reported when the file is read
        return


def _plain_image(stream: IO[bytes], format: str) -> ImageFile | None:
    """The image in a file, opened, if decoding is all that it needs."""
    try:
        image = open_image(stream, f"{format.capitalize()}ImagePlugin", format)
        moves = getattr(image, "n_frames", 1) != 1
        plain = format == "JPEG" or (image.tile[0].args in _PLAIN_PNG and not moves)
    except Exception:  # noqa: BLE001 - reported when the file is read
        return None
    return image if plain and image.width * image.height <= _MOST_AHEAD else None


def decoded_ahead(stream: IO[bytes]) -> ImageFile | None:
    """The image that `decode_ahead` made of the very file that a stream reads, once; else None."""
    if not _ahead or not hasattr(stream, "name"):
        return None
    early = _ahead.pop()
    file, now = early.file, os.fstat(stream.fileno())
    same = (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns)
    return early.result() if same == (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) else None
