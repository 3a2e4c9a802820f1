"""A figure as PDF, of lines and text rather than pixels."""

from io import BytesIO
from itertools import pairwise

from fpdf import FPDF
from fpdf.enums import RenderStyle

from cnncli.images.picture import Picture as Image
from cnncli.images.png import encode_png
from cnncli.views.figure.scene import Area, Figure, Line, Picture, Words, head_of

_POINTS = 0.75  # of 1/72 inch in a pixel of 1/96
_DASH, _GAP = 4.0, 3.0


def as_pdf(figure: Figure) -> bytes:
    """Write a figure as one page of PDF.

    Text is in Helvetica, made as long as in the layout; letters beyond Latin-1 become escapes.
    """
    pdf = FPDF(unit="pt", format=(figure.width * _POINTS, figure.height * _POINTS))
    pdf.set_auto_page_break(False)
    pdf.set_title(_latin(figure.title))
    pdf.set_subject(_latin(figure.description))
    pdf.add_page()
    for item in figure.flat:
        if isinstance(item, Words):
            _write(pdf, item)
        elif isinstance(item, Area):
            _fill(pdf, item)
        elif isinstance(item, Picture):
            left, top, right, bottom = (value * _POINTS for value in item.box)
            png = encode_png(Image((item.channels_last,)))
            pdf.image(BytesIO(png), left, top, right - left, bottom - top)
        else:
            _draw(pdf, item)
    return bytes(pdf.output())


def _latin(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("latin-1")


def _write(pdf: FPDF, words: Words) -> None:
    text = _latin(words.text)
    if not text:
        return
    pdf.set_font("Helvetica", "B" if words.bold else "", words.size * _POINTS)
    pdf.set_text_color(words.color)
    length = words.length * _POINTS
    pdf.set_stretching(100.0)
    pdf.set_stretching(100.0 * length / pdf.get_string_width(text))
    left = words.at[0] * _POINTS - {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor] * length
    pdf.text(left, words.at[1] * _POINTS, text)


def _fill(pdf: FPDF, area: Area) -> None:
    pdf.set_fill_color(area.fill)
    style = RenderStyle.F
    if area.outline:
        pdf.set_draw_color(area.outline)
        pdf.set_line_width(area.width * _POINTS)
        style = RenderStyle.DF
    pdf.polygon([(x * _POINTS, y * _POINTS) for x, y in area.points], style=style)


def _draw(pdf: FPDF, line: Line) -> None:
    pdf.set_draw_color(line.color)
    pdf.set_line_width(line.width * _POINTS)
    if line.dashed:
        pdf.set_dash_pattern(_DASH * _POINTS, _GAP * _POINTS)
    for (x0, y0), (x1, y1) in pairwise(line.points):
        pdf.line(x0 * _POINTS, y0 * _POINTS, x1 * _POINTS, y1 * _POINTS)
    pdf.set_dash_pattern()
    if line.arrow:
        _fill(pdf, Area(head_of(line), line.color))
