"""Load the DATASET that a user names."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cnncli.data.assemble import USUAL, LoadOptions
from cnncli.data.known_datasets import (
    CIFAR10,
    FASHION_MNIST,
    load_collection,
    load_mnist,
    load_motions,
    load_reviews,
    load_scenes,
)
from cnncli.data.model import Dataset
from cnncli.data.prepare import MAX_SIDE
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

NAMED: dict[str, Callable[[LoadOptions], Dataset]] = {
    "mnist": load_mnist,
    "fashion-mnist": lambda load_options: load_collection(FASHION_MNIST, load_options),
    "cifar10": lambda load_options: load_collection(CIFAR10, load_options),
    "movie-reviews": load_reviews,
    "digit-scenes": load_scenes,
    "digit-motions": load_motions,
}
ALIASES = {"fashion_mnist": "fashion-mnist", "fashionmnist": "fashion-mnist", "cifar-10": "cifar10"}
ALIASES |= {"movie_reviews": "movie-reviews", "reviews": "movie-reviews", "digit_scenes": "digit-scenes"}
ALIASES |= {"digit_motions": "digit-motions"}
OF_OBJECTS = ("detect", "localize")
"""Words after ``--task`` that ask for objects with boxes."""
_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_FORMS = (
    "Give mnist, fashion-mnist, cifar10, movie-reviews, digit-scenes, digit-motions, a folder of class "
    "folders or of IDX files, an .npz, a .csv or .tsv, or boxes: COCO's .json, YOLO's data.yaml, a folder of "
    "Pascal VOC or labelme."
)


def load_dataset(source: str, load_options: LoadOptions = USUAL) -> Dataset:
    """Load a data set by its name, or from a folder or file.

    Parameters
    ----------
    source : str
        ``mnist``, ``fashion-mnist``, ``cifar10``, ``movie-reviews``, or a path. A local folder ``mnist`` is
        written ``./mnist``.
    load_options : LoadOptions
        What the user says about images, splits and columns.

    Returns
    -------
    Dataset

    Raises
    ------
    CnncliError
        Where the dataset does not exist, cannot be read or downloaded, or is not usable.
    """
    _check(load_options)
    name = source.strip().lower()
    name = ALIASES.get(name, name)
    if not name:
        raise CnncliError("the name of the data set is empty; expected a name, a folder or a file", _FORMS)
    path = Path(source)
    if name in NAMED:
        load_options.layout.refuse_columns(source)
        load_options.layout.refuse_splits(source)
        dataset = NAMED[name](load_options)
        if not path.exists():
            return _whole(dataset, load_options)
        which = f"{shown(source)} is taken as the known data set; the local one is ./{shown(source)}"
        return _whole(replace(dataset, warnings=(*dataset.warnings, which)), load_options)
    if not path.exists():
        from cnncli.nearest import did_you_mean

        raise CnncliError(
            f"{shown(source)} is neither a known data set nor a file or folder",
            _FORMS if "/" in source else did_you_mean(name, NAMED, _FORMS),
        )
    return _whole((_load_folder if path.is_dir() else _load_file)(path, load_options), load_options)


def _whole(dataset: Dataset, load_options: LoadOptions) -> Dataset:
    """The data set; where it has to be strict, only one of which nothing is left out."""
    if not load_options.strict or not dataset.skipped:
        return dataset
    first, *others = dataset.skipped
    more = f" (and {len(others):,} more)" if others else ""
    raise CnncliError(
        f"{first.sentence}{more}; expected nothing but usable data (--strict)",
        "Correct it, or leave --strict out to go on without it.",
    )


def _check(load_options: LoadOptions) -> None:
    """Refuse options that mean nothing."""
    val_split, size = load_options.val_split, load_options.image_options.size
    if not 0 <= val_split < 1:
        raise CnncliError(
            f"--val-split is {val_split:g}; expected at least 0 and below 1", "Give 0.1 for a tenth."
        )
    if size is not None and not all(1 <= side <= MAX_SIDE for side in size):
        raise CnncliError(
            f"images of {size[1]}x{size[0]} pixels; expected sides of 1 to {MAX_SIDE:,}",
            "Give a size such as 64x64.",
        )


def _load_folder(path: Path, load_options: LoadOptions) -> Dataset:
    from cnncli.data.annotations import describes_objects
    from cnncli.data.folder import load_folder
    from cnncli.data.known_datasets import load_cifar_folder, load_idx_folder

    load_options.layout.refuse_columns(str(path))
    if load_options.task in (None, *OF_OBJECTS) and describes_objects(path):
        return _load_objects(path, load_options)
    if load_options.task != "classify":
        from cnncli.data.mask_folder import holds_masks

        if holds_masks(path):
            from cnncli.data.masked_images import load_masked

            return load_masked(path, load_options)
        if load_options.task == "segment" and describes_objects(path):
            from cnncli.data.masked_images import load_drawn

            return load_drawn(path, load_options)
    from cnncli.data.clip_folder import FRAMES_HINT, holds_clips, holds_frames, load_clips

    if load_options.task == "video" or (load_options.task is None and holds_clips(path)):
        return load_clips(path, load_options)
    arrays = load_idx_folder(path, load_options) or load_cifar_folder(path, load_options)
    if arrays is None:
        dataset = load_folder(path, load_options)
        if load_options.task is None and holds_frames(path):
            return replace(dataset, notes=(*dataset.notes, FRAMES_HINT))
        return dataset
    load_options.layout.refuse_splits(str(path))
    return arrays


def _load_objects(path: Path, load_options: LoadOptions) -> Dataset:
    from cnncli.data.boxed_images import load_boxed

    load_options.layout.refuse_columns(str(path))
    return load_boxed(path, load_options)


def _load_file(path: Path, load_options: LoadOptions) -> Dataset:
    name = path.name.lower()
    if not path.is_file():
        raise CnncliError(
            f"{shown(path)} is a pipe, a socket or a device; expected a regular file",
            "Write the data into a file first.",
        )
    if load_options.task == "segment" and name.endswith((".json", ".yaml", ".yml")):
        from cnncli.data.masked_images import load_drawn

        return load_drawn(path, load_options)
    if name.endswith(".npz"):
        from cnncli.data.npz import load_npz

        load_options.layout.refuse_columns(str(path))
        load_options.layout.refuse_splits(str(path))
        return load_npz(path, load_options)
    if name.endswith(_TABLES):
        from cnncli.data.tables import load_table

        return load_table(path, load_options)
    from cnncli.data.annotations import describes_objects

    if describes_objects(path):
        return _load_objects(path, load_options)
    suffix = path.suffix or "none"
    raise CnncliError(f"{shown(path)} has the suffix {suffix}; expected .npz, .csv or .tsv", _FORMS)
