"""The tour as one self-contained page: no script, no request, readable in light and dark and on a phone."""

import base64
import hashlib
from collections.abc import Sequence
from html import escape

import numpy as np

from cnncli.views.colors import scale_of
from cnncli.views.explore.frame import picture
from cnncli.views.tour.model import Curve, Formula, Map, Maps, Part, Step, Table, Text, Working

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2933; --faint: #56606a; --rule: #d5dbe0;
  --card: #f5f7f9; --accent: #1c5f9e; }
@media (prefers-color-scheme: dark) { :root { --paper: #15191e; --ink: #e8ebee; --faint: #a8b2bc;
  --rule: #46505a; --card: #1e242b; --accent: #8cc0f2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 system-ui, sans-serif; }
main { max-width: 760px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 22px; line-height: 1.25; margin: 48px 0 12px; padding-top: 16px;
  border-top: 1px solid var(--rule); }
p { margin: 12px 0; }
a { color: var(--accent); }
nav ol { padding-left: 24px; margin: 12px 0; }
.formula, .try { background: var(--card); border-left: 4px solid var(--accent); padding: 8px 12px;
  font: 15px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.try b { display: block; font: bold 14px system-ui, sans-serif; color: var(--faint); }
.row { display: flex; flex-wrap: wrap; gap: 10px 16px; align-items: center; margin: 16px 0; }
figure { margin: 0; max-width: 100%; overflow-x: auto; }
figcaption { color: var(--faint); font-size: 14px; }
table { border-collapse: collapse; font: 14px/1.3 ui-monospace, monospace; }
td, th { border: 1px solid var(--rule); padding: 4px 7px; text-align: right; font-weight: normal; }
th { color: var(--faint); }
.words td:first-child, .words th:first-child { text-align: left; }
.wide { overflow-x: auto; margin: 16px 0; }
.sign { font-size: 22px; color: var(--faint); }
img { display: block; image-rendering: pixelated; width: 168px; height: auto;
  outline: 1px solid var(--rule); }
svg { display: block; width: 100%; max-width: 520px; height: auto; color: var(--accent); }
"""
_CURVE = (520, 120)


def page(title: str, note: str, steps: Sequence[Step]) -> str:
    """Write the page.

    Parameters
    ----------
    title, note : str
        Above the steps.
    steps : sequence of Step
        In their order.

    Returns
    -------
    str
        HTML with its pictures inside, and a policy that allows nothing else.
    """
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    links = "".join(
        f'<li><a href="#step-{n}">{escape(step.title)}</a></li>' for n, step in enumerate(steps, 1)
    )
    body = "".join(_step(step, number) for number, step in enumerate(steps, 1))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(note)}</p>\n"
        f'<nav aria-label="Steps"><ol>{links}</ol></nav>\n{body}</main>\n</body>\n</html>\n'
    )


def _step(step: Step, number: int) -> str:
    parts = "\n".join(map(_part, step.parts))
    return (
        f'<section aria-labelledby="step-{number}">\n'
        f'<h2 id="step-{number}">{number}. {escape(step.title)}</h2>\n'
        f'{parts}\n<p class="try"><b>Try next</b>{escape(step.command)}</p>\n</section>\n'
    )


def _part(part: Part) -> str:
    if isinstance(part, Text):
        return f"<p>{escape(part.text)}</p>"
    if isinstance(part, Formula):
        return f'<p class="formula">{escape(part.text)}</p>'
    if isinstance(part, Working):
        return f'<div class="row">{_working(part)}</div>'
    if isinstance(part, Maps):
        return f'<div class="row">{"".join(map(_map, part.maps))}</div>'
    if isinstance(part, Table):
        return f'<div class="wide"><table class="words">{_rows(part)}</table></div>'
    return _curve(part)


def _working(part: Working) -> str:
    shown = []
    for number, grid in enumerate(part.grids):
        if number:
            shown.append(f'<span class="sign">{escape(part.signs[number - 1])}</span>')
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in grid.cells
        )
        shown.append(f"<figure><table>{rows}</table><figcaption>{escape(grid.title)}</figcaption></figure>")
    return "".join(shown)


def _map(each: Map) -> str:
    values = np.asarray(each.values, np.float64)
    if each.gray:
        shades = np.rint(255 * np.clip(values / (float(values.max()) or 1.0), 0, 1)).astype(np.uint8)
        pixels = shades[..., None]
    else:
        pixels = scale_of(values).colors(values)
    title = escape(each.title)
    height, width = values.shape
    image = f'<img src="{picture(pixels)}" alt="{title}" width="{width}" height="{height}">'
    return f"<figure>{image}<figcaption>{title}</figcaption></figure>"


def _rows(part: Table) -> str:
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in part.heads)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in part.rows)
    return f"<tr>{heads}</tr>{rows}"


def _curve(part: Curve) -> str:
    width, height = _CURVE
    top, last = max(part.values), max(1, len(part.values) - 1)
    points = " ".join(
        f"{8 + (width - 16) * at / last:.1f},{height - 8 - (height - 16) * value / top:.1f}"
        for at, value in enumerate(part.values)
    )
    title = escape(part.title)
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2"/></svg>'
        f"<figcaption>{title}</figcaption></figure>"
    )
