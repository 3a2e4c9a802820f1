import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.errors import CnncliError
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.catalog import CATALOG
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.model import Filter
from cnncli.filters.named import ALIASES
from cnncli.filters.options import Options
from cnncli.filters.spec import name_for_files, parse_spec

SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


@pytest.mark.parametrize(
    "text",
    [
        "0 -1 0; -1 5 -1; 0 -1 0",
        "0,-1,0;-1,5,-1;0,-1,0",
        " 0 , -1 , 0 ;\t-1 , 5 , -1 ; 0 , -1 , 0 ",
        "0 -1 0\n-1 5 -1\n0 -1 0\n",
        "0 -1 0;\n\n-1 5 -1;\n0 -1 0;",
        "0 -1 0\r\n-1 5 -1\r\n0 -1 0",
        "0 −1 0; −1 5 −1; 0 −1 0",
        "0. -1.0 0e5; -1 +5 -1; .0 -1 0",
        "0/3 -2/2 0; -1 10/2 -1; 0 -1 0",
        "3x3: 0,-1,0 -1,5,-1 0,-1,0",
        "3x3:0 -1 0 -1 5 -1 0 -1 0",
        "3: 0,-1,0 -1,5,-1 0,-1,0",
        "3 X 3 : 0,-1,0, -1,5,-1, 0,-1,0",
        "3x3:\n0 -1 0\n-1 5 -1\n0 -1 0\n",
        "[[0, -1, 0], [-1, 5, -1], [0, -1, 0]]",
    ],
)
def test_one_matrix_in_many_forms(text):
    found = parse_spec(text)
    assert isinstance(found, Linear)
    np.testing.assert_array_equal(found.weights, SHARPEN)
    assert (found.name, found.anchor, found.flips) == ("custom", None, True)
    assert (found.signed, found.gray) == (None, False)
    assert found.spec == "0 -1 0; -1 5 -1; 0 -1 0"
    np.testing.assert_array_equal(parse_spec(found.spec).weights, SHARPEN)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1", [[1]]),
        ("-2.5e-3", [[-0.0025]]),
        ("1/9 2/9", [[1 / 9, 2 / 9]]),
        ("1;2;3", [[1], [2], [3]]),
        ("0 0; 0 0", [[0, 0], [0, 0]]),
        ("2x3: 1 2 3 4 5 6", [[1, 2], [3, 4], [5, 6]]),
        ("[1, 2]", [[1, 2]]),
        ("[1 2; 3 4]", [[1, 2], [3, 4]]),  # MATLAB
        ("[1 2\n3 4]", [[1, 2], [3, 4]]),
        ("[[ 1. -2.]\n [ 3.  4.]]", [[1, -2], [3, 4]]),  # NumPy
        ("[[1 2\n  3] [4 5 6]]", [[1, 2, 3], [4, 5, 6]]),
        ("1 2, 3", [[1, 2, 3]]),  # no other reading has equal rows
    ],
)
def test_shapes_and_numbers(text, rows):
    found = parse_spec(text)
    np.testing.assert_array_equal(found.weights, rows)
    np.testing.assert_array_equal(parse_spec(found.spec).weights, rows)


def test_imagemagicks_anchor():
    found = parse_spec("3x2+2+0: 1 2 3 4 5 6")
    assert found.anchor == (2, 0)
    again = parse_spec(found.spec)
    assert again.anchor == (2, 0)
    np.testing.assert_array_equal(again.weights, found.weights)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the kernel is empty"),
        (" \n ", "the kernel is empty"),
        (";", "kernel of 0 weights"),
        (";;\n;", "kernel of 0 weights"),
        ("[]", "kernel of 0 weights"),
        ("[[]]", "kernel of 0 weights"),
        ("[[], []]", "kernel of 0 weights"),
        ("0x3:", "0x3; expected 1 to 4097"),
        ("3x3:", "row 1, column 1: 0 numbers in total; expected 9"),
        ("3x3: 1 2 3 4", "row 2, column 2: 4 numbers in total; expected 9"),
        ("2x2: 1 2 3 4 5", "row 3, column 1: 5 numbers in total; expected 4"),
        ("2x2: 1 nan 3 4", "row 1, column 2: 'nan' (not part of the kernel, in ImageMagick)"),
        ("2x2: 1 2 - 4", "row 2, column 1: '-' (not part of the kernel, in ImageMagick)"),
        ("2x2: 1 2 x 4", "row 2, column 1: 'x' is not a number"),
        ("2x2: 1,,3 4", "row 1, column 2: is empty"),
        ("2x2+2+0: 1 2 3 4", "anchor +2+0 lies outside the 2x2 kernel"),
        ("3x3@: 1 2 3", "kernel '3x3@' is not WxH"),
        ("9999x1: 1", "9999x1; expected 1 to 4097"),
        ("1 2; 3", "row 2, column 2: the row has 1 numbers; expected 2"),
        ("1 2; 3 4 5", "row 2, column 3: the row has 3 numbers; expected 2"),
        ("1 2;; 3 4", "row 2, column 1: is empty"),
        ("1,,2", "row 1, column 2: is empty"),
        ("1 2,", "row 1, column 3: is empty"),
        ("1 NaN; 2 3", "row 1, column 2: 'NaN'"),
        ("1 2; inf 3", "row 2, column 1: 'inf' is not a number"),
        ("1 2; 3 1e999", "row 2, column 2: 1e999 is out of range"),
        ("-1e31", "row 1, column 1: -1e31 is out of range"),
        ("1/0 2", "row 1, column 1: '1/0' is not a number"),
        ("1_0 2", "row 1, column 1: '1_0' is not a number"),
        ("1 ٢", "row 1, column 2: '٢' is not a number"),
        ("1 0x1", "row 1, column 2: '0x1' is not a number"),
        ("[[1, 2], [3]]", "row 2, column 2: the row has 1 numbers"),
        ("[[1, true]]", "row 1, column 2: True is not a number"),
        ('[[1, "2"]]', "row 1, column 2: '2' is not a number"),
        ("[[1, NaN]]", "row 1, column 2: nan is out of range"),
        ("[[1], 2]", "row 2: 2 is not a list"),
        ("[[1, 2]", "is not a list of lists"),
        ("[" * 100_000, "is not a list of lists"),
    ],
)
def test_wrong_matrices_name_the_place(text, message):
    with pytest.raises(CnncliError, match=re.escape(message)) as caught:
        parse_spec(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("1 1 1, 1 2 1, 1 1 1", {"1 1 1; 1 2 1; 1 1 1": (3, 3), "1 1 1 1 2 1 1 1 1": (1, 9)}),
        ("0,-1,0 -1,5,-1 0,-1,0", {"0 -1 0; -1 5 -1; 0 -1 0": (3, 3), "0 -1 0 -1 5 -1 0 -1 0": (1, 9)}),
        ("0,5 1,5; 2,5 3", {"0.5 1.5; 2.5 3": None}),
        ("0,5 1,5; 2,5 3,5", {"0.5 1.5; 2.5 3.5": (2, 2), "0 5 1 5; 2 5 3 5": (2, 4)}),
        ("0,1 0,2", {"0 1; 0 2": (2, 2), "0.1 0.2": (1, 2), "0 1 0 2": (1, 4)}),
        ("1 2; 3 4\n5 6; 7 8", {"1 2; 3 4; 5 6; 7 8": (4, 2), "1 2 3 4; 5 6 7 8": (2, 4)}),
    ],
)
def test_what_can_be_read_in_two_ways_is_asked_about(text, readings):
    with pytest.raises(CnncliError) as caught:
        parse_spec(text)
    if None in readings.values():  # one reading has rows of one length: the place of the odd one is named
        assert "row 2, column 4" in caught.value.message
        return
    assert re.findall("'([^']+)' for", caught.value.hint) == list(readings)
    for written, shape in readings.items():
        assert parse_spec(written).weights.shape == shape
        assert f"{shape[1]}x{shape[0]}" in caught.value.message


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("sobel", "sobel"),
        ("sobel:x", "sobel-x"),
        ("SOBEL:OUTPUT=X", "sobel-x"),
        ("sobel:angle", "sobel-direction"),
        ("gaussian:2", "gaussian-sigma2"),
        ("gaussian:sigma=2.5,size=7", "gaussian-sigma2.5-size7"),
        ("blur:3", "gaussian-sigma3"),
        ("box:3", "box"),
        ("box:5,size-y=1", "box-size5-size-y1"),
        ("motion:angle=-45", "motion-angle-45"),
    ],
)
def test_names_for_files(spec, name):
    assert name_for_files(spec, parse_spec(spec)) == name


def test_matrices_have_names_of_their_own():
    specs = ["1 2; 3 4", "1 2; 3 5", "1 2 3 4", "1; 2; 3; 4", "2x2+0+0: 1 2 3 4", "2x2+1+1: 1 2 3 4"]
    names = [name_for_files(spec, parse_spec(spec)) for spec in specs]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("custom-[0-9a-f]{8}", name) for name in names)
    assert name_for_files("1,2;3,4", parse_spec("1,2;3,4")) == names[0]


def test_kernel_files_of_one_name_have_names_of_their_own(tmp_path):
    names = []
    for folder, text in (("a", "1 2"), ("b", "1 3"), ("c", "1, 2")):
        path = tmp_path / folder / "my edge.txt"
        path.parent.mkdir()
        path.write_text(text)
        names.append(name_for_files(str(path), parse_spec(str(path))))
    assert all(re.fullmatch("my-edge-[0-9a-f]{8}", name) for name in names)
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize(
    ("spec", "signed"),
    [
        ("-1 0 1; -2 0 2; -1 0 1", True),
        ("0 1 0; 1 -4 1; 0 1 0", True),
        ("1/3 1/3 1/3 -1", True),
        ("0 -1 0; -1 5 -1; 0 -1 0", None),
        ("1 1; 1 1", None),
        ("-1", None),
    ],
)
def test_a_matrix_that_sums_to_nothing_answers_around_zero(spec, signed):
    assert parse_spec(spec).signed is signed


def test_a_matrix_that_is_too_large():
    with pytest.raises(CnncliError, match="4098x1; expected at most 4097"):
        parse_spec("1 " * 4098)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("gaussian:2", "gaussian:sigma=2,size=17"),
        ("GAUSSIAN:Sigma=2", "gaussian:sigma=2,size=17"),
        (" gaussian : sigma = 2 , size = 5 ", "gaussian:sigma=2,size=5"),
        ("gaussian:sigma=1,sigma_y=2", "gaussian:sigma=1,size=9,sigma-y=2,size-y=17"),
        ("gaussian:size=5", "gaussian:sigma=1.1,size=5"),
        ("gaussian:1/2", "gaussian:sigma=0.5,size=5"),
        ("gauss:3,7", "gaussian:sigma=3,size=7"),
        ("blur", "gaussian:sigma=1,size=9"),
        ("mexican_hat", "mexican-hat:sigma=2,size=17"),
        ("Mexican Hat", "mexican-hat:sigma=2,size=17"),
        ("box:5", "box:size=5"),
        ("median:5", "median:size=5"),
        ("sobel:x", "sobel:output=x"),
        ("sobel:Output=Angle", "sobel:output=direction"),
        ("motion:15,45", "motion:length=15,angle=45"),
        ("sharpen:amount=2,neighbors=8", "sharpen:amount=2,neighbours=8"),
        ("gabor:lambda=4,psi=90,size=9", "gabor:wavelength=4,theta=0,sigma=2.24,gamma=0.5,phase=90,size=9"),
        ("line:vertical", "line:output=90,polarity=both"),
        ("line:max", "line:output=magnitude,polarity=both"),
        ("kirsch:angle", "kirsch:output=direction"),
    ],
)
def test_names(text, spec):
    assert parse_spec(text).spec == spec


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("gausian", "unknown kernel 'gausian'", "Did you mean -k gaussian?"),
        ("soble:x", "unknown kernel 'soble:x'", "Did you mean -k sobel?"),
        ("mexicanhatt", "unknown kernel", "Did you mean -k mexican-hat?"),
        ("zzzzzz", "unknown kernel 'zzzzzz'", "cnncli kernels"),
        (
            "gaussian:sgma=2",
            "gaussian: unknown parameter 'sgma'; expected sigma, size",
            "Did you mean sigma=…?",
        ),
        ("kirsch:answer=direction", "unknown parameter 'answer'", "Did you mean -k kirsch:output=direction?"),
        ("sobel:dir=X", "unknown parameter 'dir'", "Did you mean -k sobel:output=X?"),
        (
            "line:polarity=dark,direction=90",
            "unknown parameter 'direction'; expected output, polarity",
            "Did you mean -k line:polarity=dark,output=90?",
        ),
        ("outline:size=3", "outline: unknown parameter 'size'; outline takes none", "-k outline"),
        ("outline:3", "outline: '3' has no name", "cnncli kernels outline"),
        ("gaussian:sigma=-1", "sigma=-1; expected a number from 0 to 512", "cnncli kernels gaussian"),
        ("gaussian:sigma=nan", "sigma=nan; expected a number from 0 to 512", "cnncli kernels gaussian"),
        ("gaussian:sigma=1e999", "sigma=1e999; expected a number from 0 to 512", "cnncli kernels gaussian"),
        ("gaussian:size=4", "size=4; expected a whole odd number from 1 to 4097", "cnncli kernels gaussian"),
        (
            "gaussian:size=4099",
            "size=4099; expected a whole odd number from 1 to 4097",
            "cnncli kernels gaussian",
        ),
        ("box:size=2.5", "size=2.5; expected a whole number from 1 to 4097", "cnncli kernels box"),
        ("box:size=999999999", "size=999999999; expected a whole number", "cnncli kernels box"),
        (
            "sobel:output=magnitud",
            "expected x, y, magnitude or direction",
            "Did you mean output=magnitude?",
        ),
        ("sobel:90", "output=90; expected x, y, magnitude or direction", "cnncli kernels sobel"),
        ("gaussian:", "gaussian: parameter 1 is ''", "cnncli kernels gaussian"),
        ("gaussian:sigma=", "gaussian: parameter 1 is 'sigma='", "cnncli kernels gaussian"),
        ("gaussian:=2", "gaussian: parameter 1 is '=2'", "cnncli kernels gaussian"),
        ("gaussian:sigma=2,,size=5", "gaussian: parameter 2 is ''", "cnncli kernels gaussian"),
        ("gaussian:2,sigma=3", "gaussian: sigma is given twice", "cnncli kernels gaussian"),
        ("gaussian:sigma=3,sigma-x=3", "gaussian: sigma is given twice", "cnncli kernels gaussian"),
        ("gaussian:size=3,2", "gaussian: '2' has no name", "cnncli kernels gaussian"),
        ("median:5,5", "median: '5' has no name", "cnncli kernels median"),
        ("dog:sigma=1,sigma2=1", "nothing is left", "different"),
    ],
)
def test_wrong_names_and_parameters(text, message, hint):
    with pytest.raises(CnncliError, match=re.escape(message)) as caught:
        parse_spec(text)
    assert hint in caught.value.hint


PIECES = "size sigma direction = : , ; 3x3 +1+1 - nan 0 1 7 2.5 1/9 1e40 x [ ] .png .npy .json .txt / ./ #"
WORDS = st.sampled_from([*CATALOG, *ALIASES, *PIECES.split(), " ", "\n", "\x00"])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=12).map("".join)))
def test_any_text_is_a_filter_or_a_clear_error(text):
    try:
        found = parse_spec(text)
    except CnncliError as fault:
        found = fault
    assert isinstance(found, Filter) or (found.message and found.hint)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.floats(-1e30, 1e30), min_size=width, max_size=width), min_size=1, max_size=4
        )
    )
)
def test_a_matrix_reads_back_to_the_bit(rows):
    found = parse_spec("; ".join(" ".join(repr(value) for value in row) for row in rows))
    np.testing.assert_array_equal(found.weights, rows)
    np.testing.assert_array_equal(parse_spec(found.spec).weights, rows)


@pytest.mark.parametrize(
    ("spec", "place"),
    [("2x2: 1 0 0 0", (0, 0)), ("4x1: 1 0 0 0", (0, -1)), ("1x4: 1 0 0 0", (-1, 0)), ("2: 0 0 0 1", (1, 1)),
     ("2x2+1+1: 1,0,0,0", (-1, -1)), ("3x3: 1,0,0,0,0,0,0,0,0", (-1, -1)), ("1 0; 0 0", (-1, -1))],
)  # fmt: skip
def test_an_impulse_lands_where_imagemagick_has_it(spec, place):
    """As ImageMagick 6.9 -morphology Convolve puts it; a plain matrix keeps the cell (kw // 2, kh // 2)."""
    image = np.zeros((9, 9, 1), np.uint8)
    image[4, 4] = 200
    depth = Depth(np.dtype(np.uint8), 255.0)
    answer = apply_filters(
        image, [parse_spec(spec)], Options(), alpha=False, source=depth, target=depth, threads=1
    )
    assert np.argwhere(answer.pixels[..., 0]).tolist() == [[4 + place[0], 4 + place[1]]]
