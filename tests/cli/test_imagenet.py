"""The photograph model that ships answers as it does in PyTorch, short side to 256, middle 224."""

import pytest

from cnncli.data.shipped import sample_path

PUBLISHED = {
    "chelsea.png": [("tiger cat", 0.382), ("Egyptian cat", 0.371), ("tabby, tabby cat", 0.161)],
    "camera.png": [("tripod", 0.944)],
}


def test_predict_photographs(run):
    done = run("predict", *(str(sample_path(name)) for name in PUBLISHED), "-m", "imagenet", "--json")
    assert done.code == 0
    said = "2 were resized, 1 was repeated as red, green and blue"
    assert done.err == f"note: of 2 pictures {said}, as the network expects them\n"
    for result, wanted in zip(done.results, PUBLISHED.values(), strict=True):
        for found, (label, probability) in zip(result["predictions"], wanted, strict=False):
            assert found["label"] == label
            assert found["probability"] == pytest.approx(probability, abs=6e-4)


def test_the_licence_ships_with_the_network():
    assert "Apache License" in sample_path("imagenet/LICENSE").read_text()
    assert "Google" in sample_path("imagenet/NOTICE").read_text()
