"""Patches: the parts of images that excite a unit most, cut to its receptive field."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.model import enlarged
from cnncli.errors import OptionError
from cnncli.nn import Inference, Shape
from cnncli.views.colors import as_rgb
from cnncli.views.featuremaps.frames import fitted, size_within
from cnncli.views.featuremaps.model import Drawing, Floats, Request, Subject
from cnncli.views.featuremaps.units import (
    Box,
    FieldMap,
    framed_patch,
    layer_lines,
    mosaic,
    unit_name,
    units_of,
)
from cnncli.views.sections import GAP, ROOM, Section, Tile

_UNITS, _NAMED_UNITS = 2, 12  # of a layer
_COUNT = 13  # patches of a unit: those of a row
_SIDE, _LARGE = 72, 128  # pixels of a patch; of the patches of a row that has room
_WHOLE = 0.8  # of the image: a receptive field that covers as much does not say where its unit looks
_LIT = 0.5  # of a unit's maximum: where its map has as much, no veil lies over the image
_VEIL = 0.72  # of white over the rest
_LABELS = 60  # pixels of the numbers of units beside their rows
_OVERLAP = 0.3  # of the smaller of two patches of one image, at most
_MOST = 64  # images of a batch
_VALUES = 1 << 22  # of a batch, of all layers that are kept: 16 MB
_READING = (
    "A row for each unit, numbered at the left: the patches of the images that excite it most, the "
    "strongest first, each as large as the unit's receptive field and gray where that reaches beyond the "
    "image. Where that is all but the whole image, a veil lies over what the unit does not respond to with "
    "half of its maximum or more. Patches of one image hardly overlap. Sizes are height × width."
)


@dataclass(frozen=True, eq=False)
class Patch:
    """A part of an image that excites a unit.

    Attributes
    ----------
    value : float
        Of the unit.
    image : str
        Name.
    place : (int, int)
        Row and column of the value in the unit's map.
    box : Box
        The receptive field in the network's input, clipped at its border.
    pixels : ndarray, shape (h, w, C), uint8
        What lies there.
    values : ndarray, shape (rows, columns), float32
        The unit's map of the image.
    """

    value: float
    image: str
    place: tuple[int, int]
    box: Box
    pixels: NDArray[np.uint8]
    values: Floats


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw the patches of the images in ``request.pictures`` that excite units of layers most."""
    if request.pictures is None:
        raise OptionError(
            "--view patches has no images to look through; expected --data",
            "Name a folder of images or a data set, for example: --data samples",
        )
    usual = _NAMED_UNITS if request.named else _UNITS
    units = {layer: units_of(subject, layer, request, usual=usual) for layer in request.layers}
    found, count = find_patches(subject, units, request, count=_COUNT)
    sections = [_section(subject, layer, units[layer], found) for layer in request.layers]
    record = {
        "images": count,
        "layers": [_about(subject, layer, units[layer], found) for layer in request.layers],
    }
    arrays = {
        f"{layer}-{unit}": np.array([patch.value for patch in found[layer, unit]], np.float32)
        for layer in request.layers
        for unit in units[layer]
    }
    skipped = request.pictures.skipped
    notes = [f"{skipped} images could not be read and were passed over"] if skipped else []
    return Drawing(sections, record, arrays, f"Of {count:,} images. {_READING}", notes)


def find_patches(
    subject: Subject, units: Mapping[str, Sequence[int]], request: Request, *, count: int
) -> tuple[dict[tuple[str, int], list[Patch]], int]:
    """The patches that excite units most, found batch by batch.

    Parameters
    ----------
    subject : Subject
        The network.
    units : mapping of str to sequence of int
        By layer.
    request : Request
        Has the images, and shows how far the work is.
    count : int
        Patches of a unit, at most; fewer where it is above 0 at fewer places.

    Returns
    -------
    dict of (str, int) to list of Patch
        By layer and unit, the strongest first; of equal ones that of the first image.
    int
        Number of images that were looked at.
    """
    assert request.pictures is not None
    graph = subject.graph
    fields = {layer: FieldMap(graph, layer) for layer in units}
    best: dict[tuple[str, int], list[Patch]] = {(layer, unit): [] for layer in units for unit in units[layer]}
    held = sum(graph.shape_of(layer).size for layer in units) + graph.input_shape.size
    batch = max(1, min(_MOST, _VALUES // held))
    kept = [layer for layer in units if layer != graph.output]
    inference = Inference(subject.network, batch, threads=subject.threads, keep=kept)
    normalise = subject.checkpoint.preprocessing.normalise
    done = 0
    with request.progress(len(request.pictures), "images") as progress:
        for names, pixels in request.pictures.batches(batch):
            maps = inference.activations(np.ascontiguousarray(normalise(pixels)))
            for (layer, unit), known in best.items():
                values = maps[layer].reshape(len(names), *graph.shape_of(layer)[:3])[..., unit]
                best[layer, unit] = _better(known, values, names, pixels, fields[layer], count=count)
            done += len(names)
            progress.draw(done)
    return best, done


def _better(
    known: list[Patch],
    values: Floats,
    names: Sequence[str],
    pixels: NDArray[np.uint8],
    fields: FieldMap,
    *,
    count: int,
) -> list[Patch]:
    """The strongest of those known and those of a batch."""
    found = list(known)
    floor = known[-1].value if len(known) == count else 0.0
    for number in np.flatnonzero(values.max(axis=(1, 2)) > floor).tolist():
        for row, column in _peaks(values[number], fields, floor, count):
            box = fields.box(row, column)
            left, top, right, bottom = box
            part = pixels[number, top:bottom, left:right].copy()
            value, seen = float(values[number, row, column]), values[number].copy()
            found.append(Patch(value, names[number], (row, column), box, part, seen))
    return sorted(found, key=lambda patch: -patch.value)[:count]


def _peaks(values: Floats, fields: FieldMap, floor: float, count: int) -> Iterator[tuple[int, int]]:
    """Places of the largest values above a floor whose receptive fields hardly overlap."""
    left = values.copy()
    for _ in range(count):
        row, column = (int(i) for i in np.unravel_index(int(left.argmax()), left.shape))
        if not left[row, column] > floor:
            return
        yield row, column
        left[fields.overlaps(row, column) > _OVERLAP] = -np.inf


def _section(
    subject: Subject, layer: str, units: Sequence[int], found: Mapping[tuple[str, int], Sequence[Patch]]
) -> Section:
    name, lines = layer_lines(subject.graph, layer)
    height, width = FieldMap(subject.graph, layer).size
    longest = max((len(found[layer, unit]) for unit in units), default=0) or 1
    whole = subject.graph.input_shape
    size = size_within(width, height, min(_LARGE, max(_SIDE, (ROOM - _LABELS) // longest - GAP)))
    lit = height * width >= _WHOLE * whole.height * whole.width
    rows = [
        [
            fitted(framed_patch(_lit(each, whole) if lit else each.pixels, each.box, (height, width)), size)
            for each in found[layer, unit]
        ]
        for unit in units
    ]
    picture = mosaic(rows, size=size)
    labels = tuple(unit_name(subject, layer, unit) for unit in units)
    silent = [label for label, row in zip(labels, rows, strict=True) if not row]
    note = f"never above 0: {', '.join(silent)}" if silent else ""
    tile = Tile(picture, "", rows=labels)
    return Section(name, lines, (tile,), side=max(picture.shape[:2]), note=note, strip=True)


def _lit(patch: Patch, whole: Shape) -> NDArray[np.uint8]:
    """A patch with a veil over what the unit does not respond to.

    Source: Zhou et al., Object detectors emerge in deep scene CNNs, 2015: a unit's map, enlarged, cut at a
    share of its maximum.
    """
    left, top, right, bottom = patch.box
    if patch.values.size == 1:
        return patch.pixels
    seen = enlarged(patch.values, whole.height, whole.width)[top:bottom, left:right]
    veil = _VEIL * (seen < _LIT * patch.value)[..., None]
    rgb = as_rgb(patch.pixels).astype(np.float64)
    return np.asarray(np.rint(rgb * (1 - veil) + 255 * veil), np.uint8)


def _about(
    subject: Subject, layer: str, units: Sequence[int], found: Mapping[tuple[str, int], Sequence[Patch]]
) -> dict[str, Any]:
    return {
        "name": layer,
        "receptive_field": list(FieldMap(subject.graph, layer).size),
        "units": [
            {
                "unit": unit,
                "patches": [
                    {
                        "image": patch.image,
                        "value": float(f"{patch.value:.6g}"),
                        "place": list(patch.place),
                        "box": list(patch.box),
                    }
                    for patch in found[layer, unit]
                ],
            }
            for unit in units
        ],
    }
