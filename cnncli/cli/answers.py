"""Predictions of inputs: each picture is read, prepared and classified by the network that suits it."""

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.listing import Input
from cnncli.cli.names import STREAM, is_address, located
from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.row_writers import Row
from cnncli.cli.streams import read_stdin
from cnncli.cli.trained import MOST, Trained, load_trained, no_output
from cnncli.data.conversion import Taken, read_taken, taken
from cnncli.data.prepare import InputSpec, as_gray, prepared_as, read_whole
from cnncli.data.shipped import suiting
from cnncli.errors import CnncliError
from cnncli.files.faults import input_fault
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.nn import Inference
from cnncli.records import record, replace
from cnncli.tasks.task import Outputs, Task, are_finite, at_images

_FAINT = 0.1  # of the deviation of training images: less contrast than that is none to a network


@record(eq=False)
class Question:
    """A picture as a network takes it, the network, and the picture in its own size where it is needed."""

    picture: Taken
    trained: Trained
    whole: NDArray[np.uint8] | None = None


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
    wholly : bool
        Pictures are to be drawn on: rows hold them.
    tiles : bool
        A detector is to look at them in tiles, in their own size: rows hold them too.
    """

    def __init__(
        self,
        asked: Trained | None,
        pictures: int | None,
        *,
        threads: int,
        wholly: bool = False,
        tiles: bool = False,
    ) -> None:
        self._asked, self._pictures, self._threads = asked, pictures, threads
        self.wholly, self.tiles = wholly or tiles, tiles
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
        data, name = read_input(item.name, example="cat digit.png | cnncli predict")
        if self._asked is not None and self.wholly:
            asked = self._asked
            return with_memory_retry(lambda: _whole(data, asked, name), name)
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
        asked: dict[Trained, list[tuple[int, str, Question]]] = {}
        for place, (item, found) in enumerate(run):
            if not isinstance(found, Question):
                rows[place] = Row(item.name, error=found)
            elif self.tiles:
                rows[place] = self._in_tiles(item.name, found)
            else:
                asked.setdefault(found.trained, []).append((place, item.name, found))
        for trained, each in asked.items():
            places, names, questions = zip(*each, strict=True)
            rows |= zip(places, self._answers(trained, names, questions, top), strict=True)
        return [rows[place] for place in range(len(run))]

    def _in_tiles(self, name: str, question: Question) -> Row:
        """What a detector finds in a picture of any size."""
        trained, pixels = question.trained, question.whole
        assert pixels is not None
        preprocessing, inference = trained.checkpoint.preprocessing, self._inference(trained)
        seen = pixels if preprocessing.channels == 3 else as_gray(pixels)

        def run(tiles: NDArray[np.uint8]) -> Outputs:
            outputs = inference.run_all(preprocessing.normalise(tiles))
            if not are_finite(outputs).all():
                raise no_output(name)
            return outputs

        try:
            found = trained.task.decode_tiles(seen, preprocessing.size, run)  # type: ignore[attr-defined]
        except CnncliError as fault:
            return Row(name, error=fault)
        return Row(name, found, size=question.picture.prepared.size, pixels=pixels)

    def _answers(
        self, trained: Trained, names: Sequence[str], questions: Sequence[Question], top: int
    ) -> Iterator[Row]:
        pixels = np.stack([each.picture.prepared.pixels for each in questions])
        outputs = self._inference(trained).run_all(trained.checkpoint.preprocessing.normalise(pixels))
        known = are_finite(outputs)
        decoded = iter(trained.task.decode(at_images(outputs, known), top=top))
        faint = _are_faint(pixels, trained.checkpoint.preprocessing.std)
        for name, question, finite, shaded in zip(names, questions, known.tolist(), faint, strict=True):
            if not finite:
                yield Row(name, error=no_output(name))
                continue
            picture = question.picture
            adapted = (*picture.prepared.changes, *(("faint",) if shaded else ()))
            size = picture.prepared.size
            yield Row(
                name,
                next(decoded).seen_in(trained.input_spec, size),
                adapted,
                model=trained.shipped,
                conversion=picture.conversion,
                size=size,
                pixels=question.whole,
            )


def read_input(name: str, *, example: str) -> tuple[bytes, str]:
    """The bytes of a file, of an address or of standard input, and what messages call it.

    Parameters
    ----------
    name : str
        As given.
    example : str
        A command with a pipe, for the hint where standard input is a terminal.

    Raises
    ------
    CnncliError
        Where an address or standard input cannot be read.
    OSError
        Where a file cannot.
    """
    if name == STREAM:
        return read_stdin(example=example), "standard input"
    if is_address(name):
        from cnncli.cli.addresses import read_address

        return read_address(name), name
    # To make a Path takes a tenth of the time of a small image.
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(), name


def _whole(data: bytes, trained: Trained, name: str) -> Question:
    """A picture as the network takes it, and in colours in its own size."""
    picture, (width, height) = read_whole(data, name=name)
    own = InputSpec((height, width, 3), "stretch", scales=trained.input_spec.scales)
    found = taken(data, picture, (width, height), trained.input_spec, name=name)
    return Question(found, trained, prepared_as(picture, own, name=name).pixels)


def _are_faint(pixels: NDArray[np.uint8], deviations: Sequence[float]) -> list[bool]:
    """Whether each picture has next to no contrast, measured by the network's training images.

    So is one of 0 and 1 where white is 255: to the network it is black, and its prediction says nothing.
    """
    spread = pixels.max(axis=(1, 2, 3)) - pixels.min(axis=(1, 2, 3))
    faint: list[bool] = (spread < _FAINT * 255 * min(deviations)).tolist()
    return faint
