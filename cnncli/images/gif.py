"""Read GIF: every frame as it is displayed on a canvas that is transparent where nothing was drawn.

Pillow decompresses the frames; they are composited here. Uncovered and cleared areas are painted in the first
frame's colours by Pillow, but are transparent in browsers, ImageMagick and vips. Source: CompuServe, Graphics
Interchange Format, Version 89a.
"""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.images.decode import with_one_opacity
from cnncli.images.picture import Pixels
from cnncli.images.trailing_bytes import trailing_notes
from cnncli.records import record

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPING = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_RESTORE_BACKGROUND, _RESTORE_PREVIOUS = 2, 3
_HUNDREDTH = 10.0  # milliseconds
_GRAY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, axis=1)
_GRAY[:, 3] = 255

Colors = NDArray[np.uint8]


@record(eq=False)
class Frame:
    """One image of a GIF.

    Attributes
    ----------
    box : (x, y, width, height)
        Its rectangle on the canvas.
    interlaced : bool
        Whether its rows are stored in four passes.
    colors : ndarray, (256, 4), uint8
        Its own palette or the file's, opaque; missing colours are black.
    clear : int or None
        The transparent index.
    disposal : int
        What happens to its rectangle afterwards: 2 it is cleared, 3 the previous content is restored.
    milliseconds : float
        How long it is displayed.
    bits, at, end : int
        Initial code size, and the offsets of the first and behind the last block of codes.
    """

    box: tuple[int, int, int, int]
    interlaced: bool
    colors: Colors
    clear: int | None
    disposal: int
    milliseconds: float
    bits: int
    at: int
    end: int


@record(eq=False)
class Layout:
    """The structure of a GIF.

    Attributes
    ----------
    size : (width, height)
        Of the canvas, enlarged to contain the first frame.
    frames : tuple of Frame
        The complete frames.
    plays : int or None
        How often the animation is played, 0 for endless; None where the file does not say, which means once.
    cut : bool
        True where the file stops inside a frame.
    end : int or None
        Offset behind the trailer; None where there is none.
    """

    size: tuple[int, int]
    frames: tuple[Frame, ...]
    plays: int | None
    cut: bool
    end: int | None

    @property
    def pixels(self) -> int:
        """Number of pixels that are decoded for all frames."""
        canvas = self.size[0] * self.size[1]
        return sum(max(canvas, frame.box[2] * frame.box[3]) for frame in self.frames)


def read_layout(data: bytes) -> Layout:
    """Read a GIF's structure in one pass over its blocks.

    Raises
    ------
    EOFError
        Where the file ends before its first block.
    """
    if len(data) < 13:
        raise EOFError("it stops inside its header")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13
    palette = _GRAY
    if flags & 0x80:
        palette, at = _palette(data, at, flags)
    frames: list[Frame] = []
    plays: int | None = None
    control: tuple[int, float, int | None] = (0, 0.0, None)
    end = None
    try:
        while at < len(data):
            kind = data[at]
            if kind == _TRAILER:
                end = at + 1
                break
            if kind == _EXTENSION:
                label, (at, blocks) = data[at + 1], _blocks(data, at + 2)
                if label == _CONTROL:
                    control = _controlled(data[slice(*blocks[0])]) if blocks else control
                elif label == _APPLICATION and plays is None:
                    plays = _plays([data[slice(*block)] for block in blocks])
            elif kind == _IMAGE:
                frame, at = _frame(data, at + 1, palette, control)
                frames.append(frame)
                control = (0, 0.0, None)
            else:
                at += 1
    except (IndexError, struct.error):
        return Layout((width, height), tuple(frames), plays, True, None)
    if frames:
        x, y, across, down = frames[0].box
        width, height = max(width, x + across), max(height, y + down)
    return Layout((width, height), tuple(frames), plays, False, end)


def _palette(data: bytes, at: int, flags: int) -> tuple[Colors, int]:
    count = 2 << (flags & 7)
    colors = np.zeros((256, 4), np.uint8)
    colors[:, 3] = 255
    raw = np.frombuffer(data[at : at + 3 * count], np.uint8)
    if len(raw) < 3 * count:
        raise EOFError("it stops inside its palette")
    colors[:count, :3] = raw.reshape(count, 3)
    return colors, at + 3 * count


def _blocks(data: bytes, at: int) -> tuple[int, list[tuple[int, int]]]:
    """The offset behind a chain of blocks, and start and end of its first two blocks."""
    found: list[tuple[int, int]] = []
    while size := data[at]:
        if len(found) < 2:
            found.append((at + 1, at + 1 + size))
        at += 1 + size
    return at + 1, found


def _controlled(block: bytes) -> tuple[int, float, int | None]:
    """Disposal, milliseconds and transparent index of the frame that follows."""
    flags, hundredths, clear = struct.unpack_from("<BHB", block)
    return flags >> 2 & 7, hundredths * _HUNDREDTH, clear if flags & 1 else None


def _plays(blocks: list[bytes]) -> int | None:
    """Number of plays from a looping extension, which counts the repetitions after the first."""
    if len(blocks) < 2 or blocks[0] not in _LOOPING or len(blocks[1]) < 3 or blocks[1][0] & 7 != 1:
        return None
    again = int.from_bytes(blocks[1][1:3], "little")
    return again + 1 if again else 0


def _frame(
    data: bytes, at: int, palette: Colors, control: tuple[int, float, int | None]
) -> tuple[Frame, int]:
    x, y, width, height, flags = struct.unpack_from("<HHHHB", data, at)
    at += 9
    if flags & 0x80:
        palette, at = _palette(data, at, flags)
    disposal, milliseconds, clear = control
    start, bits = at + 1, data[at]
    end = start
    while size := data[end]:
        end += 1 + size
    frame = Frame(
        (x, y, width, height),
        bool(flags & 0x40),
        palette,
        clear,
        disposal,
        milliseconds,
        bits,
        start,
        end + 1,
    )
    return frame, end + 1


def remarks(data: bytes, layout: Layout) -> tuple[str, ...]:
    """Notes on the end of a GIF all of whose frames were read."""
    if layout.end is None:
        return (f"it ends without its end mark; {len(layout.frames)} whole frames were read",)
    return trailing_notes(len(data) - layout.end, data[layout.end : layout.end + 65_536])


def is_gray(frame: Frame) -> bool:
    """Whether a frame's indices are gray levels, according to its palette."""
    same = (frame.colors == _GRAY).all(axis=1)
    count = 256 if same.all() else int(same.argmin())
    return count > 1 and not frame.colors[count:, :3].any()


def composed(data: bytes, layout: Layout) -> tuple[Pixels, ...]:
    """Decode all frames.

    Returns
    -------
    tuple of ndarray, (H, W, 3), or (H, W, 4) where any frame is partly transparent, uint8

    Raises
    ------
    ValueError
        Where codes are invalid, or too few for a frame.
    """
    return with_one_opacity(list(shown(data, layout)))


def shown(data: bytes, layout: Layout) -> Iterator[Pixels]:
    """The canvas after each frame: RGB where it is fully covered, else RGBA."""
    width, height = layout.size
    canvas = np.zeros((height, width, 4), np.uint8)
    for frame in layout.frames:
        x, y, across, down = frame.box
        place = canvas[y : y + down, x : x + across]
        before = place.copy() if frame.disposal == _RESTORE_PREVIOUS else None
        indices = _indices(data, frame)[: place.shape[0], : place.shape[1]]
        if frame.clear is None:
            place[...] = frame.colors[indices]
        else:
            seen = indices != frame.clear
            place[seen] = frame.colors[indices[seen]]
        yield canvas[..., :3].copy() if canvas[..., 3].all() else canvas.copy()
        if frame.disposal == _RESTORE_BACKGROUND:
            place[...] = 0
        elif before is not None:
            place[...] = before


def _indices(data: bytes, frame: Frame) -> NDArray[np.uint8]:
    """The indices of a frame's pixels, (H, W)."""
    from PIL import Image

    _, _, width, height = frame.box
    if not width or not height:
        return np.zeros((height, width), np.uint8)
    codes = data[frame.at : frame.end]
    image = Image.frombytes("L", (width, height), codes, "gif", frame.bits, int(frame.interlaced), -1)
    return np.asarray(image)
