"""Every number of an explained run follows from those before it: read as a person would, for all kernels."""

import numpy as np
import pytest
from explain_cases import photo
from explain_reader import read, value

from cnncli.cli.explained import FilterRun, explain
from cnncli.filters.apply import Depth
from cnncli.filters.borders import Border
from cnncli.filters.catalog import CATALOG
from cnncli.filters.kinds.canny import Canny
from cnncli.filters.kinds.median import Median
from cnncli.filters.kinds.zero_crossings import ZeroCrossings
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec
from cnncli.images.picture import Metadata, Picture
from cnncli.views.explain.page import window_cell
from cnncli.views.explain.places import scene
from cnncli.views.explain.window import Sheet
from cnncli.views.explain.worked import work_out

SPECS = [
    *(name for name in CATALOG if parse_spec(name).explained_alone),
    "threshold:adaptive:5:0.02",
    "box:size=4",
    "gaussian:sigma=0.6",
    "gaussian:sigma=3",
    "motion:length=7.5,angle=30",
    "sharpen:amount=0.5",
    "unsharp:amount=2,size=5,threshold=0.05",
    "emboss:angle=10",
    *(f"{name}:output={d}" for name in ("sobel", "farid", "roberts") for d in ("x", "y", "direction")),
    "laplacian:neighbours=8",
    "log:sigma=0.5,size=5",
    "zero-crossings:sigma=0.6",
    *(f"{name}:output=direction" for name in ("kirsch", "robinson", "frei-chen")),
    "gabor:wavelength=3,size=5",
    "gabor-bank:orientations=3,wavelength=3,size=5",
    "line:output=direction",
    "corner:output=45",
    "median:size=5",
    "bilateral:size=5,sigma-color=0.3",
    "canny:sigma=1,low=0.02,high=0.3",
    "1 2 3; 0 -1 0.5; -1 -2 0",
    "0.37 1; -0.21 2",
    "1 1 1 1 1",
    "3",
    "3x3: 0.1,0.2,0.3 0.4,0.5,0.6 0.7,0.8,0.9",
]
RUNS = {
    "strided": (["gaussian:sigma=2", "sobel"], {"stride": (2, 3)}),
    "chain of four": (["box", "median", "gaussian", "laplacian"], {}),
    "chain to a matrix": (["gaussian:sigma=1.3", "1 2 3; 0 -1 0.5; -1 -2 0"], {"correlate": True}),
    "chain to canny": (["gaussian", "canny"], {}),
    "repeated": (["box:3"], {"repeat": 4}),
    "linear light": (["gaussian"], {"linear": True}),
    "magnitude": (["sobel:output=x"], {"range": "abs", "scale": 3.0, "bias": 40.0}),
    "scaled": (["laplacian"], {"scale": 0.7, "bias": -3.0}),
    "stretched": (["laplacian"], {"range": "stretch"}),
    "valid and wrapped": (["emboss"], {"border": Border("wrap"), "mode": "full"}),
    "divided": (["1 2 3; 4 5 6"], {"normalize": "sum"}),
    "dilated": (["sharpen"], {"dilation": 2}),
}


def explained(specs, image, white=255.0, **options):
    filters = tuple(parse_spec(spec) for spec in specs)
    picture = Picture(frames=(image,), alpha=image.shape[2] in (2, 4), format="PNG", metadata=Metadata())
    return explain(FilterRun(picture, filters, Options(**options), Depth(image.dtype, white), "a.png", 2))


def picture(kind):
    """The picture of `photo` in gray, in colour, in 16 bits and in floats, and its white."""
    gray = photo()[:, :, None]
    color = np.concatenate([photo(seed=s)[:, :, None] for s in (1, 2, 3)], axis=2)
    return {
        "gray": (gray, 255.0),
        "colour": (color, 255.0),
        "16 bits": (gray.astype(np.uint16) * 257 + 5, 65535.0),
        "float": ((gray / np.float32(255)).astype(np.float32), 1.0),
    }[kind]


def check(e):
    for place in scene(e)[1]:
        cell = window_cell(e, place, Sheet())
        working = work_out(e, place, cell)
        now, checked = read(working, cell)
        assert checked > 0 or max(e.window) > 7 or isinstance(e.filter, ZeroCrossings | Median)
        if not isinstance(e.filter, Canny | ZeroCrossings):
            assert value(now) == working.pixel


@pytest.mark.parametrize("kind", ["gray", "colour", "16 bits", "float"])
@pytest.mark.parametrize("spec", SPECS)
def test_every_step_follows_from_the_printed_numbers(spec, kind):
    image, white = picture(kind)
    check(explained([spec], image, white))


@pytest.mark.parametrize("name", RUNS)
def test_chains_and_options(name):
    specs, options = RUNS[name]
    check(explained(specs, picture("colour")[0], **options))


@pytest.mark.parametrize("spec", ["gaussian", "sobel", "median", "1 2; 3 -4"])
def test_anywhere_on_a_blurred_image(spec):
    """Rounding bites where numbers are many and small: flat areas after a blur."""
    e = explained(["gaussian:sigma=2", spec], picture("gray")[0])
    for place in np.ndindex(e.shown.shape[::-1]):
        if sum(place) % 23 == 0:
            cell = window_cell(e, place, Sheet())
            read(work_out(e, place, cell), cell)


@pytest.mark.parametrize("spec", ["kirsch", "box:15", "gaussian:sigma=2"])
def test_no_tie_is_said_that_is_none(spec):
    """117.473, shown as 117.5, is not rounded half to even."""
    e = explained([spec], picture("gray")[0])
    for place in list(np.ndindex(e.shown.shape[::-1]))[::5]:
        lines = work_out(e, place).lines
        if lines and "half to even" in lines[-1]:
            assert float(e.response[place[1], place[0]]) % 1 == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("spec", ["kuwahara:3", "kuwahara:5"])
def test_corners_of_kuwahara_are_chosen_by_all_channels(spec):
    """The corner that the page names varies least over all channels, and its mean is the run's."""
    image = picture("colour")[0]
    e = explained([spec], image)
    reach = e.filter.size // 2
    pixels = np.pad(image.astype(float), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    names = ("top left", "top right", "bottom left", "bottom right")
    for y, x in np.ndindex(8, 9):
        parts = [
            pixels[y + i : y + i + reach + 1, x + j : x + j + reach + 1]
            for i in (0, reach)
            for j in (0, reach)
        ]
        variances = [part.var(axis=(0, 1)).sum() for part in parts]
        working = work_out(e, (x, y))
        best = next(
            i for i, name in enumerate(names) if working.lines[4].startswith(f"least variance: {name},")
        )
        assert variances[best] == pytest.approx(min(variances))
        assert working.value == pytest.approx(float(e.response[y, x]), abs=1e-3)
        assert not any("whole run" in line for line in working.lines)
        for line, variance in zip(working.lines, variances, strict=False):
            total = float(line.rpartition(" = ")[2])
            assert total == pytest.approx(variance, rel=1e-4)
