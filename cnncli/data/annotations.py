"""Annotations of objects in any form that is read, told apart by what their files are."""

from dataclasses import dataclass, replace
from pathlib import Path

from cnncli.data.coco import parse_annotations, read_json
from cnncli.data.image_sets import image_sets
from cnncli.data.labelme import labelme_files, read_labelme
from cnncli.data.objects import Annotated
from cnncli.data.plain_yaml import read_yaml
from cnncli.data.split_names import split_of
from cnncli.data.voc import read_voc, voc_files
from cnncli.data.yolo import read_yolo
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_FORMS = (
    "Give COCO's annotations (a .json), the data.yaml of YOLO, or a folder of Pascal VOC (.xml files) or of "
    "labelme (.json files)."
)
_SPLITS = ("train", "val", "test")
_BY_DEFAULT = ("val", "test", "train")
_OF_SPLIT = "_annotations.coco.json"  # beside the images of each split, as Roboflow writes them


@dataclass(frozen=True, kw_only=True)
class AnnotationOptions:
    """How annotations are read.

    Attributes
    ----------
    split : str or None
        Of data that have several: "train", "val" or "test"; None: the first of val, test and train that there
        is.
    masks : bool
        Read masks, and leave objects without one out.
    strict : bool
        Refuse the data at the first object that cannot be used, instead of listing it.
    as_written : bool
        Clip no box, and take those that reach beyond the edge.
    threads : int
        That draw polygons.
    """

    split: str | None = None
    masks: bool = False
    strict: bool = False
    as_written: bool = False
    threads: int = 1


def read_annotations(path: Path, how: AnnotationOptions) -> Annotated:
    """Read annotations.

    Raises
    ------
    CnncliError
        Where they are of no known form, cannot be read, or `how` refuses something.
    """
    same = {"strict": how.strict, "as_written": how.as_written}
    splits = annotated_splits(path)
    if how.split is not None and not splits:
        raise CnncliError(
            f"--split is given, but {shown(path)} has no splits; expected data.yaml or ImageSets/Main",
            "Leave --split out.",
        )
    if how.split not in (None, *_SPLITS):
        raise CnncliError(
            f"--split is {how.split!r}; expected train, val or test", "Evaluate one split after the other."
        )
    if how.split is None and splits:
        usual = next(split for split in _BY_DEFAULT if split in splits)
        found = read_annotations(path, replace(how, split=usual))
        return replace(found, notes=(*found.notes, f"these are of the split {usual}; --split names another"))
    if how.split is not None and (files := _files_of_splits(path)):
        path = files[how.split]
    described = _description(path)
    if described:
        return read_yolo(described, how.split or "val", masks=how.masks, threads=how.threads, **same)
    if path.suffix.lower() == ".json":
        return parse_annotations(read_json(path), path, masks=how.masks, threads=how.threads, **same)
    if path.is_dir() and labelme_files(path):
        return read_labelme(path, masks=how.masks, threads=how.threads, **same)
    if path.is_dir() and voc_files(path):
        if how.masks:
            raise CnncliError(
                f"{shown(path)} has boxes of Pascal VOC; expected masks",
                "Give COCO's annotations, or masks as PNG files in SegmentationClass.",
            )
        return read_voc(path, how.split, **same)
    what = "is a folder without them" if path.is_dir() else "is none" if path.exists() else "is not there"
    raise CnncliError(f"{shown(path)} {what}; expected annotations of objects", _FORMS)


def annotated_splits(path: Path) -> tuple[str, ...]:
    """The splits that annotations are divided into: those of data.yaml, of Pascal VOC's ImageSets/Main, or
    folders with COCO's annotations.

    Raises
    ------
    CnncliError
        Where what says so cannot be read.
    """
    described = _description(path)
    if described:
        there = read_yaml(described)
        return tuple(part for part in _SPLITS if there.get(part) or (part == "val" and there.get("valid")))
    if path.is_dir() and voc_files(path):
        return tuple(image_sets(path, "Main"))
    return tuple(_files_of_splits(path))


def _files_of_splits(path: Path) -> dict[str, Path]:
    """COCO's annotations in folders called train, valid and test, or by other words for these."""
    folders = sorted(path.iterdir()) if path.is_dir() else []
    files = {split_of(each.name): each / _OF_SPLIT for each in folders if (each / _OF_SPLIT).is_file()}
    return {split: files[split] for split in _SPLITS if split in files}


def _description(path: Path) -> Path | None:
    """The data.yaml of a folder, or that a path is."""
    described = path / "data.yaml" if (path / "data.yaml").is_file() else path
    return described if described.suffix.lower() in (".yaml", ".yml") else None


def describes_objects(path: Path) -> bool:
    """Tell whether a path is one of annotations of objects, by the names of its files."""
    if path.is_dir():
        of_each = (voc_files, labelme_files, _files_of_splits)
        return (path / "data.yaml").is_file() or any(files(path) for files in of_each)
    return path.suffix.lower() in (".json", ".yaml", ".yml")
