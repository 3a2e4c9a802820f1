"""What augmentation a run has: as it was asked for, or what suits the training images, and why."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnncli.data.augment import PRESETS, Kind, parse_augment
from cnncli.data.model import Dataset
from cnncli.tasks import FINDS_BOXES, task_named
from cnncli.training.orientation import is_upright
from cnncli.training.pixels import shows_drawings

_REASONS: dict[Kind, str] = {
    "drawings": "drawings on a plain ground, which are not to be mirrored",
    "upright": "photographs with an up and a down: mirrored left and right",
    "clips": "clips, which are not to be mirrored: directions may tell classes apart",
    "textures": "photographs without an up and a down: mirrored and turned by quarters",
}


def settled_augment(
    text: str, dataset: Dataset, counts: NDArray[np.int64], *, threads: int = 1
) -> tuple[str, tuple[str, ...]]:
    """Read ``--augment`` for a data set.

    Parameters
    ----------
    text : str
        As the user gave it.
    dataset : Dataset
        What is learned.
    counts : ndarray, shape (C, 256), int64
        `level_counts` of the training images.
    threads : int
        To look at images.

    Returns
    -------
    text, notes
        The words of what was asked for or chosen, and why it was chosen.

    Raises
    ------
    OptionError
        For words that are wrong, or that cannot apply to the images.
    """
    notes: tuple[str, ...] = ()
    kind: Kind = "upright"
    if text.strip().lower() == "auto":
        if dataset.known in PRESETS:
            notes = (f"augment auto: as is usual with {dataset.known}",)
        else:
            kind = kind_of(dataset, counts, threads=threads)
            notes = (f"augment auto: {_REASONS[kind]}",)
        if task_named(dataset.targets.task).outputs_of in FINDS_BOXES:
            chosen = parse_augment(text, dataset=dataset.known, shape=dataset.shape, kind=kind)
            upright = replace(chosen, rotate=0.0, shear=0.0) if chosen else None
            return upright.text if upright else "none", (f"{notes[0]}; boxes stay upright",)
    chosen = parse_augment(text, dataset=dataset.known, shape=dataset.shape, kind=kind)
    return chosen.text if chosen else "none", notes


def kind_of(dataset: Dataset, counts: NDArray[np.int64], *, threads: int = 1) -> Kind:
    """What the training images show; colour drawings are mirrored as photographs are."""
    if dataset.noun == "clips":
        return "clips"
    drawn = shows_drawings(counts)
    if drawn and dataset.shape[2] == 1:
        return "drawings"
    return "upright" if drawn or is_upright(dataset.train, threads=threads) else "textures"
