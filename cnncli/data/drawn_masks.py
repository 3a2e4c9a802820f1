"""Images whose masks are drawn from objects: polygons and runs of pixels, as COCO's annotations have them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cnncli.data.annotations import AnnotationOptions, read_annotations
from cnncli.data.file_lookup import FileLookup
from cnncli.data.model import Skipped
from cnncli.data.objects import Annotated, Objects
from cnncli.data.pixel_labels import UNLABELLED
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.read import read_size

BACKGROUND = "background"
_GROUND = ("background", "_background_")  # what other programs call it
_INNER = ("", "images", "JPEGImages")  # where images lie


@dataclass(frozen=True, eq=False)
class DrawnMasks:
    """The class of each pixel of N images, in which masks of objects are drawn: targets of the images.

    Attributes
    ----------
    objects : Objects
        With masks. Their classes are classes 1, 2 and so on of the pixels: 0 is what no object covers, and
        objects of a class that is called background.
    sizes : ndarray, shape (N, 2), int64
        Height and width of the images.
    """

    objects: Objects
    sizes: NDArray[np.int64]
    task = "segmentation"
    noun = "images"
    groups = None

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def classes(self) -> tuple[str, ...]:
        """The background, and the classes of the objects."""
        return (BACKGROUND, *(name for name in self.objects.classes if name.casefold() not in _GROUND))

    @property
    def _numbers(self) -> list[int]:
        """The class of the pixels for each class of objects."""
        things = [name.casefold() not in _GROUND for name in self.objects.classes]
        return [count if thing else 0 for count, thing in zip(accumulate(things), things, strict=True)]

    def read(self, index: int) -> NDArray[np.integer]:
        """(H, W) classes of an image's pixels; smaller objects lie over larger ones, crowds have no class."""
        objects = self.objects
        assert objects.masks is not None
        labels = np.zeros(tuple(self.sizes[index].tolist()), np.uint8)
        numbers = self._numbers
        here = np.arange(objects.first[index], objects.first[index + 1])
        for at in here[np.argsort(-objects.masks.areas[here], kind="stable")]:
            number = UNLABELLED if objects.crowd[at] else numbers[objects.labels[at]]
            labels[objects.masks.dense(int(at))] = number
        return labels

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) all True."""
        return self.objects.known

    @property
    def identities(self) -> NDArray[np.uint64]:
        """(N,) equal where objects are equal."""
        return self.objects.identities

    def take(self, positions: NDArray[np.intp]) -> Self:
        """Those at these positions, in this order."""
        return replace(self, objects=self.objects.take(positions), sizes=self.sizes[positions])

    def joined(self, others: Sequence[Self]) -> Self:
        """These, and after them others."""
        sizes = np.concatenate([each.sizes for each in (self, *others)])
        return replace(self, objects=self.objects.joined([each.objects for each in others]), sizes=sizes)

    def texts(self) -> list[str]:
        """Classes of the objects of each image."""
        return self.objects.texts()

    def check_learnable(self, dataset: str, warnings: Sequence[str]) -> None:
        """Refuse what has no object; errors as of `Objects.check_learnable`."""
        self.objects.check_learnable(dataset, warnings)

    def problems(self, test: Self) -> tuple[str, ...]:
        """None: what images show is known only when the masks are drawn."""
        del test
        return ()


def read_drawn(path: Path, *, threads: int) -> tuple[list[Path], DrawnMasks, tuple[Skipped, ...]]:
    """Read annotations with masks, and find their images beside them or in a folder below.

    Returns
    -------
    images, masks, skipped
        Files, their masks, and what cannot be used.

    Raises
    ------
    CnncliError
        As of `read_annotations`, and where no image is found.
    """
    annotated = read_annotations(path, AnnotationOptions(masks=True, threads=threads))
    lookup = FileLookup(path if path.is_dir() else path.parent)
    found, skipped = {}, list(annotated.skipped)
    for at, name in enumerate(annotated.names):
        try:
            found[at] = _image(annotated, at, lookup)
        except CnncliError as fault:
            skipped.append(Skipped(shown(name), fault.message))
    if not found:
        first = f": {skipped[0].sentence}" if skipped else ""
        raise CnncliError(
            f"no image of {shown(path)} can be used{first}; expected its images beside it or below",
            "Put the images beside their annotations, or into a folder images there.",
        )
    masks = DrawnMasks(annotated.objects, annotated.sizes).take(np.array(list(found), np.intp))
    return list(found.values()), masks, tuple(skipped)


def _image(annotated: Annotated, at: int, lookup: FileLookup) -> Path:
    """The file of an image, of the size that the annotations say."""
    name, (height, width) = annotated.names[at], annotated.sizes[at].tolist()
    usual = (Path(lookup.folder / inner / name) for inner in _INNER)
    path = next((each for each in usual if each.is_file()), None) or lookup.find(name)
    if not isinstance(path, Path):
        what = "is not there" if path is None else "may be one of several files"
        raise CnncliError(f"it {what}; expected it in {shown(lookup.folder)} or below", "Add it.")
    wide, high, _ = read_size(path)
    if (high, wide) != (height, width):
        raise CnncliError(
            f"it has {wide}x{high} pixels; expected {width}x{height} as its masks have", "Redo its masks."
        )
    return path
