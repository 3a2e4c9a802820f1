"""A session: from options, or from a run's folder, to a trainer that is ready to go."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cnncli import __version__
from cnncli.checked import MalformedError
from cnncli.data.augment import parse_augment
from cnncli.data.identity import digests_of, keys_of
from cnncli.data.model import Dataset
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.models.architecture import Architecture
from cnncli.models.choice import architecture
from cnncli.nn import Network
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
from cnncli.training.inputs import inputs_of
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
            if options.record_features
            else None
        )

    def save(self, state: State, epoch_ended: bool) -> None:
        """Write the state, and after an epoch all that follows from it.

        What is recorded comes first: of every epoch in a state there is a record, and one of an epoch that a
        kill takes back is written again with the same bits.
        """
        if epoch_ended and self._recorder is not None:
            self._recorder.record(state.progress.history[-1])
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

    def describe(self, given: str) -> None:
        """Write ``config.json``; ``given`` is what the user calls the data."""
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
    execution : Execution
        Threads, and who is told.

    Raises
    ------
    OptionError
        Where the model, the augmentation or the checkpoint to start from is at fault.
    CnncliError
        Where the dataset or the folder is at fault.
    """
    threads = execution.threads
    start, assumed = starting_point(options.init, options.model)
    dataset = load(options, execution, start=start.preprocessing if start else None)
    images = list_of(dataset, options.dataset, threads=threads)
    learned = task_named(dataset.targets.task)
    settled = options.settled(len(dataset.train), of=learned.outputs_of)
    if not is_known(options.dataset):  # found again from wherever the run is resumed
        settled = settled.at(dataset=str(Path(options.dataset).absolute()))
        dataset = as_given(dataset, options.dataset, settled.dataset)
    made = inputs_of(dataset, start, settled, threads)
    settled, preprocessing = made.options, made.preprocessing
    dataset = replace(dataset, warnings=(*dataset.warnings, *made.warnings))
    task = learned.of(dataset.targets)
    layers = settled.model
    if start and layers == "auto":
        layers = start.architecture.layers or start.architecture.name
    model = architecture(
        layers,
        preprocessing.shape,
        len(task.outputs),
        seed=settled.seed,
        words=made.words,
        frames=made.frames,
        of=task.outputs_of,
    )
    if start and options.model == "auto":
        model = replace(model, name=start.architecture.name)
    graph = model.graph()
    check_weights(graph, min(settled.batch_size or 1, len(dataset.train)))
    network = Network(graph, seed=settled.seed)
    task.begin(network)
    notes = made.notes
    if options.lr is None:
        settled, said = suited(settled, graph)
        notes += said
    if start:
        notes += (*_transferred(network, start, task), *assumed)
    notes += made.load_vectors(network, start)
    inputs = _training_inputs(network, dataset, preprocessing, options=settled, task=task, threads=threads)
    place = RunFolder.planned if dry else RunFolder.create
    folder = place(output, dataset=dataset.name, model=model.name)
    try:
        session = Session(
            folder,
            settled,
            dataset=dataset,
            model=model,
            preprocessing=preprocessing,
            inputs=inputs,
            images=images,
            earlier=start.seen if start else None,
            notes=notes,
        )
    except (CnncliError, MemoryError) as fault:
        folder.discard()
        raise fault if isinstance(fault, CnncliError) else too_large(inputs.batch) from fault
    if kept and not dry:
        try:
            save_state(folder / "state.safetensors", session.trainer.state())
            folder.write_list(images)
            session.describe(options.dataset)
        except CnncliError:  # a disk that is full
            folder.discard()
            raise
    return session


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
    folder = RunFolder.existing(path)
    config, changes = folder.read_config(), changes or Changes()
    try:
        options = TrainOptions.from_fields(config.fields("options"))
        model = architecture_of(config.fields("model"))
        preprocessing = preprocessing_of(config.fields("preprocessing"))
        facts = config.fields("data")
        name, known, provenance = facts.text("name"), facts.text("known"), facts.text("provenance")
        task = task_of(facts)
        given, plans = config.text("given"), config.wholes("plans", None, 1, 1_000_000)
        earlier = TrainedImages.from_text(config.text("earlier")) if "earlier" in config else None
        images = list_as_written(folder, facts)
        graph = model.graph(seed=options.seed)
    except MalformedError as error:
        raise folder.no_run(error) from error
    state = load_state(folder / "state.safetensors")
    options, plans = changes.prolonged(options, plans, state.progress)
    if changes.data is not None:
        moved = changes.data if is_known(changes.data) else str(Path(changes.data).absolute())
        options, given = options.at(dataset=moved), changes.data
    dataset = load_same(
        options.at(offline=options.offline or offline),
        preprocessing.input_spec,
        images,
        task,
        folder=folder,
        execution=execution,
    )
    dataset = replace(
        as_given(dataset, given, options.dataset), name=name, known=known, provenance=provenance
    )
    network = Network(graph, seed=options.seed)
    inputs = _training_inputs(
        network, dataset, preprocessing, options=options, task=task, threads=execution.threads
    )
    session = Session(
        folder,
        options,
        dataset=dataset,
        model=model,
        preprocessing=preprocessing,
        inputs=replace(inputs, plans=plans),
        images=images,
        earlier=earlier,
    )
    try:
        session.trainer.resume(state)
    except CnncliError as fault:
        raise CnncliError(
            f"{shown(folder / 'state.safetensors')} is no state of this run: {fault.message}",
            "Restore it from a copy, or start again; --init starts from the weights of best.safetensors.",
        ) from fault
    if changes:
        session.describe(given)
    if not session.trainer.over:
        state.progress.result = None  # of the run as it was before it was prolonged
    if state.progress.batch == 0 and state.progress.epoch and state.progress.result is None:
        session.write_derived(state)  # a kill may have come between the state and these
    return session


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
    head = f"{network.graph.head()}."
    return frozenset(name for name in network.parameters if not name.startswith(head))


def _training_inputs(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    options: TrainOptions,
    task: Task,
    threads: int,
) -> TrainingInputs:
    count = len(dataset.train)
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
    return TrainingInputs(network, task, train, val, options, batch, threads, frozen)


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
