"""A session: from options, or from a run's folder, to a trainer that is ready to go."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnncli import __version__
from cnncli.checked import MalformedError
from cnncli.data.augment import parse_augment
from cnncli.data.load import ALIASES, NAMED, load_dataset
from cnncli.data.loader import Loader
from cnncli.data.model import Dataset, Report, class_weights, statistics
from cnncli.data.recast import with_channels
from cnncli.errors import CnncliError, OptionError
from cnncli.images.faults import shown
from cnncli.models import Architecture, architecture
from cnncli.nn import Network
from cnncli.training.capacity import check_run, check_weights, too_large
from cnncli.training.checkpoint import (
    Checkpoint,
    Preprocessing,
    architecture_of,
    load_checkpoint,
    save_checkpoint,
)
from cnncli.training.folder import RunFolder
from cnncli.training.loop import Material, Task, Trainer
from cnncli.training.options import TrainOptions
from cnncli.training.spelling import as_given
from cnncli.training.state import State, load_state, save_state

TaskMaker = Callable[[Dataset, TrainOptions, tuple[float, ...] | None], Task]


class Session:
    """A run in this process.

    Attributes
    ----------
    folder : RunFolder
        Where it is written.
    options : TrainOptions
        Settled.
    dataset : Dataset
        What is learnt.
    model : Architecture
        What learns.
    preprocessing : Preprocessing
        Of pictures.
    trainer : Trainer
        Ready to run.
    notes : tuple of str
        What was taken over.
    """

    def __init__(
        self,
        folder: RunFolder,
        options: TrainOptions,
        *,
        dataset: Dataset,
        model: Architecture,
        preprocessing: Preprocessing,
        material: Material,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.options, self.dataset, self.model = folder, options, dataset, model
        self.preprocessing, self.notes = preprocessing, notes
        self.trainer = Trainer(material, self.save)
        check_run(self.trainer, dataset)

    def save(self, state: State, epoch_ended: bool) -> None:
        """Write the state, and after an epoch all that follows from it."""
        save_state(self.folder / "state.safetensors", state)
        if epoch_ended:
            self.write_derived(state)

    def write_derived(self, state: State) -> None:
        """Write what follows from the state of an epoch's end."""
        progress = state.progress
        self.write_checkpoint("last.safetensors", state.averaged or state.weights, progress.epoch)
        if progress.best_epoch:
            self.write_checkpoint("best.safetensors", state.best, progress.best_epoch)
        self.folder.write_metrics(progress.history)

    def write_checkpoint(self, name: str, arrays: dict[str, Any], epoch: int) -> None:
        """Write weights of an epoch with all it takes to use them."""
        row = self.trainer.progress.history[epoch - 1]
        record = {
            "dataset": self.dataset.name,
            "provenance": self.dataset.provenance,
            "images": len(self.dataset.train),
            "epoch": epoch,
            "val_accuracy": row.get("val_accuracy"),
            "options": self.options.as_dict(),
            "command": self.options.command,
            "version": __version__,
        }
        checkpoint = Checkpoint(arrays, self.dataset.classes, self.preprocessing, self.model, record)
        save_checkpoint(self.folder / name, checkpoint)

    def best_network(self) -> Network:
        """The network with the best weights so far."""
        network = Network(self.trainer.material.network.graph)
        network.load(self.trainer.best)
        return network

    def finish(self, result: dict[str, Any]) -> None:
        """Note that the run is over and what the test split said; the last thing that is written."""
        self.trainer.progress.result = result
        save_state(self.folder / "state.safetensors", self.trainer.state())


def begin(
    options: TrainOptions,
    make_task: TaskMaker,
    *,
    output: str | None = None,
    threads: int = 1,
    report: Report | None = None,
    kept: bool = True,
) -> Session:
    """Prepare a new run; its folder is made when all else is found to be in order.

    Parameters
    ----------
    options : TrainOptions
        As the user gave them.
    make_task : callable
        From the dataset, the options and the class weights.
    output : str or None
        The run's folder.
    threads : int
        To use.
    report : callable or None
        Told about downloads and decoding.
    kept : bool
        The run is to be trained: its description and first state are written.

    Raises
    ------
    OptionError
        Where the model, the augmentation or the checkpoint to start from is at fault.
    CnncliError
        Where the dataset or the folder is at fault.
    """
    start = _start(options.init)
    dataset = _load(options, start.preprocessing if start else None, threads, report)
    settled = options.settled(len(dataset.train))
    name = options.dataset.strip().lower()
    if name not in NAMED and name not in ALIASES:  # found again from wherever the run is resumed
        settled = settled.at(dataset=str(Path(options.dataset).absolute()))
        dataset = as_given(dataset, options.dataset, settled.dataset)
    preprocessing = _preprocessing(dataset, start, threads)
    wanted = options.model
    if start and wanted == "auto":
        wanted = start.architecture.layers or start.architecture.name
    model = architecture(wanted, dataset.shape, len(dataset.classes))
    if start and options.model == "auto":
        model = Architecture(start.architecture.name, model.layers, model.input_shape, model.classes)
    graph = model.graph(seed=settled.seed)
    check_weights(graph, min(settled.batch_size, len(dataset.train)))
    network = Network(graph, seed=settled.seed)
    notes = _take_over(network, start) if start else ()
    task = make_task(dataset, settled, _class_weights(dataset, settled))
    material = _material(network, dataset, preprocessing, options=settled, task=task, threads=threads)
    folder = RunFolder.create(output, dataset=dataset.name, model=model.name)
    try:
        session = Session(
            folder,
            settled,
            dataset=dataset,
            model=model,
            preprocessing=preprocessing,
            material=material,
            notes=notes,
        )
    except (OptionError, MemoryError) as fault:
        folder.discard()
        raise fault if isinstance(fault, OptionError) else too_large(material.batch) from fault
    if kept:
        save_state(folder / "state.safetensors", session.trainer.state())
        folder.write_config(_config(session) | {"given": options.dataset})
    return session


def resume(
    path: str,
    make_task: TaskMaker,
    *,
    threads: int = 1,
    offline: bool = False,
    report: Report | None = None,
) -> Session:
    """Prepare to go on with a run, with the same options and the same data.

    Raises
    ------
    CnncliError
        Where the folder holds no run, or the data have changed.
    """
    folder = RunFolder.existing(path)
    config = folder.read_config()
    try:
        options = TrainOptions.from_fields(config.fields("options"))
        model = architecture_of(config.fields("model"))
        preprocessing = Preprocessing.from_fields(config.fields("preprocessing"))
        facts = config.record("data")
        provenance = config.fields("data").text("provenance")
        given = config.text("given") if "given" in config else options.dataset
    except MalformedError as error:
        raise folder.no_run(error) from error
    dataset = _load(options.at(offline=options.offline or offline), preprocessing, threads, report)
    _check_same(facts, _facts(dataset), folder.path)
    dataset = replace(as_given(dataset, given, options.dataset), provenance=provenance)
    network = Network(model.graph(seed=options.seed), seed=options.seed)
    task = make_task(dataset, options, _class_weights(dataset, options))
    material = _material(network, dataset, preprocessing, options=options, task=task, threads=threads)
    session = Session(
        folder,
        options,
        dataset=dataset,
        model=model,
        preprocessing=preprocessing,
        material=material,
    )
    state = load_state(folder / "state.safetensors")
    session.trainer.resume(state)
    if state.progress.batch == 0 and state.progress.epoch and state.progress.result is None:
        session.write_derived(state)  # a kill may have come between the state and these
    return session


def _start(init: str | None) -> Checkpoint | None:
    if init is None:
        return None
    try:
        return load_checkpoint(Path(init))
    except CnncliError as fault:
        raise OptionError(f"--init: {fault.message}", fault.hint) from fault


def _load(
    options: TrainOptions, wanted: Preprocessing | None, threads: int, report: Report | None
) -> Dataset:
    """The dataset, its images as a network wants them that is there already."""
    dataset = load_dataset(
        options.dataset,
        size=wanted.size if wanted else None,
        val_split=options.val_split,
        seed=options.seed,
        offline=options.offline,
        threads=threads,
        report=report,
        layout=options.layout,
    )
    return with_channels(dataset, wanted.channels) if wanted else dataset


def _preprocessing(dataset: Dataset, start: Checkpoint | None, threads: int) -> Preprocessing:
    """Mean and deviation of the data, or those that the weights to start from are used to."""
    digits = dataset.known == "mnist"  # others are learnt, and predicted, as they come
    if start and start.preprocessing.shape == dataset.shape:
        return replace(start.preprocessing, digits=digits)
    mean, std = statistics(dataset.train, threads=threads)
    height, width, channels = dataset.shape
    return Preprocessing(
        (height, width),
        channels,
        tuple(float(v) for v in mean),
        tuple(float(v) for v in std),
        digits=digits,
    )


def _take_over(network: Network, start: Checkpoint) -> tuple[str, ...]:
    try:
        left = network.load(start.arrays, replace_head=True)
    except CnncliError as fault:
        raise OptionError(f"--init {shown(start.path or '')}: {fault.message}", fault.hint) from fault
    head = "its head is new, for other classes" if left else "all of its layers"
    return (f"weights from {shown(start.path or '')} ({head})",)


def _frozen(network: Network) -> frozenset[str]:
    head = f"{network.graph.output}."
    return frozenset(name for name in network.parameters if not name.startswith(head))


def _class_weights(dataset: Dataset, options: TrainOptions) -> tuple[float, ...] | None:
    if not options.class_weights:
        return None
    return tuple(float(w) for w in class_weights(dataset.train.labels, len(dataset.classes)))


def _material(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    options: TrainOptions,
    task: Task,
    threads: int,
) -> Material:
    count = len(dataset.train)
    batch = min(options.batch_size, count)
    mean, std = (np.asarray(v, np.float32) for v in (preprocessing.mean, preprocessing.std))
    augment = parse_augment(options.augment, dataset=dataset.known, shape=dataset.shape)
    train = Loader(
        dataset.train,
        batch,
        mean=mean,
        std=std,
        augment=augment,
        seed=options.seed,
        shuffle=True,
        drop_last=0 < count % batch < batch / 2,  # a step of few images would be a step of noise
        threads=threads,
    )
    val = Loader(dataset.val, batch, mean=mean, std=std, threads=threads) if len(dataset.val) else None
    frozen = _frozen(network) if options.freeze else frozenset()
    return Material(network, task, train, val, options, batch, threads, frozen)


def _facts(dataset: Dataset) -> dict[str, Any]:
    """What tells whether data are the same as before."""
    import hashlib

    digest = hashlib.sha256()
    for split in (dataset.train, dataset.val, dataset.test):
        digest.update(np.ascontiguousarray(split.labels, np.int64).tobytes() + b"|")
    return {
        "name": dataset.name,
        "provenance": dataset.provenance,
        "classes": list(dataset.classes),
        "train": len(dataset.train),
        "val": len(dataset.val),
        "test": len(dataset.test),
        "labels": digest.hexdigest(),
    }


def _check_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    counts = [f"{facts.get(part)} {part}" for facts in (before, now) for part in ("train", "val", "test")]
    if any(before.get(key) != now[key] for key in ("classes", "train", "val", "test", "labels")):
        raise CnncliError(
            f"the data of {shown(path)} have changed: {', '.join(counts[:3])} when it began, "
            f"{', '.join(counts[3:])} now; expected the same images",
            "Bring the data back as they were, or start a new run with --init best.safetensors.",
        )


def _config(session: Session) -> dict[str, Any]:
    return {
        "version": __version__,
        "options": session.options.as_dict(),
        "model": asdict(session.model),
        "preprocessing": asdict(session.preprocessing),
        "data": _facts(session.dataset),
    }
