"""The images on which attributions are measured: a seeded choice of a data set's, or of a folder's."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.evaluate_choice import choose
from cnncli.cli.evaluated_data import load_evaluated
from cnncli.cli.explained_boxes import AnnotatedFiles, boxes_of, known_labels, moved
from cnncli.cli.names import find_inputs
from cnncli.cli.options.evaluate import Settings
from cnncli.cli.trained import Trained
from cnncli.data.annotations import describes_objects
from cnncli.data.model import Dataset, Skipped, Split
from cnncli.data.prepare import InputSpec, as_input, read_file, read_prepared
from cnncli.data.random_numbers import shuffled
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.picture import Picture
from cnncli.records import replace

Pixels = NDArray[np.uint8]
_NAMED = 5  # annotations left out, that warnings name


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """An image, and what is known to be in it.

    Attributes
    ----------
    name : str
        Of it in reports.
    number : int
        Its place among those that it was chosen from; what is drawn by lot for it depends on this.
    read : callable
        Gives its pixels (H, W, C) as the network takes them.
    boxes : mapping of int to ndarray, shape (M, 4)
        By the network's classes x, y, width and height of objects, in these pixels; of masks each pixel.
    """

    name: str
    number: int
    read: Callable[[], Pixels]
    boxes: Mapping[int, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class ExplainedImages:
    """The images that were chosen.

    Attributes
    ----------
    name, provenance : str
        Of the data.
    split : str or None
        Of `evaluate_choice.SPLITS`; None: a folder of images has none.
    reason : str
        Which ones they are chosen from, and why these.
    among : int
        How many they are chosen from.
    images : tuple of ExplainedImage
        In the order of the data.
    without_boxes : str
        Why no boxes are known; empty where they are.
    warnings : tuple of str
        What the user might not expect of the data.
    skipped : tuple of Skipped
        Images that cannot be used.
    files : tuple of Path
        Those of the data.
    """

    name: str
    provenance: str
    split: str | None
    reason: str
    among: int
    images: tuple[ExplainedImage, ...]
    without_boxes: str
    warnings: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    files: tuple[Path, ...] = ()


def explained_images(
    settings: Settings, trained: Trained, *, count: int, seed: int, threads: int
) -> ExplainedImages:
    """Choose so many images, or all where there are fewer.

    Raises
    ------
    CnncliError
        Where the data cannot be read, or have none.
    """
    path = Path(settings.dataset)
    if describes_objects(path):
        return _of_annotations(settings, trained, path, count=count, seed=seed)
    if paths := _pictures(settings.dataset):
        return _of_folder(settings, trained, paths, count=count, seed=seed)
    return _of_dataset(settings, trained, count=count, seed=seed, threads=threads)


def _drawn(among: int, count: int, seed: int) -> list[int]:
    return sorted(shuffled(among, seed)[:count].tolist())


def _pictures(source: str) -> list[str]:
    """The images that lie in a folder itself, which is no data set of classes then."""
    if not os.path.isdir(source):  # noqa: PTH112
        return []
    found, _ = find_inputs([source], recursive=False, files_from=None, null=False, suffixes=READ_SUFFIXES)
    return [each.path for each in found]


def _of_folder(
    settings: Settings, trained: Trained, paths: list[str], *, count: int, seed: int
) -> ExplainedImages:
    if settings.split not in (None, "all"):
        raise CnncliError(
            f"--split is {settings.split}, but {shown(settings.dataset)} is a folder of images without "
            "splits; expected all of them",
            "Leave --split out.",
        )

    def image(number: int) -> ExplainedImage:
        path = paths[number]
        return ExplainedImage(
            in_unicode(path),
            number,
            lambda: read_prepared(read_file(Path(path)), trained.input_spec, name=path).pixels,
            {},
        )

    name = Path(settings.dataset).resolve().name
    return ExplainedImages(
        name=name,
        provenance=f"{len(paths):,} images of {settings.dataset}",
        split=None,
        reason="the images that lie in the folder",
        among=len(paths),
        images=tuple(map(image, _drawn(len(paths), count, seed))),
        without_boxes="a folder of images has no boxes",
        files=tuple(map(Path, paths)),
    )


def _of_annotations(
    settings: Settings, trained: Trained, path: Path, *, count: int, seed: int
) -> ExplainedImages:
    """Images that annotations name: only those that are chosen are read."""
    files = AnnotatedFiles(path, settings.split)
    name = path.resolve().name
    labels, without = known_labels(files.targets, trained.task.outputs, name)
    spec = replace(trained.input_spec, digits=False)  # digits that are cut out leave their boxes behind

    def image(number: int) -> ExplainedImage:
        def read() -> Pixels:
            file = files.path(number)
            return read_prepared(read_file(file), spec, name=str(file)).pixels

        boxes = files.boxes(number, labels, spec)
        return ExplainedImage(in_unicode(files.name(number)), number, read, boxes)

    return ExplainedImages(
        name=name,
        provenance=f"{len(files):,} images with {files.form} annotations of {settings.dataset}",
        split=settings.split,
        reason="the images that are annotated",
        among=len(files),
        images=tuple(map(image, _drawn(len(files), count, seed))),
        without_boxes=without,
        warnings=tuple(f"left out: {each.sentence}" for each in files.skipped[:_NAMED]),
        files=(path,) if path.is_file() else (),
    )


def _of_dataset(
    settings: Settings, trained: Trained, *, count: int, seed: int, threads: int
) -> ExplainedImages:
    """Images of the split that the network is evaluated on."""
    found = _loaded(settings, trained, threads=threads)
    choice = choose(found, trained, source=settings.dataset, split=settings.split)
    splits = found.train, found.val, found.test
    places = [
        (split, int(place)) for split, chosen in zip(splits, choice.places, strict=True) for place in chosen
    ]
    labels, without = known_labels(found.targets, trained.task.outputs, in_unicode(found.name))
    return ExplainedImages(
        name=found.name,
        provenance=found.provenance,
        split=choice.split,
        reason=choice.reason,
        among=len(places),
        images=tuple(
            _of_split(*places[number], number, labels, trained.input_spec)
            for number in _drawn(len(places), count, seed)
        ),
        without_boxes=without,
        warnings=(*found.warnings, *choice.warnings),
        skipped=found.skipped,
        files=found.files,
    )


def _loaded(settings: Settings, trained: Trained, *, threads: int) -> Dataset:
    """The data set as the network takes its images, nothing held out; scenes are made at their usual size."""
    scenes = settings.dataset.strip().lower().replace("_", "-") == "digit-scenes"
    return load_evaluated(settings, None if scenes else trained.input_spec, threads=threads)


def _of_split(
    split: Split, place: int, number: int, labels: dict[int, int], spec: InputSpec
) -> ExplainedImage:
    """An image of a split, brought to the network's input where it is not yet."""
    height, width, _ = split.shape
    same = split.shape == spec.shape

    def read() -> Pixels:
        out: Pixels = np.empty((1, *split.shape), np.uint8)
        split.read(np.array([place], np.intp), out)
        pixels = out.reshape(split.shape)
        return pixels if same else as_input(Picture((pixels,)), spec.shape, spec.fit, spec.resize)

    boxes = boxes_of(split.targets, place, labels)
    return ExplainedImage(
        split.name(place), number, read, boxes if same else moved(boxes, spec, width, height)
    )
