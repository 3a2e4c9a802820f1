"""What annotations and results call images: their files, with as much of the folders as tells them apart."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import PurePath

SEVERAL = -1  # the position of a name that more than one image has


def positions_of(names: Iterable[Iterable[Hashable]]) -> dict[Hashable, int]:
    """Positions of images by all that each may be called; `SEVERAL` where that is not one image's alone."""
    places: dict[Hashable, int] = {}
    for at, each in enumerate(names):
        for name in each:
            places[name] = at if places.get(name, at) == at else SEVERAL
    return places


def names_of(name: str) -> set[Hashable]:
    """What an image may be called, by the path of its file: with any number of folders, without suffix."""
    path = PurePath(name)
    return {name, path.stem, *_endings(path)}


def number_of(name: str) -> int | None:
    """The number that the name of a file is, without folders and suffix; None where it is none."""
    stem = PurePath(name).stem
    return int(stem) if stem.isdecimal() and len(stem) < 16 else None


def told_apart(names: Sequence[str]) -> dict[str, str]:
    """Of each of some paths the end of it that no other has: the file's name, where that is enough."""
    endings = {name: _endings(PurePath(name)) for name in names}
    told: dict[str, str] = {}
    left = list(endings)
    for length in range(1, 1 + max(map(len, endings.values()), default=0)):
        alike: dict[str, list[str]] = defaultdict(list)
        for name in left:
            alike[endings[name][min(length, len(endings[name])) - 1]].append(name)
        told |= {one: ending for ending, (one, *others) in alike.items() if not others}
        left = [name for name in left if name not in told]
    return {**{name: name for name in left}, **told}


def _endings(path: PurePath) -> list[str]:
    """The name of a file, then with one more of its folders each."""
    return [str(PurePath(*path.parts[at:])) for at in reversed(range(len(path.parts)))]
