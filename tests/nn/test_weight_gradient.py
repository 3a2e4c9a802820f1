"""The gradient of one layer's weights: it is the slope of the outputs' weighted sum along each weight."""

import numpy as np
import pytest

from cnncli.nn import Conv, Flatten, Graph, Inference, Linear, Network
from cnncli.nn.weight_gradient import has_weights, weight_gradient

LAYERS = {
    "plain": Conv(4, 3),
    "strided": Conv(4, 3, stride=2, padding=1),
    "same": Conv(4, (2, 3), stride=(2, 1), padding="same"),
    "dilated": Conv(6, 3, dilation=2, padding=((2, 1), (0, 2))),
    "grouped": Conv(8, 3, groups=2, padding=1),
    "depthwise": Conv(4, 3, groups=4),
    "fully connected": Linear(5),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_it_is_the_slope_along_each_weight(layer):
    graph = Graph((7, 6, 4))
    if isinstance(layer, Linear):
        graph = Graph((1, 1, 9))
    graph.add(layer, name="layer")
    node = graph.nodes["layer"]
    assert has_weights(node)
    random = np.random.default_rng(3)
    x = random.normal(size=(1, *graph.input_shape[:3])).astype(np.float32)
    dout = random.normal(size=tuple(node.shape[:3])).astype(np.float32)
    network = Network(graph, seed=1)
    arrays = network.export()

    def total(weights):
        """The outputs times ``dout``, summed: linear in the weights, so that differences are exact."""
        network.load({**arrays, "layer.weight": weights})
        outputs = Inference(network, 1, threads=1).run(x).reshape(dout.shape)
        return float((outputs.astype(np.float64) * dout).sum())

    found = weight_gradient(node, x[0], dout)
    assert found.reshape(arrays["layer.weight"].shape).shape == arrays["layer.weight"].shape
    flat = found.reshape(-1)
    for place in random.choice(flat.size, 5, replace=False):
        step = np.zeros(flat.size, np.float32)
        step[place] = 1
        step = step.reshape(arrays["layer.weight"].shape)
        slope = (total(arrays["layer.weight"] + step) - total(arrays["layer.weight"] - step)) / 2
        assert flat[place] == pytest.approx(slope, abs=2e-4)


def test_layers_without_weights():
    graph = Graph((2, 2, 1))
    graph.add(Flatten())
    assert not has_weights(graph.nodes[graph.output])
