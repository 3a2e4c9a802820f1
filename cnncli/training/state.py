"""The state of a run: everything that the next step needs, in one file.

All other files of a run follow from it, so that a process killed between two of them leaves no mixture:
a resumed run first writes them anew. The order of the data and the random numbers are pure functions of
seed, epoch and step, which is why three numbers stand for them here.
"""

from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.training.tensors import read_tensors, write_tensors

FORMAT = "cnncli state 1"
_MOST = 1 << 53  # epochs, steps, images
Named = dict[str, NDArray[Any]]


@dataclass
class Progress:
    """How far a run has come.

    Attributes
    ----------
    epoch, batch : int
        Epochs done, and batches done of the next one.
    step : int
        Steps done.
    loss_sum, seen : float, int
        Of the epoch that is under way: sum of losses, images.
    tally : dict of str to number
        Of that epoch, too: what the task's metrics follow from.
    history : list of dict
        A row an epoch, as in ``metrics.jsonl``.
    best_epoch : int
        The epoch of the best validation so far, 0 before the first.
    seconds : float
        Time spent training; the only value that differs from run to run.
    result : dict or None
        What the test split said, once the run is over.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    tally: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    result: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON; the numbers of the tally stand among the others."""
        record: dict[str, Any] = {}
        for name, value in asdict(self).items():
            record |= value if name == "tally" else {name: value}
        return record

    @classmethod
    def from_fields(cls, fields: Fields) -> "Progress":
        """The reverse of `as_dict`, of JSON that may come from anywhere.

        Raises
        ------
        MalformedError
            Where a value is missing, of another type or out of range, or they contradict each other.
        """
        rows = fields.rows("history")
        for row in rows:
            row.number("seconds", 0)
            for name in row.raw():
                if name.startswith(("train_", "val_")):
                    row.number(name)
        epoch = fields.whole("epoch", 0, _MOST)
        if epoch != len(rows):
            raise MalformedError(
                f"progress.history has {len(rows):,} rows; expected {epoch:,}, one per epoch"
            )
        if fields.optional_record("result") is not None:
            result = fields.fields("result")
            result.whole("images", 0, _MOST)
            for name in result.raw():
                result.optional_number(name)
        return cls(
            epoch=epoch,
            batch=fields.whole("batch", 0, _MOST),
            step=fields.whole("step", 0, _MOST),
            loss_sum=fields.number("loss_sum"),
            tally=_tally(fields),
            seen=fields.whole("seen", 0, _MOST),
            history=[row.raw() for row in rows],
            best_epoch=fields.whole("best_epoch", 0, epoch),
            seconds=fields.number("seconds", 0),
            result=fields.optional_record("result"),
        )


def _tally(record: Fields) -> dict[str, Any]:
    """What a record of progress holds besides."""
    own = {each.name for each in dataclass_fields(Progress)}
    others = {name: value for name, value in record.raw().items() if name not in own}
    for name in others:
        record.number(name, 0)
    return others


@dataclass(eq=False)
class State:
    """Progress and numbers.

    Attributes
    ----------
    progress : Progress
        How far.
    weights : dict of str to ndarray
        As ``Network.export`` gives them.
    optimiser : dict of str to ndarray
        As ``TrainingStep.optimiser_state`` gives them.
    averaged, best : dict of str to ndarray
        Averaged weights, if they are wanted, and those of the best epoch.
    """

    progress: Progress
    weights: Named
    optimiser: Named
    averaged: Named
    best: Named


_PARTS = ("weights", "optimiser", "averaged", "best")


def save_state(path: Path, state: State) -> None:
    """Write a state such that it outlasts a kill and a loss of power."""
    import json

    arrays = {f"{part}/{name}": array for part in _PARTS for name, array in getattr(state, part).items()}
    metadata = {"format": FORMAT, "progress": json.dumps(state.progress.as_dict())}
    write_tensors(path, arrays, metadata, durable=True)


def load_state(path: Path) -> State:
    """Read a state.

    Raises
    ------
    CnncliError
        Where it cannot be read or is no state.
    """
    arrays, metadata = read_tensors(path)
    try:
        if metadata["format"] != FORMAT:
            raise ValueError(f"its format is {metadata['format']!r}")
        progress = Progress.from_fields(Fields(parse_json(metadata["progress"]), "progress"))
        parts: dict[str, Named] = {part: {} for part in _PARTS}
        for key, array in arrays.items():
            part, _, name = key.partition("/")
            parts[part][name] = np.asarray(array, np.float32)
        if not all(np.isfinite(array).all() for part in parts.values() for array in part.values()):
            raise ValueError("it holds values that are no numbers")
    except (KeyError, ValueError, TypeError) as error:
        raise CnncliError(
            f"{shown(path)} is no state of a run: {error}",
            "Start again with cnncli train; --init starts from the weights of best.safetensors.",
        ) from error
    return State(progress, **parts)
