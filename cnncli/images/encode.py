"""Pictures to bytes."""

import io
from dataclasses import replace

from cnncli.errors import CnncliError
from cnncli.images.formats import FORMATS
from cnncli.images.picture import Picture, with_depth


def encode_picture(
    picture: Picture,
    format: str,
    *,
    quality: int | None = None,
    compress: bool = False,
    bits: int | None = None,
) -> bytes:
    """Encode a picture."""
    from PIL import Image

    if bits is not None:
        picture = replace(picture, frames=tuple(with_depth(frame, bits) for frame in picture.frames))
    if picture.dtype.itemsize * 8 not in FORMATS[format].depths:
        raise CnncliError(f"{format} cannot hold {picture.dtype} pixels", "Say --bits 8.")
    frame = picture.frames[0]
    image = Image.fromarray(frame[..., 0] if frame.shape[2] == 1 else frame)
    if picture.alpha and not FORMATS[format].alpha:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    out = io.BytesIO()
    options: dict[str, object] = {"PNG": {"compress_level": 1}, "JPEG": {"quality": quality or 92}}.get(format, {})
    image.save(out, format="PPM" if format in {"PGM", "PBM"} else format, **options)
    return out.getvalue()
