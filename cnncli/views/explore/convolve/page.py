"""The page itself: data, and the scripts in their order."""

from collections.abc import Sequence
from typing import Any

from cnncli.views.explore.convolve.filters import filter_data, presets
from cnncli.views.explore.convolve.runs import (
    Choice,
    Shown,
    before_data,
    plain_data,
    settings_data,
    shown_data,
)
from cnncli.views.explore.frame import page

#: What computes, and needs no page.
FORWARD = (
    "numbers",
    "borders",
    "kernels",
    "mapping",
    "kinds",
    "responses",
    "windows",
    "work",
    "edges",
    "state",
)
_SEEN = (
    "grids",
    "pictures",
    "editor",
    "options",
    "command",
    "sources",
    "arithmetic",
    "sentences",
    "choices",
    "main",
)


def convolution_page(pictures: Sequence[Shown], choice: Choice) -> str:
    """Write the page.

    Parameters
    ----------
    pictures : sequence of Shown
        At least one; the first is shown first.
    choice : Choice
        How they were filtered.

    Returns
    -------
    str
        HTML.
    """
    scripts = [f"convolve/{name}.js" for name in (*FORWARD, *_SEEN)]
    data = page_data(pictures, choice)
    title = f"{choice.filters[-1].name} on {pictures[0].name}"
    return page(title, data=data, scripts=scripts, styles=["convolve/page.css"])


def page_data(pictures: Sequence[Shown], choice: Choice) -> dict[str, Any]:
    """What the scripts are given."""
    own = filter_data(choice.filters[-1])
    roi = choice.options.roi
    whole = all(shown.reduced_from is None for shown in pictures)
    return {
        "inputs": [shown_data(shown, with_pixels=not own["live"]) for shown in pictures],
        "plain": plain_data(),
        "filter": own,
        "settings": settings_data(choice.options),
        "cut": list(roi) if roi is not None and whole else None,
        "before": before_data(choice),
        "presets": presets(),
    }
