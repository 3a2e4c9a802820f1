"""Images with masks beside them: PNG files whose numbers are classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.identity import file_key
from cnncli.data.image_sets import image_sets
from cnncli.data.lines import read_lines
from cnncli.data.model import Skipped
from cnncli.data.pixel_labels import UNLABELLED, MaskedFiles, PixelLabels
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.read import read_indices, read_size
from cnncli.threaded import in_threads

_IMAGES = ("JPEGImages", "images", "imgs", "img", "image")
_MASKS = ("SegmentationClass", "SegmentationClassPNG", "masks", "mask", "labels", "annotations")
_NAMES = ("class_names.txt", "classes.txt", "labels.txt")


@dataclass(frozen=True)
class MaskFile:
    """A PNG file whose numbers are classes: a `Mask`."""

    path: Path

    @property
    def identity(self) -> int:
        """Equal where files are."""
        return file_key(self.path.read_bytes())

    def read(self) -> NDArray[np.integer]:
        """(H, W) numbers of classes, as the file has them."""
        return read_indices(self.path)

    def text(self) -> str:
        """Name of the file."""
        return shown(self.path)


def read_masks(folder: Path, *, threads: int = 1) -> MaskedFiles:
    """Read a folder with images in one folder, and masks of the same names in another.

    Names of the classes stand in class_names.txt, a line each from class 0; else they are the numbers that
    occur. All masks are read once. ``ImageSets/Segmentation`` divides the images, where it is there.

    Parameters
    ----------
    folder : Path
        With ``JPEGImages`` and ``SegmentationClass``, ``images`` and ``masks`` or the like.
    threads : int
        That read masks.

    Raises
    ------
    CnncliError
        Where there are no such folders, or no image has a mask.
    """
    images = _files(_inner(folder, _IMAGES, "images", READ_SUFFIXES), READ_SUFFIXES)
    masks = {path.stem: path for path in _files(_inner(folder, _MASKS, "masks", {".png"}), {".png"})}
    alone = sorted(masks.keys() - {path.stem for path in images})
    skipped = [Skipped(shown(masks[stem]), "there is no image of this name") for stem in alone]
    sets = image_sets(folder, "Segmentation")
    images, notes, missing = _listed(images, sets, folder)
    images, doubled = _named_once(images)
    names = _names(folder)
    faults: list[str] = [""] * len(images)
    sizes, highest = np.zeros((len(images), 2), np.int64), np.zeros(len(images), np.int64)

    def one(at: int) -> None:
        try:
            sizes[at], highest[at] = _checked(images[at], masks.get(images[at].stem), len(names))
        except CnncliError as fault:
            faults[at] = fault.message

    in_threads(one, len(images), threads=threads)
    skipped += [Skipped(shown(path), why) for path, why in zip(images, faults, strict=True) if why]
    skipped += [*missing, *doubled]
    kept = [at for at, why in enumerate(faults) if not why]
    if not kept:
        first = skipped[0].sentence if skipped else f"{shown(folder)} has no images"
        more = f" (and {len(skipped) - 1:,} more)" if len(skipped) > 1 else ""
        raise CnncliError(f"{first}{more}; expected a mask of its size for each image", "Correct them.")
    classes = names or tuple(map(str, range(int(highest[kept].max()) + 1)))
    usable = {images[at].stem: (images[at], MaskFile(masks[images[at].stem])) for at in kept}
    parts = {}
    for part, stems in (sets or {"train": tuple(usable)}).items():
        pairs = [usable[stem] for stem in stems if stem in usable]
        if pairs:
            parts[part] = [image for image, _ in pairs], PixelLabels.of([mask for _, mask in pairs], classes)
    files = tuple(mask.path for _, mask in usable.values())
    return MaskedFiles(parts, tuple(skipped), files, sizes[kept], notes)


def _listed(
    images: list[Path], sets: Mapping[str, Sequence[str]], folder: Path
) -> tuple[list[Path], tuple[str, ...], list[Skipped]]:
    """The images that lists name, how many they leave out, and names that are none of an image."""
    if not sets:
        return images, (), []
    there, wanted = {path.stem for path in images}, set().union(*sets.values())
    where = shown(folder / "ImageSets/Segmentation")
    missing = [Skipped(name, f"{where} names it, and there is no such image") for name in wanted - there]
    listed = [path for path in images if path.stem in wanted]
    unlisted = len(images) - len(listed)
    notes = (f"{unlisted:,} images are in no list of {where}: left out",) if unlisted else ()
    return listed, notes, sorted(missing, key=lambda each: each.path)


def _named_once(images: list[Path]) -> tuple[list[Path], list[Skipped]]:
    """The first image of each name, and others: a mask of that name cannot be of them all."""
    first: dict[str, Path] = {}
    for path in images:
        first.setdefault(path.stem, path)
    doubled = [path for path in images if first[path.stem] != path]
    return [*first.values()], [
        Skipped(shown(path), f"{shown(first[path.stem])} has the same name, and the mask is taken as its own")
        for path in doubled
    ]


def holds_masks(folder: Path) -> bool:
    """Whether a folder has images in one folder, and in another masks of the names of some of them."""
    found = []
    for names, suffixes in ((_IMAGES, READ_SUFFIXES), (_MASKS, {".png"})):
        inner = (folder / name for name in names)
        found.append({path.stem for each in inner if each.is_dir() for path in _files(each, suffixes)})
    return not found[0].isdisjoint(found[1])


def _checked(image: Path, mask: Path | None, classes: int) -> tuple[tuple[int, int], int]:
    """Height and width of an image, and the highest class of its mask."""
    if mask is None:
        raise CnncliError("it has no mask of its name", "Add one.")
    width, height, _ = read_size(image)
    numbers = read_indices(mask)
    if numbers.shape != (height, width):
        there = f"{numbers.shape[1]}x{numbers.shape[0]}"
        raise CnncliError(f"its mask {shown(mask)} has {there} pixels; expected {width}x{height}", "Redo it.")
    highest = int(numbers.max(initial=0, where=numbers != UNLABELLED))
    if highest >= (classes or UNLABELLED):
        last = (classes or UNLABELLED) - 1
        raise CnncliError(f"its mask has class {highest}; expected 0 to {last}, or {UNLABELLED}", "Redo it.")
    return (height, width), highest


def _inner(folder: Path, names: Sequence[str], what: str, suffixes: "frozenset[str] | set[str]") -> Path:
    """The first of some folders that has files of these suffixes."""
    for name in names:
        if (folder / name).is_dir() and _files(folder / name, suffixes):
            return folder / name
    raise CnncliError(
        f"{shown(folder)} has no folder of {what}; expected one called {', '.join(names[:3])}",
        f"Put the {what} into {shown(folder / names[1])}.",
    )


def _files(folder: Path, suffixes: "frozenset[str] | set[str]") -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.suffix.lower() in suffixes and each.is_file())


def _names(folder: Path) -> tuple[str, ...]:
    """Names of the classes; none where no file has them."""
    path = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if path is None:
        return ()
    return tuple(line for line in read_lines(path) if line and line != "__ignore__")
