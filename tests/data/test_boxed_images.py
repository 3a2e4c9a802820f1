"""Data sets of images with boxes, of three forms: boxes as a network sees the images, and wrong ones."""

import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnncli.data.annotations import AnnotationOptions, annotated_splits, read_annotations
from cnncli.data.assemble import LoadOptions
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError
from cnncli.tasks.detection import Detection
from cnncli.tasks.detection_targets import corners_of

WIDE, HIGH = 80, 40
COUNT = 12


def written(folder):
    """Images with one bright box each, and the boxes."""
    (folder / "images").mkdir(parents=True)
    random, boxes = np.random.default_rng(1), []
    for at in range(COUNT):
        image = random.integers(0, 60, (HIGH, WIDE, 3)).astype(np.uint8)
        (x, y), (w, h) = random.integers(2, 20, 2), random.integers(10, 18, 2)
        image[y : y + h, x : x + w] = 250
        Image.fromarray(image).save(folder / "images" / f"{at:03d}.png")
        boxes.append([int(each) for each in (x, y, w, h)])
    return boxes


def as_coco(folder, boxes):
    annotations = [
        {
            "id": at,
            "image_id": at + 7,
            "category_id": 3 + 2 * (at % 2),
            "bbox": box,
            "iscrowd": 0,
            "area": box[2] * box[3],
        }
        for at, box in enumerate(boxes)
    ]
    images = [
        {"id": at + 7, "file_name": f"{at:03d}.png", "width": WIDE, "height": HIGH} for at in range(COUNT)
    ]
    categories = [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}]
    said = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "boxes.json").write_text(json.dumps(said))
    return folder / "boxes.json"


def as_yolo(folder, boxes):
    (folder / "labels").mkdir()
    for at, (x, y, w, h) in enumerate(boxes):
        line = f"{at % 2} {(x + w / 2) / WIDE} {(y + h / 2) / HIGH} {w / WIDE} {h / HIGH}\n"
        (folder / "labels" / f"{at:03d}.txt").write_text(line)
    (folder / "data.yaml").write_text("train: images\nval: images\nnames: [cat, dog]\n")
    return folder / "data.yaml"


def as_voc(folder, boxes):
    (folder / "Annotations").mkdir()
    for at, (x, y, w, h) in enumerate(boxes):
        edges = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
        thing = f"<object><name>{('cat', 'dog')[at % 2]}</name><bndbox>{edges}</bndbox></object>"
        size = f"<size><width>{WIDE}</width><height>{HIGH}</height></size>"
        text = f"<annotation><filename>{at:03d}.png</filename>{size}{thing}</annotation>"
        (folder / "Annotations" / f"{at:03d}.xml").write_text(text)
    return folder


FORMS = {"COCO": as_coco, "YOLO": as_yolo, "Pascal VOC": as_voc}


@pytest.mark.parametrize("fit", [None, "crop", "stretch"])
@pytest.mark.parametrize("form", FORMS)
def test_boxes_are_where_the_network_sees_the_things(tmp_path, form, fit):
    source = FORMS[form](tmp_path, written(tmp_path))
    options = LoadOptions(whole=True)
    options = LoadOptions(whole=True, image_options=options.image_options.__class__(size=(64, 64), fit=fit))
    dataset = load_dataset(str(source), options)
    train = dataset.train
    assert len(train) == COUNT
    assert train.targets.classes == ("cat", "dog")
    assert train.targets.labels.tolist() == [at % 2 for at in range(COUNT)]
    assert dataset.input_spec.fit == (fit or "pad")
    assert form in dataset.provenance
    for image, (x0, y0, x1, y1) in zip(train.images, corners_of(train.targets.boxes), strict=True):
        rows, columns = np.nonzero(image[..., 0] > 150)
        if x0 > 0:  # not cut off
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose([x0, y0, x1, y1], edges, atol=1)


def test_what_cannot_be_used_is_listed_or_refused(tmp_path):
    path = as_coco(tmp_path, written(tmp_path))
    said = json.loads(path.read_text())
    said["annotations"][0]["bbox"] = [200, 5, 10, 10]
    said["annotations"][1]["bbox"] = [20, 5, -10, 10]
    said["annotations"][2]["category_id"] = 99
    said["annotations"][3]["bbox"] = [70.5, 5, 10, 10]  # half a pixel too far
    said["images"][4]["width"] = 79
    said["images"][5]["file_name"] = "missing.png"
    path.write_text(json.dumps(said))
    dataset = load_dataset(str(path), LoadOptions(whole=True))
    reasons = " | ".join(each.sentence for each in dataset.skipped)
    for text in ("outside", "inverted", "99", "80x40 pixels; expected 79x40", "missing.png is not there"):
        assert text in reasons
    assert len(dataset.train) == COUNT - 2  # images without a box teach what is nothing
    assert len(dataset.train.targets.labels) == COUNT - 5
    assert any("1 box reaches beyond" in note for note in dataset.notes)
    with pytest.raises(CnncliError, match="--strict"):
        load_dataset(str(path), LoadOptions(whole=True, strict=True))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1, 2]", "COCO"),
        ('{"images": [], "annotations": [], "categories": []}', "image"),
        ('{"images": [{"id": 1, "width": 9e99, "height": 1}], "annotations": [], "categories": []}', "width"),
        ("{" * 100_000, "JSON"),
    ],
)
def test_hostile_files_are_refused_in_words(tmp_path, content, said):
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(CnncliError, match=said):
        load_dataset(str(path))


def test_without_boxes_there_is_nothing_to_learn(tmp_path):
    path = as_coco(tmp_path, written(tmp_path))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": []}))
    with pytest.raises(CnncliError, match="no object in"):
        load_dataset(str(path))


def test_images_of_one_small_size_keep_it_but_for_what_maps_need(tmp_path):
    """Sides of 80 and 40 pixels become 96 and 64, multiples of 32, with black around."""
    path = as_coco(tmp_path, written(tmp_path))
    assert load_dataset(str(path), LoadOptions(whole=True)).train.shape == (64, 96, 3)


def test_two_lists_of_objects_for_one_image(tmp_path):
    """It is taken once: otherwise things of either list would be background by the other."""
    source = as_voc(tmp_path, written(tmp_path))
    text = (source / "Annotations/000.xml").read_text()
    (source / "Annotations/zzz.xml").write_text(text)
    dataset = load_dataset(str(source), LoadOptions(whole=True))
    assert (len(dataset.train), len(dataset.skipped)) == (COUNT, 1)
    assert "000.png is also the image of other annotations" in dataset.skipped[0].sentence


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_of_images_as_they_are_shown(tmp_path, orientation):
    """Which their EXIF may turn and mirror; annotations of one on its side are named."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[4:12, 50:70] = 255
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    high, wide, _ = upright.shape
    rows, columns = np.nonzero(upright[..., 0])
    x, y = int(columns.min()), int(rows.min())
    box = [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y]
    said = {
        "images": [{"id": 1, "file_name": "a.png", "width": wide, "height": high}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": box}],
        "categories": [{"id": 1, "name": "light"}],
    }
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(said))
    options = LoadOptions(whole=True)
    dataset = load_dataset(str(path), options)
    ((x0, y0, x1, y1),) = corners_of(dataset.train.targets.boxes).astype(int).tolist()
    seen = dataset.train.images[0, ..., 0]
    assert (seen > 0).sum() == (seen[y0:y1, x0:x1] > 0).sum() == 8 * 20
    if orientation > 4:
        said["images"][0] |= {"width": high, "height": wide}
        said["annotations"][0]["bbox"] = [50, 4, 20, 8]
        path.write_text(json.dumps(said))
        with pytest.raises(CnncliError, match="on its side: its EXIF turns it"):
            load_dataset(str(path), options)


def test_folders_of_splits_with_annotations_of_coco(tmp_path):
    """As Roboflow writes them; all of them list the same classes."""
    for part, split in (("train", "train"), ("valid", "val")):
        source = as_coco(tmp_path / part, written(tmp_path / part))
        source.rename(tmp_path / part / "_annotations.coco.json")
        found = read_annotations(tmp_path, AnnotationOptions(split=split)) if part == "valid" else None
    assert found.source == tmp_path / "valid/_annotations.coco.json"
    assert annotated_splits(tmp_path) == ("train", "val")
    dataset = load_dataset(str(tmp_path), LoadOptions(val_split=0.3))
    held_out = len(dataset.test)
    assert (len(dataset.train) + held_out, len(dataset.val)) == (COUNT, COUNT)
    said = json.loads((tmp_path / "valid/_annotations.coco.json").read_text())
    said["categories"][1]["name"] = "wolf"
    (tmp_path / "valid/_annotations.coco.json").write_text(json.dumps(said))
    with pytest.raises(CnncliError, match=r"has the classes cat, wolf, and .* cat, dog"):
        load_dataset(str(tmp_path))


def test_a_class_without_objects_need_not_be_known(tmp_path):
    """Some programs list one for the group of the others."""
    path = as_coco(tmp_path, written(tmp_path))
    said = json.loads(path.read_text())
    said["categories"].insert(0, {"id": 0, "name": "animals"})
    path.write_text(json.dumps(said))
    targets = load_dataset(str(path), LoadOptions(whole=True)).train.targets
    known = Detection(("dog", "cat")).as_known(targets, "d")
    assert known.classes == ("dog", "cat")
    assert known.labels.tolist() == [1 - at % 2 for at in range(COUNT)]
    with pytest.raises(CnncliError, match="d has objects of dog"):
        Detection(("cat", "animals")).as_known(targets, "d")
