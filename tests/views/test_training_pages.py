"""Pages of a run: what they say, and that nothing overlaps or leaves the page."""

import numpy as np
import pytest

from cnncli.tasks.scores import calibration
from cnncli.tasks.task import Metric
from cnncli.training.finder import FoundRate
from cnncli.views.confusion import confusion_page
from cnncli.views.curves import curves_page, rates_page
from cnncli.views.mistakes import Mistake, mistakes_page
from cnncli.views.plot import linear_scale, log_scale
from cnncli.views.reliability import reliability_page

ACCURACY = Metric("accuracy")


def texts(page):
    return [mark for mark in page.marks if mark.kind == "text"]


def nothing_touches(page):
    """No text comes nearer to another one than a blank, or leaves the page."""
    marks = [mark.box for mark in texts(page)]
    boxes = np.array([(box.left, box.top + 2, box.right, box.bottom - 2) for box in marks])
    left, top, right, bottom = boxes.T
    assert left.min() >= 0
    assert right.max() <= page.width
    across = (left[:, None] < right + 4) & (left < right[:, None] + 4)
    near = across & (top[:, None] < bottom) & (top < bottom[:, None])
    assert np.argwhere(np.triu(near, 1)).tolist() == []


def check(page):
    """No two texts touch, and all lie on the page, which can be painted."""
    pixels = page.array()
    assert pixels.shape == (page.height, page.width, 3)
    marks = texts(page)
    for i, mark in enumerate(marks):
        assert mark.box.left >= 0, mark.text
        assert mark.box.top >= 0, mark.text
        assert mark.box.right <= page.width, mark.text
        assert mark.box.bottom <= page.height, mark.text
        for other in marks[:i]:
            assert not mark.box.grown(-3).overlaps(other.box.grown(-3)), (mark.text, other.text)
    return [mark.text for mark in marks]


def history(epochs, *, val=True, start=2.3):
    rows = []
    for e in range(1, epochs + 1):
        row = {"epoch": e, "train_loss": start / e, "train_accuracy": 1 - 0.7 / e}
        if val:
            row |= {"val_loss": 1.1 * start / e, "val_accuracy": 1 - 0.72 / e}
        rows.append(row)
    return rows


@pytest.mark.parametrize("epochs", [1, 2, 3, 17, 100, 1234])
@pytest.mark.parametrize("val", [True, False])
def test_curves(epochs, val):
    best = (epochs + 1) // 2
    said = check(curves_page(history(epochs, val=val), ACCURACY, title="mnist, compact", best=best))
    assert "mnist, compact" in said
    subtitle = next(text for text in said if text.startswith("after "))
    assert subtitle.startswith("after 1 epoch:" if epochs == 1 else f"after {epochs} epochs:")
    assert subtitle.endswith(f"; best {1 - 0.72 / best:.2%} in epoch {best}") == val
    assert said.count("training") == 2
    assert said.count("validation") == (2 if val else 0)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ((), "still change; validation"),
        (("dropout",), "and with dropout; validation after it, without"),
        (("label smoothing 0.1", "augmentation (flip)", "dropout"), "0.1, augmentation (flip) and dropout;"),
    ],
)
def test_why_training_loss_lies_above_validation_loss(reasons, words):
    page = curves_page(history(5), ACCURACY, title="mnist", best=3, only_in_training=reasons)
    assert words in " ".join(check(page))
    assert not any(
        "while the weights" in text
        for text in check(curves_page(history(5, val=False), ACCURACY, title="m", best=3))
    )


def test_the_best_epoch_is_marked_and_a_logarithmic_axis_said():
    said = check(curves_page(history(100), ACCURACY, title="mnist", best=70))
    assert said.count("best epoch: 70") == 2
    assert "loss, logarithmic scale" in said
    assert "loss" in check(curves_page(history(3), ACCURACY, title="mnist", best=3))


def test_a_matrix_grows_no_wider_than_viewers_open(monkeypatch):
    monkeypatch.setattr("cnncli.views.confusion._WIDEST", 400)
    page = confusion_page(np.eye(250, dtype=int), ["c"] * 250, title="t")
    assert max(mark.box.width for mark in page.marks if mark.kind == "image") == 400
    check(page)


def test_true_and_predicted_class_differ_without_colour(rng):
    tile = Mistake(rng.integers(0, 255, (8, 8, 1)).astype(np.uint8), "cat", "dog", 0.5)
    said = check(mistakes_page([tile], wrong=1, total=9, title="m", split="test"))
    assert said[said.index("cat") + 2 :][:2] == ["→", "dog"]
    assert {
        "true class",
        "→ predicted class, its probability",
        "1 of 9 test images, the highest confidence first",
    } <= set(said)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-9])
def test_curves_that_are_flat(value):
    rows = [{"epoch": e, "train_loss": value, "train_accuracy": 1.0} for e in (1, 2, 3)]
    check(curves_page(rows, ACCURACY, title="flat", best=1))


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("accuracy", [0.0, 0.0004, 0.25, 1 / 3, 0.5, 0.9999, 1.0])
@pytest.mark.parametrize("change", [0.0, 1e-9, 1e-4, 0.004, 0.011, 0.031, 0.07])
def test_ticks_of_accuracy_differ_and_are_what_they_say(epochs, accuracy, change):
    ends = sorted((accuracy, accuracy + change if accuracy < 0.9 else accuracy - change))
    drawn = [ends[e % 2] for e in range(epochs)]
    rows = [{"epoch": e, "train_loss": 1.0, "train_accuracy": share} for e, share in enumerate(drawn, 1)]
    page = curves_page(rows, ACCURACY, title="flat", best=1)
    ticks = [mark for mark in texts(page) if mark.text.endswith("%") and " " not in mark.text]
    assert 2 <= len({mark.text for mark in ticks}) == len(ticks)
    shares = np.array([float(mark.text[:-1]) for mark in ticks]) / 100
    assert np.ptp(np.diff(shares)) < 1e-9
    assert 0 <= shares.min() <= min(drawn) + 1e-9
    assert max(drawn) - 1e-9 <= shares.max() <= 1
    check(page)


@pytest.mark.parametrize("classes", [2, 3, 10, 26, 100, 400])
def test_confusion(classes, rng):
    counts = np.diag(rng.integers(1, 90, classes))
    counts[rng.integers(0, classes, 30), rng.integers(0, classes, 30)] += 1
    said = check(confusion_page(counts, [f"{k}" for k in range(classes)], title="a title", split="test"))
    right, total = int(np.trace(counts)), int(counts.sum())
    assert f"test accuracy {right / total:.2%} ({right:,} of {total:,} images)" in said


def test_pages_of_no_split_in_particular(rng):
    said = check(confusion_page(np.diag([3, 4]), ["a", "b"], title="a title"))
    said += check(mistakes_page([], wrong=0, total=7, title="a title"))
    assert {"accuracy 100.00% (7 of 7 images)", "none of 7 images"} <= set(said)


def test_confusion_with_long_names(rng):
    names = ["Northern mockingbird of the eastern coast", "T-shirt/top", "é", "x" * 60, "dog"]
    check(confusion_page(rng.integers(0, 9000, (5, 5)), names, title="a title"))


@pytest.mark.parametrize("name", ["class_{}", "W" * 37 + "{:03}", "{}"])
@pytest.mark.parametrize("classes", [*range(2, 40, 2), 28, 41, 58, 71, 72, 100, 120, 121, 167, 199, 200])
def test_no_label_of_a_confusion_matrix_touches_another(name, classes):
    names = [name.format(k) if k % 7 else "W" * 40 for k in range(1, classes + 1)]
    nothing_touches(confusion_page(np.diag(np.full(classes, 9000)), names, title="a title", split="test"))


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 40, 3), (8, 90, 1)])
@pytest.mark.parametrize("count", [0, 1, 7, 60])
def test_mistakes(shape, count, rng):
    tiles = [
        Mistake(rng.integers(0, 255, shape).astype(np.uint8), "a long name of a class", "8", 0.5)
    ] * count
    said = check(mistakes_page(tiles, wrong=count, total=1000, title="mnist, compact", split="test"))
    assert said.count("8") == count
    assert any("test images" in text for text in said)


def test_the_rates_page_names_the_rate():
    rates = tuple(10.0**e for e in np.linspace(-5, 1, 60))
    losses = tuple(2.3 - 2 / (1 + (0.1 / r)) + (r > 3) for r in rates)
    assert "--lr 0.03" in check(rates_page(FoundRate(rates, losses, losses, 0.03, 3.0), title="t"))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.9812, 0.9999), (-3, 17), (0, 1e-8), (5, 5), (0, 0)])
def test_linear_ticks_are_round_and_hold_the_range(low, high):
    scale = linear_scale(low, high)
    assert scale.low <= low
    assert scale.high >= high
    assert 2 <= len(scale.ticks) <= 8
    assert scale.share(low) <= scale.share(high)


@pytest.mark.parametrize(("low", "high"), [(1e-4, 2.3), (0.011, 0.9), (0.5, 40), (1, 1)])
def test_log_ticks_hold_the_range(low, high):
    scale = log_scale(low, high)
    assert scale.low <= low
    assert scale.high >= high
    assert scale.share((scale.low * scale.high) ** 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("samples", [1, 30, 2_000_000])
@pytest.mark.parametrize("classes", [2, 7])
def test_reliability(rng, samples, classes):
    shares = rng.dirichlet(np.full(classes, 0.5), min(samples, 500))
    found = calibration(shares, rng.integers(0, classes, len(shares)))
    found = found._replace(counts=found.counts * (samples // len(shares)))
    page = reliability_page(found, title="mnist, compact", split="test")
    said = check(page)
    nothing_touches(page)
    assert f"calibration error (ECE) {found.error:.2%}, 15 bins, {found.counts.sum():,} test images" in said
    right = (found.accuracy * found.counts).sum() / found.counts.sum()
    assert f"accuracy {right:.2%}" in said


def test_bars_are_as_high_as_the_accuracy():
    """Ten answers of 95 %, eight of them right: blue up to 80 %, pale from there to the line at 95 %."""
    shares = np.tile([0.95, 0.05], (10, 1))
    page = reliability_page(calibration(shares, np.array([0] * 8 + [1] * 2)), title="t").array()
    axis = texts(reliability_page(calibration(shares, np.zeros(10, int)), title="t"))
    zero, full = (next(m.box.center[1] for m in axis if m.text == text) for text in ("0%", "100%"))
    column = page[:, 110 + round(560 * (14.5 / 15))]
    blue = np.flatnonzero((column == (0x27, 0x68, 0xB0)).all(-1))
    assert (zero - blue.min()) / (zero - full) == pytest.approx(0.8, abs=0.01)
    pale = np.flatnonzero((column == (0xF6, 0xD8, 0xBD)).all(-1))
    assert (zero - pale.min()) / (zero - full) == pytest.approx(0.95, abs=0.01)
