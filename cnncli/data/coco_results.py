"""Results of detectors in COCO's JSON, of any program: boxes or masks with classes and scores."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.coco import MaskReader, Places, box_of
from cnncli.data.masks import Ints, Masks
from cnncli.data.model import Skipped
from cnncli.data.objects import Annotated, Found, WrongBoxError
from cnncli.data.rle import WrongMaskError
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_NOWHERE = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Detections:
    """What a detector found in annotated images, D detections in all.

    Attributes
    ----------
    images, labels : ndarray, shape (D,), int64
        Positions of the image and the class among those annotated.
    scores : ndarray, shape (D,), float64
        How sure each is.
    boxes : ndarray, shape (D, 4), float64, or None
        x, y, width and height in pixels.
    masks : Masks or None
        Of each.
    skipped : tuple of Skipped
        Those that could not be used.
    """

    images: Ints
    labels: Ints
    scores: NDArray[np.float64]
    boxes: NDArray[np.float64] | None
    masks: Masks | None
    skipped: tuple[Skipped, ...] = ()


def parse_results(
    value: object, path: Path, annotated: Annotated, *, strict: bool = False, threads: int = 1
) -> Detections:
    """Take the results of a detector apart.

    COCO has a list of objects with image_id, category_id, score and bbox, segmentation or both. A file_name
    and a category_name, which some programs write besides, count instead of the ids.

    Parameters
    ----------
    value : object
        From `read_json`.
    path : Path
        The file, for messages.
    annotated : Annotated
        What it is to be compared with.
    strict : bool
        As in `Found`.
    threads : int
        That draw polygons.

    Raises
    ------
    CnncliError
        Where it is no such list, or `strict` refuses something.
    """
    if not isinstance(value, list):
        raise CnncliError(
            f"{shown(path)} holds no list; expected COCO results, a list of detections",
            'Write [{"image_id": 1, "category_id": 2, "bbox": [x, y, width, height], "score": 0.9}, …].',
        )
    images = [(name, int(h), int(w)) for name, (h, w) in zip(annotated.names, annotated.sizes, strict=True)]
    classes: dict[Hashable, int] = {name: at for at, name in enumerate(annotated.objects.classes)}
    places = Places(path, images, annotated.image_at, annotated.class_at, classes)
    with_boxes, with_masks = kinds_of(value)
    found, reader, scores = Found(strict, as_written=True), MaskReader(), []
    for at, row in enumerate(value):
        try:
            image, height, width, label = places.of(row)
            score = _score(row.get("score"))
            runs = reader.read(row.get("segmentation"), height, width) if with_masks else None
            box = box_of(row.get("bbox")) if with_boxes else _NOWHERE
            if box[2] < 0 or box[3] < 0:
                raise WrongBoxError(f"box {box[0]:g},{box[1]:g},{box[2]:g},{box[3]:g} is inverted")
        except (WrongBoxError, WrongMaskError) as fault:
            found.skip(places.named("detection", at, row), str(fault))
            continue
        found.add(image, box, label)
        scores.append(score)
        if runs is not None:
            reader.add(runs, height, width)
    return Detections(
        images=np.array(found.images, np.int64),
        labels=np.array(found.labels, np.int64),
        scores=np.array(scores, np.float64),
        boxes=np.array(found.boxes, np.float64).reshape(-1, 4) if with_boxes else None,
        masks=reader.drawn(threads) if with_masks else None,
        skipped=tuple(found.skipped),
    )


def kinds_of(value: object) -> tuple[bool, bool]:
    """Tell whether results hold boxes, and whether they hold masks."""
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    with_masks = any(row.get("segmentation") for row in rows)
    return not with_masks or any(row.get("bbox") for row in rows), with_masks


def _score(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise WrongBoxError("score is missing" if value is None else "score is no number")
    try:
        return float(value)
    except OverflowError:
        raise WrongBoxError("score is beyond the range of floats") from None
