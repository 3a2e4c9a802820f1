"""Files of boxes that predict writes: YOLO's shares and COCO's results, from boxes that are known."""

import json

import numpy as np
import pytest
from PIL import Image

from cnncli.checked import Fields, MalformedError
from cnncli.cli.listing import Input
from cnncli.cli.options.predict import Settings
from cnncli.cli.predict_boxes import BoxFiles
from cnncli.cli.row_writers import Row
from cnncli.cli.trained import load_trained
from cnncli.data.coco import parse_annotations
from cnncli.data.coco_results import parse_results
from cnncli.data.prepare import InputSpec
from cnncli.tasks import WORDS
from cnncli.tasks.detection import Detection
from cnncli.tasks.detection_results import Thing, Things
from cnncli.views.colors import class_color
from tests.cli.small_networks import save_detector

THINGS = Things(
    [Thing("stripes", 0.75, (10.0, 20.0, 40.0, 10.0)), Thing("night", 0.5, (0.0, 0.0, 100.0, 50.0))]
)


def test_boxes_are_written_as_yolo_and_coco_have_them(tmp_path, monkeypatch):
    """Of a picture of 50 rows and 100 columns."""
    monkeypatch.chdir(tmp_path)
    save_detector(tmp_path / "net.safetensors")
    settings = Settings(
        inputs=["12.png"], model="net.safetensors", yolo="labels", coco="found.json", output="drawn.png"
    )
    files = BoxFiles(settings, load_trained(settings), [Input("12.png")], alone=True)
    pixels = np.full((50, 100, 3), 90, np.uint8)
    files.add([Row("12.png", THINGS, size=(50, 100), pixels=pixels)])
    files.finish()
    lines = [
        [float(each) for each in line.split()]
        for line in (tmp_path / "labels/12.txt").read_text().splitlines()
    ]
    assert lines == [[2, 0.3, 0.5, 0.4, 0.2, 0.75], [0, 0.5, 0.5, 1, 1, 0.5]]
    assert json.loads((tmp_path / "found.json").read_text()) == [
        {
            "image_id": 12,
            "file_name": "12.png",
            "category_id": number,
            "category_name": name,
            "bbox": box,
            "score": score,
        }
        for number, name, box, score in (
            (3, "stripes", [10, 20, 40, 10], 0.75),
            (1, "night", [0, 0, 100, 50], 0.5),
        )
    ]
    check_drawn(np.asarray(Image.open(tmp_path / "drawn.png")))


def check_drawn(drawn):
    """Lines of the class's colour on the edges, labels above or inside, and the picture everywhere else."""
    assert drawn.shape == (5 * 50, 5 * 100, 3)  # the fifth of 480 pixels or more
    elsewhere = np.ones(drawn.shape[:2], bool)
    for (left, top, right, bottom), number in (((0, 0, 500, 250), 0), ((50, 100, 250, 150), 2)):
        middle, beside, color = (left + right) // 2 + 40, (top + bottom) // 2 + 5, class_color(number)
        for row, column in ((top, middle), (bottom - 1, middle), (beside, left), (beside, right - 1)):
            assert tuple(drawn[row, column]) == color, (row, column)
        lines = np.zeros_like(elsewhere)
        lines[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = True
        lines[top + 4 : bottom - 4, left + 4 : right - 4] = False
        elsewhere &= ~lines
        label_top = top - 22 if top >= 22 else top
        label = drawn[label_top + 1 : label_top + 21, left + 1 : left + 60]
        assert (label == color).all(axis=2).mean() > 0.5  # letters are black
        assert (label < 60).all(axis=2).any()
        elsewhere[label_top : label_top + 23, left : left + 125] = False
    assert elsewhere.mean() > 0.8
    assert (drawn[elsewhere] == 90).all()


def test_results_name_images_and_classes_as_the_annotations_do(tmp_path, monkeypatch):
    """Whose ids have gaps, and are others than the numbers in the names of files."""
    monkeypatch.chdir(tmp_path)
    images = [{"id": 40 + at, "file_name": f"in/{at:02}.png", "width": 100, "height": 50} for at in (1, 2)]
    kinds = [{"id": 7 * at + 11, "name": name} for at, name in enumerate(("night", "day", "stripes"))]
    objects = [{"image_id": 42, "category_id": 25, "bbox": [10, 20, 40, 10]}]
    said = {"images": images, "annotations": objects, "categories": kinds}
    annotated = parse_annotations(said, tmp_path / "a.json")
    task = Detection.of(annotated.objects)
    again = Detection.from_fields(Fields(json.loads(json.dumps(task.settings))))
    assert (task, again.numbers) == (again, (11, 18, 25))
    save_detector(tmp_path / "net.safetensors", task)
    settings = Settings(inputs=["02.png"], model="net.safetensors", coco="found.json")
    files = BoxFiles(settings, load_trained(settings), [Input("02.png")], alone=True)
    files.add([Row("02.png", THINGS, size=(50, 100), pixels=None)])
    files.finish()
    rows = json.loads((tmp_path / "found.json").read_text())
    assert [row["category_id"] for row in rows] == [25, 11]
    found = parse_results(rows, tmp_path / "found.json", annotated)
    assert (found.skipped, found.images.tolist(), found.labels.tolist()) == ((), [1, 1], [2, 0])


@pytest.mark.parametrize("numbers", [[1, 2], "123", [1, 2, "3"], [1, 2, True]])
def test_numbers_that_are_not_one_for_each_class(numbers):
    with pytest.raises(MalformedError, match="a whole number for each class"):
        Detection.from_fields(Fields({"classes": ["a", "b", "c"], "numbers": numbers}))


def test_boxes_in_the_black_around_a_picture_are_left_out():
    """A picture of 32x64 in the middle of 64x64: its rows are 16 to 48 of the input."""
    rows = [(10.0, 20.0, 8.0, 6.0), (10.0, 2.0, 8.0, 10.0), (10.0, 40.0, 8.0, 20.0), (-9.0, 20.0, 5.0, 5.0)]
    things = Things([Thing("a", 0.5, box) for box in rows])
    found = [each.box for each in things.seen_in(InputSpec((64, 64, 3), "pad"), (32, 64)).things]
    assert found == [(10, 4, 8, 6), (10, 24, 8, 8)]


@pytest.mark.parametrize("word", WORDS)
def test_every_task_refuses_data_of_another(run, tmp_path, two_lines, word):
    data = "movie-reviews" if word in ("segment", "detect", "localize", "video") else "digit-motions"
    done = run("train", data, "--task", word, "--dry-run")
    assert done.code != 0
    assert f"--task is {word}" in two_lines(done, done.code)


@pytest.fixture
def picture(tmp_path):
    """A picture, and a detector that finds something in it."""
    save_detector(tmp_path / "net.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "7.png")
    return (tmp_path / "7.png").read_bytes()


def test_a_pipe_gives_a_drawn_picture_and_rows_beside_it(run, picture, tmp_path):
    done = run("predict", "-m", "net.safetensors", "-o", "-", "--json", stdin=picture)
    assert (done.code, done.image.shape) == (0, (480, 480, 3))
    assert json.loads(done.err.splitlines()[0])["input"] == "-"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7.png", "net.safetensors"]


def test_rows_beside_a_picture_have_their_tabs(run, picture):
    rows = run("predict", "7.png", "-m", "net.safetensors").lines
    assert run("predict", "7.png", "-m", "net.safetensors", "-o", "-").err.splitlines()[: len(rows)] == rows
    assert "\t" in rows[0]


def test_results_go_to_a_pipe(run, picture):
    done = run("predict", "7.png", "-m", "net.safetensors", "--coco", "-", "--csv")
    assert (done.code, isinstance(json.loads(done.out), list)) == (0, True)
    assert done.err.startswith("input,")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["7.png", "-o", "-", "--coco", "-"], "both -, standard output"),
        (["7.png", "--yolo", "-"], "--yolo is -"),
        (["7.png", "7.png", "-o", "-"], "-o is standard output for several images"),
    ],
)
def test_what_standard_output_cannot_hold(run, picture, tmp_path, two_lines, words, said):
    assert said in two_lines(run("predict", "-m", "net.safetensors", *words), 2)
    assert not (tmp_path / "-").exists()


def test_labels_of_others_are_not_overwritten(run, picture, tmp_path, two_lines):
    """Nor get they a name that belongs to no picture."""
    words = ["predict", "7.png", "-m", "net.safetensors", "--yolo", "labels"]
    assert run(*words).code == run(*words).code == 0
    (tmp_path / "labels/7.txt").write_text("0 0.5 0.5 1 1\n")
    assert "labels/7.txt is there, and holds other labels" in two_lines(run(*words, "-q"), 1)
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["7.txt"]
    assert (tmp_path / "labels/7.txt").read_text() == "0 0.5 0.5 1 1\n"


def test_results_of_images_of_one_name_are_told_apart(tmp_path, monkeypatch):
    """By their folders; by a number only where no other image has it."""
    monkeypatch.chdir(tmp_path)
    names = ["in/a/1.png", "in/b/1.png", "in/b/01.png", "in/b/2.png"]
    images = [{"id": at, "file_name": name[3:], "width": 100, "height": 50} for at, name in enumerate(names)]
    kinds = [{"id": at, "name": name} for at, name in enumerate(("night", "day", "stripes"))]
    annotated = parse_annotations(
        {"images": images, "annotations": [], "categories": kinds}, tmp_path / "a.json"
    )
    save_detector(tmp_path / "net.safetensors", Detection(("night", "day", "stripes"), numbers=(0, 1, 2)))
    settings = Settings(inputs=names, model="net.safetensors", coco="found.json")
    files = BoxFiles(settings, load_trained(settings), [Input(name) for name in names], alone=False)
    things = [Things([THINGS.things[0]._replace(box=(at, 1, 2, 3))]) for at in range(3)]
    rows = [Row(name, each, size=(50, 100)) for name, each in zip(names, things, strict=False)]
    files.add([*rows, Row(names[3], Things([]), size=(50, 100))])
    files.finish()
    written = json.loads((tmp_path / "found.json").read_text())
    assert [row["file_name"] for row in written] == ["a/1.png", "b/1.png", "01.png"]
    assert [row["image_id"] for row in written] == ["a/1.png", "b/1.png", "01.png"]
    found = parse_results(written, tmp_path / "found.json", annotated)
    assert (found.images.tolist(), found.boxes[:, 0].tolist()) == ([0, 1, 2], [0, 1, 2])


def test_a_name_that_several_images_have_is_not_taken_for_one_of_them(tmp_path):
    """Though its number is the id of one: that of a file's name may be another's."""
    images = [
        {"id": at, "file_name": f"{folder}/1.png", "width": 9, "height": 9} for at, folder in enumerate("ab")
    ]
    said = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    annotated = parse_annotations(said, tmp_path / "a.json")
    row = {"image_id": 1, "file_name": "1.png", "category_id": 1, "bbox": [1, 1, 2, 2], "score": 0.5}
    found = parse_results([row, row | {"file_name": "b/1.png"}], tmp_path / "f.json", annotated)
    assert (found.images.tolist(), len(found.skipped)) == ([1], 1)
    assert "file_name is '1.png', as several images of the annotations are called" in found.skipped[0].reason
