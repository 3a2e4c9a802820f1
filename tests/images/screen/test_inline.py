"""The codes of Kitty and iTerm2 hold the picture's file."""

import re

import numpy as np
import pytest

from cnncli.images.picture import Picture
from cnncli.images.png import encode_png
from cnncli.images.screen.inline import iterm_code, kitty_codes, through_tmux
from tests.images.screen.decoders import picture_of_iterm, picture_of_kitty


@pytest.mark.parametrize("side", [1, 30, 31, 64, 200])
def test_kitty(rng, side):
    pixels = rng.integers(0, 256, (side, side + 1, 3), dtype=np.uint8)
    keys, found = picture_of_kitty(b"".join(kitty_codes(encode_png(Picture((pixels,))))))
    assert keys | {b"m": b""} == {b"a": b"T", b"f": b"100", b"q": b"2", b"m": b""}
    assert np.array_equal(found, pixels)


def test_widths_in_letters(rng):
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    png = encode_png(Picture((pixels,)))
    assert picture_of_kitty(b"".join(kitty_codes(png, 12)))[0][b"c"] == b"12"
    arguments, found = picture_of_iterm(iterm_code(png, (6, 4)))
    assert (arguments[b"width"], arguments[b"height"]) == (b"6px", b"4px")
    assert np.array_equal(found, pixels)
    arguments, _ = picture_of_iterm(iterm_code(png, (6, 4), 12))
    assert (arguments[b"width"], arguments[b"height"]) == (b"12", b"auto")


def test_what_goes_through_tmux(rng):
    png = encode_png(Picture((rng.integers(0, 256, (90, 90, 3), dtype=np.uint8),)))
    codes = [*kitty_codes(png)]
    assert len(codes) > 2
    wrapped = b"".join(map(through_tmux, codes))
    found = re.findall(rb"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", wrapped)
    assert [each.replace(b"\x1b\x1b", b"\x1b") for each in found] == codes
