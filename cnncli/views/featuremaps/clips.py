"""Pictures of what a network makes of a clip: its frames, and the responses of each under it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import Node
from cnncli.views.colors import as_rgb, scale_around, scale_of, short
from cnncli.views.featuremaps.words import kind_of, shape_words
from cnncli.views.sections import ROOM, Section, Tile

_MOST_MAPS = 12
_CELL, _BAND, _ROW = 128, 0.25, 18  # pixels of a frame at most, the share of one that colours take, of a map
_LABELS = 60  # pixels that names of rows take


def clip_section(
    frames: NDArray[np.uint8], times: Sequence[str], said: NDArray[np.floating], predicted: str
) -> Section:
    """The frames side by side, with what each says for a class as a colour under it.

    Parameters
    ----------
    frames : ndarray, shape (T, H, W, C), uint8
        As the network takes them.
    times : sequence of str
        When each is.
    said : ndarray, shape (T,)
        What each adds to the output of the class.
    predicted : str
        The class.
    """
    count, height, width = frames.shape[:3]
    larger = max(1, _cell(count) // width)
    scale = scale_around(said)
    row = np.concatenate([as_rgb(frame) for frame in frames], axis=1)
    row = np.repeat(np.repeat(row, larger, axis=0), larger, axis=1)
    band = max(8, round(_BAND * height * larger))
    colors = np.repeat(scale.colors(said)[None], width * larger, axis=1)
    picture = np.concatenate([row, np.repeat(colors, band, axis=0)])
    below = tuple(f"+{short(float(v))}" if v > 0 else short(float(v)) for v in said)
    tile = Tile(picture, "", columns=tuple(times), below=below)
    side = max(picture.shape[:2])
    return Section("frames", (f"what each frame says for {predicted}",), (tile,), side=side, scale=scale)


def layer_section(node: Node, values: NDArray[np.floating], times: Sequence[str]) -> Section:
    """The strongest maps of a layer over time: rows of maps, columns of frames.

    Parameters
    ----------
    node : Node
        The layer.
    values : ndarray, shape (T, C)
        Its output.
    times : sequence of str
        When the frames are.
    """
    strength = np.abs(values).max(axis=0)
    order = np.argsort(-strength, kind="stable")[:_MOST_MAPS]
    scale = scale_of(values)
    colors = scale.colors(values[:, order].T)
    picture = np.repeat(np.repeat(colors, _ROW, axis=0), _cell(len(values)), axis=1)
    left = values.shape[1] - len(order)
    tile = Tile(picture, "", rows=tuple(f"#{c}" for c in order), columns=tuple(times))
    return Section(
        node.name,
        (kind_of(node), shape_words(node.shape)),
        (tile,),
        side=max(picture.shape[:2]),
        scale=scale,
        note=f"{left} weaker maps are not shown" if left else "",
    )


def _cell(count: int) -> int:
    """Pixels of a frame's column."""
    return max(4, min(_CELL, (ROOM - _LABELS) // count))
