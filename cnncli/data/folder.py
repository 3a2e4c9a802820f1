"""A folder of class folders, with or without train, val and test above them."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from cnncli.data.assemble import Found, Wishes, from_files, listed
from cnncli.data.model import Dataset
from cnncli.errors import CnncliError
from cnncli.images.faults import reading_fault, shown
from cnncli.images.formats import READ_SUFFIXES

_SPLIT_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_LAYOUT = "Expected FOLDER/CLASS/image.png, or FOLDER/train/CLASS/image.png and FOLDER/test/CLASS/image.png."

Part = dict[str, list[Path]]  # class name to its images


def load_folder(root: Path, wishes: Wishes) -> Dataset:
    """Read a folder of class folders.

    Classes are in the order of their names, or of their numbers where all are numbers. Images may lie
    at any depth below a class folder. Hidden files are passed over.

    Raises
    ------
    CnncliError
        Where there are no class folders, or fewer than two classes with images.
    """
    found, others, loose = _scan(root)
    names = sorted({name for part in found.values() for name in part}, key=_class_order(found))
    filled = [name for name in names if any(part.get(name) for part in found.values())]
    warnings = []
    if empty := [name for name in names if name not in filled]:
        warnings.append(f"no images in class {listed([shown(name) for name in empty])}: left out")
    if loose:
        warnings.append(f"{listed([shown(path.name) for path in loose])}: outside a class folder, left out")
    if others:
        what = "1 file is no image" if others == 1 else f"{others:,} files are no images"
        warnings.append(f"{what} by the suffix: left out")
    if not filled:
        what = "images but no class folders" if loose else "no images"
        raise CnncliError(f"{shown(root)} holds {what}", _LAYOUT)
    numbers = {name: label for label, name in enumerate(filled)}
    parts = {
        split: [(path, numbers[name]) for name in filled for path in part.get(name, [])]
        for split, part in found.items()
    }
    parts, said = without_conflicts(parts, tuple(filled))
    count = sum(len(files) for files in parts.values())
    description = Found(
        name=root.resolve().name or "data",
        classes=tuple(shown(name) for name in filled),
        provenance=f"{count:,} images in {len(filled):,} class folders of {shown(root)}",
        warnings=(*warnings, *said),
    )
    return from_files(description, {split: files for split, files in parts.items() if files}, wishes)


def without_conflicts(
    parts: dict[str, list[tuple[Path, int]]], classes: tuple[str, ...]
) -> tuple[dict[str, list[tuple[Path, int]]], list[str]]:
    """Leave out files whose content appears under two labels; tell of those in two splits.

    Only files of equal length are read, and compared by digest.

    Returns
    -------
    parts, warnings
        The same files without those that contradict each other.
    """
    by_size: dict[int, list[tuple[str, Path, int]]] = defaultdict(list)
    for split, files in parts.items():
        for path, label in files:
            by_size[_size(path)].append((split, path, label))
    torn: set[Path] = set()
    examples, shared = [], []
    for size, group in by_size.items():
        if size <= 0 or len({(split, label) for split, _, label in group}) < 2:
            continue
        for same in _identical(group):
            labels = {label for _, _, label in same}
            if len(labels) > 1:
                torn.update(path for _, path, _ in same)
                examples.append(
                    f"{shown(same[0][1])} ({' and '.join(sorted(classes[each] for each in labels))})"
                )
            elif "train" in {split for split, _, _ in same} and len({split for split, _, _ in same}) > 1:
                shared.append(shown(same[0][1]))
    warnings = []
    if examples:
        warnings.append(
            f"{len(torn):,} files have one content and two labels, and are left out: {listed(examples)}"
        )
    if shared:
        warnings.append(f"{len(shared):,} training images are also in another split: {listed(shared)}")
    kept = {split: [each for each in files if each[0] not in torn] for split, files in parts.items()}
    return kept, warnings


def _identical(group: list[tuple[str, Path, int]]) -> list[list[tuple[str, Path, int]]]:
    """Files of one content, two or more each."""
    by_digest: dict[bytes, list[tuple[str, Path, int]]] = defaultdict(list)
    for each in group:
        try:
            digest = hashlib.blake2b(each[1].read_bytes(), digest_size=16).digest()
        except OSError:
            continue  # named when it is decoded
        by_digest[digest].append(each)
    return [same for same in by_digest.values() if len(same) > 1]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _scan(root: Path) -> tuple[dict[str, Part], int, list[Path]]:
    """Split to class to images; the number of other files; images outside class folders."""
    folders, loose = _entries(root)
    splits = {
        folder: _SPLIT_NAMES[folder.name.lower()] for folder in folders if folder.name.lower() in _SPLIT_NAMES
    }
    if "train" not in splits.values():
        splits = {}
    found: dict[str, Part] = {}
    others = 0
    for top, split in (splits or {root: "train"}).items():
        inner, stray = _entries(top)
        loose += stray if splits else []
        part = found.setdefault(split, {})
        for folder in inner:
            images, other = _images(folder)
            part.setdefault(folder.name, []).extend(images)
            others += other
    others += sum(path.suffix.lower() not in READ_SUFFIXES for path in loose)
    return found, others, [path for path in loose if path.suffix.lower() in READ_SUFFIXES]


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files in a folder, by name, hidden ones left out."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise reading_fault(error, folder) from error
    visible = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
    return [entry for entry in visible if entry.is_dir()], [entry for entry in visible if not entry.is_dir()]


def _images(folder: Path) -> tuple[list[Path], int]:
    """Images below a class folder, by path, and the number of other files."""
    images, others = [], 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        for name in sorted(files):
            if name.startswith("."):
                continue
            path = Path(place, name)
            if path.suffix.lower() in READ_SUFFIXES:
                images.append(path)
            else:
                others += 1
    return images, others


def _class_order(found: dict[str, Part]) -> Callable[[str], tuple[int, str]]:
    """By number where every class is one, else by name."""
    if all(name.isdecimal() for part in found.values() for name in part):
        return lambda name: (int(name), name)
    return lambda name: (0, name)
