"""Figures of networks: nothing overlaps, everything is shown, and places are the best there are."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from cnncli.models.catalog import MODELS
from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.nn.blocks import outline
from cnncli.nn.exchange import LAYERS
from cnncli.nn.layers import elsewhere
from cnncli.nn.layers.combine import Flatten
from cnncli.views.architecture.backward import TERMS
from cnncli.views.architecture.cards import cards
from cnncli.views.architecture.draw import STYLES, draw
from cnncli.views.architecture.example import Example
from cnncli.views.architecture.film import lit, moments
from cnncli.views.architecture.layout import Gaps, forms, layered, ranks_of, spread
from cnncli.views.architecture.page import PAGE, Heading
from cnncli.views.architecture.sheet import Sheet
from cnncli.views.figure.scene import Group, Line, Picture, Words, parallel

NETWORKS = ("vgg16-bn", "googlenet:aux", "seresnet18", "efficientnet-lite0", "textcnn")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    shape, classes = MODELS[request.param.partition(":")[0]].usual
    return build(request.param, shape, classes)


def crosses(line, box):
    """Whether a straight line passes through a box, by 100 points of it; its edge may be touched."""
    (x0, y0), (x1, y1) = line
    shares = np.linspace(0, 1, 100)
    x, y = x0 + shares * (x1 - x0), y0 + shares * (y1 - y0)
    left, top, right, bottom = box
    edge = 0.06 * (bottom - top)
    return bool(((x > left + edge) & (x < right - edge) & (y > top + edge) & (y < bottom - edge)).any())


def check_readable(figure, points=5):
    """No text overlaps text, no line runs through text, all lies on the page, and letters are large."""
    words = [item for item in figure.flat if isinstance(item, Words)]
    boxes = np.array([item.box for item in words])
    low, high = boxes[:, :2], boxes[:, 2:]
    common = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    pairs = np.argwhere(np.triu((common > 0.5).all(axis=2), 1))
    assert not [(words[i].text, words[j].text) for i, j in pairs]
    for item in figure.flat:
        for line in pairwise(item.points) if isinstance(item, Line) else ():
            near = (high > np.min(line, axis=0)).all(axis=1) & (low < np.max(line, axis=0)).all(axis=1)
            assert not [words[i].text for i in np.flatnonzero(near) if crosses(line, boxes[i])]
    assert (low >= 0).all()
    assert (high <= (figure.width, figure.height)).all()
    assert min(each.size for each in words) * 0.75 > points


def on_a4(figure):
    return (
        max(figure.width, figure.height) <= PAGE[1] + 0.5
        and min(figure.width, figure.height) <= PAGE[0] + 0.5
    )


@pytest.mark.parametrize("style", STYLES)
def test_text_is_readable(network, style):
    heading = Heading("A network", ("of which much is known",))
    figure = draw(Sheet.of(network, summary(network)), heading, STYLES[style])
    check_readable(figure)
    assert on_a4(figure)


def made_up(sheet):
    """A picture's way through a network, without running it: maps and norms are random numbers."""
    random = np.random.default_rng(5)
    shapes = {name: sheet.graph.shape_of(name)[:3] for name in sheet.tips}
    return Example(
        "a picture.png",
        random.integers(0, 256, (*sheet.graph.input_shape[:2], 3), np.uint8),
        (("a class whose name is rather long", 0.5), ("another", 0.3), ("third", 0.1)),
        "a class whose name is rather long",
        0.69,
        {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()},
        dict.fromkeys(sheet.tips, 1234.5),
        dict.fromkeys(sheet.graph.nodes, 1.2345e-5),
    )


@pytest.mark.parametrize("style", STYLES)
def test_the_way_back_is_readable(network, style):
    sheet = Sheet.of(network, summary(network), back=True)
    figure = draw(sheet, Heading("A network", ("of which much is known",)), STYLES[style])
    check_readable(figure, points=4.8)
    assert on_a4(figure)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["lenet5", "resnet50", "googlenet"])
def test_norms_and_maps_are_readable(name, style):
    graph = build(name, (28, 28, 1) if name == "lenet5" else (64, 64, 3), 10)
    sheet = Sheet.of(graph, summary(graph), back=True)
    figure = draw(replace(sheet, example=made_up(sheet)), Heading(name), STYLES[style])
    check_readable(figure, points=4.5)
    assert on_a4(figure)


@pytest.mark.parametrize("back", [False, True])
def test_all_layers_of_all_blocks_are_readable(back):
    shape, classes = MODELS["googlenet"].usual
    graph = build("googlenet", shape, classes)
    sheet = Sheet.of(graph, summary(graph), whole=True, back=back)
    check_readable(draw(sheet, Heading("googlenet"), STYLES["blocks"]))


def test_every_layer_of_the_catalog_has_a_term():
    assert {*LAYERS.values(), *elsewhere.LAYERS.values()} - {Flatten} <= set(TERMS)


def test_a_small_network_says_the_chain_rule_at_each_layer(tmp_path):
    graph = build("lenet5", (28, 28, 1), 10)
    sheet = Sheet.of(graph, summary(graph), back=True)
    said = {card.name: " ".join(sheet.back_of(card)) for card in sheet.shown}
    term = "dLoss/dw = sum over x,y of dLoss/doutput(x,y) · doutput(x,y)/dw"
    assert term in said["conv1"]
    assert term in said["conv2"]
    assert "relu: dLoss/dinput = dLoss/doutput where output > 0, else 0" in said["conv1"]
    assert "where the window's maximum was" in said["pool1"]


def test_arrows_back_go_the_other_way_beside_those_forward():
    graph = build("resnet18", (64, 64, 3), 10)
    figure = draw(Sheet.of(graph, summary(graph), back=True), Heading("x"), STYLES["flow"])
    keyed = {item.key: item.items[0] for item in figure.items if isinstance(item, Group) and item.key}
    forth = {key[1:]: line for key, line in keyed.items() if key[0] == "forth"}
    back = {key[1:]: line for key, line in keyed.items() if key[0] == "back"}
    assert forth.keys() == back.keys() != set()
    for edge, line in forth.items():
        gaps = (
            np.subtract(line.points[0], back[edge].points[-1]),
            np.subtract(line.points[-1], back[edge].points[0]),
        )
        assert all(0 < np.hypot(*gap) < 8 for gap in gaps)


def test_a_parallel_line_keeps_its_distance():
    found = parallel(((0, 0), (10, 0), (10, 0), (10, 20), (30, 20)), (0, 2))
    np.testing.assert_allclose(found, [(0, 2), (8, 2), (8, 22), (30, 22)])


def test_a_sharp_turn_leaves_room_for_the_head():
    steep = ((0, 0), (7, 0), (10, 200), (60, 200))
    for line in (parallel(steep, (0, 5)), parallel(steep, (0, -5))):
        assert line[1][0] >= line[0][0] + 6.9


def test_nothing_goes_back_to_words():
    shape, classes = MODELS["textcnn"].usual
    graph = build("textcnn", shape, classes)
    for style in STYLES.values():
        figure = draw(Sheet.of(graph, summary(graph), back=True), Heading("x"), style)
        keys = [item.key for item in figure.items if isinstance(item, Group) and item.key]
        assert [key for key in keys if key[:2] == ("forth", "input")]
        assert not [key for key in keys if key[:2] == ("back", "input")]
        assert [key for key in keys if key[0] == "back"]


def test_frames_light_cards_up_in_order_and_then_back():
    graph = build("lenet5", (28, 28, 1), 10)
    sheet = Sheet.of(graph, summary(graph), back=True)
    sheet = replace(sheet, example=made_up(sheet))
    figure = draw(sheet, Heading("x"), STYLES["blocks"])
    names = ["input", *(card.name for card in sheet.shown), "<end>"]
    seen = []
    for moment in moments(sheet):
        frame = lit(figure, moment)
        cards_of = {
            item.key[1]: item for item in frame.items if isinstance(item, Group) and item.key[:1] == ("card",)
        }
        bright = [name for name in names if "#1f2933" in colors_of(cards_of[name])]
        red = [name for name in names if "#b3261e" in colors_of(cards_of[name])]
        seen.append((bright, red))
    forth = [(names[: count + 1], []) for count in range(len(names))]
    way = list(reversed(names))
    back = [(names, sorted(way[: count + 1], key=names.index)) for count in range(len(names))]
    back = [(every, [name for name in reached if name != "input"]) for every, reached in back]
    assert [bright for bright, _ in seen] == [bright for bright, _ in [*forth, *back]]
    assert [red for _, red in seen] == [red for _, red in [*forth, *back]]
    pictures = [sum(isinstance(item, Picture) for item in lit(figure, each).flat) for each in moments(sheet)]
    assert pictures == sorted(pictures)
    assert pictures[0] == 1


def colors_of(item):
    """Colours of the words in it."""
    if isinstance(item, Group):
        return {color for each in item.items for color in colors_of(each)}
    return {item.color} if isinstance(item, Words) else set()


def test_large_networks_take_few_frames():
    graph = build("resnet50", (224, 224, 3), 10)
    sheet = Sheet.of(graph, summary(graph), whole=True, back=True)
    assert len(sheet.shown) > 40
    shown = moments(sheet)
    assert len(shown) == 80
    assert shown[-1].back[-1] == "input"


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
