"""Figures of networks: nothing overlaps, everything is shown, and places are the best there are."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from cnncli.models.catalog import MODELS
from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.nn.blocks import outline
from cnncli.views.architecture.cards import cards
from cnncli.views.architecture.draw import STYLES, draw
from cnncli.views.architecture.layout import Gaps, forms, layered, ranks_of, spread
from cnncli.views.architecture.page import PAGE, Heading
from cnncli.views.architecture.sheet import Sheet
from cnncli.views.figure.scene import Group, Line, Words

NETWORKS = ("vgg16-bn", "googlenet:aux", "seresnet18", "efficientnet-lite0", "textcnn")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    shape, classes = MODELS[request.param.partition(":")[0]].usual
    return build(request.param, shape, classes)


def overlap(one, other):
    return all(min(one[i + 2], other[i + 2]) - max(one[i], other[i]) > 0.5 for i in (0, 1))


def crosses(line, box):
    """Whether a straight line passes through a box, by 60 points of it."""
    (x0, y0), (x1, y1) = line
    shares = np.linspace(0, 1, 60)
    x, y = x0 + shares * (x1 - x0), y0 + shares * (y1 - y0)
    left, top, right, bottom = box
    return bool(((x > left + 1) & (x < right - 1) & (y > top + 1) & (y < bottom - 1)).any())


@pytest.mark.parametrize("style", STYLES)
def test_text_is_readable(network, style):
    figure = draw(
        Sheet.of(network, summary(network)), Heading("A network", ("of which much is known",)), STYLES[style]
    )
    words = [item for item in figure.flat if isinstance(item, Words)]
    lines = [part for item in figure.flat if isinstance(item, Line) for part in pairwise(item.points)]
    assert not [(a.text, b.text) for i, a in enumerate(words) for b in words[:i] if overlap(a.box, b.box)]
    assert not [each.text for each in words if any(crosses(line, each.box) for line in lines)]
    assert all(each.box[0] >= 0 and each.box[2] <= figure.width for each in words)
    assert sorted((figure.width, figure.height)) <= list(PAGE)
    assert max(figure.width, figure.height) <= PAGE[1] + 0.5
    assert min(each.size for each in words) * 0.75 > 5  # points, on a page of A4


def test_all_layers_are_shown_once(network):
    table = summary(network)
    shown = cards(outline(network), table)
    assert sum(card.parameters for card in shown) == table.parameters
    assert sum(card.multiply_adds for card in shown) == sum(row.multiply_adds for row in table.layers)
    whole = cards(outline(network), table, whole=True)
    assert [name for card in whole for name in card.names] == list(network.nodes)


def test_cards_read_what_their_layers_read(network):
    shown = cards(outline(network), summary(network), whole=True)
    owner = {name: card.name for card in shown for name in card.names} | {"input": "input"}
    for card in shown:
        read = {owner[source] for name in card.names for source in network.nodes[name].inputs}
        assert set(card.reads) == read - {card.name}


def test_blocks_that_are_alike_are_one_card():
    shape, classes = MODELS["resnet50"].usual
    graph = build("resnet50", shape, classes)
    shown = cards(outline(graph), summary(graph))
    assert [card.times for card in shown if card.block] == [1, 2, 1, 3, 1, 5, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_spread_is_the_least_squares(seed):
    random = np.random.default_rng(seed)
    wanted, weights = random.normal(0, 20, 6), random.uniform(0.1, 3, 6)
    steps = random.uniform(1, 20, 5)
    limits = [{"type": "ineq", "fun": lambda x, i=i: x[i + 1] - x[i] - steps[i]} for i in range(len(steps))]
    start = np.concatenate([[wanted[0]], wanted[0] + np.cumsum(steps)])
    best = minimize(lambda x: (weights * (x - wanted) ** 2).sum(), start, constraints=limits, tol=1e-12)
    np.testing.assert_allclose(spread(wanted, steps, weights), best.x, atol=1e-3)


def test_branches_lie_beside_each_other():
    sizes = dict.fromkeys(("input", "a", "b", "sum"), (10.0, 30.0))
    edges = [("input", "a"), ("input", "b"), ("a", "sum"), ("b", "sum"), ("input", "sum")]
    layout = layered(sizes, edges, Gaps(5, 4))
    assert ranks_of(list(sizes), edges) == {"input": 0, "a": 1, "b": 1, "sum": 2}
    (_, _, left, right), (_, _, left2, right2) = layout.places["a"], layout.places["b"]
    assert right + 4 <= left2 + 1e-9 or right2 + 4 <= left + 1e-9
    assert len(layout.routes["input", "sum"]) == 4  # past the cards between


def test_parts_are_of_about_one_length():
    sizes = dict.fromkeys(map(str, range(12)), (10.0, 30.0))
    edges = [(str(number), str(number + 1)) for number in range(11)]
    lengths = [layout.size[0] for layout in forms(sizes, edges, Gaps(5, 4))]
    assert lengths[:4] == [15 * 12 + 5, 15 * 6 + 5, 15 * 4 + 5, 15 * 3 + 5]


def test_each_card_has_a_title_for_screen_readers(network):
    figure = draw(Sheet.of(network, summary(network)), Heading("A network"), STYLES["flow"])
    titles = [item.title for item in figure.items if isinstance(item, Group)]
    for card in cards(outline(network), summary(network)):
        assert any(title.startswith(card.names[0]) for title in titles)
