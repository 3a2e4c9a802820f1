"""Pascal VOC's lists of images: ``ImageSets/Main/train.txt`` and the like, a name in each line."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Literal

from cnncli.data.lines import read_lines

_BOTH = "trainval"
_LISTS = ("train", "val", "test", _BOTH)


def image_sets(folder: Path, kind: Literal["Main", "Segmentation"]) -> dict[str, tuple[str, ...]]:
    """Names of the images of each split, without suffixes; empty where there are no such lists.

    Where there is no ``train.txt``, those of ``trainval.txt`` that ``val.txt`` has not are for training, and
    likewise for validation. Lists of one class (``cat_train.txt``) say nothing about splits.

    Raises
    ------
    CnncliError
        Where a list cannot be read.
    """
    lists = {name: folder / "ImageSets" / kind / f"{name}.txt" for name in _LISTS}
    found = {name: _names(path) for name, path in lists.items() if path.is_file()}
    both = found.pop(_BOTH, ())
    if both and "train" not in found:
        found["train"] = _without(both, found.get("val", ()))
    elif both and "val" not in found:
        found["val"] = _without(both, found["train"])
    return {split: found[split] for split in ("train", "val", "test") if found.get(split)}


def _names(path: Path) -> tuple[str, ...]:
    """The first word of each line: more may say whether the image has an object, or where its mask is."""
    words = (line.split()[0] for line in read_lines(path) if line)
    return tuple(dict.fromkeys(PurePath(word).stem if "/" in word else word for word in words))


def _without(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    left_out = frozenset(others)
    return tuple(name for name in names if name not in left_out)
