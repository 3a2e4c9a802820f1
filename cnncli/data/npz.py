"""Datasets in ``.npz`` files: arrays found by name, never pickled objects."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.archive import EXPECTED, Archive, opened
from cnncli.data.array_names import ArrayNames, find_array_names
from cnncli.data.assemble import DatasetDescription, LoadOptions, from_arrays
from cnncli.data.class_labels import ClassLabels
from cnncli.data.classes import case_warnings
from cnncli.data.labels import number_labels, unlabelled
from cnncli.data.model import Dataset
from cnncli.data.split_names import joined
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_MOST = 65535
Raw = NDArray[np.generic]


def load_npz(path: Path, load_options: LoadOptions) -> Dataset:
    """Read a data set from an ``.npz`` file.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3, of non-negative integers or floats; the
    value of white is determined from all splits together. Labels are integers, strings, or one-hot rows. An
    array ``classes`` of strings names integer labels. Arrays that are not used are not decompressed.

    Raises
    ------
    CnncliError
        Where the file is damaged, holds pickled objects, or its arrays do not fit together.
    """
    with opened(path) as archive:
        array_names = find_array_names(archive)
        pairs, names = _read(archive, array_names)
    classes, labels = number_labels({split: y for split, (_, y) in pairs.items()}, names, path)
    parts: dict[str, tuple[Raw, ClassLabels]] = {}
    warnings = [*array_names.warnings, *case_warnings(classes)]
    notes: list[str] = []
    for split, (x, _) in pairs.items():
        _check_count(path, array_names.pairs[split], len(x), len(labels[split]))
        images, note = as_images(x, path)
        parts[split] = images, ClassLabels(labels[split], classes)
        warnings += unlabelled(labels[split], array_names.pairs[split][1])
        notes += [note] if note and note not in notes else []
    if len({images.shape[1:] for images, _ in parts.values()}) > 1:
        shapes = ", ".join(f"{split} {images.shape[1:]}" for split, (images, _) in parts.items())
        raise CnncliError(f"{shown(path)}: splits differ in shape, {shapes}", "Save them alike.")
    count = sum(int((numbers >= 0).sum()) for numbers in labels.values())
    description = DatasetDescription(
        name=path.stem,
        provenance=f"{count:,} images of {len(classes):,} classes in {shown(path)} ({array_names.summary})",
        notes=tuple(notes),
        warnings=tuple(warnings),
        files=(path,),
    )
    return from_arrays(description, parts, load_options, raw={split: x for split, (x, _) in pairs.items()})


def _read(archive: Archive, array_names: ArrayNames) -> tuple[dict[str, tuple[Raw, Raw]], Raw | None]:
    """Decompress the arrays that are used: images and labels of each split, and the names of classes."""
    pairs = {split: (archive.read(x), archive.read(y)) for split, (x, y) in array_names.pairs.items()}
    for split, arrays in pairs.items():
        if any(array.ndim == 0 for array in arrays):
            raise CnncliError(
                f"{shown(archive.path)}: {joined(array_names.pairs[split])} hold a single number; "
                "expected arrays",
                EXPECTED,
            )
    return pairs, None if array_names.classes is None else archive.read(array_names.classes)


def _check_count(path: Path, names: tuple[str, str], images: int, labels: int) -> None:
    if images != labels:
        raise CnncliError(
            f"{shown(path)}: {images:,} images but {labels:,} labels ({' and '.join(map(shown, names))})",
            "Save as many labels as images.",
        )


def as_images(x: Raw, path: Path) -> tuple[Raw, str]:
    """Convert an array of images to (N, H, W, C) of uint8, uint16 or float32, unscaled; and a note."""
    if x.ndim == 4 and x.shape[3] not in (1, 3) and x.shape[1] in (1, 3):
        x = np.moveaxis(x, 1, 3)
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[3] not in (1, 3) or 0 in x.shape[1:]:
        raise CnncliError(
            f"{shown(path)}: images of shape {x.shape}; expected (N, H, W) or (N, H, W, C) with C 1 or 3",
            "Reshape them before they are saved, for example to (-1, 28, 28).",
        )
    if x.dtype.kind not in "iufb":
        raise CnncliError(f"{shown(path)}: images of type {x.dtype}; expected numbers", EXPECTED)
    if x.dtype.kind == "b":
        return np.where(x, np.uint8(255), np.uint8(0)), ""
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # overflow becomes infinite and is refused later
            return np.ascontiguousarray(x, np.float32), ""
    if x.dtype.itemsize == 1 and x.dtype.kind == "u":
        return np.ascontiguousarray(x, np.uint8), ""
    if x.dtype.itemsize == 2 and x.dtype.kind == "u":
        return np.ascontiguousarray(x, np.uint16), ""
    low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
    if low < 0 or high > _MOST:
        raise CnncliError(
            f"{shown(path)}: pixels from {low:,} to {high:,}; expected whole numbers of 0 to {_MOST:,}",
            "Save the pixels before they are normalised: that is done in training.",
        )
    return np.ascontiguousarray(x, np.uint16), f"pixels of {x.dtype} are read as 16-bit"
