"""Flipbooks: read back by Pillow, every page and its time."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageSequence

from cnncli.errors import CnncliError
from cnncli.images.flipbook import encode_flipbook


def read(data):
    with Image.open(BytesIO(data)) as im:
        frames = [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(im)]
        times = [f.info["duration"] for f in ImageSequence.Iterator(im)]
        return frames, times, im.info["loop"]


def pages(n, seed=0):
    """Gray noise that stays, and a square that moves over it."""
    ground = np.random.default_rng(seed).integers(0, 30, (40, 60)).astype(np.uint8) * 8
    out = []
    for i in range(n):
        page = np.repeat(ground[:, :, None], 3, axis=2)
        page[5 + i : 15 + i, 10:20] = (176, 38, 138)
        out.append(page)
    return out


def test_pages_with_few_colours_come_back_exactly():
    frames = pages(6)
    got, times, loop = read(encode_flipbook(frames, [0.25] * 5 + [2.0]))
    assert len(got) == 6
    for a, b in zip(got, frames, strict=True):
        np.testing.assert_array_equal(a, b)
    assert times == [250] * 5 + [2000]
    assert loop == 0


def test_many_colours_come_back_nearly_and_white_exactly():
    ramp = np.stack(np.meshgrid(np.arange(0, 256, 4), np.arange(0, 256, 4)), axis=2)
    page = np.concatenate([ramp, np.full((64, 64, 1), 90)], axis=2).astype(np.uint8)
    white = np.full((64, 64, 3), 255, dtype=np.uint8)
    got = read(encode_flipbook([np.hstack([page, white]), np.hstack([white, page])], [1, 1]))[0]
    assert (got[0][:, 64:] == 255).all()
    assert (got[1][:, :64] == 255).all()
    assert np.abs(got[0][:, :64].astype(int) - page).mean() < 8


def test_what_stands_still_is_stored_once():
    frames = pages(20)
    one = len(encode_flipbook(frames[:1], [1]))
    assert len(encode_flipbook(frames, [1] * 20)) < 4 * one


def test_one_duration_for_each_page():
    with pytest.raises(CnncliError, match="2 pages and 1 durations"):
        encode_flipbook(pages(2), [1.0])
    with pytest.raises(CnncliError, match="0 pages"):
        encode_flipbook([], [])
