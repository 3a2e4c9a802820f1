"""Sections as one self-contained page: no script, no file besides it, no network."""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from cnncli.images.picture import Picture
from cnncli.images.png import encode_png
from cnncli.views.sections import BarRow, Page, Section, Tile, Window, WordBox, bar_range, tile_size

_PICTURE = 224
_WINDOW = 112
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2933; --faint: #5b6670; --rule: #e4e8ed;
  --frame: #d5dbe0; }
@media (prefers-color-scheme: dark) { :root { --paper: #15191e; --ink: #e8ebee; --faint: #a3adb7;
  --rule: #2c343c; --frame: #46505a; } }
body { margin: 0 auto; max-width: 1480px; padding: 24px 40px 60px;
  background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 28px; margin: 12px 0 4px; }
h2 { font-size: 21px; margin: 0 0 6px; overflow-wrap: anywhere; }
.chapter { font-size: 24px; margin: 36px 0 8px; }
p { margin: 0 0 4px; color: var(--faint); font-size: 15px; }
img { display: block; image-rendering: pixelated; outline: 1px solid var(--frame); }
figure { margin: 0; }
figcaption { color: var(--faint); font-size: 13px; white-space: nowrap; margin-top: 3px; }
.head, .tiles { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.head { gap: 32px 44px; margin: 24px 0; }
.head figcaption { white-space: normal; overflow-wrap: anywhere; max-width: 272px; }
.note { margin-bottom: 24px; }
section { display: flex; gap: 28px; border-top: 1px solid var(--rule); padding: 24px 0; }
.about { flex: 0 0 272px; min-width: 0; }
.shown { flex: 1 1 0; min-width: 0; }
.bars { display: grid; grid-template-columns: fit-content(45%) minmax(40px, 1fr) max-content; gap: 5px 12px;
  align-items: center; max-width: 560px; flex: 1 1 320px; margin-bottom: 16px; }
.bars b { font-weight: normal; overflow-wrap: anywhere; }
.bars i { display: block; position: relative; height: 14px; background: var(--rule); }
.bars i > u { display: block; height: 14px; background: #d9701c; position: absolute; top: 0; }
.bars i > s { position: absolute; top: -3px; bottom: -3px; width: 1px; background: var(--ink); }
.bars i > u.below { background: #2768b0; }
.bars span { color: var(--faint); font-size: 15px; text-align: right; }
.scale { width: 176px; margin-top: 12px; }
.scale img { width: 176px; height: 10px; }
.scale div { display: flex; justify-content: space-between; color: var(--faint); font-size: 13px; }
.window { position: relative; width: max-content; margin-top: 14px; }
.window div { position: absolute; box-sizing: border-box; border: 2px solid #d6214a; outline: 1px solid #fff;
  min-width: 3px; min-height: 3px; }
.window + p { margin-top: 4px; }
.strip { padding: 9px 0; }
.strip h2 { font-size: 17px; margin: 0 0 2px; }
.strip p { font-size: 13px; }
.strip .scale { margin-top: 6px; }
.bare { outline: none; }
.table { display: grid; grid-template-columns: max-content max-content;
  color: var(--faint); font-size: 13px; }
.table .columns { display: flex; }
.table .columns span { flex: 1 1 0; width: 0; text-align: center; }
.table .rows { display: flex; flex-direction: column; padding-right: 8px; text-align: right; }
.table .rows span { flex: 1 1 0; height: 0; display: flex; align-items: center; justify-content: end; }
.shown { overflow-x: auto; padding: 1px; }
.shown > p { margin-top: 6px; }
.words { line-height: 2; margin-bottom: 12px; }
.words span { padding: 3px 6px; outline: 1px solid #d5dbe0; overflow-wrap: anywhere; }
.wide { max-width: 100%; height: auto; }
@media (max-width: 760px) {
  body { padding: 12px 16px 40px; } section { display: block; } .about { margin-bottom: 16px; } }
"""


def page_html(page: Page) -> str:
    """Write the page.

    Parameters
    ----------
    page : Page
        What is on it.

    Returns
    -------
    str
        HTML with its pictures inside.
    """
    pictures = "".join(_picture(tile) for tile in page.pictures)
    predictions = _bars(page.predictions) if page.predictions else ""
    note = f'<p class="note">{escape(page.note)}</p>' if page.note else ""
    body = "".join(map(_section, page.sections))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.title)}</title>\n<style>{_STYLE}</style>\n"
        f"<h1>{escape(page.title)}</h1>\n<p>{escape(page.subtitle)}</p>\n"
        f'<div class="head">{pictures}{predictions}</div>\n{note}\n{body}</html>\n'
    )


def _section(section: Section) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in section.lines)
    about = f"<h2>{escape(section.name)}</h2>{lines}"
    if section.scale is not None:
        labels = "".join(f"<span>{escape(text)}</span>" for text in section.scale.labels())
        about += (
            f'<div class="scale"><img alt="" src="{_data(section.scale.ramp())}"><div>{labels}</div></div>'
        )
    if section.window is not None:
        about += _window(section.window)
    shown = _words(section.words) if section.words else ""
    shown += _bars(section.bars) if section.bars else ""
    if section.tiles:
        shown += (
            '<div class="tiles">' + "".join(_tile(tile, section.side) for tile in section.tiles) + "</div>"
        )
    if section.note:
        shown += f"<p>{escape(section.note)}</p>"
    kind = ' class="strip"' if section.strip else ""
    about = f'{_chapter(section)}<section{kind}><div class="about">{about}</div>'
    return f'{about}<div class="shown">{shown}</div></section>\n'


def _chapter(section: Section) -> str:
    if section.chapter is None:
        return ""
    note = f'<p class="note">{escape(section.chapter.note)}</p>' if section.chapter.note else ""
    return f'<h1 class="chapter">{escape(section.chapter.title)}</h1>{note}'


def _words(words: Sequence[WordBox]) -> str:
    spans = "".join(
        f'<span style="background:{word.ground};color:{word.ink}">{escape(word.text)}</span> '
        for word in words
    )
    return f'<div class="words" dir="auto">{spans}</div>'


def _picture(tile: Tile) -> str:
    width, height = tile_size(tile.pixels, _PICTURE)
    value = f"<br>{escape(tile.value)}" if tile.value else ""
    return (
        f'<figure><img alt="" width="{width}" height="{height}" src="{_data(tile.pixels)}">'
        f"<figcaption>{escape(tile.name)}{value}</figcaption></figure>"
    )


def _table(tile: Tile, side: int) -> str:
    """A picture with names beside its rows and above and below its columns."""
    width, height = tile_size(tile.pixels, side)
    columns, below = (
        "".join(f"<span>{escape(name)}</span>" for name in names) for names in (tile.columns, tile.below)
    )
    rows = "".join(f"<span>{escape(name)}</span>" for name in tile.rows)
    return (
        f'<div class="table"><i></i><div class="columns">{columns}</div><div class="rows">{rows}</div>'
        f'<img class="bare" alt="" width="{width}" height="{height}" src="{_data(tile.pixels)}">'
        f'<i></i><div class="columns">{below}</div></div>'
    )


def _tile(tile: Tile, side: int) -> str:
    if tile.rows or tile.columns:
        return _table(tile, side)
    width, height = tile_size(tile.pixels, side)
    text = escape(f"{tile.name}  {tile.value}".strip())
    caption = f"<figcaption>{text}</figcaption>" if text else ""
    wide = ' class="wide"' if width > 400 else ""
    return (
        f'<figure><img{wide} alt="{text}" width="{width}" height="{height}" src="{_data(tile.pixels)}">'
        f"{caption}</figure>"
    )


def _window(window: Window) -> str:
    width, height = tile_size(window.pixels, _WINDOW)
    left, top, right, bottom = (100 * share for share in window.frame)
    place = f"left:{left:.2f}%;top:{top:.2f}%;width:{right - left:.2f}%;height:{bottom - top:.2f}%"
    return (
        f'<div class="window"><img alt="" width="{width}" height="{height}" src="{_data(window.pixels)}">'
        f'<div style="{place}"></div></div><p>{escape(window.caption)}</p>'
    )


def _bars(bars: Sequence[BarRow]) -> str:
    rows = ""
    low, high = bar_range(bars)
    span = (high - low) or 1.0
    zero = f'<s style="left:{-100 * low / span:.1f}%"></s>' if low < 0 else ""
    for bar in bars:
        below = ' class="below"' if bar.share < 0 else ""
        place = f"left:{100 * (min(0.0, bar.share) - low) / span:.1f}%;"
        place += f"width:{100 * min(1.0, abs(bar.share)) / span:.1f}%"
        rows += (
            f'<b>{escape(bar.name)}</b><i><u{below} style="{place}"></u>{zero}</i>'
            f"<span>{escape(bar.value)}</span>"
        )
    return f'<div class="bars">{rows}</div>'


def _data(pixels: NDArray[np.uint8]) -> str:
    """A picture inside the page."""
    data = encode_png(Picture((np.ascontiguousarray(pixels),)), compress=True)
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")
