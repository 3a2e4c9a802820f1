"""Objects in images: boxes with classes, and masks where the data have some."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cnncli.data.masks import Masks
from cnncli.data.model import Skipped
from cnncli.errors import CnncliError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
_OVER_PIXELS, _OVER_SHARE = 1.0, 0.01  # that a box may reach beyond the edge, the larger of the two
_NAMED = 3


class WrongBoxError(ValueError):
    """A box that cannot be used; the text says why."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Objects:
    """Objects in N images, M in all, as targets of the images.

    Attributes
    ----------
    first : ndarray, shape (N + 1,), int64
        Objects ``first[n]`` to ``first[n + 1]`` are those of image n.
    boxes : ndarray, shape (M, 4), float64
        x and y of the upper left corner, width, height, in pixels of the image as its file has it.
    labels : ndarray, shape (M,), int64
        Numbers of classes.
    crowd : ndarray, shape (M,), bool
        It stands for many objects, or is too hard to count: what is found in it is neither right nor wrong.
    areas : ndarray, shape (M,), float64
        Pixels, by which objects are small, medium or large.
    classes : tuple of str
        Names.
    masks : Masks or None
        Of the M objects.
    sizes : ndarray, shape (N, 2), int64, or None
        Height and width of the images as their files have them, where boxes are in pixels of something else.
    numbers : tuple of int or None
        What annotations call the classes, where those are numbers (COCO's ``category_id``).
    """

    first: Ints
    boxes: Floats
    labels: Ints
    crowd: Bools
    areas: Floats
    classes: tuple[str, ...]
    masks: Masks | None = None
    sizes: Ints | None = None
    numbers: tuple[int, ...] | None = None
    task = "detection"
    noun = "images"
    groups = None

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def known(self) -> Bools:
        """(N,) all True: an image without objects is an example, too."""
        return np.ones(len(self), np.bool_)

    @property
    def images(self) -> Ints:
        """(M,) the image of each object."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))

    @property
    def identities(self) -> NDArray[np.uint64]:
        """(N,) equal where objects are equal, in any split."""
        from cnncli.data.identity import row_digests

        columns = (self.boxes, self.labels[:, None], self.crowd[:, None])
        rows = np.concatenate([each.astype(np.float64) for each in columns], axis=1)
        spans = zip(self.first[:-1], self.first[1:], strict=True)
        lines = [np.append(rows[start:end], end - start) for start, end in spans]
        return np.array([row_digests(line.reshape(1, -1, 1))[0] for line in lines], np.uint64)

    def take(self, positions: NDArray[np.intp]) -> Self:
        """Those of the images at these positions, in this order."""
        counts = np.diff(self.first)[positions]
        first = np.concatenate([[0], np.cumsum(counts)])
        at = np.repeat(self.first[:-1][positions] - first[:-1], counts) + np.arange(first[-1])
        return replace(
            self,
            first=first,
            sizes=None if self.sizes is None else self.sizes[positions],
            boxes=self.boxes[at],
            labels=self.labels[at],
            crowd=self.crowd[at],
            areas=self.areas[at],
            masks=self.masks and self.masks.take(at),
        )

    def joined(self, others: Sequence[Self]) -> Self:
        """These, and after them those of other images."""
        every = (self, *others)
        masks = [each.masks for each in every if each.masks is not None]
        counts = np.concatenate([np.diff(each.first) for each in every])
        return replace(
            self,
            first=np.concatenate([[0], np.cumsum(counts)]),
            boxes=np.concatenate([each.boxes for each in every]),
            labels=np.concatenate([each.labels for each in every]),
            crowd=np.concatenate([each.crowd for each in every]),
            areas=np.concatenate([each.areas for each in every]),
            masks=masks[0].joined(masks[1:]) if len(masks) == len(every) else None,
            sizes=None
            if self.sizes is None
            else np.concatenate([each.sizes for each in every if each.sizes is not None]),
        )

    def texts(self) -> list[str]:
        """Classes of the objects of each image, with how many there are: ``cat ×2, dog``."""
        found = []
        for start, end in zip(self.first[:-1], self.first[1:], strict=True):
            labels, counts = np.unique(self.labels[start:end], return_counts=True)
            pairs = zip((self.classes[k] for k in labels), counts, strict=True)
            texts = [f"{name} ×{count}" if count > 1 else name for name, count in pairs]
            found.append(", ".join(texts))
        return found

    def check_learnable(self, dataset: str, warnings: Sequence[str]) -> None:
        """Refuse images without any object.

        Raises
        ------
        CnncliError
            Where there is none.
        """
        if self.crowd.all():
            raise CnncliError(
                f"{dataset} has no object in {len(self):,} images; expected boxes"
                + "".join(f"; {each}" for each in warnings[:1]),
                "Check that the annotations are of these images.",
            )

    def problems(self, test: Self) -> tuple[str, ...]:
        """Classes of test images that no training image has."""
        there = set(self.labels[~self.crowd].tolist())
        missing = [self.classes[k] for k in np.unique(test.labels[~test.crowd]) if int(k) not in there]
        if not missing:
            return ()
        more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
        return (f"no training image has {', '.join(missing[:_NAMED])}{more}, which test images have",)


@dataclass(frozen=True, eq=False, kw_only=True)
class OneObject(Objects):
    """One object in each of N images, to be named and found; images without one teach nothing."""

    task = "localization"

    @property
    def known(self) -> Bools:
        """(N,) whether there is one."""
        return np.diff(self.first) > 0

    @classmethod
    def largest(cls, objects: Objects) -> Self:
        """Of each image the largest object that is no crowd."""
        order = np.lexsort((-objects.areas, objects.crowd, objects.images))
        firsts = np.unique(objects.images[order], return_index=True)[1]
        chosen = order[firsts]
        chosen = chosen[~objects.crowd[chosen]]
        counts = np.bincount(objects.images[chosen], minlength=len(objects))
        return cls(
            first=np.concatenate([[0], np.cumsum(counts)]),
            boxes=objects.boxes[chosen],
            labels=objects.labels[chosen],
            crowd=objects.crowd[chosen],
            areas=objects.areas[chosen],
            classes=objects.classes,
            sizes=objects.sizes,
            numbers=objects.numbers,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Annotated:
    """What a file or folder of annotations says.

    Attributes
    ----------
    source : Path
        Where it was read.
    form : str
        What it is, such as ``COCO``.
    names : tuple of str
        Files of the N images, as they are written there.
    sizes : ndarray, shape (N, 2), int64
        Height and width of the images.
    objects : Objects
        Of the images.
    image_at, class_at : mapping
        Positions of the images and the classes by what annotations and results call them;
        `image_names.SEVERAL` of a name that more than one image has.
    clipped : int
        Boxes that reached beyond the edge by 1 pixel or 1 % at most, and were clipped; or, where all are
        taken as written, that reach beyond it.
    skipped : tuple of Skipped
        What could not be used.
    notes : tuple of str
        What the user might not expect.
    """

    source: Path
    form: str
    names: tuple[str, ...]
    sizes: Ints
    objects: Objects
    image_at: Mapping[Hashable, int]
    class_at: Mapping[Hashable, int]
    clipped: int = 0
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class Found:
    """Objects as they are read, one after another, and what could not be used.

    Attributes
    ----------
    strict : bool
        Refuse the data at the first object that cannot be used, instead of listing it.
    as_written : bool
        Clip no box, and take those that reach beyond the edge.
    """

    strict: bool = False
    as_written: bool = False
    images: list[int] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    clipped: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def add(  # noqa: D102
        self,
        image: int,
        box: tuple[float, float, float, float],
        label: int,
        *,
        crowd: bool = False,
        area: float | None = None,
    ) -> None:
        self.images.append(image)
        self.boxes.append(box)
        self.labels.append(label)
        self.crowd.append(crowd)
        self.areas.append(box[2] * box[3] if area is None else area)

    def skip(self, where: str, reason: str) -> None:
        """Note what cannot be used.

        Raises
        ------
        CnncliError
            Where `strict` says that nothing may be left out.
        """
        if self.strict:
            raise CnncliError(
                f"{where}: {reason}; expected nothing but usable annotations (--strict)",
                "Correct it, or leave --strict out to go on without it.",
            )
        self.skipped.append(Skipped(where, reason))

    def fitted(
        self, box: tuple[float, float, float, float], width: int, height: int
    ) -> tuple[float, float, float, float]:
        """A box within its image, clipped where it reaches beyond the edge by 1 pixel or 1 % at most.

        Raises
        ------
        WrongBoxError
            Where it is inverted, empty or outside.
        """
        x, y, w, h = box
        text = f"box {x:g},{y:g},{w:g},{h:g} (x, y, width, height)"
        if w < 0 or h < 0:
            raise WrongBoxError(f"{text} is inverted")
        if w == 0 or h == 0:
            raise WrongBoxError(f"{text} has no area")
        if x >= width or y >= height or x + w <= 0 or y + h <= 0:
            raise WrongBoxError(f"{text} is outside its image of {width}x{height} pixels")
        over_x, over_y = max(-x, x + w - width), max(-y, y + h - height)
        if over_x <= 0 and over_y <= 0:
            return box
        self.clipped += 1
        if self.as_written:
            return box
        for over, side in ((over_x, width), (over_y, height)):
            if over > max(_OVER_PIXELS, _OVER_SHARE * side):
                self.clipped -= 1
                raise WrongBoxError(
                    f"{text} reaches {over:g} pixels beyond the edge of its image of {width}x{height} pixels"
                )
        left, top = max(x, 0.0), max(y, 0.0)
        return left, top, min(x + w, float(width)) - left, min(y + h, float(height)) - top

    def objects(self, images: int, classes: tuple[str, ...], masks: Masks | None = None) -> Objects:
        """The objects by image, in the order in which they were read."""
        order = np.argsort(np.array(self.images, np.int64), kind="stable")
        counts = np.bincount(np.array(self.images, np.int64), minlength=images)
        return Objects(
            first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            boxes=np.array(self.boxes, np.float64).reshape(-1, 4)[order],
            labels=np.array(self.labels, np.int64)[order],
            crowd=np.array(self.crowd, np.bool_)[order],
            areas=np.array(self.areas, np.float64)[order],
            classes=classes,
            masks=masks and masks.take(order),
        )
