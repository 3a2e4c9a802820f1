"""Detection: which points find what, boxes out of maps, losses, precision, runs; against plain loops."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.run import run
from cnncli.data import load
from cnncli.data.assemble import DatasetDescription, from_arrays
from cnncli.data.augment import Augment
from cnncli.data.loader import Batch, Loader
from cnncli.data.objects import Found as Read
from cnncli.data.prepare import InputSpec, as_input, moved_in, moved_out
from cnncli.images.picture import Picture
from cnncli.models.choice import build
from cnncli.nn import SGD, Network, TrainingStep
from cnncli.tasks.detected import found_in
from cnncli.tasks.detection import Detection, detections_of
from cnncli.tasks.detection_results import things_in_tiles
from cnncli.tasks.detection_scores import detection_scores
from cnncli.tasks.detection_targets import UNIT, corners_of, placed, targets_of
from cnncli.tasks.detection_tiles import tiles_of
from cnncli.training.checkpoint import load_checkpoint

SIDE = 64
CLASSES = ("bright", "dark", "frame")
MAPS = {8: (8, 8), 16: (4, 4)}
COUNT = 48


def objects_of(rows, images, classes=CLASSES):
    """Objects of (image, box, label[, crowd])."""
    read = Read()
    for image, box, label, *crowd in rows:
        read.add(image, tuple(map(float, box)), label, crowd=bool(crowd))
    return read.objects(images, classes)


def scattered(seed, images=6):
    """Boxes that hardly overlap, of any shape."""
    random = np.random.default_rng(seed)
    rows = []
    for image in range(images):
        taken = np.zeros((SIDE, SIDE), bool)
        for _ in range(random.integers(1, 5)):
            w, h = random.uniform(3, 60, 2)
            x, y = random.uniform(0, SIDE - w), random.uniform(0, SIDE - h)
            here = np.s_[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1]
            if not taken[here].any():
                taken[here] = True
                rows.append((image, (x, y, w, h), int(random.integers(3))))
    return rows


def batch_of(objects, moves=None):
    return Batch(
        np.zeros((len(objects), SIDE, SIDE, 1), np.float32), objects, np.arange(len(objects)), moves=moves
    )


def certain(targets):
    """Outputs of a network that says just what its targets are."""
    outputs = {}
    for stride, (classes, boxes) in targets.items():
        outputs[f"classes{stride}"] = np.where(classes[..., :-1] > 0, 3, -6).astype(np.float32)
        outputs[f"boxes{stride}"] = boxes[..., :4]
    return outputs


@pytest.mark.parametrize("seed", range(8))
def test_boxes_come_back_from_their_targets(seed):
    rows = scattered(seed)
    objects = objects_of(rows, 6)
    found = found_in(certain(targets_of(batch_of(objects), objects, MAPS)))
    seen = sorted(
        (int(i), int(k), *box.round(2).tolist())
        for i, k, box in zip(found.images, found.labels, found.boxes, strict=True)
    )
    wanted = sorted((i, k, *np.round([x, y, x + w, y + h], 2)) for i, (x, y, w, h), k in rows)
    np.testing.assert_allclose(seen, wanted, atol=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_points_are_given_out_as_a_plain_loop_does(seed):
    """A point finds the smallest thing of its scale whose middle is within 1.5 strides, on both axes."""
    random = np.random.default_rng(100 + seed)
    rows = [
        (
            int(random.integers(3)),
            (*random.uniform(0, 40, 2), *random.uniform(2, 24, 2)),
            int(random.integers(3)),
        )
        for _ in range(14)
    ]
    objects = objects_of(rows, 3)
    for stride, (classes, boxes) in targets_of(batch_of(objects), objects, MAPS).items():
        for image, i, j in np.ndindex(classes.shape[:3]):
            px, py, best = (j + 0.5) * stride, (i + 0.5) * stride, None
            for of, (x, y, w, h), label in rows:
                own = 8 if max(w, h) <= 48 else 16
                fits = True
                for p, low, side, at, count in ((px, x, w, j, SIDE // stride), (py, y, h, i, SIDE // stride)):
                    middle = low + side / 2
                    nearest = min(count - 1, int(middle // stride)) == at
                    fits &= nearest or (low <= p <= low + side and abs(p - middle) < 1.5 * stride)
                if of == image and own == stride and fits and (best is None or w * h < best[0]):
                    best = w * h, label, np.array([px - x, py - y, x + w - px, y + h - py]) / (UNIT * stride)
            assert classes[image, i, j, -1] == 1
            assert boxes[image, i, j, 4] == (best is not None)
            assert classes[image, i, j, :-1].sum() == (best is not None)
            if best:
                assert classes[image, i, j, best[1]] == 1
                np.testing.assert_allclose(boxes[image, i, j, :4], best[2], atol=1e-5)


def test_nothing_is_learned_where_nothing_is_known():
    """Of crowds, of what is cut off, and of what lies beyond the image."""
    objects = objects_of([(0, (16, 16, 16, 16), 0, True), (0, (40, 40, 16, 16), 1)], 1)
    moved = np.array([[[1, 0, -8], [0, 1, 0]]], np.float32)  # what was at x is at x + 8
    for moves, left in ((None, 0), (moved, 8)):
        batch = batch_of(objects, moves)
        weights = targets_of(batch, placed(batch, objects), MAPS)[8][0][0, ..., -1]
        expected = np.ones((8, 8))
        expected[2:4, (16 + left) // 8 : (32 + left) // 8] = 0
        expected[:, : left // 8] = 0
        np.testing.assert_array_equal(weights, expected)
    far = np.array([[[1, 0, -20], [0, 1, 0]]], np.float32)  # 4 of 16 columns are left of the second
    assert placed(batch_of(objects, far), objects).crowd.tolist() == [True, True]


def bright_boxes(load_options):
    """Bright and dark squares, and frames, on gray."""
    random = np.random.default_rng(5)
    images = random.integers(110, 140, (COUNT, SIDE, SIDE, 1)).astype(np.uint8)
    rows = []
    for at, image in enumerate(images):
        (y, x), side, kind = random.integers(4, 36, 2), int(random.integers(14, 26)), int(random.integers(3))
        image[y : y + side, x : x + side] = (230, 20, 230)[kind]
        if kind == 2:
            image[y + 4 : y + side - 4, x + 4 : x + side - 4] = 125
        rows.append((at, (x, y, side, side), kind))
    found = DatasetDescription(name="squares", provenance="made up", known="squares")
    return from_arrays(found, {"train": (images, objects_of(rows, COUNT))}, load_options)


@pytest.fixture
def known(monkeypatch, tmp_path):
    monkeypatch.setitem(load.NAMED, "squares", bright_boxes)
    monkeypatch.chdir(tmp_path)


def test_boxes_move_with_the_pixels(known):
    """However an image is mirrored, shifted and zoomed, the box is where the pixels are."""
    augment = Augment(flip=0.5, vflip=0.5, shift=6, scale=0.2, border="black")
    mirrored = set()
    for part in Loader(load.load_dataset("squares").train, 16, augment=augment, shuffle=True).epoch(0):
        objects = placed(part, part.targets)
        for at, (box, cut) in enumerate(zip(corners_of(objects.boxes), objects.crowd, strict=True)):
            rows, columns = np.nonzero(part.x[at, ..., 0] > 0.72)
            if not cut and objects.labels[at] != 1 and min(box[:2]) > 1 and max(box[2:]) < SIDE - 1:
                edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                np.testing.assert_allclose(box, edges, atol=1.3)  # edges are interpolated
        mirrored |= {tuple(np.sign(move[:, :2]).ravel()) for move in part.moves}
    assert len(mirrored) == 4


def outputs_at_random(images, seed=3):
    random = np.random.default_rng(seed)
    return {
        f"{what}{stride}": random.normal(-1 if channels == 3 else 0.4, 1, (images, *size, channels)).astype(
            np.float32
        )
        for stride, size in MAPS.items()
        for what, channels in (("classes", 3), ("boxes", 4))
    }


def test_losses_of_images_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    objects = objects_of(scattered(1), 6)
    batch, outputs = batch_of(objects), outputs_at_random(6)
    targets = targets_of(batch, objects, MAPS)
    expected = []
    for image in range(6):
        focal, overlap, points = 0.0, 0.0, 0
        for stride, (classes, boxes) in targets.items():
            z, y = (
                torch.tensor(each[image].astype(np.float64))
                for each in (outputs[f"classes{stride}"], classes[..., :-1])
            )
            entropy = torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="none")
            focal += (
                (entropy * torch.where(y > 0, 0.5 * (1 - z.sigmoid()) ** 2, 0.5 * z.sigmoid() ** 2))
                .sum()
                .item()
            )
            for i, j in np.argwhere(boxes[image, ..., 4]):
                overlap += 1 - giou(outputs[f"boxes{stride}"][image, i, j], boxes[image, i, j])
                points += 1
        expected.append((focal + overlap) / max(1, points))
    np.testing.assert_allclose(Detection(CLASSES).losses(outputs, batch), expected, rtol=1e-6)


def giou(sides, true):
    """Of two boxes around a point, by their corners."""
    (a0, b0, a1, b1), (c0, d0, c1, d1) = (
        (-s[0], -s[1], s[2], s[3]) for s in (sides.astype(float), true.astype(float))
    )
    size = max(0.0, a1 - a0) * max(0.0, b1 - b0)
    common = max(0.0, min(a1, c1) - max(a0, c0)) * max(0.0, min(b1, d1) - max(b0, d0))
    union = size + (c1 - c0) * (d1 - d0) - common
    around = (max(a1, c1) - min(a0, c0)) * (max(b1, d1) - min(b0, d0))
    return common / union - (around - union) / around


def test_scales_share_one_mean():
    """The loss of a step is the sum over all points, divided by those of all scales that find something."""
    task, objects = Detection(CLASSES), objects_of(scattered(2), 6)
    network = Network(build("detector:neck=8,width=0.25", (SIDE, SIDE, 1), 3), seed=1)
    task.begin(network)
    step = TrainingStep(
        network, 6, objective=task.objective(tuple(network.graph.outputs)), optimiser=SGD(), threads=1
    )
    batch = batch_of(objects)
    batch.x[:] = np.random.default_rng(0).standard_normal(batch.x.shape)
    loss = step.run(batch.x, task.encode(batch), rate=0.0)
    targets = targets_of(batch, objects, MAPS)
    points = np.sum([each[1][..., 4].sum(axis=(1, 2)) for each in targets.values()], axis=0)
    outputs = {role: step.all_outputs(6)[role] for role in task.read(tuple(network.graph.outputs))}
    sums = (task.losses(outputs, batch) * np.maximum(1, points)).sum()
    sides = sum(_distance(outputs[f"boxes{stride}"], each[1]) for stride, each in targets.items())
    assert loss == pytest.approx(sums / points.sum() + 0.5 * sides / (4 * points.sum()), rel=1e-5)
    assert task.read(("main", "classes8", "boxes8")) == ("classes8", "boxes8")


def _distance(sides, wanted):
    """Sum of the smooth L1 loss over the points that find something, with a bend at 0.1."""
    gaps = np.abs(sides - wanted[..., :4]).astype(np.float64)
    return (np.where(gaps < 0.1, gaps**2 / 0.2, gaps - 0.05) * wanted[..., 4:]).sum()


def test_precision_of_an_epoch_is_nearly_that_of_coco():
    """Counts of batches add up to what COCO says of all images, but for scores that are rounded."""
    task, random = Detection(CLASSES), np.random.default_rng(0)
    rows = scattered(7, images=40)
    objects = objects_of(rows, 40)
    outputs = certain(targets_of(batch_of(objects), objects, MAPS))
    for role in outputs:
        spread = 3 if role.startswith("classes") else 0.08
        outputs[role] = (outputs[role] + random.normal(0, spread, outputs[role].shape)).astype(np.float32)
    tally = {}
    for at in (range(25), range(25, 40)):
        part = {role: values[at] for role, values in outputs.items()}
        more = task.tally(part, batch_of(objects.take(np.array(at))))
        tally |= {name: tally.get(name, 0) + count for name, count in more.items()}
    exact = detection_scores(objects, detections_of(found_in(outputs)), "boxes").figures()
    found = task.metrics(tally, 40)
    assert 0.05 < exact["ap"] < 0.95
    assert found["map"] == pytest.approx(exact["ap"], abs=0.005)
    assert found["map50"] == pytest.approx(exact["ap50"], abs=0.005)
    kept = task.kept(outputs, batch_of(objects))
    evaluation = task.evaluation(np.arange(40), objects, kept)
    assert evaluation.result()["map"] == pytest.approx(exact["ap"])


TRAIN = [
    "--task",
    "detect",
    "-m",
    "detector:neck=8,width=0.25",
    "-b",
    "8",
    "--threads",
    "1",
    "-q",
    "--augment",
    "flip",
]


def test_it_learns_resumes_bit_by_bit_and_predicts(known, capfd):
    plan = ["--sched", "constant", "--lr", "0.004"]
    assert run(["train", "squares", "-o", "whole", "--epochs", "3", *TRAIN, *plan]) == 0
    assert run(["train", "squares", "-o", "parts", "--epochs", "2", *TRAIN, *plan]) == 0
    assert run(["train", "--resume", "parts", "--epochs", "3", "--threads", "1", "-q"]) == 0
    whole, parts = (load_checkpoint(Path(name, "last.safetensors")) for name in ("whole", "parts"))
    for name, array in whole.arrays.items():
        assert np.array_equal(array, parts.arrays[name]), name
    capfd.readouterr()
    assert run(["evaluate", "squares", "-m", "whole", "--json", "-q"]) == 0
    scores = json.loads(capfd.readouterr().out)
    assert set(scores["boxes"]) >= {"ap", "ap50", "ap75", "ar_100", "ap_small", "classes"}
    image = np.full((30, 100, 3), 125, np.uint8)
    image[5:25, 60:80] = 230
    Image.fromarray(image).save("wide.png")
    assert run(["predict", "wide.png", "-m", "whole", "--json", "-q"]) == 0
    objects = json.loads(capfd.readouterr().out)["objects"]
    edges = np.array([each["box"] for each in objects]).reshape(-1, 4)
    assert (edges[:, :2] >= 0).all()
    assert (edges[:, :2] + edges[:, 2:] <= [100.01, 30.01]).all()


def seen_in_tiles(boxes, size, tile=(SIDE, SIDE)):
    """What is found in an image in tiles, by a detector that finds all that a tile shows of the boxes.

    Pixels hold their place, so that it knows where a tile lies.
    """
    rows, columns = np.mgrid[: size[0], : size[1]]
    pixels = np.stack([rows, columns, np.ones_like(rows)], axis=2).astype(np.uint8)

    def sees(tiles):
        of = [(int(each[0, 0, 0]), int(each[0, 0, 1])) for each in tiles]
        shown = []
        for image, (top, left) in enumerate(of):
            for label, (x, y, w, h) in boxes:
                x0, y0 = max(0, x - left), max(0, y - top)
                x1, y1 = min(tile[1], x + w - left), min(tile[0], y + h - top)
                if x1 - x0 >= 3 and y1 - y0 >= 3:
                    shown.append((image, (x0, y0, x1 - x0, y1 - y0), label))
        objects = objects_of(shown, len(tiles))
        return certain(targets_of(batch_of(objects), objects, MAPS))

    things = things_in_tiles(pixels, tile, sees, CLASSES, least=0.3).things
    return sorted((CLASSES.index(each.label), *np.round(each.box, 1)) for each in things)


def test_a_thing_on_a_seam_is_found_once():
    boxes = [
        (0, (56, 50, 16, 20)),  # on a seam of rows and one of columns
        (1, (10, 90, 30, 31)),
        (0, (120, 5, 31, 12)),
        (2, (100, 100, 90, 20)),  # wider than a tile: its parts become one
        (1, (170, 20, 12, 30)),
    ]
    wanted = sorted((label, *map(float, box)) for label, box in boxes)
    found = seen_in_tiles(boxes, (150, 200))
    assert [row[0] for row in found] == [row[0] for row in wanted]
    np.testing.assert_allclose(np.array(found), np.array(wanted), atol=0.2)


def test_small_images_are_one_tile():
    assert tiles_of(40, 64, (SIDE, SIDE)) == [(0, 0)]
    assert seen_in_tiles([(2, (30, 20, 10, 9))], (40, 50)) == [(2, 30, 20, 10, 9)]


def test_boxes_are_in_pixels_of_the_image():
    """However the image was padded, cropped or stretched for the network."""
    random = np.random.default_rng(2)
    for fit in ("pad", "crop", "stretch"):
        spec = InputSpec((SIDE, SIDE, 3), fit)
        for height, width in ((64, 64), (200, 90), (30, 300), (33, 47)):
            boxes = np.column_stack(
                [random.uniform(0, (width / 2, height / 2), (5, 2)), np.full((5, 2), 9.5)]
            )
            sizes = np.full((5, 2), (height, width))
            inside = moved_in(boxes, spec, sizes)
            np.testing.assert_allclose(moved_out(inside, spec, sizes), boxes, atol=1e-9)
    image = np.zeros((50, 100, 3), np.uint8)
    image[10:30, 60:80] = 255
    shown = as_input(Picture((image,)), (SIDE, SIDE, 3), "pad")[..., 0]
    rows, columns = np.nonzero(shown > 127)
    box = moved_in(np.array([[60.0, 10, 20, 20]]), InputSpec((SIDE, SIDE, 3), "pad"), np.array([[50, 100]]))[
        0
    ]
    edges = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    np.testing.assert_allclose(box, edges, atol=0.6)
