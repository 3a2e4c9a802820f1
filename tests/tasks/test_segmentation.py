"""Segmentation: targets that move with pixels, scores against scikit-learn and plain loops, runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from cnncli.cli.run import run
from cnncli.data import load
from cnncli.data.assemble import DatasetDescription, from_arrays
from cnncli.data.augment import Augment
from cnncli.data.loader import Batch, Loader
from cnncli.data.pixel_labels import UNLABELLED, PixelLabels
from cnncli.errors import CnncliError
from cnncli.models.choice import architecture
from cnncli.tasks.segmentation import Segmentation
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin

CLASSES = ("ground", "square", "ring")
COUNT, SIDE = 160, 16


def shapes(load_options):
    """Bright squares and dark frames on gray."""
    random = np.random.default_rng(8)
    images = random.integers(110, 140, (COUNT, SIDE, SIDE, 1)).astype(np.uint8)
    maps = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    for image, pixels, kind in zip(images, maps, random.integers(1, 3, COUNT), strict=True):
        top, left = random.integers(0, 9, 2)
        pixels[top : top + 7, left : left + 7] = kind
        if kind == 2:
            pixels[top + 2 : top + 5, left + 2 : left + 5] = 0
        image[pixels == 1] = 220
        image[pixels == 2] = 30
    maps[:, 0, 0] = UNLABELLED
    found = DatasetDescription(name="shapes", provenance="made up", known="shapes")
    return from_arrays(found, {"train": (images, PixelLabels(maps, CLASSES))}, load_options)


@pytest.fixture
def known(monkeypatch, tmp_path):
    monkeypatch.setitem(load.NAMED, "shapes", shapes)
    monkeypatch.chdir(tmp_path)


def batch(maps, moves=None):
    x = np.zeros((*maps.shape, 1), np.float32)
    return Batch(x, PixelLabels(maps, CLASSES), np.arange(len(maps)), moves=moves)


def test_labels_move_with_the_pixels(known):
    """However an image is moved, the labels are where the brightness is."""
    augment = Augment(flip=0.5, vflip=0.5, shift=3, border="edge")
    mirrored = set()
    for part in Loader(load.load_dataset("shapes").train, 32, augment=augment, shuffle=True).epoch(0):
        labels = Segmentation(CLASSES).encode(part)
        value = part.x[..., 0]
        assert (labels[value > 0.7] == 1).mean() > 0.9  # edges are repeated beyond the image, without a label
        assert np.isin(labels[value > 0.7], [1, -1]).all()
        assert np.isin(labels[value < 0.3], [2, -1]).all()
        assert np.isin(labels[(value > 0.4) & (value < 0.6)], [0, -1]).all()
        mirrored |= {tuple(np.sign(move[:, :2]).ravel()) for move in part.moves}
    assert len(mirrored) == 4


def test_what_lies_beyond_the_image_has_no_label():
    maps = np.arange(12, dtype=np.uint8).reshape(1, 3, 4) % 3
    moves = np.array([[[1, 0, 1], [0, 1, -1]]], np.float32)  # looks one to the right and one up
    moved = PixelLabels(maps, CLASSES).moved(moves)[0]
    expected = np.full((3, 4), -1)
    for y in range(3):
        for x in range(4):
            if y - 1 >= 0 and x + 1 < 4:
                expected[y, x] = maps[0, y - 1, x + 1]
    np.testing.assert_array_equal(moved, expected)


def test_labels_of_a_batch_are_moved_once():
    task = Segmentation(CLASSES)
    part = batch(np.zeros((1, 3, 4), np.uint8), np.array([[[1, 0, 1], [0, 1, 0]]], np.float32))
    assert task.encode(part) is task.encode(part)


def judged(seed=0, count=7):
    random = np.random.default_rng(seed)
    maps = random.integers(0, 2, (count, 5, 6)).astype(np.uint8)  # no ring is there …
    maps[random.uniform(size=maps.shape) < 0.2] = UNLABELLED
    outputs = random.standard_normal((count, 5, 6, 3)).astype(np.float32)
    outputs[..., 2] -= 100  # … nor found
    task = Segmentation(CLASSES)
    outputs = {"main": outputs}
    return task, task.kept(outputs, batch(maps)), maps, outputs


def test_scores_against_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    task, kept, maps, outputs = judged()
    found = task.evaluation(np.arange(len(maps)), PixelLabels(maps, CLASSES), kept)
    counted = maps != UNLABELLED
    true, seen = maps[counted], outputs["main"].argmax(-1)[counted]
    overlaps = metrics.jaccard_score(true, seen, average=None, labels=[0, 1])
    assert found.left_out == ["ring"]
    assert found.result()["iou"] == pytest.approx(overlaps.mean())
    assert found.result()["pixel_accuracy"] == pytest.approx(metrics.accuracy_score(true, seen))
    scores = found.scores()
    assert [each["iou"] for each in scores["classes"][:2]] == overlaps.round(6).tolist()
    assert scores["classes"][1]["recall"] == round(metrics.recall_score(true, seen, pos_label=1), 6)
    assert scores["classes"][1]["precision"] == round(metrics.precision_score(true, seen, pos_label=1), 6)
    assert scores["classes"][2]["label"] == "ring"
    assert {each for name, each in scores["classes"][2].items() if name != "label"} == {None, 0}
    assert "left out, neither there nor found: ring" in found.report(80)


def test_a_union_is_over_the_whole_set():
    """Batches add up to the same number as all images at once, which the mean over images is not."""
    task, kept, maps, outputs = judged(count=8)
    whole = task.metrics(task.tally(outputs, batch(maps)), 8)
    parts = [task.tally({"main": outputs["main"][at : at + 3]}, batch(maps[at : at + 3])) for at in (0, 3, 6)]
    added = {name: sum(part[name] for part in parts) for name in parts[0]}
    evaluation = task.evaluation(np.arange(8), PixelLabels(maps, CLASSES), kept)
    assert task.metrics(added, 8) == whole
    assert whole["iou"] == pytest.approx(evaluation.result()["iou"])
    assert whole["pixel_accuracy"] == pytest.approx(evaluation.result()["pixel_accuracy"])


def test_losses_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    task, _, maps, outputs = judged()
    labels = torch.tensor(np.where(maps == UNLABELLED, -1, maps.astype(np.int64)))
    scores = torch.tensor(outputs["main"].astype(np.float64)).permute(0, 3, 1, 2)
    each = torch.nn.functional.cross_entropy(scores, labels, ignore_index=-1, reduction="none").sum((1, 2))
    np.testing.assert_allclose(task.losses(outputs, batch(maps)), each / (labels >= 0).sum((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("model", ["unet:width=0.25,scales", "unet:width=0.05"])
def test_rare_classes_count_more_and_seem_no_likelier(known, model):
    """The loss adds what the first outputs lack, so that all classes begin alike in it."""
    session = begin(TrainOptions(dataset="shapes", task="segment", model=model), dry=True)
    inputs = session.trainer.inputs
    counts = session.dataset.train.targets.counts
    rare = counts**-0.25
    weights = rare * counts.sum() / (rare * counts).sum()  # a mean of 1 over the pixels
    np.testing.assert_allclose(inputs.task.weights, weights, rtol=1e-5)
    (loss,) = (term.loss for term in inputs.task.objective(("main",)))
    np.testing.assert_allclose(loss.shift(3), np.log(weights), atol=1e-5)
    bias = inputs.network.array(f"{inputs.network.graph.head()}.bias")
    np.testing.assert_allclose(bias, -np.log(weights), atol=1e-5)


def test_class_weights_are_meant_as_they_are(known):
    """Who asks for them wants rare classes to be seen more often."""
    session = begin(TrainOptions(dataset="shapes", task="segment", class_weights=True), dry=True)
    (loss,) = (term.loss for term in session.trainer.inputs.task.objective(("main",)))
    assert loss.entropy.class_weights is not None
    assert not loss.shift(3).any()


def test_the_default_recipe_on_scenes():
    """What the README's figures were measured with: so many scenes in an epoch, and 11 classes."""
    options = TrainOptions(dataset="digit-scenes", task="segment").settled(1793, of="pixels")
    assert (options.epochs, options.batch_size, options.lr, options.opt) == (22, 8, 0.01, "muon")
    assert options.sched == "linear:warmup=1"
    assert architecture("auto", (128, 128, 3), 11, of="pixels").name == "segmenter:width=1.5"


def test_numbers_of_another_data_set_become_the_network_s():
    other = PixelLabels(np.array([[[0, 1, UNLABELLED]]], np.uint8), ("ring", "ground"))
    known = Segmentation(CLASSES).as_known(other, "d")
    assert known.maps.tolist() == [[[2, 0, UNLABELLED]]]
    with pytest.raises(CnncliError, match="masks of coin; expected classes of the network"):
        Segmentation(CLASSES).as_known(PixelLabels(other.maps, ("ring", "coin")), "d")


def test_masks_of_one_class_teach_nothing():
    with pytest.raises(CnncliError, match="masks of one class only, ground"):
        PixelLabels(np.zeros((4, 2, 2), np.uint8), CLASSES).check_learnable("d", [])


def test_classes_weigh_by_the_fourth_root_of_how_rare_they_are():
    """Of 81 pixels and 1 the latter weighs three times as much; the mean over the pixels is 1."""
    maps = np.repeat(np.array([0, 1, UNLABELLED], np.uint8), [81, 1, 18]).reshape(1, 10, 10)
    targets = PixelLabels(maps, CLASSES)
    options = {"augment": "none", "smoothing": 0.0, "class_weights": False}
    weights = np.array(Segmentation(CLASSES).trained_with(options, targets).weights)
    assert weights[1] / weights[0] == pytest.approx(3)
    assert (81 * weights[0] + weights[1]) / 82 == pytest.approx(1)
    assert weights[2] == 0
    full = np.array(Segmentation(CLASSES).trained_with({**options, "class_weights": True}, targets).weights)
    assert full.tolist() == pytest.approx([82 / (2 * 81), 82 / 2, 0])


def train(*words):
    return run(["train", "shapes", "--threads", "1", "-q", "-b", "16", *words])


def test_a_run_learns_resumes_and_is_evaluated(known, capfd):
    plan = ["-m", "unet:width=0.125", "--augment", "flip", "--sched", "constant", "--lr", "0.01"]
    assert train("-o", "whole", "--epochs", "6", *plan) == 0
    assert train("-o", "parts", "--epochs", "4", *plan) == 0
    assert run(["train", "--resume", "parts", "--epochs", "6", "--threads", "1", "-q"]) == 0
    whole, parts = (load_checkpoint(Path(name, "last.safetensors")) for name in ("whole", "parts"))
    for name, array in whole.arrays.items():
        assert np.array_equal(array, parts.arrays[name]), name
    capfd.readouterr()
    assert run(["evaluate", "shapes", "-m", "whole", "--json", "-q"]) == 0
    scores = json.loads(capfd.readouterr().out)
    assert scores["iou"] > 0.9
    assert [each["label"] for each in scores["classes"]] == list(CLASSES)
    assert run(["evaluate", "shapes", "-m", "whole", "--attributions", "all"]) == 2
    assert "a network that is one for segmentation; expected one" in capfd.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "lenet5"], "lenet5 is for images, but the data are masks"),
        (["-m", "conv8 relu fc"], "conv8 relu fc is for images, but the data are masks"),
        (["--augment", "mixup"], "images with masks cannot be blended"),
        (["--task", "classify"], "--task is classify, but shapes is to segment"),
        (["--task", "paint"], "--task is 'paint'; expected classify, segment"),
    ],
)
def test_what_does_not_fit_masks_is_refused(known, capfd, words, message):
    assert train("--epochs", "1", "-o", "run", *words) == 2 or not Path("run").exists()
    assert message in capfd.readouterr().err.replace("\n", " ")


def test_masks_need_data_that_have_them(known, capfd):
    assert run(["train", "mnist", "--offline", "--task", "segment", "--epochs", "1", "-o", "run", "-q"])
    assert "--task is segment, but mnist is to classify" in capfd.readouterr().err
    assert run(["train", "mnist", "--offline", "-m", "unet", "--epochs", "1", "-o", "run", "-q"])
    assert "unet is for masks, but the data are images" in capfd.readouterr().err
