"""Annotations of YOLO: data.yaml, folders of images, and a text file with the boxes of each."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnncli.data.image_names import names_of, number_of, positions_of
from cnncli.data.lines import read_lines
from cnncli.data.masks import Masks
from cnncli.data.objects import Annotated, Found, WrongBoxError
from cnncli.data.plain_yaml import Plain, read_yaml
from cnncli.data.polygons import Outlines
from cnncli.data.rle import WrongMaskError
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.read import read_size
from cnncli.text import listed

_MOST_CLASSES = 100_000


def read_yolo(
    path: Path,
    split: str = "val",
    *,
    masks: bool = False,
    strict: bool = False,
    as_written: bool = False,
    threads: int = 1,
) -> Annotated:
    """Read one split of a data set.

    Lines of label files are ``class cx cy w h``, in shares of the image's sides, or ``class x y x y …``, the
    corners of a polygon. Where data.yaml has ``kpt_shape``, points of a body follow each box and are not
    read. An image without such a file has no objects.

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
    threads : int
        That draw polygons.

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
    outlines = Outlines() if masks else None
    points = bool(described.get("kpt_shape"))
    for image in _images(described, path, split):
        try:
            width, height, _ = read_size(image)
        except CnncliError as fault:
            found.skip(shown(image), fault.message)
            continue
        at = len(names)
        names.append(str(image))
        sizes.append((height, width))
        _Labels(len(classes), found, outlines, points).read(_labels_of(image), at, (height, width))
    drawn = Masks.of(outlines.sizes, outlines.drawn(threads=threads)) if outlines is not None else None
    return Annotated(
        source=path,
        form="YOLO",
        names=tuple(names),
        sizes=np.array(sizes, np.int64).reshape(-1, 2),
        objects=found.objects(len(names), classes, drawn),
        image_at=positions_of({*names_of(name), number_of(name)} - {None} for name in names),
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
        # Some programs write ../train/images and mean train/images, as Ultralytics takes it.
        spelt = dict.fromkeys((place, place.removeprefix("../")))
        tried = [each / name for name in spelt for each in roots]
        here = next((each for each in tried if each.exists()), None)
        if here is None:
            raise CnncliError(
                f"{shown(path)}: {split} is {shown(place)}, which is not there; expected a folder of images",
                f"Put the images into {shown(roots[-1] / place)}, or correct path and {split}.",
            )
        images += _of_list(here) if here.is_file() else _below(here)
    return images


def _below(folder: Path) -> list[Path]:
    return sorted(
        each for each in folder.rglob("*") if each.suffix.lower() in READ_SUFFIXES and each.is_file()
    )


def _of_list(path: Path) -> list[Path]:
    """Images that a file names, a line each."""
    return [path.parent / line for line in read_lines(path) if line]


def _labels_of(image: Path) -> Path:
    """The label file of an image: in ``labels`` where the last folder ``images`` is, or beside it."""
    parts = list(image.with_suffix(".txt").parts)
    places = [at for at, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts)


@dataclass(frozen=True, eq=False)
class _Labels:
    """What becomes of the lines of label files.

    Attributes
    ----------
    classes : int
        How many there are.
    found : Found
        Where objects go.
    outlines : Outlines or None
        Where polygons go, if they are masks.
    points : bool
        Points of a body follow each box.
    """

    classes: int
    found: Found
    outlines: Outlines | None
    points: bool

    def read(self, path: Path, image: int, size: tuple[int, int]) -> None:
        """Note the objects of one image."""
        for number, line in enumerate(read_lines(path), 1) if path.is_file() else ():
            try:
                if line:
                    self._note(line, image, size)
            except (WrongBoxError, WrongMaskError) as fault:
                self.found.skip(f"{shown(path)}: line {number}", str(fault))

    def _note(self, line: str, image: int, size: tuple[int, int]) -> None:
        height, width = size
        label, values = _numbers(line, self.classes, points=self.points)
        if len(values) == 4:
            if self.outlines is not None:
                raise WrongBoxError("it has no polygon")
            x, y, w, h = values
            box = ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
            self.found.add(image, self.found.fitted(box, width, height), label)
            return
        polygon = np.array(values).reshape(-1, 2) * [width, height]
        (x, y), (right, bottom) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
        box = self.found.fitted((x, y, right - x, bottom - y), width, height)
        if self.outlines is not None:
            self.outlines.add(polygon.ravel().tolist(), height, width)
        self.found.add(image, box, label)


def _numbers(line: str, classes: int, *, points: bool) -> tuple[int, list[float]]:
    """The class of a line and the numbers after it; only the box where points follow it."""
    first, *rest = line.split()
    try:
        values = [float(each) for each in (rest[:4] if points else rest)]
    except ValueError:
        raise WrongBoxError(f"{line!r:.40} has something that is no number") from None
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise WrongBoxError(f"it has {len(values)} numbers after the class; expected 4, or corners x y")
    if not (first.isdecimal() and len(first) < 8 and int(first) < classes):
        raise WrongBoxError(f"its class is {first!r:.20}; expected 0 to {classes - 1}")
    if not all(-2 <= value <= 2 for value in values):
        raise WrongBoxError("a number is beyond 2; expected shares of the image's sides, 0 to 1")
    return int(first), values
