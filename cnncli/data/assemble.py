"""Images and labels, however they were found, to a dataset: sizes, splits, and what is odd about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.arrays import Raw, open_arrays
from cnncli.data.copies import conflicts, copies_across, copies_within
from cnncli.data.files import FileDigests, Files, decodable, decode_all
from cnncli.data.holdout import TEST_DRAW, TEST_SEED, TEST_SHARE, VAL_DRAW, drawn
from cnncli.data.identity import digests_of, groups, keys_of, row_marks
from cnncli.data.image_facts import ImageFacts, ImageOptions, choose, look, said
from cnncli.data.layout import AS_FOUND, Layout
from cnncli.data.model import Arrays, Dataset, Labels, Report, Shape, Skipped, Split
from cnncli.data.prepare import MAX_SIDE, InputSpec
from cnncli.errors import CnncliError
from cnncli.images.faults import shown


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What the user asks of any dataset.

    Attributes
    ----------
    asked : ImageOptions
        What images are brought to.
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
    whole : bool
        Hold nothing out: splits are those that the data bring, others stay empty.
    """

    asked: ImageOptions = field(default_factory=ImageOptions)
    val_split: float = 0.1
    seed: int = 0
    offline: bool = False
    threads: int = 1
    report: Report | None = None
    memory: int = 1 << 30
    for_training: bool = True
    layout: Layout = AS_FOUND
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class DatasetDescription:
    """What a reader found, before it is split.

    Attributes
    ----------
    name : str
        Of the dataset.
    classes : tuple of str
        Names, in the order of the labels.
    provenance : str
        One line.
    notes, warnings, skipped, files, known, input_spec, adapted
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
    input_spec: InputSpec | None = None
    adapted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def from_arrays(
    found: DatasetDescription,
    parts: dict[str, tuple[Raw, Labels]],
    load_options: LoadOptions,
    *,
    raw: Mapping[str, Raw] | None = None,
) -> Dataset:
    """Make a dataset of images in memory.

    Parameters
    ----------
    found : RawDataset
        What is known about them.
    parts : dict
        "train", and maybe "val" and "test", to images (N, H, W, C) of uint8, uint16 or float32 and labels
        (N,) int64; those with the label -1 have none and are left out.
    load_options : LoadOptions
        Size and split.
    raw : mapping or None
        The same images as they are stored, where that is not as ``parts`` has them: what tells them apart.

    Raises
    ------
    CnncliError
        Where nothing can be trained: no images, or one class.
    """
    splits: dict[str, Split] = {}
    # What is divided here is called by its place in the whole.
    labels = {part: part if len(parts) > 1 else found.name for part in parts}
    rows: dict[str, NDArray[np.intp] | None] = {}
    kept = {}
    for part, (images, numbers) in parts.items():
        there = np.flatnonzero(numbers >= 0)
        rows[part] = None if len(there) == len(numbers) else there
        kept[part] = (images, numbers) if rows[part] is None else (images[there], numbers[there])

    def name(part: str, at: int) -> str:
        place = rows[part]
        return f"{labels[part]}[{at if place is None else place[at]}]"

    try:
        arrays, input_spec, facts = open_arrays(
            {part: x for part, (x, _) in kept.items()}, name, load_options.asked
        )
    except CnncliError as error:
        source = shown(found.files[0]) if found.files else found.name
        raise CnncliError(f"{source}: {error.message}", error.hint) from error
    notes, warnings = said(facts, input_spec, load_options.asked)
    found = replace(
        _with(found, notes=notes, warnings=warnings), input_spec=input_spec, adapted=facts.adapted
    )
    for part, (images, _) in kept.items():
        stored = images if raw is None else raw[part] if rows[part] is None else raw[part][rows[part]]
        digests = row_marks(arrays[part])
        # Bytes that are used as they are: the images lie in memory once, and are looked at once.
        same = stored.nbytes == arrays[part].nbytes and np.may_share_memory(stored, arrays[part])
        keys = digests if same and stored.dtype == np.uint8 else row_marks(stored)
        listed = None if rows[part] is None else [name(part, at) for at in range(len(images))]
        splits[part] = Arrays(arrays[part], kept[part][1], listed, labels[part], digests, keys)
    return _divided(found, splits, load_options)


def from_files(
    found: DatasetDescription, parts: dict[str, list[tuple[Path, int]]], load_options: LoadOptions
) -> Dataset:
    """Make a dataset of image files: decoded now where they fit into memory, else as they are needed.

    Files that cannot be decoded are left out of every split, in both cases the same ones.

    Parameters
    ----------
    found : RawDataset
        What is known about them.
    parts : dict
        "train", and maybe "val" and "test", to lists of paths and labels.
    load_options : LoadOptions
        Size, split, threads, memory.
    """
    everything = [path for files in parts.values() for path, _ in files]
    found = _with(found, files=tuple(everything))
    guess = ImageFacts() if load_options.asked.input_spec else look(everything)
    while True:
        input_spec = choose(guess, load_options.asked, sure=False)
        facts = ImageFacts(curious=load_options.asked.input_spec is None, colour=guess.colour)
        opened, splits = _opened(found, parts, input_spec, facts, load_options)
        try:
            sure = choose(facts, load_options.asked)
        except CnncliError as error:
            raise CnncliError(f"{found.name}: {error.message}", error.hint) from error
        if sure == input_spec:  # all images bear out what some made us choose
            break
        guess = facts
    notes, warnings = said(facts, input_spec, load_options.asked)
    opened = _with(opened, notes=notes, warnings=warnings)
    torn, warnings = conflicts(splits, found.classes)
    if warnings:
        kept = {part: picked(split, np.flatnonzero(~torn[part]), part) for part, split in splits.items()}
        splits = {part: split for part, split in kept.items() if len(split) or part == "train"}
        opened = _with(opened, warnings=warnings)
    return _divided(replace(opened, input_spec=input_spec, adapted=facts.adapted), splits, load_options)


def _opened(
    found: DatasetDescription,
    parts: dict[str, list[tuple[Path, int]]],
    input_spec: InputSpec,
    facts: ImageFacts,
    load_options: LoadOptions,
) -> tuple[DatasetDescription, dict[str, Split]]:
    """Decode image files, or see which ones can be decoded."""
    splits: dict[str, Split] = {}
    fits = sum(map(len, parts.values())) * int(np.prod(input_spec.shape)) <= load_options.memory
    threads, report = load_options.threads, load_options.report
    for part, files in parts.items():
        paths, labels = [path for path, _ in files], np.array([label for _, label in files], np.int64)
        marks = FileDigests(len(paths))
        if fits:
            images, kept, skipped = decode_all(
                paths, input_spec, threads=threads, report=report, facts=facts, marks=marks
            )
            keys, digests = marks.at(kept)
            names = [shown(paths[place]) for place in kept]
            splits[part] = Arrays(images, labels[kept], names, part, digests, keys)
        else:
            kept, skipped = decodable(
                paths, input_spec, threads=threads, report=report, facts=facts, marks=marks
            )
            keys, digests = marks.at(kept)
            splits[part] = Files(
                tuple(paths[place] for place in kept), labels[kept], input_spec, digests, keys
            )
        found = _with(found, skipped=tuple(skipped))
    if not fits:
        found = _with(found, notes=("too many images for memory: they are decoded as they are needed",))
    return found, splits


def listed(names: Sequence[str], most: int = 3, *, separator: str = ", ") -> str:
    """A few names, and how many more there are."""
    shorter = separator.join(names[:most])
    return shorter if len(names) <= most else f"{shorter} and {len(names) - most:,} more"


def _with(
    found: DatasetDescription,
    *,
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    skipped: tuple[Skipped, ...] = (),
    files: tuple[Path, ...] = (),
) -> DatasetDescription:
    """The same, and more to say."""
    return replace(
        found,
        notes=found.notes + notes,
        warnings=found.warnings + warnings,
        skipped=found.skipped + skipped,
        files=found.files + files,
    )


def _divided(found: DatasetDescription, splits: dict[str, Split], load_options: LoadOptions) -> Dataset:
    """Take from the training images what the other splits lack, and look at copies and classes."""
    given = tuple(splits) if len(splits) > 1 or "train" not in splits else ()
    _check(found, splits, load_options)
    digests = {part: digests_of(split) for part, split in splits.items()}
    copies = copies_across(splits, digests) if given else copies_within(digests["train"], splits["train"])
    if found.skipped:
        count = len(found.skipped)
        names = listed([each.path for each in found.skipped])
        what = "1 file" if count == 1 else f"{count:,} files"
        copies.append(f"{what} cannot be used and left out: {names}")
    found = _with(found, warnings=tuple(copies))
    if load_options.whole:
        some = next(iter(splits.values()))
        train, val, test = (
            splits.get(part) or picked(some, np.arange(0), part) for part in ("train", "val", "test")
        )
    else:
        joined = groups(keys_of(splits["train"]), digests["train"])
        train, val, test, notes = _held_out(splits, joined, load_options)
        found = _with(found, notes=notes, warnings=_class_warnings(found.classes, train, test))
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
        given=given,
        input_spec=found.input_spec,
        adapted=found.adapted,
    )


def _held_out(
    splits: dict[str, Split], keys: NDArray[np.uint64], load_options: LoadOptions
) -> tuple[Split, Split, Split, tuple[str, ...]]:
    """Training, validation and test images, and what was done to have them."""
    train, test, val = splits["train"], splits.get("test"), splits.get("val")
    count, notes = len(train), []
    if test is None:
        held = drawn(keys, train.labels, TEST_SHARE, seed=TEST_SEED, draw=TEST_DRAW)
        test = picked(train, np.flatnonzero(held), "test")
        train, keys = picked(train, np.flatnonzero(~held), "train"), keys[~held]
        notes.append(
            f"no test split: {len(test):,} of {count:,} images, about {TEST_SHARE:.0%} of each class, "
            "are held out by their content"
        )
    if val is None:
        held = drawn(keys, train.labels, load_options.val_split, seed=load_options.seed, draw=VAL_DRAW)
        val = picked(train, np.flatnonzero(held), "val")
        train = picked(train, np.flatnonzero(~held), "train")
        if len(val):
            notes.append(f"{len(val):,} of the training images, by their content, are the validation split")
    return train, val, test, tuple(notes)


def _check(found: DatasetDescription, splits: dict[str, Split], load_options: LoadOptions) -> None:
    train = splits.get("train") if not load_options.whole else next(iter(splits.values()), None)
    if train is None or not (len(train) or (load_options.whole and any(map(len, splits.values())))):
        first = f"; the first: {found.skipped[0].reason}" if found.skipped else ""
        what = "images" if load_options.whole else "training images"
        raise CnncliError(
            f"{found.name} has no {what} that can be used ({len(found.skipped):,} left out){first}",
            "Give folders of images, one for each class, or an .npz, .csv or IDX data set.",
        )
    if max(train.shape[:2]) > MAX_SIDE:
        raise CnncliError(
            f"{found.name} has images of {shape_text(train.shape)}; expected sides of at most {MAX_SIDE:,}",
            "Ask for a smaller size, or save smaller images.",
        )
    present = np.unique(train.labels)
    if len(present) < 2 and load_options.for_training:
        only, why = found.classes[int(present[0])], "".join(f"; {each}" for each in found.warnings)
        raise CnncliError(
            f"{found.name} has training images of one class only, {only}{why}; expected two or more",
            "Add images of a second class: there is nothing to tell apart yet.",
        )


def picked(split: Split, positions: NDArray[np.intp], label: str) -> Split:
    """A split of some images of another one, in the order of ``positions``."""
    labels = split.labels[positions]
    digests, keys = digests_of(split)[positions], keys_of(split)[positions]
    if isinstance(split, Files):
        return Files(tuple(split.paths[at] for at in positions), labels, split.input_spec, digests, keys)
    if not isinstance(split, Arrays):
        raise TypeError(f"cannot pick from a {type(split).__name__}")
    if np.array_equal(positions, np.arange(len(split))):
        return split
    names = [split.name(int(at)) for at in positions]
    return Arrays(split.images[positions], labels, names, label, digests, keys)


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
