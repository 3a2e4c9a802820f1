"""Curves of insertion, deletion and ROAD of several attribution methods, side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.faithfulness import CENTRE, RANDOM
from cnncli.attribution.removal import SHARES, STEPS
from cnncli.images.canvas import INK, Box, Canvas
from cnncli.views.plot import Chart, Curve, Scale, draw_curves, draw_frame, page_title

_WIDTH, _HIGH = 1420, 330
_LEFTS = (100, 800)
_ACROSS = 450  # pixels of a chart; names stand to the right of it
_DOWN = _HIGH + 150  # from one row of charts to the next
# Of Okabe and Ito, Color universal design, 2008: colour-blind people tell them apart.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
_BASELINES = {CENTRE: INK, RANDOM: "#9aa5b1"}
_TITLES = (
    ("insertion: the higher, the better", "share of pixels revealed, the most relevant first"),
    ("deletion: the lower, the better", "share of pixels taken away, the most relevant first"),
    ("ROAD, most relevant first: the lower, the better", "share of pixels imputed"),
    ("ROAD, least relevant first: the higher, the better", "share of pixels imputed"),
)


def attribution_page(
    curves: Mapping[str, Sequence[NDArray[np.float64]]], *, title: str, subtitle: str
) -> Canvas:
    """Draw how probable a class is while pixels are revealed or removed in the order of each method.

    Parameters
    ----------
    curves : mapping of str to four ndarrays
        By method, `CENTRE` and `RANDOM` among them: insertion and deletion (STEPS + 1,), and ROAD with the
        most and with the least relevant pixels imputed, at each of `SHARES`. Probabilities, 0 to 1.
    title, subtitle : str
        What was measured.
    """
    canvas = Canvas(_WIDTH, margin=28)
    top = page_title(canvas, title, subtitle) + 78
    colors = dict(zip((name for name in curves if name not in _BASELINES), _COLORS, strict=False))
    steps = (np.arange(STEPS + 1) / STEPS).tolist()
    places = (steps, steps, list(SHARES), list(SHARES))
    for number, (name, x_title) in enumerate(_TITLES):
        left, upper = _LEFTS[number % 2], top + number // 2 * _DOWN
        chart = _chart(Box(left, upper, left + _ACROSS, upper + _HIGH), name, x_title)
        draw_frame(canvas, chart)
        lines = [
            Curve(method, (places[number], values[number].tolist()), _BASELINES.get(method) or colors[method])
            for method, values in curves.items()
        ]
        draw_curves(canvas, chart, lines)
    return canvas


def _chart(box: Box, title: str, x_title: str) -> Chart:
    scale = Scale(0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    return Chart(box, scale, scale, title, x_title, lambda x: f"{x:.0%}", lambda y: f"{y:g}")
