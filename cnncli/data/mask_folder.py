"""Images with masks beside them: PNG files whose numbers are classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cnncli.data.identity import file_key
from cnncli.data.model import Skipped
from cnncli.data.pixel_labels import UNLABELLED
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.read import read_indices, read_size
from cnncli.threaded import in_threads

_IMAGES = ("JPEGImages", "images", "imgs", "img", "image")
_MASKS = ("SegmentationClass", "SegmentationClassPNG", "masks", "mask", "labels", "annotations")
_NAMES = ("class_names.txt", "classes.txt", "labels.txt")


@dataclass(frozen=True, eq=False)
class IndexMasks:
    """The class of each pixel of N images, in files, as targets of the images.

    Attributes
    ----------
    paths : tuple of Path
        PNG files.
    classes : tuple of str
        Names by number; `UNLABELLED` is none of them.
    """

    paths: tuple[Path, ...]
    classes: tuple[str, ...]
    task = "segmentation"
    noun = "images"
    groups = None

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> NDArray[np.integer]:
        """(H, W) numbers of classes of an image, as its file has it."""
        return read_indices(self.paths[index])

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) all True."""
        return np.ones(len(self), np.bool_)

    @property
    def identities(self) -> NDArray[np.uint64]:
        """(N,) equal where files are."""
        return np.array([file_key(path.read_bytes()) for path in self.paths], np.uint64)

    def take(self, positions: NDArray[np.intp]) -> Self:
        """Those at these positions, in this order."""
        return replace(self, paths=tuple(self.paths[at] for at in positions))

    def joined(self, others: Sequence[Self]) -> Self:
        """These, and after them others."""
        return replace(self, paths=tuple(path for each in (self, *others) for path in each.paths))

    def texts(self) -> list[str]:
        """Names of the files."""
        return [shown(path) for path in self.paths]

    def check_learnable(self, dataset: str, warnings: Sequence[str]) -> None:
        """Refuse a single class.

        Raises
        ------
        CnncliError
            Where there are fewer than two.
        """
        if len(self.classes) < 2:
            raise CnncliError(
                f"{dataset} has masks of one class; expected two or more"
                + "".join(f"; {w}" for w in warnings[:1]),
                "Number the background 0 and the others from 1.",
            )

    def problems(self, test: Self) -> tuple[str, ...]:
        """None: what images show is known only when they are read."""
        del test
        return ()


@dataclass(frozen=True, eq=False)
class Segmented:
    """A folder of images with masks.

    Attributes
    ----------
    images : tuple of Path
        Files of the N images.
    sizes : ndarray, shape (N, 2), int64
        Their heights and widths.
    masks : IndexMasks
        Of the images.
    skipped : tuple of Skipped
        Images and masks that cannot be used.
    """

    images: tuple[Path, ...]
    sizes: NDArray[np.int64]
    masks: IndexMasks
    skipped: tuple[Skipped, ...]


def read_masks(folder: Path, *, strict: bool = False, threads: int = 1) -> Segmented:
    """Read a folder with images in one folder, and masks of the same names in another.

    Names of the classes stand in class_names.txt, a line each from class 0; else they are the numbers that
    occur. All masks are read once.

    Parameters
    ----------
    folder : Path
        With ``JPEGImages`` and ``SegmentationClass``, ``images`` and ``masks`` or the like.
    strict : bool
        Refuse images without masks, masks of other sizes and the like instead of listing them.
    threads : int
        That read masks.

    Raises
    ------
    CnncliError
        Where there are no such folders or no image has a mask, or `strict` refuses one.
    """
    images = _files(_inner(folder, _IMAGES, "images", READ_SUFFIXES), READ_SUFFIXES)
    masks = {path.stem: path for path in _files(_inner(folder, _MASKS, "masks", {".png"}), {".png"})}
    names = _names(folder)
    faults: list[str] = [""] * len(images)
    sizes, highest = np.zeros((len(images), 2), np.int64), np.zeros(len(images), np.int64)

    def one(at: int) -> None:
        try:
            sizes[at], highest[at] = _checked(images[at], masks.get(images[at].stem), len(names))
        except CnncliError as fault:
            faults[at] = fault.message

    in_threads(one, len(images), threads=threads)
    skipped = [Skipped(shown(path), why) for path, why in zip(images, faults, strict=True) if why]
    alone = sorted(masks.keys() - {path.stem for path in images})
    skipped += [Skipped(shown(masks[stem]), "there is no image of this name") for stem in alone]
    kept = [at for at, why in enumerate(faults) if not why]
    if skipped and (strict or not kept):
        more = f" (and {len(skipped) - 1:,} more)" if len(skipped) > 1 else ""
        raise CnncliError(
            f"{skipped[0].sentence}{more}; expected a mask of its size for each image",
            "Correct them." if not kept else "Correct them, or leave --strict out to go on without them.",
        )
    if not kept:
        raise CnncliError(f"{shown(folder)} has no images; expected some", "Check the folder.")
    classes = names or tuple(map(str, range(int(highest[kept].max()) + 1)))
    return Segmented(
        tuple(images[at] for at in kept),
        sizes[kept],
        IndexMasks(tuple(masks[images[at].stem] for at in kept), classes),
        tuple(skipped),
    )


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
    lines = path.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and line.strip() != "__ignore__")
