"""What is said before training starts: data, layers, shapes, parameters, multiply-adds, memory."""

from typing import TYPE_CHECKING, Any

from cnncli.models import Summary, summary

if TYPE_CHECKING:
    from cnncli.training.session import Session

_MOST_ROWS = 40
_MOST_SKIPPED = 5  # files that are named with the reason


def amount(value: float, unit: str = "") -> str:
    """A number that is read at a glance: 61.7 k, 1.2 M, 7.7 MB with a unit."""
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.0f} {unit}".rstrip()


def summary_lines(session: "Session") -> list[str]:
    """The lines to print before training."""
    from cnncli.training.capacity import run_memory

    dataset, options, trainer = session.dataset, session.options, session.trainer
    table = summary(trainer.inputs.network.graph, trainer.inputs.batch)
    head = [f"data     {dataset.provenance}", *(f"         {note}" for note in dataset.notes)]
    head += [f"         left out: {each.path}: {each.why}" for each in dataset.skipped[:_MOST_SKIPPED]]
    height, width, channels = dataset.shape
    head.append(
        f"         {len(dataset.train):,} for training, {len(dataset.val):,} for validation, "
        f"{len(dataset.test):,} for the test; {len(dataset.classes)} classes; {height}x{width}x{channels}"
    )
    tail = [
        f"train    {options.epochs} epoch{'s' if options.epochs != 1 else ''}, "
        f"{trainer.epochs * len(trainer.inputs.train):,} steps, "
        f"batch {trainer.inputs.batch}, {options.opt} at {options.lr:g} "
        f"({options.sched}), weight decay {options.weight_decay:g}, augment {augmentation(session)}, "
        f"seed {options.seed}",
        *(f"         {note}" for note in (*session.notes, *_said_of_steps(session))),
        f"run      {session.folder.path}",
    ]
    progress = trainer.progress
    if progress.step:
        tail.append(f"         goes on after step {progress.step:,}, in epoch {progress.epoch + 1}")
    return [*head, f"model    {session.model.name}", *_layers(table, run_memory(trainer, dataset)), *tail, ""]


def summary_object(session: "Session") -> dict[str, Any]:
    """What `summary_lines` say, for ``--json``."""
    from cnncli.training.capacity import run_memory

    dataset, trainer = session.dataset, session.trainer
    table = summary(trainer.inputs.network.graph, trainer.inputs.batch)
    return {
        "run": str(session.folder.path),
        "model": session.model.name,
        "dataset": dataset.name,
        "images": len(dataset.train),
        "val_images": len(dataset.val),
        "test_images": len(dataset.test),
        "skipped": len(dataset.skipped),
        "classes": list(dataset.classes),
        "shape": list(dataset.shape),
        "parameters": table.parameters,
        "multiply_adds": table.multiply_adds,
        "memory": run_memory(trainer, dataset),
        "batch_size": trainer.inputs.batch,
        "epochs": trainer.epochs,
        "steps": trainer.epochs * len(trainer.inputs.train),
        "options": session.options.as_dict(),
    }


def _said_of_steps(session: "Session") -> list[str]:
    """Images that an epoch leaves out, and what was planned before."""
    inputs, count = session.trainer.inputs, len(session.dataset.train)
    said = []
    if left := count - min(count, len(inputs.train) * inputs.batch):
        images = "1 image" if left == 1 else f"{left:,} images"
        said.append(f"each epoch leaves out {images}, others every time: too few for a batch")
    if inputs.plans:
        said.append(f"prolonged from {', '.join(f'{each:,}' for each in inputs.plans)} epochs")
    return said


def augmentation(session: "Session") -> str:
    """Spell the augmentation of a run, ``none`` where there is none."""
    from cnncli.data.augment import parse_augment

    dataset = session.dataset
    chosen = parse_augment(session.options.augment, dataset=dataset.known, shape=dataset.shape)
    return chosen.text if chosen else "none"


def _layers(table: Summary, memory: int) -> list[str]:
    """The layers as a table, the middle of long ones left out."""
    rows = [
        (r.name, str(r.shape), f"{r.parameters:,}" if r.parameters else "", amount(r.multiply_adds))
        if r.multiply_adds
        else (r.name, str(r.shape), f"{r.parameters:,}" if r.parameters else "", "")
        for r in table.layers
    ]
    fields = ["x".join(map(str, row.receptive_field)) for row in table.layers]
    titles = ("layer", "output", "parameters", "mult-adds")
    widths = [max(len(t), *(len(row[i]) for row in rows)) for i, t in enumerate(titles)]

    def line(cells: tuple[str, ...], sees: str) -> str:
        name, shape, *numbers = (
            c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )
        return f"         {name}  {shape}  {'  '.join(numbers)}  {sees}"

    lines = [line(row, sees) for row, sees in zip(rows, fields, strict=True)]
    if len(lines) > _MOST_ROWS:
        half = _MOST_ROWS // 2
        lines = [*lines[:half], f"         … {len(lines) - 2 * half} more …", *lines[-half:]]
    sums = (
        f"         {table.parameters:,} parameters, {amount(table.multiply_adds)} multiply-adds a picture, "
        f"{amount(memory, 'B')} of memory for batches of {table.batch}"
    )
    return [line(titles, "sees"), *lines, sums]
