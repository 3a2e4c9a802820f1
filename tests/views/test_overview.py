"""The overview of a network: the maps that vary most of each stage, on a page that fits a screen."""

import numpy as np
import pytest

from cnncli.models.catalog import MODELS
from cnncli.models.choice import build
from cnncli.models.stages import stages
from cnncli.views.featuremaps.layer_maps import layer_maps
from cnncli.views.featuremaps.overview import overview, strips
from cnncli.views.sections import BarRow, Page, Tile
from cnncli.views.sections_screen import SIZE, screen_canvas
from tests.views.test_featuremaps import without_overlap


def sections_of(name, rng, *, spread=None):
    """The rows of a network by name, with made up activations of its shapes."""
    graph = build(name, *MODELS[name].usual)
    names = overview(graph, [*graph.nodes])
    values = {}
    for each in names:
        height, width, channels = graph.nodes[each].shape[:3]
        tile = rng.normal(0, 1, (height, width, 1)).astype(np.float32)
        values[each] = tile * np.linspace(1, 2, channels, dtype=np.float32)
    image = np.full((*graph.input_shape[:2], 3), 90, np.uint8)
    return strips(layer_maps(graph, values), stages(graph), image)


def page_of(sections):
    long = "a class with a name that is rather long, and some more of it"
    return Page(
        "Feature maps of a-network-with-options:width=0.25",
        "a photograph with a long name.jpeg, 133,047,848 parameters from best.safetensors, 1,000 classes",
        tuple(
            Tile(
                np.zeros(shape, np.uint8),
                "input of the network: 300 × 300, gray",
                "inverted, cropped, centred",
            )
            for shape in ((448, 300, 3), (28, 28, 3))
        ),
        tuple(BarRow(f"{i} {long}", f"{i}.00%", i / 10) for i in range(5)),
        tuple(sections),
        "how to read it, in some more words " * 12,
        fits_screen=True,
    )


@pytest.mark.parametrize(
    "name", ["lenet5", "2conv", "resnet20", "googlenet", "vgg11", "efficientnet-lite0", "unet", "segmenter"]
)
def test_it_fits_a_screen(name, rng):
    canvas = screen_canvas(page_of(sections_of(name, rng)))
    assert (canvas.width, SIZE) == (1600, (1600, 1000))
    assert 700 <= canvas.height <= 1000
    without_overlap(canvas)
    assert canvas.array().shape == (canvas.height, 1600, 3)


def test_no_network_that_ships_has_more_stages_than_fit():
    """Others are as the tallest that is drawn above: ten stages, or nine and a list of values."""
    for name, model in MODELS.items():
        if model.of != "texts":
            graph = build(name, *model.usual)
            assert len(stages(graph)) <= 10, name
            assert len(overview(graph, [*graph.nodes])) <= 10, name


def test_maps_that_vary_most_come_first(rng):
    graph = build("lenet5", (28, 28, 1), 10)
    values = {"relu1": rng.normal(0, 1, (28, 28, 6)).astype(np.float32)}
    spread = np.array([3, 1, 6, 2, 5, 4], np.float32)
    values["relu1"] = values["relu1"] * spread + np.array([0, 90, 0, 0, 0, 0], np.float32)  # flat but strong
    (layer,) = layer_maps(graph, values)
    assert layer.order[0] == 1
    (section,) = strips([layer], stages(graph), np.zeros((28, 28, 3), np.uint8))
    assert [tile.name for tile in section.tiles] == ["5 × 5", "#2", "#4", "#5", "#0", "#3", "#1"]
