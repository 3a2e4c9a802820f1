"""Images and labels, however they were found, to a dataset: sizes, splits, and what is odd about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.division import TEST_SEED, TEST_SHARE, stratified
from cnncli.data.files import Files, decodable, decode_all
from cnncli.data.layout import AS_FOUND, Layout
from cnncli.data.model import Arrays, Dataset, Images, Labels, Report, Shape, Skipped, Split
from cnncli.data.sizes import survey
from cnncli.errors import CnncliError
from cnncli.images.faults import shown
from cnncli.images.resize import resized

MAX_SIDE = 4000  # pixels: positions in an image stay exact in float32


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user asks of any dataset.

    Attributes
    ----------
    size : (H, W) or None
        What images are brought to; None chooses by the images.
    val_split : float
        Share of the training images that becomes the validation split where the data bring none.
    seed : int
        Which images those are.
    offline : bool
        True: nothing is downloaded.
    threads : int
        For decoding.
    report : callable or None
        Told how far slow things are.
    memory : int
        Bytes of decoded images that are kept in memory; larger data stream from disk.
    for_training : bool
        There must be two classes: one alone leaves nothing to learn.
    layout : Layout
        What the options say of splits and columns.
    """

    size: tuple[int, int] | None = None
    val_split: float = 0.1
    seed: int = 0
    offline: bool = False
    threads: int = 1
    report: Report | None = None
    memory: int = 1 << 30
    for_training: bool = True
    layout: Layout = AS_FOUND


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a reader found, before it is split.

    Attributes
    ----------
    name : str
        Of the dataset.
    classes : tuple of str
        Names, in the order of the labels.
    provenance : str
        One line.
    notes, warnings, skipped, files, known
        As in `Dataset`.
    """

    name: str
    classes: tuple[str, ...]
    provenance: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    files: tuple[Path, ...] = ()
    known: str = ""


def from_arrays(found: Found, parts: dict[str, tuple[Images, Labels]], wishes: Wishes) -> Dataset:
    """Make a dataset of images in memory.

    Parameters
    ----------
    found : Found
        What is known about them.
    parts : dict
        "train", and maybe "val" and "test", to images (N, H, W, C) uint8 and labels (N,) int64.
    wishes : Wishes
        Size and split.

    Raises
    ------
    CnncliError
        Where nothing can be trained: no images, or one class.
    """
    splits: dict[str, Split] = {}
    for part, (images, labels) in parts.items():
        fits = wishes.size is None or images.shape[1:3] == wishes.size
        fitting = images if fits or wishes.size is None else _all_resized(images, wishes.size)
        # What is divided here is called by its place in the whole.
        label = part if len(parts) > 1 else found.name
        splits[part] = Arrays(np.ascontiguousarray(fitting), labels, label=label)
    return _divided(found, splits, wishes)


def from_files(found: Found, parts: dict[str, list[tuple[Path, int]]], wishes: Wishes) -> Dataset:
    """Make a dataset of image files: decoded now where they fit into memory, else as they are needed.

    Files that cannot be decoded are left out of every split, in both cases the same ones.

    Parameters
    ----------
    found : Found
        What is known about them.
    parts : dict
        "train", and maybe "val" and "test", to lists of paths and labels.
    wishes : Wishes
        Size, split, threads, memory.
    """
    everything = [path for files in parts.values() for path, _ in files]
    shape, notes = survey(everything, wishes.size)
    found = _with(found, notes=notes, files=tuple(everything))
    splits: dict[str, Split] = {}
    fits = len(everything) * int(np.prod(shape)) <= wishes.memory
    for part, files in parts.items():
        paths, labels = [path for path, _ in files], np.array([label for _, label in files], np.int64)
        if fits:
            images, kept, skipped = decode_all(paths, shape, threads=wishes.threads, report=wishes.report)
            names = [shown(paths[place]) for place in kept]
            splits[part] = Arrays(images, labels[kept], names, part)
        else:
            kept, skipped = decodable(paths, shape, threads=wishes.threads, report=wishes.report)
            splits[part] = Files(tuple(paths[place] for place in kept), labels[kept], shape)
        found = _with(found, skipped=tuple(skipped))
    if not fits:
        found = _with(found, notes=("too many images for memory: they are decoded as they are needed",))
    return _divided(found, splits, wishes)


def listed(names: Sequence[str], most: int = 3) -> str:
    """A few names, and how many more there are."""
    shorter = ", ".join(names[:most])
    return shorter if len(names) <= most else f"{shorter} and {len(names) - most:,} more"


def _with(
    found: Found,
    *,
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    skipped: tuple[Skipped, ...] = (),
    files: tuple[Path, ...] = (),
) -> Found:
    """The same, and more to say."""
    return replace(
        found,
        notes=found.notes + notes,
        warnings=found.warnings + warnings,
        skipped=found.skipped + skipped,
        files=found.files + files,
    )


def _all_resized(images: Images, size: tuple[int, int]) -> Images:
    out = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for image, small in zip(images, out, strict=True):
        small[...] = resized(image, size[1], size[0])
    return out


def _divided(found: Found, splits: dict[str, Split], wishes: Wishes) -> Dataset:
    """Take from the training images what the other splits lack, and look at the classes."""
    _check(found, splits.get("train"), for_training=wishes.for_training)
    train, notes = splits["train"], []
    test, val = splits.get("test"), splits.get("val")
    if test is None:
        train, test = _parted(train, TEST_SHARE, TEST_SEED, "test")
        notes.append(f"no test split: {len(test):,} images, {TEST_SHARE:.0%} of each class, are set apart")
    if val is None:
        train, val = _parted(train, wishes.val_split, wishes.seed, "val")
        if len(val):
            notes.append(f"{len(val):,} of the training images, by class, are the validation split")
    if found.skipped:
        count = len(found.skipped)
        names = listed([each.path for each in found.skipped])
        what = "1 file" if count == 1 else f"{count:,} files"
        found = _with(found, warnings=(f"{what} cannot be used and left out: {names}",))
    found = _with(found, notes=tuple(notes), warnings=_class_warnings(found.classes, train, test))
    return Dataset(
        name=found.name,
        classes=found.classes,
        train=train,
        val=val,
        test=test,
        provenance=found.provenance,
        notes=found.notes,
        warnings=found.warnings,
        skipped=found.skipped,
        files=found.files,
        known=found.known,
    )


def _check(found: Found, train: Split | None, *, for_training: bool) -> None:
    if train is None or len(train) == 0:
        first = f"; the first: {found.skipped[0].reason}" if found.skipped else ""
        raise CnncliError(
            f"{found.name} has no training images that can be used ({len(found.skipped):,} left out){first}",
            "Expected folders of images, one for each class, or an .npz, .csv or IDX data set.",
        )
    if max(train.shape[:2]) > MAX_SIDE:
        raise CnncliError(
            f"{found.name} has images of {shape_text(train.shape)}; expected sides of at most {MAX_SIDE:,}",
            "Ask for a smaller size, or save smaller images.",
        )
    present = np.unique(train.labels)
    if len(present) < 2 and for_training:
        only, why = found.classes[int(present[0])], "".join(f"; {each}" for each in found.warnings)
        raise CnncliError(
            f"{found.name} has training images of one class only, {only}{why}; expected two or more",
            "Add images of a second class: there is nothing to tell apart yet.",
        )


def _parted(split: Split, share: float, seed: int, name: str) -> tuple[Split, Split]:
    """Take a share of each class out of a split."""
    rest, part = stratified(split.labels, share, seed=seed)
    return _picked(split, rest, "train"), _picked(split, part, name)


def _picked(split: Split, positions: NDArray[np.intp], label: str) -> Split:
    labels = split.labels[positions]
    if isinstance(split, Files):
        return Files(tuple(split.paths[at] for at in positions), labels, split.shape)
    if not isinstance(split, Arrays):
        raise TypeError(f"cannot pick from a {type(split).__name__}")
    if len(positions) == len(split):
        return split
    names = [split.name(int(at)) for at in positions]
    return Arrays(split.images[positions], labels, names, label)


def _class_warnings(classes: tuple[str, ...], train: Split, test: Split) -> tuple[str, ...]:
    """Classes that cannot be learned, cannot be tested, or are far rarer than others."""
    learned = np.bincount(train.labels, minlength=len(classes))
    tested = np.bincount(test.labels, minlength=len(classes))
    warnings = []
    if absent := [name for name, count in zip(classes, learned, strict=True) if count == 0]:
        warnings.append(f"no training images of {listed(absent)}: these classes cannot be learned")
    if untested := [name for name, count in zip(classes, tested, strict=True) if count == 0]:
        warnings.append(f"no test images of {listed(untested)}: how well they are told is not measured")
    rare, often = int(np.argmin(np.where(learned, learned, learned.max()))), int(np.argmax(learned))
    if learned[often] >= 10 * learned[rare] > 0:
        warnings.append(
            f"classes are unequal: {learned[rare]:,} training images of {classes[rare]}, "
            f"{learned[often]:,} of {classes[often]}"
        )
    return tuple(warnings)


def shape_text(shape: Shape) -> str:
    """How a size is written: 28x28 gray, 64x48 colour (width first)."""
    return f"{shape[1]}x{shape[0]} {'gray' if shape[2] == 1 else 'colour'}"
