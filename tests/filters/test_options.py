"""Options that do not fit are refused, and kernels are placed as the definition of convolution says."""

import numpy as np
import pytest
from scipy import signal

from cnncli.errors import CnncliError
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.options import Options, place_kernels
from cnncli.filters.spec import parse_spec

MATRIX = np.arange(1.0, 13).reshape(3, 4)


def matrix(weights=MATRIX, anchor=None):
    return Linear(name="custom", spec="custom", weights=np.asarray(weights, float), anchor=anchor, flips=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stride": (0, 1)}, r"--stride is \(0, 1\); expected 1 or more"),
        ({"stride": (2, -1)}, "--stride is"),
        ({"dilation": 0}, "--dilation is 0; expected 1 or more"),
        ({"repeat": 0}, "--repeat is 0; expected 1 or more"),
        ({"scale": float("nan")}, "--scale is nan; expected a finite number"),
        ({"bias": float("inf")}, "--bias is inf; expected a finite number"),
    ],
)
def test_numbers_that_mean_nothing(fields, message):
    with pytest.raises(CnncliError, match=message):
        Options(**fields)


def test_convolution_flips_and_the_anchor_goes_along():
    placed_kernels = place_kernels(matrix(), Options(anchor=(3, 0)))
    np.testing.assert_array_equal(placed_kernels.kernels[0], MATRIX[::-1, ::-1])
    assert placed_kernels.anchor == (0, 2)


def test_correlation_does_not_flip():
    placed_kernels = place_kernels(matrix(), Options(anchor=(3, 0), correlate=True))
    np.testing.assert_array_equal(placed_kernels.kernels[0], MATRIX)
    assert placed_kernels.anchor == (3, 0)


def test_named_kernels_answer_the_same_either_way():
    for spec in ("sobel:output=x", "sobel", "kirsch", "motion:length=5,angle=30", "emboss"):
        one, two = (place_kernels(parse_spec(spec), Options(correlate=flag)) for flag in (False, True))
        assert one.anchor == two.anchor
        for a, b in zip(one.kernels, two.kernels, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_default_anchor_is_the_middle_or_the_filters_own():
    assert place_kernels(matrix(), Options(correlate=True)).anchor == (2, 1)
    assert place_kernels(matrix(), Options()).anchor == (1, 1)
    assert place_kernels(matrix(anchor=(0, 2)), Options(correlate=True)).anchor == (0, 2)
    assert place_kernels(matrix(anchor=(0, 2)), Options(correlate=True, anchor=(1, 0))).anchor == (1, 0)


def test_it_is_convolution_by_the_definition(rng):
    image = rng.random((9, 10))
    placed_kernels = place_kernels(matrix(), Options())
    padded = np.pad(
        image,
        (
            (placed_kernels.anchor[1], 2 - placed_kernels.anchor[1]),
            (placed_kernels.anchor[0], 3 - placed_kernels.anchor[0]),
        ),
    )
    found = signal.correlate2d(padded, placed_kernels.kernels[0], mode="valid")
    whole = signal.convolve2d(image, MATRIX, mode="full")
    np.testing.assert_allclose(found, whole[1:10, 2:12], atol=1e-12)


@pytest.mark.parametrize("anchor", [(4, 0), (0, 3), (-1, 0), (99, 99)])
def test_an_anchor_outside_the_kernel(anchor):
    with pytest.raises(
        CnncliError, match=r"--anchor is .*; expected a cell of the 4 x 3 kernel custom, from 0,0 to 3,2"
    ):
        place_kernels(matrix(), Options(anchor=anchor))


@pytest.mark.parametrize(
    ("weights", "how", "divisor"),
    [
        ([[1, 2], [3, 4]], None, 1),
        ([[1, 2], [3, 4]], "none", 1),
        ([[1, 2], [3, 4]], "sum", 10),
        ([[1, -2], [3, 4]], "sum", 6),
        ([[-1, -1]], "sum", -2),
        ([[1, -2], [3, 4]], "abs", 10),
        ([[1, 2]], "auto", 3),
        ([[-1, 0, 1]], "auto", 1),
        ([[-2, 0, 2]], "auto", 2),
        ([[0, 1, 0], [1, -4, 1], [0, 1, 0]], "auto", 4),
        ([[0.1, 0.2, -0.3]], "auto", 0.3),  # sums to 3e-17
    ],
)
def test_normalize(weights, how, divisor):
    placed_kernels = place_kernels(matrix(weights), Options(normalize=how, correlate=True))
    np.testing.assert_allclose(placed_kernels.kernels[0], np.asarray(weights) / divisor, rtol=1e-12)


@pytest.mark.parametrize(
    ("weights", "how"),
    [([[-1, 0, 1]], "sum"), ([[0.1, 0.2, -0.3]], "sum"), ([[0, 0]], "abs"), ([[0, 0]], "auto")],
)
def test_a_sum_of_zero_cannot_be_divided_by(weights, how):
    with pytest.raises(CnncliError, match=f"--normalize {how}: the weights of custom sum to 0"):
        place_kernels(matrix(weights), Options(normalize=how))


@pytest.mark.parametrize("spec", ["median:3", "bilateral", "canny", "zero-crossings", "kuwahara", "erode"])
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("--anchor", {"anchor": (0, 0)}),
        ("--dilation", {"dilation": 2}),
        ("--normalize", {"normalize": "sum"}),
    ],
)
def test_filters_without_a_kernel_take_no_options_about_it(spec, name, fields):
    with pytest.raises(CnncliError, match=f"{name} is given, but {spec.split(':')[0]} .* kernel") as raised:
        place_kernels(parse_spec(spec), Options(**fields))
    assert raised.value.hint == f"Leave {name} out."
