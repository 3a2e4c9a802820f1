"""evaluate --predictions: detections of any program against COCO's annotations."""

import json

import pytest
from PIL import Image

IMAGE = {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}
OBJECT = {"image_id": 1, "category_id": 2, "bbox": [0, 0, 10, 10]}
SQUARE = [[0, 0, 10, 0, 10, 10, 0, 10]]


@pytest.fixture
def files(tmp_path):
    """Write annotations.json of some objects, and results.json of some detections."""

    def write(objects, results, **other):
        truth = {"images": [IMAGE], "annotations": objects, "categories": [{"id": 2, "name": "cat"}], **other}
        (tmp_path / "annotations.json").write_text(json.dumps(truth))
        (tmp_path / "results.json").write_text(json.dumps(results))
        return ["evaluate", "annotations.json", "--predictions", "results.json"]

    return write


def test_json_has_the_twelve_figures_and_a_row_for_each_class(run, files):
    (result,) = run(*files([OBJECT], [{**OBJECT, "score": 0.5}]), "--json").results
    boxes = result["boxes"]
    assert (boxes["ap"], boxes["ap75"], boxes["ar_1"], boxes["ar_small"]) == (1, 1, 1, 1)
    assert boxes["ap_large"] is None
    assert boxes["classes"] == [{"label": "cat", "objects": 1, "ap": 1, "ap50": 1, "ap75": 1, "ar_100": 1}]
    assert (result["images"], result["objects"], result["detections"], result["skipped"]) == (1, 1, 1, 0)
    assert "masks" not in result


def test_boxes_and_masks_of_one_file_are_both_scored(run, files):
    shaped = {**OBJECT, "segmentation": SQUARE}
    encoded = {"size": [48, 64], "counts": [0] + 4 * [10, 38] + [10, 38 + 48 * 59]}  # half of the square
    line = files([shaped], [{**OBJECT, "segmentation": encoded, "score": 0.5}])
    (result,) = run(*line, "--json").results
    assert (result["boxes"]["ap"], result["masks"]["ap50"], result["masks"]["ap75"]) == (1, 1, 0)
    text = run(*line).out.decode()
    assert text.index("\nboxes ") < text.index("\nmasks ")


@pytest.mark.parametrize("columns", [60, 80])
def test_the_table_fits_a_terminal(on_terminal, files, columns):
    line = files([OBJECT], [{**OBJECT, "score": 0.5}], categories=[{"id": 2, "name": "c" * 70}])
    lines = on_terminal(columns, *line).splitlines()
    assert max(map(len, lines)) <= columns
    assert any(each.startswith("AP75 ") and "1.0000" in each for each in lines)


def test_what_is_wrong_is_left_out_and_named(run, files):
    wrong = [
        {**OBJECT, "bbox": [70, 0, 5, 5]},
        {**OBJECT, "category_id": 5},
        {**OBJECT, "bbox": [1, 1, -5, 5]},
    ]
    line = files([OBJECT, *wrong], [{**OBJECT, "score": 0.5}, {**OBJECT, "image_id": 9, "score": 0.5}])
    done = run(*line, "--json")
    assert (done.code, done.results[0]["skipped"], done.results[0]["boxes"]["ap"]) == (1, 4, 1)
    assert "annotation 2 (a.jpg): box 70,0,5,5 (x, y, width, height) is outside" in done.err
    assert "annotation 3 (a.jpg): category_id is 5" in done.err
    assert "annotation 4 (a.jpg): box 1,1,-5,5 (x, y, width, height) is inverted" in done.err
    assert "results.json: detection 2: image_id is 9" in done.err


def test_strict_refuses_the_first(run, files, two_lines):
    line = files([OBJECT, {**OBJECT, "bbox": [1, 1, 0, 5]}], [{**OBJECT, "score": 0.5}])
    assert "annotation 2 (a.jpg): box 1,1,0,5 (x, y, width, height) has no area" in two_lines(
        run(*line, "--strict"), 1
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["results.json", "--predictions", "annotations.json"], "holds results, and --predictions"),
        (["annotations.json", "--predictions", "annotations.json"], "holds no list"),
        (["mnist", "--predictions", "results.json"], "mnist is not there; expected annotations of objects"),
        (["annotations.json"], "a.jpg is not there"),
        (
            ["annotations.json", "--predictions", "results.json", "--split", "val"],
            "annotations.json has no splits",
        ),
        (["annotations.json", "--predictions", "results.json", "-m", "digits"], "--model is given with"),
        (["mnist", "--strict", "--attributions", "saliency"], "--strict is given with --attributions"),
    ],
)
def test_what_fits_not_together(run, files, two_lines, words, message):
    files([OBJECT], [{**OBJECT, "score": 0.5}])
    done = run("evaluate", *words)
    assert message in two_lines(done, done.code)
    assert done.code in (1, 2)


def test_masks_for_annotations_without(run, files, two_lines):
    encoded = {"size": [48, 64], "counts": [0, 48 * 64]}
    line = files([OBJECT], [{"image_id": 1, "category_id": 2, "segmentation": encoded, "score": 0.5}])
    assert "it has no mask; expected masks to compare with" in two_lines(run(*line), 1)


def test_pascal_voc_and_yolo_are_annotations_too(run, tmp_path):
    """Images go by the names of their files, classes by name; YOLO's by number, too."""
    size, box = "<size><width>64</width><height>48</height></size>", [0, 0, 10, 10]
    edges = "<xmin>0</xmin><ymin>0</ymin><xmax>10</xmax><ymax>10</ymax>"
    row = f"<object><name>cat</name><bndbox>{edges}</bndbox></object>"
    for folder in ("voc", "yolo/images/val", "yolo/labels/val"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "voc/a.xml").write_text(f"<annotation>{size}{row}</annotation>")
    (tmp_path / "yolo/data.yaml").write_text("val: images/val\nnames: [dog, cat]\n")
    Image.new("L", (64, 48)).save(tmp_path / "yolo/images/val/a.png")
    (tmp_path / "yolo/labels/val/a.txt").write_text(f"1 {5 / 64} {5 / 48} {10 / 64} {10 / 48}")
    for form, classes in (("voc", ["cat"]), ("yolo", ["cat", 1]), ("yolo/data.yaml", ["cat"])):
        for label in classes:
            results = [{"image_id": "a", "category_id": label, "bbox": box, "score": 0.5}]
            (tmp_path / "r.json").write_text(json.dumps(results))
            (result,) = run("evaluate", form, "--predictions", "r.json", "--json").results
            assert (result["boxes"]["ap"], result["form"][:4]) == (1, "Pasc" if form == "voc" else "YOLO")


def test_which_split_of_yolo(run, tmp_path, two_lines):
    (tmp_path / "data.yaml").write_text("val: images\nnames: [cat]\n")
    (tmp_path / "r.json").write_text("[]")
    line = ["evaluate", "data.yaml", "--predictions", "r.json"]
    assert "has no test; expected the folder of its images (val is there)" in two_lines(
        run(*line, "--split", "test"), 1
    )
    assert "--split is 'all'" in two_lines(run(*line, "--split", "all"), 1)


def test_names_of_classes_count_where_results_have_them(run, tmp_path):
    """Ids of COCO's annotations are not YOLO's numbers, and Pascal VOC has none."""
    boxes = {"cat": [4.0, 4.0, 20.0, 12.0], "dog": [30.0, 10.0, 8.0, 6.0]}
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.new("L", (40, 20)).save(tmp_path / "images/a.png")
    (tmp_path / "labels/a.txt").write_text("0 0.35 0.5 0.5 0.6\n1 0.85 0.65 0.2 0.3\n")
    (tmp_path / "data.yaml").write_text("val: images\nnames: [cat, dog]\n")
    rows = [
        {"image_id": "a.png", "category_id": id, "category_name": name, "bbox": boxes[name], "score": 0.9}
        for id, name in ((1, "cat"), (2, "dog"))
    ]
    rows.append(rows[0] | {"category_name": "bird"})
    (tmp_path / "r.json").write_text(json.dumps(rows))
    done = run("evaluate", "data.yaml", "--predictions", "r.json", "--json")
    assert (done.code, done.results[0]["boxes"]["ap"]) == (1, 1.0)
    assert "category_name is 'bird', which the annotations do not list" in done.err
