"""Arithmetic with kernels, against matrices put together by hand and responses from scipy."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal
from surfaces import random_image

from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.arithmetic import MOST_NESTED, files_in, is_arithmetic
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.options import Options
from cnncli.filters.spec import name_for_files, parse_spec

SOBEL = np.outer([1, 2, 1], [1, 0, -1]) / 4
CROSS = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], float)
FLOAT = Depth(np.dtype(np.float32), 1.0)


def weights(text):
    found = parse_spec(text)
    assert type(found) is Linear
    return found.weights


def response(image, *specs, **options):
    how = {"alpha": False, "source": FLOAT, "target": FLOAT, "threads": 2}
    found = apply_filters(
        image, [parse_spec(each) for each in specs], Options(range="none", **options), **how
    )
    return found.pixels[..., 0]


def centred(found):
    """The weights with zeros around them, so that the cell at the output pixel is the middle one."""
    height, width = found.weights.shape
    x, y = found.anchor or (width // 2, height // 2)
    rows, columns = max(y, height - 1 - y), max(x, width - 1 - x)
    kernel = np.zeros((2 * rows + 1, 2 * columns + 1))
    kernel[rows - y : rows - y + height, columns - x : columns - x + width] = found.weights
    return kernel


def padded(kernel, side):
    around = (side - len(kernel)) // 2
    return np.pad(kernel, around)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2*sobel_x", 2 * SOBEL),
        ("2 * sobel:x", 2 * SOBEL),
        ("sobel:output=x*2", 2 * SOBEL),
        ("-sobel_x", -SOBEL),
        ("sobel_x / 4", SOBEL / 4),
        ("1/2*sobel_x", SOBEL / 2),
        ("sobel_x - sobel_y", SOBEL - SOBEL.T),
        ("sobel_x -sobel_y", SOBEL - SOBEL.T),
        ("sobel_x − sobel_y", SOBEL - SOBEL.T),
        ("(sobel_x + sobel_y) * 0.5", (SOBEL + SOBEL.T) / 2),
        ("sobel_x - (sobel_y - box)", SOBEL - SOBEL.T + np.full((3, 3), 1 / 9)),
        ("sobel_x - sobel_y - box", SOBEL - SOBEL.T - np.full((3, 3), 1 / 9)),
        ("identity + [0 1 0; 1 -4 1; 0 1 0] / 4", padded(np.ones((1, 1)), 3) + CROSS / 4),
        ("[0, 1, 0; 1, -4, 1; 0, 1, 0]*-2", -2 * CROSS),
        ("[[0, 1, 0], [1, -4, 1], [0, 1, 0]] + box:5", padded(CROSS, 5) + np.full((5, 5), 1 / 25)),
        ("2 + 3 - 4*identity*0 + 1*[1]", None),
        ("rot90([1 2; 3 4])", [[2, 4], [1, 3]]),
        ("rot270([1 2; 3 4])", [[3, 1], [4, 2]]),
        ("rot180([1 2 3])", [[3, 2, 1]]),
        ("fliplr([1 2 3; 4 5 6])", [[3, 2, 1], [6, 5, 4]]),
        ("flipud([1 2 3; 4 5 6])", [[4, 5, 6], [1, 2, 3]]),
        ("transpose([1 2 3; 4 5 6])", [[1, 4], [2, 5], [3, 6]]),
        ("conv(sobel_x, [0 1 0; 1 -4 1; 0 1 0])", signal.convolve2d(SOBEL, CROSS)),
        ("conv([1 2], [1; 3], [1 -1])", signal.convolve2d(np.outer([1, 3], [1, 2]), [[1, -1]])),
    ],
)
def test_the_matrix_that_is_composed(text, expected):
    if expected is None:
        with pytest.raises(CnncliError, match="a number and a kernel stand beside"):
            parse_spec(text)
        return
    np.testing.assert_allclose(weights(text), expected, rtol=1e-14, atol=1e-15)


def test_sizes_that_differ_are_aligned_at_their_middles():
    wide, narrow = weights("gaussian:3"), weights("gaussian:1")
    expected = wide - padded(narrow, len(wide))
    np.testing.assert_array_equal(weights("gaussian:3 - gaussian:1"), expected)
    np.testing.assert_array_equal(weights("-gaussian:1 + gaussian:3"), expected)


@pytest.mark.parametrize(
    "text",
    [
        "gaussian:3 - gaussian:1",
        "box:4 - 0.5*box:3",
        "roberts:x + roberts:y",
        "[1 2 3 4] - 3*[1; 2] + identity",
        "conv(box:4, gaussian:1) - conv([1 2], [3; 4])",
        "rot90(box:2) + rot180([1 2 3 4; 5 6 7 8]) - fliplr([1 2]) + flipud([1; 2])",
        "transpose([1 2; 3 4; 5 6]) - 0.1*motion:7,30",
    ],
)
def test_the_response_is_scipys_of_the_composed_matrix(rng, text):
    image = random_image(rng, (40, 45, 1), np.float32)
    kernel = centred(parse_spec(text))
    want = ndimage.convolve(image[..., 0].astype(np.float64), kernel, mode="mirror")
    np.testing.assert_allclose(response(image, text), want, rtol=0, atol=3e-6 * np.abs(kernel).sum())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("gaussian:3 - gaussian:1", [(1, "gaussian:3"), (-1, "gaussian:1")]),
        ("box:4 - 0.5*box:3", [(1, "box:4"), (-0.5, "box:3")]),
        ("2*[1 2; 3 4] + [1 2 3]", [(2, "1 2; 3 4"), (1, "1 2 3")]),
    ],
)
@pytest.mark.parametrize("options", [{}, {"dilation": 2}, {"stride": (2, 3)}])
def test_a_sum_responds_as_the_sum_of_responses(rng, text, parts, options):
    image = random_image(rng, (70, 65, 1), np.float32)
    want = sum(factor * response(image, spec, **options).astype(np.float64) for factor, spec in parts)
    np.testing.assert_allclose(response(image, text, **options), want, rtol=0, atol=2e-5)


def test_a_convolution_responds_as_one_after_the_other(rng):
    image = random_image(rng, (60, 65, 1), np.float32)
    middle = (slice(12, -12), slice(12, -12))  # borders are filled twice otherwise
    one = response(image, "conv(box:4, gaussian:1, roberts:x)")[middle]
    np.testing.assert_allclose(one, response(image, "box:4", "gaussian:1", "roberts:x")[middle], atol=2e-6)


def test_turning_four_times_is_nothing():
    kernel = "[1 2 3; 4 5 6]"
    found = parse_spec(f"rot90(rot90(rot180({kernel})))")
    np.testing.assert_array_equal(found.weights, [[1, 2, 3], [4, 5, 6]])
    assert (found.anchor, found.flips, found.mixed) == (None, True, False)


def test_what_a_composed_kernel_is():
    band = parse_spec(" gaussian:3 - gaussian:1 ")
    assert (band.name, band.spec) == ("custom", "gaussian:3 - gaussian:1")
    assert (band.signed, band.gray, band.flips, band.mixed) == (True, False, False, False)
    np.testing.assert_array_equal(parse_spec(band.spec).weights, band.weights)
    edge = parse_spec("2*sobel_x")
    assert (edge.signed, edge.gray) == (True, True)
    sharp = parse_spec("identity - 0.5*laplacian")  # keeps colours
    assert (sharp.signed, sharp.gray) == (None, False)
    assert "separable" in str(parse_spec("2*gaussian:5").plan())
    assert parse_spec("2*box:9").plan().way == "box"


def test_names_of_files():
    one, other = ("gaussian:3 - gaussian:1", "gaussian:3 - gaussian:2")
    names = {name_for_files(text, parse_spec(text)) for text in (one, other)}
    assert len(names) == 2
    assert all(name.startswith("custom-") for name in names)
    assert name_for_files("sobel_x", parse_spec("sobel_x")) == "sobel-x"


def test_correlation_is_for_matrices_only():
    assert parse_spec("2*[1 2]").flips
    mixed = parse_spec("[1 2] + identity")
    assert mixed.mixed
    depth = {"alpha": False, "source": FLOAT, "target": FLOAT, "threads": 1}
    with pytest.raises(CnncliError, match="--correlate is given for") as caught:
        apply_filters(np.zeros((5, 5, 1), np.float32), [mixed], Options(correlate=True), **depth)
    assert "rot180" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sobel + box", "character 1: sobel is not one linear kernel"),
        ("box - median:3", "character 7: median:3 is not one linear kernel"),
        ("box + canny", "character 7: canny is not one linear kernel"),
        ("2*kirsch", "character 3: kirsch is not one linear kernel"),
        ("unsharp:threshold=0.1 - box", "character 1: unsharp:threshold=0.1 is not one linear"),
        ("box - 3", "character 5: a number and a kernel stand beside '-'"),
        ("box * box", "character 5: two kernels stand beside '*'"),
        ("box / box", "character 5: a kernel stands behind '/'"),
        ("box / 0", "character 5: 0 stands behind '/'"),
        ("(box + box", "character 11: the end stands where '\\)' is expected, for the '\\(' at character 1"),
        ("box + box)", "character 10: '\\)' stands where"),
        ("2*box box", "character 7: 'b' stands where"),
        ("box + ", "character 7: the end stands where a kernel or a number"),
        ("box - nothing", "character 7: unknown kernel 'nothing'"),
        ("box + gaussian:sigma=x", "character 7: gaussian: sigma=x"),
        ("[1 2; 3] + box", "character 1: kernel, row 2"),
        ("box + [1 2", "character 7: '\\[' is not closed"),
        ("conv(box)", "character 1: conv gets 1; expected two"),
        ("rot90(box, box)", "character 1: rot90 gets 2; expected one"),
        ("rot90(2)", "character 1: rot90 gets a number"),
        ("2 * blur2(box)", "character 5: 'blur2' is no function"),
        ("box*1e999", "character 4: a weight lies beyond 1e\\+30"),
        ("2*3*identity*1e31", "a weight lies beyond"),
        ("conv(gaussian:100, gaussian:90)", "character 1: conv of kernels"),
        ("[1 2] + 3x3", "character 9: .*is not a number"),
        ("(" * 60 + "box" + ")" * 60, f"more than {MOST_NESTED} signs"),
        ("box" + " - box" * 3 + " -" * 60 + " box", f"more than {MOST_NESTED} signs"),
        ("gaussian:3-gaussian:1", "sigma=3-gaussian:1"),
    ],
)
def test_nonsense_is_told_with_its_place(text, message):
    with pytest.raises(CnncliError, match=message):
        parse_spec(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("gaussian:3-gaussian:1", "a blank on both sides of '-'"),
        ("2*gaussian:3-gaussian:1", "a blank on both sides of '-'"),
        ("conv(box:3,gaussian:1)", "a blank behind ','"),
        ("2*sobel", "sobel:x or sobel:y"),
        ("box * box", "conv\\(A, B\\)"),
        ("box + 1", "0.5\\*identity"),
    ],
)
def test_hints(text, hint):
    with pytest.raises(CnncliError) as caught:
        parse_spec(text)
    assert hint.replace("\\", "") in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "0 -1 0; -1 5 -1; 0 -1 0",
        "-1 2 -1",
        "1/9 2/9",
        "nan -1 nan",
        "- 1 -",
        "1 - 2",
        "[[0, -1], [1, 0]]",
        "[1 -2; 3 4]",
        "[[ 1. -2.]\n [ 3.  4.]]",
        "3x3: -2,-1,0 -1,1,1 0,1,2",
        "3x3: nan,1,nan 1,-inf,1 - 1 -",
        "morph-gradient",
        "zero-crossings",
        "gabor:theta=-30",
        "gaussian(2)",
        "kernels/edge-1.txt",
        "1e-5 2e+5",
    ],
)
def test_what_is_no_arithmetic(text):
    assert not is_arithmetic(text)


def test_files_in_expressions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge-x.txt").write_text("1 0 -1")
    (tmp_path / "box - 2.txt").write_text("7")
    np.testing.assert_array_equal(weights("2*edge-x.txt"), [[2, 0, -2]])
    assert files_in("2*edge-x.txt - conv(edge-x.txt, box)") == ["edge-x.txt", "edge-x.txt"]
    np.testing.assert_array_equal(weights("box - 2.txt"), [[7]])  # a file of that name
    assert files_in("edge-x.txt") == []


@settings(max_examples=300)
@given(st.text(alphabet="box:3*+-/() [];,.19sobel_x", max_size=25))
def test_no_text_does_harm(text):
    with contextlib.suppress(CnncliError):
        parse_spec(text)
