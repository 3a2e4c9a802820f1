"""The page of a network, in a browser: it computes what the command computes, and shows it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnncli
from cnncli.data.prepare import read_prepared
from cnncli.data.shipped import model_path
from cnncli.images.picture import Picture
from cnncli.images.png import encode_png
from cnncli.images.read import read_picture
from cnncli.nn import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dropout,
    Flatten,
    Gelu,
    GlobalAvgPool,
    Graph,
    Inference,
    LeakyRelu,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Network,
    PadChannels,
    Relu,
    Relu6,
    ScaleChannels,
    Sigmoid,
    Silu,
    Tanh,
    Upsample,
)
from cnncli.nn.gradient import Gradient, of_class
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.checkpoint import load_checkpoint
from cnncli.views.colors import mask_palette
from cnncli.views.explore.network import KINDS
from cnncli.views.explore.page import Shown, Subject, network_page

ROOT = Path(cnncli.__file__).parent.parent
DIGITS = ROOT / "samples" / "digits"
CLASSES = ("night", "day", "stripes", "dots")


def every_layer():
    """A network with each kind of layer for images, with uneven windows."""
    graph = Graph((17, 15, 3))
    stem = graph.add(Conv(8, (3, 5), stride=(1, 2), padding="same"), BatchNorm(), Relu6(), name="stem")
    one = graph.add(Conv(8, 3, padding=2, dilation=2, groups=4, bias=False), LeakyRelu(0.2), inputs=stem)
    two = graph.add(MaxPool(3, stride=1, padding=1), Conv(8, 1), Silu(), inputs=stem)
    both = graph.add(Add(), Gelu(), inputs=(one, two))
    factors = graph.add(GlobalAvgPool(), Conv(4, 1), Relu(), Conv(8, 1), Sigmoid(), inputs=both)
    scaled = graph.add(ScaleChannels(), inputs=(both, factors))
    joined = graph.add(Concat(), LocalResponseNorm(5, alpha=0.5), inputs=(scaled, two))
    graph.add(Conv(16, 3, groups=16, padding=((1, 0), (0, 1))), Tanh(), PadChannels(1, 2), inputs=joined)
    graph.add(ConvTranspose(6, (2, 3), stride=(2, 1), padding=(0, 1)), Upsample((1, 2)), MaxPool(2))
    graph.add(Upsample((2, 3), "bilinear"), ConvTranspose(18, 3, stride=2, padding=1, bias=False))
    graph.add(MaxPool(3, stride=2, ceil=True), AvgPool((3, 2), stride=2, padding=1, count_padding=False))
    graph.add(AvgPool(2, stride=1, padding=1), AdaptiveAvgPool((3, 2)), Flatten(), BatchNorm(), Dropout(0.5))
    graph.add(Linear(12), Relu(), Linear(len(CLASSES)), name="head")
    return graph


def random_network(graph, rng):
    network = Network(graph, seed=3)
    arrays = {
        name: rng.uniform(0.5, 1.5, each.shape)
        if name.endswith("var")
        else each + rng.normal(0, 0.1, each.shape)
        for name, each in network.export().items()
    }
    arrays["batchnorm1.weight"] = 4 * arrays["batchnorm1.weight"]  # so that a ReLU6 has values above 6
    network.load(arrays)
    return network


def preprocessing_of(graph, **settings):
    height, width, channels = graph.input_shape[:3]
    return Preprocessing((height, width), channels, (0.4,) * channels, (0.3,) * channels, **settings)


def shown_inputs(graph, rng, count=1, name="a.png"):
    for _ in range(count):
        pixels = rng.integers(0, 256, graph.input_shape[:3], dtype=np.uint8)
        yield Shown(name, np.repeat(pixels[..., :1], 3, axis=2), pixels)


def written(path, network, inputs, classes=CLASSES, **settings):
    how = preprocessing_of(network.graph, **settings)
    path.write_text(network_page(network, Subject("Inside a", "of tests", classes, how), inputs), "utf-8")
    return how


def values_of(page, expression):
    """Arrays of the page by layer, (C, H, W)."""
    found = page.evaluate(f"[...{expression}].map(([name, each]) => [name, each.shape, Array.from(each)])")
    return {name: np.array(each).reshape(shape) for name, shape, each in found}


def outputs_of(network, how, pixels):
    """All activations, (C, H, W), as the command computes them."""
    keep = tuple(name for name in network.graph.nodes if name != network.graph.output)
    found = Inference(network, 1, threads=1, keep=keep).activations(how.normalise(pixels[None]))
    return {name: array[0].transpose(2, 0, 1) for name, array in found.items()}


def test_every_layer_is_computed_as_by_the_command(opened, tmp_path, rng):
    network = random_network(every_layer(), rng)
    (given,) = shown_inputs(network.graph, rng)
    how = written(tmp_path / "a.html", network, [given])
    expected = outputs_of(network, how, given.pixels)
    with opened(tmp_path / "a.html") as page:
        found = values_of(page, "explore.state.values")
        assert set(page.evaluate("explore.kinds")) == KINDS
    assert {type(node.layer).__name__.lower() for node in network.graph.nodes.values()} == KINDS
    assert set(found) == {"input", *network.graph.nodes}
    for name, array in expected.items():
        right = channels_first(array.transpose(1, 2, 0), network.graph.nodes[name].shape.origin)
        assert np.abs(right).max() > 1e-3, name
        assert found[name] == pytest.approx(right, abs=1e-5, rel=1e-4), name


def channels_first(array, origin):
    """(C, H, W) of (H, W, C); flattened maps channel by channel, as in the page, not pixel by pixel."""
    if origin is not None:
        return array.reshape(origin).transpose(2, 0, 1).reshape(-1, 1, 1)
    return array.transpose(2, 0, 1)


def test_gradients_of_every_layer_are_those_of_the_command(opened, tmp_path, rng):
    network = random_network(every_layer(), rng)
    (given,) = shown_inputs(network.graph, rng)
    how = written(tmp_path / "a.html", network, [given])
    nodes = network.graph.nodes
    gradient = Gradient(network, 1, wrt=("input", *nodes), threads=1)
    expected = gradient.run(how.normalise(given.pixels[None]), of_class([2])).gradients
    with opened(tmp_path / "a.html") as page:
        page.select_option("#target", "2")
        found = values_of(page, "explore.state.gradients")
    assert set(found) == set(expected)
    for name, array in expected.items():
        right = channels_first(array[0], nodes[name].shape.origin if name in nodes else None)
        most = float(np.abs(right).max())
        assert most > 0, name
        assert found[name] == pytest.approx(right, abs=1e-4 * most), name


def dense(rng):
    """A small U-Net: a class for each pixel."""
    graph = Graph((12, 8, 1))
    skip = graph.add(Conv(4, 3, padding=1), BatchNorm(), Relu())
    low = graph.add(MaxPool(2), Conv(6, 3, padding=1), Relu(), inputs=skip)
    up, smooth = graph.add(ConvTranspose(4, 2, 2), inputs=low), graph.add(Upsample(2, "bilinear"), inputs=low)
    graph.add(Concat(), Conv(len(CLASSES), 1), inputs=(skip, up, smooth), name="score")
    return random_network(graph, rng)


def test_each_pixel_is_answered_as_by_the_command(opened, tmp_path, rng):
    network = dense(rng)
    (given,) = shown_inputs(network.graph, rng)
    how = preprocessing_of(network.graph)
    subject = Subject("Masks", "of tests", CLASSES, how, "pixels")
    (tmp_path / "a.html").write_text(network_page(network, subject, [given]), "utf-8")
    outputs = outputs_of(network, how, given.pixels)["score"]
    areas = np.bincount(outputs.argmax(0).ravel(), minlength=len(CLASSES))
    target = int(areas[1:].argmax()) + 1
    x = how.normalise(given.pixels[None])
    of_class_pixels = (outputs.argmax(0) == target) / areas[target]

    def start(found):
        made = np.zeros_like(found)
        made[0, ..., target] = of_class_pixels
        return made

    slopes = Gradient(network, 1, threads=1).run(x, start).gradients["input"][0]
    with opened(tmp_path / "a.html") as page:
        found = page.eval_on_selector_all(
            "#answer [data-class]", "all => all.map(each => [each.dataset.class, each.dataset.value])"
        )
        assert {int(k): float(share) for k, share in found} == pytest.approx(
            {k: area / areas.sum() for k, area in enumerate(areas) if area}
        )
        assert page.evaluate("explore.state.target") == target
        page.click("#backward")
        gradients = values_of(page, "explore.state.gradients")["input"]
        shade = page.evaluate(
            "Array.from(document.querySelector('.veil').getContext('2d').getImageData(0, 0, 8, 12).data)"
        )
        page.click(".card[aria-label^='convtranspose']")
        shown = numbers(page, "#value")[0]
        summed = numbers(page, "#sum")[0]
    assert gradients == pytest.approx(slopes.transpose(2, 0, 1), abs=1e-4 * float(np.abs(slopes).max()))
    veiled = np.array(shade).reshape(12, 8, 4)
    assert np.array_equal(veiled[..., 3] > 0, outputs.argmax(0) > 0)
    assert np.array_equal(veiled[outputs.argmax(0) == target][0, :3], mask_palette()[target])
    assert summed == pytest.approx(shown, abs=1e-5)


def test_the_places_where_classes_score_highest_are_framed(opened, tmp_path, rng):
    network = dense(rng)
    (given,) = shown_inputs(network.graph, rng)
    how = preprocessing_of(network.graph)
    subject = Subject("Boxes", "of tests", CLASSES, how, "places")
    (tmp_path / "a.html").write_text(network_page(network, subject, [given]), "utf-8")
    outputs = outputs_of(network, how, given.pixels)["score"].reshape(len(CLASSES), -1)
    shares = 1 / (1 + np.exp(-outputs.max(1).astype(float)))
    with opened(tmp_path / "a.html") as page:
        found = page.eval_on_selector_all(
            "#answer [data-class]", "all => all.map(each => [each.dataset.class, each.dataset.value])"
        )
        framed = page.eval_on_selector_all(".place", "all => all.map(each => each.textContent)")
    assert {int(k): float(share) for k, share in found} == pytest.approx(dict(enumerate(shares)), abs=1e-4)
    assert framed == [name for name, share in zip(CLASSES, shares, strict=True) if share > 0.5]


def small_network(rng):
    graph = Graph((12, 10, 1))
    graph.add(Conv(4, 3, padding=1), BatchNorm(), Relu(), MaxPool(2), Conv(5, 3), Relu(), Flatten())
    graph.add(Linear(len(CLASSES)), name="head")
    return random_network(graph, rng)


def numbers(page, selector):
    return np.array(page.eval_on_selector_all(selector, "all => all.map(each => Number(each.dataset.value))"))


def test_a_click_shows_a_unit_and_its_arithmetic(opened, tmp_path, rng):
    network = small_network(rng)
    (given,) = shown_inputs(network.graph, rng)
    how = written(tmp_path / "a.html", network, [given])
    values = outputs_of(network, how, given.pixels)
    weights = network.export()
    with opened(tmp_path / "a.html") as page:
        page.click(".card[aria-label^='conv2']")
        page.click("#tiles [data-unit='3']")
        page.focus("[data-map='value']")
        for key in ("ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowLeft") * 4:
            page.keyboard.press(key)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.click("#unit [data-channel='2']")
        assert page.inner_text("#unit h2") == "map 3"
        products = numbers(page, "#products td")
        patch = values["maxpool1"][2, 1:4, 1:4]
        total = (values["maxpool1"][:, 1:4, 1:4] * weights["conv2.weight"][3]).sum() + weights["conv2.bias"][
            3
        ]
        assert products.reshape(3, 3) == pytest.approx(patch * weights["conv2.weight"][3, 2], abs=1e-5)
        assert numbers(page, "#patch td").reshape(3, 3) == pytest.approx(patch, abs=1e-5)
        assert numbers(page, "#sum")[0] == pytest.approx(total, abs=1e-5)
        assert numbers(page, "#value")[0] == pytest.approx(max(0, total), abs=1e-5)
        assert page.get_attribute("[data-map='value']", "aria-label").startswith(
            "value of map 3 of relu2: row 1, column 1:"
        )


def test_the_pointer_over_the_input_moves_the_frame_and_the_numbers(opened, tmp_path, rng):
    network = small_network(rng)
    (given,) = shown_inputs(network.graph, rng)
    how = written(tmp_path / "a.html", network, [given])
    with opened(tmp_path / "a.html") as page:
        box = page.query_selector("#input").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 6.5 / 10, box["y"] + box["height"] * 4.5 / 12)
        x = how.normalise(given.pixels[None])[0, ..., 0]
        assert numbers(page, "#patch td").reshape(3, 3) == pytest.approx(x[3:6, 5:8], abs=1e-5)
        frame = page.query_selector(".field").bounding_box()
        assert frame["width"] == pytest.approx(box["width"] * 3 / 10, abs=4)


def test_keys_alone_lead_through_the_page_and_back(opened, tmp_path, rng):
    network = small_network(rng)
    written(tmp_path / "a.html", network, [*shown_inputs(network.graph, rng)])
    active = "document.activeElement"
    with opened(tmp_path / "a.html") as page:
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate(f"{active}.classList.contains('card')"):
                break
        assert page.evaluate(f"{active}.getAttribute('aria-label')").startswith("input")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert page.inner_text("#layer h2").startswith("maxpool1")
        page.focus("#tiles [aria-pressed='true']")
        first = page.evaluate(f"{active}.dataset.unit")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        second = page.evaluate(f"{active}.dataset.unit")
        assert first != second
        assert page.inner_text("#unit h2") == f"map {second}"
        page.focus("[data-map='value']")
        page.keyboard.press("Escape")
        assert page.evaluate(f"{active}.dataset.unit") == second
        page.keyboard.press("Escape")
        assert page.evaluate(f"{active}.getAttribute('aria-label')").startswith("maxpool1")


def test_inputs_are_switched_and_named(opened, tmp_path, rng):
    network = small_network(rng)
    inputs = [*shown_inputs(network.graph, rng, 2)]
    how = written(tmp_path / "a.html", network, inputs)
    with opened(tmp_path / "a.html") as page:
        page.click("[data-input='1']")
        assert page.get_attribute("[data-input='1']", "aria-pressed") == "true"
        found = values_of(page, "explore.state.values")["head"]
        assert found == pytest.approx(outputs_of(network, how, inputs[1].pixels)["head"], abs=1e-4)


def digit_page(path):
    checkpoint = load_checkpoint(model_path("digits"))
    subject = Subject("Inside digits", "", checkpoint.task.outputs, checkpoint.preprocessing)
    path.write_text(network_page(checkpoint.network(), subject, []), "utf-8")
    return checkpoint


def drawings(rng):
    """Pictures of the pad's size: digits of MNIST, inverted, faint and moved ones, lines and nothing."""
    digits = [
        np.asarray(read_picture((DIGITS / f"{i}.png").read_bytes(), name="d").frames[0]) for i in range(10)
    ]
    large = [np.repeat(np.repeat(each[..., 0], 4, axis=0), 4, axis=1) for each in digits]
    yield from large
    yield 255 - large[4]
    yield large[2] // 6 + 90
    yield np.roll(large[5], (17, -9), axis=(0, 1))
    yield large[8][::-1] + rng.integers(0, 4, (112, 112)).clip(0, 255 - large[8][::-1])
    line = np.zeros((112, 112), np.int64)
    line[3:110, 50:58] = 255
    yield line
    yield 255 - line.T
    yield np.full((112, 112), 77)


def test_a_drawing_is_prepared_to_the_bit_as_a_picture_is(opened, tmp_path, rng):
    checkpoint = digit_page(tmp_path / "a.html")
    with opened(tmp_path / "a.html") as page:
        for number, pixels in enumerate(drawings(rng)):
            drawn = np.asarray(pixels, np.uint8)
            data = encode_png(Picture((drawn[..., None],)))
            expected = read_prepared(data, checkpoint.preprocessing.input_spec, name="a").pixels
            given = {"pixels": drawn.ravel().tolist(), "width": 112, "height": 112}
            found = page.evaluate("(given) => Array.from(explore.prepared(given))", given)
            assert np.array_equal(found, expected.ravel()), number


def test_a_drawn_digit_is_answered_as_predict_answers_its_picture(opened, tmp_path):
    digit_page(tmp_path / "a.html")
    digit = read_picture((DIGITS / "7.png").read_bytes(), name="7").frames[0][..., 0]
    drawn = 255 - np.repeat(np.repeat(digit, 4, axis=0), 4, axis=1)
    (tmp_path / "drawn.png").write_bytes(encode_png(Picture((drawn[..., None],))))
    words = [sys.executable, "-m", "cnncli", "predict", "drawn.png", "-m", "digits", "--json", "--top", "10"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, check=True)
    answer = {each["label"]: each["probability"] for each in json.loads(done.stdout)["predictions"]}
    with opened(tmp_path / "a.html") as page:
        page.evaluate("(pixels) => explore.draw(pixels)", drawn.ravel().tolist())
        shares = page.evaluate("Array.from(explore.softmax(explore.state.values.get('head')))")
        assert page.get_attribute("#answer [data-class]", "data-class") == "7"
    assert {str(k): share for k, share in enumerate(shares)} == pytest.approx(answer, abs=1e-4)


def test_the_pointer_draws_and_the_network_answers(opened, tmp_path):
    digit_page(tmp_path / "a.html")
    with opened(tmp_path / "a.html") as page:
        page.click("text=Clear")
        box = page.query_selector("#pad").bounding_box()
        page.mouse.move(box["x"] + 110, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 112, box["y"] + 190, steps=12)
        page.mouse.up()
        page.wait_for_selector("#answer :nth-child(3)[data-class='1']")
        assert page.evaluate("explore.state.pixels.some((value) => value > 200)")


HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"


def test_hostile_names_stay_text(opened, tmp_path, rng):
    network = small_network(rng)
    classes = (HOSTILE, *CLASSES[1:])
    inputs = [*shown_inputs(network.graph, rng, name=HOSTILE)]
    written(tmp_path / "a.html", network, inputs, classes)
    with opened(tmp_path / "a.html") as page:
        page.click(".card[aria-label^='head']")
        page.click("#backward")
        assert page.title() == "Inside a"
        assert HOSTILE in page.inner_text("#tiles")
        assert page.inner_text("[data-input='0']") == HOSTILE
        assert page.evaluate("document.scripts.length") == 2


def luminance(color):
    v = np.array(color[:3]) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


CONTRASTS = """() => {
  const number = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (each) => { for (let at = each; at; at = at.parentElement) {
    const style = getComputedStyle(at), color = number(at.closest('svg') && at.matches('g.card')
      ? getComputedStyle(at.querySelector('.back')).fill : style.backgroundColor);
    if (color.length < 4 || color[3] > 0) return color; } };
  return [...document.querySelectorAll('h1,h2,h3,p,b,span,td,th,button,figcaption,label,text')]
    .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((each) => [each.textContent.slice(0, 30), number(each instanceof SVGElement
      ? getComputedStyle(each).fill : getComputedStyle(each).color), ground(each)]);
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_a_phone_nothing_is_cut_off_and_all_text_is_legible(opened, tmp_path, rng, dark):
    network = small_network(rng)
    written(tmp_path / "a.html", network, [*shown_inputs(network.graph, rng, name="a" * 90)])
    with opened(tmp_path / "a.html", width=360, height=740, dark=dark, touch=True) as page:
        page.click("#backward")
        for card in ("conv2", "head", "conv1"):
            page.click(f".card[aria-label^='{card}']")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            for text, ink, ground in page.evaluate(CONTRASTS):
                low, high = sorted((luminance(ink), luminance(ground)))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ink, ground)


def test_a_network_too_large_for_a_page_shows_the_maps_of_the_command(opened, tmp_path, rng, monkeypatch):
    monkeypatch.setattr("cnncli.views.explore.network.ROUNDED", 10)
    network = small_network(rng)
    (given,) = shown_inputs(network.graph, rng)
    how = written(tmp_path / "a.html", network, [given])
    expected = outputs_of(network, how, given.pixels)
    with opened(tmp_path / "a.html") as page:
        assert "rounded to 8 bits; it cannot draw" in page.inner_text(".note")
        assert page.query_selector("#pad") is None
        found = values_of(page, "explore.state.values")
        step = float(expected["relu1"].max()) / 255
        assert found["relu1"] == pytest.approx(expected["relu1"], abs=step)
        assert found["head"] == pytest.approx(expected["head"], abs=1e-6)
        page.click(".card[aria-label^='conv2']")
        assert "is not in the page" in page.inner_text("#steps")


def test_kernels_rounded_to_16_bits_are_said_to_be(opened, tmp_path, rng, monkeypatch):
    monkeypatch.setattr("cnncli.views.explore.network.EXACT", 10)
    network = small_network(rng)
    (given,) = shown_inputs(network.graph, rng)
    how = written(tmp_path / "a.html", network, [given])
    with opened(tmp_path / "a.html") as page:
        said = page.inner_text(".note")
        found = values_of(page, "explore.state.values")["head"]
    off = np.abs(found - outputs_of(network, how, given.pixels)["head"]).max()
    assert 1e-6 < off < 1e-2
    assert "kernels rounded to 16 bits. That changes probabilities of these pictures by at most" in said
