"""``cnncli evaluate``: how good a trained network is on images whose targets are known, or detections are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cnncli.cli import values
from cnncli.cli.evaluate_choice import SPLITS, EvaluationImages, choose
from cnncli.cli.evaluated_data import load_evaluated
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError
from cnncli.cli.messages import report
from cnncli.cli.names import overwritten
from cnncli.cli.options.evaluate import Settings
from cnncli.cli.outputs import made_folder
from cnncli.cli.streams import write_stdout
from cnncli.cli.train_report import files_of, write_test_files
from cnncli.cli.trained import Trained, batch_size, load_trained
from cnncli.core.threads import thread_count
from cnncli.data.assemble import picked
from cnncli.data.model import Dataset, Split
from cnncli.data.retargeted import retargeted
from cnncli.data.targets import Targets
from cnncli.data.texts import Texts
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.tasks import word_of
from cnncli.tasks.task import Evaluation
from cnncli.tasks.text import TextInput
from cnncli.training.evaluation import evaluated, kept_of


@dataclass(frozen=True, eq=False)
class Predictions:
    """Outputs for every image that was chosen.

    Attributes
    ----------
    dataset : Dataset
        Its test split holds all these images, their targets as the network knows them.
    choice : EvaluationImages
        Which images they are.
    evaluation : Evaluation
        Of the network on the images.
    adapted : Counter of str
        What was done to images, by the words of `Dataset.adapted`, and ``digits`` for those turned.
    seconds : float
        That it took.
    """

    dataset: Dataset
    choice: EvaluationImages
    evaluation: Evaluation
    adapted: Counter[str]
    seconds: float


def run(settings: Settings) -> int:
    """Run the command and return its exit code: 1 where images of the dataset could not be read."""
    if settings.predictions is not None:
        from cnncli.cli.evaluate_predictions import run as run_predictions

        return run_predictions(settings)
    if settings.attributions is not None:
        from cnncli.cli.evaluate_attributions import run as run_attributions

        return run_attributions(settings)
    for word, given in (("--images", settings.images), ("--seed", settings.seed)):
        if given is not None:
            raise UsageError(f"{word} is given without --attributions; expected both", f"Leave {word} out.")
    from cnncli.cli.evaluate_text import as_json, as_text

    split, quiet = settings.split, settings.quiet
    if split is not None:
        values.choice("--split", split, SPLITS)
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    trained = load_trained(settings, quiet=quiet)
    if settings.output is not None:
        _check_drawn(trained)
    try:
        cores = thread_count(settings.threads)
        found = _loaded(settings, trained, threads=cores)
        _check_task(found, trained)
        targets = [trained.task.as_known(each.targets, found.name) for each in _splits(found)]
        choice = choose(found, trained, source=settings.dataset, split=split)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    folder = None if settings.output is None else _made(Path(settings.output), found, trained)
    predictions = _evaluated(found, trained, targets, choice, threads=cores)
    for line in () if quiet else _remarks(predictions, trained):
        report(line)
    if folder is not None:
        title = f"{trained.checkpoint.architecture.name} on {in_unicode(found.name)}"
        write_test_files(folder, predictions.dataset, predictions.evaluation, trained.task, title=title)
    text = as_json(predictions, trained, settings.model) if settings.json else as_text(predictions, trained)
    write_stdout(text.encode("utf-8", "backslashreplace") + b"\n")
    if folder is not None and not quiet and (files := files_of(trained.task)):
        report(f"{', '.join(files[:-1])} and {files[-1]} are in {shown(folder)}")
    return SOME_FAILED if predictions.dataset.skipped else DONE


def _check_drawn(trained: Trained) -> None:
    """Refuse an output for a network of whose results no files are drawn."""
    if not files_of(trained.task):
        raise UsageError(
            "-o is given, but nothing is drawn of boxes and masks; expected a network for classes",
            "Leave -o out: --json has all figures.",
        )


def _loaded(settings: Settings, trained: Trained, *, threads: int) -> Dataset:
    """The data set as the network takes its images, nothing held out."""
    return load_evaluated(
        settings,
        trained.checkpoint.preprocessing.input_spec,
        threads=threads,
        task=word_of(trained.task.name),
        strict=settings.strict,
    )


def _check_task(dataset: Dataset, trained: Trained) -> None:
    """Refuse data whose targets are of another kind than the network's."""
    own, given = word_of(trained.task.name), word_of(dataset.targets.task)
    if own != given:
        raise CnncliError(
            f"{in_unicode(dataset.name)} is data for --task {given}, but the network was trained by --task "
            f"{own}; expected data for that",
            "Name another data set, or a network that was trained on such data with -m.",
        )


def _splits(dataset: Dataset) -> tuple[Split, Split, Split]:
    return dataset.train, dataset.val, dataset.test


def _evaluated(
    found: Dataset, trained: Trained, targets: Sequence[Targets], choice: EvaluationImages, *, threads: int
) -> Predictions:
    """Run the network on every image that was chosen."""
    start = perf_counter()
    chosen: list[Split] = [
        retargeted(picked(split, at, choice.split), known.take(at))
        for split, known, at in zip(_splits(found), targets, choice.places, strict=True)
        if len(at)
    ]
    batch = max(batch_size(trained.network.graph, threads), 8 * threads)
    preprocessing = trained.checkpoint.preprocessing
    network = trained.network
    if isinstance(preprocessing, TextInput):
        network, preprocessing = preprocessing.with_room(network, max(each.shape[1] for each in chosen))
    kept = [
        kept_of(network, each, preprocessing, trained.task, batch=batch, threads=threads) for each in chosen
    ]
    all_targets = chosen[0].targets.joined([each.targets for each in chosen[1:]])
    joined = chosen[0] if len(chosen) == 1 else _Joined(tuple(chosen), all_targets)
    evaluation = evaluated(np.concatenate(kept), all_targets, trained.task)
    dataset = replace(found, train=joined, test=joined)
    return Predictions(dataset, choice, evaluation, _adapted(joined, found), perf_counter() - start)


def _adapted(split: Split, found: Dataset) -> "Counter[str]":
    """What was done to how many images of a split."""
    counts: Counter[str] = Counter()
    for at in range(len(split)) if found.adapted else ():
        changes = found.adapted.get(split.name(at), ())
        counts.update(changes)
        counts["digits"] += not {"inverted", "cropped", "centred"}.isdisjoint(changes)
    return counts


@dataclass(frozen=True, eq=False)
class _Joined:
    """Splits one after the other."""

    parts: tuple[Split, ...]
    targets: Targets

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.parts[0].shape

    def _place(self, index: int) -> tuple[Split, int]:
        for part in self.parts:
            if index < len(part):
                return part, index
            index -= len(part)
        raise IndexError(index)

    def name(self, index: int) -> str:
        part, at = self._place(index)
        return part.name(at)

    def words_at(self, index: int) -> list[str]:
        part, at = self._place(index)
        return part.words_at(at) if isinstance(part, Texts) else []

    def read(
        self,
        indices: np.ndarray[Any, np.dtype[np.intp]],
        out: np.ndarray[Any, np.dtype[np.uint8]],
        *,
        threads: int = 1,
    ) -> None:
        for row, index in enumerate(indices):
            part, at = self._place(int(index))
            part.read(np.array([at], np.intp), out[row : row + 1], threads=threads)


def _made(folder: Path, dataset: Dataset, trained: Trained) -> Path:
    """A folder that is there, in which nothing is written over that was read."""
    read = (*dataset.files, *((trained.checkpoint.path,) if trained.checkpoint.path else ()))
    if both := overwritten([str(folder / name) for name in files_of(trained.task)], map(str, read)):
        raise UsageError(
            f"the output {shown(both[0])} is also read, as {shown(both[1])}; expected another file",
            "Choose another folder with -o.",
        )
    return made_folder(folder)


def _remarks(predictions: Predictions, trained: Trained) -> list[str]:
    """What the user might not expect."""
    dataset = predictions.dataset
    lines = [f"warning: {in_unicode(text)}" for text in (*dataset.warnings, *predictions.choice.warnings)]
    lines += [f"warning: left out: {in_unicode(each.sentence)}" for each in dataset.skipped[:5]]
    if len(dataset.skipped) > 5:
        lines.append(f"warning: {len(dataset.skipped) - 5} more {dataset.noun} are left out")
    count = len(predictions.evaluation)
    sentences = {
        "digits": "inverted, cropped or centred: the network expects light digits on dark ground, centred",
        "gray": "turned gray, as the network takes them",
        "colour": "gray and are taken as colour",
        "clipped": "clipped: they hold numbers beyond the black or white of the training images",
    }
    lines += [
        f"note: {number} of {count} images were {text}"
        for word, text in sentences.items()
        if (number := predictions.adapted[word])
    ]
    return lines
