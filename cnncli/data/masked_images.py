"""Data sets of images with masks: the masks are brought to the input of a network as the images are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_files
from cnncli.data.drawn_masks import read_drawn
from cnncli.data.files import Files
from cnncli.data.image_facts import size_of_places
from cnncli.data.mask_folder import read_masks
from cnncli.data.model import Arrays, Dataset, Split
from cnncli.data.pixel_labels import UNLABELLED, MaskedFiles, PixelLabels
from cnncli.data.prepare import InputSpec, placement
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.threaded import in_threads

_MOST_CLASSES = 255


def load_masked(folder: Path, load_options: LoadOptions) -> Dataset:
    """Load a folder of images and a folder of masks beside it, as `read_masks` finds them.

    Raises
    ------
    CnncliError
        As of `read_masks`, and where there are too many classes.
    """
    load_options.layout.refuse_splits(str(folder))
    return _loaded(folder, read_masks(folder, threads=load_options.threads), load_options)


def load_drawn(path: Path, load_options: LoadOptions) -> Dataset:
    """Load images with masks that annotations have, as `read_drawn` finds them.

    Raises
    ------
    CnncliError
        As of `read_drawn`, and where there are too many classes.
    """
    load_options.layout.refuse_columns(str(path))
    load_options.layout.refuse_splits(str(path))
    found = read_drawn(path, whole=load_options.whole, threads=load_options.threads)
    return _loaded(path, found, load_options)


def _loaded(path: Path, found: MaskedFiles, load_options: LoadOptions) -> Dataset:
    """Images with their masks in memory, in splits."""
    count = len(next(iter(found.parts.values()))[1].classes)
    if count > _MOST_CLASSES:
        raise CnncliError(
            f"masks of {shown(path)} have {count:,} classes; expected at most {_MOST_CLASSES}",
            "Number the classes without gaps, from 0.",
        )
    images = sum(len(paths) for paths, _ in found.parts.values())
    description = DatasetDescription(
        name=path.resolve().stem or "masks",
        provenance=f"{images:,} images with masks of {count} classes in {shown(path)}",
        skipped=found.skipped,
        files=found.files,
        notes=found.notes,
    )
    options = load_options.image_options
    if options.input_spec is None:
        options = replace(options, size=options.size or size_of_places(found.sizes))
    dataset = from_files(description, found.parts, replace(load_options, image_options=options))
    assert dataset.input_spec is not None
    train, val, test = (
        _with_maps(split, dataset.input_spec, load_options.threads)
        for split in (dataset.train, dataset.val, dataset.test)
    )
    warnings = () if load_options.whole else train.targets.problems(test.targets)
    if load_options.for_training:
        train.targets.check_learnable(dataset.name, dataset.warnings)
    return replace(dataset, train=train, val=val, test=test, warnings=(*dataset.warnings, *warnings))


def _with_maps(split: Split, input_spec: InputSpec, threads: int) -> Split:
    """A split with the classes of its pixels in memory, as a network gets the images."""
    masks = split.targets
    assert isinstance(masks, PixelLabels)
    assert isinstance(split, Arrays | Files)
    maps = np.empty((len(masks), *input_spec.shape[:2]), np.uint8)

    def one(at: int) -> None:
        maps[at] = as_map(masks.maps[at].read(), input_spec)

    in_threads(one, len(masks), threads=threads)
    return replace(split, targets=PixelLabels(maps, masks.classes))


def as_map(numbers: NDArray[np.integer], input_spec: InputSpec) -> NDArray[np.uint8]:
    """(H, W) classes of the pixels of a network's input: each that of the nearest pixel of a mask.

    Parameters
    ----------
    numbers : ndarray, shape (h, w)
        Classes, of the pixels of an image; `UNLABELLED` ones do not count.
    input_spec : InputSpec
        How the image is prepared. What it pads with has no class.
    """
    height, width = numbers.shape
    place = placement(input_spec, width, height)
    rows = np.arange(input_spec.shape[0]) + place.top
    columns = np.arange(input_spec.shape[1]) + place.left
    inside = ((rows >= 0) & (rows < place.high))[:, None] & (columns >= 0) & (columns < place.wide)
    row = ((2 * rows.clip(0, place.high - 1) + 1) * height) // (2 * place.high)
    column = ((2 * columns.clip(0, place.wide - 1) + 1) * width) // (2 * place.wide)
    return np.where(inside, numbers[row[:, None], column], UNLABELLED).astype(np.uint8)
