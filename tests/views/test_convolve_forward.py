"""The scripts of the page on which a convolution is explored: its forward pass and its arithmetic."""

from pathlib import Path

import numpy as np
import pytest
from explain_cases import photo
from scipy import ndimage

import cnncli
from cnncli.cli.explained import FilterRun, explain, whole_run
from cnncli.cli.explained_page import page_picture
from cnncli.filters.apply import Depth
from cnncli.filters.borders import Border
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec
from cnncli.images.picture import Metadata, Picture
from cnncli.views.explore.convolve import Choice
from cnncli.views.explore.convolve.page import FORWARD, page_data

SCRIPTS = Path(cnncli.__file__).parent / "views" / "explore"
HALF = 0.5 + 2e-3  # a level before rounding; the command's sums are float32
RUNS = {
    "a matrix": (["1 2 3; 0 -1 0.5; -1 -2 0"], {}),
    "an even matrix in a chain": (["gaussian:sigma=1", "1 2; -3 0.5"], {"correlate": True}),
    "strided and dilated": (["sharpen"], {"stride": (2, 3), "dilation": 2, "border": Border("wrap")}),
    "the whole overlap": (["emboss"], {"mode": "full", "border": Border("constant", 40.0)}),
    "only the inside": (["box:size=5"], {"mode": "valid", "border": Border("reflect")}),
    "a region": (["laplacian"], {"roi": (5, 7, 20, 11), "border": Border("replicate")}),
    "divided": (["1 2 3; 4 5 6"], {"normalize": "sum", "anchor": (0, 1)}),
    "magnitude": (["sobel:x"], {"range": "abs", "scale": 3.0, "bias": 40.0}),
    "stretched": (["laplacian"], {"range": "stretch"}),
    "linear light": (["gaussian"], {"linear": True}),
    "a pair": (["sobel"], {}),
    "directions": (["scharr:output=direction"], {}),
    "a bank": (["kirsch"], {}),
    "a bank's directions": (["robinson:output=direction"], {}),
    "an energy": (["frei-chen"], {}),
    "lines of either sign": (["line"], {"gray": False}),
    "a median": (["median:size=5"], {}),
    "unsharp with a threshold": (["unsharp:threshold=0.05"], {}),
    "repeated": (["box:3"], {"repeat": 3}),
}


def pictures():
    gray = photo()[:, :, None]
    color = np.concatenate([photo(seed=s)[:, :, None] for s in (1, 2, 3)], axis=2)
    return {
        "gray": (gray, 255.0),
        "colour": (color, 255.0),
        "16 bits": (gray.astype(np.uint16) * 257 + 5, 65535.0),
        "float": ((color / np.float32(255)).astype(np.float32), 1.0),
    }


def filter_run(specs, image, white, **options):
    filters = tuple(parse_spec(spec) for spec in specs)
    picture = Picture(frames=(image,), alpha=False, format="PNG", metadata=Metadata())
    return FilterRun(picture, filters, Options(**options), Depth(image.dtype, white), "a.png", 2)


@pytest.fixture(scope="module")
def scripts(browser):
    """The page's forward pass without a page: ``scripts(run, expression)`` evaluates with a first state."""
    page = browser.new_page()
    page.set_content('<script type="application/json" id="data">{}</script>')
    names = ["frame.js", *(f"convolve/{name}.js" for name in FORWARD)]
    code = "".join((SCRIPTS / name).read_text(encoding="utf-8") for name in names)

    def evaluate(run, expression):
        data = page_data([page_picture(run)], Choice(run.filters, run.options))
        body = f"'use strict';{code}; const state = firstState(data); return (async () => {expression})();"
        return page.evaluate("([body, data]) => new Function('data', body)(data)", [body, data])

    yield evaluate
    page.close()


MAP = """{ const run = prepare(state); const map = await featureMap(run, () => true);
           return [run.height, run.width, map.levels.map((plane) => [...plane])]; }"""


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("kind", ["gray", "colour"])
def test_the_forward_pass_is_the_commands(scripts, name, kind):
    specs, options = RUNS[name]
    check_map(scripts, filter_run(specs, *pictures()[kind], **options))


@pytest.mark.parametrize("name", ["a pair", "linear light", "magnitude", "stretched"])
@pytest.mark.parametrize("kind", ["16 bits", "float"])
def test_the_forward_pass_is_the_commands_at_other_depths(scripts, name, kind):
    specs, options = RUNS[name]
    check_map(scripts, filter_run(specs, *pictures()[kind], **{**options, "bias": 0.0}))


def check_map(scripts, run):
    height, width, planes = scripts(run, MAP)
    pixels = whole_run(run).pixels
    levels = np.clip(np.array(planes).reshape(-1, height, width), 0, 255)
    assert np.array_equal(levels.shape, np.moveaxis(pixels, 2, 0).shape)
    apart = np.abs(levels - np.moveaxis(pixels, 2, 0).astype(float))
    if not run.filters[-1].is_angle:
        assert apart.max() <= HALF
        return
    # Half a turn to either side is the same direction; of directions that tie, rounding decides.
    assert (np.minimum(apart, 255 - apart) > HALF).mean() <= 0.01


WORK = "workOut(prepare(state), [11, 8], [0, 0], state.inputs[0].made?.[0] ?? 0)"


@pytest.mark.parametrize(
    "spec", ["bilateral:size=5,sigma=1.5", "kuwahara", "median", "gaussian", "sobel", "gabor-bank:size=5"]
)
def test_the_response_of_a_window_is_that_of_the_run(scripts, spec):
    run = filter_run([spec], *pictures()["colour"])
    found = scripts(run, WORK)
    assert found["response"] == pytest.approx(float(explain(run).response[8, 11]), abs=0.05)


def test_the_steps_of_canny_are_those_of_the_picture(scripts):
    from cnncli.views.explain.kinds.canny import slopes_at

    run = filter_run(["canny:sigma=1.2"], *pictures()["gray"])
    expected = slopes_at(explain(run), (11, 8), 1.2)
    assert np.allclose(scripts(run, WORK)["grids"][0]["values"], expected.size, atol=1e-6)


def test_responses_around_a_zero_crossing_are_those_of_scipy(scripts):
    image, white = pictures()["gray"]
    run = filter_run(["zero-crossings:sigma=1.2"], image, white)
    sums = ndimage.convolve(image[:, :, 0].astype(float), run.filters[0].weights, mode="mirror")
    assert np.allclose(scripts(run, WORK)["grids"][0]["values"], sums[7:10, 10:13], atol=1e-6)
