"""What is printed before training starts: data, layers, shapes, parameters, multiply-adds, memory."""

from typing import TYPE_CHECKING, Any, TextIO

from cnncli.cli.layer_table import layer_lines
from cnncli.models.summary import Summary, summary
from cnncli.models.tree import tree
from cnncli.text import amount

if TYPE_CHECKING:
    from cnncli.nn import Graph
    from cnncli.training.session import Session

_MOST_ROWS = 40
_INDENT = " " * 9  # of what follows a heading such as "data"
MOST_SKIPPED = 5  # files that are named with the reason


def summary_lines(session: "Session", stream: TextIO) -> list[str]:
    """The lines to print before training; on a terminal they fit its columns where they can."""
    from cnncli.cli.messages import columns_of, wrapped
    from cnncli.training.capacity import run_memory

    dataset, options, trainer = session.dataset, session.options, session.trainer
    graph = trainer.inputs.network.graph
    table = summary(graph)
    head = [f"data     {dataset.provenance}", *(f"         {note}" for note in dataset.notes)]
    head += [f"         left out: {each.sentence}" for each in dataset.skipped[:MOST_SKIPPED]]
    shape = "x".join(map(str, dataset.shape))
    if dataset.noun == "texts":
        shape = f"up to {trainer.inputs.network.graph.input_shape.width:,} words"
    outputs = f"{len(session.task.outputs):,} {session.task.output_noun}"
    head.append(
        f"         {len(dataset.train):,} for training, {len(dataset.val):,} for validation, "
        f"{len(dataset.test):,} for testing; {outputs}; {shape}"
    )
    tail = [
        f"train    {options.epochs} epoch{'s' if options.epochs != 1 else ''}, "
        f"{trainer.epochs * len(trainer.inputs.train):,} steps, "
        f"batch {trainer.inputs.batch}, {options.opt} at {options.lr:g} "
        f"({options.sched}), weight decay {options.weight_decay:g}, "
        f"augment {augmentation(session).replace(',', ', ')}, "
        f"seed {options.seed}",
        *(f"         {note}" for note in (*session.notes, *_notes_on_steps(session))),
        f"run      {session.folder.path}",
    ]
    progress = trainer.progress
    if progress.step:
        tail.append(f"         continues after step {progress.step:,}, in epoch {progress.epoch + 1}")
    columns = columns_of(stream)
    layers = [] if progress.step else _layers(graph, table, columns)  # of a run that goes on they are known
    sums = (
        f"         {table.parameters:,} parameters, "
        f"{amount(table.multiply_adds)} multiply-adds per "
        f"{dataset.noun[:-1]}, {amount(run_memory(trainer, dataset), 'B')} of memory for batches of "
        f"{trainer.inputs.batch}"
    )
    head = wrapped([*head, f"model    {session.model.name}"], columns, _INDENT)
    return [*head, *layers, *wrapped([sums, *tail, ""], columns, _INDENT)]


def epoch_legend(session: "Session", stream: TextIO) -> list[str]:
    """Say what the numbers in the lines of epochs are."""
    from cnncli.cli.messages import columns_of, wrapped

    watched = session.task.watched.name
    validation = f"validation loss and {watched} (* best so far), " if len(session.dataset.val) else ""
    line = f"each epoch: training loss and {watched}, {validation}time so far"
    return wrapped([line], columns_of(stream))


def summary_object(session: "Session") -> dict[str, Any]:
    """What `summary_lines` say, for ``--json``."""
    from cnncli.training.capacity import run_memory

    dataset, trainer = session.dataset, session.trainer
    table = summary(trainer.inputs.network.graph)
    return {
        "run": str(session.folder.path),
        "model": session.model.name,
        "dataset": dataset.name,
        "images": len(dataset.train),
        "val_images": len(dataset.val),
        "test_images": len(dataset.test),
        "skipped": len(dataset.skipped),
        **session.task.settings,
        "shape": list(dataset.shape),
        "parameters": table.parameters,
        "multiply_adds": table.multiply_adds,
        "memory": run_memory(trainer, dataset),
        "batch_size": trainer.inputs.batch,
        "epochs": trainer.epochs,
        "steps": trainer.epochs * len(trainer.inputs.train),
        "options": session.options.as_dict(),
    }


def _notes_on_steps(session: "Session") -> list[str]:
    """Images that an epoch leaves out, and what was planned before."""
    inputs, count = session.trainer.inputs, len(session.dataset.train)
    notes = []
    if left := count - min(count, len(inputs.train) * inputs.batch):
        noun = session.dataset.noun
        images = f"1 {noun[:-1]}" if left == 1 else f"{left:,} {noun}"
        notes.append(f"each epoch leaves out {images}, too few for a batch: others in every epoch")
    if inputs.plans:
        notes.append(
            f"made longer: {', '.join(f'{each:,}' for each in inputs.plans)} epochs were planned before"
        )
    return notes


def augmentation(session: "Session") -> str:
    """Spell the augmentation of a run, ``none`` where there is none."""
    from cnncli.data.augment import parse_augment

    dataset = session.dataset
    chosen = parse_augment(session.options.augment, dataset=dataset.known, shape=dataset.shape)
    return chosen.text if chosen else "none"


def _layers(graph: "Graph", table: Summary, columns: int | None) -> list[str]:
    """The layers as a table, with a line for each block; the middle of a long one is left out."""
    heading, *lines = layer_lines(tree(graph, table), columns, indent=len(_INDENT), opened=False)
    if len(lines) > _MOST_ROWS:
        half = _MOST_ROWS // 2
        blanks = len(heading) - len(heading.lstrip())
        lines = [*lines[:half], f"{' ' * blanks}… {len(lines) - 2 * half} more …", *lines[-half:]]
    return [heading, *lines]
