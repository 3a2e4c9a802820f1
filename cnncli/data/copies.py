"""What copies there are in a data set: in a whole that is going to be divided, and across given splits."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.data.identity import FileDigests, copied, keys_of
from cnncli.data.model import Labels, Split

_NAMED = 3  # images that a warning names
_WORDS = {"train": "training", "val": "validation", "test": "test"}


def conflicts(
    splits: Mapping[str, Split], classes: Sequence[str]
) -> tuple[dict[str, NDArray[np.bool_]], tuple[str, ...]]:
    """Find the files whose content appears under two labels, in one split or in several.

    Returns
    -------
    torn, warnings
        For each split, (N,) bool; a warning that counts them, if there are any.
    """
    keys = np.concatenate([keys_of(split) for split in splits.values()])
    labels = np.concatenate([split.labels for split in splits.values()])
    torn = _torn(keys, labels)
    ends = np.cumsum([len(split) for split in splits.values()])
    parts = dict(zip(splits, np.split(torn, ends[:-1]), strict=True))
    if not torn.any():
        return parts, ()
    names = [split.name(int(at)) for part, split in splits.items() for at in np.flatnonzero(parts[part])]
    examples = []
    for key in dict.fromkeys(keys[torn].tolist()):
        same = np.flatnonzero(keys[torn] == key)
        called = sorted({classes[label] for label in labels[torn][same]})
        examples.append(f"{names[same[0]]} ({' and '.join(called)})")
    count = int(torn.sum())
    return parts, (
        f"{count:,} files have one content and two labels, and are left out: {_shortened(examples)}",
    )


def _torn(marks: FileDigests, labels: Labels) -> NDArray[np.bool_]:
    """Tell which images share their mark with one of another label."""
    _, places = np.unique(marks, return_inverse=True)
    kinds = np.unique(np.stack([places, labels]), axis=1)
    return np.bincount(kinds[0], minlength=places.max(initial=-1) + 1)[places] > 1


def copies_within(digests: FileDigests, split: Split) -> list[str]:
    """Warnings for one whole: how many images repeat others, and how many do so under another class."""
    warnings = []
    if count := copied(digests):
        warnings.append(
            f"{count:,} of {len(digests):,} images are copies of others: "
            "copies are held out together, or not at all"
        )
    torn = _torn(digests, split.labels)
    if count := int(torn.sum()):
        names = _listed(split, np.flatnonzero(torn))
        warnings.append(f"{count:,} images have copies of another class, so that one is wrong: {names}")
    return warnings


def copies_across(splits: Mapping[str, Split], digests: Mapping[str, FileDigests]) -> list[str]:
    """Warnings for given splits: how many images of one are in another, which makes a test say too much."""
    warnings = []
    for part, others in (("test", ("train", "val")), ("val", ("train",))):
        for other in others:
            if part not in splits or other not in splits:
                continue
            twice = np.flatnonzero(np.isin(digests[part], digests[other]))
            if len(twice):
                warnings.append(
                    f"{len(twice):,} of the {len(splits[part]):,} {_WORDS[part]} images are also "
                    f"{_WORDS[other]} images: {_listed(splits[part], twice)}"
                )
    return warnings


def _listed(split: Split, places: NDArray[np.intp]) -> str:
    return _shortened([split.name(int(place)) for place in places])


def _shortened(names: Sequence[str]) -> str:
    shorter = ", ".join(names[:_NAMED])
    return shorter if len(names) <= _NAMED else f"{shorter} and {len(names) - _NAMED:,} more"
