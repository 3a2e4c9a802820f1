"""Kernels and parameters as other programs write them: the hint says what works here."""

import re

import pytest

from cnncli.errors import CnncliError
from cnncli.filters.aliases import _ALIASES
from cnncli.filters.spec import parse_spec


def hint_of(text):
    with pytest.raises(CnncliError) as caught:
        parse_spec(text)
    return caught.value.hint


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("gaussian=2", "gaussian:2"),
        ("gaussian=sigma=2", "gaussian:sigma=2"),
        ("gaussian sigma=2", "gaussian:sigma=2"),
        ("gaussian:sigma:2", "gaussian:sigma=2"),
        ("gaussian:sigma=2;size=5", "gaussian:sigma=2,size=5"),
        ("gaussian(2)", "gaussian:2"),
        ("gaussian2", "gaussian:2"),
        ("gaussian 0x2", "gaussian:2"),
        ("box:5x5", "box:5"),
        ("median=5", "median:5"),
        ("motion=9,45", "motion:9,45"),
    ],
)
def test_wrong_signs_are_put_right(written, right):
    assert hint_of(written).startswith(f"Did you mean -k {right}? ")
    parse_spec(right)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("brightness", "identity --bias 10%"),
        ("otsu", "threshold:otsu"),
        ("edges", "sobel"),
        ("FIND_EDGES", "sobel"),
        ("medianBlur", "median"),
        ("oilpaint", "kuwahara"),
        ("GaussianBlur", "gaussian"),
        ("equalizeHist", "equalize"),
    ],
)
def test_names_of_other_programs(written, right):
    assert hint_of(written).startswith(f"Did you mean -k {right}? ")


@pytest.mark.parametrize("answer", sorted(set(_ALIASES.values())))
def test_what_is_suggested_is_a_kernel(answer):
    parse_spec(re.match(r"[^\s,]+", answer).group())


def test_negating_and_gray_do_what_they_say(tmp_path, monkeypatch):
    import numpy as np
    from PIL import Image

    from cnncli.cli.run import run

    monkeypatch.chdir(tmp_path)
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save("a.png")
    assert run(["convolve", "a.png", "-k", "negate", "-o", "b.png", "-q"]) == 0
    with Image.open("b.png") as negative:
        assert np.array_equal(np.asarray(negative), 255 - pixels)
    assert run(["convolve", "a.png", "-k", "grayscale", "-o", "c.png", "-q"]) == 0
    with Image.open("c.png") as gray:
        assert gray.mode == "L"


def test_a_level_of_255_is_a_fraction_here():
    assert "low=0.039, which is 10 of 255" in hint_of("canny:low=10")
    assert "high=0.78, which is 200 of 255" in hint_of("canny:high=200")


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("gaussian:std=2", "sigma"),
        ("disk:radus=3", "radius"),
        ("canny:threshold1=1", "low"),
        ("gaussian:sigm=2", "sigma"),
    ],
)
def test_parameters_of_other_programs(written, right):
    assert hint_of(written).startswith(f"Did you mean {right}=…? ")
