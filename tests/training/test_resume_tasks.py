"""Runs of every task, killed with SIGKILL after an epoch or in one, end with the bits of one not stopped."""

import json
import signal

import numpy as np
import pytest
from PIL import Image
from test_resume import content, process, stopped
from training_helpers import Watcher, never

from cnncli.training.options import TrainOptions
from cnncli.training.session import begin

EPOCHS = 12


def scenes(root):
    """Pictures of 32x32 with a light square, COCO's annotations with boxes and polygons, and masks."""
    random = np.random.default_rng(2)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    images, rows = [], []
    for number in range(30):
        pixels = random.integers(0, 90, (32, 32, 3)).astype(np.uint8)
        x, y = random.integers(0, 18, 2).tolist()
        side = int(random.integers(8, 14))
        pixels[y : y + side, x : x + side, number % 2] += 150
        mask = np.zeros((32, 32), np.uint8)
        mask[y : y + side, x : x + side] = 1 + number % 2
        Image.fromarray(pixels).save(root / f"images/{number}.png")
        Image.fromarray(mask).save(root / f"masks/{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": 32, "width": 32})
        rows.append({"image_id": number, "category_id": number % 2, "bbox": [x, y, side, side]})
    classes = [{"id": 0, "name": "red"}, {"id": 1, "name": "green"}]
    value = {"images": images, "annotations": rows, "categories": classes}
    (root / "boxes.json").write_text(json.dumps(value))
    return root


def clips(root):
    random = np.random.default_rng(4)
    for number in range(20):
        frames = random.integers(0, 90, (7, 16, 16)).astype(np.uint8)
        for at, frame in enumerate(frames):
            place = at if number % 2 else 6 - at
            frame[6:10, 2 * place : 2 * place + 4] += 150
        path = root / "ab"[number % 2] / f"{number}.gif"
        path.parent.mkdir(parents=True, exist_ok=True)
        first, *others = map(Image.fromarray, frames)
        first.save(path, save_all=True, append_images=others)
    return root


DATA = {
    "detect": (lambda root: scenes(root) / "boxes.json", "detector:width=0.25,neck=8"),
    "localize": (lambda root: scenes(root) / "boxes.json", "localizer:width=0.25"),
    "segment": (scenes, "unet:width=0.0625"),
    "video": (clips, "clipcnn:backbone=lenet5"),
}


@pytest.mark.parametrize("task", DATA)
def test_a_killed_run_ends_with_the_same_bits(tmp_path, again, task):
    write, model = DATA[task]
    data = str(write(tmp_path / "data"))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    options = TrainOptions(dataset=data, task=task, model=model, epochs=EPOCHS, batch_size=8)
    run = begin(options, output=str(whole))
    assert run.trainer.run(Watcher(), never)
    run.folder.unlock()

    words = (data, "--task", task, "-m", model, "--epochs", EPOCHS, "-b", 8, "-o", parts)
    code, said = stopped(process(*words), parts, signal.SIGKILL, 0.1)
    assert code == -signal.SIGKILL, said
    run = again(parts)
    rest = Watcher()
    assert run.trainer.run(rest, never)
    assert rest.steps, "the run ended before it was killed"
    run.folder.unlock()
    for name in ("best.safetensors", "last.safetensors", "state.safetensors", "metrics.jsonl"):
        assert content(parts / name) == content(whole / name), name
