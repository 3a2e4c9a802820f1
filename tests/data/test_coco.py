"""COCO's annotations: what is read, what is clipped, what is refused, and files made to do harm."""

import json
import resource
from pathlib import Path

import numpy as np
import pytest

from cnncli.data import polygons
from cnncli.data.coco import parse_annotations, read_json
from cnncli.data.rle import WrongMaskError, runs_of_rle
from cnncli.errors import CnncliError

HERE = Path("file.json")
OBJECT = {"image_id": 1, "category_id": 7, "bbox": [1.25, 2.5, 10.5, 5]}


def annotated(*objects, images=((1, "a.jpg", 40, 30),), **how):
    rows = [{"id": key, "file_name": name, "width": w, "height": h} for key, name, w, h in images]
    truth = {"images": rows, "annotations": list(objects), "categories": [{"id": 7, "name": "cat"}]}
    return parse_annotations(truth, HERE, **how)


def test_fractions_crowds_and_areas_are_kept():
    crowd = {**OBJECT, "iscrowd": 1, "area": 33.5}
    found = annotated(OBJECT, crowd).objects
    assert found.boxes.tolist() == [[1.25, 2.5, 10.5, 5]] * 2
    assert (found.crowd.tolist(), found.areas.tolist()) == ([False, True], [52.5, 33.5])
    assert (found.classes, found.texts()) == (("cat",), ["cat ×2"])


def test_images_come_by_their_ids_and_may_be_empty():
    found = annotated(OBJECT, images=((9, "b.jpg", 40, 30), (1, "a.jpg", 40, 30)))
    assert (found.names, found.objects.first.tolist()) == (("a.jpg", "b.jpg"), [0, 1, 1])
    assert found.objects.take(np.array([1, 0, 0])).boxes.tolist() == [OBJECT["bbox"]] * 2


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ([-1, 0, 10, 10], [0, 0, 9, 10]),
        ([-0.5, 25, 40.75, 5.9], [0, 25, 40, 5]),
        ([100, 0, 102, 30], [100, 0, 100, 30]),  # 1 % of 200 pixels
    ],
)
def test_boxes_a_little_beyond_the_edge_are_clipped_and_counted(box, clipped):
    images = [(1, "a.jpg", 200 if box[0] == 100 else 40, 30)]
    found = annotated({**OBJECT, "bbox": box}, images=images)
    assert (found.objects.boxes.tolist(), found.clipped, found.skipped) == ([clipped], 1, ())
    written = annotated({**OBJECT, "bbox": box}, images=images, as_written=True)
    assert (written.objects.boxes.tolist(), written.clipped) == ([box], 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bbox": [-1.5, 0, 10, 10]}, "reaches 1.5 pixels beyond the edge"),
        ({"bbox": [40, 0, 10, 10]}, "is outside its image of 40x30 pixels"),
        ({"bbox": [5, 0, -1, 10]}, "is inverted"),
        ({"bbox": [5, 0, 0, 10]}, "has no area"),
        ({"bbox": [5, 0, 10]}, "bbox is no list of x, y, width and height"),
        ({"bbox": [5, 0, True, 10]}, "bbox is no list of x, y, width and height"),
        ({"bbox": [10**400, 0, 1, 10]}, "beyond the range of floats"),
        ({"bbox": None}, "neither a box nor a mask"),
        ({"category_id": 1}, "category_id is 1, which the annotations do not list"),
        ({"image_id": [1]}, "image_id is [1]"),
    ],
)
def test_what_cannot_be_used_is_listed_or_refused(change, reason):
    found = annotated(OBJECT, {**OBJECT, **change})
    assert len(found.objects.labels) == 1
    (skipped,) = found.skipped
    assert skipped.path.startswith("file.json: annotation 2")
    assert reason in skipped.reason
    with pytest.raises(CnncliError, match=r"annotation 2.*--strict"):
        annotated(OBJECT, {**OBJECT, **change}, strict=True)


def test_masks_of_all_forms_are_the_same():
    """A square of 2x3 pixels at column 1, row 2, of 30 rows, with a hole in one form."""
    counts = [32, 3, 27, 3, 30 * 40 - 65]
    forms = [
        [[1, 2, 3, 2, 3, 5, 1, 5]],
        [[1, 2, 3, 2, 3, 4, 1, 4], [1, 3, 3, 3, 3, 5, 1, 5]],
        {"size": [30, 40], "counts": counts},
        {"size": [30, 40], "counts": [32, 1, 1, 1, 27, 3, 30 * 40 - 65]},
    ]
    masks = annotated(*({**OBJECT, "segmentation": each} for each in forms), masks=True).objects.masks
    expected = np.zeros((30, 40), bool)
    expected[2:5, 1:3] = True
    for at in range(3):
        assert np.array_equal(masks.dense(at), expected)
    expected[3, 1] = False
    assert np.array_equal(masks.dense(3), expected)
    assert (masks.areas.tolist(), masks.boxes.tolist()) == ([6, 6, 6, 5], [[1, 2, 2, 3]] * 4)


def test_without_a_box_it_is_the_masks():
    shape = {"size": [30, 40], "counts": [32, 3, 27, 3, 30 * 40 - 65]}
    each = {"image_id": 1, "category_id": 7, "segmentation": shape}
    for masks in (False, True):
        assert annotated(each, masks=masks).objects.boxes.tolist() == [[1, 2, 2, 3]]


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (None, "no mask"),
        ({"size": [40, 30], "counts": [1200]}, r"its mask is of size \[40, 30\]; expected \[30, 40\]"),
        ({"size": [30, 40], "counts": [1201]}, "covers 1,201 pixels; expected 30 x 40"),
        ({"size": [30, 40], "counts": [2**63 - 1, 2**63 - 1, 1202]}, "covers 18,446,744"),
        ({"size": [30, 40], "counts": [2**64]}, "beyond 64 bits"),
        ({"size": [30, 40], "counts": [1300, -100]}, "a run of -100 pixels"),
        ({"size": [30, 40], "counts": [600, -1, 601]}, "a run of -1 pixels"),
        ({"size": [30, 40], "counts": {"a": 1}}, "no list of whole numbers"),
        ([[0, 0, 1, 1]], "three or more corners"),
        ([[0, 0, 1, 1, 1e9, 1]], "far outside the image"),
        ([[0, 0, 1, 1, "a", 1]], "three or more corners"),
    ],
)
def test_masks_that_cannot_be_used(mask, reason):
    with pytest.raises(CnncliError, match=reason):
        annotated({**OBJECT, "segmentation": mask}, masks=True, strict=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("o", "ends within a number"),
        ("oooooooooo0", "more than 40 bits"),
        ("oooooooo0", "more than 40 bits"),
        ("ooooooo0", "covers"),
        ("é", "mean nothing"),
        (" ", "mean nothing"),
        ("p", "mean nothing"),  # one beyond the last character
        ("00000", "covers 0 pixels"),
    ],
)
def test_texts_of_counts_that_are_none(text, reason):
    with pytest.raises(WrongMaskError, match=reason):
        runs_of_rle(text, 30, 40)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"images": ' + "[" * 80 + "]" * 80 + "}", "nested more than 64 deep"),
        ('{"images": ' + "9" * 9999 + "}", "thousands of digits"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_files_that_are_no_json(tmp_path, text, reason):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CnncliError, match=reason):
        read_json(path)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "it is a list of 0"),
        ({"images": []}, "categories is missing"),
        ({"images": [], "categories": []}, "annotations is no list"),
        ({"images": [{"id": 1, "width": 10**12, "height": 1}], "categories": []}, "width is 1000000000000"),
        ({"images": 2 * [{"id": 1, "width": 1, "height": 1}], "categories": []}, "two images have the id 1"),
        ({"images": [{"id": {}, "width": 1, "height": 1}], "categories": []}, "id of an image"),
        ({"images": [], "annotations": [], "categories": [{"id": 1, "name": 3}]}, "name is 3; expected text"),
    ],
)
def test_annotations_of_another_form(value, reason):
    with pytest.raises(CnncliError, match=reason):
        parse_annotations(value, HERE)


def test_categories_of_one_name_are_one_class_where_only_one_is_used():
    truth = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}],
        "annotations": [OBJECT],
        "categories": [{"id": key, "name": name} for key, name in ((0, "cat"), (7, "cat"), (9, "dog"))],
    }
    found = parse_annotations(truth, HERE)
    assert (found.objects.classes, found.objects.labels.tolist()) == (("cat", "dog"), [0])
    assert found.class_at == {7: 0, 9: 1}
    truth["annotations"].append({**OBJECT, "category_id": 0})
    with pytest.raises(CnncliError, match="two categories are named 'cat', with the ids 0 and 7"):
        parse_annotations(truth, HERE)


def test_outlines_without_end_are_refused_before_they_are_drawn(monkeypatch):
    zigzag = [0, 0, 100_000, 100_000] * 30_000
    images = [(1, "a.jpg", 100_000, 100_000)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CnncliError, match="outlines are longer"):
        annotated({**OBJECT, "segmentation": [zigzag]}, images=images, masks=True)
    monkeypatch.setattr(polygons, "available_memory", lambda: 1_000_000)
    with pytest.raises(CnncliError, match="of memory"):
        annotated({**OBJECT, "segmentation": [zigzag[:4000]]}, images=images, masks=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_file_that_memory_does_not_hold_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": "a" * 1000}))
    monkeypatch.setattr("cnncli.data.coco.available_memory", lambda: 5000)
    with pytest.raises(CnncliError, match=r"a.json has 1.01 kB, which take 8.11 kB of memory"):
        read_json(path)


def test_areas_are_those_that_are_given_or_those_of_masks():
    corner = [[1, 2, 5, 2, 5, 4, 3, 4, 3, 8, 1, 8]]  # 16 pixels in a box of 24
    row = {"image_id": 1, "category_id": 7, "segmentation": corner}
    found = annotated(row, {**row, "area": 0}, {**row, "area": 2.5}, {**row, "area": -1}, masks=True)
    assert found.objects.areas.tolist() == [16, 0, 2.5, 16]
    boxes = annotated({**OBJECT, "area": 0}, {**OBJECT, "area": None}).objects
    assert boxes.areas.tolist() == [0, boxes.boxes[1, 2] * boxes.boxes[1, 3]]


def test_a_polygons_box_begins_at_its_least_corner():
    row = {"image_id": 1, "category_id": 7, "segmentation": [[9, 5, 3, 4, 5, 8], [12, 2, 13, 2, 13, 3]]}
    assert annotated(row).objects.boxes.tolist() == [[3, 2, 10, 6]]


def test_masks_up_to_the_last_pixel():
    corner = {"image_id": 1, "category_id": 7, "segmentation": [[35, 25, 40, 25, 40, 30, 35, 30]]}
    masks = annotated(corner, masks=True).objects.masks
    expected = np.zeros((30, 40), bool)
    expected[25:, 35:] = True
    np.testing.assert_array_equal(masks.dense(0), expected)
    assert masks.boxes.tolist() == [[35, 25, 5, 5]]


def test_only_boxes_that_are_clipped_count_as_clipped():
    found = annotated({**OBJECT, "bbox": [-0.5, 0, 5, 5]}, {**OBJECT, "bbox": [30, 20, 20, 5]})
    assert (found.clipped, len(found.skipped)) == (1, 1)
    assert found.objects.boxes.tolist() == [[0, 0, 4.5, 5]]
