"""Pictures to test with, and small encoders that are not ours."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTHS = {1: 0, 2: 4, 3: 2, 4: 6}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def pixels(channels, dtype, *, size=(13, 17), seed=0):
    """A slope with noise: (H, W, C) with different values in every channel and byte."""
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(size=(*size, channels)).astype(np.float32)
    full = np.iinfo(dtype).max
    y, x = np.mgrid[: size[0], : size[1]]
    slope = (y / size[0] + x / size[1])[..., None] * full / 2
    noise = rng.integers(0, full // 3, (*size, channels))
    return np.clip(slope * 0.6 + noise, 0, full).astype(dtype)


def saved(image, format, **options):
    """Bytes of a PIL image or an array, as Pillow writes it."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _predict(kind, row, above, step, i):
    a = row[i - step] if i >= step else 0
    b = above[i]
    c = above[i - step] if i >= step else 0
    if kind == 4:
        p = a + b - c
        return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
    return (0, a, b, (a + b) // 2)[kind]


def _filtered(rows, step, kind_of):
    out = bytearray()
    above = bytes(len(rows[0]))
    for y, row in enumerate(rows):
        kind = kind_of(y)
        out.append(kind)
        out += bytes((row[i] - _predict(kind, row, above, step, i)) & 255 for i in range(len(row)))
        above = row
    return bytes(out)


def png(array, *, filters=(0, 1, 2, 3, 4), interlaced=False, before=(), after=()):
    """A PNG, written byte by byte: rows take the filters in turn; chunks before and after the pixels."""
    height, width, channels = array.shape
    depth = array.dtype.itemsize * 8
    big = array.astype(array.dtype.newbyteorder(">"))
    step = channels * array.dtype.itemsize
    passes = [big[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [big]
    data = b"".join(
        _filtered([row.tobytes() for row in part], step, lambda y: filters[y % len(filters)])
        for part in passes
        if part.size
    )
    header = struct.pack(">IIBBBBB", width, height, depth, WIDTHS[channels], 0, 0, int(interlaced))
    parts = [("IHDR", header), *before, ("IDAT", zlib.compress(data)), *after, ("IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind.encode(), body) for kind, body in parts)


def png_header(width, height, depth=8, color=2):
    """The first chunks of a PNG of any size, with next to no pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, body)
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b""))
    )


def exif_with(orientation, order="<"):
    """An EXIF block with an orientation and a description, without the JPEG prefix."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    text = b"a test picture.\0"
    entries = struct.pack(order + "HHII", 270, 2, len(text), 8 + 2 + 24 + 4)
    entries += struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    return start + struct.pack(order + "H", 2) + entries + struct.pack(order + "I", 0) + text


def tiff(array, *, order="<", tags=(), packed=None):
    """A TIFF of one strip and any dtype: (H, W, C); ``tags`` (tag, type, values) replace what it says."""
    height, width, channels = array.shape
    data = array.astype(array.dtype.newbyteorder(order)).tobytes() if packed is None else packed
    kind = {"u": 1, "i": 2, "f": 3}[array.dtype.kind]
    fields = {
        256: (4, (width,)), 257: (4, (height,)), 258: (3, (array.dtype.itemsize * 8,) * channels),
        259: (3, (1,)),
        262: (3, (2 if channels > 2 else 1,)), 273: (4, (8,)), 277: (3, (channels,)), 278: (4, (height,)),
        279: (4, (len(data),)), 339: (3, (kind,) * channels),
    }  # fmt: skip
    fields |= {tag: (type_, values) for tag, type_, values in tags}
    at = 8 + len(data) + len(data) % 2
    behind = at + 2 + 12 * len(fields) + 4
    head, tail = b"", b""
    for tag, (type_, values) in sorted(fields.items()):
        raw = struct.pack(order + str(len(values)) + {3: "H", 4: "I"}[type_], *values)
        where = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(order + "I", behind + len(tail))
        tail += raw if len(raw) > 4 else b""
        head += struct.pack(order + "HHI", tag, type_, len(values)) + where
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    body = data + b"\0" * (len(data) % 2) + struct.pack(order + "H", len(fields)) + head + bytes(4) + tail
    return start + body
