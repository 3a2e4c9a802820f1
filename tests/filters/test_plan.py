"""Which way is chosen, and that what it leaves out is next to nothing."""

import numpy as np
import pytest
from scipy import ndimage

from cnncli.core.choices import TARGETS
from cnncli.filters.kinds import linear
from cnncli.filters.kinds.linear import RESIDUAL, Linear, plan_linear
from cnncli.filters.model import Geometry, Weights
from cnncli.filters.spec import parse_spec
from cnncli.filters.transforms import fft_cost

PHOTO = (1080, 1920)


def way(weights: Weights, dilation=1, stride=(1, 1), shape=PHOTO):
    return plan_linear(np.asarray(weights, float), Geometry(dilation, stride, shape)).way


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("identity", "direct"),
        ("sharpen", "direct"),
        ("laplacian", "direct"),
        ("gaussian:sigma=4", "separable"),
        ("binomial:9", "separable"),
        ("box:15", "box"),
        ("box:101", "box"),
        ("disk:radius=40", "fft"),
        ("sobel", "gradient"),
        ("sobel:output=direction", "gradient"),
        ("kirsch", "bank"),
        ("median:5", "median"),
        ("bilateral", "bilateral"),
        ("canny", "canny"),
        ("kuwahara", "kuwahara"),
        ("normalize", "levels"),
        ("open:disk:5", "morphology"),
    ],
)
def test_ways_of_named_filters(spec, expected):
    plan = parse_spec(spec).plan()
    assert plan.way == expected
    assert str(plan).startswith(expected)


def test_the_way_of_a_size_follows_the_cost(rng):
    ways = [way(rng.normal(size=(size, size))) for size in (3, 5, 9, 63, 127)]
    assert ways[:2] == ["direct", "direct"]
    assert ways[-2:] == ["fft", "fft"]


@pytest.mark.parametrize(
    ("target", "model", "floats", "expected"),
    [
        ("avx2", "AuthenticAMD 25 17 AMD EPYC 1", True, ["direct", "direct", "fft"]),
        ("avx2", "AuthenticAMD 25 17 AMD EPYC 1", False, ["direct", "fft", "fft"]),
        ("avx2", "AuthenticAMD 26 2 AMD EPYC 1", True, ["direct", "fft", "fft"]),
        ("avx2", "GenuineIntel 25 17", True, ["direct", "fft", "fft"]),
        ("avx2", "", True, ["direct", "fft", "fft"]),
        ("avx512", "AuthenticAMD 25 17 AMD EPYC 1", True, ["direct", "direct", "fft"]),
        ("avx512", "AuthenticAMD 26 2 AMD EPYC 1", True, ["direct", "direct", "fft"]),
    ],
)
def test_the_way_follows_what_was_measured_on_a_processor(target, model, floats, expected, monkeypatch, rng):
    monkeypatch.setattr(linear, "processor", lambda: ("x86_64", model, "", TARGETS[target]))
    geometry = Geometry(shape=(2731, 4096), floats=floats)
    ways = [plan_linear(rng.normal(size=(size, size)), geometry).way for size in (9, 11, 13)]
    assert ways == expected


def test_a_transform_of_rows_that_are_not_kept_is_counted(rng):
    weights = rng.normal(size=(21, 21))
    costs = [plan_linear(weights, Geometry(stride=(1, step), shape=PHOTO)).cost for step in (1, 8)]
    dense = fft_cost(21, 21, 8 * PHOTO[0], PHOTO[1], 1)
    assert costs[1] <= 8 * dense
    assert way(rng.normal(size=(31, 31)), stride=(1, 40)) == "direct"


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (np.zeros((3, 3)), "direct"),
        (np.zeros((31, 31)), "direct"),
        (np.ones((1, 31)), "direct"),
        (np.ones((31, 1)), "direct"),
        (np.eye(31), "direct"),  # 31 taps of 961: sparse, but of full rank
    ],
)
def test_odd_kernels(weights, expected):
    assert way(weights) == expected


def test_a_dilated_box_is_not_one():
    assert way(np.ones((9, 9)), dilation=3) != "box"


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("shape", [(25, 25), (40, 21), (21, 40)])
def test_low_rank_is_found_and_left_out_is_next_to_nothing(rng, rank, shape):
    weights = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    plan = plan_linear(weights, Geometry(shape=PHOTO))
    if plan.way == "fft":
        assert rank > 1  # cheaper yet
        return
    assert plan.way == "separable"
    assert plan.columns.shape == (rank, shape[0])
    assert plan.rows.shape == (rank, shape[1])
    left_out = np.abs(weights - plan.columns.T @ plan.rows).sum()
    assert left_out <= RESIDUAL * np.abs(weights).sum()
    assert f"rank {rank}" in plan.detail


def test_nearly_separable_is_not_separable(rng):
    weights = np.outer(rng.normal(size=25), rng.normal(size=25))
    weights[3, 4] += 1e-3 * np.abs(weights).max()
    plan = plan_linear(weights, Geometry(shape=PHOTO))
    if plan.way == "separable":
        assert len(plan.columns) == 2
        assert np.abs(weights - plan.columns.T @ plan.rows).sum() <= RESIDUAL * np.abs(weights).sum()


def test_rank_1_factors_of_whole_numbers_are_exact():
    weights = np.outer([1, 4, 6, 4, 1], [1, 2, 0, -2, -1]).astype(float)
    plan = plan_linear(np.kron(weights, np.ones((3, 3))), Geometry(shape=PHOTO))
    assert plan.way == "separable"
    np.testing.assert_array_equal(plan.columns.T @ plan.rows, np.kron(weights, np.ones((3, 3))))


def test_gradient_pairs_share_a_pass():
    sobel = parse_spec("sobel")
    apart = sum(Linear(name="d", spec="d", weights=weights).plan().cost for weights in (sobel.dx, sobel.dy))
    assert sobel.plan().cost < 1.5 * apart


def test_laplacian_of_gaussian_stays_flat_where_the_image_is():
    """What a low-rank form leaves out would show as a response where nothing changes."""
    filter = parse_spec("log:sigma=3")
    plan = filter.plan()
    weights = plan.columns.T @ plan.rows if plan.way == "separable" else filter.weights
    assert abs(ndimage.correlate(np.ones((50, 50)), weights)[25, 25]) < 1e-6
