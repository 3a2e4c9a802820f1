"""What a terminal does with our codes, written from the protocols' descriptions."""

import base64
import io
import re

import numpy as np
from PIL import Image


def pixels_of_sixel(data):
    """RGB of a Sixel picture, (H, W, 3); pixels that nothing is drawn on are -1."""
    found = re.fullmatch(rb'\x1bP[\d;]*q"1;1;(\d+);(\d+)(.*)\x1b\\', data, re.DOTALL)
    width, height = int(found[1]), int(found[2])
    canvas = np.full((-(-height // 6) * 6, width, 3), -1)
    colors, color, x, y = {}, None, 0, 0
    for token in re.finditer(rb"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|(\$)|(-)", found[3]):
        if token[1] is not None:
            color = int(token[1])
            if token[2] is not None:
                colors[color] = [round(int(token[at]) * 2.55) for at in (2, 3, 4)]
        elif token[8]:
            x = 0
        elif token[9]:
            x, y = 0, y + 6
        else:
            count, letter = int(token[5] or 1), token[6] or token[7]
            for bit in range(6):
                if (letter[0] - 63) >> bit & 1:
                    canvas[y + bit, x : x + count] = colors[color]
            x += count
    assert x <= width
    assert y + 6 == len(canvas)
    return canvas[:height]


def picture_of_kitty(data):
    """The keys of the first of Kitty's codes, and the picture's pixels."""
    codes = re.findall(rb"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", data)
    keys = dict(pair.split(b"=") for pair in codes[0][0].split(b","))
    more = [dict(pair.split(b"=") for pair in code[0].split(b","))[b"m"] for code in codes]
    assert more == [b"1"] * (len(codes) - 1) + [b"0"]
    assert all(len(letters) <= 4096 for _, letters in codes)
    png = base64.b64decode(b"".join(letters for _, letters in codes), validate=True)
    return keys, np.asarray(Image.open(io.BytesIO(png)))


def picture_of_iterm(data):
    """The arguments of iTerm2's code, and the picture's pixels."""
    found = re.fullmatch(rb"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\a", data)
    arguments = dict(pair.split(b"=") for pair in found[1].split(b";"))
    png = base64.b64decode(found[2], validate=True)
    assert int(arguments[b"size"]) == len(png)
    return arguments, np.asarray(Image.open(io.BytesIO(png)))


def colors_of_256():
    """RGB of xterm's colours, (256, 3); of the first 16, which differ, nothing is known."""
    levels = (0, 95, 135, 175, 215, 255)
    cube = [(r, g, b) for r in levels for g in levels for b in levels]
    return np.array([(-1, -1, -1)] * 16 + cube + [(8 + 10 * n,) * 3 for n in range(24)])


def pixels_of_blocks(text):
    """RGB of lines of half blocks, (H, W, 3); what has the background's colour is -1."""
    known, rows = colors_of_256(), []
    for line in text.splitlines():
        upper, lower, grounds = [], [], [[-1] * 3, [-1] * 3]
        for token in re.finditer(r"\x1b\[([\d;]*)m|(▀)|(.)", line):
            assert token[3] is None
            if token[2]:
                upper.append(grounds[0])
                lower.append(grounds[1])
                continue
            numbers = [int(number or 0) for number in token[1].split(";")]
            while numbers:
                kind = numbers.pop(0)
                if kind == 0:
                    grounds = [[-1] * 3, [-1] * 3]
                    continue
                place = {38: 0, 48: 1}[kind]
                if numbers.pop(0) == 2:
                    grounds[place], numbers = numbers[:3], numbers[3:]
                else:
                    grounds[place] = known[numbers.pop(0)].tolist()
        rows += [upper, lower]
    return np.array(rows)
