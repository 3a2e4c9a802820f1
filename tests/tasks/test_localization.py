"""Localization: boxes there and back, scores against plain loops, targets from objects, and a run."""

import json

import numpy as np
import pytest

from cnncli.cli.run import run
from cnncli.data import load
from cnncli.data.assemble import DatasetDescription, from_arrays
from cnncli.data.loader import Batch
from cnncli.data.objects import Found, OneObject
from cnncli.data.prepare import InputSpec
from cnncli.tasks.localization import Localization, overlaps_of

CLASSES = ("square", "ring")
HIGH, WIDE, COUNT = 32, 48, 64


def objects_of(rows, images):
    read = Found()
    for image, box, label, *crowd in rows:
        read.add(image, tuple(map(float, box)), label, crowd=bool(crowd))
    return read.objects(images, CLASSES)


def at_random(images=9, seed=1):
    random = np.random.default_rng(seed)
    rows = []
    for image in range(images):
        (x, y), (w, h) = random.uniform(0, (30, 20)), random.uniform(4, (18, 12))
        rows.append((image, (x, y, w, h), int(random.integers(2))))
    return rows, OneObject.largest(objects_of(rows, images))


def batch_of(objects, moves=None):
    x = np.zeros((len(objects), HIGH, WIDE, 1), np.float32)
    return Batch(x, objects, np.arange(len(objects)), moves=moves)


def test_boxes_come_back_from_their_targets():
    rows, objects = at_random()
    task = Localization(CLASSES)
    targets = task.encode(batch_of(objects))
    outputs = {"main": 9 * np.eye(2, dtype=np.float32)[targets["main"]], "box": targets["box"][:, :4]}
    spec = InputSpec((HIGH, WIDE, 1), "pad")
    for (_, box, label), decoded in zip(rows, task.decode(outputs, top=3), strict=True):
        (thing,) = decoded.seen_in(spec, (2 * HIGH, 2 * WIDE)).things
        assert thing.label == CLASSES[label]
        np.testing.assert_allclose(thing.box, 2 * np.array(box), atol=1e-3)
    assert task.metrics(task.tally(outputs, batch_of(objects)), 9) == pytest.approx(
        {"iou": 1, "accuracy": 1, "iou_above_half": 1}, abs=1e-5
    )


def test_boxes_move_with_the_image():
    """Mirrored left and right, a thing is as far from the other edge."""
    objects = OneObject.largest(objects_of([(0, (4, 6, 10, 8), 1)], 1))
    mirrored = np.array([[[-1, 0, WIDE - 1], [0, 1, 0]]], np.float32)
    sides = Localization(CLASSES).encode(batch_of(objects, mirrored))["box"][0]
    np.testing.assert_allclose(sides[:4], [-10 / 24, 10 / 16, 20 / 24, -2 / 16], atol=1e-6)


def test_overlaps_and_scores_against_plain_loops():
    rows, objects = at_random(seed=3)
    random, task = np.random.default_rng(4), Localization(CLASSES)
    outputs = {
        "main": random.standard_normal((9, 2)).astype(np.float32),
        "box": task.encode(batch_of(objects))["box"][:, :4]
        + random.normal(0, 0.1, (9, 4)).astype(np.float32),
    }
    overlaps = []
    for (_, (x, y, w, h), _), (left, top, right, bottom) in zip(
        rows, outputs["box"].astype(float), strict=True
    ):
        a0, b0, a1, b1 = 24 - 24 * left, 16 - 16 * top, 24 + 24 * right, 16 + 16 * bottom
        a0, b0, a1, b1 = max(0, a0), max(0, b0), min(WIDE, a1), min(HIGH, b1)
        common = max(0, min(a1, x + w) - max(a0, x)) * max(0, min(b1, y + h) - max(b0, y))
        overlaps.append(common / ((a1 - a0) * (b1 - b0) + w * h - common))
    right = [outputs["main"][at].argmax() == label for at, _, label in rows]
    found = task.evaluation(np.arange(9), objects, task.kept(outputs, batch_of(objects)))
    assert found.result()["iou"] == pytest.approx(np.mean(overlaps), rel=1e-5)
    assert found.result()["accuracy"] == np.mean(right)
    assert found.result()["iou_above_half"] == np.mean(np.array(overlaps) > 0.5)
    assert found.scores()["right_and_above_half"] == pytest.approx(
        np.mean((np.array(overlaps) > 0.5) & right), abs=1e-6
    )
    assert overlaps_of(np.array([[0, 0, 1, 1]], np.float32), np.array([[2, 2, 3, 3]], np.float32)) == [0]


def test_of_several_objects_the_largest_counts():
    rows = [(0, (0, 0, 5, 5), 0), (0, (9, 9, 9, 9), 1), (1, (0, 0, 9, 9), 1, True), (2, (1, 1, 3, 3), 0)]
    one = OneObject.largest(objects_of(rows, 4))
    assert one.known.tolist() == [True, False, True, False]
    assert one.labels.tolist() == [1, 0]
    assert one.task == "localization"


def shapes(load_options):
    """A bright square or ring on dark ground."""
    random = np.random.default_rng(7)
    images = random.integers(0, 40, (COUNT, HIGH, WIDE, 1)).astype(np.uint8)
    rows = []
    for at, image in enumerate(images):
        x, y, side, kind = (int(random.integers(*ends)) for ends in ((1, 30), (1, 15), (10, 16), (0, 2)))
        image[y : y + side, x : x + side] = 230
        if kind:
            image[y + 3 : y + side - 3, x + 3 : x + side - 3] = 20
        rows.append((at, (x, y, side, side), kind))
    found = DatasetDescription(name="shapes", provenance="made up", known="shapes")
    return from_arrays(found, {"train": (images, OneObject.largest(objects_of(rows, COUNT)))}, load_options)


def test_it_learns_and_is_evaluated(monkeypatch, tmp_path, capfd):
    monkeypatch.setitem(load.NAMED, "shapes", shapes)
    monkeypatch.chdir(tmp_path)
    words = [
        "-m",
        "localizer:width=0.25",
        "-b",
        "8",
        "--threads",
        "1",
        "-q",
        "--augment",
        "flip",
        "--lr",
        "0.004",
    ]
    assert run(["train", "shapes", "--task", "localize", "-o", "run", "--epochs", "5", *words]) == 0
    capfd.readouterr()
    assert run(["evaluate", "shapes", "-m", "run", "--json", "-q"]) == 0
    scores = json.loads(capfd.readouterr().out)
    assert scores["iou"] > 0.2  # of what is to be learned, a little
    assert {each["label"] for each in scores["classes"]} == set(CLASSES)
