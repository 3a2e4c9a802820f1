"""Attributions as featuremaps draws them: classes by name, one scale, the record, the arrays, and errors."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from small_networks import MEAN, STD, save_dense, save_detector, save_gray, save_seeded

from cnncli.attribution.methods import METHODS
from cnncli.attribution.sanity import similarity
from cnncli.nn import Inference
from cnncli.views.featuremaps.attribution import overlaid, scale_for

WORDS = ["featuremaps", "a.png", "-m", "net.safetensors", "-o", "o.png"]


@pytest.fixture
def net(run, rng, tmp_path):
    """A seeded network, and what it takes of a picture in a.png."""
    network = save_seeded(tmp_path / "net.safetensors")
    pixels = save_gray("a.png", rng, (12, 10))
    return network, ((pixels.astype(np.float32) / 255 - MEAN) / STD)[..., None].astype(np.float32)


def attributions(done, view):
    return done.results[0]["views"][view]["attributions"]


@pytest.mark.parametrize("view", METHODS)
def test_every_method_is_a_view(run, net, view):
    network, x = net
    outputs = Inference(network, 1).run(x[None])[0]
    done = run(*WORDS, "--view", view, "--json", "--raw", "arrays")
    (found,) = attributions(done, view)
    best = int(outputs.argmax())
    assert (found["index"], found["output"]) == (best, pytest.approx(float(outputs[best]), rel=1e-4))
    array = np.load(f"arrays/{view}-{best}.npy")
    assert found["sum"] == pytest.approx(array.sum(), rel=1e-3) or view == "gradcam"
    assert found["scale"][0] == -found["scale"][1]


def test_classes_stand_side_by_side_with_one_scale(run, net):
    targets = ["--target", "Stripes", "--target", "0", "--target", "stripes"]
    done = run(*WORDS, "--view", "integrated,occlusion", *targets, "--baseline", "blur", "--json")
    for view in ("integrated", "occlusion"):
        first, second = attributions(done, view)
        assert [first["target"], second["target"]] == ["stripes", "night"]
        assert first["scale"] == second["scale"]
        assert first["baseline"] == "blur"
    first, second = attributions(done, "integrated")
    assert first["gap"] <= 0.01
    assert first["sum"] == pytest.approx(first["difference"], rel=0.0101)
    assert "integrated gradients of stripes sum to the difference of outputs within" in done.err


def test_single_pixels_do_not_hide_the_rest():
    """One pixel a hundred times as strong as all others, which are seen in their colours all the same."""
    heatmap = np.full((20, 20), 0.5, np.float32)
    heatmap[:, :10] = -0.5
    heatmap[3, 4] = 50
    scale = scale_for([heatmap])
    assert (scale.low, scale.high, scale.clipped) == (-0.5, 0.5, True)
    pixels = overlaid(np.full((20, 20, 3), 128, np.uint8), heatmap, scale).astype(int)
    assert pixels[0, 0, 2] > pixels[0, 0, 0] + 30  # blue
    assert pixels[0, -1, 0] > pixels[0, -1, 2] + 30  # orange
    assert scale_for([np.zeros((4, 4), np.float32)]).high == 1


def test_dots_of_large_images_are_smoothed_for_display_alone(run, tmp_path, rng):
    save_seeded(tmp_path / "large.safetensors", shape=(70, 64, 3))
    Image.fromarray(rng.integers(0, 256, (70, 64, 3)).astype(np.uint8)).save("large.png")
    words = ["featuremaps", "large.png", "-m", "large.safetensors", "--view", "saliency", "--target", "0"]
    (found,) = attributions(run(*words, "-o", "out", "--raw", "arrays", "--json"), "saliency")
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        "00-input.png",
        "01-saliency-smoothed.png",
        "02-saliency.png",
    }
    heatmap = np.load("arrays/saliency-0.npy").astype(np.float64).sum(-1)
    assert found["scale"][1] == pytest.approx(np.quantile(np.abs(heatmap), 0.99), rel=0.01)
    sigma = 70 / 75
    smooth = ndimage.gaussian_filter(np.abs(heatmap), sigma, mode="reflect", truncate=3)
    assert found["smoothed"]["sigma"] == pytest.approx(sigma, abs=1e-3)
    assert found["smoothed"]["scale"] == [0, pytest.approx(np.quantile(smooth, 0.99), rel=0.01)]
    words[-3:] = ["occlusion", "--json"]
    assert "smoothed" not in attributions(run(*words, "-o", "o.png"), "occlusion")[0]


def test_gradcam_takes_a_layer(run, net):
    done = run(*WORDS, "--view", "gradcam", "--json")
    assert attributions(done, "gradcam")[0]["layer"] == "relu2"
    done = run(*WORDS, "--view", "gradcam", "--layer", "relu*", "--json")
    assert [each["layer"] for each in attributions(done, "gradcam")] == ["relu1", "relu2"]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["--view", "gradcam", "--target", "stipes"],
            "--target is 'stipes'",
            "Did you mean --target 'stripes'?",
        ),
        (["--view", "saliency", "--target", "3"], "its number from 0 to 2", "Give a class by its name"),
        (["--view", "gradcam", "--layer", "head"], "no such layer with maps", "conv1, batchnorm1"),
        (["--view", "guided", "--layer", "conv1"], "of the pixels of the image", "Leave --layer out"),
        (["--target", "day"], "without a view of attributions", "Add --view gradcam"),
        (["--view", "gradcam", "--baseline", "blur"], "--baseline is given without", "Leave --baseline out"),
        (["--view", "sanity", "--layer", "conv1"], "goes through all layers", "Leave --layer out"),
        (["--view", "sanity", "--target", "0", "--target", "1"], "is of one class", "Give one --target"),
        (["--view", "smoothgrad", "--seed", "-1"], "--seed is -1; expected 0 or more", "Leave --seed out"),
        (["--view", "occlusion", "--baseline", "black"], "--baseline is 'black'", "--baseline"),
    ],
)
def test_what_is_wrong_is_refused(run, net, words, message, hint):
    done = run(*WORDS, *words)
    assert done.code == 2
    assert message in done.err
    assert hint in done.err


def test_sanity_of_many_pixels_is_drawn_smoothed_and_says_so(run, rng, tmp_path):
    save_seeded(tmp_path / "large.safetensors", layers="conv4 relu gap fc", shape=(72, 64, 1))
    save_gray("large.png", rng, (72, 64))
    done = run("featuremaps", "large.png", "-m", "large.safetensors", "--view", "sanity", "-o", "page.html")
    assert done.code == 0, done.err
    html = Path("page.html").read_text()
    assert html.count("magnitudes, smoothed for display, Gaussian of 1.0 pixels") == 5  # all but occlusion


def test_sanity_goes_through_the_layers_for_every_method(run, net):
    done = run(*WORDS, "--view", "sanity", "--seed", "3", "--target", "day", "--json", "--raw", "arrays")
    found = done.results[0]["views"]["sanity"]
    assert (found["target"], found["seed"]) == ("day", 3)
    assert [each["name"] for each in found["randomized"]][1:] == ["conv2", "conv1"]
    assert found["randomized"][2]["layers"] == ["conv1", "batchnorm1"]
    assert list(found["methods"]) == list(METHODS)
    for name, method in found["methods"].items():
        heatmaps = np.load(f"arrays/{name}.npy")
        assert heatmaps.shape == (4, 12, 10)
        for key, of in (("spearman", heatmaps), ("spearman_absolute", np.abs(heatmaps))):
            wanted = [similarity(of[0], each).signed for each in of[1:]]
            assert method[key] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("view", ["gradcam", "occlusion"])
@pytest.mark.parametrize("save", [save_detector, save_dense])
def test_boxes_and_pixels_of_a_class_are_explained(run, rng, tmp_path, save, view):
    """In pixels of the file, which is twice as large as the network's input."""
    save(tmp_path / "net.safetensors")
    save_gray("a.png", rng, (64, 64))
    line = [*WORDS, "--view", view, "--target", "day", "--region", "20,24,30,28", "--json"]
    (result,) = run(*line).results
    found = result["views"][view]
    found = found["attributions"][0]
    assert found["target"] == "day"
    if save is save_dense:
        assert found["box"] == [20, 24, 30, 28]
        assert found["pixels"] <= 15 * 14
    else:
        x, y, width, height = found["box"]
        assert 0 < found["score"] < 1
        assert (x < 50, y < 52, x + width > 20, y + height > 24) == (True,) * 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--view", "saliency", "--region", "1,2,3"], "--region is '1,2,3'; expected x, y, width and height"),
        (["--view", "saliency", "--region", "1,2,0,4"], "--region is '1,2,0,4'"),
        (["--view", "saliency", "--region", "1,2,3,4"], "says one thing of a whole image"),
        (["--region", "1,2,3,4"], "--region is given without a view of attributions"),
    ],
)
def test_regions_that_mean_nothing(run, net, two_lines, words, message):
    assert message in two_lines(run(*WORDS, *words), 2)


def test_backprop_is_of_one_class(run, rng, tmp_path, two_lines):
    save_dense(tmp_path / "net.safetensors")
    save_gray("a.png", rng, (32, 32))
    assert "--view backprop is of one class of an image" in two_lines(run(*WORDS, "--view", "backprop"), 2)
