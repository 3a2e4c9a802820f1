"""Data sets of images with boxes: those of COCO, YOLO and Pascal VOC, as a network gets the images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.annotations import AnnotationOptions, read_annotations
from cnncli.data.assemble import DatasetDescription, LoadOptions, from_files
from cnncli.data.file_lookup import AmbiguousName, FileLookup
from cnncli.data.files import Files
from cnncli.data.model import Arrays, Dataset, Skipped, Split
from cnncli.data.objects import Annotated, Objects, OneObject
from cnncli.data.prepare import InputSpec, moved_in
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.read import read_size
from cnncli.text import listed

_INNER = ("", "images", "JPEGImages")  # where images lie
_SPLITS = ("train", "val", "test")
_USUAL = 256  # pixels a side that images are brought to, unless all are of one smaller size
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
    parts = _parts(path, load_options)
    skipped: list[Skipped] = []
    found: dict[str, tuple[list[Path], Objects]] = {}
    for part, annotated in parts.items():
        paths, kept, missing = _with_images(annotated, strict=load_options.strict)
        skipped += [*annotated.skipped, *missing]
        objects = _sized(annotated).take(kept)
        found[part] = paths, OneObject.largest(objects) if load_options.task == "localize" else objects
    first = next(iter(parts.values()))
    options = load_options.image_options
    fitted = replace(options, fit=options.fit or "pad", size=options.size or _size_for(found))
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
    boxes = "1 box reaches" if clipped == 1 else f"{clipped:,} boxes reach"
    notes = (f"{boxes} beyond the image by a pixel or so: clipped",) if clipped else ()
    return replace(dataset, train=train, val=val, test=test, notes=(*dataset.notes, *notes))


def image_path(name: str, lookup: FileLookup) -> Path:
    """The file of an image that annotations name: beside them, or in a folder below.

    Raises
    ------
    CnncliError
        Where it is not there, or may be one of several.
    """
    usual = (Path(name), *(lookup.folder / inner / name for inner in _INNER))
    path = next((each for each in usual if each.is_file()), None) or lookup.find(name)
    if path is None or isinstance(path, AmbiguousName):
        what = "is not there" if path is None else "may be one of several files"
        raise CnncliError(
            f"{shown(name)} {what}; expected it in {shown(lookup.folder)} or below",
            "Put the images beside their annotations, or into a folder images there.",
        )
    return path


def folder_of(annotated: Annotated) -> Path:
    """Where the images of annotations are looked for."""
    return annotated.source if annotated.source.is_dir() else annotated.source.parent


def _parts(path: Path, load_options: LoadOptions) -> dict[str, Annotated]:
    """Annotations by split; undivided ones are for training."""
    how = AnnotationOptions(strict=load_options.strict, threads=load_options.threads)
    described = path / "data.yaml" if (path / "data.yaml").is_file() else path
    if described.suffix.lower() not in (".yaml", ".yml"):
        return {"train": read_annotations(path, how)}
    from cnncli.data.plain_yaml import read_yaml

    there = read_yaml(described)
    named = [part for part in _SPLITS if there.get(part) or (part == "val" and there.get("valid"))]
    if "train" not in named and not load_options.whole:
        raise CnncliError(
            f"{shown(described)} has {listed(named) or 'no split'}; expected train, the folder of the images "
            "to learn from",
            "Write train: images/train.",
        )
    return {part: read_annotations(described, replace(how, split=part)) for part in named}


def _with_images(annotated: Annotated, *, strict: bool) -> tuple[list[Path], NDArray[np.intp], list[Skipped]]:
    """Files of the images, their positions, and which ones are missing or of another size."""
    lookup = FileLookup(folder_of(annotated))
    paths, kept, missing = [], [], []
    for at, (name, size) in enumerate(zip(annotated.names, annotated.sizes.tolist(), strict=True)):
        try:
            path = image_path(name, lookup)
            width, height, _ = read_size(path)
            if [height, width] != size:
                raise CnncliError(
                    f"{shown(path)} has {width}x{height} pixels; expected {size[1]}x{size[0]}, as its "
                    "annotations say",
                    "Correct the annotations.",
                )
        except CnncliError as fault:
            if strict:
                raise
            missing.append(Skipped(name, fault.message))
            continue
        paths.append(path)
        kept.append(at)
    return paths, np.array(kept, np.intp), missing


def _sized(annotated: Annotated) -> Objects:
    return replace(annotated.objects, sizes=annotated.sizes, masks=None)


def _size_for(found: Mapping[str, tuple[Sequence[Path], Objects]]) -> tuple[int, int]:
    """Height and width to bring images to: their own where all have it and it is small, else a square."""
    sizes = np.concatenate([each.sizes for _, each in found.values() if each.sizes is not None])
    if len(sizes) and (sizes == sizes[0]).all() and sizes[0].max() <= _USUAL:
        height, width = (-(-int(side) // _MULTIPLE) * _MULTIPLE for side in sizes[0])
        return height, width
    return _USUAL, _USUAL


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
