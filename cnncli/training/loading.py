"""A run's data: loaded for a new run, or found again and compared with the list of what it had."""

from dataclasses import dataclass, replace

from cnncli.checked import Fields
from cnncli.core.ranks import Ranks, follows
from cnncli.data.assemble import LoadOptions
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import ALIASES, NAMED, load_dataset
from cnncli.data.model import Dataset, Report
from cnncli.data.prepare import InputSpec
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.tasks import WORDS
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.task import Task
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.folder import RunFolder
from cnncli.training.listing import FILE as LIST_FILE
from cnncli.training.listing import ImageList, arranged, describe_changes, differences, list_of
from cnncli.training.options import TrainOptions


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a run is prepared and carried out: nothing that it computes depends on it.

    Attributes
    ----------
    threads : int
        To use.
    report : callable or None
        Told about downloads and decoding.
    ranks : Ranks or None
        Processes that share each step.
    """

    threads: int = 1
    report: Report | None = None
    ranks: Ranks | None = None

    @property
    def follows(self) -> bool:
        """Whether another process writes what comes of it."""
        return follows(self.ranks)


USUAL = Execution()
_FOR_TASK = {
    "classify": "a folder of images for each class",
    "segment": "digit-scenes",
    "video": "digit-motions",
}
_FOR_TASK |= dict.fromkeys(("detect", "localize"), "digit-scenes, or annotations of COCO, YOLO or Pascal VOC")


def is_known(source: str) -> bool:
    """Tell whether a data set is known by its name, and lies nowhere in particular."""
    name = source.strip().lower()
    return name in NAMED or name in ALIASES


def load(
    options: TrainOptions,
    execution: Execution,
    *,
    start: Preprocessing | None = None,
    input_spec: InputSpec | None = None,
    whole: bool = False,
) -> Dataset:
    """The dataset: its images as weights to start from want them, or as the run that goes on has them."""
    set_max_pixels(options.max_pixels)
    dataset = load_dataset(
        options.dataset,
        LoadOptions(
            image_options=ImageOptions(
                size=options.input_size or (start.size if start else None),
                fit=options.fit or (start.fit if start else None),
                channels=start.channels if start else None,
                resize=start.resize_for(options.input_size) if start and not options.fit else None,
                input_spec=input_spec,
            ),
            val_split=options.val_split,
            seed=options.seed,
            offline=options.offline,
            threads=execution.threads,
            report=execution.report,
            layout=options.layout,
            whole=whole,
            task=options.task,
            strict=options.strict,
        ),
    )
    learned = dataset.targets.task
    if options.task is not None and learned not in WORDS[options.task]:
        own = next(word for word, tasks in WORDS.items() if learned in tasks)
        raise CnncliError(
            f"--task is {options.task}, but {shown(options.dataset)} is to {own}: its targets are of "
            f"{learned}; expected data with targets for it",
            f"Leave --task out, or give data to {options.task}, such as {_FOR_TASK[options.task]}.",
        )
    return dataset


def list_as_written(folder: RunFolder, facts: Fields) -> ImageList:
    """A run's list of images.

    Parameters
    ----------
    folder : RunFolder
        The run's.
    facts : Fields
        What its ``config.json`` says of its data.

    Raises
    ------
    CnncliError
        Where it is not the list that the run wrote: other images would be trained on than before.
    """
    path = folder / LIST_FILE
    images = ImageList.read(path)
    if "list" not in facts or images.mark() == facts.text("list"):  # runs of earlier versions have none
        return images
    try:
        seen = load_checkpoint(folder / "last.safetensors").seen
    except CnncliError:  # there is none before the first epoch's end
        seen = None
    what = seen and describe_changes(images, seen)
    raise CnncliError(
        f"{shown(path)} has been changed since the run began: "
        f"{what or 'it has other rows, or the same in another order'}; expected the list that the run wrote",
        f"Restore it from a copy, or start a new run with --init {shown(folder.path)}.",
    )


def load_same(
    options: TrainOptions,
    input_spec: InputSpec,
    images: ImageList,
    task: Task,
    *,
    folder: RunFolder,
    execution: Execution,
) -> Dataset:
    """The images of a run's list, with targets of its task, in its splits and its order.

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
        found = load(options, execution, input_spec=input_spec, whole=True)
    except CnncliError as fault:
        raise CnncliError(f"the data of {shown(folder.path)}: {fault.message}", hint) from fault
    now = list_of(found, options.dataset, threads=execution.threads)
    differ = differences(images, now)
    differ = differ or task.difference(found.targets)
    if differ:
        raise CnncliError(
            f"the data of {shown(folder.path)} have changed: {differ}; "
            f"expected the {len(images):,} images of its splits.csv",
            hint,
        )
    dataset = arranged(found, now, images)
    return replace(dataset, notes=(*dataset.notes, f"split as {LIST_FILE} of the run has it"))
