"""Annotations of objects by split, and the files of the images that they are of."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.annotations import AnnotationOptions, annotated_splits, read_annotations
from cnncli.data.file_lookup import AmbiguousName, FileLookup
from cnncli.data.model import Skipped
from cnncli.data.objects import Annotated
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.read import read_size
from cnncli.text import listed

_INNER = ("", "images", "JPEGImages")  # where images lie


def annotations_by_split(path: Path, how: AnnotationOptions, *, whole: bool) -> Mapping[str, Annotated]:
    """Annotations by split; undivided ones are for training.

    Parameters
    ----------
    path : Path
        As of `read_annotations`.
    how : AnnotationOptions
        How they are read.
    whole : bool
        Nothing is trained, so that no training split is required.

    Raises
    ------
    CnncliError
        As of `read_annotations`, and where there are splits but none to learn from, or of other classes.
    """
    splits = annotated_splits(path)
    if not splits:
        return {"train": read_annotations(path, how)}
    if "train" not in splits and not whole:
        raise CnncliError(
            f"{shown(path)} has {listed(list(splits))}; expected train, the images to learn from",
            "Write train: images/train into data.yaml, or ImageSets/Main/train.txt.",
        )
    found = {part: read_annotations(path, replace(how, split=part)) for part in splits}
    first, *others = found.values()
    for other in others:
        if other.objects.classes != first.objects.classes:
            raise CnncliError(
                f"{shown(other.source)} has the classes {listed(other.objects.classes)}, and "
                f"{shown(first.source)} {listed(first.objects.classes)}; expected the same in each split",
                "List all classes in each, in one order.",
            )
    return found


def files_of(
    annotated: Annotated, *, strict: bool = False
) -> tuple[list[Path], NDArray[np.intp], list[Skipped]]:
    """Files of the images, their positions, and which ones are missing, of another size, or taken already.

    Raises
    ------
    CnncliError
        Where `strict` refuses one.
    """
    lookup = FileLookup(annotated.source if annotated.source.is_dir() else annotated.source.parent)
    paths, kept, missing, taken = [], [], [], set()
    for at, (name, size) in enumerate(zip(annotated.names, annotated.sizes.tolist(), strict=True)):
        try:
            path = image_path(name, lookup)
            _check_size(path, size)
            if path in taken:
                raise CnncliError(
                    f"{shown(path)} is also the image of other annotations; expected one list of its objects",
                    "Put all objects of an image into one.",
                )
        except CnncliError as fault:
            if strict:
                raise
            missing.append(Skipped(name, fault.message))
            continue
        taken.add(path)
        paths.append(path)
        kept.append(at)
    return paths, np.array(kept, np.intp), missing


def _check_size(path: Path, size: list[int]) -> None:
    """Refuse an image that, upright, has another height and width than its annotations say."""
    width, height, _ = read_size(path)
    if [height, width] == size:
        return
    turned = ", on its side: its EXIF turns it" if [width, height] == size else ""
    raise CnncliError(
        f"{shown(path)} has {width}x{height} pixels; expected {size[1]}x{size[0]}, as its annotations say"
        + turned,
        "Correct the annotations.",
    )


def image_path(name: str, lookup: FileLookup) -> Path:
    """The file of an image that annotations name: beside them, or in a folder below.

    A file of that name in the current folder is another one, unless the name says the way to the annotations.

    Raises
    ------
    CnncliError
        Where it is not there, or may be one of several.
    """
    usual = [lookup.folder / inner / name for inner in _INNER]
    if Path(name).is_relative_to(lookup.folder):
        usual.append(Path(name))
    path = next((each for each in usual if each.is_file()), None) or lookup.find(name)
    if path is None or isinstance(path, AmbiguousName):
        what = "is not there" if path is None else "may be one of several files"
        raise CnncliError(
            f"{shown(name)} {what}; expected it in {shown(lookup.folder)} or below",
            "Put the images beside their annotations, or into a folder images there.",
        )
    return path
