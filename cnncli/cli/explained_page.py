"""``--explain page.html``: runs on one or several images, handed to the page on which they are explored."""

import os
from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np

from cnncli.cli.explained import FilterRun, explain, whole_run
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import in_unicode, shown
from cnncli.filters.color import SRGB
from cnncli.images.picture import Picture, Pixels
from cnncli.records import replace
from cnncli.views.explain import Explanation
from cnncli.views.explain.places import scene
from cnncli.views.explore.convolve import Choice, Shown, convolution_page

_MOST_BYTES = 2_400_000  # of samples on a page, which base64 makes a third more
_MOST_PIXELS = 600_000  # of a picture
_NOTHING = Picture(())  # in the place of a frame that is no longer needed


class SharedPage:
    """Collects the pictures of several inputs, in any order, and writes them as one page in the order given.

    Parameters
    ----------
    path : Path
        Of the page.
    targets : sequence of str
        The outputs of all inputs.
    """

    def __init__(self, path: Path, targets: Sequence[str]) -> None:
        self.path = path
        self.targets = targets
        self.found: dict[str, tuple[Shown, FilterRun]] = {}

    def add(self, target: str, run: FilterRun) -> None:
        """Keep what the page has of a run whose result has been written."""
        self.found[target] = page_picture(run, inputs=len(self.targets)), replace(run, picture=_NOTHING)

    def write(self) -> None:
        """Write the page of the inputs that could be filtered; nothing where there are none."""
        ordered = [self.found[target] for target in self.targets if target in self.found]
        if ordered:
            write_atomic(self.path, encode_page([each for each, _ in ordered], ordered[0][1]))


def encode_page(pictures: Sequence[Shown], run: FilterRun) -> bytes:
    """Write the page of pictures that were filtered alike.

    Parameters
    ----------
    pictures : sequence of Shown
        From `page_picture`.
    run : FilterRun
        The first one's, for its filters and options.

    Returns
    -------
    bytes
        HTML.
    """
    text = convolution_page(pictures, Choice(run.filters, run.options))
    return text.encode("utf-8", "replace")


def page_picture(run: FilterRun, *, inputs: int = 1) -> Shown:
    """What the page has of a run: its first frame, reduced where ``inputs`` of that size are too much."""
    width, height = run.picture.size
    run = _reduced(run, inputs)
    e = explain(run)
    reduced = (width, height) if run.picture.size != (width, height) else None
    frame = run.picture.frames[0]
    opacity = run.picture.alpha and bool((frame[..., -1] < run.source.white).any())
    return Shown(
        name="standard input" if run.name == "-" else shown(os.path.basename(run.name)),  # noqa: PTH119
        path="-" if run.name == "-" else in_unicode(run.name),
        samples=_samples(run, e),
        full=run.source.white,
        made=whole_run(run).pixels,
        start=scene(e)[1][0],
        picture=e.image if e.before or run.picture.format == "NPY" else None,
        curve=run.options.curve if run.options.linear else SRGB,
        is_linear=run.options.linear and bool(e.before),
        has_opacity=opacity,
        reduced_from=reduced,
    )


def _samples(run: FilterRun, e: Explanation) -> Pixels:
    """What the last filter reads: the image's own samples, or what the filters before it make of them."""
    if e.before:
        return e.gray[..., None] if e.colors is None else e.colors
    frame = run.picture.frames[0]
    return np.ascontiguousarray(frame[..., :-1] if run.picture.alpha else frame)


def _reduced(run: FilterRun, inputs: int) -> FilterRun:
    """A run on the first frame alone, by a whole factor smaller where it is too large; then of all of it."""
    frame = run.picture.frames[0]
    chained = len(run.filters) * run.options.repeat > 1 or frame.dtype != np.uint8
    sample_bytes = 4 if chained else 1
    most = min(_MOST_PIXELS, _MOST_BYTES / (inputs * sample_bytes * (frame.shape[2] - run.picture.alpha)))
    factor = ceil(sqrt(frame.shape[0] * frame.shape[1] / most))
    if factor <= 1:
        return run
    picture = replace(run.picture, frames=(_averaged(frame, factor),))
    return replace(run, picture=picture, options=replace(run.options, roi=None))


def _averaged(frame: Pixels, factor: int) -> Pixels:
    """Means of ``factor`` x ``factor`` pixels; what is left over at the right and below is cut off."""
    height, width = (max(1, n // factor) for n in frame.shape[:2])
    down, across = min(factor, frame.shape[0]), min(factor, frame.shape[1])
    part = frame[: height * down, : width * across].astype(np.float64)
    means = part.reshape(height, down, width, across, -1).mean(axis=(1, 3))
    return np.asarray(means if frame.dtype == np.float32 else np.rint(means), frame.dtype)
