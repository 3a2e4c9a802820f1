"""Number labels of any type from 0 and name the classes, consistently over all splits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.class_labels import Numbers
from cnncli.data.classes import class_name, is_missing, ordered
from cnncli.data.split_names import joined
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

Raw = NDArray[np.generic]

MISSING = -1  # the number of an image without a label


def number_labels(
    columns: dict[str, Raw], names: Raw | None, path: Path
) -> tuple[tuple[str, ...], dict[str, Numbers]]:
    """Number labels of any type from 0 to K - 1 over all splits, and name the classes.

    Parameters
    ----------
    columns : dict
        Split to labels: integers, strings, floats with integer values, or one-hot rows.
    names : ndarray or None
        Names of the classes 0, 1, 2 … for numeric labels.
    path : Path
        The file, for error messages.

    Returns
    -------
    classes, labels
        Names, and for each split int64 (N,), `MISSING` where there is no label (NaN, ``nan`` or nothing).

    Raises
    ------
    CnncliError
        Where labels have the wrong type or shape, or do not fit the names.
    """
    distinct = {
        split: np.unique(_one_per_image(column, path), return_inverse=True)
        for split, column in columns.items()
    }
    class_names = {
        split: [class_name(text) for text in _as_texts(known, path)] for split, (known, _) in distinct.items()
    }
    present = ordered(name for texts in class_names.values() for name in texts if not is_missing(name))
    if names is not None and all(known.dtype.kind in "iuf" for known, _ in distinct.values()):
        classes = _named(names, present, path)
        number = {str(at): at for at in range(len(classes))}
    else:
        classes, number = present, {name: at for at, name in enumerate(present)}
    labels = {
        split: np.array([number.get(name, MISSING) for name in class_names[split]], np.int64)[places.ravel()]
        for split, (_, places) in distinct.items()
    }
    return tuple(map(shown, classes)), labels


def unlabelled(labels: Numbers, what: str) -> list[str]:
    """A warning that counts the images without a label; empty where all have one."""
    count = int((labels == MISSING).sum())
    return [f"{count:,} images have no label in {shown(what)} (empty or nan): left out"] if count else []


def _named(names: Raw, numbers: Sequence[str], path: Path) -> list[str]:
    """Names of the classes; every class that occurs must have one."""
    if names.dtype.kind not in "US":
        raise CnncliError(
            f"{shown(path)}: names of classes are of type {names.dtype}; expected strings", "Save strings."
        )
    called = [class_name(text) for text in _as_texts(names.ravel(), path)]
    if len(set(called)) < len(called):
        twice = sorted({name for name in called if called.count(name) > 1})
        raise CnncliError(
            f"{shown(path)}: two classes are named {joined(twice)}; expected different names", "Rename one."
        )
    beyond = [number for number in ordered(numbers) if not 0 <= int(number) < len(called)]
    if beyond:
        raise CnncliError(
            f"{shown(path)}: {len(called):,} names of classes, but label {joined(beyond)}; expected "
            f"labels of 0 to {len(called) - 1:,}",
            "Number the classes from 0, or save a name for each label.",
        )
    return called


def _one_per_image(column: Raw, path: Path) -> Raw:
    """Check that there is one label for each image; return them as (N,)."""
    if column.ndim == 2 and column.shape[1] > 1 and column.dtype.kind in "iufb":
        if not np.array_equal(column.astype(bool).sum(axis=1), np.ones(len(column))):
            raise CnncliError(
                f"{shown(path)}: labels of shape {column.shape} are not one-hot; expected one per image",
                "Give one label per image.",
            )
        return np.asarray(np.argmax(column, axis=1), np.int64)
    flat = column.ravel()
    if column.shape[1:] not in ((), (1,)) or flat.dtype.kind not in "iufbSU":
        raise CnncliError(
            f"{shown(path)}: labels of shape {column.shape} and type {column.dtype}; "
            "expected one label per image",
            "Save integers or strings.",
        )
    return flat.astype(np.int64) if flat.dtype.kind == "b" else flat


def _as_texts(known: Raw, path: Path) -> list[str]:
    """Labels as strings; ``nan`` for NaN."""
    if known.dtype.kind != "f":
        return [
            each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
            for each in known.tolist()
        ]
    numbers = known.astype(np.float64)
    there = ~np.isnan(numbers)
    broken = there & ~((numbers == np.rint(numbers)) & (np.abs(numbers) < 2.0**53))
    if broken.any():
        raise CnncliError(
            f"{shown(path)}: label {known[broken][0]} is not a whole number; expected whole numbers or names",
            "Save integers.",
        )
    return [str(int(each)) if is_number else "nan" for each, is_number in zip(numbers, there, strict=True)]
