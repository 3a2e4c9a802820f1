"""GIF by its specification: plain loops here decode and compose, and find what was written."""

import struct

import numpy as np
import pytest
from image_samples import pixels, saved

from cnncli.errors import CnncliError
from cnncli.images.encode import encode_picture, timing_losses
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture, read_size

PALETTE = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
OTHERS = [(1, 2, 3), (40, 50, 60), (7, 8, 9), (100, 110, 120)]


def blocks(data):
    return (
        b"".join(bytes([len(data[k : k + 255])]) + data[k : k + 255] for k in range(0, len(data), 255))
        + b"\0"
    )


def codes(rows):
    """LZW of two-bit indices, with a clear code before each of them."""
    bits = [bit for row in rows for value in row for code in (4, value) for bit in _bits(code)] + _bits(5)
    bits += [0] * (-len(bits) % 8)
    return b"\2" + blocks(bytes(sum(bits[k + m] << m for m in range(8)) for k in range(0, len(bits), 8)))


def _bits(code):
    return [code >> k & 1 for k in range(3)]


def gif(frames, size, *, again=None, trailer=True):
    """A GIF of dicts: rows (indices), x, y, disposal, clear, delay, own (colours), interlaced."""
    out = [b"GIF89a", struct.pack("<HHBBB", *size, 0x81, 0, 0), bytes(sum(PALETTE, ()))]
    if again is not None:
        out.append(b"\x21\xff\x0bNETSCAPE2.0\3\1" + struct.pack("<H", again) + b"\0")
    for frame in frames:
        clear = frame.get("clear")
        flags = frame.get("disposal", 0) << 2 | (clear is not None)
        out.append(b"\x21\xf9\x04" + struct.pack("<BHB", flags, frame.get("delay", 10), clear or 0) + b"\0")
        rows, own, interlaced = frame["rows"], frame.get("own"), frame.get("interlaced", False)
        box = struct.pack("<HHHH", frame.get("x", 0), frame.get("y", 0), len(rows[0]), len(rows))
        out.append(b"\x2c" + box + bytes([(0x81 if own else 0) | (0x40 if interlaced else 0)]))
        out.append(bytes(sum(own, ())) if own else b"")
        starts = ((0, 8), (4, 8), (2, 4), (1, 2)) if interlaced else ((0, 1),)
        out.append(codes([rows[y] for first, step in starts for y in range(first, len(rows), step)]))
    return b"".join(out) + (b";" if trailer else b"")


def composed(frames, size):
    """What is seen after each frame, pixel by pixel: RGBA, nothing where nothing was drawn."""
    width, height = size
    canvas = {(x, y): (0, 0, 0, 0) for x in range(width) for y in range(height)}
    for frame in frames:
        before = dict(canvas)
        colors = frame.get("own") or PALETTE
        covered = []
        for dy, row in enumerate(frame["rows"]):
            for dx, index in enumerate(row):
                place = (frame.get("x", 0) + dx, frame.get("y", 0) + dy)
                if place in canvas:
                    covered.append(place)
                    if index != frame.get("clear"):
                        canvas[place] = (*colors[index], 255)
        yield np.array([[canvas[x, y] for x in range(width)] for y in range(height)], np.uint8)
        for place in covered:
            if frame.get("disposal") == 2:
                canvas[place] = (0, 0, 0, 0)
            elif frame.get("disposal") == 3:
                canvas[place] = before[place]


def random_frames(rng, size):
    """Frames anywhere, of any disposal, some of them partly outside; the first lies inside."""
    for number in range(6):
        width, height = rng.integers(1, 8, 2)
        x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
        if number == 0:
            width, height = min(width, size[0] - x), min(height, size[1] - y)
        yield {
            "rows": rng.integers(0, 4, (height, width)).tolist(),
            "x": int(x),
            "y": int(y),
            "disposal": int(rng.integers(0, 4)),
            "clear": [None, 3, 0][rng.integers(3)],
            "own": OTHERS if rng.integers(2) else None,
            "interlaced": bool(rng.integers(2)),
            "delay": int(rng.integers(0, 300)),
        }


def opaque(frame):
    """RGB or RGBA as RGBA, with nothing of what is not seen."""
    if frame.shape[2] == 3:
        frame = np.concatenate([frame, np.full_like(frame[..., :1], 255)], axis=2)
    return np.where(frame[..., 3:] > 0, frame, 0)


@pytest.mark.parametrize("seed", range(12))
def test_frames_are_composed_as_the_specification_says(seed):
    size = (9, 7)
    frames = list(random_frames(np.random.default_rng(seed), size))
    data = gif(frames, size)
    picture = read_picture(data)
    assert read_size(data) == (*size, 6)
    assert picture.durations == tuple(10.0 * frame["delay"] for frame in frames)
    for frame, expected in zip(picture.frames, composed(frames, size), strict=True):
        np.testing.assert_array_equal(opaque(frame), expected)


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_transparency_may_start_late(disposal):
    full = {"rows": [[1] * 4] * 4, "disposal": disposal}
    parts = [{"rows": [[1] * n + [3] * (4 - n)] * 4, "disposal": 2, "clear": 3} for n in (3, 2, 1)]
    picture = read_picture(gif([full, *parts], (4, 4), again=0))
    assert picture.alpha
    for frame, expected in zip(picture.frames, composed([full, *parts], (4, 4)), strict=True):
        np.testing.assert_array_equal(opaque(frame), expected)


def test_what_no_frame_covers_is_clear_and_a_larger_first_frame_enlarges_the_canvas():
    (frame,) = read_picture(gif([{"rows": [[1, 2], [2, 1]], "x": 1, "y": 1}], (4, 4))).frames
    np.testing.assert_array_equal(frame[..., 3] > 0, np.pad(np.ones((2, 2), bool), 1))
    data = gif([{"rows": [[1] * 5] * 3, "x": 1}, {"rows": [[2] * 9] * 9}], (2, 2))
    assert read_size(data) == (6, 3, 2)
    assert {frame.shape[:2] for frame in read_picture(data).frames} == {(3, 6)}


@pytest.mark.parametrize(("again", "plays"), [(None, None), (0, 0), (1, 2), (7, 8), (65_535, 65_536)])
def test_a_gif_counts_the_times_after_the_first(again, plays):
    frames = [{"rows": [[n]]} for n in range(2)]
    picture = read_picture(gif(frames, (1, 1), again=again))
    assert picture.loop == plays
    data = encode_picture(picture, "GIF")
    at = data.find(b"NETSCAPE2.0")
    assert (None if at < 0 else int.from_bytes(data[at + 13 : at + 15], "little")) == again
    webp, png = (encode_picture(picture, format) for format in ("WEBP", "PNG"))
    wanted = 1 if plays is None else plays
    assert int.from_bytes(webp[webp.index(b"ANIM") + 12 :][:2], "little") == min(wanted, 65_535)
    assert int.from_bytes(png[png.index(b"acTL") + 8 :][:4], "big") == wanted
    assert bool(timing_losses(picture, "WEBP")) == (wanted > 65_535)


def test_one_run_is_no_loop_in_gif():
    picture = Picture((pixels(1, "uint8"), pixels(1, "uint8", seed=1)), durations=(10.0, 10.0), loop=1)
    assert b"NETSCAPE" not in encode_picture(picture, "GIF")


def test_without_an_end_mark_whole_frames_are_read_and_it_is_said():
    frames = [{"rows": [[n] * 4] * 4} for n in range(3)]
    picture = read_picture(gif(frames, (4, 4), trailer=False))
    assert len(picture.frames) == 3
    assert picture.notes == ("it ends without its end mark; 3 whole frames were read",)
    data = gif(frames, (4, 4))
    for cut in (2, 5, 30):
        with pytest.raises(CnncliError, match="it stops inside a frame"):
            read_picture(data[:-cut])


def test_codes_that_end_before_the_pixels_do():
    data = gif([{"rows": [[1] * 4] * 4}], (4, 4))
    short = data.replace(codes([[1] * 4] * 4), codes([[1] * 4] * 3))
    assert short != data
    with pytest.raises(CnncliError, match="damaged or truncated"):
        read_picture(short)


def moving(channels, count=4):
    rng = np.random.default_rng(3)
    frames = []
    for number in range(count):
        frame = rng.integers(0, 256, (1, 1, channels), np.uint8) * np.ones((5, 6, 1), np.uint8)
        if channels in (2, 4):
            frame[..., -1] = 255
            frame[:, 6 - number :, -1] = 0
        frames.append(frame)
    return tuple(frames)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_frames_that_are_written_are_read_again(channels):
    frames = moving(channels)
    frames = (frames[0], frames[0], *frames[1:])  # equal frames stay two
    durations = (20.0, 30.0, 0.0, 655_350.0, 40.0)
    data = encode_picture(Picture(frames, channels in (2, 4), durations=durations, loop=0), "GIF")
    again = read_picture(data)
    assert again.durations == durations
    for frame, expected in zip(again.frames, frames, strict=True):
        shades = expected[..., :-1] if channels in (2, 4) else expected
        shades = np.broadcast_to(shades, (*shades.shape[:2], 3))
        alpha = expected[..., -1:] if channels in (2, 4) else np.full_like(expected[..., :1], 255)
        np.testing.assert_array_equal(opaque(frame), opaque(np.concatenate([shades, alpha], axis=2)))
    for at in (k for k in range(len(data)) if data[k : k + 3] == b"\x21\xf9\x04"):
        # A reader that knows no transparency of the first frame would paint what is cleared.
        assert data[at + 3] == (0b1001 if channels in (2, 4) else 0b100)


def test_durations_beyond_a_format_are_clipped_and_said():
    frames = (pixels(3, "uint8"), pixels(3, "uint8", seed=1))
    picture = Picture(frames, durations=(700_000.0, 40.0))
    assert read_picture(encode_picture(picture, "GIF")).durations == (655_350.0, 40.0)
    (note,) = timing_losses(picture, "GIF")
    assert note.startswith("1 of 2 frames are shown for 655.35 seconds")
    assert note.endswith("instead of 700 seconds")
    (note,) = timing_losses(Picture(frames, durations=(700_000.0, 900_000.0)), "GIF")
    assert note.startswith("2 of 2 frames")
    assert note.endswith("instead of 900 seconds at most")
    assert not timing_losses(picture, "PNG")
    assert not timing_losses(picture, "WEBP")
    for milliseconds, format, expected in (
        (2e10, "GIF", 655_350.0), (2e10, "WEBP", 16_777_215.0), (2e10, "PNG", 65_535_000.0),
        (2e10, "AVIF", 2_147_483_647.0),
    ):  # fmt: skip
        long = Picture(frames, durations=(milliseconds, 40.0))
        assert timing_losses(long, format)
        assert read_picture(encode_picture(long, format)).durations[0] == expected


def test_pixels_of_all_frames_count_also_those_outside_the_canvas():
    data = gif([{"rows": [[1]]}, {"rows": [[2] * 20] * 20}], (1, 1))
    with pytest.raises(CnncliError, match="its 2 frames have 401 pixels; at most 400"):
        read_picture(data, max_pixels=400)
    assert len(read_picture(data, max_pixels=401).frames) == 2


@pytest.mark.parametrize("length", [1, 254, 255, 256, 700])
def test_comments_are_read_over_all_their_blocks(length):
    words = ("It rained, and then the sun came out. " * 20)[:length]
    data = saved(pixels(1, "uint8")[..., 0], "GIF", comment=words.encode())
    assert [text.text for text in read_picture(data).metadata.texts] == [words]
