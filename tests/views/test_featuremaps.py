"""Feature maps and kernels as sections, and the pages drawn of them: true, ranked, legible."""

import base64
import re
from itertools import combinations

import numpy as np
import pytest

from cnncli.images.canvas import Box
from cnncli.images.read import read_picture
from cnncli.models.choice import build
from cnncli.models.fields import receptive_fields
from cnncli.nn import (
    Add,
    BatchNorm,
    Conv,
    Flatten,
    GlobalAvgPool,
    Graph,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Network,
    Relu,
)
from cnncli.views.colors import ColorScale, scale_of, short
from cnncli.views.featuremaps.filters import has_kernels, kernel_sections, learned_arrays, overview
from cnncli.views.featuremaps.layer_maps import layer_maps
from cnncli.views.featuremaps.maps import map_sections
from cnncli.views.sections import ROOM, WIDTH, BarRow, Page, Section, Tile, Window, in_a_row, tile_size
from cnncli.views.sections_html import page_html
from cnncli.views.sections_page import head_canvas, page_canvas, section_canvas

# --- colours ---------------------------------------------------------------------------------------


def lightness(colors):
    """CIE L* of sRGB colours."""
    v = colors / 255
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_from_zero_up_lightness_rises_evenly():
    light = lightness(ColorScale(0, 1).ramp(100)[0])
    steps = np.diff(light)
    assert steps.min() > 0
    assert steps.max() < 3 * steps.mean()


def test_around_zero_white_is_the_middle_and_both_sides_darken():
    light = lightness(ColorScale(-2, 2).ramp(101)[0])
    assert light[50] > 99
    assert np.all(np.diff(light[:51]) > 0)
    assert np.all(np.diff(light[50:]) < 0)
    below, above = ColorScale(-2, 2).colors(np.array([-1.0, 1.0]))
    assert below[2] > below[0] + 60  # blue
    assert above[0] > above[2] + 60  # orange


def test_a_scale_spans_all_but_outliers(rng):
    values = rng.random(10_000)
    assert scale_of(values).high == pytest.approx(1, abs=0.01)
    assert scale_of(values - 0.5).low < 0
    assert scale_of(values - 0.5).low == -scale_of(values - 0.5).high
    values[3] = 1.8
    spanned = scale_of(values)
    assert spanned.high == pytest.approx(1, abs=0.01)
    assert spanned.clipped
    assert spanned.labels() == ("0", f"≥ {short(spanned.high)}")
    sparse = np.zeros(10_000)
    sparse[7] = 5
    assert scale_of(sparse).high == 5
    assert scale_of(np.zeros(9)).high == 1
    assert scale_of(np.zeros(0)).high == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-1.2345, "−1.23"), (1234567, "1.2e6"), (0.00001234, "1.2e−5"), (25.04, "25.0")],
)
def test_numbers_are_short(value, text):
    assert short(value) == text


# --- receptive fields ------------------------------------------------------------------------------


def fields_by_trial(graph, name):
    """Rows and columns of the input that reach each value of a layer, found by changing pixels one by one."""
    from cnncli.nn import Inference

    network = Network(graph, seed=1)
    for key in network.parameters:  # all weights positive: nothing cancels, every path counts
        network.load({**network.export(), key: np.abs(network.export()[key]) + 0.1})
    inference = Inference(network, 1, threads=1, keep=(name,))
    height, width, channels = graph.input_shape[:3]
    base = inference.activations(np.ones((1, height, width, channels), np.float32))[name][0]
    reached = np.zeros((*base.shape[:2], height, width), bool)
    for y in range(height):
        for x in range(width):
            image = np.ones((1, height, width, channels), np.float32)
            image[0, y, x] = 3
            changed = inference.activations(image)[name][0]
            reached[:, :, y, x] = np.any(changed != base, axis=2)
    return reached


@pytest.mark.parametrize(
    "layers",
    [
        [Conv(2, 3, padding=1), Relu(), Conv(2, 3)],
        [Conv(2, 3), MaxPool(2), Conv(2, 3, padding=1)],
        [Conv(2, (1, 5), padding=(0, 2)), MaxPool(3, stride=2, padding=1)],
        [Conv(2, 3, dilation=2, padding=2), Conv(2, 2, stride=2)],
    ],
)
def test_receptive_fields_are_what_reaches_a_value(layers):
    graph = Graph((12, 13, 1))
    name = graph.add(*layers)
    graph.add(Flatten(), Linear(2))
    rows, columns = receptive_fields(graph)[name]
    reached = fields_by_trial(graph, name)
    for y, x in ((0, 0), (reached.shape[0] // 2, reached.shape[1] // 2), (reached.shape[0] - 1, 1)):
        for field, position, axis, whole in ((rows, y, 1, 12), (columns, x, 0, 13)):
            low, high = field.span(position, whole)
            hit = np.flatnonzero(reached[y, x].any(axis=axis))
            assert low * whole <= hit[0] + 1e-9
            assert high * whole >= hit[-1] + 1 - 1e-9
            assert high * whole - low * whole <= hit[-1] - hit[0] + 1 + 2  # a max passes few values on


def test_branches_and_whole_picture_layers():
    graph = Graph((8, 8, 1))
    skip = graph.add(Conv(2, 3, padding=1))
    graph.add(Conv(2, 3, padding=1))
    joined = graph.add(Add(), inputs=(skip, graph.output))
    graph.add(GlobalAvgPool(), Linear(3), name="head")
    fields = receptive_fields(graph)
    assert fields[joined][0].size == 5
    assert fields["head"][0].span(0, 8) == (0.0, 1.0)


# --- maps ------------------------------------------------------------------------------------------


@pytest.fixture
def network():
    graph = Graph((16, 12, 1))
    graph.add(Conv(30, 3, padding=1, bias=False), BatchNorm(), Relu(), MaxPool(2), Conv(4, 3), Relu())
    graph.add(Flatten(), Linear(20), Relu(), Linear(3), name="head")
    return Network(graph, seed=5)


@pytest.fixture
def layers(network, rng):
    values = {
        name: rng.normal(0, 1, node.shape[:3]).astype(np.float32)
        for name, node in network.graph.nodes.items()
    }
    values["relu1"] = np.maximum(values["relu1"], 0)
    values["relu1"][..., [3, 8]] = 0
    return values, layer_maps(network.graph, values)


def test_maps_are_ranked_by_mean_magnitude(layers):
    values, found = layers
    for layer in found:
        means = np.abs(values[layer.node.name].astype(np.float64)).mean(axis=(0, 1))
        np.testing.assert_allclose(layer.responses, means, rtol=1e-5)
        assert np.all(np.diff(means[layer.order]) <= 1e-7)
    assert [layer.silent for layer in found if layer.node.name == "relu1"] == [2]


def test_the_window_lies_on_the_strongest_value(layers):
    values, found = layers
    layer = next(each for each in found if each.node.name == "conv1")
    strongest = np.abs(values["conv1"][..., layer.order[0]])
    y, x = np.unravel_index(strongest.argmax(), strongest.shape)
    left, top, right, bottom = layer.window(int(layer.order[0]))
    assert left == pytest.approx(max(0, x - 1) / 12)
    assert right == pytest.approx(min(12, x + 2) / 12)
    assert top == pytest.approx(max(0, y - 1) / 16)
    assert bottom == pytest.approx(min(16, y + 2) / 16)


def sections_of(layers, *, rows=2, side=84):
    image = np.zeros((16, 12, 3), np.uint8)
    return {s.name: s for s in map_sections(layers[1], image, ("a", "b", "c"), rows=rows, side=side)}


def test_sections_say_what_a_layer_is(layers):
    sections = sections_of(layers)
    assert sections["conv1"].lines == ("convolution 3 × 3", "30 maps of 16 × 12", "receptive field 3 × 3")
    assert sections["maxpool1"].lines == ("max pooling 2 × 2", "30 maps of 8 × 6", "receptive field 4 × 4")
    assert sections["head"].lines == ("fully connected", "3 values", "receptive field 16 × 12")
    assert "2 of 30 maps are 0 everywhere" in sections["relu1"].note
    assert "weaker maps are not shown" in sections["conv1"].note
    assert [tile.name for tile in sections["conv1"].tiles] == [
        f"#{c}" for c in layers[1][0].order[: len(sections["conv1"].tiles)]
    ]


def test_all_maps_are_drawn_where_no_rows_are_given(layers):
    section = sections_of(layers, rows=None)["conv1"]
    assert len(section.tiles) == 30
    assert "not shown" not in section.note


def test_tiles_show_the_values(layers):
    values, found = layers
    section = sections_of(layers)["conv1"]
    for tile, c in zip(section.tiles, found[0].order, strict=False):
        np.testing.assert_array_equal(tile.pixels, section.scale.colors(values["conv1"][..., c]))


def test_a_list_names_its_largest_values(layers):
    values = layers[0]["head"].ravel()
    section = sections_of(layers)["head"]
    assert [bar.name for bar in section.bars] == ["abc"[i] for i in np.argsort(-values)]
    assert max(abs(bar.share) for bar in section.bars) == pytest.approx(1)
    assert [bar.share < 0 for bar in section.bars] == [v < 0 for v in -np.sort(-values)]
    assert len(sections_of(layers)["linear1"].bars) == 10


@pytest.mark.parametrize("count", range(1, 201))
def test_strips_stay_on_the_page(count, rng):
    graph = Graph((4, 4, 1))
    graph.add(Flatten(), Linear(count))
    values = {"linear1": rng.random((1, 1, count), np.float32)}
    (section,) = map_sections(layer_maps(graph, values), np.zeros((4, 4, 3), np.uint8), (), rows=2, side=84)
    assert len(section.tiles) == (count > 10)
    assert section.scale is None or section.scale.signed  # its colours mean what those of the bars do
    for mark in section_canvas(section).marks:
        assert mark.box.right <= WIDTH - 40 + 1, mark.kind  # a picture's frame lies around it
    for tile in section.tiles:
        assert tile_size(tile.pixels, section.side) == tile.pixels.shape[1::-1]


def color_of(value, bars):
    """Whether the bar of a value is drawn blue or orange."""
    canvas = section_canvas(Section("head", ("a",), bars=bars))
    row = next(mark.box for mark in canvas.marks if mark.text == value)
    line = canvas.array()[row.center[1]].astype(int)
    found = {
        c for c in ("blue", "orange") if ((line[:, 2] - line[:, 0]) * (1 if c == "blue" else -1) > 60).any()
    }
    (color,) = found
    return color


def test_a_colour_means_the_same_in_bars_and_in_strips():
    bars = (BarRow("a", "below", -0.8), BarRow("b", "above", 0.9))
    assert (color_of("below", bars), color_of("above", bars)) == ("blue", "orange")
    below, above = ColorScale(-1, 1).colors(np.array([-0.8, 0.9])).astype(int)
    assert below[2] > below[0] + 60
    assert above[0] > above[2] + 60
    text = page_html(page_of([Section("head", ("a",), bars=bars)]))
    (other, own) = re.findall(r"\.bars i > u(?:\.below)? \{[^}]*background: #(\w{6})", text)
    assert int(own[4:], 16) > int(own[:2], 16) + 60
    assert int(other[:2], 16) > int(other[4:], 16) + 60


# --- kernels ---------------------------------------------------------------------------------------


def test_layers_without_kernels_have_none():
    graph = Graph((8, 8, 2))
    graph.add(Conv(4, 3), BatchNorm(), LocalResponseNorm(), Relu(), Flatten(), Linear(2))
    assert [name for name, node in graph.nodes.items() if has_kernels(node)] == ["conv1", "linear1"]
    assert [*learned_arrays(graph, Network(graph).export())] == ["conv1", "linear1"]


def test_deep_networks_show_kernels_of_each_stage():
    graph = build("googlenet", (224, 224, 3), 10)
    names = [name for name, node in graph.nodes.items() if has_kernels(node)]
    chosen = overview(graph, names)
    inside = [f"inception{number}a.branch2.1.conv" for number in (3, 4, 5)]
    assert chosen == ["conv1.conv", "conv3.conv", *inside, "fc"]
    assert overview(graph, names[:12]) == names[:12]


def test_kernels_of_every_layer(network):
    learned = learned_arrays(network.graph, network.export())
    assert {name: weight.shape for name, (_, weight) in learned.items()} == {
        "conv1": (30, 1, 3, 3),
        "conv2": (4, 30, 3, 3),
        "linear1": (20, 4, 6, 4),
        "head": (3, 20),
    }
    np.testing.assert_array_equal(learned["conv2"][1], network.export()["conv2.weight"])


def test_kernel_sections(network):
    learned = learned_arrays(network.graph, network.export())
    first, second, flat, head = kernel_sections(learned, ("a", "b", "c"), rows=2, side=70)
    norms = np.sqrt((learned["conv1"][1].astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
    assert [tile.name for tile in first.tiles] == [f"#{k}" for k in np.argsort(-norms)[: len(first.tiles)]]
    assert first.scale.low == -first.scale.high
    assert len(second.tiles[0].rows) == 4
    assert len(second.tiles[0].columns) == 24
    assert len(flat.tiles[0].rows) == 8
    assert head.tiles[0].rows == ("a", "b", "c")


def test_kernels_of_colour_are_colours():
    graph = Graph((8, 8, 3))
    graph.add(Conv(4, 3), GlobalAvgPool(), Linear(2))
    network = Network(graph, seed=2)
    weight = network.export()["conv1.weight"]
    section = kernel_sections(learned_arrays(graph, network.export()), ("a", "b"), rows=2, side=70)[0]
    k = int(section.tiles[0].name[1:])
    expected = 127.5 + 127.5 * weight[k].transpose(1, 2, 0) / np.abs(weight).max()
    assert np.abs(section.tiles[0].pixels - expected).max() <= 1
    assert section.scale is None


# --- pages -----------------------------------------------------------------------------------------


def tiles(count, shape, name="#{}"):
    return tuple(
        Tile(np.full((*shape, 3), 90, np.uint8), name.format(100 + i), "0.00123") for i in range(count)
    )


IMAGE = np.full((30, 40, 3), 200, np.uint8)
SECTIONS = {
    "digit maps": Section("conv1", ("convolution 5 × 5", "x", "y"), tiles(22, (28, 28)), side=84),
    "tiny maps": Section("pool", ("a", "b"), tiles(30, (2, 3)), side=84, scale=ColorScale(0, 2.5, True)),
    "wide maps": Section("conv7", ("a",), tiles(7, (300, 500)), side=84, scale=ColorScale(-1, 1)),
    "lines": Section("conv1d", ("a",), tiles(5, (1, 128)), side=84),
    "long name": Section(
        "a-layer-with-a-name-that-is-far-too-long-for-its-column", ("w" * 60, "b c " * 40), tiles(3, (9, 9))
    ),
    "bars": Section("head", ("a",), bars=tuple(BarRow("n" * 50, "−1.23e-5", -0.4) for _ in range(9))),
    "window": Section(
        "relu", ("a",), tiles(2, (8, 8)), window=Window(IMAGE, (0.0, 0.5, 0.01, 0.51), "where map #3 answers")
    ),
    "table": Section(
        "fc",
        ("a",),
        (Tile(np.zeros((160, 600, 3), np.uint8), "", rows=tuple("abcdefgh"), columns=tuple("123456")),),
        side=600,
        note="a note " * 60,
    ),
}


def without_overlap(canvas):
    """No text leaves the page, meets another text, or lies on a picture."""
    page = Box(0, 0, canvas.width, canvas.height)
    texts = [mark for mark in canvas.marks if mark.kind == "text" and mark.text]
    for mark in texts:
        assert page.contains(mark.box), mark.text
        assert re.search(r"\S", mark.text)
    for one, other in combinations(texts, 2):
        # Line heights reach into each other by the room of letters that go below the line.
        tight = Box(one.box.left, one.box.top + 3, one.box.right, one.box.bottom - 3)
        assert not tight.overlaps(other.box.grown(-3)), (one.text, other.text)
    for picture in (mark for mark in canvas.marks if mark.kind == "image"):
        assert page.contains(picture.box)
        for mark in texts:
            assert not picture.box.grown(-1).overlaps(mark.box), mark.text


@pytest.mark.parametrize("name", SECTIONS)
def test_nothing_overlaps_in_a_section(name):
    canvas = section_canvas(SECTIONS[name])
    without_overlap(canvas)
    assert canvas.array().shape == (canvas.height, WIDTH, 3)


def page_of(sections):
    return Page(
        "A title that is rather long " * 6,
        "and <what> it is about",
        (Tile(IMAGE, "photo.png"), Tile(IMAGE[:28, :28], "what the network gets: 28 × 28, gray", "inverted")),
        tuple(BarRow(f"class {i}", f"{i}.00%", i / 10) for i in range(5)),
        tuple(sections),
        "how to read it " * 20,
    )


def test_nothing_overlaps_on_a_page():
    page = page_of(SECTIONS.values())
    without_overlap(page_canvas(page))
    without_overlap(head_canvas(page))


def test_sections_of_a_network_do_not_overlap(layers, network):
    sections = list(sections_of(layers).values())
    sections += kernel_sections(
        learned_arrays(network.graph, network.export()), ("a", "b", "c"), rows=2, side=70
    )
    without_overlap(page_canvas(page_of(sections)))


@pytest.mark.parametrize(
    "shape", [(1, 1), (28, 28), (7, 7), (56, 56), (64, 64), (112, 112), (500, 300), (1, 128)]
)
def test_tiles_are_whole_enlargements_near_their_size(shape):
    width, height = tile_size(np.zeros((*shape, 3), np.uint8), 84)
    assert 4 <= max(width, height) <= 113
    if max(shape) <= 84:
        assert width % shape[1] == 0
        assert max(width, height) >= 63
    assert in_a_row(width) * (max(width, 84) + 14) <= ROOM + 14


def luminance(color):
    """Relative luminance of ``#rgb`` or ``#rrggbb``, by WCAG 2.1."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_text_of_html_is_read_on_light_and_on_dark_paper():
    style = page_html(page_of([])).split("</style>")[0]
    light, dark = style.split("prefers-color-scheme: dark", 1)
    papers = []
    for part in (light, dark):
        colors = dict(re.findall(r"--(\w+): (#\w+);", part))
        papers.append(luminance(colors["paper"]))
        for ink in ("ink", "faint"):
            low, high = sorted((luminance(colors[ink]), papers[-1]))
            assert (high + 0.05) / (low + 0.05) >= 4.5
    assert papers[0] > 0.9 > 0.05 > papers[1]


def test_html_stands_alone():
    page = page_of([SECTIONS["digit maps"], SECTIONS["table"], SECTIONS["window"], SECTIONS["bars"]])
    text = page_html(page)
    assert "and &lt;what&gt; it is about" in text
    assert "http" not in text
    assert "<script" not in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert len(sources) == 2 + 22 + 1 + 2 + 1
    for source in sources:
        kind, data = source.split(",", 1)
        assert kind == "data:image/png;base64"
        assert read_picture(base64.b64decode(data)).channels == 3
    first = read_picture(base64.b64decode(sources[0].split(",", 1)[1]))
    np.testing.assert_array_equal(first.frames[0], IMAGE)
    for tag in ("section", "figure", "div", "p", "h2"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>")


def test_a_layer_of_very_many_maps_is_cut_and_that_is_said():
    section = Section("conv", ("a",), tiles(4000, (28, 28)), side=168)
    canvas = section_canvas(section)
    assert 14_000 < canvas.height < 16_000
    shown = sum(mark.kind == "image" for mark in canvas.marks)
    said = " ".join(mark.text for mark in canvas.marks if mark.kind == "text")
    assert f"{4000 - shown:,} weaker ones do not fit on one picture: -o page.html shows all" in said


def test_a_page_of_very_many_layers_is_cut_and_that_is_said():
    small = [Section(f"conv{i}", ("a",), tiles(3, (28, 28)), side=84) for i in range(200)]
    large = Section("large", ("a",), tiles(2000, (28, 28)), side=84)
    canvas = page_canvas(page_of([large, *small]))
    assert 14_000 < canvas.height < 16_000
    names = {mark.text for mark in canvas.marks if mark.kind == "text"}
    shown = sum(f"conv{i}" in names for i in range(200))
    assert 50 < shown < 200
    said = " ".join(mark.text for mark in canvas.marks if mark.kind == "text")
    assert f"{200 - shown} more layers do not fit on one picture: -o page.html shows all." in said
    fits = page_canvas(page_of([large, *small[:40]]))
    assert {f"conv{i}" for i in range(40)} < {mark.text for mark in fits.marks if mark.kind == "text"}


def test_negative_logits_lie_left_of_the_zero_line():
    bars = tuple(BarRow(f"class {i}", str(v), v) for i, v in enumerate((1.0, 0.25, -0.5)))
    canvas = section_canvas(Section("head", ("a",), bars=bars))
    rects = [mark.box for mark in canvas.marks if mark.kind == "rect"]
    tracks, drawn = rects[0:6:2], rects[1:6:2]
    zero = rects[6]
    assert all(zero.left == pytest.approx(track.left + track.width / 3, abs=1) for track in tracks)
    assert [box.left for box in drawn[:2]] == [zero.left] * 2
    assert drawn[2].left < drawn[2].right == zero.left
    widths = [box.width / tracks[0].width for box in drawn]
    assert widths == pytest.approx([2 / 3, 1 / 6, 1 / 3], abs=0.01)
    html = page_html(page_of([Section("head", ("a",), bars=bars)]))
    assert '<u class="below" style="left:0.0%;width:33.3%"></u><s style="left:33.3%"></s>' in html
    assert '<u style="left:33.3%;width:66.7%"></u><s style="left:33.3%"></s>' in html
