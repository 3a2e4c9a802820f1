"""Annotations of objects in any form that is read, told apart by what their files are."""

from dataclasses import dataclass
from pathlib import Path

from cnncli.data.coco import parse_annotations, read_json
from cnncli.data.labelme import labelme_files, read_labelme
from cnncli.data.objects import Annotated
from cnncli.data.voc import read_voc, voc_files
from cnncli.data.yolo import read_yolo
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

_FORMS = (
    "Give COCO's annotations (a .json), the data.yaml of YOLO, or a folder of Pascal VOC (.xml files) or of "
    "labelme (.json files)."
)
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class AnnotationOptions:
    """How annotations are read.

    Attributes
    ----------
    split : str or None
        Of data that have several: "train", "val" (None as well) or "test".
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
    described = path / "data.yaml" if (path / "data.yaml").is_file() else path
    if described.suffix.lower() in (".yaml", ".yml"):
        if how.split not in (None, *_SPLITS):
            raise CnncliError(
                f"--split is {how.split!r}; expected train, val or test",
                "Evaluate one split after the other.",
            )
        return read_yolo(described, how.split or "val", masks=how.masks, **same)
    if how.split is not None:
        raise CnncliError(
            f"--split is given, but {shown(path)} has no splits; expected data.yaml", "Leave --split out."
        )
    if path.suffix.lower() == ".json":
        return parse_annotations(read_json(path), path, masks=how.masks, threads=how.threads, **same)
    if path.is_dir() and labelme_files(path):
        return read_labelme(path, masks=how.masks, threads=how.threads, **same)
    if path.is_dir() and voc_files(path):
        if how.masks:
            raise CnncliError(
                f"{shown(path)} has boxes of Pascal VOC; expected masks, as the predictions have",
                "Predict boxes, or give COCO's annotations.",
            )
        return read_voc(path, **same)
    what = "is a folder without them" if path.is_dir() else "is none" if path.exists() else "is not there"
    raise CnncliError(f"{shown(path)} {what}; expected annotations of objects", _FORMS)


def describes_objects(path: Path) -> bool:
    """Tell whether a path is one of annotations of objects, by the names of its files."""
    if path.is_dir():
        return (path / "data.yaml").is_file() or bool(voc_files(path)) or bool(labelme_files(path))
    return path.suffix.lower() in (".json", ".yaml", ".yml")
