"""Find the image files that a table names, even where suffix, folder or spelling differ from the disk."""

import os
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cnncli.images.formats import READ_SUFFIXES

_KEPT = 10_000  # names whose files are cached
_MOST_FILES = 2_000_000  # files below the table's folder that are searched


@dataclass(frozen=True)
class AmbiguousName:
    """Several files that match a name."""

    paths: tuple[Path, ...]


class FileLookup:
    """Files in and below the folder of a table.

    Parameters
    ----------
    folder : Path
        What names are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_stem: dict[str, list[str]] | None = None
        self._found: dict[str, Path | AmbiguousName | None] = {}  # rows repeat names

    def find_exact(self, cell: str) -> Path | None:
        """The file with exactly this name, with either kind of slash; None where there is none."""
        for name in (cell, cell.replace("\\", "/")) if "\\" in cell else (cell,):
            path = self.folder / name
            try:
                if name and path.is_file():
                    return path
            except (OSError, ValueError):  # not a file name, for example a long text
                return None
        return None

    def find(self, cell: str) -> Path | AmbiguousName | None:
        """The only file that a name can mean; the name may lack the suffix and leading folders.

        Case and the encoding of accents may differ from the disk's.
        """
        if cell not in self._found:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[cell] = self.find_exact(cell) or self._find_loosely(cell)
        return self._found[cell]

    def _find_loosely(self, cell: str) -> Path | AmbiguousName | None:
        parts = PurePosixPath(_folded(cell.replace("\\", "/"))).parts
        if not parts or parts[0] == "/" or ".." in parts or "://" in cell:
            return None
        found = self._ending_in(parts)
        beside = [name for name in found if name.count("/") == len(parts) - 1]
        chosen = beside if len(beside) == 1 else found
        paths = tuple(path for name in chosen if (path := self.folder / name).is_file())
        return None if not paths else paths[0] if len(paths) == 1 else AmbiguousName(paths)

    def _ending_in(self, parts: tuple[str, ...]) -> list[str]:
        """Files whose paths end in these parts, with or without the suffix."""
        stems = self._stems()
        name = parts[-1]
        found = []
        for key in {name, PurePosixPath(name).stem}:
            for place in stems.get(key, ()):
                there = PurePosixPath(_folded(place))
                if name in (there.name, there.stem) and there.parts[-len(parts) : -1] == parts[:-1]:
                    found.append(place)
        whole = [place for place in found if PurePosixPath(_folded(place)).name == name]
        return whole or found

    def _stems(self) -> dict[str, list[str]]:
        """Map the case-folded stem of every image below the folder to relative paths."""
        if self._by_stem is None:
            self._by_stem = defaultdict(list)
            seen = 0
            for parent, folders, files in os.walk(self.folder):
                folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
                seen += len(files)
                if seen > _MOST_FILES:
                    self._by_stem.clear()  # an incomplete list could make an ambiguous name look unique
                    break
                for name in files:
                    if looks_like_image(name):
                        place = str(Path(parent, name).relative_to(self.folder))
                        self._by_stem[PurePosixPath(_folded(name)).stem].append(place)
        return self._by_stem


def _folded(name: str) -> str:
    """A name without differences of case, accents' encoding and a leading ``./``."""
    return re.sub(r"^(\./)+", "", unicodedata.normalize("NFC", name).casefold())


def looks_like_image(cell: str) -> bool:
    """Whether a cell ends in the suffix of an image."""
    return PurePosixPath(cell.replace("\\", "/")).suffix.lower() in READ_SUFFIXES
