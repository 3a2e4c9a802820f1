"""Data sets of images with masks: the masks are brought to the input of a network as the images are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_files
from cnncli.data.drawn_masks import DrawnMasks, read_drawn
from cnncli.data.files import Files
from cnncli.data.mask_folder import IndexMasks, read_masks
from cnncli.data.model import Arrays, Dataset, Skipped, Split
from cnncli.data.pixel_labels import UNLABELLED, PixelLabels
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
    found = read_masks(folder, threads=load_options.threads)
    return _loaded(
        folder, list(found.images), found.masks, found.skipped, load_options, files=found.masks.paths
    )


def load_drawn(path: Path, load_options: LoadOptions) -> Dataset:
    """Load images with masks that COCO's annotations have, as `read_drawn` finds them.

    Raises
    ------
    CnncliError
        As of `read_drawn`, and where there are too many classes.
    """
    load_options.layout.refuse_columns(str(path))
    load_options.layout.refuse_splits(str(path))
    images, masks, skipped = read_drawn(path, threads=load_options.threads)
    return _loaded(path, images, masks, skipped, load_options, files=(path,))


def _loaded(
    path: Path,
    images: list[Path],
    masks: IndexMasks | DrawnMasks,
    skipped: tuple[Skipped, ...],
    load_options: LoadOptions,
    *,
    files: tuple[Path, ...],
) -> Dataset:
    """Images with their masks in memory, in splits."""
    count = len(masks.classes)
    if count > _MOST_CLASSES:
        raise CnncliError(
            f"masks of {shown(path)} have {count:,} classes; expected at most {_MOST_CLASSES}",
            "Number the classes without gaps, from 0.",
        )
    description = DatasetDescription(
        name=path.resolve().stem or "masks",
        provenance=f"{len(images):,} images with masks of {count} classes in {shown(path)}",
        skipped=skipped,
        files=files,
    )
    dataset = from_files(description, {"train": (images, masks)}, load_options)
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
    assert isinstance(masks, IndexMasks | DrawnMasks)
    assert isinstance(split, Arrays | Files)
    maps = np.empty((len(masks), *input_spec.shape[:2]), np.uint8)

    def one(at: int) -> None:
        maps[at] = as_map(masks.read(at), input_spec)

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
