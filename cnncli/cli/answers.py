"""Predictions of inputs: each picture is read, prepared and classified by the network that suits it."""

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.listing import Input
from cnncli.cli.names import STREAM, located
from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.row_writers import Row
from cnncli.cli.streams import read_stdin
from cnncli.cli.trained import MOST, Trained, load_trained, no_output
from cnncli.data.conversion import Taken, read_taken, taken
from cnncli.data.prepare import read_whole
from cnncli.data.shipped import suiting
from cnncli.errors import CnncliError
from cnncli.files.faults import input_fault
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.nn import Inference
from cnncli.records import record, replace
from cnncli.tasks.task import Task, are_finite, at_images

_FAINT = 0.1  # of the deviation of training images: less contrast than that is none to a network


@record(eq=False)
class Question:
    """A picture as a network takes it, and the network."""

    picture: Taken
    trained: Trained


Run = Sequence[tuple[Input, Question | CnncliError]]


class Networks:
    """The network that was asked for, or for each picture the one of those that ship that suits it.

    Parameters
    ----------
    asked : Trained or None
        None: nobody asked for one.
    pictures : int or None
        How many there are, if that is known.
    threads : int
        To use.
    """

    def __init__(self, asked: Trained | None, pictures: int | None, *, threads: int) -> None:
        self._asked, self._pictures, self._threads = asked, pictures, threads
        self._lock = Lock()
        self._shipped: dict[str, Trained] = {}
        self._inferences: dict[Trained, Inference] = {}

    @property
    def batch(self) -> int:
        """Pictures to take at a time."""
        return MOST if self._asked is None else self._inference(self._asked).batch

    def _named(self, name: str) -> Trained:
        """A network that ships, loaded once, whichever thread is first to need it."""
        with self._lock:
            if name not in self._shipped:
                self._shipped[name] = replace(load_trained(NetworkSettings(model=name)), shipped=name)
            return self._shipped[name]

    def _inference(self, trained: Trained) -> Inference:
        if trained not in self._inferences:
            self._inferences[trained] = trained.inference(self._pictures, threads=self._threads)
        return self._inferences[trained]

    def task(self, rows: Sequence[Row], top: int) -> Task:
        """What to lay columns out for: the network that was asked for, or that answered the first of rows.

        Without an answer, and where the first network has fewer classes than ``top``, one that ships.
        """
        if self._asked is not None:
            return self._asked.task
        first = self._named(next((row.model for row in rows if row.model), "digits")).task
        return first if len(first.outputs) >= top else self._named("imagenet").task

    def question(self, item: Input) -> Question | CnncliError:
        """The picture of an input and the network for it, or why there is none; for any thread."""
        if item.fault is not None:
            return item.fault
        try:
            return self._read(item)
        except (CnncliError, OSError, ValueError, MemoryError) as error:
            return located(input_fault(error, item.name), item.listed)

    def _read(self, item: Input) -> Question:
        if item.name == STREAM:
            data, name = read_stdin(example="cat digit.png | cnncli predict"), "standard input"
        else:
            # To make a Path takes a tenth of the time of a small image.
            with open(item.name, "rb", buffering=0) as file:  # noqa: PTH123
                data, name = file.read(), item.name
        if self._asked is not None:
            return Question(read_taken(data, self._asked.input_spec, name=name), self._asked)

        def read() -> Question:
            picture, size = read_whole(data, name=name)
            trained = self._named(suiting(picture))
            return Question(taken(data, picture, size, trained.input_spec, name=name), trained)

        return with_memory_retry(read, name)

    def rows(self, run: Run, top: int) -> list[Row]:
        """Answer several inputs; each network takes its pictures together."""
        rows: dict[int, Row] = {}
        asked: dict[Trained, list[tuple[int, str, Taken]]] = {}
        for place, (item, found) in enumerate(run):
            if isinstance(found, Question):
                asked.setdefault(found.trained, []).append((place, item.name, found.picture))
            else:
                rows[place] = Row(item.name, error=found)
        for trained, questions in asked.items():
            places, names, pictures = zip(*questions, strict=True)
            rows |= zip(places, self._answers(trained, names, pictures, top), strict=True)
        return [rows[place] for place in range(len(run))]

    def _answers(
        self, trained: Trained, names: Sequence[str], pictures: Sequence[Taken], top: int
    ) -> Iterator[Row]:
        pixels = np.stack([each.prepared.pixels for each in pictures])
        outputs = self._inference(trained).run_all(trained.checkpoint.preprocessing.normalise(pixels))
        known = are_finite(outputs)
        decoded = iter(trained.task.decode(at_images(outputs, known), top=top))
        faint = _are_faint(pixels, trained.checkpoint.preprocessing.std)
        for name, picture, finite, shaded in zip(names, pictures, known.tolist(), faint, strict=True):
            if not finite:
                yield Row(name, error=no_output(name))
                continue
            notes = ("faint",) if shaded else ()
            adapted = (*picture.prepared.changes, *notes)
            yield Row(name, next(decoded), adapted, model=trained.shipped, conversion=picture.conversion)


def _are_faint(pixels: NDArray[np.uint8], deviations: Sequence[float]) -> list[bool]:
    """Whether each picture has next to no contrast, measured by the network's training images.

    So is one of 0 and 1 where white is 255: to the network it is black, and its prediction says nothing.
    """
    spread = pixels.max(axis=(1, 2, 3)) - pixels.min(axis=(1, 2, 3))
    faint: list[bool] = (spread < _FAINT * 255 * min(deviations)).tolist()
    return faint
