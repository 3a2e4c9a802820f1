"""Annotations of YOLO: data.yaml, folders of images, and a text file with the boxes of each."""

from collections.abc import Hashable, Iterator
from pathlib import Path

import numpy as np

from cnncli.data.objects import Annotated, Found, WrongBoxError
from cnncli.data.plain_yaml import Plain, read_yaml
from cnncli.data.polygons import masks_of_polygons
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.read import read_size
from cnncli.text import listed

_MOST_CLASSES = 100_000
_MOST_BYTES = 64 << 20


def read_yolo(
    path: Path, split: str = "val", *, masks: bool = False, strict: bool = False, as_written: bool = False
) -> Annotated:
    """Read one split of a data set.

    Lines of label files are ``class cx cy w h``, in shares of the image's sides, or ``class x y x y …``, the
    corners of a polygon. An image without such a file has no objects.

    Parameters
    ----------
    path : Path
        Its data.yaml, with ``names`` and the folders ``train``, ``val`` and ``test``.
    split : str
        Of "train", "val" and "test".
    masks : bool
        Read polygons as masks, and leave objects without one out.
    strict, as_written : bool
        As in `Found`.

    Raises
    ------
    CnncliError
        Where the description does not say what is needed, or `strict` refuses something.
    """
    described = read_yaml(path)
    classes = _classes(described, path)
    found = Found(strict, as_written)
    names: list[str] = []
    sizes: list[tuple[int, int]] = []
    shapes: list[list[list[float]]] = []
    image_at: dict[Hashable, int] = {}
    for image in _images(described, path, split):
        try:
            width, height, _ = read_size(image)
        except CnncliError as fault:
            found.skip(shown(image), fault.message)
            continue
        at, stem = len(names), image.stem
        names.append(str(image))
        sizes.append((height, width))
        image_at |= dict.fromkeys((stem, image.name, *([int(stem)] if stem.isdecimal() else [])), at)
        _read_labels(_labels_of(image), at, sizes, len(classes), found, shapes if masks else None)
    of_objects = [sizes[at] for at in found.images]
    return Annotated(
        source=path,
        form="YOLO",
        names=tuple(names),
        sizes=np.array(sizes, np.int64).reshape(-1, 2),
        objects=found.objects(len(names), classes, masks_of_polygons(shapes, of_objects) if masks else None),
        image_at=image_at,
        class_at={key: at for at, name in enumerate(classes) for key in (at, name)},
        clipped=found.clipped,
        skipped=tuple(found.skipped),
    )


def _classes(described: dict[str, Plain], path: Path) -> tuple[str, ...]:
    """Names of the classes by number."""
    names = described.get("names")
    if isinstance(names, dict):
        numbers = {int(key): name for key, name in names.items() if key.isdecimal() and len(key) < 8}
        if sorted(numbers) == list(range(len(names))):
            return tuple(numbers[at] for at in range(len(names)))
    elif isinstance(names, list) and 0 < len(names) <= _MOST_CLASSES:
        return tuple(names)
    raise CnncliError(
        f"{shown(path)}: names is no list and no numbers from 0 with names; expected the classes",
        "Write names: [cat, dog].",
    )


def _images(described: dict[str, Plain], path: Path, split: str) -> list[Path]:
    """The images of a split: of a folder with all below it, or of a list of names in a file."""
    given = described.get(split) or (described.get("valid") if split == "val" else None)
    places = given if isinstance(given, list) else [given] if isinstance(given, str) and given else []
    if not places:
        there = [name for name in ("train", "val", "test") if described.get(name)]
        raise CnncliError(
            f"{shown(path)} has no {split}; expected the folder of its images"
            + (f" ({listed(there)} is there)" if there else ""),
            f"Write {split}: images/{split}.",
        )
    base = path.parent
    root = described.get("path")
    roots = [base / root, base] if isinstance(root, str) and root else [base]
    images: list[Path] = []
    for place in places:
        tried = [each / place for each in roots]
        here = next((each for each in tried if each.exists()), None)
        if here is None:
            raise CnncliError(
                f"{shown(path)}: {split} is {shown(place)}, which is not there; expected a folder of images",
                f"Put the images into {shown(tried[-1])}, or correct path and {split}.",
            )
        images += _of_list(here) if here.is_file() else _below(here)
    return images


def _below(folder: Path) -> list[Path]:
    return sorted(
        each for each in folder.rglob("*") if each.suffix.lower() in READ_SUFFIXES and each.is_file()
    )


def _of_list(path: Path) -> list[Path]:
    """Images that a file names, a line each."""
    lines = [line.strip() for line in _text(path).splitlines()]
    return [path.parent / line for line in lines if line]


def _labels_of(image: Path) -> Path:
    """The label file of an image: in ``labels`` where the last folder ``images`` is, or beside it."""
    parts = list(image.with_suffix(".txt").parts)
    places = [at for at, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CnncliError(
                f"{shown(path)} is larger than {_MOST_BYTES >> 20} MiB; expected lines of one image",
                "Check what wrote the file.",
            )
        return path.read_text(encoding="utf-8-sig", errors="backslashreplace")
    except OSError as error:
        raise reading_fault(error, path) from error


def _read_labels(  # noqa: PLR0917 - what a line becomes, and where it goes
    path: Path,
    image: int,
    sizes: list[tuple[int, int]],
    classes: int,
    found: Found,
    shapes: list[list[list[float]]] | None,
) -> None:
    """Note the objects of one image."""
    if not path.is_file():
        return
    height, width = sizes[image]
    for number, line in _lines(_text(path)):
        try:
            label, values = _numbers(line, classes)
            polygon = np.array(values).reshape(-1, 2) * [width, height] if len(values) > 4 else None
            if polygon is None:
                x, y, w, h = values
                box = ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
            else:
                (x, y), (right, bottom) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
                box = (x, y, right - x, bottom - y)
            if shapes is not None and polygon is None:
                raise WrongBoxError("it has no polygon")
            box = found.fitted(box, width, height)
        except WrongBoxError as fault:
            found.skip(f"{shown(path)}: line {number}", str(fault))
            continue
        found.add(image, box, label)
        if shapes is not None and polygon is not None:
            shapes.append([polygon.ravel().tolist()])


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _numbers(line: str, classes: int) -> tuple[int, list[float]]:
    """The class of a line and the numbers after it."""
    first, *rest = line.split()
    try:
        values = [float(each) for each in rest]
    except ValueError:
        raise WrongBoxError(f"{line.strip()!r:.40} has something that is no number") from None
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise WrongBoxError(f"it has {len(values)} numbers after the class; expected 4, or corners x y")
    if not (first.isdecimal() and len(first) < 8 and int(first) < classes):
        raise WrongBoxError(f"its class is {first!r:.20}; expected 0 to {classes - 1}")
    if not all(-2 <= value <= 2 for value in values):
        raise WrongBoxError("a number is beyond 2; expected shares of the image's sides, 0 to 1")
    return int(first), values
