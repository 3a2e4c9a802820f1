"""List a folder of images: its subfolders, their images, and files that are not images."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cnncli.data.classes import class_name
from cnncli.data.split_names import split_of
from cnncli.files.faults import reading_fault
from cnncli.images.formats import READ_SUFFIXES


@dataclass
class Leftovers:
    """Entries that are ignored.

    Attributes
    ----------
    others : int
        Files that are not images by their suffix.
    special : list of Path
        Pipes, sockets and devices, also behind a link: opening one may block forever.
    closed : list of Path
        Folders that cannot be read.
    """

    others: int = 0
    special: list[Path] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Branch:
    """A folder directly below the root.

    Attributes
    ----------
    path : Path
    loose : tuple of Path
        Images directly in it.
    inner : dict
        Name of each subfolder, with normalised accents, to the images at any depth below it, possibly none.
    """

    path: Path
    loose: tuple[Path, ...]
    inner: dict[str, list[Path]]

    @property
    def images(self) -> list[Path]:
        """All images of the branch."""
        return [*self.loose, *(path for part in self.inner.values() for path in part)]

    @property
    def filled(self) -> set[str]:
        """Names of its subfolders that contain images."""
        return {name for name, images in self.inner.items() if images}


def branches(root: Path, leftovers: Leftovers) -> tuple[list[Branch], list[Path]]:
    """Find the folders directly below a root, and the images beside them.

    Hidden entries are ignored. Images may lie at any depth; links are followed, but not in circles.

    Raises
    ------
    CnncliError
        If the root cannot be read.
    """
    try:
        folders, loose = _entries(root, leftovers)
    except OSError as error:
        raise reading_fault(error, root) from error
    return [_branch(folder, leftovers) for folder in folders], loose


def _branch(folder: Path, leftovers: Leftovers) -> Branch:
    folders, loose = _open_entries(folder, leftovers)
    if len(folders) == 1 and not loose and _same_word(folder, folders[0]):
        folders, loose = _open_entries(folders[0], leftovers)  # seg_train/seg_train, as archives unpack
    inner: dict[str, list[Path]] = {}
    for each in folders:
        inner.setdefault(class_name(each.name), []).extend(
            _below(each, leftovers, frozenset({_identity(folder)}))
        )
    return Branch(folder, tuple(loose), inner)


def _same_word(folder: Path, inner: Path) -> bool:
    return folder.name.casefold() == inner.name.casefold() and split_of(folder.name) is not None


def _below(folder: Path, leftovers: Leftovers, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """Images at any depth below a folder; a folder's own images come before those of its subfolders.

    ``above`` are the parent folders: a link to one of them is not followed.
    """
    if (here := _identity(folder)) in above:
        return
    folders, images = _open_entries(folder, leftovers)
    yield from images
    for each in folders:
        yield from _below(each, leftovers, above | {here})


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _open_entries(folder: Path, leftovers: Leftovers) -> tuple[list[Path], list[Path]]:
    try:
        return _entries(folder, leftovers)
    except OSError:
        leftovers.closed.append(folder)
        return [], []


def _entries(folder: Path, leftovers: Leftovers) -> tuple[list[Path], list[Path]]:
    """Folders and images in a folder, sorted by name, without hidden ones."""
    folders, images = [], []
    with os.scandir(folder) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.name.startswith((".", "__MACOSX")):
                continue
            path = folder / entry.name
            if entry.is_dir():
                folders.append(path)
            elif path.suffix.lower() not in READ_SUFFIXES:
                leftovers.others += 1
            elif entry.is_file() or not path.exists():  # a broken link is reported when it is decoded
                images.append(path)
            else:
                leftovers.special.append(path)
    return folders, images
