"""Summaries: receptive fields against what really changes an output, memory and sums by hand."""

import numpy as np
import pytest

from cnncli.models.choice import build
from cnncli.models.summary import activations_at_once, summary
from cnncli.nn import Add, Conv, Graph, Inference, Network, Relu


def seen(text, name, size=21):
    """Rows and columns of the image that change the middle of a layer's output."""
    graph = build(text, (size, size, 1), 3)
    network = Network(graph, seed=0)
    network.load({key: np.abs(value) + 0.1 for key, value in network.export().items()})
    inference = Inference(network, size * size + 1, threads=1, keep=(name,))
    images = np.ones((size * size + 1, size, size, 1), np.float32)
    for i in range(size * size):
        images[i].reshape(-1)[i] = 3
    values = inference.activations(images)[name]
    middle = values[:, values.shape[1] // 2, values.shape[2] // 2, 0]
    rows, columns = np.divmod(np.flatnonzero(middle[:-1] != middle[-1]), size)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize(
    "text",
    [
        "conv2 relu gap fc",
        "conv2-5 conv2 gap fc",
        "conv2 avgpool conv2 gap fc",
        "conv2s2 conv2d2 gap fc",
        "avgpool3s2 conv2-5 gap fc",
    ],
)
def test_receptive_fields(text):
    rows = summary(build(text, (21, 21, 1), 3)).layers
    last = next(row for row in reversed(rows) if row.shape.height > 1)
    assert last.receptive_field == seen(text, last.name)


def test_global_pooling_and_fully_connected_layers_see_everything():
    for text in ("conv4 gap fc", "conv4 pool fc8 fc"):
        assert summary(build(text, (12, 20, 1), 3)).layers[-1].receptive_field == (12, 20)


def test_a_skip_does_not_narrow_the_field():
    rows = summary(build("resnet20", (32, 32, 3), 10)).layers
    fields = [row.receptive_field[0] for row in rows if row.kind == "Add"]
    assert fields[0] == 7
    assert fields == sorted(fields)


def test_sums_and_memory():
    """At most the ReLU's maps, which take the place of the convolution's, and the pooled ones are needed."""
    table = summary(build("conv4-5p0 relu pool fc", (12, 12, 3), 6))
    assert [row.parameters for row in table.layers] == [4 * 75 + 4, 0, 0, 0, 64 * 6 + 6]
    assert [row.multiply_adds for row in table.layers] == [64 * 4 * 75, 0, 0, 0, 64 * 6]
    assert table.parameters == 304 + 390
    assert table.multiply_adds == 19_200 + 384
    assert table.memory == 4 * (694 + 8 * 8 * 4 + 4 * 4 * 4)


def test_a_skip_is_kept_until_it_is_added():
    """Within a block the sum of three maps: the skip, the first convolution's and the second's."""
    graph = Graph((8, 8, 2))
    start = graph.add(Conv(2, 3, padding=1))
    graph.add(Conv(2, 3, padding=1), Relu(), Conv(2, 3, padding=1))
    graph.add(Add(), inputs=(graph.output, start))
    assert activations_at_once(graph) == 3 * 8 * 8 * 2


def test_auxiliary_heads_have_parameters_but_no_part_in_inference():
    bare, aux = (summary(build(name, (224, 224, 3), 1000)) for name in ("googlenet", "googlenet:aux"))
    assert (bare.parameters, aux.parameters) == (6_624_904, 13_004_888)
    assert bare.multiply_adds == aux.multiply_adds


# AlexNet and VGG-16: Araujo et al. 2019, table 1; ResNet-18: 7 + 4 (pooling), then 4 times 8, 8 + 3 times 16,
# 16 + 3 times 32, 32 + 3 times 64; LeNet-5: 5 + 1 + 8 + 2.
@pytest.mark.parametrize(
    ("name", "size"),
    [("alexnet", 195), ("vgg16", 212), ("resnet18", 435), ("lenet5", 16), ("seresnet18", None)],
)
def test_the_receptive_field_of_the_last_maps(name, size):
    assert summary(build(name, (224, 224, 3), 10)).receptive_field == (size and (size, size))


def test_a_network_without_maps_sees_all():
    assert summary(build("fc8 relu fc", (5, 7, 1), 3)).receptive_field == (5, 7)
