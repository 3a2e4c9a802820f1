"""The training loop: steps, epochs, validation, the best weights, and a state after every stop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnncli.core.ranks import OthersGoneError, Ranks
from cnncli.data.loader import Batch, Loader
from cnncli.data.warp import RENDER_LOOP
from cnncli.errors import CnncliError
from cnncli.nn import Flatten, Inference, Network, TrainingStep
from cnncli.tasks.task import Tally, Task, added
from cnncli.training.options import USUAL_SCHEDULE, TrainOptions, usual_rate
from cnncli.training.schedules import parse_schedule, prolonged
from cnncli.training.state import Progress, State
from cnncli.training.weight_average import WeightAverage

Floats = NDArray[np.float32]
_SAVE_SECONDS = 60.0  # between states within an epoch
_ALIKE = (
    1.1  # of two validation losses at one value of the watched metric, what the higher may be of the lower
)


@dataclass(frozen=True)
class StepReport:
    """What an observer is told after a step; the tally is of the epoch so far."""

    epoch: int
    batch: int
    batches: int
    step: int
    loss: float
    rate: float
    images: int
    seen: int
    tally: Tally
    task: Task

    @property
    def metrics(self) -> dict[str, float]:
        """Of the epoch so far; not every observer asks, and precision takes its time."""
        return self.task.metrics(self.tally, self.seen)


class Observer(Protocol):
    """Who watches a run."""

    def on_step(self, report: StepReport) -> None:
        """A step is done."""

    def on_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """An epoch is done and validated."""


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """What a run works with.

    Attributes
    ----------
    network : Network
        Trained in place.
    task : Task
        What its outputs mean.
    train : Loader
        Shuffled and augmented.
    val : Loader or None
        None: there is no validation split, and the last weights are the best.
    options : TrainOptions
        Settled.
    batch : int
        Most images of a step.
    threads : int
        To use.
    frozen : frozenset of str
        Parameters that stay as they are.
    plans : tuple of int
        Epochs at which earlier plans ended, where the run was prolonged.
    ranks : Ranks or None
        Processes that share each step; each has a trainer, and they go through the same states.
    """

    network: Network
    task: Task
    train: Loader
    val: Loader | None
    options: TrainOptions
    batch: int
    threads: int
    frozen: frozenset[str] = field(default_factory=frozenset)
    plans: tuple[int, ...] = ()
    ranks: Ranks | None = None


class Trainer:
    """A run, from its start or from a state.

    Parameters
    ----------
    inputs : TrainingInputs
        What it works with.
    save : callable
        Given a `State` after every epoch, after every minute, and at a stop.

    Attributes
    ----------
    progress : Progress
        How far it has come.
    best : dict of str to ndarray
        Weights of the best epoch so far.
    """

    def __init__(self, inputs: TrainingInputs, save: Callable[[State, bool], None]) -> None:
        self.inputs = inputs
        options, network = inputs.options, inputs.network
        self._save = save
        self.progress = Progress()
        self.best: dict[str, Floats] = {}
        self.step = TrainingStep(
            network,
            inputs.batch,
            objective=inputs.task.objective(tuple(network.graph.outputs)),
            optimiser=options.optimiser(),
            threads=inputs.threads,
            clip=options.clip,
            frozen=inputs.frozen,
            cumulative_statistics=True,
            also=[RENDER_LOOP],
            ranks=inputs.ranks,
        )
        self.average = WeightAverage(network, options.ema) if options.ema else None
        self._schedule = prolonged(
            parse_schedule(options.sched or USUAL_SCHEDULE), (*inputs.plans, self.epochs), len(inputs.train)
        )
        self._validation = self._inference() if inputs.val is not None else None
        self._before = (np.empty_like(network.weights), np.empty_like(network.state))

    @property
    def epochs(self) -> int:
        """Of the whole run."""
        return self.inputs.options.epochs or 1

    @property
    def _watched(self) -> str:
        """The name in rows of epochs of what is watched."""
        return f"val_{self.inputs.task.watched.name}"

    @property
    def over(self) -> bool:
        """Tell whether all epochs are done, or patience is at its end."""
        patience = self.inputs.options.patience
        return self.progress.epoch >= self.epochs or (patience is not None and self.waited >= patience)

    @property
    def waited(self) -> int:
        """Epochs since the watched metric of the validation was last better than ever."""
        watched = self.inputs.task.watched
        values = [row[self._watched] for row in self.progress.history if self._watched in row]
        return len(values) - 1 - values.index(watched.best(values)) if values else 0

    @property
    def shown_network(self) -> Network:
        """The network that is validated and kept: the averaged one, if there is one."""
        return self.average.network if self.average else self.inputs.network

    @property
    def validation_memory(self) -> int:
        """Bytes that the validation works in."""
        return self._validation.memory if self._validation else 0

    def _inference(self) -> Inference:
        network, inputs = self.shown_network, self.inputs
        roles = inputs.task.read(tuple(network.graph.outputs))
        return Inference(network, inputs.batch, threads=inputs.threads, outputs=roles)

    def resume(self, state: State) -> None:
        """Go on from a state.

        Raises
        ------
        CnncliError
            If it is the state of another network.
        """
        network = self.inputs.network
        network.load(state.weights)
        self.step.refresh()
        if state.progress.best_epoch:
            network.check(state.best)
        self.progress, self.best = state.progress, state.best
        self.step.load_optimiser_state(state.optimiser, steps=self.progress.step)
        if self.average:
            self.average.load(state.averaged, steps=self.progress.step)

    def state(self) -> State:
        """All that `resume` needs."""
        averaged = self.average.network.export() if self.average else {}
        return State(
            self.progress, self.inputs.network.export(), self.step.optimiser_state(), averaged, self.best
        )

    def run(self, observer: Observer, stop: Callable[[], bool]) -> bool:
        """Train until the run is over or ``stop`` returns True after a step.

        Returns
        -------
        bool
            True where the run is over, False where it was stopped; its state is saved either way.

        Raises
        ------
        CnncliError
            Where the loss is not a number any more; the last saved state stays.
        OthersGoneError
            Where another process that shared the steps is gone; the state before the step is saved.
        """
        try:
            while not self.over:
                if not self._epoch(observer, stop):
                    self._save(self.state(), False)
                    self._agree()
                    return False
                self._end_epoch(observer)
        except OthersGoneError:
            self._save(self.state(), False)
            raise
        self._agree()
        self._validation = None  # the test needs the memory
        return True

    def _agree(self) -> None:
        """From here on, all processes do the same without asking."""
        if self.inputs.ranks is not None:
            self.inputs.ranks.agreed = True

    def _stops(self, stop: Callable[[], bool]) -> bool:
        """Whether this process or another is to stop."""
        ranks = self.inputs.ranks
        return stop() if ranks is None else bool(ranks.highest(int(stop())))

    def _epoch(self, observer: Observer, stop: Callable[[], bool]) -> bool:
        progress, loader = self.progress, self.inputs.train
        saved = clock = time.monotonic()
        batches = loader.epoch(progress.epoch, first=progress.batch)
        for batch in batches:
            report = self._one_step(batch, len(loader))
            now = time.monotonic()
            progress.seconds, clock = progress.seconds + now - clock, now
            observer.on_step(report)
            if self._stops(stop):
                batches.close()  # type: ignore[attr-defined]
                return False
            if now - saved > _SAVE_SECONDS:
                self._save(self.state(), False)
                saved = now
        return True

    def _one_step(self, batch: Batch, batches: int) -> StepReport:
        progress, task, options = self.progress, self.inputs.task, self.inputs.options
        network = self.inputs.network
        rate = (options.lr or 0.0) * self._schedule(progress.step)
        np.copyto(self._before[0], network.weights)
        np.copyto(self._before[1], network.state)
        try:
            loss = self.step.run(batch.x, task.encode(batch), rate=rate)
        except OthersGoneError:  # which no step raises that has changed a weight
            np.copyto(network.state, self._before[1])
            raise
        if not np.isfinite(loss):
            self._agree()
            raise self._diverged(batch, loss)
        if self.average:
            self.average.follow(network)
        count = len(batch)
        progress.batch += 1
        progress.step += 1
        progress.loss_sum += loss * count
        progress.tally = added(progress.tally, task.tally(self.step.all_outputs(count), batch))
        progress.seen += count
        return StepReport(
            progress.epoch + 1,
            progress.batch,
            batches,
            progress.step,
            loss,
            rate,
            count,
            progress.seen,
            progress.tally,
            task,
        )

    def _end_epoch(self, observer: Observer) -> None:
        progress, options = self.progress, self.inputs.options
        clock = time.monotonic()
        row: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "lr": (options.lr or 0.0) * self._schedule(progress.step - 1),
            "train_loss": progress.loss_sum / max(1, progress.seen),
            **_named("train", self.inputs.task.metrics(progress.tally, progress.seen)),
        }
        if self.inputs.val is not None:
            row |= self._validate(self.inputs.val)
        progress.epoch += 1
        progress.batch = 0
        best = self._is_best(row)
        if best:
            progress.best_epoch = progress.epoch
            self.best = self.shown_network.export()
        before = progress.history[-1]["seconds"] if progress.history else 0.0
        progress.seconds += time.monotonic() - clock
        row["seconds"] = round(progress.seconds, 3)
        row["images_per_second"] = round(progress.seen / max(1e-9, progress.seconds - before), 1)
        progress.loss_sum, progress.seen = 0.0, 0
        progress.tally = dict.fromkeys(progress.tally, 0)
        progress.history.append(row)
        self._save(self.state(), True)
        observer.on_epoch(row, best=best)

    def _is_best(self, row: dict[str, Any]) -> bool:
        """A better value of the watched metric than ever, or the same and no clearly higher loss.

        Of epochs that are alike the last one counts, for its learning rate is lower.
        """
        if self.inputs.val is None or not self.progress.best_epoch:
            return True
        history = self.progress.history
        held = history[self.progress.best_epoch - 1][self._watched]
        lowest = min(each["val_loss"] for each in history if each[self._watched] == held)
        value, loss = row[self._watched], row["val_loss"]
        better = self.inputs.task.watched.is_better(value, held)
        return better or (value == held and bool(loss <= _ALIKE * lowest))

    def _validate(self, loader: Loader) -> dict[str, float]:
        inference = self._validation = self._validation or self._inference()
        inference.refresh()
        task, tally = self.inputs.task, Tally()
        loss, seen = 0.0, 0
        for batch_loss, batch_tally, count in self._validated(inference, loader):
            loss += batch_loss
            tally = added(tally, batch_tally)
            seen += count
        if not np.isfinite(loss):
            self._agree()
            raise CnncliError(
                f"the validation loss is {loss} after epoch {self.progress.epoch + 1}; expected a number",
                "Train again with a lower --lr, or with --clip 1.",
            )
        return {"val_loss": loss / seen, **_named("val", task.metrics(tally, seen))}

    def _validated(self, inference: Inference, loader: Loader) -> Iterator[tuple[float, Tally, int]]:
        """Loss, tally and size of each batch in order, whichever process has worked on it."""
        task, ranks = self.inputs.task, self.inputs.ranks
        rank, size = (0, 1) if ranks is None else (ranks.rank, ranks.size)

        def own() -> Iterator[tuple[float, Tally, int]]:
            for number, batch in enumerate(loader.epoch(0)):
                if number % size == rank:
                    outputs = batch.averaged(inference.run_all(batch.x))
                    yield float(task.losses(outputs, batch).sum()), task.tally(outputs, batch), len(batch)

        if ranks is None:
            yield from own()
            return
        found = ranks.each([*own()])
        yield from (found[number % size][number // size] for number in range(len(loader)))

    def _diverged(self, batch: Batch, loss: float) -> CnncliError:
        """Find the layer in which values left the numbers, with the weights from before the step."""
        network, progress = self.inputs.network, self.progress
        np.copyto(network.weights, self._before[0])
        np.copyto(network.state, self._before[1])
        names = [name for name, node in network.graph.nodes.items() if not isinstance(node.layer, Flatten)]
        kept = Inference(network, len(batch), threads=self.inputs.threads, keep=names, outputs=())
        peaks = {
            name: float(np.abs(values).max())
            for name, values in kept.activations(np.ascontiguousarray(batch.x)).items()
        }
        bad = next((name for name in names if not np.isfinite(peaks[name])), None)
        largest = max(peaks, key=lambda name: peaks[name] if np.isfinite(peaks[name]) else -1.0)
        where = (
            f"layer {bad} overflows"
            if bad
            else f"the largest value, {peaks[largest]:.3g}, is in layer {largest}"
        )
        options = self.inputs.options
        lower = min((options.lr or 0.0) / 10, usual_rate(options.opt, self.inputs.batch))
        kept_words = (
            f"; the best weights so far (epoch {progress.best_epoch}) are kept" if progress.best_epoch else ""
        )
        return CnncliError(
            f"the loss is {loss} at step {progress.step + 1}, in epoch {progress.epoch + 1}: {where}; "
            "expected a number",
            f"Train again with a lower --lr, such as {lower:g}, or with --clip 1{kept_words}.",
        )


def _named(split: str, metrics: dict[str, float]) -> dict[str, float]:
    """Metrics as rows of epochs name them: ``val_accuracy``."""
    return {f"{split}_{name}": value for name, value in metrics.items()}
