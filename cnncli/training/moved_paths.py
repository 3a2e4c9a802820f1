"""Paths of a dataset as the user first wrote them, wherever a run is gone on with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cnncli.data.files import Files
from cnncli.data.model import Arrays, Dataset, Split
from cnncli.files.faults import shown


@dataclass(frozen=True, eq=False)
class _Renamed(Files):
    """Files that reports call by other names than those they are opened by."""

    names: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        """As it was written first."""
        return self.names[index]


def as_given(dataset: Dataset, given: str, place: str) -> Dataset:
    """Call the test images of a dataset, which reports name, by the path that the user gave.

    Parameters
    ----------
    dataset : Dataset
        Loaded from either path.
    given : str
        The path, perhaps relative to a folder that was left since.
    place : str
        The same from the root.

    Returns
    -------
    Dataset
        Its reports are the same bytes in every folder that a run is gone on with from.
    """
    before, after = Path(shown(place)), Path(shown(given))
    if not Path(place).is_dir():  # a table, whose images lie beside it
        before, after = before.parent, after.parent

    def spell(name: str) -> str:
        path = Path(name)
        return str(after / path.relative_to(before)) if path.is_relative_to(before) else name

    return dataset if before == after else replace(dataset, test=_spelled(dataset.test, spell))


def _spelled(split: Split, spell: Callable[[str], str]) -> Split:
    if isinstance(split, Arrays):
        return replace(split, names=None if split.names is None else [spell(name) for name in split.names])
    if isinstance(split, Files):
        names = tuple(spell(split.name(at)) for at in range(len(split)))
        return _Renamed(split.paths, split.targets, split.input_spec, split.digests, split.keys, names=names)
    return split
