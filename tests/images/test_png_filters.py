"""The PNG writer's filters against the specification's words, and undone by its reconstruction."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from cnncli.images.picture import Picture
from cnncli.images.png import _PAETH, _five_filters, encode_png


def predictor(a, b, c):
    """PNG specification, 9.4: the neighbour nearest to a + b - c; of equally near ones a, then b, then c."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


def test_the_predictor_of_all_triples():
    """Left, above and upper left, each 0 to 255: all 16,777,216 of them."""
    b, c = (plane.ravel() for plane in np.meshgrid(np.arange(256), np.arange(256), indexing="ij"))
    for a in range(256):
        up = np.stack([c, b], axis=1).astype(np.uint8)
        here = np.stack([np.full_like(b, a), np.zeros_like(b)], axis=1).astype(np.uint8)
        guess = 0 - _five_filters(here, up, 1)[_PAETH, :, 1]
        p = a + b - c
        pa, pb, pc = np.abs(p - a), np.abs(p - b), np.abs(p - c)
        wanted = np.where(np.minimum(pb, pc) < pa, np.where(pc < pb, c, b), a)
        assert (guess == wanted).all(), a


def test_the_words_of_the_specification_choose_alike():
    """The same against `predictor`, on triples of a few values with ties of all kinds."""
    values = [0, 1, 2, 3, 127, 128, 129, 253, 254, 255]
    for a in values:
        for b in values:
            for c in values:
                rows = np.array([[[c, b]], [[a, 0]]], np.uint8)
                guess = -int(_five_filters(rows[1], rows[0], 1)[_PAETH, 0, 1]) % 256
                assert guess == predictor(a, b, c), (a, b, c)


def reconstructed(data, height, row_bytes, step):
    """Rows of a filtered stream, undone byte by byte as the specification has it."""
    rows, kinds = np.zeros((height + 1, row_bytes + step), int), set()
    for y in range(height):
        kind, *line = data[y * (row_bytes + 1) : (y + 1) * (row_bytes + 1)]
        kinds.add(kind)
        for x, value in enumerate(line, step):
            a, b, c = rows[y + 1, x - step], rows[y, x], rows[y, x - step]
            guess = (0, a, b, (a + b) // 2, predictor(a, b, c))[kind]
            rows[y + 1, x] = (value + guess) % 256
    return rows[1:, step:], kinds


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_rows_come_back_byte_by_byte(dtype, channels):
    """Smooth and noisy rows, so that all five filters are chosen."""
    random = np.random.default_rng(channels)
    y, x = np.mgrid[:80, :23]
    noise = random.integers(0, 256, (80, 23, channels))
    ramps = (3 * y + 5 * x)[..., None] + np.arange(channels) + random.integers(0, 3, (80, 23, channels))
    frame = np.where((y % 16 > 12)[..., None], noise, ramps)
    frame[20:24] = frame[19]
    frame[40] = 7
    frame = (frame % 256).astype(dtype) * (257 if dtype == np.uint16 else 1)
    frame = frame.astype(dtype)
    png = encode_png(Picture((frame,)), compress=True)
    at, data = 8, b""
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += 12 + size
    step = channels * frame.itemsize
    rows, kinds = reconstructed(zlib.decompress(data), 80, 23 * step, step)
    flat = frame.astype(frame.dtype.newbyteorder(">")).reshape(80, -1).view(np.uint8)
    np.testing.assert_array_equal(rows, flat)
    assert _PAETH in kinds
    if dtype == np.uint8:
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(png))).reshape(frame.shape), frame)
