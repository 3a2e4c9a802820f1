"""Assemble a dataset from images and targets of any source: sizes, splits, and warnings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.arrays import Raw, open_arrays
from cnncli.data.clips import Clips
from cnncli.data.copies import conflicts, copies_across, copies_within
from cnncli.data.files import FileDigests, Files, decodable, decode_all
from cnncli.data.holdout import TEST_DRAW, TEST_SEED, TEST_SHARE, VAL_DRAW, choose_held_out
from cnncli.data.identity import digests_of, keys_of, merged_keys, row_digests
from cnncli.data.image_facts import (
    ImageFacts,
    ImageOptions,
    choose_input_spec,
    notes_and_warnings,
    sample_facts,
)
from cnncli.data.layout import AS_FOUND, Layout
from cnncli.data.model import Arrays, Dataset, Report, Shape, Skipped, Split
from cnncli.data.prepare import MAX_SIDE, InputSpec
from cnncli.data.targets import Targets
from cnncli.data.texts import Texts
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.text import listed


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The user's options for loading any dataset.

    Attributes
    ----------
    image_options : ImageOptions
        Size, fit and colour of the images.
    val_split : float
        Approximate share of the training images that becomes the validation split where the data have none:
        at least 0 and below 1.
    seed : int
        Chooses those images; test images never depend on it.
    offline : bool
        True: nothing is downloaded.
    threads : int
        Number of threads that decode.
    report : callable or None
        Called with what is being done, how much is done, and the total, for downloads and decoding.
    memory : int
        Most bytes of decoded images that are kept in memory; larger datasets are read from disk in training.
    for_training : bool
        Require targets that something can be learned from, such as two classes.
    layout : Layout
        The options about splits and columns.
    whole : bool
        Hold nothing out: the data's own splits are used, others stay empty.
    task : str or None
        What is to be learned of data that have targets for several tasks, such as ``segment``; None: what is
        usual for them.
    strict : bool
        Refuse data of which something cannot be used, instead of leaving it out and listing it.
    """

    image_options: ImageOptions = field(default_factory=ImageOptions)
    val_split: float = 0.1
    seed: int = 0
    offline: bool = False
    threads: int = 1
    report: Report | None = None
    memory: int = 1 << 30
    for_training: bool = True
    layout: Layout = AS_FOUND
    whole: bool = False
    task: str | None = None
    strict: bool = False


USUAL = LoadOptions()


@dataclass(frozen=True, kw_only=True)
class DatasetDescription:
    """What a reader found out about a dataset, without its images.

    Attributes
    ----------
    name : str
        Name of the dataset.
    provenance : str
        One line.
    notes, warnings, skipped, files, known, input_spec, adapted
        As in `Dataset`.
    """

    name: str
    provenance: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    files: tuple[Path, ...] = ()
    known: str = ""
    input_spec: InputSpec | None = None
    adapted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def from_arrays(
    description: DatasetDescription,
    parts: Mapping[str, tuple[Raw, Targets]],
    load_options: LoadOptions,
    *,
    raw: Mapping[str, Raw] | None = None,
) -> Dataset:
    """Make a dataset of images in memory.

    Parameters
    ----------
    description : RawDataset
        What is known about them.
    parts : dict
        "train", and optionally "val" and "test", to images (N, H, W, C) of uint8, uint16 or float32 and
        their targets; images whose target is not known are left out.
    load_options : LoadOptions
        Size and split.
    raw : mapping or None
        The same images as they are stored, if different from ``parts``; their keys are computed from these.

    Raises
    ------
    CnncliError
        Where training is impossible because there are no images, or their targets give nothing to learn.
    """
    splits: dict[str, Split] = {}
    # Undivided images are named by their index in the whole dataset.
    labels = {part: part if len(parts) > 1 else description.name for part in parts}
    rows: dict[str, NDArray[np.intp] | None] = {}
    kept: dict[str, tuple[Raw, Targets]] = {}
    for part, (images, targets) in parts.items():
        there = np.flatnonzero(targets.known)
        rows[part] = None if len(there) == len(targets) else there
        kept[part] = (images, targets) if rows[part] is None else (images[there], targets.take(there))

    def name(part: str, at: int) -> str:
        place = rows[part]
        return f"{labels[part]}[{at if place is None else place[at]}]"

    try:
        arrays, input_spec, image_facts = open_arrays(
            {part: x for part, (x, _) in kept.items()}, name, load_options.image_options
        )
    except CnncliError as error:
        source = shown(description.files[0]) if description.files else description.name
        raise CnncliError(f"{source}: {error.message}", error.hint) from error
    notes, warnings = notes_and_warnings(image_facts, input_spec, load_options.image_options)
    description = replace(
        _with(description, notes=notes, warnings=warnings), input_spec=input_spec, adapted=image_facts.adapted
    )
    for part, (images, _) in kept.items():
        stored = images if raw is None else raw[part] if rows[part] is None else raw[part][rows[part]]
        digests = row_digests(arrays[part])
        # Bytes that are used unchanged are in memory only once and need to be hashed only once.
        same = stored.nbytes == arrays[part].nbytes and np.may_share_memory(stored, arrays[part])
        keys = digests if same and stored.dtype == np.uint8 else row_digests(stored)
        listed = None if rows[part] is None else [name(part, at) for at in range(len(images))]
        splits[part] = Arrays(arrays[part], kept[part][1], listed, labels[part], digests, keys)
    return _divided(description, splits, load_options)


def from_files(
    description: DatasetDescription,
    parts: Mapping[str, tuple[list[Path], Targets]],
    load_options: LoadOptions,
) -> Dataset:
    """Make a dataset of image files: decoded now where they fit into memory, else when they are needed.

    In both cases, the same files are left out because they cannot be decoded.

    Parameters
    ----------
    description : RawDataset
        What is known about them.
    parts : dict
        "train", and optionally "val" and "test", to paths and their targets.
    load_options : LoadOptions
        Size, split, threads, memory.
    """
    everything = [path for paths, _ in parts.values() for path in paths]
    description = _with(description, files=tuple(everything))
    guess = ImageFacts() if load_options.image_options.input_spec else sample_facts(everything)
    while True:
        input_spec = choose_input_spec(guess, load_options.image_options, sure=False)
        image_facts = ImageFacts(choosing=load_options.image_options.input_spec is None, colour=guess.colour)
        opened, splits = _opened(description, parts, input_spec, image_facts, load_options)
        try:
            sure = choose_input_spec(image_facts, load_options.image_options)
        except CnncliError as error:
            raise CnncliError(f"{description.name}: {error.message}", error.hint) from error
        if sure == input_spec:  # all images confirm what was chosen by a sample
            break
        guess = image_facts
    notes, warnings = notes_and_warnings(image_facts, input_spec, load_options.image_options)
    opened = _with(opened, notes=notes, warnings=warnings)
    conflicting, warnings = conflicts(splits)
    if warnings:
        kept = {
            part: picked(split, np.flatnonzero(~conflicting[part]), part) for part, split in splits.items()
        }
        splits = {part: split for part, split in kept.items() if len(split) or part == "train"}
        opened = _with(opened, warnings=warnings)
    return _divided(replace(opened, input_spec=input_spec, adapted=image_facts.adapted), splits, load_options)


def from_splits(
    description: DatasetDescription, parts: Mapping[str, Texts | Clips], load_options: LoadOptions
) -> Dataset:
    """Make a dataset of texts or of clips.

    Parameters
    ----------
    description : RawDataset
        What is known about them.
    parts : dict
        "train", and optionally "val" and "test".
    load_options : LoadOptions
        Splits.
    """
    return _divided(description, dict(parts), load_options)


def _opened(
    description: DatasetDescription,
    parts: Mapping[str, tuple[list[Path], Targets]],
    input_spec: InputSpec,
    image_facts: ImageFacts,
    load_options: LoadOptions,
) -> tuple[DatasetDescription, dict[str, Split]]:
    """Decode image files, or find out which ones can be decoded."""
    splits: dict[str, Split] = {}
    fits = (
        sum(len(paths) for paths, _ in parts.values()) * int(np.prod(input_spec.shape)) <= load_options.memory
    )
    threads, report = load_options.threads, load_options.report
    for part, (paths, targets) in parts.items():
        file_digests = FileDigests(len(paths))
        if fits:
            images, kept, skipped = decode_all(
                paths,
                input_spec,
                threads=threads,
                report=report,
                image_facts=image_facts,
                file_digests=file_digests,
            )
            keys, digests = file_digests.at(kept)
            names = [shown(paths[place]) for place in kept]
            splits[part] = Arrays(images, targets.take(np.asarray(kept, np.intp)), names, part, digests, keys)
        else:
            kept, skipped = decodable(
                paths,
                input_spec,
                threads=threads,
                report=report,
                image_facts=image_facts,
                file_digests=file_digests,
            )
            keys, digests = file_digests.at(kept)
            splits[part] = Files(
                tuple(paths[place] for place in kept),
                targets.take(np.asarray(kept, np.intp)),
                input_spec,
                digests,
                keys,
            )
        description = _with(description, skipped=tuple(skipped))
    if not fits:
        description = _with(
            description, notes=("too many images for memory: they are decoded during training",)
        )
    return description, splits


def _with(
    description: DatasetDescription,
    *,
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    skipped: tuple[Skipped, ...] = (),
    files: tuple[Path, ...] = (),
) -> DatasetDescription:
    """A copy with more notes, warnings, skipped and other files."""
    return replace(
        description,
        notes=description.notes + notes,
        warnings=description.warnings + warnings,
        skipped=description.skipped + skipped,
        files=description.files + files,
    )


def _divided(description: DatasetDescription, splits: dict[str, Split], load_options: LoadOptions) -> Dataset:
    """Hold out images for missing splits, and add warnings about copies and targets."""
    given = tuple(splits) if len(splits) > 1 or "train" not in splits else ()
    _check(description, splits, load_options)
    digests = {part: digests_of(split) for part, split in splits.items()}
    copies = copies_across(splits, digests) if given else copies_within(digests["train"], splits["train"])
    if description.skipped:
        count = len(description.skipped)
        names = listed([each.path for each in description.skipped])
        kind = "row" if splits and next(iter(splits.values())).targets.noun == "texts" else "file"
        what = f"1 {kind}" if count == 1 else f"{count:,} {kind}s"
        verb = "is" if count == 1 else "are"
        copies.append(f"{what} cannot be used and {verb} left out: {names}")
    description = _with(description, warnings=tuple(copies))
    if load_options.whole:
        some = next(iter(splits.values()))
        train, val, test = (
            splits.get(part) or picked(some, np.arange(0), part) for part in ("train", "val", "test")
        )
    else:
        merged = merged_keys(keys_of(splits["train"]), digests["train"])
        train, val, test, notes = _held_out(splits, merged, load_options)
        description = _with(description, notes=notes, warnings=train.targets.problems(test.targets))
    return Dataset(
        name=description.name,
        train=train,
        val=val,
        test=test,
        provenance=description.provenance,
        notes=description.notes,
        warnings=description.warnings,
        skipped=description.skipped,
        files=description.files,
        known=description.known,
        given=given,
        input_spec=description.input_spec,
        adapted=description.adapted,
    )


def _held_out(
    splits: dict[str, Split], keys: NDArray[np.uint64], load_options: LoadOptions
) -> tuple[Split, Split, Split, tuple[str, ...]]:
    """Training, validation and test images, and notes on how they were chosen."""
    train, test, val = splits["train"], splits.get("test"), splits.get("val")
    count, notes, noun = len(train), [], train.targets.noun
    of_each = " of each class" if train.targets.groups is not None else ""
    if test is None:
        held = choose_held_out(keys, train.targets.groups, TEST_SHARE, seed=TEST_SEED, draw=TEST_DRAW)
        test = picked(train, np.flatnonzero(held), "test")
        train, keys = picked(train, np.flatnonzero(~held), "train"), keys[~held]
        notes.append(
            f"no test split: {len(test):,} of {count:,} {noun}, about {TEST_SHARE:.0%}{of_each}, "
            "are held out, chosen by a hash of their content"
        )
    if val is None:
        held = choose_held_out(
            keys, train.targets.groups, load_options.val_split, seed=load_options.seed, draw=VAL_DRAW
        )
        val = picked(train, np.flatnonzero(held), "val")
        train = picked(train, np.flatnonzero(~held), "train")
        if len(val):
            notes.append(
                f"{len(val):,} training {noun}, chosen by a hash of their content, are the validation split"
            )
    return train, val, test, tuple(notes)


def _check(description: DatasetDescription, splits: dict[str, Split], load_options: LoadOptions) -> None:
    train = splits.get("train") if not load_options.whole else next(iter(splits.values()), None)
    if train is None or not (len(train) or (load_options.whole and any(map(len, splits.values())))):
        first = f"; the first: {description.skipped[0].reason}" if description.skipped else ""
        noun = next(iter(splits.values())).targets.noun if splits else "images"
        what = noun if load_options.whole else f"training {noun}"
        raise CnncliError(
            f"{description.name} has no usable {what} ({len(description.skipped):,} left out){first}",
            "Give folders of images, one for each class, or an .npz, .csv or IDX data set.",
        )
    if max(train.shape[:2]) > MAX_SIDE:
        raise CnncliError(
            f"{description.name} has images of {shape_text(train.shape)}; "
            f"expected at most {MAX_SIDE:,} pixels a side",
            "Ask for a smaller size, or save smaller images.",
        )
    if load_options.for_training:
        left_out = description.skipped
        more = (f"{len(left_out):,} left out, the first: {left_out[0].sentence}",) if left_out else ()
        train.targets.check_learnable(description.name, (*description.warnings, *more))


def picked(split: Split, positions: NDArray[np.intp], label: str) -> Split:
    """A split of the images at ``positions`` of another split, in this order."""
    targets = split.targets.take(positions)
    if isinstance(split, Texts | Clips):
        return split.take(positions, label)
    digests, keys = digests_of(split)[positions], keys_of(split)[positions]
    if isinstance(split, Files):
        return Files(tuple(split.paths[at] for at in positions), targets, split.input_spec, digests, keys)
    if not isinstance(split, Arrays):
        raise TypeError(f"cannot pick from a {type(split).__name__}")
    if np.array_equal(positions, np.arange(len(split))):
        return split
    names = [split.name(int(at)) for at in positions]
    renewed = split.renewed if label == "train" else None
    return Arrays(split.images[positions], targets, names, label, digests, keys, renewed)


def shape_text(shape: Shape) -> str:
    """A shape as text: 28x28 gray, 64x48 colour (width first)."""
    return f"{shape[1]}x{shape[0]} {'gray' if shape[2] == 1 else 'colour'}"
