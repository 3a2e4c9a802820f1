"""The scenes and clips that ship: what boxes, masks and class folders say of them agrees."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.load import load_dataset

SAMPLES = Path(__file__).parents[2] / "samples"
SCENES = SAMPLES / "scenes"


def test_boxes_are_around_the_pixels_of_their_digits():
    said = json.loads((SCENES / "boxes.json").read_text())
    names = (SCENES / "class_names.txt").read_text().split()
    assert (names[0], names[1:]) == ("background", [each["name"] for each in said["categories"]])
    for image in said["images"]:
        pixels = np.asarray(Image.open(SCENES / "masks" / f"{Path(image['file_name']).stem}.png"))
        boxes = [each for each in said["annotations"] if each["image_id"] == image["id"]]
        assert {each["category_id"] for each in boxes} == set(np.unique(pixels)) - {0}
        for number in {each["category_id"] for each in boxes}:
            rows, columns = np.nonzero(pixels == number)
            low = np.min([each["bbox"][:2] for each in boxes if each["category_id"] == number], axis=0)
            high = np.max(
                [
                    np.add(each["bbox"][:2], each["bbox"][2:])
                    for each in boxes
                    if each["category_id"] == number
                ],
                axis=0,
            )
            assert (low.tolist(), high.tolist()) == (
                [columns.min(), rows.min()],
                [columns.max() + 1, rows.max() + 1],
            )


@pytest.mark.parametrize(
    ("source", "task", "count"),
    [
        ("scenes", None, 20),
        ("scenes/boxes.json", None, 20),
        ("scenes/boxes.json", "localize", 20),
        ("motions", None, 16),
    ],
)
def test_all_of_them_are_read_at_their_own_size(source, task, count):
    dataset = load_dataset(str(SAMPLES / source), LoadOptions(task=task))
    assert sum(map(len, (dataset.train, dataset.val, dataset.test))) == count
    assert dataset.skipped == ()
    assert dataset.shape == ((32, 32, 1) if source == "motions" else (128, 128, 3))
