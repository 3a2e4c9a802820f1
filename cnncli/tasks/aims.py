"""What attributions explain of a network's outputs for one image: a class, a box, or the class of a region.

Legend: K classes, maps of H x W pixels. Boxes are x, y, width and height in pixels of the network's input.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.model import Aim, Target
from cnncli.errors import OptionError
from cnncli.nn import Graph
from cnncli.nn.graph import MAIN
from cnncli.tasks.detected import LEAST, Found, found_in, point_at
from cnncli.tasks.task import Outputs, Task

Box = tuple[float, float, float, float]
_GROUND = 0  # class of the pixels that belong to nothing


class Explained(NamedTuple):
    """A number that is explained.

    Attributes
    ----------
    label : int
        The class that it is of.
    target : int or Aim
        Which number.
    value : float
        What it is.
    said : str
        The same in words, with its place.
    record : dict
        What is to be said of it besides, as JSON.
    box : Box or None
        The place.
    note : str
        What the user might not expect of it.
    """

    label: int
    target: Target
    value: float
    said: str
    record: dict[str, Any]
    box: Box | None = None
    note: str = ""


def explained(
    task: Task, graph: Graph, outputs: Outputs, label: int | None, region: Box | None = None
) -> Explained:
    """What is to be explained of an image.

    Parameters
    ----------
    task : Task
        Whose network it is.
    graph : Graph
        Its layers.
    outputs : mapping of str to ndarray
        By role, of the one image.
    label : int or None
        A class; None: the one that the network sees there.
    region : Box or None
        A part of the image; None: all of it.

    Raises
    ------
    OptionError
        Where the network says nothing of regions, or finds no such thing.
    """
    return _OF_OUTPUTS[task.outputs_of](task.outputs, graph, outputs, label, region)


def _of_image(
    classes: Sequence[str], graph: Graph, outputs: Outputs, label: int | None, region: Box | None
) -> Explained:
    """A class's output, of the whole image."""
    del classes, graph
    if region is not None:
        raise OptionError(
            "--region is given, but the network says one thing of a whole image; expected one that finds "
            "boxes or classes of pixels",
            "Leave --region out.",
        )
    values = outputs[MAIN][0]
    label = int(values.argmax()) if label is None else label
    return Explained(label, label, float(values[label]), f"output {values[label]:.3g}", {})


def _of_pixels(
    classes: Sequence[str], graph: Graph, outputs: Outputs, label: int | None, region: Box | None
) -> Explained:
    """The mean output of a class over the pixels of a region that are seen as that class.

    Source: Vinogradova, Dibrov and Myers, Towards interpretable semantic segmentation via gradient-weighted
    class activation mapping, 2020.
    """
    values = outputs[MAIN][0]
    seen = values.argmax(axis=-1)
    inside = _inside(seen.shape, region)
    if label is None:
        counts = np.bincount(seen[inside], minlength=len(classes))
        things = np.delete(counts, _GROUND)
        label = 1 + int(things.argmax()) if things.any() else _GROUND
    chosen = inside & (seen == label)
    note = ""
    if not chosen.any():
        chosen = inside
        where = "of the region" if region else "of the image"
        note = f"no pixel {where} is seen as {classes[label]}: what is explained is the mean over all of them"
    pixels = int(chosen.sum())
    weights = np.zeros(values.shape, np.float32)
    weights[chosen, label] = 1 / pixels
    value = float(values[chosen, label].mean(dtype=np.float64))
    aim = Aim(graph.output, weights)
    record = {"pixels": pixels}
    return Explained(label, aim, value, f"mean output {value:.3g} of {pixels:,} pixels", record, region, note)


def _inside(shape: tuple[int, ...], region: Box | None) -> NDArray[np.bool_]:
    """(H, W) the pixels whose middle lies in a region."""
    if region is None:
        return np.ones(shape, np.bool_)
    x, y, width, height = region
    rows, columns = (np.arange(side) + 0.5 for side in shape)
    inside = ((rows >= y) & (rows < y + height))[:, None] & (columns >= x) & (columns < x + width)
    if not inside.any():
        raise OptionError(
            "--region holds no pixel of what the network sees; expected a larger part of the image",
            "Give x, y, width and height in pixels of the image.",
        )
    return inside


def _of_box(
    classes: Sequence[str], graph: Graph, outputs: Outputs, label: int | None, region: Box | None
) -> Explained:
    """The class's output, before the sigmoid, at the point that gives a box."""
    found = found_in(outputs, least=LEAST)
    if label is not None:
        found = found.at(found.labels == label)
    if region is not None:
        overlaps = _overlaps(found, region)
        order = np.lexsort((-found.scores, -overlaps))
        found = found.at(order[overlaps[order] > 0])
    if not len(found.labels):
        what = "nothing" if label is None else f"no {classes[label]}"
        where = "" if region is None else " in --region"
        raise OptionError(
            f"{what} is found{where} with a score of {LEAST:g} or more; expected a box to explain",
            "Choose another --target, or see what predict finds.",
        )
    box = found.boxes[0].tolist()
    place = (box[0], box[1], box[2] - box[0], box[3] - box[1])
    role, row, column = point_at(outputs, int(found.points[0]))
    label, layer = int(found.labels[0]), graph.output_of(role)
    weights = np.zeros(outputs[role].shape[1:], np.float32)
    weights[row, column, label] = 1
    value, score = float(outputs[role][0, row, column, label]), float(found.scores[0])
    record = {"score": round(score, 6)}
    return Explained(label, Aim(layer, weights), value, f"score {score:.2f}", record, place)


def _overlaps(found: Found, region: Box) -> NDArray[np.float64]:
    """(D,) intersection over union of boxes and a region."""
    x, y, width, height = region
    low = np.maximum(found.boxes[:, :2], [x, y])
    high = np.minimum(found.boxes[:, 2:], [x + width, y + height])
    common = np.maximum(high - low, 0).prod(axis=1)
    areas = (found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1)
    return np.asarray(common / (areas + width * height - common), np.float64)


_OF_OUTPUTS: dict[str, Callable[[Sequence[str], Graph, Outputs, int | None, Box | None], Explained]] = {
    "images": _of_image,
    "box": _of_image,
    "pixels": _of_pixels,
    "boxes": _of_box,
}
