"""The page of ``cnncli featuremaps``: its head, and a chapter for each view."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnncli.cli.trained import Trained
from cnncli.files.faults import shown
from cnncli.tasks.task import Decoded
from cnncli.views.colors import as_rgb
from cnncli.views.featuremaps.model import Drawing, Seen, View
from cnncli.views.sections import BarRow, Chapter, Page, Section, Tile


def made_page(
    trained: Trained,
    seen: Seen | None,
    decoded: Decoded | None,
    drawings: Mapping[str, Drawing],
    *,
    views: Mapping[str, View],
    changes: Sequence[str],
) -> Page:
    """Put drawings on a page.

    Parameters
    ----------
    trained : Trained
        The network.
    seen : Seen or None
        The image, where there is one.
    decoded : Decoded or None
        What the network predicts of it.
    drawings : mapping of str to Drawing
        By view. One view has the page to itself, of several each has a chapter.
    views : mapping of str to View
        Their rows.
    changes : sequence of str
        What was done to the image.
    """
    network = trained.checkpoint.architecture.name
    bars = (
        ()
        if decoded is None
        else tuple(BarRow(shown(name), _percent(share), share) for name, share in decoded.bars())
    )
    head = (_subtitle(trained, seen), () if seen is None else _pictures(trained, seen, changes), bars)
    if len(drawings) == 1:
        ((view, drawing),) = drawings.items()
        title = views[view].title.format(network)
        return Page(
            title,
            *head,
            tuple(drawing.sections),
            drawing.reading,
            drawing.fits_screen,
            trained.task.bars_show,
        )
    sections: list[Section] = []
    for view, drawing in drawings.items():
        chapter = Chapter(views[view].title.format(network), drawing.reading)
        first, *others = drawing.sections
        sections += [replace(first, chapter=chapter), *others]
    return Page(f"Inside {network}", *head, tuple(sections), measure=trained.task.bars_show)


def _subtitle(trained: Trained, seen: Seen | None) -> str:
    where = f"from {shown(os.path.basename(trained.checkpoint.path or ''))}"  # noqa: PTH119
    outputs = f"{len(trained.task.outputs):,} {trained.task.output_noun}"
    about = f"{trained.network.size:,} parameters {where}, {outputs}"
    return about if seen is None else f"{seen.name}, {about}"


def _pictures(trained: Trained, seen: Seen, changes: Sequence[str]) -> tuple[Tile, ...]:
    """The image as it came, and as the network takes it."""
    height, width, channels = trained.checkpoint.preprocessing.shape
    size = f"{height}\u00a0×\u00a0{width}, {'gray' if channels == 1 else 'colour'}"
    return (
        Tile(seen.picture, seen.name),
        Tile(as_rgb(seen.pixels), f"input of the network: {size}", ", ".join(changes)),
    )


def _percent(share: float) -> str:
    return f"{share:.2%}" if share >= 5e-5 or not share else "< 0.01%"
