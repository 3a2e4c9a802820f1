"""``cnncli train DATA --look``: a page of samples, as training would see them, before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.messages import report
from cnncli.cli.names import overwritten
from cnncli.cli.page_files import write_page
from cnncli.cli.streams import write_line
from cnncli.cli.train_summary import MOST_SKIPPED
from cnncli.data.augment import parse_augment
from cnncli.data.clips import Clips
from cnncli.data.loader import Batch
from cnncli.data.model import Dataset, level_counts
from cnncli.data.objects import Objects
from cnncli.data.pixel_labels import UNLABELLED, PixelLabels
from cnncli.data.texts import Texts
from cnncli.errors import CnncliError
from cnncli.files.atomic import is_device
from cnncli.files.faults import in_unicode, shown
from cnncli.tasks.detection_targets import corners_of, placed
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.augmentation import settled_augment
from cnncli.training.loading import Execution, load
from cnncli.views.film import as_sheets
from cnncli.views.samples import Sample, samples_page

if TYPE_CHECKING:
    from cnncli.cli.options.train import Settings
    from cnncli.training.options import TrainOptions

_COUNT = 12


def run(settings: "Settings", options: "TrainOptions", execution: Execution) -> int:
    """Draw the page, print its name, and return the exit code.

    Raises
    ------
    CnncliError
        Where the data cannot be read, or are texts.
    """
    dataset = load(options, execution)
    batch, words = _batch(dataset, options, execution.threads)
    samples = _samples(batch, dataset.shape)
    path = _page(settings.output or f"{dataset.name}-look.png", [str(each) for each in dataset.files])
    left_out = [f"left out: {each.sentence}" for each in dataset.skipped[:MOST_SKIPPED]]
    for line in () if settings.quiet else (*dataset.warnings, *left_out):
        report(f"warning: {in_unicode(line)}")
    title = f"{len(samples)} of {len(dataset.train):,} {dataset.noun} of {in_unicode(dataset.name)}"
    subtitle = "as they are" if words == "none" else f"augmented as in training: {words.replace(',', ', ')}"
    write_page(path, samples_page(samples, title=title, subtitle=subtitle))
    if settings.json:
        write_line(as_json({"output": in_unicode(str(path)), "samples": len(samples), "augment": words}))
    else:
        write_line(shown(path))
    return DONE


def _page(name: str, read: list[str]) -> Path:
    """The file to be written."""
    if (Path(name).suffix.lower() != ".png" and not is_device(name)) or overwritten([name], read):
        raise UsageError(
            f"--look writes {shown(name)}; expected a file that ends in .png, and that is not read",
            "Name it with -o, such as -o page.png.",
        )
    return Path(name)


def _batch(dataset: Dataset, options: "TrainOptions", threads: int) -> tuple[Batch, str]:
    """The first images of an epoch, augmented, and the words of that."""
    if isinstance(dataset.train, Texts):
        raise CnncliError(
            f"{in_unicode(dataset.name)} has texts; expected images to draw with --look",
            "Leave --look out, or see what would be trained with --dry-run.",
        )
    counts = level_counts(dataset.train, threads=threads)
    words, _ = settled_augment(options.augment, dataset, counts, threads=threads)
    augment = parse_augment(words, dataset=dataset.known, shape=dataset.shape)
    count = min(_COUNT, len(dataset.train))
    height, width, channels = dataset.shape
    made = Preprocessing((height, width), channels, (0.0,) * channels, (1.0,) * channels)
    if isinstance(dataset.train, Clips):
        from cnncli.tasks.video import ClipInput, window_of

        made = ClipInput.of(made, window_of(dataset.train, options.frames, options.frame_step))
    loader = made.loader(
        dataset.train, count, augment=augment, seed=options.seed, shuffle=True, threads=threads
    )
    return next(iter(loader.epoch(0))), words


def _samples(batch: Batch, shape: tuple[int, int, int]) -> list[Sample]:
    """Images of a batch with their classes, or the classes of their pixels where augmentation moved them.

    ``shape`` is of an image, or of a frame: frames of clips are drawn side by side.
    """
    pixels = np.rint(np.clip(batch.x, 0, 1) * 255).astype(np.uint8)
    targets: Any = batch.targets
    if isinstance(targets, Objects):
        return _with_boxes(pixels, placed(batch, targets))
    if pixels.shape[1:] != shape:
        pixels = as_sheets(pixels, shape)
    if not isinstance(targets, PixelLabels):
        return [Sample(image, text) for image, text in zip(pixels, targets.texts(), strict=True)]
    samples = []
    for image, classes in zip(pixels, targets.moved(batch.moves), strict=True):
        labels = [int(k) for k in np.unique(classes) if 0 < k != UNLABELLED]
        caption = ", ".join(targets.classes[k] for k in labels) or targets.classes[0]
        samples.append(Sample(image, caption, labels=labels, masks=[classes == k for k in labels]))
    return samples


def _with_boxes(pixels: NDArray[np.uint8], objects: Objects) -> list[Sample]:
    """Images with the boxes of what is to be found, where augmentation moved it."""
    samples = []
    for at, image in enumerate(pixels):
        here = objects.take(np.array([at], np.intp))
        shown_boxes = np.flatnonzero(~here.crowd)
        corners = corners_of(here.boxes)
        boxes = [(here.classes[here.labels[each]], corners[each]) for each in shown_boxes]
        labels = [int(here.labels[each]) for each in shown_boxes]
        samples.append(Sample(image, here.texts()[0] or "nothing", boxes, labels))
    return samples
