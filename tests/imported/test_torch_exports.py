"""Our architectures as PyTorch exports them, by either of its exporters: the same outputs in both tools."""

import logging
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
import peers  # noqa: E402
from torch import nn  # noqa: E402

from cnncli.nn import Inference  # noqa: E402
from cnncli.onnx.imported import load_onnx  # noqa: E402
from cnncli.onnx.model import difference, onnx_model  # noqa: E402
from cnncli.training.weights.pixels import Choices  # noqa: E402

MOST = 5e-6  # of the largest output
CLASSES = 5
STAGES = (64, 128, 256, 512)
SMALL = {"small": True, "cifar": True}


class Rare(nn.Module):
    """Layers that the others have none of."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 3, 2, padding=1, output_padding=1, groups=1)
        self.spread = nn.ConvTranspose2d(4, 6, 3, 2, padding=1, groups=2, dilation=2)
        self.pool = nn.MaxPool2d(3, 2, padding=1, dilation=2)
        self.norm = nn.GroupNorm(1, 6)
        self.slopes = nn.PReLU(6)
        self.head = nn.Linear(6 * 4 * 4, CLASSES)

    def forward(self, x):
        x = self.spread(nn.functional.gelu(self.up(x)))
        x = nn.functional.pad(x, (1, 2, 0, 1), mode="reflect")
        x = self.slopes(self.norm(self.pool(nn.functional.hardswish(x))))
        x = nn.functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)
        first, second = x.chunk(2, 1)
        x = torch.cat([second, first * torch.softmax(first, 1)], 1).roll(1, 2)
        x = nn.functional.interpolate(x, size=(4, 4), mode="bicubic", align_corners=True)
        return self.head(x.permute(0, 2, 3, 1).flatten(1))


NETWORKS = {
    "alexnet": (96, lambda: narrow(peers.alexnet(CLASSES), 256)),
    "vgg13": (32, lambda: narrow(peers.vgg(CLASSES, (2, 2, 2, 2, 2), norm=False), 512)),
    "vgg16-bn": (32, lambda: narrow(peers.vgg(CLASSES, (2, 2, 3, 3, 3), norm=True), 512)),
    "googlenet": (64, lambda: peers.GoogLeNet(CLASSES)),
    "squeezenet1.1": (64, lambda: peers.SqueezeNet(CLASSES)),
    "densenet121": (32, lambda: peers.DenseNet(CLASSES, (6, 12, 24, 16))),
    "mobilenet-v2": (64, lambda: peers.MobileNetV2(CLASSES)),
    "resnet18": (32, lambda: peers.ResNet(CLASSES, STAGES, (2, 2, 2, 2), small=True)),
    "resnet50": (64, lambda: peers.ResNet(CLASSES, STAGES, (3, 4, 6, 3), bottleneck=True)),
    "seresnet50": (64, lambda: peers.ResNet(CLASSES, STAGES, (3, 4, 6, 3), bottleneck=True, squeeze=True)),
    "seresnet20": (32, lambda: peers.ResNet(CLASSES, (16, 32, 64), (3, 3, 3), squeeze=True, **SMALL)),
    "rare": (12, Rare),
}
ON = ("squeezenet1.1", "seresnet20", "rare")  # to ONNX Runtime, by our own exporter


def narrow(net, features):
    """A network whose classifier is small, for small images, of which the exporters refuse its pooling."""
    net.pooled = 1
    net.classifier = nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    return net


class First(nn.Module):
    """The main output alone."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        out = self.net(x)
        return out if torch.is_tensor(out) else out[0]


def exported(name, path, *, dynamo):
    """A network and images, with its file beside them."""
    side, make = NETWORKS[name]
    torch.manual_seed(0)
    net = First(make()).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    x = torch.randn(2, 3, side, side)
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of what both exporters call old
        if dynamo:
            torch.onnx.export(net, (x[:1],), path, dynamo=True, verbose=False)
        else:
            axes = {"x": {0: "n"}}
            torch.onnx.export(net, (x,), path, dynamo=False, input_names=["x"], dynamic_axes=axes)
        wanted = net(x).numpy()
    logging.disable(logging.NOTSET)
    return x.numpy(), wanted


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dynamo", [False, True])
def test_from_pytorch_to_us_and_on(name, dynamo, tmp_path):
    if dynamo:
        pytest.importorskip("onnxscript")
    path = tmp_path / "net.onnx"
    x, wanted = exported(name, path, dynamo=dynamo)
    made = load_onnx(path, choices=Choices(mean=(0.5,), std=(0.25,))).checkpoint
    got = Inference(made.network(), len(x)).run(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(got, wanted, atol=MOST * np.abs(wanted).max())
    if name in ON:  # whose long means round more
        assert difference(onnx_model(made), made) < (4 * MOST if name == "rare" else MOST)
