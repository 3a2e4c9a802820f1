"""The images on which attributions are measured: a seeded choice of a data set's, or of a folder's."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.evaluate_choice import choose
from cnncli.cli.names import find_inputs
from cnncli.cli.options.evaluate import Settings
from cnncli.cli.trained import Trained
from cnncli.data.annotations import describes_objects
from cnncli.data.assemble import LoadOptions
from cnncli.data.classes import class_name
from cnncli.data.image_facts import ImageOptions
from cnncli.data.layout import Layout
from cnncli.data.load import load_dataset
from cnncli.data.model import Dataset, Skipped, Split
from cnncli.data.objects import Objects
from cnncli.data.prepare import read_file, read_prepared
from cnncli.data.random_numbers import shuffled
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.records import replace

Boxes = Mapping[int, NDArray[np.float64]]
Pixels = NDArray[np.uint8]
_SCENES = ("digit-scenes", "digit_scenes")


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
        By the network's classes x, y, width and height of objects, in these pixels.
    """

    name: str
    number: int
    read: Callable[[], Pixels]
    boxes: Boxes


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
    paths = _pictures(settings.dataset)
    if paths:
        return _of_folder(settings, trained, paths, count=count, seed=seed)
    found = _loaded(settings, trained, threads=threads)
    choice = choose(found, trained, source=settings.dataset, split=settings.split)
    splits = found.train, found.val, found.test
    places = [
        (split, int(place)) for split, chosen in zip(splits, choice.places, strict=True) for place in chosen
    ]
    numbers = _drawn(len(places), count, seed)
    labels, without = _known_labels(found, trained)
    return ExplainedImages(
        name=found.name,
        provenance=found.provenance,
        split=choice.split,
        reason=choice.reason,
        among=len(places),
        images=tuple(_of_split(*places[number], number, labels) for number in numbers),
        without_boxes=without,
        warnings=(*found.warnings, *choice.warnings),
        skipped=found.skipped,
        files=found.files,
    )


def _drawn(among: int, count: int, seed: int) -> list[int]:
    return sorted(shuffled(among, seed)[:count].tolist())


def _pictures(source: str) -> list[str]:
    """The images that lie in a folder itself, which is no data set of classes then."""
    if not os.path.isdir(source) or describes_objects(Path(source)):  # noqa: PTH112
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


def _loaded(settings: Settings, trained: Trained, *, threads: int) -> Dataset:
    """The data set as the network takes its images, nothing held out, with boxes where it has some."""
    spec, boxed = trained.input_spec, settings.dataset.strip().lower() in _SCENES
    if boxed or describes_objects(Path(settings.dataset)):
        spec = replace(spec, digits=False)  # digits that are cut out and centred leave their boxes
    return load_dataset(
        settings.dataset,
        LoadOptions(
            image_options=ImageOptions(input_spec=spec),
            offline=settings.offline,
            threads=threads,
            for_training=False,
            layout=Layout(
                splits=settings.splits,
                label_column=settings.label_column,
                path_column=settings.path_column,
                text_column=settings.text_column,
            ),
            whole=True,
            task="detect" if boxed else None,
        ),
    )


def _known_labels(found: Dataset, trained: Trained) -> tuple[dict[int, int], str]:
    """The network's class for each class of boxes that it knows; or why there are none."""
    targets = found.targets
    if not isinstance(targets, Objects):
        return {}, f"{in_unicode(found.name)} has no boxes"
    known = {class_name(name): number for number, name in enumerate(trained.task.outputs)}
    labels = {
        label: known[class_name(name)]
        for label, name in enumerate(targets.classes)
        if class_name(name) in known
    }
    return labels, "" if labels else "the network knows none of the classes of the boxes"


def _of_split(split: Split, place: int, number: int, labels: Mapping[int, int]) -> ExplainedImage:
    def read() -> Pixels:
        out: Pixels = np.empty((1, *split.shape), np.uint8)
        split.read(np.array([place], np.intp), out)
        return out.reshape(split.shape)

    return ExplainedImage(split.name(place), number, read, dict(_boxes(split, place, labels)))


def _boxes(split: Split, place: int, labels: Mapping[int, int]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """The boxes of an image, cut at its edges, by the network's classes."""
    objects = split.targets
    if not labels or not isinstance(objects, Objects):
        return
    here = objects.take(np.array([place], np.intp))
    height, width = split.shape[:2]
    low = np.maximum(here.boxes[:, :2], 0)
    high = np.minimum(here.boxes[:, :2] + here.boxes[:, 2:], (width, height))
    seen = (high > low).all(axis=1)
    for label in sorted(set(here.labels[seen].tolist()) & labels.keys()):
        of_label = seen & (here.labels == label)
        yield labels[label], np.concatenate([low, high - low], axis=1)[of_label]
