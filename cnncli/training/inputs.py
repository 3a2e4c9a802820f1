"""How a run makes inputs of its data: of pictures by their pixels, of texts by their words."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnncli.data.model import Dataset, level_counts
from cnncli.errors import OptionError
from cnncli.nn import Network
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.checkpoint import Checkpoint
from cnncli.training.options import TrainOptions

if TYPE_CHECKING:
    from cnncli.training.vectors import WordVectors

_STATIC = {"embedding.weight", "static.weight"}  # tables that are part of a network's state where they stay


@dataclass(frozen=True, eq=False)
class RunInputs:
    """What a run is to make inputs with.

    Attributes
    ----------
    options : TrainOptions
        With the augmentation that suits the data, and a model that suits the vectors.
    preprocessing : Preprocessing
        Of pictures, texts or clips.
    words, frames : int
        Numbers of words, and frames of a window; 0 for pictures.
    warnings, notes : tuple of str
        What is odd about the data, and what was chosen for them.
    vectors : WordVectors or None
        To start from.
    """

    options: TrainOptions
    preprocessing: Preprocessing
    words: int = 0
    frames: int = 0
    warnings: tuple[str, ...] = ()
    vectors: "WordVectors | None" = None
    notes: tuple[str, ...] = ()

    def load_vectors(self, network: Network, start: Checkpoint | None) -> tuple[str, ...]:
        """Put the vectors into a network that was just made, and say how many words have one.

        Raises
        ------
        OptionError
            Where vectors are to stay as they are loaded, and none are.
        """
        if self.vectors is not None:
            return (self.vectors.put_into(network, self.preprocessing),)
        if start is None and not _STATIC.isdisjoint(network.states):
            raise OptionError(
                "--model: word vectors that stay as they are loaded, but none are; expected --vectors FILE",
                "Add --vectors FILE, or train the vectors: -m textcnn:channels=tuned.",
            )
        return ()


def inputs_of(dataset: Dataset, start: Checkpoint | None, options: TrainOptions, threads: int) -> RunInputs:
    """Settle what a new run makes inputs with.

    Parameters
    ----------
    dataset : Dataset
        What is learned.
    start : Checkpoint or None
        Weights to start from.
    options : TrainOptions
        As the user gave them.
    threads : int
        To use.

    Raises
    ------
    OptionError
        Where an option is for other data than these, or the weights are.
    """
    if start is not None and start.task.noun != dataset.noun:
        raise OptionError(
            f"--init: the weights are of a network for {start.task.noun}, but the data are {dataset.noun}; "
            f"expected weights for {dataset.noun}",
            "Leave --init out, or give another checkpoint.",
        )
    makers = {"texts": _of_texts, "clips": _of_clips}
    if dataset.noun != "clips":
        for flag, value in (("--frames", options.frames), ("--frame-step", options.frame_step)):
            if value is not None:
                raise OptionError(
                    f"{flag} is for clips, but the data are {dataset.noun}; expected no {flag}",
                    f"Leave {flag} out.",
                )
    return makers.get(dataset.noun, _of_pictures)(dataset, start, options, threads)


def _of_pictures(
    dataset: Dataset, start: Checkpoint | None, options: TrainOptions, threads: int
) -> RunInputs:
    from cnncli.training.augmentation import settled_augment
    from cnncli.training.pixels import preprocessing_of

    for flag, value in (("--vectors", options.vectors), ("--text-column", options.text_column)):
        if value is not None:
            raise OptionError(
                f"{flag} is for texts, but the data are images; expected no {flag}", f"Leave {flag} out."
            )
    counts = level_counts(dataset.train, threads=threads)
    preprocessing, warnings = preprocessing_of(
        dataset, start.preprocessing if start else None, threads, counts=counts
    )
    augment, notes = settled_augment(options.augment, dataset, counts, threads=threads)
    return RunInputs(options.at(augment=augment), preprocessing, warnings=warnings, notes=notes)


def _of_clips(dataset: Dataset, start: Checkpoint | None, options: TrainOptions, threads: int) -> RunInputs:
    """Frames as pictures become inputs, and a window of them."""
    from cnncli.data.clips import Clips
    from cnncli.tasks.video import ClipInput, window_of

    made = _of_pictures(dataset, start, options, threads)
    assert isinstance(dataset.train, Clips)
    if start is not None and isinstance(start.preprocessing, ClipInput):
        known = start.preprocessing
        frames, step = options.frames or known.frames, options.frame_step or known.step
        window = window_of(dataset.train, frames, step)
    else:
        window = window_of(dataset.train, options.frames, options.frame_step)
    apart = "" if window.step == 1 else f", {window.step} apart"
    note = f"the network reads {window.frames} frame{'s'[: window.frames > 1]} of a clip at once{apart}"
    preprocessing = ClipInput.of(made.preprocessing, window)
    return replace(made, preprocessing=preprocessing, frames=window.frames, notes=(note, *made.notes))


def _of_texts(dataset: Dataset, start: Checkpoint | None, options: TrainOptions, threads: int) -> RunInputs:
    from cnncli.data.texts import Texts
    from cnncli.tasks.text import TextInput, input_of
    from cnncli.training.vectors import read_vectors

    del threads
    given = {"--size": options.size, "--fit": options.fit, "--max-pixels": options.max_pixels}
    given["--augment"] = None if options.augment in ("auto", "none") else options.augment
    for flag, value in given.items():
        if value is not None:
            raise OptionError(
                f"{flag} is for images, but the data are texts; expected no {flag}", f"Leave {flag} out."
            )
    longest = max(split.shape[1] for split in (dataset.train, dataset.val, dataset.test))
    train, vectors = dataset.train, None
    assert isinstance(train, Texts)
    if options.vectors is not None:
        vectors = read_vectors(options.vectors, set(train.words))
    if start is not None and isinstance(start.preprocessing, TextInput):
        preprocessing = replace(start.preprocessing, size=(1, longest))
    else:
        preprocessing = input_of(train, longest, also=vectors.known if vectors else ())
    options = options.at(augment="none")
    if vectors is not None and start is None:
        options = options.at(model=vectors.fitted(options.model))
    return RunInputs(options, preprocessing, len(preprocessing.vocabulary), vectors=vectors)
