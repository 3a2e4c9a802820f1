"""Masks drawn from COCO's annotations: polygons and runs against slices of arrays, and what is left out."""

import json

import numpy as np
import pytest
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.drawn_masks import read_drawn
from cnncli.data.load import load_dataset
from cnncli.data.pixel_labels import UNLABELLED
from cnncli.errors import CnncliError

HEIGHT, WIDTH = 12, 16


def rectangle(top, left, bottom, right):
    return [[left, top, right, top, right, bottom, left, bottom]]


def runs(mask):
    """COCO's uncompressed RLE of a mask: lengths of 0 and 1 in turn, down the columns."""
    flat = mask.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    return {"size": list(mask.shape), "counts": np.diff([0, *edges, flat.size]).tolist()}


def annotation(number, image, category, segmentation, *, crowd=0, area=1):
    box = [0, 0, WIDTH, HEIGHT]
    return {
        "id": number, "image_id": image, "category_id": category, "bbox": box, "area": area,
        "segmentation": segmentation, "iscrowd": crowd,
    }  # fmt: skip


def write(folder, annotations, count=1):
    (folder / "images").mkdir()
    images = []
    for number in range(count):
        Image.new("RGB", (WIDTH, HEIGHT), (9 * number % 256, 20, 30)).save(folder / f"images/{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
    categories = [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}]
    path = folder / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def undivided(path):
    """Images, masks, and what is left out."""
    found = read_drawn(path, threads=1)
    assert set(found.parts) == {"train"}
    return *found.parts["train"], found.skipped


def test_smaller_objects_lie_over_larger_ones_and_crowds_have_no_class(tmp_path):
    crowd = np.zeros((HEIGHT, WIDTH), bool)
    crowd[8:11, 10:15] = True
    path = write(
        tmp_path,
        [
            annotation(1, 0, 9, rectangle(4, 5, 7, 8)),
            annotation(2, 0, 7, rectangle(2, 3, 9, 10)),
            annotation(3, 0, 7, runs(crowd), crowd=1),
        ],
    )
    (image,), masks, skipped = undivided(path)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[2:9, 3:10] = 1
    expected[8:11, 10:15] = UNLABELLED
    expected[4:7, 5:8] = 2
    assert masks.classes == ("background", "cat", "dog")
    assert (image.name, skipped) == ("0.png", ())
    np.testing.assert_array_equal(masks.maps[0].read(), expected)


def test_objects_called_background_are_what_no_object_covers(tmp_path):
    """As labelme writes them, as class 0 of its annotations."""
    path = write(
        tmp_path, [annotation(1, 0, 7, rectangle(4, 5, 7, 8)), annotation(2, 0, 9, rectangle(2, 3, 9, 10))]
    )
    path.write_text(path.read_text().replace('"cat"', '"_background_"'))
    _, masks, _ = undivided(path)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[2:9, 3:10] = 1
    expected[4:7, 5:8] = 0
    assert masks.classes == ("background", "dog")
    np.testing.assert_array_equal(masks.maps[0].read(), expected)


def test_images_that_cannot_be_used_are_listed(tmp_path):
    far = {"size": [HEIGHT, WIDTH], "counts": [5, 10_000_000]}
    annotations = [annotation(n, n, 7, rectangle(2, 3, 9, 10)) for n in range(4)]
    path = write(tmp_path, [*annotations, annotation(9, 0, 7, far)], count=4)
    (tmp_path / "images/1.png").unlink()
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(tmp_path / "images/2.png")
    images, masks, skipped = undivided(path)
    assert [each.name for each in images] == ["0.png", "3.png"]
    assert (masks.maps[1].read() == 1).sum() == 49
    reasons = " ".join(each.sentence for each in skipped)
    for reason in ("is not there", "has 17x12 pixels; expected 16x12"):
        assert reason in reasons
    assert len(skipped) == 3  # the runs that go beyond the image, too


def test_annotations_are_trained_on_for_masks(tmp_path):
    annotations = [annotation(n, n, 7 + 2 * (n % 2), rectangle(2, 3, 9, 10)) for n in range(30)]
    path = write(tmp_path, annotations, count=30)
    dataset = load_dataset(str(path), LoadOptions(task="segment"))
    assert dataset.targets.task == "segmentation"
    assert dataset.targets.classes == ("background", "cat", "dog")
    assert sum(map(len, (dataset.train, dataset.val, dataset.test))) == 30
    for split in (dataset.train, dataset.test):
        assert set(np.unique(split.targets.maps)) <= {0, 1, 2}
        assert (split.targets.maps > 0).any(axis=(1, 2)).all()


def test_no_images_are_an_error(tmp_path):
    path = write(tmp_path, [annotation(1, 0, 7, rectangle(2, 3, 9, 10))])
    (tmp_path / "images/0.png").unlink()
    with pytest.raises(CnncliError, match=r"no image of .* can be used.*is not there"):
        read_drawn(path, threads=1)
