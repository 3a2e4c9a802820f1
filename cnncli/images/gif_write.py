"""Write GIF: a single image or an animation.

Pillow chooses the colours and compresses the indices; the file is assembled here, because Pillow drops frames
that equal the one before, and the transparency flag where only later frames need it.
Source: CompuServe, Graphics Interchange Format, Version 89a.
"""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.images.picture import Metadata, Picture, Pixels
from cnncli.images.png import changed_box
from cnncli.records import record

_MOST = 65_535  # largest 16-bit number of the file
_OPAQUE = 128  # of 255; less opaque pixels become transparent
_GRAY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
_KEEP, _CLEAR = 1, 2  # disposal of a frame before the next one


@record(eq=False)
class _Indexed:
    """A frame as indices (H, W) into at most 256 colours (n, 3), one of which may be transparent."""

    indices: NDArray[np.uint8]
    colors: NDArray[np.uint8]
    clear: int | None


def encode_gif(picture: Picture) -> bytes:
    """Encode an image or an animation; all frames are kept, even equal ones.

    Parameters
    ----------
    picture : Picture
        uint8 frames of one size. Up to 256 colours per frame are exact; more are dithered. Pixels less
        than half opaque become transparent.

    Returns
    -------
    bytes
        The file. Durations are stored in hundredths of a second, at most 655.35 seconds.
    """
    parts = [
        (box, _indexed(frame, hole=disposal == _CLEAR), disposal) for box, frame, disposal in _parts(picture)
    ]
    shared = _table(parts[0][1])
    out = [b"GIF89a", struct.pack("<HHBBB", *picture.size, 0xF0 | _bits(shared), 0, 0), shared]
    plays = picture.loop
    if picture.animated and plays is not None and plays != 1:
        again = min(plays - 1, _MOST) if plays else 0
        out.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", again) + b"\0")
    out += _metadata_blocks(picture.metadata)
    durations = picture.durations or (0.0,) * len(picture.frames)
    for (box, frame, disposal), duration in zip(parts, durations, strict=True):
        hundredths = min(round(duration / 10), _MOST)
        flags = disposal << 2 | (frame.clear is not None)
        out.append(b"\x21\xf9\x04" + struct.pack("<BHB", flags, hundredths, frame.clear or 0) + b"\0")
        table = _table(frame)
        own = b"" if table == shared else table
        out.append(b"\x2c" + struct.pack("<HHHHB", *box, 0x80 | _bits(own) if own else 0) + own)
        out.append(b"\x08" + _packed(frame.indices) + b"\0")
    return b"".join([*out, b";"])


def dithered_frames(picture: Picture) -> int:
    """Number of frames with more colours than a palette holds, which are dithered."""
    from PIL import Image

    count = 0
    for _, frame, disposal in _parts(picture):
        if frame.shape[2] == 1 and disposal != _CLEAR:
            continue
        rgb, clear = _opaque(frame)
        most = 255 if clear.any() or disposal == _CLEAR else 256
        count += Image.fromarray(rgb).getcolors(most) is None
    return count


def _metadata_blocks(metadata: Metadata) -> Iterator[bytes]:
    """Comments, and XMP, which is stored unblocked, with a trailer that leads block readers to its end."""
    for text in metadata.texts:
        yield b"\x21\xfe" + _blocks(text.text.encode())
    if metadata.xmp:
        yield b"\x21\xff\x0bXMP DataXMP" + metadata.xmp + b"\1" + bytes(range(255, -1, -1)) + b"\0"


def _blocks(data: bytes) -> bytes:
    parts = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def _parts(picture: Picture) -> Iterator[tuple[tuple[int, int, int, int], Pixels, int]]:
    """Rectangle, pixels and disposal of each frame.

    Opaque frames are cropped to the rectangle that differs from the frame before. Frames with transparency
    are stored whole, and each is cleared before the next.
    """
    width, height = picture.size
    whole = (0, 0, width, height)
    moving = len(picture.frames) > 1
    if not moving or (picture.alpha and any(frame[..., -1].min() < _OPAQUE for frame in picture.frames)):
        for frame in picture.frames:
            yield whole, frame, _CLEAR if moving else 0
        return
    before: Pixels | None = None
    for frame in picture.frames:
        x, y, across, down = changed_box(frame, before)
        yield (x, y, across, down), frame[y : y + down, x : x + across], _KEEP
        before = frame


def _table(frame: _Indexed) -> bytes:
    """A frame's palette, padded to a power of two."""
    count = 2 << max(0, (len(frame.colors) - 1).bit_length() - 1)
    return frame.colors.tobytes().ljust(3 * count, b"\0")


def _bits(table: bytes) -> int:
    """The size of a palette as a header encodes it."""
    return (len(table) // 3).bit_length() - 2


def _packed(indices: NDArray[np.uint8]) -> bytes:
    """LZW codes in blocks."""
    from PIL import GifImagePlugin, Image  # noqa: F401, the plugin registers the encoder

    packed: bytes = Image.fromarray(np.ascontiguousarray(indices)).tobytes("gif", "L", 8, 0)
    return packed


def _indexed(frame: Pixels, *, hole: bool) -> _Indexed:
    """Index a frame: exact where its colours fit; pixels less than half opaque become transparent.

    With ``hole``, one index is transparent even if no pixel uses it: many readers clear a frame to
    transparent only if the frame has a transparent index.
    """
    if frame.shape[2] == 1 and not hole:
        return _Indexed(frame[..., 0], _GRAY, None)
    rgb, clear = _opaque(frame)
    if not clear.any() and not hole:
        return _Indexed(*quantized(rgb, 256), None)
    indices, colors = quantized(rgb, 255)
    marked = indices.copy()
    marked[clear] = len(colors)
    return _Indexed(marked, np.concatenate([colors, np.zeros((1, 3), np.uint8)]), len(colors))


def _opaque(frame: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """Colours (H, W, 3), and the mask of transparent pixels, which get a colour that others use."""
    alpha = frame.shape[2] in (2, 4)
    shades = frame[..., :-1] if alpha else frame
    clear = frame[..., -1] < _OPAQUE if alpha else np.zeros(frame.shape[:2], bool)
    rgb = np.array(np.broadcast_to(shades, (*shades.shape[:2], 3)))
    if clear.any():
        rgb[clear] = rgb[~clear][0] if not clear.all() else 0
    return rgb, clear


def quantized(rgb: Pixels, colors: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Indices (H, W) and the colours (n, 3) that they mean, at most so many: exact, or dithered."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(rgb))
    if image.getcolors(colors) is None:
        few = image.quantize(colors, method=Image.Quantize.MEDIANCUT)
        nearest = image.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG)
        table = np.array(nearest.getpalette(), np.uint8).reshape(-1, 3)[:colors]
        return np.asarray(nearest), table
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    known, indices = np.unique(packed, return_inverse=True)
    table = np.stack([known >> 16, known >> 8 & 255, known & 255], axis=1).astype(np.uint8)
    return indices.reshape(packed.shape).astype(np.uint8), table
