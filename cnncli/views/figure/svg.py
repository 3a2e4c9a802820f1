"""A figure as SVG: text stays text, and every group has a title."""

import base64
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from cnncli.images.picture import Picture as Image
from cnncli.images.png import encode_png
from cnncli.views.figure.scene import Area, Figure, Group, Item, Line, Picture, Point, Words, head_of

_FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def as_svg(figure: Figure) -> str:
    """Write a figure as SVG 1.1.

    Every line of text is as long as in the layout, whatever font a viewer has.
    """
    width, height = _number(figure.width), _number(figure.height)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc" font-family="{_FONTS}">',
        f'<title id="title">{_text(figure.title)}</title>',
        f'<desc id="desc">{_text(figure.description)}</desc>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for item in figure.items:
        lines += _item(item)
    return "\n".join([*lines, "</svg>", ""])


def _item(item: Item) -> Iterator[str]:
    if isinstance(item, Group):
        yield f"<g><title>{_text(item.title)}</title>" if item.title else "<g>"
        for each in item.items:
            yield from _item(each)
        yield "</g>"
    elif isinstance(item, Words):
        yield _words(item)
    elif isinstance(item, Picture):
        yield _picture(item)
    elif isinstance(item, Area):
        outline = f' stroke="{item.outline}" stroke-width="{_number(item.width)}"' if item.outline else ""
        points = _points(item.points)
        yield f'<polygon points="{points}" fill="{item.fill}"{outline} stroke-linejoin="round"/>'
    else:
        yield from _line(item)


def _line(line: Line) -> Iterator[str]:
    dashes = ' stroke-dasharray="4 3"' if line.dashed else ""
    yield (
        f'<polyline points="{_points(line.points)}" fill="none" stroke="{line.color}" '
        f'stroke-width="{_number(line.width)}" stroke-linejoin="round"{dashes}/>'
    )
    if line.arrow:
        yield f'<polygon points="{_points(head_of(line))}" fill="{line.color}"/>'


def _words(words: Words) -> str:
    bold = ' font-weight="bold"' if words.bold else ""
    fits = f' textLength="{_number(words.length)}" lengthAdjust="spacingAndGlyphs"' if words.text else ""
    return (
        f'<text x="{_number(words.at[0])}" y="{_number(words.at[1])}" font-size="{_number(words.size)}" '
        f'fill="{words.color}" text-anchor="{words.anchor}"{bold}{fits}>{_text(words.text)}</text>'
    )


def _picture(picture: Picture) -> str:
    left, top, right, bottom = picture.box
    data = base64.b64encode(encode_png(Image((picture.channels_last,)), compress=True)).decode()
    return (
        f'<image x="{_number(left)}" y="{_number(top)}" width="{_number(right - left)}" '
        f'height="{_number(bottom - top)}" preserveAspectRatio="none" '
        f"style={quoteattr('image-rendering: pixelated')} "
        f'href="data:image/png;base64,{data}"/>'
    )


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    """Text as XML has it; letters that XML does not know become the replacement character."""
    known = "".join(
        letter
        if letter in "\t\n"
        or "\x20" <= letter <= "\ud7ff"
        or "\ue000" <= letter <= "\ufffd"
        or letter >= "\U00010000"
        else "\ufffd"
        for letter in text
    )
    return escape(known)
