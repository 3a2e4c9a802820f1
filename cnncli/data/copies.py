"""Copies of images in a dataset: within data that are to be divided, and across given splits."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.data.identity import Digests, count_copies, keys_of
from cnncli.data.model import Split

_NAMED = 3  # images that a warning names
_WORDS = {"train": "training", "val": "validation", "test": "test"}


def conflicts(
    splits: Mapping[str, Split],
) -> tuple[dict[str, NDArray[np.bool_]], tuple[str, ...]]:
    """Find files with equal content but different targets, in one split or across splits.

    Returns
    -------
    conflicting, warnings
        For each split, (N,) bool; a warning that counts the files, if there are any.
    """
    keys = np.concatenate([keys_of(split) for split in splits.values()])
    targets = np.concatenate([split.targets.identities for split in splits.values()])
    conflicting = _conflicting(keys, targets)
    ends = np.cumsum([len(split) for split in splits.values()])
    parts = dict(zip(splits, np.split(conflicting, ends[:-1]), strict=True))
    if not conflicting.any():
        return parts, ()
    names, texts = [], []
    for part, split in splits.items():
        there = np.flatnonzero(parts[part])
        names += [split.name(int(at)) for at in there]
        texts += split.targets.take(there).texts()
    examples = []
    for key in dict.fromkeys(keys[conflicting].tolist()):
        same = np.flatnonzero(keys[conflicting] == key)
        different = sorted({texts[at] for at in same})
        examples.append(f"{names[same[0]]} ({' and '.join(different)})")
    count = int(conflicting.sum())
    return parts, (
        f"{count:,} files with equal content have different labels and are left out: {_shortened(examples)}",
    )


def _conflicting(digests: Digests, targets: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which images have the digest of an image with another target."""
    _, places = np.unique(digests, return_inverse=True)
    kinds = np.unique(np.stack([places.astype(np.uint64), targets]), axis=1)
    return np.bincount(kinds[0].astype(np.intp), minlength=places.max(initial=-1) + 1)[places] > 1


def copies_within(digests: Digests, split: Split) -> list[str]:
    """Warnings for undivided data: how many images are copies, and how many copies have another class."""
    warnings = []
    if count := count_copies(digests):
        warnings.append(
            f"{count:,} of {len(digests):,} {split.targets.noun} are copies of others: "
            "copies are held out together, or not at all"
        )
    conflicting = _conflicting(digests, split.targets.identities)
    if count := int(conflicting.sum()):
        names = _listed(split, np.flatnonzero(conflicting))
        warnings.append(
            f"{count:,} {split.targets.noun} have copies with another class, so one label is wrong: {names}"
        )
    return warnings


def copies_across(splits: Mapping[str, Split], digests: Mapping[str, Digests]) -> list[str]:
    """Warnings for given splits: how many images are also in another split, which makes results too good."""
    warnings = []
    for part, others in (("test", ("train", "val")), ("val", ("train",))):
        for other in others:
            if part not in splits or other not in splits:
                continue
            noun = splits[part].targets.noun
            shared = np.flatnonzero(np.isin(digests[part], digests[other]))
            if len(shared):
                warnings.append(
                    f"{len(shared):,} of the {len(splits[part]):,} {_WORDS[part]} {noun} are also "
                    f"{_WORDS[other]} {noun}: {_listed(splits[part], shared)}"
                )
    return warnings


def _listed(split: Split, places: NDArray[np.intp]) -> str:
    return _shortened([split.name(int(place)) for place in places])


def _shortened(names: Sequence[str]) -> str:
    shorter = ", ".join(names[:_NAMED])
    return shorter if len(names) <= _NAMED else f"{shorter} and {len(names) - _NAMED:,} more"
