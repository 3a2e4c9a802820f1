"""Figures as SVG, PNG and PDF show what is in the scene."""

import re
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from cnncli.views.figure.pdf import as_pdf
from cnncli.views.figure.png import as_pixels
from cnncli.views.figure.scene import Area, Figure, Group, Line, Picture, Words, head_of, rectangle

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert(1)</script> & "x" \'\x00\x1b]0;'


@pytest.fixture
def figure():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = 255
    items = [
        Group(
            "a box", (rectangle((10, 10, 50, 30), "#ff0000", "#0000ff"), Words((12, 24), "conv", bold=True))
        ),
        Line(((60, 20), (90, 20)), "#00ff00", 2, arrow=True, dashed=True),
        Picture((60, 40, 80, 60), pixels),
        Area(((10, 60), (30, 40), (50, 60)), "#123456"),
    ]
    return Figure(100, 70, "a title", "a description", items)


def test_svg_has_text_titles_and_shapes(figure):
    from cnncli.views.figure.svg import as_svg

    root = ET.fromstring(as_svg(figure))
    assert root.get("viewBox") == "0 0 100 70"
    assert [root.find(f"{SVG}{name}").text for name in ("title", "desc")] == ["a title", "a description"]
    group = root.find(f"{SVG}g")
    assert (group.find(f"{SVG}title").text, group.find(f"{SVG}text").text) == ("a box", "conv")
    assert root.find(f"{SVG}image").get("href").startswith("data:image/png;base64,")


def test_svg_escapes_what_it_is_given(figure):
    from cnncli.views.figure.svg import as_svg

    figure.title = HOSTILE
    figure.items.append(Group(HOSTILE, (Words((0, 0), HOSTILE),)))
    root = ET.fromstring(as_svg(figure))
    assert not root.findall(f".//{SVG}script")
    assert root.find(f"{SVG}title").text == HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")


def test_pixels_have_the_colours(figure):
    pixels = as_pixels(figure, scale=2)
    assert pixels.shape == (140, 200, 3)
    assert pixels[54, 90].tolist() == [255, 0, 0]  # within the box
    assert pixels[20, 60].tolist() == [0, 0, 255]  # its outline
    assert pixels[110, 60].tolist() == [0x12, 0x34, 0x56]
    assert pixels[85, 125].tolist() == [255, 255, 255]  # of the picture
    assert pixels[115, 155].tolist() == [0, 0, 0]
    assert pixels[4, 4].tolist() == [255, 255, 255]


def test_pdf_has_text(figure):
    figure.items.append(Words((5, 5), "Größe \u4e2d"))
    data = as_pdf(figure)
    assert data.startswith(b"%PDF-")
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
    page = b"".join(zlib.decompress(each) for each in streams if each[:1] == b"x")
    assert b"(conv)" in page
    assert "Größe \\\\u4e2d".encode("latin-1") in page
    assert re.search(rb"/MediaBox \[0 0 75\.00 52\.50\]", data)


def test_head_of_an_arrow_points_along_its_last_part():
    left, tip, right = head_of(Line(((0, 0), (0, 10), (20, 10)), width=1))
    assert tip == (20, 10)
    assert left[0] == right[0] == pytest.approx(14)
    assert (left[1] + right[1]) / 2 == pytest.approx(10)
