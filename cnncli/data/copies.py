"""What copies there are in a data set: in a whole that is going to be divided, and across given splits."""

from collections.abc import Mapping

import numpy as np

from cnncli.data.identity import Marks, copied
from cnncli.data.model import Split

_NAMED = 3  # images that a warning names
_WORDS = {"train": "training", "val": "validation", "test": "test"}


def copies_within(digests: Marks, split: Split) -> list[str]:
    """Warnings for one whole: how many images repeat others, and how many do so under another class."""
    warnings = []
    if count := copied(digests):
        warnings.append(
            f"{count:,} of {len(digests):,} images are copies of others: "
            "copies are held out together, or not at all"
        )
    _, places = np.unique(digests, return_inverse=True)
    kinds = np.unique(np.stack([places, split.labels]), axis=1)
    torn = np.bincount(kinds[0], minlength=places.max(initial=-1) + 1)[places] > 1
    if count := int(torn.sum()):
        names = _listed(split, np.flatnonzero(torn))
        warnings.append(f"{count:,} images have copies of another class, so that one is wrong: {names}")
    return warnings


def copies_across(splits: Mapping[str, Split], digests: Mapping[str, Marks]) -> list[str]:
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


def _listed(split: Split, places: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> str:
    names = ", ".join(split.name(int(place)) for place in places[:_NAMED])
    return names if len(places) <= _NAMED else f"{names} and {len(places) - _NAMED:,} more"
