"""That the comparison with PyTorch finds nothing, and that it would find something."""

import numpy as np
import pytest

pytest.importorskip("torch")

from cnncli import nn

from .check import check
from .draw import draw

NETWORKS = 12  # here; `.ci/run` tries 50 on each instruction set


@pytest.mark.parametrize("seed", range(1, NETWORKS + 1))
def test_a_random_network_computes_what_pytorch_does(seed):
    assert not check(draw(seed))


def test_a_wrong_gradient_is_found(monkeypatch):
    """A convolution of 1x1 pixels with padding, taken for a matrix product: what the comparison found."""

    def careless(self, inputs):
        return inputs[0].height == inputs[0].width == 1 and self.kernel == 1 and self.groups == 1

    recipe = next(r for r in map(draw, range(1000)) if r.text == "conv64k1s3p1 fc")
    monkeypatch.setattr(nn.Conv, "_is_dense", careless)
    assert any("gradient of conv1.weight" in line for line in check(recipe))


def test_networks_are_drawn_from_all_of_the_grammar():
    recipes = [draw(seed) for seed in range(300)]
    kinds = {word.kind for recipe in recipes for word in recipe.words}
    assert kinds == {
        "conv", "fc", "bn", "maxpool", "avgpool", "gap", "flatten", "dropout",
        "relu", "leaky", "sigmoid", "tanh", "silu", "gelu",
    }  # fmt: skip
    sizes = [recipe.shape[:2] for recipe in recipes]
    assert (np.min(sizes), np.max(sizes)) == (1, 40)
    assert {recipe.optimiser[0] for recipe in recipes} == (
        {"SGD", "Nesterov", "Dampened", "Adam", "AdamW", "RMSprop"}
    )
