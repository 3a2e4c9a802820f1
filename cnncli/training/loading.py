"""A run's data: loaded for a new run, or found again and compared with the list of what it had."""

from dataclasses import replace

from cnncli.data.assemble import listed
from cnncli.data.load import ALIASES, NAMED, load_dataset
from cnncli.data.model import Dataset, Report
from cnncli.data.recast import with_channels
from cnncli.errors import CnncliError
from cnncli.images.faults import shown
from cnncli.training.checkpoint import Preprocessing
from cnncli.training.folder import RunFolder
from cnncli.training.listing import FILE as LIST_FILE
from cnncli.training.listing import ImageList, arranged, differences, list_of
from cnncli.training.options import TrainOptions


def is_known(source: str) -> bool:
    """Tell whether a data set is known by its name, and lies nowhere in particular."""
    name = source.strip().lower()
    return name in NAMED or name in ALIASES


def load(
    options: TrainOptions,
    wanted: Preprocessing | None,
    *,
    threads: int,
    report: Report | None,
    whole: bool = False,
) -> Dataset:
    """The dataset, its images as a network wants them that is there already."""
    return load_dataset(
        options.dataset,
        size=wanted.size if wanted else None,
        val_split=options.val_split,
        seed=options.seed,
        offline=options.offline,
        threads=threads,
        report=report,
        layout=options.layout,
        whole=whole,
    )


def load_same(
    options: TrainOptions,
    wanted: Preprocessing,
    images: ImageList,
    classes: tuple[str, ...],
    *,
    folder: RunFolder,
    threads: int,
    report: Report | None,
) -> Dataset:
    """The images of a run's list, of its classes, in its splits and its order.

    Raises
    ------
    CnncliError
        Where they cannot be found, or are not the same.
    """
    hint = (
        f"Bring the data back as they were, say where they lie now (cnncli train --resume "
        f"{shown(folder.path)} --data PATH), or start a new run with --init {shown(folder.path)}."
    )
    try:
        found = load(options, wanted, threads=threads, report=report, whole=True)
    except CnncliError as fault:
        raise CnncliError(f"the data of {shown(folder.path)}: {fault.message}", hint) from fault
    now = list_of(with_channels(found, wanted.channels), options.dataset, threads=threads)
    differ = differences(images, now)
    if not differ and found.classes != classes:
        differ = f"the classes are {listed(found.classes)}, not {listed(classes)}"
    if differ:
        raise CnncliError(
            f"the data of {shown(folder.path)} have changed: {differ}; "
            f"expected the {len(images):,} images of its splits.csv",
            hint,
        )
    dataset = with_channels(arranged(found, now, images), wanted.channels)
    return replace(dataset, notes=(*dataset.notes, f"split as {LIST_FILE} of the run has it"))
