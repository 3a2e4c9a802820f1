"""Commands that put a picture into a network say alike what they do to it: on standard error, and in JSON."""

import numpy as np
import pytest
from PIL import Image
from small_networks import save_gray, save_seeded

SAID = "was resized and cropped from 45x30 to 10x12, made gray, as the network expects it"
CONVERTED = {
    "from": {"height": 30, "width": 45, "channels": 3},
    "to": {"height": 12, "width": 10, "channels": 1},
}


@pytest.fixture
def net(run, rng, tmp_path):
    """A network for gray pictures of 10 x 12, one of those and a colour photograph of another size."""
    save_seeded(tmp_path / "net.safetensors")
    save_gray("fits.png", rng, (12, 10))
    Image.fromarray(rng.integers(0, 256, (30, 45, 3)).astype(np.uint8)).save("photo.png")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["predict", "{}", "-m", "net.safetensors"], "photo.png"),
        (["featuremaps", "{}", "-m", "net.safetensors", "-o", "o.png"], "the picture"),
        (["featuremaps", "{}", "-m", "net.safetensors", "-o", "o.png", "--explain", "conv1"], "the picture"),
        (["draw", "net.safetensors", "--image", "{}", "-o", "o.svg"], "photo.png"),
    ],
)
def test_a_converted_picture_is_said(run, net, words, name):
    done = run(*(word.format("photo.png") for word in words), "--json")
    assert f"note: {name} {SAID}\n" in done.err
    result = done.results[0].get("example", done.results[0])
    assert result["converted"] == CONVERTED
    assert "resized" not in run(*(word.format("photo.png") for word in words), "-q").err
    done = run(*(word.format("fits.png") for word in words), "--json")
    assert "note" not in done.err
    assert "converted" not in done.results[0].get("example", done.results[0])


def test_of_many_pictures_they_are_counted(run, net):
    done = run("predict", "photo.png", "fits.png", "photo.png", "-m", "net.safetensors")
    assert done.err == "note: of 3 pictures 2 were resized, 2 were made gray, as the network expects them\n"
