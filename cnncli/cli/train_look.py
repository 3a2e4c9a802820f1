"""``cnncli train DATA --look``: a page of samples, as training would see them, before anything is trained.

Annotations of objects, for which no network is trained yet, are drawn on their images as they are.
"""

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
from cnncli.data.annotations import AnnotationOptions, describes_objects, read_annotations
from cnncli.data.augment import parse_augment
from cnncli.data.clips import Clips
from cnncli.data.file_lookup import FileLookup
from cnncli.data.loader import Batch
from cnncli.data.model import Dataset, level_counts
from cnncli.data.objects import Annotated
from cnncli.data.pixel_labels import UNLABELLED, PixelLabels
from cnncli.data.random_numbers import shuffled
from cnncli.data.texts import Texts
from cnncli.errors import CnncliError
from cnncli.files.atomic import is_device
from cnncli.files.faults import in_unicode, shown
from cnncli.images.picture import with_depth
from cnncli.images.read import read_picture
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.augmentation import settled_augment
from cnncli.training.loading import Execution, load
from cnncli.views.colors import as_rgb
from cnncli.views.film import as_sheets
from cnncli.views.samples import Sample, samples_page

if TYPE_CHECKING:
    from cnncli.cli.options.train import Settings
    from cnncli.training.options import TrainOptions

_COUNT = 12
_INNER = ("", "images", "JPEGImages")  # where images lie


def run(settings: "Settings", options: "TrainOptions", execution: Execution) -> int:
    """Draw the page, print its name, and return the exit code.

    Raises
    ------
    CnncliError
        Where the data cannot be read, or are texts.
    """
    source = Path(options.dataset)
    if describes_objects(source):
        annotated = read_annotations(source, AnnotationOptions())
        name, read = source.stem, [source] if source.is_file() else []
        samples = _annotated_samples(annotated, options.seed)
        total, words, noun = len(annotated.names), "none", "images"
        warnings: tuple[str, ...] = tuple(f"left out: {each.sentence}" for each in annotated.skipped[:_COUNT])
    else:
        dataset = load(options, execution)
        name, read, warnings = dataset.name, list(dataset.files), dataset.warnings
        batch, words = _batch(dataset, options, execution.threads)
        samples, total, noun = _samples(batch, dataset.shape), len(dataset.train), dataset.noun
    path = _page(settings.output or f"{name}-look.png", [str(each) for each in read])
    for line in () if settings.quiet else warnings:
        report(f"warning: {in_unicode(line)}")
    title = f"{len(samples)} of {total:,} {noun} of {in_unicode(name)}"
    subtitle = "as they are" if words == "none" else f"augmented as in training: {words}"
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


def _annotated_samples(annotated: Annotated, seed: int) -> list[Sample]:
    """Some of the annotated images with their boxes.

    Raises
    ------
    CnncliError
        Where an image is not there.
    """
    folder = annotated.source if annotated.source.is_dir() else annotated.source.parent
    lookup, objects = FileLookup(folder), annotated.objects
    captions, samples = objects.texts(), []
    for at in shuffled(len(annotated.names), seed)[:_COUNT]:
        here = range(int(objects.first[at]), int(objects.first[at + 1]))
        labels = [int(objects.labels[each]) for each in here]
        corners = [
            np.concatenate([box[:2], box[:2] + box[2:]]) for box in objects.boxes[here.start : here.stop]
        ]
        names = [objects.classes[k] for k in labels]
        boxes = list(zip(names, corners, strict=True))
        samples.append(Sample(_pixels(annotated.names[at], lookup), captions[at] or "nothing", boxes, labels))
    if not samples:
        raise CnncliError(f"{shown(annotated.source)} has no images; expected some", "Check the file.")
    return samples


def _pixels(name: str, lookup: FileLookup) -> NDArray[np.uint8]:
    """An image that annotations name, beside them or in a folder below."""
    usual = (Path(name), *(lookup.folder / inner / name for inner in _INNER))
    path = next((each for each in usual if each.is_file()), None) or lookup.find(name)
    if not isinstance(path, Path):
        what = "is not there" if path is None else "may be one of several files"
        raise CnncliError(
            f"{shown(name)} {what}; expected it in {shown(lookup.folder)} or below",
            "Put the images beside their annotations, or into a folder images there.",
        )
    frame = read_picture(path, first=True).frames[0]
    return as_rgb(np.asarray(with_depth(frame[..., : 3 if frame.shape[2] > 2 else 1], 8), np.uint8))
