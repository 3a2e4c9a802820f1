"""A session: from options, or from a run's folder, to a trainer that is ready to go."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cnncli import __version__
from cnncli.checked import MalformedError
from cnncli.core.ranks import follows
from cnncli.data.augment import parse_augment
from cnncli.data.identity import digests_of, keys_of
from cnncli.data.model import Dataset
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.models.architecture import IMPORTED, Architecture, for_classes
from cnncli.models.choice import architecture
from cnncli.nn import Graph, Network
from cnncli.tasks import task_named
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.task import Metric, Task
from cnncli.training.batches import whole_steps_only
from cnncli.training.capacity import check_run, check_weights, too_large
from cnncli.training.changes import Changes
from cnncli.training.checkpoint import (
    Checkpoint,
    architecture_of,
    preprocessing_of,
    save_checkpoint,
    task_of,
)
from cnncli.training.folder import RunFolder
from cnncli.training.inputs import RunInputs, inputs_of
from cnncli.training.listing import ImageList, list_of
from cnncli.training.loading import USUAL, Execution, is_known, list_as_written, load, load_same
from cnncli.training.loop import Trainer, TrainingInputs
from cnncli.training.moved_paths import as_given
from cnncli.training.options import TrainOptions
from cnncli.training.rates import suited
from cnncli.training.recording import Recorder, check_recorded
from cnncli.training.state import State, load_state, save_state
from cnncli.training.trained_images import TrainedImages
from cnncli.training.transfer import starting_point, transfer_weights
from cnncli.training.weights.load import Weights


class Session:
    """A run in this process.

    Attributes
    ----------
    folder : RunFolder
        Where it is written.
    options : TrainOptions
        Settled.
    dataset : Dataset
        What is learned.
    model : Architecture
        What learns.
    task : Task
        What the network's outputs mean.
    preprocessing : Preprocessing
        Of pictures.
    trainer : Trainer
        Ready to run.
    images : ImageList
        Which images are in which split.
    earlier : TrainedImages or None
        What the weights that the run started from had seen.
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
        inputs: TrainingInputs,
        images: ImageList,
        earlier: TrainedImages | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.options, self.model = folder, options, model
        self.preprocessing, self.notes, self.task = preprocessing, notes, inputs.task
        self.images, self.earlier = images, earlier
        self.dataset = replace(
            dataset, warnings=(*dataset.warnings, *_trained_before(dataset, earlier, inputs.task.watched))
        )
        val, test = digests_of(dataset.val), digests_of(dataset.test)
        self._seen = TrainedImages.of_run(dataset.train, val, test, before=earlier).as_text()
        if options.record_features:
            check_recorded(dataset, inputs.network.graph)
        self.trainer = Trainer(inputs, self.save)
        check_run(self.trainer, dataset)
        self._recorder = (
            Recorder(folder.path, self.trainer.shown_network, dataset, preprocessing, threads=inputs.threads)
            if options.record_features and not self._follows
            else None
        )

    @property
    def _follows(self) -> bool:
        """Whether another process writes the run."""
        return follows(self.trainer.inputs.ranks)

    def save(self, state: State, epoch_ended: bool) -> None:
        """Write the state, and after an epoch all that follows from it.

        What is recorded comes first: of every epoch in a state there is a record, and one of an epoch that a
        kill takes back is written again with the same bits.
        """
        if self._follows:
            return
        if epoch_ended and self._recorder is not None:
            self._recorder.record(state.progress.history[-1])
        save_state(self.folder / "state.safetensors", state)
        if epoch_ended:
            self.write_derived(state)

    def write_derived(self, state: State) -> None:
        """Write what follows from the state of an epoch's end."""
        if self._follows:
            return
        progress = state.progress
        self.write_checkpoint("last.safetensors", state.averaged or state.weights, progress.epoch)
        if progress.best_epoch:
            self.write_checkpoint("best.safetensors", state.best, progress.best_epoch)
        self.folder.write_metrics(progress.history)

    def write_checkpoint(self, name: str, arrays: dict[str, Any], epoch: int) -> None:
        """Write weights of an epoch with all it takes to use them."""
        row = self.trainer.progress.history[epoch - 1]
        watched = f"val_{self.task.watched.name}"
        record = {
            "dataset": self.dataset.name,
            "provenance": self.dataset.provenance,
            "images": len(self.dataset.train),
            "epoch": epoch,
            watched: row.get(watched),
            "options": self.options.as_dict(),
            "command": self.options.command,
            "version": __version__,
        }
        if plans := self.trainer.inputs.plans:
            record["plans"] = [*plans, self.options.epochs]
        checkpoint = Checkpoint(arrays, self.task, self.preprocessing, self.model, record, images=self._seen)
        save_checkpoint(self.folder / name, checkpoint)

    def write_first(self, given: str) -> None:
        """Write what a run's folder begins with: the first state, the list of images, ``config.json``."""
        save_state(self.folder / "state.safetensors", self.trainer.state())
        self.folder.write_list(self.images)
        self.describe(given)

    def describe(self, given: str) -> None:
        """Write ``config.json``; ``given`` is what the user calls the data."""
        if self._follows:
            return
        config = {
            "version": __version__,
            "options": self.options.as_dict(),
            "given": given,
            "data": {**_facts(self.dataset, self.task), "list": self.images.mark()},
            "preprocessing": asdict(self.preprocessing),
            "plans": list(self.trainer.inputs.plans),
            "model": asdict(self.model),
        }
        if self.earlier is not None:
            config["earlier"] = self.earlier.as_text()
        self.folder.write_config(config)

    def best_network(self) -> Network:
        """The network with the best weights so far."""
        network = Network(self.trainer.inputs.network.graph, scheme=None)
        network.load(self.trainer.best)
        return network

    def take_up(self, state: State) -> None:
        """Go on from a state that was written.

        Raises
        ------
        CnncliError
            Where it is of another run.
        """
        try:
            self.trainer.resume(state)
        except CnncliError as fault:
            raise CnncliError(
                f"{shown(self.folder / 'state.safetensors')} is no state of this run: {fault.message}",
                "Restore it from a copy, or start again; --init starts from the weights of best.safetensors.",
            ) from fault
        if not self.trainer.over:
            state.progress.result = None  # of the run as it was before it was prolonged
        if state.progress.batch == 0 and state.progress.epoch and state.progress.result is None:
            self.write_derived(state)  # a kill may have come between the state and these

    def finish(self, result: dict[str, Any]) -> None:
        """Note that the run is over and what the test split said; the last thing that is written."""
        self.trainer.progress.result = result
        save_state(self.folder / "state.safetensors", self.trainer.state())


def begin(
    options: TrainOptions,
    *,
    output: str | None = None,
    kept: bool = True,
    dry: bool = False,
    start: Weights | None = None,
    execution: Execution = USUAL,
) -> Session:
    """Prepare a new run; its folder is made when all else is found to be in order.

    Parameters
    ----------
    options : TrainOptions
        As the user gave them.
    output : str or None
        The run's folder.
    kept : bool
        The run is to be trained: its description and first state are written.
    dry : bool
        Nothing is written, the folder is not even made.
    start : Weights or None
        What ``options.init`` names, where it has been read already, as a model of ONNX.
    execution : Execution
        Threads, and who is told.

    Raises
    ------
    OptionError
        Where the model, the augmentation or the checkpoint to start from is at fault.
    CnncliError
        Where the dataset or the folder is at fault.
    """
    known = (start.checkpoint, start.notes) if start else starting_point(options.init, options.model)
    return _begun(options, known, output=output, kept=kept, dry=dry, execution=execution)


def _begun(
    options: TrainOptions,
    known: tuple[Checkpoint | None, tuple[str, ...]],
    *,
    output: str | None,
    kept: bool,
    dry: bool,
    execution: Execution,
) -> Session:
    """The run of `begin`, from a checkpoint and notes on it."""
    (start, assumed), threads = known, execution.threads
    dataset = load(options, execution, start=start.preprocessing if start else None)
    images = list_of(dataset, options.dataset, threads=threads)
    learned = task_named(dataset.targets.task)
    settled = options.settled(len(dataset.train), of=learned.outputs_of)
    if not is_known(options.dataset):  # found again from wherever the run is resumed
        settled = settled.at(dataset=str(Path(options.dataset).absolute()))
        dataset = as_given(dataset, options.dataset, settled.dataset)
    made = inputs_of(dataset, start, settled, threads)
    settled = made.options
    dataset = replace(dataset, warnings=(*dataset.warnings, *made.warnings))
    task = learned.of(dataset.targets)
    model = _chosen_model(made, task, start, as_started=options.model == "auto")
    graph = model.graph()
    check_weights(graph, min(settled.batch_size or 1, len(dataset.train)))
    settled, slowed = suited(settled, graph) if options.lr is None else (settled, ())
    trained = task.trained_with(settled.as_dict(), dataset.targets)
    network, started = _first_network(graph, made, trained, start)
    inputs = _training_inputs(
        network, dataset, made.preprocessing, options=settled, task=task, execution=execution
    )
    place = RunFolder.followed if execution.follows else RunFolder.planned if dry else RunFolder.create
    folder = place(output, dataset=dataset.name, model=model.name)
    try:
        session = Session(
            folder,
            settled,
            dataset=dataset,
            model=model,
            preprocessing=made.preprocessing,
            inputs=inputs,
            images=images,
            earlier=start.seen if start else None,
            notes=(*made.notes, *slowed, *assumed, *started),
        )
        if kept and not dry and not execution.follows:
            session.write_first(options.dataset)
    except CnncliError:  # also of a disk that is full
        folder.discard()
        raise
    except MemoryError as fault:
        folder.discard()
        raise too_large(inputs.batch) from fault
    return session


def _chosen_model(made: RunInputs, task: Task, start: Checkpoint | None, *, as_started: bool) -> Architecture:
    """The model that the options name, or that of the weights to start from, for these inputs and outputs."""
    layers = made.options.model
    if start and layers == "auto" and start.architecture.name == IMPORTED:
        return for_classes(start.architecture, made.preprocessing.shape, len(task.outputs))
    if start and layers == "auto":
        layers = start.architecture.layers or start.architecture.name
    model = architecture(
        layers,
        made.preprocessing.shape,
        len(task.outputs),
        seed=made.options.seed,
        words=made.words,
        frames=made.frames,
        of=task.outputs_of,
    )
    return replace(model, name=start.architecture.name) if start and as_started else model


def _first_network(
    graph: Graph, made: RunInputs, task: Task, start: Checkpoint | None
) -> tuple[Network, tuple[str, ...]]:
    """A network with the weights that training begins with, and where they come from."""
    network = Network(graph, seed=made.options.seed)
    task.begin(network)
    taken = _transferred(network, start, task) if start else ()
    return network, (*taken, *made.load_vectors(network, start))


def resume(
    path: str,
    *,
    changes: Changes | None = None,
    offline: bool = False,
    execution: Execution = USUAL,
) -> Session:
    """Prepare to go on with a run, with the same options and the same images.

    Parameters
    ----------
    path : str
        The run's folder.
    changes : Changes or None
        Where the data have been moved to, and up to which epoch the run is prolonged: written into the run
        when all else is found to be in order.
    offline : bool
        Download nothing.
    execution : Execution
        As for `begin`.

    Raises
    ------
    CnncliError
        Where the folder holds no run, or the data have changed.
    """
    folder = RunFolder(Path(path)) if execution.follows else RunFolder.existing(path)
    run, changes = _read(folder), changes or Changes()
    state = load_state(folder / "state.safetensors")
    options, plans = changes.prolonged(run.options, run.plans, state.progress)
    given = run.given
    if changes.data is not None:
        moved = changes.data if is_known(changes.data) else str(Path(changes.data).absolute())
        options, given = options.at(dataset=moved), changes.data
    dataset = load_same(
        options.at(offline=options.offline or offline),
        run.preprocessing.input_spec,
        run.images,
        run.task,
        folder=folder,
        execution=execution,
    )
    dataset = replace(
        as_given(dataset, given, options.dataset), name=run.name, known=run.known, provenance=run.provenance
    )
    network = Network(run.graph, seed=options.seed)
    inputs = _training_inputs(
        network, dataset, run.preprocessing, options=options, task=run.task, execution=execution
    )
    session = Session(
        folder,
        options,
        dataset=dataset,
        model=run.model,
        preprocessing=run.preprocessing,
        inputs=replace(inputs, plans=plans),
        images=run.images,
        earlier=run.earlier,
    )
    session.take_up(state)
    if changes:
        session.describe(given)
    return session


@dataclass(frozen=True, eq=False)
class _WrittenRun:
    """What a run's folder says of it."""

    options: TrainOptions
    model: Architecture
    graph: Graph
    preprocessing: Preprocessing
    task: Task
    images: ImageList
    name: str
    known: str
    provenance: str
    given: str
    plans: tuple[int, ...]
    earlier: TrainedImages | None


def _read(folder: RunFolder) -> _WrittenRun:
    config = folder.read_config()
    try:
        options, model = (
            TrainOptions.from_fields(config.fields("options")),
            architecture_of(config.fields("model")),
        )
        facts = config.fields("data")
        return _WrittenRun(
            options,
            model,
            graph=model.graph(seed=options.seed),
            preprocessing=preprocessing_of(config.fields("preprocessing")),
            task=task_of(facts),
            images=list_as_written(folder, facts),
            name=facts.text("name"),
            known=facts.text("known"),
            provenance=facts.text("provenance"),
            given=config.text("given"),
            plans=config.wholes("plans", None, 1, 1_000_000),
            earlier=TrainedImages.from_text(config.text("earlier")) if "earlier" in config else None,
        )
    except MalformedError as error:
        raise folder.no_run(error) from error


def _transferred(network: Network, start: Checkpoint, task: Task) -> tuple[str, ...]:
    """Take over weights, and say which."""
    said = transfer_weights(network, start, task)
    if start.seen is None:
        return said, f"these weights do not say which {task.noun} they were trained on"
    return (said,)


def _trained_before(dataset: Dataset, earlier: TrainedImages | None, watched: Metric) -> tuple[str, ...]:
    """A warning where the test is of images that the weights to start from were trained on."""
    test = dataset.test
    twice = 0 if earlier is None else int(earlier.trained_on(digests_of(test), keys_of(test)).sum())
    if not twice:
        return ()
    return (
        f"{twice:,} of the {len(test):,} test {test.targets.noun} were trained on before, by the weights of "
        f"--init: the test {watched.name} will be too {'high' if watched.higher_is_better else 'low'}",
    )


def _frozen(network: Network) -> frozenset[str]:
    graph = network.graph
    heads = tuple(f"{name}." for role in graph.outputs for name in graph.heads(role))
    return frozenset(name for name in network.parameters if not name.startswith(heads))


def _training_inputs(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    options: TrainOptions,
    task: Task,
    execution: Execution,
) -> TrainingInputs:
    count, threads = len(dataset.train), execution.threads
    task = task.trained_with(options.as_dict(), dataset.targets)
    batch = min(options.batch_size or 1, count)
    augment = parse_augment(options.augment, dataset=dataset.known, shape=dataset.shape)
    train = preprocessing.loader(
        dataset.train,
        batch,
        augment=augment,
        seed=options.seed,
        shuffle=True,
        drop_last=whole_steps_only(network.graph, count, batch, frozen=options.freeze),
        threads=threads,
    )
    val = preprocessing.loader(dataset.val, batch, threads=threads) if len(dataset.val) else None
    frozen = _frozen(network) if options.freeze else frozenset()
    return TrainingInputs(network, task, train, val, options, batch, threads, frozen, ranks=execution.ranks)


def _facts(dataset: Dataset, task: Task) -> dict[str, Any]:
    """What a run is told to be of, wherever its data lie."""
    return {
        "name": dataset.name,
        "known": dataset.known,
        "provenance": dataset.provenance,
        "task": task.name,
        **task.settings,
        "train": len(dataset.train),
        "val": len(dataset.val),
        "test": len(dataset.test),
    }
