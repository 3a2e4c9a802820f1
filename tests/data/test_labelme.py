"""Annotations of labelme: what its own converters make of the same files, and shapes one by one."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.data.annotations import AnnotationOptions, describes_objects, read_annotations
from cnncli.data.drawn_masks import read_drawn
from cnncli.data.labelme import read_labelme
from cnncli.data.voc import read_voc
from cnncli.errors import CnncliError
from cnncli.images.read import read_indices

EXAMPLES = Path("/usr/share/doc/labelme-examples/examples")
installed = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="Debian's labelme-examples is not installed")
SIZE = (30, 40)  # height and width


def shape(label, points, kind="polygon", group=None):
    return {"label": label, "points": points, "group_id": group, "shape_type": kind, "flags": {}}


def write(folder, *shapes, name="a", size=SIZE):
    folder.mkdir(exist_ok=True)
    Image.new("RGB", size[::-1]).save(folder / f"{name}.png")
    value = {"version": "5.0", "shapes": shapes, "imagePath": f"{name}.png", "imageData": None}
    value |= {"imageHeight": size[0], "imageWidth": size[1]}
    (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


SQUARE = [[2, 3], [12, 3], [12, 9], [2, 9]]


def test_shapes_are_things_and_groups_are_one(tmp_path):
    folder = write(
        tmp_path / "d",
        shape("cat", SQUARE),
        shape("dog", [[20.5, 15], [10, 5.25]], "rectangle"),
        shape("cat", [[20, 20], [23, 24]], "circle"),
        shape("dog", SQUARE, group=3),
        shape("dog", [[30, 20], [38, 20], [38, 28]], group=3),
        shape("cat", SQUARE, group=3),
    )
    assert describes_objects(folder)
    found = read_annotations(folder, AnnotationOptions(masks=True))
    assert (found.form, found.names, found.sizes.tolist()) == ("labelme", ("a.png",), [list(SIZE)])
    objects = found.objects
    assert [objects.classes[k] for k in objects.labels] == ["cat", "dog", "cat", "dog", "cat"]
    expected = [[2, 3, 10, 6], [10, 5.25, 10.5, 9.75], [15, 15, 10, 10], [2, 3, 36, 25], [2, 3, 10, 6]]
    np.testing.assert_allclose(objects.boxes, expected, atol=0.02)
    areas = objects.masks.areas
    assert areas[[0, 3, 4]].tolist() == [60, 60 + areas[3] - 60, 60]
    assert areas[2] == pytest.approx(np.pi * 25, rel=0.06)
    assert areas[3] == pytest.approx(60 + 32, abs=5)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (shape("cat", [[1, 2], [3, 4]], "line"), "it is a 'line' of 2 points"),
        (shape("cat", [[1, 2], [3, 4]]), "it is a 'polygon' of 2 points"),
        (shape("cat", [[1, 2, 3], [3, 4]]), "no list of pairs"),
        (shape("cat", [["a", 2], [3, 4], [5, 6]]), "no list of pairs"),
        (shape(7, SQUARE), "label"),
        ({"points": SQUARE}, "label"),
        (shape("cat", [[1, 2], [1e9, 4], [5, 6]]), "far outside"),
    ],
)
def test_what_cannot_be_used_is_listed_or_refused(tmp_path, wrong, reason):
    folder = write(tmp_path / "d", shape("cat", SQUARE), wrong)
    found = read_labelme(folder, masks=True)
    assert len(found.objects.labels) == 1
    (skipped,) = found.skipped
    assert reason in skipped.sentence
    with pytest.raises(CnncliError):
        read_labelme(folder, strict=True)


def test_a_file_that_is_none_is_listed(tmp_path):
    folder = write(tmp_path / "d", shape("cat", SQUARE))
    (folder / "b.json").write_text("{")
    (folder / "c.json").write_text('{"shapes": 3, "imagePath": "a.png"}')
    found = read_labelme(folder)
    assert [Path(each.path).name for each in found.skipped] == ["b.json", "c.json"]
    assert not describes_objects(write(tmp_path / "e", name="z").parent)


def test_what_is_to_be_ignored_has_no_class(tmp_path):
    folder = write(
        tmp_path / "d", shape("cat", SQUARE), shape("__ignore__", [[20, 20], [30, 28]], "rectangle")
    )
    found = read_drawn(folder, threads=1)
    (_, masks), skipped = found.parts["train"], found.skipped
    expected = np.zeros(SIZE, np.uint8)
    expected[3:9, 2:12], expected[20:28, 20:30] = 1, 255
    assert (masks.classes, skipped) == (("background", "cat"), ())
    np.testing.assert_array_equal(masks.maps[0].read(), expected)
    assert read_labelme(folder).objects.texts() == ["cat"]


def test_an_image_of_that_name_in_the_current_folder_is_another_one(tmp_path, monkeypatch):
    folder = write(tmp_path / "d", shape("cat", SQUARE))
    Image.new("RGB", SIZE[::-1], "white").save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    for named in (folder, Path("d")):
        ((images, _),) = read_drawn(named, threads=1).parts.values()
        assert [image.resolve() for image in images] == [folder / "a.png"]
    (folder / "a.png").unlink()
    with pytest.raises(CnncliError, match="is not there"):
        read_drawn(folder, threads=1)


@installed
def test_boxes_are_those_of_its_own_converter():
    ours = read_labelme(EXAMPLES / "bbox_detection/data_annotated", strict=True)
    theirs = read_voc(EXAMPLES / "bbox_detection/data_dataset_voc", strict=True)
    assert ours.objects.classes == theirs.objects.classes
    assert ours.objects.labels.tolist() == theirs.objects.labels.tolist()
    np.testing.assert_allclose(ours.objects.boxes, theirs.objects.boxes, atol=1e-9)


@installed
@pytest.mark.parametrize("example", ["semantic_segmentation", "video_annotation"])
def test_masks_are_those_of_its_own_converter(example):
    """All but pixels on outlines, which it also counts, and where one thing lies over another."""
    images, masks = read_drawn(EXAMPLES / example / "data_annotated", threads=2).parts["train"]
    voc = EXAMPLES / example / "data_dataset_voc"
    names = [name.strip() for name in (voc / "class_names.txt").read_text().splitlines()]
    names = ["background", *names[1:]]
    for at, image in enumerate(images):
        theirs = read_indices(voc / f"SegmentationClassPNG/{image.stem}.png").astype(int)
        ours = masks.maps[at].read().astype(int)
        renamed = np.full(256, 255)
        renamed[: len(masks.classes)] = [names.index(name) for name in masks.classes]
        assert (renamed[ours] == theirs).mean() > 0.985, image
