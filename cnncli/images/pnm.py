"""Read and write PBM, PGM, PPM, PFM and PAM: all images of a stream, at full depth.

Pillow reads only the first image, reduces PPM of more than 8 bits, and supports neither PAM nor colour PFM.
Source: the netpbm manual pages pbm(5), pgm(5), ppm(5), pam(5), and Paul Debevec's description of PFM.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np

from cnncli.errors import CnncliError
from cnncli.images.limits import check_size
from cnncli.images.picture import Picture, Pixels
from cnncli.images.row_source import RowSource, blank, read_numbers
from cnncli.images.trailing_bytes import trailing_notes
from cnncli.records import record

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_SIZE = _GAP + rb"(\d{1,10})" + _GAP + rb"(\d{1,10})"
_HEADERS = (
    re.compile(rb"P([14])" + _SIZE + rb"(?:\s|#[^\n\r]*[\n\r])"),
    re.compile(rb"P([2356fF])" + _SIZE + _GAP + rb"([-+.\deE]{1,20})\s"),
)
_PAM = re.compile(rb"P(7)[ \t\r]*\n(?:[^\n]*\n){0,99}?ENDHDR[ \t\r]*\n")
_MAGIC = re.compile(rb"P[1-6fF][\s#]|P7[ \t\r]*\n")
_BLANK, _REMARK = re.compile(rb"\s*"), re.compile(rb"#[^\n\r]*")
_BLANKS, _LINE_END = re.compile(rb"\s"), re.compile(rb"[\n\r]")
_HEADER_BYTES = 4096
_PIECE = 1 << 20  # bytes of text that are parsed at a time
_TUPLES = {
    b"BLACKANDWHITE": (1, False), b"GRAYSCALE": (1, False), b"RGB": (3, False),
    b"BLACKANDWHITE_ALPHA": (2, True), b"GRAYSCALE_ALPHA": (2, True), b"RGB_ALPHA": (4, True),
}  # fmt: skip
_CHANNELS = {b"3": 3, b"6": 3, b"F": 3}


@record
class Header:
    """The header of an image in a stream.

    Attributes
    ----------
    kind : bytes
        The letter or digit after the P.
    width, height, channels : int
        Channels include opacity, if any.
    alpha : bool
        Whether the last channel is opacity.
    largest : float
        The sample value of white; for PFM, its sign gives the byte order.
    start : int
        Offset of the samples.
    """

    kind: bytes
    width: int
    height: int
    channels: int
    alpha: bool
    largest: float
    start: int


def read_header(data: bytes, at: int = 0) -> Header:
    """Read the header at an offset.

    Raises
    ------
    CnncliError
        Where there is no valid header.
    """
    prefix = data[at : at + _HEADER_BYTES]
    if (match := _PAM.match(prefix)) is not None:
        return _pam_header(match[0], at)
    match = _HEADERS[0].match(prefix) or _HEADERS[1].match(prefix)
    if match is None:
        raise CnncliError("its header is damaged or truncated", "Save it again, for example with pnmtopnm.")
    kind, width, height = match[1], int(match[2]), int(match[3])
    try:
        largest = 1.0 if kind in b"14" else float(match[4])
    except ValueError:
        largest = 0.0
    if kind not in b"fF" and not (1 <= largest <= 65535 and largest == int(largest)):
        raise _bad_maxval(match[4])
    return Header(kind, width, height, _CHANNELS.get(kind, 1), False, largest, at + match.end())


def _bad_maxval(value: bytes) -> CnncliError:
    return CnncliError(
        f"its largest value is {value.decode('latin-1')}; expected a whole number from 1 to 65535",
        "Save it with a maxval of 65535 or less.",
    )


def _pam_header(text: bytes, at: int) -> Header:
    fields: dict[bytes, bytes] = {}
    for line in text.splitlines()[1:-1]:
        name, _, value = line.strip().partition(b" ")
        if name and not name.startswith(b"#"):
            before = fields.get(name)
            fields[name] = value.strip() if before is None else before + b" " + value.strip()
    for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"):
        if not re.fullmatch(rb"\d{1,10}", fields.get(name, b"")):
            said = fields[name].decode("latin-1") if name in fields else "missing"
            raise CnncliError(
                f"its {name.decode()} is {said}; expected a whole number", "Save it again as PAM."
            )
    width, height, depth = (int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH"))
    if not 1 <= int(fields[b"MAXVAL"]) <= 65535:
        raise _bad_maxval(fields[b"MAXVAL"])
    words = fields.get(b"TUPLTYPE", b"")
    channels, alpha = _TUPLES.get(words, (0, False)) if words else (depth, depth in (2, 4))
    if channels != depth or not 1 <= depth <= 4:
        said = f"tuples of type {words.decode('latin-1')}" if words else "tuples without a type"
        raise CnncliError(
            f"it holds {said} and {depth} samples; expected GRAYSCALE or RGB, with or without _ALPHA",
            "Convert it first, for example with pamtopnm, or pamchannel for single channels.",
        )
    return Header(b"7", width, height, depth, alpha, float(fields[b"MAXVAL"]), at + len(text))


def following(data: bytes, at: int) -> int | None:
    """The offset of the next image after one that ends at ``at``; None where there is none."""
    blank = _BLANK.match(data, at)
    start = blank.end() if blank else at
    return start if _MAGIC.match(data, start) else None


def read_size(data: bytes) -> tuple[int, int, int]:
    """Width and height of the first image of a stream, and the number of images."""
    first = read_header(data)
    count = 0
    at: int | None = 0
    while at is not None:
        header = read_header(data, at)
        count += 1
        at = following(data, end_of(data, header))
    return first.width, first.height, count


def remarks(data: bytes, end: int) -> tuple[str, ...]:
    """Notes on bytes behind the last image of a stream."""
    rest = data[end:]
    return trailing_notes(len(rest), rest[:4096]) if rest.strip() else ()


def end_of(data: bytes, header: Header) -> int:
    """The offset behind an image; a text image has to be parsed for it."""
    if header.kind in b"123":
        return _words(data, header)[1]
    return header.start + _row_bytes(header) * header.height


def _row_bytes(header: Header) -> int:
    if header.kind == b"4":
        return (header.width + 7) // 8
    depth = 4 if header.kind in b"fF" else 2 if header.largest > 255 else 1
    return header.width * header.channels * depth


def decode(data: bytes, header: Header) -> tuple[Pixels, int]:
    """Decode one image.

    Returns
    -------
    pixels, end : ndarray (H, W, C), int
        uint8 where the maximum fits into 8 bits, else uint16, scaled so that the maximum becomes 255 or
        65535; unscaled float32 for PFM. And the offset behind the image.

    Raises
    ------
    CnncliError
        Where samples are missing, or larger than the stated maximum.
    """
    shape = (header.height, header.width, header.channels)
    if header.kind in b"123":
        values, end = _words(data, header)
        return _scaled(values, header).reshape(shape), end
    end = end_of(data, header)
    if end > len(data):
        raise _truncated(f"{len(data) - header.start} bytes", end - header.start)
    dtype = _stored_type(header)
    raw = np.frombuffer(memoryview(data)[header.start : end], dtype)
    return _decoded(raw.reshape(header.height, -1), header), end


def _stored_type(header: Header) -> np.dtype[Any]:
    """The type of the numbers of a binary image; bytes of eight pixels for PBM."""
    if header.kind in b"fF":
        return np.dtype("<f4" if header.largest < 0 else ">f4")
    return np.dtype(">u2" if header.largest > 255 else np.uint8)


def _decoded(raw: Pixels, header: Header) -> Pixels:
    """Stored rows of a binary image, in the order in which they are stored, as pixels (n, W, C)."""
    shape = (len(raw), header.width, header.channels)
    if header.kind == b"4":
        bits = np.unpackbits(raw, axis=1, count=header.width)
        return (1 - bits).reshape(shape) * np.uint8(255)
    if header.kind in b"fF":  # from the bottom to the top
        return np.ascontiguousarray(raw.astype(np.float32).reshape(shape)[::-1])
    return _scaled(raw, header).reshape(shape)


def pnm_rows(stream: IO[bytes], max_pixels: int) -> RowSource | str:
    """The rows of a PNM file; a reason where they cannot be read without all others."""
    header = read_header(stream.read(_HEADER_BYTES + 1))
    size = (header.width, header.height)
    check_size((*size, 1), max_pixels)
    if header.kind in b"123":
        return "its numbers are written as text"
    row, kind = _row_bytes(header), _stored_type(header)
    end, length = header.start + row * header.height, stream.seek(0, os.SEEK_END)
    if end > length:
        raise _truncated(f"{length - header.start} bytes", end - header.start)
    stream.seek(end)
    rest = stream.read(_PIECE)
    if following(rest, 0) is not None:
        return "it holds several images"
    notes = trailing_notes(length - end, rest[:_HEADER_BYTES]) if rest.strip() else ()

    def fill(out: Pixels, first: int) -> None:
        at = header.height - first - len(out) if header.kind in b"fF" else first
        stream.seek(header.start + at * row)
        out[:] = _decoded(read_numbers(stream, (len(out), row // kind.itemsize), kind), header)

    shape = (header.height, header.width, header.channels)
    pixels = blank(shape, _decoded(np.zeros((0, row // kind.itemsize), kind), header).dtype)
    return RowSource(
        Picture((pixels,), header.alpha, format_of(pixels, alpha=header.alpha), notes=notes), fill
    )


def format_of(pixels: Pixels, *, alpha: bool) -> str:
    """The format that holds an image: PFM, PAM or PPM."""
    return "PFM" if pixels.dtype == np.float32 else "PAM" if alpha else "PPM"


def _scaled(values: Pixels, header: Header) -> Pixels:
    top, full = int(header.largest), 65535 if header.largest > 255 else 255
    if values.size and values.max() > top:
        raise CnncliError(
            f"it holds the sample {values.max()}; expected 0 to {top}, as its header says",
            "Save it again with the right maxval.",
        )
    if top != full:
        values = (values.astype(np.uint64) * full + top // 2) // top
    return values.astype(np.uint16 if full > 255 else np.uint8, copy=False)


def _words(data: bytes, header: Header) -> tuple[Pixels, int]:
    """The samples of a text image, and the offset behind it; in PBM, 1 is black."""
    count = header.width * header.height * header.channels
    there = len(data) - header.start
    if count > there:
        raise _truncated(f"{there} bytes", count)
    values, filled, at = np.empty(count, np.uint32), 0, header.start
    take = _digits if header.kind == b"1" else _integers
    while filled < count and at < len(data):
        # As much text as is needed, in pieces that take little memory.
        text = _text(data, at, min(_PIECE, 8 * (count - filled) + 64), whole_words=header.kind != b"1")
        found, end = take(text, header, count - filled)
        values[filled : filled + len(found)] = found
        filled, at = filled + len(found), at + end
    if filled < count:
        raise _truncated(f"{filled} samples", count)
    return values, at


def _text(data: bytes, at: int, length: int, *, whole_words: bool) -> bytes:
    """A piece of text with comments replaced by spaces; it ends behind a whole word or comment."""

    def up_to(pattern: re.Pattern[bytes], place: int) -> int:
        found = pattern.search(data, place)
        return found.start() if found else len(data)

    stop = up_to(_BLANKS, at + length) if whole_words else at + length
    text = data[at:stop]
    if b"#" in text:
        text = _REMARK.sub(lambda found: b" " * len(found[0]), data[at : up_to(_LINE_END, stop)])
    return text


def _digits(text: bytes, header: Header, most: int) -> tuple[Pixels, int]:
    """At most ``most`` samples of one digit, and the offset behind the last of them."""
    letters = np.frombuffer(text, np.uint8)
    places = np.flatnonzero((letters == ord("0")) | (letters == ord("1")))[:most]
    end = int(places[-1]) + 1 if len(places) == most else len(text)
    others = text[:end].translate(None, b"01 \t\n\v\f\r")
    if others:
        raise _no_sample(others[:1], header)
    return ord("1") - letters[places], end


def _integers(text: bytes, header: Header, most: int) -> tuple[list[int], int]:
    """At most ``most`` whole numbers, and the offset behind the last of them."""
    words = text.split(None, most)
    end = len(text)
    if len(words) > most:
        end -= len(words.pop())
    for word in words:
        if len(word) > 5 or not word.isdigit():
            raise _no_sample(word, header)
    return list(map(int, words)), end


def _no_sample(word: bytes, header: Header) -> CnncliError:
    return CnncliError(
        f"it holds the sample {word[:20].decode('latin-1')!r}; expected 0 to {header.largest:g}",
        "Save it again.",
    )


def _truncated(there: str, needed: int) -> CnncliError:
    return CnncliError(f"it is truncated: {there} where its header needs {needed}", "Copy or save it again.")


def encode_pnm(pixels: Pixels, format: str) -> bytes:
    """Encode pixels (H, W, C) as PPM, PGM, PBM, PFM or PAM, the last one with opacity where C is 2 or 4.

    Raises
    ------
    CnncliError
        Where PBM would have to hold anything but black and white.
    """
    return b"".join(pnm_pieces(pixels.shape, pixels.dtype, format, [pixels]))


def pnm_pieces(
    shape: tuple[int, ...], dtype: np.dtype[Any], format: str, bands: Iterable[Pixels]
) -> Iterator[bytes | memoryview]:
    """As `encode_pnm`, of bands of rows; PFM, which begins with the last row, takes one band only."""
    height, width, channels = shape
    if format == "PFM":
        yield f"{'PF' if channels == 3 else 'Pf'}\n{width} {height}\n-1.0\n".encode()
        for pixels in bands:
            yield pixels[::-1].astype("<f4").tobytes()
        return
    if format == "PBM":
        yield f"P4\n{width} {height}\n".encode()
        for pixels in bands:
            yield np.packbits(_bits(pixels), axis=1).tobytes()
        return
    yield _head(shape, np.iinfo(dtype).max, format)
    for pixels in bands:
        ordered = pixels.astype(pixels.dtype.newbyteorder(">"), order="C", copy=False)
        yield ordered.view(np.uint8).data.cast("B")


def _head(shape: tuple[int, ...], largest: int, format: str) -> bytes:
    """The header of PGM, PPM or PAM."""
    height, width, channels = shape
    if format == "PAM":
        words = ("GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA")[channels - 1]
        size = f"WIDTH {width}\nHEIGHT {height}\nDEPTH {channels}\nMAXVAL {largest}\n"
        return f"P7\n{size}TUPLTYPE {words}\nENDHDR\n".encode()
    return f"{'P6' if channels == 3 else 'P5'}\n{width} {height}\n{largest}\n".encode()


def _bits(pixels: Pixels) -> Pixels:
    """Rows of 1 for black and 0 for white."""
    if not np.isin(pixels, (0, 255)).all():
        raise CnncliError(
            "a .pbm holds only black and white; this image has other grays",
            "Write a .pgm or .png.",
        )
    return np.asarray(pixels[..., 0] == 0)
