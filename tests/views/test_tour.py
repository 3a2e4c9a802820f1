"""The tour: every number that it shows is computed again here, in NumPy."""

import html
import re

import numpy as np
import pytest
from PIL import Image
from scipy.signal import convolve2d

from cnncli.data.shipped import sample_path
from cnncli.training.tensors import read_tensors
from cnncli.views.tour.document import page
from cnncli.views.tour.learning import BATCH, RATE, STEPS, TESTED, digits, small_network
from cnncli.views.tour.lessons import LESSONS, Tour
from cnncli.views.tour.model import Curve, Formula, Maps, Table, Text, Working
from cnncli.views.tour.terminal import lines_of

KERNEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


@pytest.fixture(scope="module")
def tour():
    return Tour()


@pytest.fixture(scope="module")
def steps(tour):
    return {name: lesson(tour) for name, lesson in LESSONS.items()}


@pytest.fixture(scope="module")
def digit():
    with Image.open(sample_path("digits/3.png")) as image:
        return np.asarray(image.convert("L"), np.float64)


def parts(step, kind):
    return [part for part in step.parts if isinstance(part, kind)]


def words(step):
    return " ".join(part.text for part in step.parts if isinstance(part, Text | Formula))


def test_a_window_is_worked_out(steps, digit):
    step = steps["kernel"]
    x, y = map(int, re.search(r"x = (\d+), y = (\d+)", words(step)).groups())
    (written, turned), (pixels, again, products) = (part.grids for part in parts(step, Working))
    np.testing.assert_array_equal(written.values, KERNEL)
    np.testing.assert_array_equal(turned.values, np.rot90(KERNEL, 2))
    np.testing.assert_array_equal(again.values, turned.values)
    np.testing.assert_array_equal(pixels.values, digit[y - 1 : y + 2, x - 1 : x + 2])
    np.testing.assert_array_equal(products.values, pixels.values * np.rot90(KERNEL, 2))
    sum_ = sum(
        digit[j, i] * KERNEL[y - j + 1, x - i + 1] for j in (y - 1, y, y + 1) for i in (x - 1, x, x + 1)
    )
    assert f"add up to {sum_:,.0f}." in words(step)


def test_the_feature_map_is_the_convolution(steps, digit):
    step = steps["feature map"]
    ((picture, edges),) = (part.maps for part in parts(step, Maps))
    np.testing.assert_array_equal(picture.values, digit)
    expected = convolve2d(digit, KERNEL, mode="same")
    np.testing.assert_allclose(edges.values, expected, atol=1e-3)
    text = words(step)
    assert f"{expected.min():,.0f}" in text
    assert f"{expected.max():,.0f}" in text
    assert f"at {int((expected == 0).sum())} pixels nothing changes" in text
    assert "7,056 multiplications" in text


def test_a_layer_is_worked_out(steps, digit):
    arrays, _ = read_tensors(sample_path("digits.safetensors"))
    step = steps["layer"]
    unit = int(re.search(r"kernel (\d+),", words(step)).group(1))
    x, y = map(int, re.search(r"x = (\d+), y = (\d+)", words(step)).groups())
    inputs = (digit / 255 - 0.13142172992229462) / 0.30862686038017273
    kernel = np.asarray(arrays["conv1.weight"], np.float64)[unit, 0]
    responses = convolve2d(inputs, np.rot90(kernel, 2), mode="same")
    norm = {
        name: float(arrays[f"batchnorm1.{name}"][unit])
        for name in ("running_mean", "running_var", "weight", "bias")
    }
    scaled = (responses - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm[
        "bias"
    ]
    before, relu, pooled = parts(step, Working)[1].grids
    top, left = y // 2 * 2, x // 2 * 2
    np.testing.assert_allclose(before.values, scaled[top : top + 2, left : left + 2], atol=1e-3)
    np.testing.assert_allclose(relu.values, np.maximum(before.values, 0))
    np.testing.assert_allclose(pooled.values, relu.values.max(), rtol=1e-5)
    assert f"add up to {responses[y, x]:.3f}." in words(step)
    assert f"= {scaled[y, x]:.3f}" in words(step)
    np.testing.assert_allclose(parts(step, Working)[0].grids[0].values, kernel)
    maps = parts(step, Maps)[0].maps
    np.testing.assert_allclose(maps[0].values, np.maximum(scaled, 0), atol=1e-3)


def test_the_softmax_is_that_of_the_outputs(steps, tour):
    layers, answers = parts(steps["network"], Table)
    assert sum(int(row[2].replace(",", "")) for row in layers.rows) == 72_506
    outputs = tour.values[tour.network.graph.output].reshape(-1).astype(np.float64)
    powers = np.exp(outputs)
    best = np.argsort(-outputs)[:3]
    for row, each in zip(answers.rows, best, strict=True):
        expected = (
            str(each),
            f"{outputs[each]:.3f}",
            f"{powers[each]:,.3f}",
            f"{powers[each] / powers.sum():.1%}",
        )
        assert row == expected
    assert answers.rows[0][0] == "3"


def forward(arrays, images):
    """Outputs (N, 10) of the small network, in float64."""
    kernels, matrix = arrays["conv.weight"].astype(np.float64), arrays["fc.weight"].astype(np.float64)
    padded = np.pad(images[..., 0].astype(np.float64), ((0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    maps = np.einsum("nyxij,kij->nkyx", windows, kernels[:, 0]) + arrays["conv.bias"][:, None, None]
    pooled = np.maximum(maps, 0).reshape(len(images), 4, 14, 2, 14, 2).max(axis=(3, 5))
    return pooled.reshape(len(images), -1) @ matrix.T + arrays["fc.bias"]


def losses(arrays, images, labels):
    outputs = forward(arrays, images)
    return np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(labels)), labels]


def test_the_loss_starts_where_random_weights_put_it(tour, steps):
    images, labels = digits()
    arrays = small_network().export()
    first = losses(arrays, images[:BATCH], labels[:BATCH]).mean()
    found = tour.learned
    assert found.losses[0] == pytest.approx(first, rel=1e-4)
    np.testing.assert_array_equal(found.kernel_before, arrays["conv.weight"][0, 0])
    right = (forward(arrays, images[-TESTED:]).argmax(axis=1) == labels[-TESTED:]).mean()
    assert found.right_before == pytest.approx(right, abs=0.0021)
    assert found.right_after > 0.85
    assert np.mean(found.losses[-10:]) < 0.3 * found.losses[0]
    assert parts(steps["training"], Curve)[0].values == found.losses


def trained_by_hand():
    """The weights after all steps, and the loss of each, by backpropagation in NumPy and float64."""
    images, labels = digits()
    arrays = {name: array.astype(np.float64) for name, array in small_network().export().items()}
    found = []
    for number in range(STEPS):
        start = number * BATCH % (len(images) - TESTED - BATCH)
        x, truth = images[start : start + BATCH, ..., 0].astype(np.float64), labels[start : start + BATCH]
        padded = np.pad(x, ((0, 0), (2, 2), (2, 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2)).reshape(-1, 25)
        maps = windows @ arrays["conv.weight"].reshape(4, 25).T + arrays["conv.bias"]
        cells = maps.reshape(BATCH, 14, 2, 14, 2, 4).transpose(0, 5, 1, 3, 2, 4).reshape(BATCH, -1, 4)
        pooled = np.maximum(cells, 0).max(axis=2)
        outputs = pooled @ arrays["fc.weight"].T + arrays["fc.bias"]
        shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        found.append(-np.log(shares[np.arange(BATCH), truth]).mean())
        back = (shares - np.eye(10)[truth]) / BATCH
        slopes = {"fc.weight": back.T @ pooled, "fc.bias": back.sum(axis=0)}
        routed = np.zeros_like(cells)
        places = np.ogrid[: cells.shape[0], : cells.shape[1]]
        routed[(*places, cells.argmax(axis=2))] = back @ arrays["fc.weight"]
        routed *= cells > 0
        routed = routed.reshape(BATCH, 4, 14, 14, 2, 2).transpose(0, 2, 4, 3, 5, 1).reshape(-1, 4)
        slopes["conv.weight"] = (routed.T @ windows).reshape(4, 1, 5, 5)
        slopes["conv.bias"] = routed.sum(axis=0)
        arrays = {name: array - RATE * slopes[name] for name, array in arrays.items()}
    return arrays, found


def test_training_is_gradient_descent_by_hand(tour):
    arrays, expected = trained_by_hand()
    found = tour.learned
    np.testing.assert_allclose(found.losses, expected, rtol=1e-2)
    np.testing.assert_allclose(found.kernel_after, arrays["conv.weight"][0, 0], atol=2e-3)
    images, labels = digits()
    right = (forward(arrays, images[-TESTED:]).argmax(axis=1) == labels[-TESTED:]).mean()
    assert found.right_after == pytest.approx(right, abs=0.0041)
    slope, x, truth = found.gradient, images[found.gradient.digit][None], labels[found.gradient.digit][None]
    assert slope.loss == pytest.approx(losses(arrays, x, truth)[0], rel=1e-2)
    for loss, sign in zip(slope.losses, (1, -1), strict=True):
        moved = {**arrays, "conv.weight": arrays["conv.weight"].copy()}
        moved["conv.weight"][slope.kernel, 0, 2, 2] += sign * slope.step
        assert loss - slope.loss == pytest.approx(
            losses(moved, x, truth)[0] - losses(arrays, x, truth)[0], rel=2e-2
        )


def test_the_chain_rule_agrees_with_trying(tour, steps):
    found = tour.learned.gradient
    higher, lower = found.losses
    assert found.slope == pytest.approx((higher - lower) / (2 * found.step), rel=2e-3)
    text = words(steps["gradients"])
    assert f"dLoss/dw = {found.slope:.4f}" in text
    assert f"= {(higher - lower) / (2 * found.step):.4f}" in text
    images, _ = digits()
    for x, y, _, pixel in found.largest:
        assert pixel == pytest.approx(float(images[found.digit, y, x, 0]))
    products = [slope * pixel for _, _, slope, pixel in found.largest]
    assert [abs(each) for each in products] == sorted(map(abs, products), reverse=True)
    for row, (x, y, slope, pixel) in zip(
        parts(steps["gradients"], Table)[0].rows, found.largest, strict=False
    ):
        assert row == (f"{x}, {y}", f"{slope:.5f}", f"{pixel:.3f}", f"{slope * pixel:.5f}")


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize("color", [False, True])
def test_lines_fit_the_terminal(steps, columns, color):
    for number, step in enumerate(steps.values(), 1):
        lines = lines_of(step, number, 6, columns=columns, color=color)
        shown = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
        commands = {f"  {step.command}"}
        assert max(len(line) for line in shown if line not in commands) < columns
        assert shown[-2] == f"  {step.command}"
        if not color:
            assert all(line.isascii() for line in lines)


def test_the_page_allows_nothing_from_outside(steps):
    text = page("How <b>it</b> works", "A note", list(steps.values()))
    assert "default-src 'none'" in text
    assert "How &lt;b&gt;it&lt;/b&gt; works" in text
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    plain = html.unescape(re.sub(r"<[^>]+>", " ", text))
    for step in steps.values():
        assert step.command in plain
        assert step.title in plain
    assert len(text) < 200_000
