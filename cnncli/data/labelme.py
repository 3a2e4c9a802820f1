"""Annotations of labelme: a JSON file beside each image, with polygons, rectangles and circles."""

from pathlib import Path
from typing import Any

import numpy as np

from cnncli.checked import Fields, MalformedError
from cnncli.data.coco import parse_annotations, read_json
from cnncli.data.model import Skipped
from cnncli.data.objects import Annotated
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.read import read_size

_CORNERS = 64  # of the polygon that stands for a circle
_IGNORED = "__ignore__"  # label of pixels that do not count
_KEYS = ("shapes", "imagePath")


def labelme_files(folder: Path) -> list[Path]:
    """The JSON files in a folder, where the first of them is one of labelme."""
    files = sorted(each for each in folder.glob("*.json") if each.is_file())
    if not files:
        return []
    try:
        value = read_json(files[0])
    except CnncliError:
        return []
    return files if isinstance(value, dict) and all(key in value for key in _KEYS) else []


def read_labelme(
    folder: Path, *, masks: bool = False, strict: bool = False, as_written: bool = False, threads: int = 1
) -> Annotated:
    """Read a folder of labelme's files.

    Shapes of one label and one ``group_id`` are parts of one thing. Lines and points have no area, and are
    left out. Classes are the labels that occur, in the order of the alphabet. Pixels of ``__ignore__`` do not
    count, and its boxes are left out.

    Parameters
    ----------
    folder : Path
        With the JSON files.
    masks, strict, as_written, threads
        As of `parse_annotations`.

    Raises
    ------
    CnncliError
        Where something is refused.
    """
    images: list[dict[str, Any]] = []
    shapes: list[tuple[str, str, list[list[float]]]] = []
    skipped: list[Skipped] = []
    for path in labelme_files(folder):
        try:
            image, found, faults = _read(path)
        except (CnncliError, MalformedError) as fault:
            skipped.append(Skipped(shown(path), str(fault)))
            continue
        images.append(image)
        shapes += found
        skipped += faults
    if skipped and strict:
        raise CnncliError(
            f"{skipped[0].sentence}; expected nothing but usable annotations (--strict)",
            "Correct it, or leave --strict out to go on without it.",
        )
    labels = sorted({label for _, label, _ in shapes} - {_IGNORED})
    known = shapes if masks and labels else [each for each in shapes if each[1] != _IGNORED]
    value = {
        "images": images,
        "categories": [{"id": label, "name": label} for label in labels],
        "annotations": [
            {
                "image_id": image,
                "category_id": labels[0] if label == _IGNORED else label,
                "segmentation": polygons,
                "iscrowd": label == _IGNORED,
            }
            for image, label, polygons in known
        ],
    }
    read = parse_annotations(
        value, folder, masks=masks, strict=strict, as_written=as_written, threads=threads
    )
    return Annotated(**{**vars(read), "form": "labelme", "skipped": (*skipped, *read.skipped)})


def _read(path: Path) -> tuple[dict[str, Any], list[tuple[str, str, list[list[float]]]], list[Skipped]]:
    """The image of a file, its things as (image, label, polygons), and shapes that cannot be used."""
    fields = Fields(read_json(path))
    name = fields.text("imagePath").replace("\\", "/")
    height, width = (fields.raw().get(side) for side in ("imageHeight", "imageWidth"))
    if type(height) is not int or type(width) is not int:
        width, height, _ = read_size(path.parent / name)
    image = {"id": path.stem, "file_name": name, "height": height, "width": width}
    things: dict[tuple[object, ...], list[list[float]]] = {}
    faults = []
    for number, row in enumerate(fields.rows("shapes"), 1):
        try:
            label, polygon = row.text("label"), _polygon(row)
        except MalformedError as fault:
            faults.append(Skipped(f"{shown(path)}: shape {number}", str(fault)))
            continue
        group = row.raw().get("group_id")
        key = (label, number) if group is None else (label, None, str(group))
        things.setdefault(key, []).append(polygon)
    return image, [(path.stem, str(key[0]), polygons) for key, polygons in things.items()], faults


def _polygon(row: Fields) -> list[float]:
    """The corners of a shape: x0, y0, x1, y1 and so on.

    Raises
    ------
    MalformedError
        Where it has no area, or is none that is read.
    """
    kind = row.raw().get("shape_type", "polygon")
    points = row.raw().get("points")
    try:
        at = np.array(points, np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise MalformedError("its points are no list of pairs of numbers") from None
    if not np.isfinite(at).all():
        raise MalformedError("its points are no list of pairs of numbers")
    if kind == "polygon" and len(at) > 2:
        corners = at
    elif kind == "rectangle" and len(at) == 2:
        (x0, y0), (x1, y1) = at.min(axis=0), at.max(axis=0)
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    elif kind == "circle" and len(at) == 2:
        turn = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
        corners = at[0] + np.hypot(*(at[1] - at[0])) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    else:
        raise MalformedError(
            f"it is a {kind!r:.20} of {len(at)} points; expected a polygon of 3 or more, a rectangle or "
            "circle"
        )
    return [float(each) for each in corners.ravel()]
