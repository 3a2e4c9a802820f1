"""Index maps against a walk along the line, and against numpy.pad."""

import numpy as np
import pytest
from plain_loop import pixel_at, starts

from cnncli.errors import CnncliError
from cnncli.filters.borders import ALIASES, Axis, Border, index_map, parse_border

MODES = ["replicate", "reflect", "reflect101", "wrap", "constant"]
NUMPY_PAD = {"replicate": "edge", "reflect": "symmetric", "reflect101": "reflect", "wrap": "wrap"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_every_position_however_far(mode, size):
    positions = np.arange(-30 * size - 5, 31 * size + 5)
    expected = [pixel_at(int(i), size, mode) for i in positions]
    found = index_map(positions, size, mode)
    assert found.dtype == np.intp
    assert found.tolist() == [-1 if i is None else i for i in expected]


@pytest.mark.parametrize("mode", NUMPY_PAD)
@pytest.mark.parametrize("size", [2, 3, 8])
def test_it_is_numpys_pad(mode, size):
    padded = np.pad(np.arange(size), 40, mode=NUMPY_PAD[mode])
    np.testing.assert_array_equal(index_map(np.arange(-40, size + 40), size, mode), padded)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("replicate", "aaa|abcd|ddd"),
        ("reflect", "cba|abcd|dcb"),
        ("reflect101", "dcb|abcd|cba"),
        ("wrap", "bcd|abcd|abc"),
        ("constant", "VVV|abcd|VVV"),
    ],
)
def test_it_is_as_drawn(mode, expected):
    drawn = "".join("abcdV"[i] for i in index_map(np.arange(-3, 7), 4, mode))
    assert f"{drawn[:3]}|{drawn[3:7]}|{drawn[7:]}" == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("output", ["same", "valid", "full"])
@pytest.mark.parametrize(
    ("size", "extent", "anchor"), [(9, 3, 1), (9, 4, 0), (5, 5, 4), (1, 1, 0), (20, 7, 6)]
)
@pytest.mark.parametrize("stride", [1, 2, 3, 50])
def test_the_map_of_an_axis(mode, output, size, extent, anchor, stride):
    found, count = Axis(size, extent, anchor).input_map(output, mode, stride=stride)
    firsts = starts(size, extent, anchor, output, stride)
    assert count == len(firsts)
    for number, first in enumerate(firsts):
        expected = [pixel_at(first + k, size, mode) for k in range(extent)]
        window = found[number * stride : number * stride + extent]
        assert window.tolist() == [-1 if i is None else i for i in expected]
    assert len(found) == (count - 1) * stride + extent


@pytest.mark.parametrize("window", [(0, 1), (0, 7), (3, 2), (6, 1)])
def test_a_window_is_part_of_the_whole(window):
    axis = Axis(20, 5, 2)
    whole, count = axis.input_map("same", "wrap", stride=3)
    assert count == 7
    part, few = axis.input_map("same", "wrap", stride=3, window=window)
    first = window[0] * 3
    assert few == window[1]
    assert part.tolist() == whole[first : first + (few - 1) * 3 + 5].tolist()


def test_valid_is_empty_where_the_kernel_is_larger():
    assert Axis(3, 5, 2).positions("valid")[1] < 1
    assert Axis(3, 3, 1).positions("valid") == (0, 1)


# The option


@pytest.mark.parametrize("mode", MODES)
def test_names(mode):
    assert parse_border(mode) == Border(mode, 0)
    assert parse_border(f" {mode.upper()} ") == Border(mode, 0)


@pytest.mark.parametrize(
    ("alias", "mode"),
    [
        ("nearest", "replicate"),  # scipy.ndimage
        ("mirror", "reflect101"),
        ("grid-wrap", "wrap"),
        ("grid-constant", "constant"),
        ("BORDER_REPLICATE", "replicate"),  # OpenCV
        ("BORDER_REFLECT_101", "reflect101"),
        ("BORDER_CONSTANT", "constant"),
        ("edge", "replicate"),  # numpy.pad
        ("symmetric", "reflect"),
    ],
)
def test_aliases(alias, mode):
    assert parse_border(alias).mode == mode


def test_no_alias_hides_a_name():
    assert not set(ALIASES) & set(MODES)
    assert set(ALIASES.values()) <= set(MODES)


@pytest.mark.parametrize(
    ("text", "value"),
    [("constant:255", 255), ("constant:-1.5", -1.5), ("zero", 0), ("border_constant:7e2", 700)],
)
def test_a_constant_has_a_value(text, value):
    assert parse_border(text) == Border("constant", value)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "mirorr",
            "--border is 'mirorr'; expected one of replicate, reflect, reflect101, wrap, constant",
            "mirror",
        ),
        ("", "expected one of", "default is reflect101"),
        ("replicate:3", "only constant takes a value", "Write --border replicate."),
        ("constant:", "expected a finite number", "constant:255"),
        ("constant:nan", "expected a finite number", "constant:255"),
        ("constant:inf", "expected a finite number", "constant:255"),
        ("constant:red", "--border is 'constant:red'; expected a finite number", "constant:255"),
    ],
)
def test_bad_borders(text, message, hint):
    with pytest.raises(CnncliError, match=message) as raised:
        parse_border(text)
    assert hint in raised.value.hint
