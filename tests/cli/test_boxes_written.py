"""Files of boxes that predict writes: YOLO's shares and COCO's results, from boxes that are known."""

import json

import numpy as np
import pytest

from cnncli.cli.listing import Input
from cnncli.cli.options.predict import Settings
from cnncli.cli.predict_boxes import BoxFiles
from cnncli.cli.row_writers import Row
from cnncli.cli.trained import load_trained
from cnncli.data.prepare import InputSpec
from cnncli.tasks import WORDS
from cnncli.tasks.detection_results import Thing, Things
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
        {"image_id": 12, "category_id": 3, "bbox": [10, 20, 40, 10], "score": 0.75},
        {"image_id": 12, "category_id": 1, "bbox": [0, 0, 100, 50], "score": 0.5},
    ]
    assert (tmp_path / "drawn.png").is_file()


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
