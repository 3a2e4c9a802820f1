"""Images whose masks are drawn from objects: polygons and runs of pixels, as COCO's annotations have them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.annotated_images import annotations_by_split, files_of
from cnncli.data.annotations import AnnotationOptions
from cnncli.data.identity import row_digests
from cnncli.data.masks import Masks
from cnncli.data.objects import Annotated
from cnncli.data.pixel_labels import UNLABELLED, MaskedFiles, PixelLabels
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

BACKGROUND = "background"
_GROUND = ("background", "_background_")  # what other programs call it


@dataclass(frozen=True, eq=False)
class DrawnMask:
    """Objects of an image, one drawn over the other: a `Mask`.

    Attributes
    ----------
    masks : Masks
        Of the M objects, in the order in which they are drawn.
    numbers : ndarray, shape (M,), uint8
        Classes of their pixels; `UNLABELLED` of crowds.
    size : (int, int)
        Height and width of the image.
    words : str
        What it shows.
    """

    masks: Masks
    numbers: NDArray[np.uint8]
    size: tuple[int, int]
    words: str

    @property
    def identity(self) -> int:
        """Equal where what is drawn is equal."""
        masks = self.masks
        counts = np.diff(masks.first)
        pieces = (self.size, self.numbers, counts, masks.starts, masks.ends)
        return int(row_digests(np.concatenate(pieces).astype(np.int64)[None, :, None])[0])

    def read(self) -> NDArray[np.integer]:
        """(H, W) classes of an image's pixels."""
        labels = np.zeros(self.size, np.uint8)
        for at, number in enumerate(self.numbers):
            labels[self.masks.dense(at)] = number
        return labels

    def text(self) -> str:
        """Classes of the objects."""
        return self.words


def read_drawn(path: Path, *, whole: bool = False, threads: int) -> MaskedFiles:
    """Read annotations with masks, and find their images beside them or in a folder below.

    Their classes are classes 1, 2 and so on of the pixels: 0 is what no object covers, and objects of a class
    that is called background. Smaller objects lie over larger ones, and crowds have no class.

    Parameters
    ----------
    path : Path
        As of `read_annotations`.
    whole : bool
        Nothing is trained, so that no training split is required.
    threads : int
        That draw polygons.

    Raises
    ------
    CnncliError
        As of `read_annotations`, and where no image is found.
    """
    found = annotations_by_split(path, AnnotationOptions(masks=True, threads=threads), whole=whole)
    parts, skipped, sizes = {}, [], []
    for part, annotated in found.items():
        images, kept, missing = files_of(annotated)
        skipped += [*annotated.skipped, *missing]
        sizes.append(annotated.sizes[kept])
        if images:
            masks = list(drawn_masks(annotated))
            parts[part] = images, PixelLabels.of([masks[at] for at in kept], pixel_classes(annotated))
    if not parts:
        first = f": {skipped[0].sentence}" if skipped else ""
        raise CnncliError(
            f"no image of {shown(path)} can be used{first}; expected its images beside it or below",
            "Put the images beside their annotations, or into a folder images there.",
        )
    files = tuple({each.source for each in found.values()})
    return MaskedFiles(parts, tuple(skipped), files, np.concatenate(sizes))


def pixel_classes(annotated: Annotated) -> tuple[str, ...]:
    """The background, and the classes of the objects."""
    return (BACKGROUND, *(name for name in annotated.objects.classes if name.casefold() not in _GROUND))


def drawn_masks(annotated: Annotated) -> Iterator[DrawnMask]:
    """Of each image the mask that its objects make."""
    objects = annotated.objects
    assert objects.masks is not None
    things = [name.casefold() not in _GROUND for name in objects.classes]
    places = zip(accumulate(things), things, strict=True)
    of_class = np.array([at if is_thing else 0 for at, is_thing in places], np.int64)
    numbers = np.where(objects.crowd, UNLABELLED, of_class[objects.labels]).astype(np.uint8)
    # Of each image the largest first; each image's objects stay together.
    order = np.lexsort((-objects.masks.areas, objects.images))
    ordered, numbers = objects.masks.take(order), numbers[order]
    spans = zip(objects.first[:-1].tolist(), objects.first[1:].tolist(), strict=True)
    for (start, end), size, words in zip(spans, annotated.sizes.tolist(), objects.texts(), strict=True):
        yield DrawnMask(ordered.between(start, end), numbers[start:end], (size[0], size[1]), words)
