"""A folder of class folders, with or without train, val and test above them."""

from pathlib import Path

import numpy as np

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_files
from cnncli.data.class_labels import ClassLabels
from cnncli.data.classes import case_warnings, class_name, ordered
from cnncli.data.folder_tree import Branch, Leftovers, branches
from cnncli.data.model import Dataset
from cnncli.data.split_folders import LAYOUT_HINT, splits_of, with_splits_on_top
from cnncli.data.split_names import joined
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.text import listed

Part = dict[str, list[Path]]  # class name to its images


def load_folder(root: Path, load_options: LoadOptions) -> Dataset:
    """Read a folder of class folders, or of splits that contain class folders.

    Classes are sorted by name, or by number where all names are numbers. Images may lie at any depth below a
    class folder. Hidden files are ignored, and so is everything that is not a regular file.

    Raises
    ------
    CnncliError
        Where there are no class folders or no classes with images, or where the folder is ambiguous.
    """
    leftovers = Leftovers()
    top, loose = branches(root, leftovers)
    top = with_splits_on_top(root, top, load_options.layout)
    splits, note = splits_of(root, top, load_options.layout, untrained=load_options.whole)
    by_split, stray = _sorted(top, splits)
    names = ordered(name for part in by_split.values() for name in part)
    filled = [name for name in names if any(part.get(name) for part in by_split.values())]
    warnings = _left_out(leftovers, [*loose, *stray]) + case_warnings(filled)
    if empty := [name for name in names if name not in filled]:
        warnings.insert(0, f"no images in class {listed([shown(name) for name in empty])}: left out")
    if splits and (beside := [each for each in top if each.path.name not in splits and each.images]):
        warnings.append(f"{joined([each.path.name for each in beside])} beside the splits: left out")
    if not filled:
        what = "images but no class folders" if loose else "no images"
        raise CnncliError(f"{shown(root)} holds {what}", LAYOUT_HINT)
    if load_options.for_training and len(filled) == 1 and not splits:
        _refuse_one_too_many(root, top)
    numbers = {name: label for label, name in enumerate(filled)}
    classes = tuple(shown(name) for name in filled)
    parts = {}
    for split, part in by_split.items():
        paths = [path for name in filled for path in part.get(name, [])]
        labels = [numbers[name] for name in filled for _ in part.get(name, [])]
        if paths:
            parts[split] = paths, ClassLabels(np.array(labels, np.int64), classes)
    count = sum(len(paths) for paths, _ in parts.values())
    description = DatasetDescription(
        name=root.resolve().name or "data",
        provenance=f"{count:,} images in {len(filled):,} class folders of {shown(root)}{note}",
        warnings=tuple(warnings),
    )
    return from_files(description, parts, load_options)


def _refuse_one_too_many(root: Path, top: list[Branch]) -> None:
    """Name the folder that was probably meant, where the only folder contains further folders."""
    (only,) = (branch for branch in top if branch.images)
    if len(only.filled) > 1 and not only.loose:
        raise CnncliError(
            f"{shown(root)} holds one folder, {shown(only.path.name)}, with {joined(sorted(only.filled))} in "
            "it; expected folders of classes",
            f"Name {shown(only.path)} if its folders are the classes or the splits.",
        )


def _sorted(top: list[Branch], splits: dict[str, str]) -> tuple[dict[str, Part], list[Path]]:
    """Map each split to its classes and their images; list images of splits outside class folders."""
    by_split: dict[str, Part] = {}
    stray: list[Path] = []
    for branch in top:
        if not splits:
            name = class_name(branch.path.name)
            by_split.setdefault("train", {}).setdefault(name, []).extend(branch.images)
        elif branch.path.name in splits:
            part = by_split.setdefault(splits[branch.path.name], {})
            stray += branch.loose
            for name, images in branch.inner.items():
                part.setdefault(name, []).extend(images)
    return by_split, stray


def _left_out(leftovers: Leftovers, loose: list[Path]) -> list[str]:
    """Warnings about entries that are not used."""
    warnings = []
    if loose:
        warnings.append(f"{listed([shown(path.name) for path in loose])}: outside a class folder, left out")
    if leftovers.others:
        what = (
            "1 file is not an image"
            if leftovers.others == 1
            else f"{leftovers.others:,} files are not images"
        )
        warnings.append(f"{what} by the suffix: left out")
    if leftovers.special:
        names = listed([shown(path) for path in leftovers.special])
        warnings.append(f"{names}: a pipe, a socket or a device, left out; only regular files are read")
    if leftovers.closed:
        names = listed([shown(path) for path in leftovers.closed])
        warnings.append(f"{names}: the folder may not be read, left out")
    return warnings
