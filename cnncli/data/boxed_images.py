"""Data sets of images with boxes: those of COCO, YOLO and Pascal VOC, as a network gets the images."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cnncli.data.annotated_images import annotations_by_split, files_of
from cnncli.data.annotations import AnnotationOptions
from cnncli.data.assemble import DatasetDescription, LoadOptions, from_files
from cnncli.data.files import Files
from cnncli.data.image_facts import size_of_places
from cnncli.data.model import Arrays, Dataset, Skipped, Split
from cnncli.data.objects import Annotated, Objects, OneObject
from cnncli.data.prepare import InputSpec, moved_in
from cnncli.files.faults import shown

_MULTIPLE = 32  # of the sides, so that maps of all scales of a detector fit


def load_boxed(path: Path, load_options: LoadOptions) -> Dataset:
    """Load annotations and the images that they are of.

    Images are padded to the size of the network's input, for objects at their edge would be cut off, unless
    ``--fit`` says otherwise.

    Raises
    ------
    CnncliError
        Where something cannot be read, or nothing is left to learn from.
    """
    load_options.layout.refuse_splits(str(path))
    how = AnnotationOptions(strict=load_options.strict, threads=load_options.threads)
    parts = annotations_by_split(path, how, whole=load_options.whole)
    skipped: list[Skipped] = []
    found: dict[str, tuple[list[Path], Objects]] = {}
    for part, annotated in parts.items():
        paths, kept, missing = files_of(annotated, strict=load_options.strict)
        skipped += [*annotated.skipped, *missing]
        objects = _sized(annotated).take(kept)
        found[part] = paths, OneObject.largest(objects) if load_options.task == "localize" else objects
    first = next(iter(parts.values()))
    options = load_options.image_options
    sizes = np.concatenate([each.sizes for _, each in found.values() if each.sizes is not None])
    fitted = replace(options, fit=options.fit or "pad", size=options.size or size_of_places(sizes, _MULTIPLE))
    count = sum(len(paths) for paths, _ in found.values())
    boxes_there = sum(len(each.labels) for _, each in found.values())
    noun = "class" if len(first.objects.classes) == 1 else "classes"
    description = DatasetDescription(
        name=_name(path),
        provenance=f"{count:,} images with {boxes_there:,} boxes of {len(first.objects.classes)} {noun}: "
        f"{first.form} annotations in {shown(path)}",
        skipped=tuple(skipped),
        files=tuple(each.source for each in parts.values() if each.source.is_file()),
    )
    clipped = sum(each.clipped for each in parts.values())
    dataset = from_files(description, found, replace(load_options, image_options=fitted))
    assert dataset.input_spec is not None
    train, val, test = (
        _in_input(split, dataset.input_spec) for split in (dataset.train, dataset.val, dataset.test)
    )
    noted = dict.fromkeys(note for each in parts.values() for note in each.notes)
    boxes = "1 box reaches" if clipped == 1 else f"{clipped:,} boxes reach"
    notes = (f"{boxes} beyond the image by a pixel or so: clipped",) if clipped else ()
    return replace(dataset, train=train, val=val, test=test, notes=(*dataset.notes, *noted, *notes))


def _sized(annotated: Annotated) -> Objects:
    return replace(annotated.objects, sizes=annotated.sizes, masks=None)


def _in_input(split: Split, input_spec: InputSpec) -> Split:
    """A split whose boxes are in pixels of the network's input."""
    objects = split.targets
    assert isinstance(objects, Objects)
    assert objects.sizes is not None
    assert isinstance(split, Arrays | Files)
    boxes = moved_in(objects.boxes, input_spec, objects.sizes[objects.images])
    return replace(split, targets=replace(objects, boxes=boxes))


def _name(path: Path) -> str:
    """Of the data set: that of a folder, or of the folder of data.yaml, or of a file."""
    if path.is_dir() or path.suffix.lower() in (".yaml", ".yml"):
        return (path if path.is_dir() else path.parent).resolve().name or "boxes"
    return path.stem
