"""The list of a run's images, ``splits.csv``: which of them are in which split, and what they are."""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import picked
from cnncli.data.identity import digests_of
from cnncli.data.model import Dataset, Split
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.text import listed

if TYPE_CHECKING:
    from cnncli.training.trained_images import TrainedImages

FILE = "splits.csv"
_SPLITS = ("train", "val", "test")
_COLUMNS = ("image", "split", "digest", "label")


@dataclass(frozen=True, eq=False)
class ImageList:
    """Images in the order in which a run has them.

    Attributes
    ----------
    images : tuple of str
        Path below the folder of the data or beside the table, or the place in an array: ``17``, or
        ``train[17]`` where the data bring splits.
    splits : tuple of str
        ``train``, ``val`` or ``test``.
    digests : ndarray, shape (N,), uint64
        As `identity.digests_of` gives them: of the pixels that the network takes.
    labels : tuple of str
        Their targets, as `Targets.texts` has them: names of classes.
    """

    images: tuple[str, ...]
    splits: tuple[str, ...]
    digests: NDArray[np.uint64]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def mark(self) -> str:
        """64 bits of all rows in their order, in hexadecimal."""
        from hashlib import blake2b

        return blake2b(self.as_csv(), digest_size=8).hexdigest()

    def as_csv(self) -> bytes:
        """The content of ``splits.csv``: a header, and a row an image."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(_COLUMNS)
        digests = [f"{digest:016x}" for digest in self.digests.tolist()]
        table.writerows(zip(self.images, self.splits, digests, self.labels, strict=True))
        return text.getvalue().encode("utf-8", "surrogateescape")

    @classmethod
    def read(cls, path: Path) -> "ImageList":
        """Read ``splits.csv``.

        Raises
        ------
        CnncliError
            Where it cannot be read, or is no such list.
        """
        try:
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise reading_fault(error, path) from error
        try:
            rows = list(csv.reader(io.StringIO(text), strict=True))
            if not rows or tuple(rows[0]) != _COLUMNS:
                raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
            for number, row in enumerate(rows[1:], 2):
                if len(row) != len(_COLUMNS) or row[1] not in _SPLITS or len(row[2]) != 16:
                    raise ValueError(f"row {number} is no image, split, digest and label")
            digests = np.array([int(row[2], 16) for row in rows[1:]], np.uint64)
        except (ValueError, csv.Error) as error:
            raise CnncliError(
                f"{shown(path)} is no list of a run's images: {shown(str(error))}",
                "Restore it from a copy, or start again; --init starts from the weights of best.safetensors.",
            ) from error
        images, splits, _, labels = zip(*rows[1:], strict=True) if rows[1:] else ((), (), (), ())
        return cls(images, splits, digests, labels)


def list_of(dataset: Dataset, source: str, *, threads: int = 1) -> ImageList:
    """List a dataset's images.

    Parameters
    ----------
    dataset : Dataset
        With names as they were loaded from ``source``.
    source : str
        The folder, table or array file, or a name that is none.
    threads : int
        To read images whose digests are not known.
    """
    place = Path(source)
    folder = shown(place if place.is_dir() else place.parent) + "/"
    images: list[str] = []
    parts: list[str] = []
    labels: list[str] = []
    digests = []
    for part in _SPLITS:
        split: Split = getattr(dataset, part)
        images += [_short(split.name(at), dataset.name, folder) for at in range(len(split))]
        parts += [part] * len(split)
        labels += split.targets.texts()
        digests.append(digests_of(split, threads=threads))
    return ImageList(tuple(images), tuple(parts), np.concatenate(digests), tuple(labels))


def _short(name: str, whole: str, folder: str) -> str:
    """What identifies an image wherever its data lie."""
    if name.startswith(f"{whole}[") and name.endswith("]"):
        return name[len(whole) + 1 : -1]
    return name.removeprefix(folder)


def describe_changes(images: ImageList, seen: "TrainedImages") -> str:
    """Say how a list departs from what a checkpoint keeps of its run; empty where it does not.

    Parameters
    ----------
    images : ImageList
        As it lies in the run's folder.
    seen : TrainedImages
        What the run's network has seen.
    """
    kept = {part: getattr(seen, part) for part in _SPLITS}
    everything = np.concatenate(list(kept.values()))
    splits = np.array(images.splits)
    stray = np.zeros(len(images), bool)
    for part in _SPLITS:
        stray |= (splits == part) & ~np.isin(images.digests, kept[part])
    known = np.isin(images.digests, everything)
    said = (
        ("in another split", np.flatnonzero(stray & known)),
        ("not in the checkpoint", np.flatnonzero(~known)),
        ("missing", np.flatnonzero(~np.isin(everything, images.digests))),
    )
    return "; ".join(
        f"{len(places):,} image{'s are' if len(places) > 1 else ' is'} {what}"
        + ("" if what == "missing" else f" ({listed([images.images[at] for at in places])})")
        for what, places in said
        if len(places)
    )


def differences(before: ImageList, now: ImageList) -> str:
    """Say how the images of ``now`` differ from those of ``before``; empty where they are the same.

    Images are the same that have equal pixels and labels, whatever they are called.
    """
    gone, new = _unmatched(before, now), _unmatched(now, before)
    old_names = {before.images[at]: at for at in gone}
    changed, relabelled, added = [], [], []
    for at in new:
        name = now.images[at]
        was = old_names.pop(name, None)
        if was is None:
            added.append(name)
        elif before.digests[was] == now.digests[at]:
            relabelled.append(f"{name} ({before.labels[was]}, now {now.labels[at]})")
        else:
            changed.append(name)
    said = (
        (changed, "has other pixels", "have other pixels"),
        (relabelled, "has another label", "have other labels"),
        (list(old_names), "is missing or cannot be read", "are missing or cannot be read"),
        (added, "is new", "are new"),
    )
    return "; ".join(
        f"{len(names):,} {f'image {one}' if len(names) == 1 else f'images {many}'}: {listed(names)}"
        for names, one, many in said
        if names
    )


def _unmatched(these: ImageList, others: ImageList) -> list[int]:
    """Places of images that the others lack, copies counted."""
    from collections import Counter

    left = Counter(zip(others.digests.tolist(), others.labels, strict=True))
    missing = []
    for at, key in enumerate(zip(these.digests.tolist(), these.labels, strict=True)):
        if left[key]:
            left[key] -= 1
        else:
            missing.append(at)
    return missing


def arranged(dataset: Dataset, now: ImageList, wanted: ImageList) -> Dataset:
    """Bring a dataset into the splits and the order of a list.

    Parameters
    ----------
    dataset : Dataset
        As it was found, nothing held out.
    now : ImageList
        Of ``dataset``.
    wanted : ImageList
        Of the same images (`differences` is empty).

    Raises
    ------
    CnncliError
        Where images have changed between the splits that the data bring.
    """
    from_now, from_wanted = _order(now), _order(wanted)
    places = np.empty(len(wanted), np.intp)
    places[from_wanted] = from_now
    ends = np.cumsum([len(getattr(dataset, part)) for part in _SPLITS])
    splits: dict[str, Split] = {}
    for part in _SPLITS:
        mine = places[np.array(wanted.splits) == part]
        source = int(np.searchsorted(ends, mine[0], side="right")) if len(mine) else 0
        start = int(ends[source]) - len(getattr(dataset, _SPLITS[source]))
        if len(mine) and not (start <= mine.min() and mine.max() < ends[source]):
            raise CnncliError(
                f"images of {dataset.name} have been moved between the splits that the data bring; "
                f"expected {part} images in one of them",
                "Bring the data back as they were.",
            )
        splits[part] = picked(getattr(dataset, _SPLITS[source]), mine - start, part)
    return replace(dataset, train=splits["train"], val=splits["val"], test=splits["test"])


def _order(images: ImageList) -> NDArray[np.intp]:
    """Places by digest, then label, then name: the same order for the same images."""
    keys = list(zip(images.digests.tolist(), images.labels, images.images, strict=True))
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp)
