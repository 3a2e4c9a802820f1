"""Where in images the objects of a network's classes are: by boxes of annotations, or by masks."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.annotated_images import image_path
from cnncli.data.annotations import AnnotationOptions, read_annotations
from cnncli.data.classes import class_name
from cnncli.data.file_lookup import FileLookup
from cnncli.data.model import Skipped
from cnncli.data.objects import Annotated, Objects
from cnncli.data.pixel_labels import PixelLabels
from cnncli.data.prepare import InputSpec, placement
from cnncli.data.targets import Targets
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

Boxes = dict[int, NDArray[np.float64]]
"""By the network's classes (M, 4): x, y, width and height in pixels."""


class AnnotatedFiles:
    """Annotations of objects, and the files that they are of.

    Parameters
    ----------
    path : Path
        Of COCO, YOLO or Pascal VOC.
    split : str or None
        Of YOLO's data, as of `AnnotationOptions`.

    Raises
    ------
    CnncliError
        Where they cannot be read, or have no images.
    """

    def __init__(self, path: Path, split: str | None) -> None:
        self._annotated: Annotated = read_annotations(path, AnnotationOptions(split=split))
        if not self._annotated.names:
            raise CnncliError(f"{shown(path)} has no images; expected some", "Check what wrote the file.")
        self._lookup = FileLookup(path if path.is_dir() else path.parent)

    def __len__(self) -> int:
        return len(self._annotated.names)

    @property
    def form(self) -> str:
        """What the annotations are, such as ``COCO``."""
        return self._annotated.form

    @property
    def targets(self) -> Objects:
        """The objects of all images."""
        return self._annotated.objects

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Annotations that cannot be used."""
        return self._annotated.skipped

    def name(self, at: int) -> str:
        """Of an image, as the annotations have it."""
        return self._annotated.names[at]

    def path(self, at: int) -> Path:
        """Of an image: as it is named, or beside the annotations or below.

        Raises
        ------
        CnncliError
            Where it is not there, or may be one of several.
        """
        return image_path(self.name(at), self._lookup)

    def boxes(self, at: int, labels: dict[int, int], spec: InputSpec) -> Boxes:
        """Boxes of an image where the network's input shows them."""
        height, width = self._annotated.sizes[at].tolist()
        return moved(boxes_of(self.targets, at, labels), spec, width, height)


def known_labels(targets: Targets, outputs: Iterable[str], name: str) -> tuple[dict[int, int], str]:
    """The network's class for each class of objects that it knows; or why there are none."""
    if not isinstance(targets, Objects | PixelLabels):
        return {}, f"{name} has no boxes"
    known = {class_name(output): number for number, output in enumerate(outputs)}
    labels = {
        label: known[class_name(each)]
        for label, each in enumerate(targets.classes)
        if class_name(each) in known
    }
    return labels, "" if labels else "the network knows none of the classes that have boxes"


def boxes_of(targets: Targets, at: int, labels: dict[int, int]) -> Boxes:
    """Boxes of an image in its own pixels; of masks each pixel is one."""
    here = targets.take(np.array([at], np.intp))
    found: Boxes = {}
    for label, number in labels.items():
        if isinstance(here, Objects):
            boxes = here.boxes[here.labels == label]
        elif isinstance(here, PixelLabels):
            corners = np.argwhere(here.maps[0] == label)[:, ::-1]
            boxes = np.concatenate([corners, np.ones_like(corners)], axis=1).astype(np.float64)
        else:
            break
        if len(boxes):
            found[number] = boxes
    return found


def moved(boxes: Boxes, spec: InputSpec, width: int, height: int) -> Boxes:
    """Boxes of an image of this size where a network's input shows them, cut off at its edges."""
    place = placement(spec, width, height)
    scale = np.array([place.wide / width, place.high / height])
    found: Boxes = {}
    for label, each in boxes.items():
        low = each[:, :2] * scale - (place.left, place.top)
        high = low + each[:, 2:] * scale
        low, high = np.maximum(low, 0), np.minimum(high, spec.shape[1::-1])
        seen = (high > low).all(axis=1)
        if seen.any():
            found[label] = np.concatenate([low, high - low], axis=1)[seen]
    return found
