"""Outputs, gradients and running statistics of published networks are those of the same ones in PyTorch."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import peers  # noqa: E402

from cnncli.checked import Fields  # noqa: E402
from cnncli.models.choice import build  # noqa: E402
from cnncli.nn import SGD, Inference, Network, SoftmaxCrossEntropy, Term, TrainingStep  # noqa: E402
from cnncli.nn.exchange import as_dict, from_dict  # noqa: E402

CLASSES = 5
STAGES = (64, 128, 256, 512)
SMALL = {"small": True, "cifar": True}
CASES = {
    "alexnet": (96, lambda: peers.alexnet(CLASSES)),
    "vgg13": (32, lambda: peers.vgg(CLASSES, (2, 2, 2, 2, 2), norm=False)),
    "vgg16-bn": (64, lambda: peers.vgg(CLASSES, (2, 2, 3, 3, 3), norm=True)),
    "googlenet:aux": (96, lambda: peers.GoogLeNet(CLASSES)),
    "squeezenet1.1": (64, lambda: peers.SqueezeNet(CLASSES)),
    "densenet121": (64, lambda: peers.DenseNet(CLASSES, (6, 12, 24, 16))),
    "mobilenet-v2": (64, lambda: peers.MobileNetV2(CLASSES)),
    "resnet18": (32, lambda: peers.ResNet(CLASSES, STAGES, (2, 2, 2, 2), small=True)),
    "resnet50": (64, lambda: peers.ResNet(CLASSES, STAGES, (3, 4, 6, 3), bottleneck=True)),
    "seresnet50": (64, lambda: peers.ResNet(CLASSES, STAGES, (3, 4, 6, 3), bottleneck=True, squeeze=True)),
    "resnet20": (32, lambda: peers.ResNet(CLASSES, (16, 32, 64), (3, 3, 3), **SMALL)),
    "seresnet20": (32, lambda: peers.ResNet(CLASSES, (16, 32, 64), (3, 3, 3), squeeze=True, **SMALL)),
}


def changed(graph, *, smooth):
    """The graph without dropout, and, if it is to be smooth, with SiLU for ReLU."""
    layout = as_dict(graph)
    for layer in layout["layers"]:
        if layer["kind"] == "dropout":
            layer["rate"] = 0.0
        if layer["kind"] == "relu" and smooth:
            layer["kind"] = "silu"
    return from_dict(Fields(json.loads(json.dumps(layout))))


def pair_of(name, *, smooth):
    """A network with the weights of its peer, the peer in double precision, and images for both."""
    side, make = CASES[name]
    torch.manual_seed(0)
    peer = make().double()
    for module in peer.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # else means behind linear layers are 0 within rounding
            module.bias.data.uniform_(-0.3, 0.3)
    network = Network(changed(build(name, (side, side, 3), CLASSES), smooth=smooth), scheme=None)
    network.load({name: value.numpy() for name, value in peer.state_dict().items()})
    x = np.random.default_rng(1).standard_normal((4, side, side, 3)).astype(np.float32)
    return network, peer, x, torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float64))


def first(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


def error(found, wanted):
    """Norm of the difference, in units of the norm of what is wanted."""
    wanted = wanted.detach().numpy()
    return np.linalg.norm(found - wanted) / max(np.linalg.norm(wanted), 1e-30)


@pytest.mark.parametrize(
    "name", ["alexnet", "googlenet:aux", "resnet50", "seresnet20", "squeezenet1.1", "mobilenet-v2"]
)
def test_outputs(name):
    network, peer, x, images = pair_of(name, smooth=False)
    peer.eval()
    assert error(Inference(network, 4).run(x), first(peer(images))) < 1e-5


@pytest.mark.parametrize("name", [name for name in CASES if name != "alexnet"])
def test_a_step_and_what_follows(name, monkeypatch):
    """Loss, gradients and running statistics of a step, and outputs with those statistics afterwards.

    With SiLU: where an input of a ReLU is all but 0, rounding decides whether a gradient passes, and with
    batch norms over few pixels gradients of PyTorch in single and double precision differ by percents.
    """
    monkeypatch.setattr(torch.nn.functional, "relu", lambda x, inplace=False: torch.nn.functional.silu(x))
    network, peer, x, images = pair_of(name, smooth=True)
    labels = np.array([0, 4, 2, 2])
    roles = {"main": 1.0, **({"aux1": 0.3, "aux2": 0.3} if "aux" in name else {})}
    objective = [Term(role, SoftmaxCrossEntropy(), weight) for role, weight in roles.items()]
    step = TrainingStep(network, 4, objective=objective, optimiser=SGD(momentum=0.0), threads=2)
    peer.train()
    made = peer(images)
    outputs = made if isinstance(made, tuple) else (made,)
    true = torch.from_numpy(labels)
    losses = [torch.nn.functional.cross_entropy(each, true) for each in outputs]
    loss = sum(weight * each for weight, each in zip(roles.values(), losses, strict=True))
    loss.backward()
    assert step.run(x, labels, rate=0.0) == pytest.approx(loss.item(), rel=1e-5)
    assert error(step.outputs[:4], outputs[0]) < 1e-4
    gradients = dict(network.unpack(network.gradient))
    wanted = {name: each.grad for name, each in peer.named_parameters() if each.grad is not None}
    total = sum(float((each**2).sum()) for each in wanted.values()) ** 0.5
    for name, gradient in wanted.items():
        difference = np.linalg.norm(gradients[name] - gradient.numpy())
        assert difference < 1e-3 * float(gradient.norm()) + 1e-5 * total, name
    arrays = network.export()
    for name, value in peer.named_buffers():
        if "num_batches" not in name:
            assert error(arrays[name], value) < 1e-4, name
    peer.eval()
    assert error(Inference(network, 4).run(x), first(peer(images))) < 1e-4
