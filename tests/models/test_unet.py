"""U-Net: the parameters and names of the widespread PyTorch form, and its values and gradients."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.nn import SGD, Inference, Network, SoftmaxCrossEntropy, Term, TrainingStep


def test_parameters():
    """Milesi's form for colour images and two classes has 31,037,698."""
    assert summary(build("unet", (64, 64, 3), 2)).parameters == 31_037_698


def test_depth_follows_the_size():
    assert build("unet:width=0.125", (12, 20, 1), 2).output_shape[:3] == (12, 20, 2)
    with pytest.raises(CnncliError, match="have an odd side"):
        build("unet", (33, 64, 3), 2)


def their_unet(torch, classes, stride=1, scales=False):
    nn = torch.nn

    def double(c, k, stride=1):
        layers = [nn.Conv2d(c, k, 3, stride, padding=1, bias=False), nn.BatchNorm2d(k), nn.ReLU()]
        layers += [nn.Conv2d(k, k, 3, padding=1, bias=False), nn.BatchNorm2d(k), nn.ReLU()]
        module = nn.Module()
        module.double_conv = nn.Sequential(*layers)
        module.forward = module.double_conv.forward
        return module

    class Down(nn.Module):
        def __init__(self, c, k):
            super().__init__()
            self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), double(c, k))

        def forward(self, x):
            return self.maxpool_conv[1].double_conv(self.maxpool_conv[0](x))

    class Up(nn.Module):
        def __init__(self, c, k):
            super().__init__()
            self.up = nn.ConvTranspose2d(c, k, 2, 2)
            self.conv = double(2 * k, k)

        def forward(self, x, skip):
            return self.conv.double_conv(torch.cat([skip, self.up(x)], 1))

    class Unet(nn.Module):
        def __init__(self, maps=(8, 16, 32)):
            super().__init__()
            self.inc = double(3, maps[0], stride)
            self.down1, self.down2 = Down(maps[0], maps[1]), Down(maps[1], maps[2])
            self.up1, self.up2 = Up(maps[2], maps[1]), Up(maps[1], maps[0])
            self.outc = nn.Module()
            whole = nn.ConvTranspose2d(maps[0], classes, stride, stride)
            self.outc.conv = nn.Conv2d(maps[0], classes, 1) if stride == 1 else whole
            for number, each in enumerate(maps[::-1]) if scales else ():
                if number < 2 or stride > 1:
                    setattr(self, f"score{number}", nn.Conv2d(each, classes, 1))

        def forward(self, x):
            first = self.inc.double_conv(x)
            second = self.down1(first)
            third = self.down2(second)
            up1 = self.up1(third, second)
            up2 = self.up2(up1, first)
            last = self.outc.conv(up2)
            if not scales:
                return last
            coarse = larger(self.score0(third)) + self.score1(up1)
            return larger(larger(coarse) + self.score2(up2) if stride > 1 else coarse) + last

    def larger(x):
        return nn.functional.interpolate(x, scale_factor=2, mode="bilinear")

    return Unet().double()


@pytest.mark.parametrize(
    ("options", "how"),
    [("", {}), (",scales", {"scales": True}), (",scales,stride=2", {"scales": True, "stride": 2})],
)
def test_values_and_gradients_are_those_of_pytorch(options, how):
    torch = pytest.importorskip("torch")
    height, width = (12 * how.get("stride", 1), 20 * how.get("stride", 1))
    graph = build(f"unet:width=0.125{options}", (height, width, 3), 4)
    network = Network(graph, seed=2)
    theirs = their_unet(torch, 4, **how)
    arrays = {name: torch.tensor(value.astype(np.float64)) for name, value in network.export().items()}
    missing, unexpected = theirs.load_state_dict(arrays, strict=False)
    assert unexpected == []
    assert all(name.endswith("num_batches_tracked") for name in missing)
    random = np.random.default_rng(1)
    x = random.standard_normal((3, height, width, 3)).astype(np.float32)
    labels = random.integers(0, 4, (3, height, width))
    tensor = torch.tensor(x.astype(np.float64)).permute(0, 3, 1, 2)
    ours = Inference(network, 3).run(x)
    np.testing.assert_allclose(
        ours, theirs.eval()(tensor).detach().permute(0, 2, 3, 1).numpy(), rtol=1e-4, atol=1e-4
    )
    step = TrainingStep(
        network, 3, objective=[Term("main", SoftmaxCrossEntropy())], optimiser=SGD(), threads=2
    )
    loss = step.run(x, labels, rate=0.0)
    wanted = torch.nn.functional.cross_entropy(theirs.train()(tensor), torch.tensor(labels))
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-5)
    found = dict(network.unpack(network.gradient))
    for name, parameter in theirs.named_parameters():
        slope = parameter.grad.numpy()
        np.testing.assert_allclose(found[name], slope, rtol=2e-3, atol=2e-5 + 1e-3 * np.abs(slope).max())
