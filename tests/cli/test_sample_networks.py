"""Networks that ship: their sizes, and what they find in the scenes and clips that ship."""

import json

import numpy as np
import pytest

from cnncli.data.assemble import LoadOptions
from cnncli.data.identity import digests_of
from cnncli.data.load import load_dataset
from cnncli.data.shipped import MODELS, sample_path
from cnncli.training.checkpoint import load_checkpoint

SCENES, MOTIONS = sample_path("scenes"), sample_path("motions")
IMAGENET = "imagenet"  # the largest by far
_MOST_BYTES = 2_000_000


@pytest.mark.parametrize("name", sorted(set(MODELS) - {IMAGENET}))
def test_they_are_small_and_say_where_they_come_from(run, name):
    assert sample_path(MODELS[name]).stat().st_size < _MOST_BYTES
    head = "\n".join(run("models", name).lines[:4])
    assert "that ship" in head
    credits = sample_path("README.md").read_text(encoding="utf-8")
    assert MODELS[name].partition("/")[0] in credits


def test_masks_of_scenes(run):
    (found,) = run("evaluate", SCENES, "-m", "digit-scenes:segment", "--json").results
    assert (found["images"], found["trained_on"]) == (20, 0)
    assert found["iou"] > 0.84


def test_boxes_of_scenes(run):
    """Their images are of the test split, so none was learned from."""
    (found,) = run("evaluate", SCENES / "boxes.json", "-m", "digit-scenes:detect", "--json").results
    assert (found["images"], found["objects"], found["trained_on"]) == (20, 45, 0)
    assert found["boxes"]["ap50"] > 0.93
    assert found["boxes"]["ap"] > 0.78


@pytest.mark.parametrize(("number", "digit"), [(1, "1"), (9, "9"), (11, "2"), (17, "2")])
def test_one_box_of_the_only_digit(run, number, digit):
    """In scenes that have one; its box is that of the annotations."""
    said = json.loads((SCENES / "boxes.json").read_text())
    (true,) = [each["bbox"] for each in said["annotations"] if each["image_id"] == number]
    image = SCENES / f"images/{number:02}.jpg"
    (found,) = run("predict", image, "-m", "digit-scenes:localize", "--json").results
    (thing,) = found["objects"]
    assert thing["label"] == digit
    (x, y, w, h), (left, top, wide, high) = true, thing["box"]
    across, down = min(x + w, left + wide) - max(x, left), min(y + h, top + high) - max(y, top)
    common = max(0, across) * max(0, down)
    assert common > 0.6 * (w * h + wide * high - common)


@pytest.mark.parametrize("task", ["detect", "segment", "localize"])
def test_scenes_are_those_that_were_learned(task):
    """A pixel that is painted otherwise is another image to a checkpoint, which evaluates its test split."""
    scenes = load_dataset("digit-scenes", LoadOptions(task=task))
    seen = load_checkpoint(sample_path(MODELS[f"digit-scenes:{task}"])).seen
    assert np.array_equal(np.unique(digests_of(scenes.test)), seen.test)


def test_motions_of_digits(run):
    (found,) = run("evaluate", MOTIONS, "-m", "digit-motions", "--json").results
    assert (found["images"], found["trained_on"]) == (16, 0)
    assert found["accuracy"] > 14 / 16
