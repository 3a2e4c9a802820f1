"""The network for masks on others: shapes of its outputs, what it reads, and the same in PyTorch."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.models.choice import architecture, build
from cnncli.nn import Inference, Network, SoftmaxCrossEntropy, Term, TrainingStep
from cnncli.nn.optimisers import SGD

SHAPE = (64, 96, 3)


@pytest.mark.parametrize(
    ("name", "finest"),
    [("segmenter", 2), ("segmenter:on=resnet18,width=0.25,neck=16", 2), ("segmenter:on=resnet20", 1)],
)
def test_there_is_a_value_for_each_class_of_each_pixel(name, finest):
    graph = build(name, SHAPE, 5)
    assert graph.output_shape[:3] == (*SHAPE[:2], 5)
    assert graph.head() == "classes"
    level = graph.shape_of(f"level{finest}.relu1")
    assert level[:2] == (SHAPE[0] // finest, SHAPE[1] // finest)
    assert all(graph.shape_of(each)[2] <= 64 for each in graph.nodes if each.endswith(".lateral"))


def test_the_usual_network_by_the_size_of_the_images():
    names = {
        size: architecture("auto", (*size, 3), 4, of="pixels").name
        for size in [(128, 96), (64, 64), (100, 100)]
    }
    assert names == {
        (128, 96): "segmenter:width=1.5",
        (64, 64): "unet:width=0.25,scales",
        (100, 100): "unet:width=0.25,scales",
    }


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [("segmenter", (72, 72, 3), "no multiple"), ("segmenter:on=compact", SHAPE, "halve")],
)
def test_what_it_cannot_stand_on(name, shape, message):
    with pytest.raises(CnncliError, match=message):
        build(name, shape, 3)


def test_values_and_gradients_are_pytorch_s(rng):
    torch = pytest.importorskip("torch")
    from tests.benchmarks import twins

    network = Network(build("segmenter:width=0.5", SHAPE, 4), seed=1)
    x = rng.standard_normal((3, *SHAPE)).astype(np.float32)
    labels = rng.integers(0, 4, x.shape[:3])
    module = twins.torch_twin(network)
    given = twins.as_torch(x)
    with torch.no_grad():
        expected = module.eval()(given).numpy().transpose(0, 2, 3, 1)
    found = Inference(network, 3).run(x)
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
    step = TrainingStep(
        network, 3, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(), threads=1
    )
    loss = step.run(x, labels, rate=0.0)
    theirs = torch.nn.functional.cross_entropy(module.train()(given), torch.from_numpy(labels))
    theirs.backward()
    assert loss == pytest.approx(float(theirs.detach()), rel=1e-5)
    gradients = dict(network.unpack(network.gradient))
    for name, parameter in module.named_parameters():
        apart = np.linalg.norm(gradients[name] - parameter.grad.numpy())
        assert apart < 0.02 * np.linalg.norm(parameter.grad.numpy()) + 1e-6, name
