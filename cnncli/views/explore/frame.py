"""The frame of pages with scripts: one self-contained file that no name in it can break out of.

What it gives:

- `page` writes the file: a head with a content-security policy that lets run the page's own script and style
  and nothing else (by their digests; no ``'unsafe-inline'``, no outside source, no request), the style
  ``frame.css`` and the script ``frame.js`` before those of the page, and the data in a block of JSON.
- `packed` turns an array into an object of that JSON: base64 of its bytes, shape and type. In the page
  ``unpack(object)`` makes a typed array of it.
- `picture` turns pixels into a ``data:`` address for an ``img``.
- ``frame.css`` has the colours of light and dark as variables (``--paper --ink --faint --rule --frame
  --accent --mark``), and the looks of buttons, tables and figures.
- ``frame.js`` has what scripts share: ``DATA`` (the page's data), ``el`` and ``svg`` (elements; texts become
  text, never markup), ``unpack``, ``short`` (numbers as `views.colors.short` writes them), ``scaleOf``,
  ``scaleAround`` and ``colorOf`` (the scales of `views.colors`), ``paint`` (an array as pixels of a canvas).

Scripts are joined in their order and run in one function with ``'use strict'``; they set no attribute
``style`` in markup, which the policy refuses, but properties of ``element.style``.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.images.picture import Picture
from cnncli.images.png import encode_png
from cnncli.views.colors import AROUND, RISING

_TYPES = {"float32": "<f4", "float16": "<f2", "uint8": "u1"}


def page(title: str, *, data: Mapping[str, Any], scripts: Sequence[str], styles: Sequence[str] = ()) -> str:
    """Write a page.

    Parameters
    ----------
    title : str
        Of the document.
    data : mapping
        What scripts find as ``DATA``, as JSON has it.
    scripts, styles : sequence of str
        Names of files of this folder, in their order.

    Returns
    -------
    str
        HTML. Its body is one element, ``<main id="page">``, which the scripts fill.
    """
    style = "".join(_file(name) for name in ("frame.css", *styles))
    code = "".join(_file(name) for name in ("frame.js", *scripts))
    script = f"(() => {{\n'use strict';\n{code}}})();\n"
    scales = {"rising": RISING.tolist(), "around": AROUND.tolist()}
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<main id="page"><noscript>This page needs JavaScript, which runs in it without a network.</noscript>'
        f'</main>\n<script type="application/json" id="data">{_block({**data, "scales": scales})}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def packed(array: NDArray[Any]) -> dict[str, Any]:
    """An array as an object of JSON.

    Parameters
    ----------
    array : ndarray
        float32, float16 or uint8.

    Returns
    -------
    dict
        type, shape, and data: base64 of its bytes, lowest byte first.
    """
    kind = array.dtype.name
    raw = np.ascontiguousarray(array, _TYPES[kind]).tobytes()
    return {"type": kind, "shape": list(array.shape), "data": base64.b64encode(raw).decode("ascii")}


def picture(pixels: NDArray[np.uint8]) -> str:
    """Pixels (H, W, C) as the address of a PNG inside the page."""
    data = encode_png(Picture((np.ascontiguousarray(pixels),)), compress=True)
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a content-security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _block(data: Mapping[str, Any]) -> str:
    """JSON that nothing in it can end: in a script block only ``<`` means anything to a browser."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
