"""Annotations of Pascal VOC: an XML file for each image."""

import math
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path

import numpy as np

from cnncli.data.image_names import names_of, number_of, positions_of
from cnncli.data.image_sets import image_sets
from cnncli.data.objects import Annotated, Found, WrongBoxError
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.files.safe_xml import Element, read_xml

_HIGHEST = 1_000_000  # pixels a side
_OWN = "The VOC"  # databases whose pixels are numbered from 1, and whose boxes end with their last pixel


def read_voc(
    folder: Path, split: str | None = None, *, strict: bool = False, as_written: bool = False
) -> Annotated:
    """Read a folder of XML files, or of ``Annotations`` with them.

    Edges are taken in pixels from 0, as labelImg, labelme and CVAT write them. In Pascal's own files (whose
    source is ``The VOC2007 Database`` and the like) they are the first and the last pixel, counted from 1.
    What is marked ``difficult`` counts as a crowd: finding it is neither right nor wrong. Classes are those
    that occur, in the order of the alphabet, whatever the split.

    Parameters
    ----------
    folder : Path
        Where they are.
    split : str or None
        Only the images that ``ImageSets/Main`` lists for it; None: all.
    strict, as_written : bool
        As in `Found`.

    Raises
    ------
    CnncliError
        Where there are none, or `strict` refuses something.
    """
    found = Found(strict, as_written)
    files = {path.stem: path for path in _files(folder)}
    wanted, notes = _wanted(folder, split, files, found)
    images: list[tuple[str, int, int]] = []
    rows: list[tuple[int, Path, int, Element, bool]] = []
    called: list[set[Hashable]] = []
    names: set[str | None] = set()
    for stem, path in files.items():
        try:
            root = read_xml(path)
            size = _size(root)
        except (CnncliError, WrongBoxError) as fault:
            if stem in wanted:
                found.skip(shown(path), str(fault))
            continue
        names |= {each.get("name") for each in root.all("object")}
        if stem not in wanted:
            continue
        at = len(images)
        name = root.get("filename") or path.stem
        images.append((name, *size))
        called.append({*names_of(name), path.stem, number_of(path.name)} - {None})
        own = (root.get("source", "database") or "").startswith(_OWN)
        rows += [(at, path, number, each, own) for number, each in enumerate(root.all("object"), 1)]
    classes = sorted(label for label in names if label)
    class_at: dict[Hashable, int] = {label: at for at, label in enumerate(classes)}
    for at, path, number, each, own in rows:
        try:
            label = each.get("name")
            if not label:
                raise WrongBoxError("it has no name of a class")
            box = found.fitted(_box(each, own), images[at][2], images[at][1])
        except WrongBoxError as fault:
            found.skip(f"{shown(path)}: object {number}", str(fault))
        else:
            found.add(at, box, class_at[label], crowd=each.get("difficult") == "1")
    return Annotated(
        source=folder,
        form="Pascal VOC",
        names=tuple(name for name, _, _ in images),
        sizes=np.array([size for _, *size in images], np.int64).reshape(-1, 2),
        objects=found.objects(len(images), tuple(classes)),
        image_at=positions_of(called),
        class_at=class_at,
        clipped=found.clipped,
        skipped=tuple(found.skipped),
        notes=notes,
    )


def _wanted(
    folder: Path, split: str | None, files: Mapping[str, Path], found: Found
) -> tuple[Collection[str], tuple[str, ...]]:
    """Stems of the files of a split, and how many files are in no split."""
    if split is None:
        return files.keys(), ()
    sets, where = image_sets(folder, "Main"), shown(folder / "ImageSets/Main")
    if split not in sets:
        raise CnncliError(
            f"{where} has no {split}; expected one of {', '.join(sets)}", "Choose another --split."
        )
    for name in sets[split]:
        if name not in files:
            found.skip(name, f"{where}/{split}.txt names it, and it has no XML file")
    unlisted = len(files.keys() - set().union(*sets.values()))
    notes = (f"{unlisted:,} XML files are in no list of {where}: left out",) if unlisted else ()
    return frozenset(sets[split]), notes


def voc_files(folder: Path) -> list[Path]:
    """The XML files of a folder, or of ``Annotations`` in it, by name."""
    inner = folder / "Annotations"
    return sorted(each for each in (inner if inner.is_dir() else folder).glob("*.xml") if each.is_file())


def _files(folder: Path) -> list[Path]:
    files = voc_files(folder)
    if not files:
        raise CnncliError(
            f"{shown(folder)} has no XML files; expected annotations of Pascal VOC",
            "Name the folder with Annotations, or that folder itself.",
        )
    return files


def _size(root: Element) -> tuple[int, int]:
    """Height and width of the image."""
    sides = [root.get("size", name) or "" for name in ("height", "width")]
    if not all(side.isdecimal() and len(side) < 8 and 1 <= int(side) <= _HIGHEST for side in sides):
        told = "x".join(sides[::-1])
        raise WrongBoxError(f"its size is {told:.40}; expected width and height of 1 to {_HIGHEST:,} pixels")
    return int(sides[0]), int(sides[1])


def _box(each: Element, own: bool) -> tuple[float, float, float, float]:
    """x, y, width and height of an object."""
    edges = []
    for name in ("xmin", "ymin", "xmax", "ymax"):
        text = each.get("bndbox", name)
        try:
            edges.append(float(text or ""))
        except ValueError:
            raise WrongBoxError(f"{name} is {text!r:.40}; expected a number") from None
    if not all(map(math.isfinite, edges)):
        raise WrongBoxError("its box has an edge that is no number")
    left, top, right, bottom = edges
    if own:
        left, top = left - 1, top - 1
    return left, top, right - left, bottom - top
