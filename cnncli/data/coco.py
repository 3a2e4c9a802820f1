"""Annotations in COCO's JSON: boxes, polygons, run-length encoded masks, crowds."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.core.available import available_memory
from cnncli.data.image_names import SEVERAL, names_of, positions_of
from cnncli.data.masks import Ints, Masks, union
from cnncli.data.objects import Annotated, Found, WrongBoxError
from cnncli.data.polygons import Outlines
from cnncli.data.rle import WrongMaskError, runs_of_rle
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.text import amount

Box = tuple[float, float, float, float]
Runs = tuple[Ints, Ints]
_HIGHEST = 1_000_000  # pixels a side
_GROWTH = 8  # bytes of Python's numbers for one of JSON's
_LARGEST = 1e15  # area, in pixels
_ANNOTATIONS = "Give an object with images, annotations and categories, as COCO's instances_val2017.json."


@dataclass(eq=False)
class MaskReader:
    """Masks as they are read, one after another; polygons wait until all are drawn at once."""

    outlines: Outlines = field(default_factory=Outlines)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    runs: list[Runs | list[int]] = field(default_factory=list)

    def read(self, value: object, height: int, width: int) -> Runs | list[int]:
        """Runs of a mask, or numbers of its polygons.

        Raises
        ------
        WrongMaskError
            Where it is none of an image of this size.
        """
        if isinstance(value, list) and value:
            return [self.outlines.add(polygon, height, width) for polygon in value]
        if not isinstance(value, dict):
            raise WrongMaskError("it has no mask")
        size = value.get("size")
        if size != [height, width]:
            told = f"of size {size}" if isinstance(size, list) and len(size) == 2 else "without a size"
            raise WrongMaskError(f"its mask is {told:.60}; expected [{height}, {width}] as the image has")
        return runs_of_rle(value.get("counts"), height, width)

    def add(self, runs: Runs | list[int], height: int, width: int) -> None:
        """Keep a mask."""
        self.runs.append(runs)
        self.sizes.append((height, width))

    def drawn(self, threads: int) -> Masks:
        """All that were kept."""
        drawn = self.outlines.drawn(threads=threads)
        runs = [each if isinstance(each, tuple) else union([drawn[at] for at in each]) for each in self.runs]
        return Masks.of(self.sizes, runs)

    def around(self, runs: Runs | list[int], height: int, width: int) -> Box:
        """The box around a mask."""
        if isinstance(runs, list):
            points = np.concatenate([self.outlines.points[at] for at in runs])
            low, high = points.min(axis=0), points.max(axis=0)
            box = np.concatenate([low, high - low])
        else:
            box = Masks.of([(height, width)], [runs]).boxes[0]
        x, y, w, h = box.tolist()
        return x, y, w, h


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises
    ------
    CnncliError
        Where it cannot be read, or is not JSON.
    """
    try:
        size, available = path.stat().st_size, available_memory()
        if available is not None and _GROWTH * size > available:
            raise CnncliError(
                f"{shown(path)} has {amount(size, 'B')}, which take {amount(_GROWTH * size, 'B')} of memory "
                f"when they are read, and {amount(available, 'B')} are available; expected a smaller file",
                "Split the file by images.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise reading_fault(error, path) from error
    try:
        return parse_json(data)
    except MalformedError as error:
        raise CnncliError(f"{shown(path)}: {error}; expected JSON", "Check what wrote the file.") from error


def is_annotations(value: object) -> bool:
    """Tell whether JSON looks like COCO's annotations."""
    return isinstance(value, dict) and {"images", "annotations"} <= value.keys()


def parse_annotations(
    value: object,
    path: Path,
    *,
    masks: bool = False,
    strict: bool = False,
    as_written: bool = False,
    threads: int = 1,
) -> Annotated:
    """Take annotations apart.

    Parameters
    ----------
    value : object
        From `read_json`.
    path : Path
        The file, for messages.
    masks : bool
        Read masks, and leave objects without one out; else they are not looked at.
    strict, as_written : bool
        As in `Found`.
    threads : int
        That draw polygons.

    Raises
    ------
    CnncliError
        Where it is not COCO's form, or `strict` refuses something.
    """
    try:
        fields = Fields(value)
        images, image_at = _images(fields.rows("images"))
        categories = fields.rows("categories")
        rows = fields.raw().get("annotations")
        if not isinstance(rows, list):
            raise MalformedError("annotations is no list")
        classes, class_at = _classes(categories, rows)
    except MalformedError as error:
        raise CnncliError(f"{shown(path)}: {error}; expected COCO annotations", _ANNOTATIONS) from error
    places = Places(path, images, image_at, class_at)
    found, reader, unknown = Found(strict, as_written), MaskReader(), []
    for at, row in enumerate(rows):
        try:
            known = _annotation(row, places, found, reader if masks else None)
        except (WrongBoxError, WrongMaskError) as fault:
            found.skip(places.named("annotation", at, row), str(fault))
        else:
            if not known:
                unknown.append(len(found.areas) - 1)
    drawn = reader.drawn(threads) if masks else None
    if drawn:
        areas = drawn.areas
        for at in unknown:
            found.areas[at] = float(areas[at])
    return Annotated(
        source=path,
        form="COCO",
        names=tuple(name for name, _, _ in images),
        sizes=np.array([size for _, *size in images], np.int64).reshape(-1, 2),
        objects=replace(found.objects(len(images), classes, drawn), numbers=_numbers(class_at)),
        image_at={**positions_of(names_of(name) for name, _, _ in images), **image_at},
        class_at=class_at,
        clipped=found.clipped,
        skipped=tuple(found.skipped),
    )


@dataclass(frozen=True, eq=False)
class Places:
    """The images and classes that rows of a file name.

    Attributes
    ----------
    path : Path
        The file, for messages.
    images : sequence of (str, int, int)
        Name, height and width of each image.
    image_at, class_at : mapping
        Position of each image and class by what rows call it; `SEVERAL` of an image that others are
        called by, too.
    classes : mapping of str to int
        Position of each class by its name, which counts where a row has a ``category_name``: ids of one
        program need not be those of another.
    """

    path: Path
    images: Sequence[tuple[str, int, int]]
    image_at: Mapping[Hashable, int]
    class_at: Mapping[Hashable, int]
    classes: Mapping[Hashable, int] = field(default_factory=dict)

    def of(self, row: Any) -> tuple[int, int, int, int]:
        """The image of a row, its height and width, and the class.

        Raises
        ------
        WrongBoxError
            Where the row names none that are known.
        """
        if not isinstance(row, dict):
            raise WrongBoxError("it is no object with names and values")
        named = row.get("file_name")  # which our own results have: a number may be that of a file's name
        known = isinstance(named, str) and named in self.image_at
        image = _position(row, "file_name" if known else "image_id", self.image_at)
        if self.classes and row.get("category_name") is not None:
            label = _position(row, "category_name", self.classes)
        else:
            label = _position(row, "category_id", self.class_at)
        _, height, width = self.images[image]
        return image, height, width, label

    def named(self, what: str, at: int, row: Any) -> str:
        """How a message names a row."""
        key = row.get("image_id") if isinstance(row, dict) else None
        image = self.image_at.get(key, SEVERAL) if type(key) in (int, str) else SEVERAL
        of = "" if image == SEVERAL else f" ({shown(self.images[image][0])})"
        return f"{shown(self.path)}: {what} {at + 1}{of}"


def _position(row: dict[str, Any], name: str, places: Mapping[Hashable, int]) -> int:
    key = row.get(name)
    if type(key) not in (int, str) or key not in places:
        told = "missing" if key is None else f"{key!r:.40}, which the annotations do not list"
        raise WrongBoxError(f"{name} is {told}")
    if places[key] == SEVERAL:
        raise WrongBoxError(f"{name} is {key!r:.40}, as several images of the annotations are called")
    return places[key]


def _annotation(row: Any, places: Places, found: Found, reader: MaskReader | None) -> bool:
    """Note one annotation; tell whether its area is known."""
    image, height, width, label = places.of(row)
    shape, given = row.get("segmentation"), row.get("bbox")
    runs = reader.read(shape, height, width) if reader else None
    if given is not None:
        box = box_of(given)
    elif shape:
        other = reader or MaskReader()
        box = other.around(other.read(shape, height, width) if runs is None else runs, height, width)
    else:
        raise WrongBoxError("it has neither a box nor a mask")
    area = row.get("area")
    known = type(area) in (int, float) and 0 <= area < _LARGEST
    crowd = row.get("iscrowd") in (1, True)
    found.add(image, found.fitted(box, width, height), label, crowd=crowd, area=area if known else None)
    if reader and runs is not None:
        reader.add(runs, height, width)
    return known


def box_of(value: object) -> Box:
    """x, y, width and height, of JSON.

    Raises
    ------
    WrongBoxError
        Where they are not four numbers.
    """
    if not isinstance(value, list) or [type(each) in (int, float) for each in value] != [True] * 4:
        raise WrongBoxError("bbox is no list of x, y, width and height")
    try:
        x, y, w, h = map(float, value)
    except OverflowError:
        raise WrongBoxError("bbox has a number beyond the range of floats") from None
    return x, y, w, h


def _images(rows: list[Fields]) -> tuple[list[tuple[str, int, int]], dict[Hashable, int]]:
    """Name, height and width of each image, and its position by what it is called: images by rising ids.

    The order decides which of two equally sure detections comes first, as in COCO's own program.
    """
    images: list[tuple[str, int, int]] = []
    at: dict[Hashable, int] = {}
    for row in sorted(rows, key=_by_id):
        key = _key(row.raw().get("id"), "the id of an image")
        if key in at:
            raise MalformedError(f"two images have the id {key!r}")
        at[key] = len(images)
        name = row.raw().get("file_name")
        images.append(
            (
                name if isinstance(name, str) else str(key),
                row.whole("height", 1, _HIGHEST),
                row.whole("width", 1, _HIGHEST),
            )
        )
    return images, at


def _numbers(class_at: Mapping[Hashable, int]) -> tuple[int, ...] | None:
    """The ids of the classes, where all of them are numbers."""
    numbers = [key for key in class_at if isinstance(key, int)]
    return tuple(numbers) if len(numbers) == len(class_at) else None


def _classes(categories: list[Fields], annotations: list[Any]) -> tuple[tuple[str, ...], dict[Hashable, int]]:
    """Names of the classes, and the number of each by what it is called.

    Of categories of one name, those that no annotation is of are left out: some tools add one for the group.
    """
    names: dict[Hashable, str] = {}
    for row in categories:
        key = _key(row.raw().get("id"), "the id of a category")
        if key in names:
            raise MalformedError(f"two categories have the id {key!r}")
        names[key] = row.text("name")
    named: dict[str, list[Hashable]] = {}
    for key, name in names.items():
        named.setdefault(name, []).append(key)
    if len(named) < len(names):
        ids = (each.get("category_id") for each in annotations if isinstance(each, dict))
        found = {each for each in ids if type(each) in (int, str)}
        for name, keys in named.items():
            used = [key for key in keys if key in found] or keys[:1]
            if len(used) > 1:
                raise MalformedError(
                    f"two categories are named {name!r}, with the ids {used[0]!r} and {used[1]!r}"
                )
            for key in {*keys} - {*used}:
                del names[key]
    return tuple(names.values()), {key: at for at, key in enumerate(names)}


def _by_id(row: Fields) -> tuple[bool, Any]:
    """Numbers by size, then texts."""
    key = row.raw().get("id")
    return type(key) is not int, key if type(key) is int else str(key)


def _key(value: object, what: str) -> Hashable:
    if type(value) not in (int, str):
        raise MalformedError(f"{what} is {value!r:.60}; expected a whole number")
    return value
