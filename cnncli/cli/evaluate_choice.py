"""which images ``cnncli evaluate`` takes, of how many and why, and how many of them were trained on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.trained import Trained
from cnncli.data.identity import digests_of, keys_of
from cnncli.data.model import Dataset
from cnncli.data.split_names import joined
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.training.listing import FILE as LIST_FILE
from cnncli.training.listing import ImageList, describe_changes
from cnncli.training.loading import is_known
from cnncli.training.trained_images import TrainedImages

SPLITS = ("train", "val", "test", "all")
WORDS = {"train": "training", "val": "validation", "test": "test"}
_PARTS = ("train", "val", "test")
_MOVED = 0.5  # of a run's test images, where data that lie elsewhere are taken for the run's


@dataclass(frozen=True, eq=False)
class EvaluationImages:
    """Images to be evaluated on.

    Attributes
    ----------
    places : tuple of ndarray of intp
        Of the dataset's train, val and test, positions of the images that are chosen.
    total : int
        Images of the dataset.
    split : str
        Of `SPLITS`: "all" also where data are taken whole for want of splits.
    reason : str
        Which ones, and why these.
    warnings : tuple of str
        Those that were trained on, counted.
    trained_on : int or None
        How many of them were; None where nobody noted what the network was trained on.
    """

    places: tuple[NDArray[np.intp], ...]
    total: int
    split: str
    reason: str
    warnings: tuple[str, ...]
    trained_on: int | None


def choose(found: Dataset, trained: Trained, *, source: str, split: str | None) -> EvaluationImages:
    """Choose the images of a split.

    Of the data that the network was trained on these are the run's own, by the digests that it keeps of
    them, whatever has been added since. Of other data it is the split that they bring; data that bring none
    are taken whole, also where they are a part of the run's.

    Parameters
    ----------
    found : Dataset
        As the network takes its images, nothing held out.
    trained : Trained
        The network.
    source : str
        What the user calls the dataset.
    split : str or None
        Of `SPLITS`. None: the test images, or where other data bring none, those for validation.

    Raises
    ------
    CnncliError
        Where there are no such images.
    """
    seen = trained.checkpoint.seen
    splits = (found.train, found.val, found.test)
    digests = [digests_of(each) for each in splits]
    on_list: tuple[str, ...] = ()
    if seen is not None and (same := _is_own(source, digests, trained, seen)):
        split = split or "test"
        sides = _own_sides(found, digests, seen)
        held, on_list = _held(trained, seen)
        reason = _own_reason(sides, held, split, same, noun=found.noun) + _missing(digests, seen, split)
    else:
        sides = [np.full(len(each), part) for part, each in zip(_PARTS, digests, strict=True)]
        split, reason = _own_split(found, split, _of_run(digests, seen, noun=found.noun))
    places = tuple(np.flatnonzero((side == split) | (split == "all")) for side in sides)
    if not any(map(len, places)):
        raise CnncliError(
            f"{in_unicode(found.name)} has no {WORDS.get(split, '')} {found.noun}; expected some",
            f"Use --split all to evaluate on all {found.noun}.",
        )
    chosen = np.concatenate([each[at] for each, at in zip(digests, places, strict=True)])
    total = sum(map(len, digests))
    if seen is None:
        return EvaluationImages(places, total, split, reason, _unknown(found, split), None)
    keys = np.concatenate([keys_of(each)[at] for each, at in zip(splits, places, strict=True)])
    learned = seen.trained_on(chosen, keys)
    looked_at = np.isin(chosen, seen.val) & ~learned
    warnings = _warnings(len(chosen), int(learned.sum()), int(looked_at.sum()), split, noun=found.noun)
    return EvaluationImages(places, total, split, reason, on_list + warnings, int(learned.sum()))


def _is_own(source: str, digests: list[NDArray[np.uint64]], trained: Trained, seen: TrainedImages) -> str:
    """Why a dataset is the one that the network was trained on; empty where it is another."""
    everything = np.concatenate(digests)
    there = np.isin(seen.test, everything)
    more = np.isin(everything, np.union1d(seen.train, seen.val)).any()
    options = trained.checkpoint.training.get("options")
    before = options.get("dataset") if isinstance(options, dict) else None
    given = source.strip().lower() if is_known(source) else str(Path(source).absolute())
    if before == given and (there.any() or np.isin(everything, seen.train).any()):
        return "here"
    alone = np.isin(everything, seen.test).all()  # test images and new ones together are a test of their own
    return "moved" if there.any() and there.mean() >= _MOVED and (more or alone) else ""


def _own_sides(
    found: Dataset, digests: list[NDArray[np.uint64]], seen: TrainedImages
) -> list[NDArray[np.str_]]:
    """The split of each image in the run; "new" for those that were not there."""
    sides = []
    for part, each in zip(_PARTS, digests, strict=True):
        if part in found.given and part != "train":
            sides.append(np.full(len(each), part))
            continue
        side = np.full(len(each), "new  ")
        for name in ("test", "val", "train"):
            side[np.isin(each, getattr(seen, name))] = name
        sides.append(side)
    return sides


def _held(trained: Trained, seen: TrainedImages) -> tuple[str, tuple[str, ...]]:
    """What tells the splits of the network's own run, and a warning where its folder's list says others."""
    run = (trained.checkpoint.path or Path()).parent
    kept = "digests in the checkpoint"
    if not (run / LIST_FILE).is_file():
        return kept, ()
    try:
        what = describe_changes(ImageList.read(run / LIST_FILE), seen)
    except CnncliError as error:
        return kept, (f"{error.message}: the {kept} count",)
    if not what:
        return f"{LIST_FILE} of {shown(run)}", ()
    return kept, (f"{shown(run / LIST_FILE)} is not as the run wrote it, {what}: the {kept} count",)


def _own_reason(sides: list[NDArray[np.str_]], held: str, split: str, same: str, *, noun: str) -> str:
    if split == "all":
        return f"all {noun}, as --split all asks"
    moved = ", whose data these are" if same == "moved" else ""
    new = sum(int((side == "new  ").sum()) for side in sides)
    others = f"; {new:,} that were not there are left out" if new else ""
    return f"the {WORDS[split]} {noun} of the network's own run{moved} ({held}){others}"


def _missing(digests: list[NDArray[np.uint64]], seen: TrainedImages, split: str) -> str:
    """How many images of the run's split the data have no more."""
    count = 0 if split == "all" else int((~np.isin(getattr(seen, split), np.concatenate(digests))).sum())
    return f"; {count:,} of them are not there" if count else ""


def _of_run(digests: list[NDArray[np.uint64]], seen: TrainedImages | None, *, noun: str) -> str:
    """What other data have to do with those of the network's run."""
    shared = (
        {}
        if seen is None
        else {part: np.isin(np.concatenate(digests), getattr(seen, part)) for part in _PARTS}
    )
    counts = {WORDS[part]: int(each.sum()) for part, each in shared.items() if each.any()}
    if not counts:
        return "is not the data of the network's run"
    listed = joined([f"{count:,} {word}" for word, count in counts.items()])
    return f"shares {listed} {noun} with the data of the network's run"


def _own_split(found: Dataset, split: str | None, of_run: str) -> tuple[str, str]:
    """The split of other data that is taken, and why."""
    name, noun = in_unicode(found.name), found.noun
    if split is None and found.given and "test" not in found.given:
        return "val", f"the validation {noun} that {name} brings, which has no test {noun}"
    split = split or "test"
    if split == "all":
        return split, f"all {noun}, as --split all asks"
    if split in found.given:
        return split, f"the {WORDS[split]} {noun} that {name} brings"
    if not found.given and split == "test":
        return "all", f"all {noun}, because {name} has no splits and {of_run}"
    brings = " and ".join(WORDS[part] for part in found.given) or "no split of its"
    raise CnncliError(
        f"--split is {split}, but {name} brings {brings} {noun}; expected one of its own splits",
        f"Use --split {found.given[-1] if found.given else 'all'}.",
    )


def _warnings(count: int, learned: int, looked_at: int, split: str, *, noun: str) -> tuple[str, ...]:
    if split == "train" or not learned + (looked_at if split != "val" else 0):
        return ()
    said = [f"{learned:,} were trained on"] if learned else []
    if looked_at and split != "val":
        said.append(f"{looked_at:,} served to choose the weights")
    return (f"of these {count:,} {noun} {' and '.join(said)}: on new ones the network is not as good",)


def _unknown(found: Dataset, split: str) -> tuple[str, ...]:
    """A warning where images may have been trained on, and nobody can tell."""
    if split in found.given and split != "train":
        return ()
    what = f"the checkpoint does not say which {found.noun} it was trained on"
    return (f"{what}; some of these may be among them",)
