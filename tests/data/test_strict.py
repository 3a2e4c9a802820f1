"""Whatever the form of the data: what cannot be used is named and left out, or refused with --strict."""

import json

import numpy as np
import pytest
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError


def picture(path, level, size=(16, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), level, np.uint8)).save(path)
    return path


def classes(root):
    for number in range(4):
        picture(root / f"{'ab'[number % 2]}/{number}.png", 20 * number)
    (root / "a/broken.png").write_bytes(b"\x89PNG\r\n")
    return root


def table(root):
    rows = [f"{picture(root / f'{number}.png', 20 * number).name},{'ab'[number % 2]}" for number in range(4)]
    (root / "t.csv").write_text("\n".join(["path,label", *rows, "gone.png,a"]))
    return root / "t.csv"


def masks(root):
    for number in range(4):
        picture(root / f"images/{number}.png", 20 * number)
        mask = np.zeros((16, 16), np.uint8)
        mask[: 4 + number] = 1
        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask[: 15 if number == 3 else 16]).save(root / f"masks/{number}.png")
    return root


def drawn(root):
    """COCO's polygons, one of them of two corners."""
    corners = [1, 1, 9, 1, 9, 9]
    rows = [
        {"image_id": number, "category_id": 1, "segmentation": [corners[: 4 if number == 3 else 6]]}
        for number in range(4)
    ]
    images = [{"id": number, "file_name": f"{number}.png", "height": 16, "width": 16} for number in range(4)]
    for number in range(4):
        picture(root / f"{number}.png", 20 * number)
    value = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cat"}]}
    (root / "a.json").write_text(json.dumps(value))
    return root / "a.json"


def clips(root):
    for number in range(5):
        frames = [Image.new("L", (16, 16), 20 * number + 5 * at) for at in range(1 if number == 4 else 3)]
        path = root / "ab"[number % 2] / f"{number}.gif"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames[0].save(path, save_all=True, append_images=frames[1:])
    return root


@pytest.mark.parametrize(
    ("write", "task", "reason"),
    [
        (classes, "classify", "broken.png"),
        (table, None, "gone.png: no such file"),
        (masks, "segment", "has 16x15 pixels; expected 16x16"),
        (drawn, "segment", "annotation 4 (3.png): its polygon is no list of three or more corners"),
        (clips, "video", "it has 1 frame; expected 2 or more"),
    ],
    ids=["classes", "table", "masks", "drawn", "clips"],
)
def test_what_cannot_be_used(tmp_path, write, task, reason):
    source = str(write(tmp_path))
    usual = LoadOptions(whole=True, for_training=False, task=task)
    (left_out,) = load_dataset(source, usual).skipped
    assert reason in left_out.sentence
    with pytest.raises(CnncliError, match="--strict") as caught:
        load_dataset(source, LoadOptions(whole=True, for_training=False, task=task, strict=True))
    assert reason in caught.value.message
