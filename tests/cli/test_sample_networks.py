"""Networks that ship: their sizes, and what they find in the scenes and clips that ship."""

import pytest

from cnncli.data.shipped import MODELS, sample_path

SCENES, MOTIONS = sample_path("scenes"), sample_path("motions")
IMAGENET = "imagenet"  # the largest by far
_MOST_BYTES = 2_000_000


@pytest.mark.parametrize("name", set(MODELS) - {IMAGENET})
def test_they_are_small_and_say_where_they_come_from(run, name):
    assert sample_path(MODELS[name]).stat().st_size < _MOST_BYTES
    head = "\n".join(run("models", name).lines[:4])
    assert "that ship" in head
    credits = sample_path("README.md").read_text(encoding="utf-8")
    assert MODELS[name].partition("/")[0] in credits


def test_boxes_of_scenes(run):
    """Their images are of the test split, so none was learned from."""
    (found,) = run("evaluate", SCENES / "boxes.json", "-m", "digit-scenes:detect", "--json").results
    assert (found["images"], found["objects"], found["trained_on"]) == (20, 45, 0)
    assert found["boxes"]["ap50"] > 0.93
    assert found["boxes"]["ap"] > 0.78


def test_motions_of_digits(run):
    (found,) = run("evaluate", MOTIONS, "-m", "digit-motions", "--json").results
    assert (found["images"], found["trained_on"]) == (16, 0)
    assert found["accuracy"] > 14 / 16
