"""Images and labels in an ``.npz`` file: arrays by name, never pickled objects."""

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import Found, Wishes, from_arrays
from cnncli.data.model import Dataset, Images, Labels
from cnncli.errors import CnncliError
from cnncli.images.faults import reading_fault, shown
from cnncli.images.picture import with_depth

# Names that images and labels go by, per split; an empty suffix is everything, or the training split.
_X = ("x", "X", "images", "data", "features")
_Y = ("y", "Y", "labels", "targets", "target")
_SUFFIXES = {"train": ("_train", ""), "val": ("_val", "_valid"), "test": ("_test",)}
_EXPECTED = "Expected arrays x and y, or x_train, y_train, x_test, y_test (np.savez)."

Raw = NDArray[np.generic]


def load_npz(path: Path, wishes: Wishes) -> Dataset:
    """Read a data set from an ``.npz`` file.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3, of uint8, uint16, or of floats
    or integers within 0 to 1 or 0 to 255. Labels are integers, strings, or one-hot rows. An array
    ``classes`` of strings names integer labels.

    Raises
    ------
    CnncliError
        Where the file is damaged, holds pickled objects, or its arrays do not fit together.
    """
    arrays = _arrays(path)
    pairs: dict[str, tuple[Raw, Raw]] = {}
    for split, suffixes in _SUFFIXES.items():
        for suffix in suffixes:
            x = next((arrays[name + suffix] for name in _X if name + suffix in arrays), None)
            y = next((arrays[name + suffix] for name in _Y if name + suffix in arrays), None)
            if x is not None and y is not None:
                pairs.setdefault(split, (x, y))
    if "train" not in pairs:
        held = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no arrays"
        raise CnncliError(f"{shown(path)} holds {held}; expected images and labels by name", _EXPECTED)
    classes, labels = number_labels(
        {split: y for split, (_, y) in pairs.items()}, arrays.get("classes"), path
    )
    parts: dict[str, tuple[Images, Labels]] = {}
    notes: list[str] = []
    for split, (x, _) in pairs.items():
        images, note = as_images(x, path)
        if len(images) != len(labels[split]):
            raise CnncliError(
                f"{shown(path)}: {len(images):,} images but {len(labels[split]):,} labels ({split})",
                "Save as many labels as images.",
            )
        parts[split] = images, labels[split]
        notes += [note] if note and note not in notes else []
    if len({images.shape[1:] for images, _ in parts.values()}) > 1:
        shapes = ", ".join(f"{split} {images.shape[1:]}" for split, (images, _) in parts.items())
        raise CnncliError(f"{shown(path)}: splits differ in shape, {shapes}", "Save them alike.")
    count = sum(len(images) for images, _ in parts.values())
    found = Found(
        name=path.stem,
        classes=classes,
        provenance=f"{count:,} images of {len(classes):,} classes in {shown(path)}",
        notes=tuple(notes),
        files=(path,),
    )
    return from_arrays(found, parts, wishes, raw={split: x for split, (x, _) in pairs.items()})


def as_images(x: Raw, path: Path) -> tuple[Images, str]:
    """Bring an array of images to (N, H, W, C) uint8; a note where numbers were rescaled."""
    if x.ndim == 4 and x.shape[3] not in (1, 3) and x.shape[1] in (1, 3):
        x = np.moveaxis(x, 1, 3)
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[3] not in (1, 3) or 0 in x.shape[1:]:
        raise CnncliError(
            f"{shown(path)}: images of shape {x.shape}; expected (N, H, W) or (N, H, W, C) with C 1 or 3",
            "Reshape them before they are saved, for example to (-1, 28, 28).",
        )
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x, np.uint8), ""
    if x.dtype == np.uint16:
        return with_depth(np.ascontiguousarray(x), 8), "16-bit images are used as 8-bit"
    if x.dtype.kind not in "iufb":
        raise CnncliError(f"{shown(path)}: images of type {x.dtype}; expected numbers", _EXPECTED)
    numbers = x.astype(np.float32)
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)
    if not (low >= 0 and high <= 255):  # so that NaN fails too
        raise CnncliError(
            f"{shown(path)}: pixels from {low:g} to {high:g}; expected 0 to 1 or 0 to 255",
            "Save the pixels before they are normalised: that is done in training.",
        )
    scale = 255.0 if high <= 1 else 1.0
    note = f"pixels of 0 to {'1' if high <= 1 else '255'} in {x.dtype} are used as 8-bit"
    return np.rint(numbers * np.float32(scale)).astype(np.uint8), note


def number_labels(
    columns: dict[str, Raw], names: Raw | None, path: Path
) -> tuple[tuple[str, ...], dict[str, Labels]]:
    """Bring labels of any kind to 0 to K - 1, over all splits, and name the classes."""
    flat = {split: _flat(column, path) for split, column in columns.items()}
    together = np.concatenate(list(flat.values()))
    known, places = np.unique(together, return_inverse=True)
    classes = tuple(shown(str(each)) for each in known)
    if (
        names is not None
        and together.dtype.kind in "iu"
        and known.size
        and known[-1] < names.size
        and known[0] >= 0
    ):
        classes = tuple(shown(str(each)) for each in names.ravel())
        places = together
    ends = np.cumsum([len(column) for column in flat.values()])[:-1]
    numbered = np.split(places.astype(np.int64).ravel(), ends)
    return classes, dict(zip(flat, numbered, strict=True))


def _flat(column: Raw, path: Path) -> Raw:
    """One label an image."""
    if column.ndim == 2 and column.shape[1] > 1 and column.dtype.kind in "iufb":
        if not np.array_equal(column.astype(bool).sum(axis=1), np.ones(len(column))):
            raise CnncliError(
                f"{shown(path)}: labels of shape {column.shape} that are not one-hot",
                "Give one label an image.",
            )
        return np.asarray(np.argmax(column, axis=1), np.int64)
    flat = column.ravel()
    if column.ndim > 2 or flat.dtype.kind not in "iufbSU":
        raise CnncliError(
            f"{shown(path)}: labels of shape {column.shape} and type {column.dtype}; expected one an image",
            "Save integers or strings.",
        )
    if flat.dtype.kind == "S":
        return np.array([each.decode("utf-8", "replace") for each in flat.tolist()])
    if flat.dtype.kind == "f":
        broken = flat != np.rint(flat.astype(np.float64))
        if broken.any():
            raise CnncliError(
                f"{shown(path)}: label {flat[broken][0]} is no whole number; expected whole numbers or names",
                "Save integers.",
            )
        return flat.astype(np.int64)
    return flat.astype(np.int64) if flat.dtype.kind == "b" else flat


def _arrays(path: Path) -> dict[str, Raw]:
    """All arrays of a file."""
    import zipfile

    try:
        with path.open("rb") as raw:  # np.load leaves a damaged file open
            if not raw.peek(2).startswith((b"PK", b"\x93NUMPY")):
                raise _damaged(path, "it is no zip archive")
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise CnncliError(f"{shown(path)} is a single array", _EXPECTED)
            return {name: file[name] for name in file.files}
    except OSError as error:
        if error.errno is None:
            raise _damaged(path, str(error)) from error
        raise reading_fault(error, path) from error
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise CnncliError(
                f"{shown(path)} holds pickled objects, which are never read",
                "Save plain arrays: x as uint8 of one shape, y as integers or strings.",
            ) from error
        raise _damaged(path, str(error)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, MemoryError, NotImplementedError) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error


def _damaged(path: Path, why: str) -> CnncliError:
    return CnncliError(
        f"{shown(path)} is damaged or no .npz file ({shown(why)})",
        "Save it again with np.savez_compressed.",
    )
