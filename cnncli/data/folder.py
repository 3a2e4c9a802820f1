"""A folder of class folders, with or without train, val and test above them."""

from pathlib import Path

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_files, listed
from cnncli.data.classes import class_name, doubtful, ordered
from cnncli.data.folder_tree import Branch, Leftovers, branches
from cnncli.data.model import Dataset
from cnncli.data.split_folders import LAYOUT, splits_of, turned
from cnncli.data.split_names import joined
from cnncli.errors import CnncliError
from cnncli.images.faults import shown

Part = dict[str, list[Path]]  # class name to its images


def load_folder(root: Path, load_options: LoadOptions) -> Dataset:
    """Read a folder of class folders, or of splits with class folders in them.

    Classes are in the order of their names, or of their numbers where all are numbers. Images may lie
    at any depth below a class folder. Hidden files are passed over, and whatever is no regular file.

    Raises
    ------
    CnncliError
        Where there are no class folders, no classes with images, or two ways to read the folder.
    """
    left = Leftovers()
    top, loose = branches(root, left)
    top = turned(root, top, load_options.layout)
    splits, note = splits_of(root, top, load_options.layout, untrained=load_options.whole)
    found, stray = _sorted(top, splits)
    names = ordered(name for part in found.values() for name in part)
    filled = [name for name in names if any(part.get(name) for part in found.values())]
    warnings = _left_out(left, [*loose, *stray]) + doubtful(filled)
    if empty := [name for name in names if name not in filled]:
        warnings.insert(0, f"no images in class {listed([shown(name) for name in empty])}: left out")
    if splits and (beside := [each for each in top if each.path.name not in splits and each.images]):
        warnings.append(f"{joined([each.path.name for each in beside])} beside the splits: left out")
    if not filled:
        what = "images but no class folders" if loose else "no images"
        raise CnncliError(f"{shown(root)} holds {what}", LAYOUT)
    if load_options.for_training and len(filled) == 1 and not splits:
        _refuse_one_too_many(root, top)
    numbers = {name: label for label, name in enumerate(filled)}
    parts = {
        split: [(path, numbers[name]) for name in filled for path in part.get(name, [])]
        for split, part in found.items()
    }
    count = sum(len(files) for files in parts.values())
    description = DatasetDescription(
        name=root.resolve().name or "data",
        classes=tuple(shown(name) for name in filled),
        provenance=f"{count:,} images in {len(filled):,} class folders of {shown(root)}{note}",
        warnings=tuple(warnings),
    )
    return from_files(description, {split: files for split, files in parts.items() if files}, load_options)


def _refuse_one_too_many(root: Path, top: list[Branch]) -> None:
    """Name the folder that was probably meant, where there is one folder only and others are in it."""
    (only,) = (branch for branch in top if branch.images)
    if len(only.filled) > 1 and not only.loose:
        raise CnncliError(
            f"{shown(root)} holds one folder, {shown(only.path.name)}, with {joined(sorted(only.filled))} in "
            "it; expected folders of classes",
            f"Name {shown(only.path)} if its folders are the classes or the splits.",
        )


def _sorted(top: list[Branch], splits: dict[str, str]) -> tuple[dict[str, Part], list[Path]]:
    """Split to class to images, and images of splits that lie outside class folders."""
    found: dict[str, Part] = {}
    stray: list[Path] = []
    for branch in top:
        if not splits:
            name = class_name(branch.path.name)
            found.setdefault("train", {}).setdefault(name, []).extend(branch.images)
        elif branch.path.name in splits:
            part = found.setdefault(splits[branch.path.name], {})
            stray += branch.loose
            for name, images in branch.inner.items():
                part.setdefault(name, []).extend(images)
    return found, stray


def _left_out(left: Leftovers, loose: list[Path]) -> list[str]:
    """What is said of entries that are not used."""
    warnings = []
    if loose:
        warnings.append(f"{listed([shown(path.name) for path in loose])}: outside a class folder, left out")
    if left.others:
        what = "1 file is no image" if left.others == 1 else f"{left.others:,} files are no images"
        warnings.append(f"{what} by the suffix: left out")
    if left.special:
        names = listed([shown(path) for path in left.special])
        warnings.append(f"{names}: a pipe, a socket or a device, left out; only regular files are read")
    if left.closed:
        names = listed([shown(path) for path in left.closed])
        warnings.append(f"{names}: the folder may not be read, left out")
    return warnings
