"""What featuremaps writes: pages, arrays that agree with loops made here, and errors."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_networks import (
    CLASSES,
    MEAN,
    STD,
    png,
    save_dense,
    save_detector,
    save_gray,
    save_linear,
    save_seeded,
)

LAYERS = ["conv1", "batchnorm1", "relu1", "maxpool1", "conv2", "relu2", "globalavgpool1", "head"]


@pytest.fixture
def net(run, rng, tmp_path):
    """A seeded network in net.safetensors and a picture in a.png; the network and the pixels."""
    network = save_seeded(tmp_path / "net.safetensors")
    return network, save_gray("a.png", rng, (12, 10))


def correlated(x, weight, bias=0.0):
    """Plain loops in float64 with zeros around: x (H, W, C), weight (K, C, 3, 3)."""
    height, width, _ = x.shape
    padded = np.pad(x.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    out = np.zeros((height, width, len(weight)))
    for dy in range(3):
        for dx in range(3):
            out += padded[dy : dy + height, dx : dx + width] @ weight[:, :, dy, dx].T.astype(np.float64)
    return out + bias


def expected_maps(network, pixels):
    """Every layer's output in float64."""
    arrays = network.export()
    maps = {"input": ((pixels.astype(np.float64) / 255 - MEAN) / STD)[..., None]}
    maps["conv1"] = correlated(maps["input"], arrays["conv1.weight"])
    scale = arrays["batchnorm1.weight"] / np.sqrt(arrays["batchnorm1.running_var"].astype(np.float64) + 1e-5)
    shift = arrays["batchnorm1.bias"] - arrays["batchnorm1.running_mean"] * scale
    maps["batchnorm1"] = maps["conv1"] * scale + shift
    maps["relu1"] = np.maximum(maps["batchnorm1"], 0)
    maps["maxpool1"] = maps["relu1"].reshape(6, 2, 5, 2, 4).max(axis=(1, 3))
    maps["conv2"] = correlated(maps["maxpool1"], arrays["conv2.weight"], arrays["conv2.bias"])
    maps["relu2"] = np.maximum(maps["conv2"], 0)
    maps["globalavgpool1"] = maps["relu2"].mean(axis=(0, 1), keepdims=True)
    maps["head"] = maps["globalavgpool1"] @ arrays["head.weight"].T + arrays["head.bias"]
    return maps


def drawn(done, view="maps"):
    """Names of the layers that a view has drawn, from its record."""
    return [layer["name"] for layer in done.results[0]["views"][view]["layers"]]


def test_arrays_agree_with_loops(run, net, tmp_path):
    done = run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "maps.png", "--raw", "arrays", "--all")
    assert (done.code, done.out, done.err) == (0, b"", "")
    expected = expected_maps(*net)
    assert sorted(path.stem for path in (tmp_path / "arrays").iterdir()) == sorted(expected)
    for name, values in expected.items():
        found = np.load(tmp_path / "arrays" / f"{name}.npy")
        assert found.dtype == np.float32
        assert found.shape == values.shape
        np.testing.assert_allclose(found, values, atol=2e-5, err_msg=name)


def test_json_ranks_maps_and_answers_as_predict(run, net):
    done = run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "maps.png", "--json", "--all")
    (result,) = done.results
    assert list(result) == ["input", "output", "predictions", "views", "seconds"]
    assert (result["input"], result["output"]) == ("a.png", "maps.png")
    layers = result["views"]["maps"]["layers"]
    assert [layer["name"] for layer in layers] == LAYERS
    expected = expected_maps(*net)
    for layer in layers:
        means = np.abs(expected[layer["name"]]).mean(axis=(0, 1))
        assert [each["map"] for each in layer["ranking"]] == list(np.argsort(-means, kind="stable"))
        assert [each["response"] for each in layer["ranking"]] == pytest.approx(
            np.sort(means)[::-1], abs=1e-4
        )
        assert layer["shape"] == list(expected[layer["name"]].shape)
    assert layers[4]["receptive_field"] == [8, 8]
    (answer,) = run("predict", "a.png", "-m", "net.safetensors", "--json").results
    assert result["predictions"] == answer["predictions"]


def test_one_picture(run, net, tmp_path):
    run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "maps.png", "--all")
    with Image.open(tmp_path / "maps.png") as page:
        assert (page.format, page.size[0]) == ("PNG", 1480)
        assert page.size[1] > 150 * len(LAYERS)


def test_the_default_output_is_no_input_of_the_next_command(run, net, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "in" / "a.png")
    done = run("featuremaps", "in/a.png", "-m", "net.safetensors")
    assert (done.code, done.lines) == (0, ["featuremaps/a-maps.png"])
    done = run("featuremaps", "in/a.png", "-m", "net.safetensors", "--view", "filters")
    assert done.lines == ["featuremaps/a-filters.png"]
    assert (tmp_path / "featuremaps" / "a-filters.png").stat().st_size > 1000
    done = run("featuremaps", "in/a.png", "-m", "net.safetensors", "--layer", "conv1", "--layer", "conv2")
    assert done.lines == ["featuremaps/a-maps-conv1-conv2.png"]
    assert [path.name for path in (tmp_path / "in").glob("*")] == ["a.png"]
    assert list(tmp_path.glob("*.png")) == []


def test_pictures_of_one_name_have_a_page_each(run, net, rng, tmp_path):
    """A page is never written over another; a command that is repeated finds its own."""
    places = {}
    for folder in ("in", "other"):
        (tmp_path / folder).mkdir()
        save_gray(f"{folder}/b.png", rng, (12, 10))
    for folder in ("in", "other", "in", "other"):
        done = run("featuremaps", f"{folder}/b.png", "-m", "net.safetensors", "--json")
        place = places.setdefault(folder, done.results[0]["output"])
        assert done.results[0]["output"] == place
    assert places == {"in": "featuremaps/b-maps.png", "other": "featuremaps/b-maps-2.png"}
    assert len({(tmp_path / place).read_bytes() for place in places.values()}) == 2
    assert len(list((tmp_path / "featuremaps").iterdir())) == 2


def test_a_folder_of_pictures(run, net, tmp_path):
    assert run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "out", "--all").code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["00-input.png", *(f"{i:02}-{name}.png" for i, name in enumerate(LAYERS, 1))]


def page_data(path):
    """What a page to explore computes with."""
    text = path.read_text()
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_a_page_to_explore_has_several_inputs_and_begins_at_the_layer_that_was_named(run, net, rng, tmp_path):
    save_gray("b.png", rng, (30, 20))
    words = ["featuremaps", "a.png", "b.png", "-m", "net.safetensors", "-o", "out.html"]
    done = run(*words, "--layer", "maxpool1", "--json")
    assert done.code == 0
    assert done.err == "note: b.png was resized and cropped from 20x30 to 10x12, as the network expects it\n"
    assert [result["input"] for result in done.results] == ["a.png", "b.png"]
    assert {result["output"] for result in done.results} == {"out.html"}
    data = page_data(tmp_path / "out.html")
    assert [each["name"] for each in data["inputs"]] == ["a.png", "b.png"]
    assert [node["name"] for node in data["network"]["nodes"]] == LAYERS
    assert data["start"] == "maxpool1"
    assert (tmp_path / "out.html").stat().st_size < 200_000


def test_a_page_of_filters_needs_no_input(run, net, tmp_path):
    assert run("featuremaps", "--view", "filters", "-m", "net.safetensors", "-o", "out.html").code == 0
    data = page_data(tmp_path / "out.html")
    assert (data["inputs"], data["start"]) == ([], "conv1")


def test_a_page_takes_arrays_beside_it(run, net, tmp_path):
    assert run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "o.html", "--raw", "a.npz").code == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert "relu1" in arrays


def test_the_overview_is_a_row_for_each_stage(run, net, tmp_path):
    done = run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "o.png", "--json")
    assert drawn(done) == ["relu1", "relu2", "globalavgpool1"]
    with Image.open(tmp_path / "o.png") as page:
        assert page.size[0] == 1600
        assert page.size[1] <= 1000
    views = ["--view", "maps,backprop"]
    assert run("featuremaps", "a.png", "-m", "net.safetensors", *views, "-o", "o.html").code == 0
    text = (tmp_path / "o.html").read_text().split('<h1 class="chapter">')[1]
    assert text.count('<section class="strip">') == 3
    assert "<p>stage 2 of 2</p><p>6 maps of 6 × 5</p>" in text
    assert text.split("<figcaption>")[1].startswith("3 × 3")  # the field of relu1, before its maps


def test_layers_by_name(run, net):
    words = ["featuremaps", "a.png", "-m", "net.safetensors", "-o", "o.png", "--json"]
    done = run(*words, "--layer", "conv2", "--layer", "conv1")
    assert drawn(done) == ["conv1", "conv2"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["1"], ["conv1"]),
        (["-1"], ["head"]),
        (["2", "-2"], ["batchnorm1", "globalavgpool1"]),
        (["conv*"], ["conv1", "conv2"]),
        (["*1"], ["conv1", "batchnorm1", "relu1", "maxpool1", "globalavgpool1"]),
        (["head", "re*"], ["relu1", "relu2", "head"]),
    ],
)
def test_layers_by_number_and_pattern(run, net, words, expected):
    options = [part for word in words for part in ("--layer", word)]
    done = run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "o.png", "--json", *options)
    assert drawn(done) == expected


def test_several_views_have_a_chapter_each(run, net, tmp_path):
    words = ["featuremaps", "a.png", "-m", "net.safetensors", "--view", "maps,filters", "--layer", "*1"]
    done = run(*words, "-o", "out", "--raw", "arrays.npz", "--json")
    views = done.results[0]["views"]
    assert {name: [layer["name"] for layer in view["layers"]] for name, view in views.items()} == {
        "maps": ["conv1", "batchnorm1", "relu1", "maxpool1", "globalavgpool1"],
        "filters": ["conv1"],
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "00-input.png",
        *(f"{i:02}-{name}.png" for i, name in enumerate(["conv1", "batchnorm1", "relu1", "maxpool1"], 1)),
        "05-globalavgpool1.png",
        "06-conv1.png",
    ]
    with np.load(tmp_path / "arrays.npz") as arrays:
        np.testing.assert_array_equal(arrays["filters/conv1"], net[0].export()["conv1.weight"])
        assert arrays["maps/relu1"].shape == (12, 10, 4)
    assert run(*words, "-o", "out").code == 0
    assert [path.name for path in sorted((tmp_path / "out").iterdir())][-2:] == [
        "05-globalavgpool1.png",
        "06-conv1.png",
    ]
    assert run(*words[:4], "--view", "maps", "--view", "filters").lines == ["featuremaps/a-maps-filters.png"]


def test_filters_take_no_image(run, net, tmp_path):
    done = run("featuremaps", "-m", "net.safetensors", "--view", "filters", "--json")
    assert done.results[0]["output"] == "featuremaps/net-filters.png"
    assert (done.results[0]["input"], "predictions" in done.results[0]) == (None, False)


def test_filters(run, net, tmp_path):
    words = ["featuremaps", "a.png", "-m", "net.safetensors", "--view", "filters", "-o", "f.png"]
    done = run(*words, "--json", "--raw", "kernels")
    layers = {layer["name"]: layer["shape"] for layer in done.results[0]["views"]["filters"]["layers"]}
    assert layers == {"conv1": [4, 1, 3, 3], "conv2": [6, 4, 3, 3], "head": [3, 6]}
    for name in layers:
        weight = np.load(tmp_path / "kernels" / f"{name}.npy")
        np.testing.assert_array_equal(weight, net[0].export()[f"{name}.weight"])


def test_patches_of_a_folder(run, net, rng, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(5):
        save_gray(f"many/{number}.png", rng, (12, 10))
    (tmp_path / "many" / "5.png").write_bytes(b"no image")
    words = ["featuremaps", "-m", "net.safetensors", "--view", "patches", "--json"]
    done = run(*words, "--data", "many", "--layer", "relu1", "--unit", "3,1", "-o", "p.png")
    assert done.err == "note: 1 images could not be read and were passed over\n"
    found = done.results[0]["views"]["patches"]
    assert found["images"] == 5
    (layer,) = found["layers"]
    assert [each["unit"] for each in layer["units"]] == [3, 1]
    first = layer["units"][0]["patches"][0]
    run(
        "featuremaps",
        first["image"],
        "-m",
        "net.safetensors",
        "--raw",
        "one",
        "--layer",
        "relu1",
        "-o",
        "o.png",
    )
    maps = np.load(tmp_path / "one" / "relu1.npy")
    assert maps[..., 3].max() == pytest.approx(first["value"], rel=1e-5)
    assert maps[(*first["place"], 3)] == pytest.approx(first["value"], rel=1e-5)


@pytest.mark.parametrize(("sample", "model"), [("digits/7.png", "digits"), ("chelsea.png", "imagenet")])
def test_without_a_network_it_is_the_one_that_predict_takes(run, sample, model):
    path = Path(__file__).parents[2] / "samples" / sample
    done = run("featuremaps", path, "-o", "o.png", "--json")
    assert done.err.startswith(f"note: seen by {model}, ")
    (answer,) = run("predict", path, "--json").results
    assert done.results[0]["predictions"][0] == answer["predictions"][0]


def test_pipes(shell, net):
    done = shell("cat a.png | cnncli featuremaps - -m net.safetensors")
    assert (done.code, done.err) == (0, "")
    assert done.image.shape[1:] == (1600, 3)
    done = shell("cat a.png | cnncli featuremaps - -m net.safetensors --json -o - 2>said >page; cat said")
    assert json.loads(done.out)["output"] == "-"


def test_deep_networks_show_every_layer_and_less_of_those_inside_blocks(run, rng, tmp_path):
    save_seeded(tmp_path / "deep.safetensors", layers="conv40 bn relu " * 9 + "gap fc", shape=(8, 8, 1))
    save_gray("a.png", rng, (8, 8))
    words = ["featuremaps", "a.png", "-m", "deep.safetensors", "-o", "out", "--json"]
    (result,) = run(*words, "--all").results
    blocks = [f"{kind}{i}" for i in range(1, 10) for kind in ("conv", "batchnorm", "relu")]
    layers = result["views"]["maps"]["layers"]
    assert [layer["name"] for layer in layers] == [*blocks, "globalavgpool1", "head"]
    assert all(len(layer["ranking"]) == 40 for layer in layers[:-1])
    heights = {}
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as picture:
            heights[path.name] = picture.height
    assert len(heights) == 1 + len(layers)
    assert heights["04-conv2.png"] < heights["06-relu2.png"]
    assert drawn(run(*words, "--layer", "batchnorm4")) == ["batchnorm4"]


def test_colour_and_a_digit_on_paper(run, rng, tmp_path):
    save_seeded(tmp_path / "c.safetensors", layers="conv4 relu fc", shape=(9, 9, 3))
    Image.fromarray(rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)).save("c.png")
    assert run("featuremaps", "c.png", "-m", "c.safetensors", "-o", "o.png").code == 0
    assert run("featuremaps", "c.png", "-m", "c.safetensors", "-o", "o.png", "--view", "filters").code == 0
    save_linear(tmp_path / "d.safetensors", rng, shape=(28, 28, 1), classes=CLASSES, digits=True)
    paper = np.full((60, 50), 230, np.uint8)
    paper[10:50, 20:26] = 10
    done = run("featuremaps", "-", "-m", "d.safetensors", "-o", "o.png", stdin=png(paper))
    assert done.err.startswith(
        "note: the picture was resized from 50x60 to 28x28, inverted, cropped, centred"
    )


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["a.png", "--layer", "cnv1"], "--layer is 'cnv1'", "Did you mean --layer conv1?"),
        (["a.png", "--layer", "relu1", "--view", "filters"], "no such layer with kernels", ""),
        (["a.png", "--layer", "9"], "--layer is '9'; the network has no such layer: conv1", ""),
        (["a.png", "--layer", "0"], "--layer is '0'", ""),
        (["a.png", "--layer", "x*"], "--layer is 'x*'", ""),
        (["a.png", "--view", "maps,filters", "--layer", "relu*"], "no such layer with kernels: conv1", ""),
        (["a.png", "--all", "--layer", "1"], "--layer and --all are both given", ""),
        (["--view", "patches"], "--view patches has no images to look through", "--data samples"),
        (["a.png", "--data", "x"], "--data is given without --view patches", ""),
        (["a.png", "--unit", "1"], "--unit is given without a view that it changes", "--view patches"),
        (["a.png", "--view", "gradcam", "--seed", "1"], "--seed is given without a view", "--view maximize"),
        (["a.png", "--view", "smoothgrad", "--seed", "-1"], "--seed is -1", ""),
        (["a.png", "--view", "occlusion", "--all"], "--all is given without a view", "--view maps"),
        (["--view", "maximize", "--layer", "1", "--unit", "4"], "expected a unit of conv1: 0 to 3", ""),
        (["--view", "maps,filters"], "no input is given", ""),
        (["a.png", "--view", "filter"], "--view is 'filter'", "Did you mean --view filters?"),
        (["a.png", "-o", "x.jpg"], "-o x.jpg ends in .jpg", ".png"),
        (["a.png", "-o", "a.png"], "is also the input", ""),
        (["a.png", "-m", "missing.safetensors"], "no such file", ""),
    ],
)
def test_wrong_usage(run, net, two_lines, words, said, hint, tmp_path):
    before = (tmp_path / "a.png").read_bytes()
    words = words if "-m" in words else [*words, "-m", "net.safetensors"]
    done = run("featuremaps", *words)
    assert said in two_lines(done, 2)
    assert hint in done.err.splitlines()[1]
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("place", "words", "said"),
    [
        ("a.png", ["a.png", "-o", "a.png"], "a.png is also the input"),
        ("out/00-input.png", ["out/00-input.png", "-o", "out/"], "00-input.png is also the input"),
        ("out/01-relu1.png", ["out/01-relu1.png", "-o", "out"], "01-relu1.png is also the input"),
        ("rr/input.npy", ["rr/input.npy", "--raw", "rr", "-o", "x.png"], "rr/input.npy is also the input"),
        ("rr/relu1.npy", ["rr/relu1.npy", "--raw", "./rr/", "-o", "x.png"], "relu1.npy is also the input"),
        (
            "rr/head.npy",
            ["rr/head.npy", "--raw", "rr", "-o", "x.png", "--view", "filters"],
            "head.npy is also the input",
        ),
        ("maps.png", ["a.png", "-m", "maps.png", "-o", "maps.png"], "maps.png is also the checkpoint"),
        ("out/02-x.png", ["a.png", "-m", "out/02-x.png", "-o", "out/../out/02-x.png"], "also the checkpoint"),
    ],
)
def test_nothing_that_is_read_is_overwritten(run, net, two_lines, photo, tmp_path, place, words, said):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    if "-m" in words:
        (tmp_path / "net.safetensors").rename(path)
    else:
        words = [*words, "-m", "net.safetensors"]
        photo(path, (12, 10), np.float32 if path.suffix == ".npy" else np.uint8)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    assert said in two_lines(run("featuremaps", *words), 2)
    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()} == before


def test_files_beside_those_that_are_written_may_be_read(run, net, photo, tmp_path):
    (tmp_path / "rr").mkdir()
    photo(tmp_path / "rr" / "in.npy", (12, 10), np.float32)
    done = run("featuremaps", "rr/in.npy", "-m", "net.safetensors", "--raw", "rr", "-o", "rr")
    assert (done.code, done.err) == (0, "")


def test_inputs_that_cannot_be_read(run, net, two_lines, tmp_path):
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    assert "damaged" in two_lines(run("featuremaps", "cut.png", "-m", "net.safetensors"), 1)
    assert "no such file" in two_lines(run("featuremaps", "b.png", "-m", "net.safetensors"), 1)
    done = run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "no/such/folder/x.png")
    assert "folder" in two_lines(done, 1)


@pytest.mark.parametrize("digits", [False, True])
def test_it_shows_what_predict_answers(run, rng, tmp_path, digits):
    """A JPEG that is reduced while it is decoded: the input, and the answer, are those of predict."""
    weight, bias = save_linear(tmp_path / "net.safetensors", rng, shape=(10, 12, 1), digits=digits)
    y, x = np.mgrid[:480, :640]
    Image.fromarray(np.stack([x // 3, y // 2, (x + y) // 5], 2).astype(np.uint8)).save("a.jpg")
    drawn = run("featuremaps", "a.jpg", "-m", "net.safetensors", "--json", "-o", "page.png", "--raw", "raw")
    (answered,) = run("predict", "a.jpg", "-m", "net.safetensors", "--json").results
    assert drawn.results[0]["predictions"] == answered["predictions"]
    outputs = (weight * np.load(tmp_path / "raw" / "input.npy").transpose(2, 0, 1)).sum(axis=(1, 2, 3)) + bias
    shares = np.exp(outputs - outputs.max())
    assert answered["predictions"][0]["label"] == CLASSES[int(outputs.argmax())]
    assert answered["predictions"][0]["probability"] == pytest.approx((shares / shares.sum()).max(), abs=1e-4)


# --- one unit, explained ---------------------------------------------------------------------------


def test_a_unit_is_explained_and_adds_up_to_its_map(run, net):
    network, pixels = net
    done = run(
        "featuremaps",
        "a.png",
        "-m",
        "net.safetensors",
        "--explain",
        "conv2:3",
        "--at",
        "2,1",
        "-o",
        "u.png",
        "--json",
    )
    found = done.results[0]["views"]["explain"]
    expected = expected_maps(network, pixels)
    assert found["value"] == pytest.approx(expected["conv2"][1, 2, 3], abs=1e-5)
    assert found["then"][0] == {"layer": "relu2", "value": pytest.approx(max(0, found["value"]))}
    with Image.open("u.png") as page:
        assert page.width == 1480
    assert (
        run("featuremaps", "a.png", "-m", "net.safetensors", "--explain", "conv1", "-o", "u.html").code == 0
    )


def test_the_window_of_a_unit_moves(run, net):
    words = ["featuremaps", "a.png", "-m", "net.safetensors", "--explain", "conv2:3", "--at", "2,1"]
    for name, kind in (("u.gif", "GIF"), ("u.apng", "PNG")):
        done = run(*words, "-o", name, "--raw", "arrays", "--json")
        assert (done.code, done.results[0]["output"]) == (0, name)
        assert done.results[0]["views"]["explain"]["at"] == [2, 1]
        with Image.open(name) as film:
            # A map of 6 x 5 has fewer places than 5 rows of 7; the unit's own is the last frame.
            assert (film.format, film.n_frames, film.width) == (kind, 5 * 5 + 1, 1000)
    assert np.load("arrays/patch.npy").shape == (3, 3, 4)


@pytest.mark.parametrize(
    ("word", "layer"),
    [("1", "conv1"), ("conv1", "conv1"), ("*v2", "conv2"), ("5:2", "conv2"), ("-4", "conv2")],
)
def test_a_unit_goes_by_number_and_pattern(run, net, word, layer):
    done = run("featuremaps", "a.png", "-m", "net.safetensors", "--explain", word, "-o", "u.png", "--json")
    assert done.results[0]["views"]["explain"]["layer"] == layer


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--explain", "2"], "--explain is '2', which is batchnorm1; expected one of the network's"),
        (["--explain", "conv*"], "--explain is 'conv*', which names 2 layers; expected one of"),
        (["--explain", "conv3"], "expected one of the network's convolutions: conv1, conv2"),
        (["--explain", "relu1"], "expected one of the network's convolutions: conv1, conv2"),
        (["--explain", "conv1:4"], "expected a unit from 0 to 3"),
        (["--explain", "conv1:-1"], "expected a unit from 0 to 3"),
        (["--explain", "conv1", "--at", "10,0"], "from 0,0 to 9,11"),
        (["--explain", "conv1", "--view", "maps"], "--explain and --view are both given"),
        (["--at", "1,1"], "--at is given without --explain"),
    ],
)
def test_a_unit_that_does_not_exist_is_refused(run, net, two_lines, words, message):
    done = run("featuremaps", "a.png", "-m", "net.safetensors", *words, "-o", "u.png")
    assert message in two_lines(done, 2)


def test_pages_of_masks_and_boxes_are_explored(run, rng, tmp_path):
    save_gray("a.png", rng, (32, 32))
    for name, save, answer in (("dense", save_dense, "pixels"), ("boxes", save_detector, "places")):
        save(tmp_path / f"{name}.safetensors")
        done = run("featuremaps", "a.png", "-m", f"{name}.safetensors", "-o", "page.html")
        assert (done.code, done.err) == (0, "")
        html = (tmp_path / "page.html").read_text()
        assert f'"answer":"{answer}"' in html.replace(": ", ":")
        assert ("the scores of the finest scale" in html) == (answer == "places")
