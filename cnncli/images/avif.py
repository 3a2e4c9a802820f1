"""Open AVIF without Pillow's handling of EXIF, which it reads and rewrites to add an orientation."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def open_avif(stream: IO[bytes]) -> ImageFile:
    """Open an AVIF file.

    Returns
    -------
    PIL image
        With the EXIF block as it is in the file, and with the container's orientation, which takes
        precedence, as ``info["orientation"]``.

    Raises
    ------
    SyntaxError, ValueError
        Where it cannot be decoded.
    """
    from PIL import AvifImagePlugin, _avif

    class Avif(AvifImagePlugin.AvifImageFile):
        """Pillow's AVIF reader, except for the metadata."""

        def _open(self) -> None:
            if not AvifImagePlugin.SUPPORTED:
                raise SyntaxError("this Pillow was built without AVIF")
            decoder: Any = _avif.AvifDecoder(
                stream.read(),
                AvifImagePlugin.DECODE_CODEC_CHOICE,
                AvifImagePlugin._get_default_max_threads(),
            )
            self._decoder = decoder
            self._size, self.n_frames, self._mode, icc, exif, orientation, xmp = decoder.get_info()
            self.is_animated = self.n_frames > 1
            found = {"icc_profile": icc, "exif": exif, "xmp": xmp, "orientation": orientation}
            self.info |= {key: value for key, value in found.items() if value}
            self.seek(0)

    return Avif(stream, "")
