"""``cnncli train``: from options to a run, and what a run leaves behind."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli import ending
from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE, Stopped, UsageError
from cnncli.cli.messages import report
from cnncli.cli.options.train import Settings
from cnncli.cli.stopping import orderly_stop
from cnncli.cli.streams import write_line
from cnncli.core.ranks import are_several, follows
from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import shown
from cnncli.records import fields, replace

if TYPE_CHECKING:
    from cnncli.core.ranks import Ranks
    from cnncli.data.model import Report
    from cnncli.training.loading import Execution
    from cnncli.training.loop import Observer
    from cnncli.training.options import TrainOptions
    from cnncli.training.session import Session
    from cnncli.training.weights.load import Weights

_FREE = ("offline", "epochs", "data")  # what may be said of a run beside --resume
#: How the command is carried out, as opposed to what it computes.
_ABOUT_THE_COMMAND = ("output", "resume", "find_lr", "look", "dry_run", "json", "quiet", "threads", "debug")


def run(settings: Settings) -> int:
    """Train a network, and return the exit code.

    Raises
    ------
    CnncliError
        Where the options, the data, the model or the run's folder is at fault, or the loss diverges.
    Stopped
        After Ctrl-C: the state is saved.
    """
    if are_several():
        from cnncli.cli.train_together import train_together

        alone = settings.look or settings.find_lr or settings.dry_run
        return train_together(
            lambda ranks: _session(settings, ranks),
            lambda session: _carry_out(session, settings),
            (lambda: _alone(settings)) if alone else None,
            debug=settings.debug,
        )
    return _alone(settings)


def _alone(settings: Settings) -> int:
    """Do all of it in this process."""
    if settings.look:
        return _look(settings)
    session = _session(settings)
    try:
        return _carry_out(session, settings)
    finally:
        session.folder.unlock()


def _carry_out(session: "Session", settings: Settings) -> int:
    for line in session.dataset.warnings if not settings.quiet else ():
        report(f"warning: {line}")
    if settings.find_lr:
        return _find_rate(session, settings)
    if settings.dry_run:
        return _print_plan(session, settings)
    if session.trainer.progress.result is not None:
        if not settings.quiet:
            report(f"{session.folder.path} has already finished")
        return _finish(session, settings)
    kept = ending.saying(lambda: f"the state of the last save is kept; {_resuming(session)}")
    with kept:
        if not settings.quiet:
            from cnncli.cli.train_summary import epoch_legend, summary_lines

            report(*summary_lines(session, sys.stderr), *epoch_legend(session, sys.stderr))
        with orderly_stop() as signals, _display(session, settings) as observer:
            if (ranks := session.trainer.inputs.ranks) is not None:
                ranks.signals = lambda: bool(signals)
            over = session.trainer.run(_Keeping(session, observer), lambda: bool(signals))
    if not over:
        raise Stopped(signals[0] if signals else signal.SIGTERM, _how_to_go_on(session))
    if session.trainer.progress.epoch < session.trainer.epochs and not settings.quiet:
        report(_stopped_early(session))
    return _finish(session, settings)


def _look(settings: Settings) -> int:
    """Draw samples instead of training."""
    from cnncli.cli import train_look
    from cnncli.training.loading import Execution

    asked = _asked(settings)
    _check_new(settings, asked)
    with _loading(settings) as show_progress:
        execution = Execution(threads=_cores(settings), report=show_progress)
        try:
            return train_look.run(settings, _options(asked), execution)
        except OptionError as error:
            raise UsageError(error.message, error.hint) from error


def _asked(settings: Settings) -> dict[str, Any]:
    """What was said of the run by name."""
    return {
        name: value
        for name in fields(settings)
        if name not in _ABOUT_THE_COMMAND
        and (value := getattr(settings, name)) is not None
        and (value is not False or name == "splits")
    }


def _options(asked: dict[str, Any]) -> "TrainOptions":
    """The options of a new run."""
    from cnncli.training.options import TrainOptions

    try:
        return TrainOptions(**asked)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error


def _session(settings: Settings, ranks: "Ranks | None" = None) -> "Session":
    """The run that was asked for, ready to go: a new one, or one that goes on."""
    from cnncli.training.loading import Execution

    threads = _cores(settings)
    if ranks is not None and settings.threads is None:
        threads = ranks.threads(threads)
    asked = _asked(settings)
    how = replace(settings, quiet=True) if follows(ranks) else settings
    with _loading(how) as show_progress:
        execution = Execution(threads=threads, report=show_progress, ranks=ranks)
        return _prepared(settings, asked, execution)


def _prepared(settings: Settings, asked: dict[str, Any], execution: "Execution") -> "Session":
    try:
        if settings.resume is not None:
            return _resumed(settings, settings.resume, asked, execution)
        return _begun(settings, asked, execution)
    except OptionError as error:
        raise UsageError(error.message, error.hint) from error


def _cores(settings: Settings) -> int:
    """Threads to use."""
    from cnncli.core.threads import available_cores

    if settings.threads is not None and settings.threads < 1:
        raise UsageError(
            f"--threads is {settings.threads}; expected 1 or more", "Leave it out to use all cores."
        )
    return settings.threads or available_cores()


def _resumed(settings: Settings, run: str, asked: dict[str, Any], execution: "Execution") -> "Session":
    """A run that goes on."""
    from cnncli.training.changes import Changes
    from cnncli.training.session import resume

    others = [name for name in asked if name not in _FREE]
    others += ["output"] if settings.output else []
    others += ["find-lr"] if settings.find_lr else []
    others += ["dry-run"] if settings.dry_run else []
    if others:
        what = "a DATASET" if others[0] == "dataset" else f"--{others[0].replace('_', '-')}"
        raise UsageError(
            f"--resume goes on with the options of its run; {what} stands beside it",
            f"Leave {what} out, or start a new run from its weights: --init {run}/last.safetensors.",
        )
    changes = Changes(settings.data, settings.epochs)
    return resume(run, changes=changes, offline=settings.offline, execution=execution)


def _begun(settings: Settings, asked: dict[str, Any], execution: "Execution") -> "Session":
    """A new run."""
    from cnncli.training.session import begin

    _check_new(settings, asked)
    options = _options(asked)
    _check_momentum(options, asked)
    _check_output(options, settings)
    return begin(
        options,
        output=settings.output,
        kept=not settings.find_lr,
        dry=settings.dry_run,
        start=_start(options.init),
        execution=execution,
    )


def _start(init: str | None) -> "Weights | None":
    """A model of ONNX as the weights to start from; others are read where the run begins.

    Raises
    ------
    OptionError
        Where it cannot be read.
    """
    from cnncli.data.shipped import is_onnx

    if init is None or not is_onnx(init):
        return None
    from cnncli.onnx.imported import load_onnx

    try:
        return load_onnx(Path(init))
    except CnncliError as fault:
        raise OptionError(f"--init: {fault.message}", fault.hint) from fault


def _check_new(settings: Settings, asked: dict[str, Any]) -> None:
    """Refuse what makes no new run."""
    if settings.data is not None:
        raise UsageError(
            f"--data is {shown(settings.data)} without --resume; expected it where a run's data have moved",
            "Give the data set as DATASET, or use --resume RUN --data PATH.",
        )
    if "dataset" not in asked:
        raise UsageError(
            "no DATASET is given; expected a name, a folder or a file, or --resume RUN",
            "Run, for example, cnncli train mnist, or see cnncli train --help.",
        )
    if settings.look and (settings.resume or settings.find_lr or settings.dry_run):
        raise UsageError(
            "--look stands beside another of --resume, --find-lr and --dry-run; expected one of them",
            "Leave one of them out.",
        )
    if settings.find_lr and settings.dry_run:
        raise UsageError(
            "--dry-run stands beside --find-lr, which trains nothing either; expected one of them",
            "Leave one of them out.",
        )
    if settings.epochs == 0:
        raise UsageError(
            "--epochs is 0; expected a whole number, 1 to 1000000",
            "Use --dry-run to see what would be trained.",
        )


def _check_momentum(options: "TrainOptions", asked: dict[str, Any]) -> None:
    """Refuse what the optimiser would not heed."""
    if "momentum" in asked and options.opt is None:
        raise UsageError(
            f"--momentum is {options.momentum:g} without --opt; expected it with sgd, rmsprop or muon",
            "Add --opt sgd, or leave --momentum out.",
        )
    if "momentum" in asked and options.opt not in ("sgd", "rmsprop", "muon"):
        raise UsageError(
            f"--momentum is {options.momentum:g} with --opt {options.opt}, which has none; "
            "expected it with sgd, rmsprop or muon",
            "Leave --momentum out, or use --opt sgd.",
        )


def _check_output(options: "TrainOptions", settings: Settings) -> None:
    """Refuse a folder in which the run would write over what it reads."""
    from cnncli.cli.names import identity
    from cnncli.cli.train_report import PAGES
    from cnncli.training.folder import FILES, RATE_CURVE

    if settings.output is None:
        return  # a new folder
    init, dataset = Path(options.init or ""), Path(options.dataset)
    read = {identity(str(init / "best.safetensors" if init.is_dir() else init)), identity(str(dataset))}
    within = dataset.is_dir() and Path(settings.output).resolve().is_relative_to(dataset.resolve())
    written = [*FILES, *(name for pages in PAGES.values() for name in pages.files)]
    for name in (RATE_CURVE,) if settings.find_lr else written:
        path = Path(settings.output, name)
        if path.exists() and (within or identity(str(path)) in read):
            raise UsageError(
                f"-o {shown(settings.output)}: the run would write over {shown(path)}, which it reads; "
                "expected another folder",
                "Name another folder with -o.",
            )


@contextmanager
def _loading(settings: Settings) -> Iterator["Report | None"]:
    """Tell about downloads and decoding that take longer than a moment."""
    from cnncli.cli.progress import redraws

    if settings.quiet or not redraws(sys.stderr):
        yield None
        return
    from cnncli.cli.train_display import loading_bar

    with loading_bar() as show_progress:
        yield show_progress


def _display(session: "Session", settings: Settings) -> AbstractContextManager["Observer"]:
    from cnncli.cli.progress import redraws
    from cnncli.cli.train_display import Lines, Silent

    if settings.quiet:
        return nullcontext(Silent())
    if redraws(sys.stderr):
        from cnncli.cli.train_live import live_display

        return live_display(session)
    return nullcontext(Lines(session.trainer.epochs, session.task.watched, session.task.noun))


class _Keeping:
    """Draws the curves after every epoch, before the display hears of it."""

    def __init__(self, session: "Session", observer: "Observer") -> None:
        self.session, self.observer = session, observer
        self.on_step = observer.on_step
        self._drawn = 0.0

    def on_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """A picture every ten seconds at most, which takes a sixth of one."""
        if time.monotonic() - self._drawn > 10:
            draw_curves(self.session)
            self._drawn = time.monotonic()
        self.observer.on_epoch(row, best=best)


def draw_curves(session: "Session") -> None:
    """Write ``curves.png`` of the epochs so far."""
    from cnncli.cli.page_files import write_page
    from cnncli.views.curves import curves_page

    progress = session.trainer.progress
    page = curves_page(
        progress.history,
        session.task.watched,
        title=_title(session),
        best=progress.best_epoch,
        only_in_training=_only_in_training(session),
    )
    write_page(session.folder / "curves.png", page)


def _only_in_training(session: "Session") -> list[str]:
    """What makes a run's training loss larger than its validation loss."""
    from cnncli.cli.train_summary import augmentation
    from cnncli.nn import Dropout

    graph = session.trainer.inputs.network.graph
    found = [f"label smoothing {session.options.smoothing:g}"] if session.options.smoothing else []
    if (chosen := augmentation(session)) != "none":
        found.append(f"augmentation ({chosen})")
    return found + ["dropout"] * any(isinstance(node.layer, Dropout) for node in graph.nodes.values())


def _title(session: "Session") -> str:
    return f"{session.dataset.name}, {session.model.name}"


def _finish(session: "Session", settings: Settings) -> int:
    """Evaluate on the test split, once, and write its files and the closing line."""
    progress = session.trainer.progress
    result = progress.result
    if result is None:
        with ending.saying(lambda: _untested(session)):
            draw_curves(session)
            result = _test(session)
            session.finish(result)
    if not settings.quiet:
        report(_closing_line(session, result))
    write_line(as_json(_object(session, result)) if settings.json else str(session.folder.path))
    return DONE


def _print_plan(session: "Session", settings: Settings) -> int:
    """Print what would be trained."""
    from cnncli.cli.train_summary import summary_lines, summary_object

    if settings.json:
        write_line(as_json(summary_object(session)))
    else:
        for line in summary_lines(session, sys.stdout)[:-1]:
            write_line(line)
    return DONE


def _untested(session: "Session") -> str:
    """How to go on where a signal ends what comes after the last epoch."""
    return f"all epochs are trained, the evaluation on the test set is left; {_resuming(session)}"


def _object(session: "Session", result: dict[str, Any]) -> dict[str, Any]:
    progress, watched = session.trainer.progress, session.task.watched.name
    return {
        "run": str(session.folder.path),
        "model": session.model.name,
        "dataset": session.dataset.name,
        "images": len(session.dataset.train),
        "skipped": len(session.dataset.skipped),
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "test_images": result["images"],
        f"test_{watched}": result[watched],
        "test_loss": result["loss"],
        "seconds": round(progress.seconds, 3),
    }


def _closing_line(session: "Session", result: dict[str, Any]) -> str:
    progress = session.trainer.progress
    took = f"{progress.seconds:.1f} s, {_epochs(progress.epoch)}"
    if not result["images"]:
        return f"trained in {took}; there are no test {session.dataset.noun}"
    return (
        f"test {session.task.sentence(result)}, "
        f"with the weights of epoch {progress.best_epoch}; trained in {took}"
    )


def _test(session: "Session") -> dict[str, Any]:
    from cnncli.training.evaluation import evaluate

    dataset = session.dataset
    if not len(dataset.test):
        return session.task.no_result()
    batch = session.trainer.inputs.batch
    evaluation = evaluate(
        session.best_network(),
        dataset.test,
        session.preprocessing,
        session.task,
        batch=batch,
        threads=session.trainer.inputs.threads,
    )
    from cnncli.cli.train_report import write_test_files

    write_test_files(
        session.folder.path, dataset, evaluation, session.task, title=_title(session), split="test"
    )
    return evaluation.result()


def _stopped_early(session: "Session") -> str:
    watched = session.task.watched
    return (
        f"stopped early, after epoch {session.trainer.progress.epoch}: "
        f"no {watched.comparative} validation {watched.name} for {_epochs(session.trainer.waited)}"
    )


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' if count != 1 else ''}"


def _how_to_go_on(session: "Session") -> str:
    progress = session.trainer.progress
    done = f"saved after step {progress.step:,}, in epoch {progress.epoch + 1} of {session.trainer.epochs}"
    return f"{done}; {_resuming(session)}"


def _resuming(session: "Session") -> str:
    import shlex

    return f"continue with: cnncli train --resume {shown(shlex.quote(str(session.folder.path)))}"


def _find_rate(session: "Session", settings: Settings) -> int:
    from cnncli.cli.page_files import write_page
    from cnncli.training.finder import find_rate
    from cnncli.training.folder import RATE_CURVE
    from cnncli.views.curves import rates_page

    found = find_rate(session.trainer.inputs)
    path = session.folder / RATE_CURVE
    write_page(path, rates_page(found, title=_title(session)))
    if settings.json:
        write_line(
            as_json({"run": str(session.folder.path), "suggested_lr": found.suggested, "curve": str(path)})
        )
    else:
        write_line(str(path))
    if not settings.quiet:
        report(
            f"suggested: --lr {found.suggested:.2g}, a tenth of the rate with the lowest loss; "
            f"the curve is in {path}"
        )
    return DONE
