"""EfficientNet-Lite: counts of timm, and the shipped network beside the same one in PyTorch."""

import numpy as np
import pytest

from cnncli.data.shipped import model_path
from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.nn import Inference
from cnncli.training.checkpoint import load_checkpoint


# Parameters of timm's tf_efficientnet_lite0 to lite4.
@pytest.mark.parametrize(
    ("number", "size", "count"),
    [
        (0, 224, 4_652_008),
        (1, 240, 5_416_680),
        (2, 260, 6_092_072),
        (3, 280, 8_197_096),
        (4, 300, 13_006_568),
    ],
)
def test_parameters(number, size, count):
    assert summary(build(f"efficientnet-lite{number}", (size, size, 3), 1000)).parameters == count


STAGES = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]


def peer_outputs(torch, weights, x):
    """Outputs of tf_efficientnet_lite0, written down operation by operation; x is (N, 3, H, W)."""
    functional = torch.nn.functional

    def conv(x, name, stride=1, groups=1):
        kernel = weights[f"{name}.weight"]
        pads = []
        for size in (x.shape[3], x.shape[2]):
            total = max((-(-size // stride) - 1) * stride + kernel.shape[2] - size, 0)
            pads += [total // 2, total - total // 2]
        return functional.conv2d(functional.pad(x, pads), kernel, stride=stride, groups=groups)

    def norm(x, name):
        mean, variance, weight, bias = (
            weights[f"{name}.{each}"] for each in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    x = functional.relu6(norm(conv(x, "conv_stem", 2), "bn1"))
    for stage, (_, stride, expansion, _, blocks) in enumerate(STAGES):
        for block in range(blocks):
            at, start, step = f"blocks.{stage}.{block}", x, stride if block == 0 else 1
            last = ("conv_pw", "bn2") if expansion == 1 else ("conv_pwl", "bn3")
            if expansion > 1:
                x = functional.relu6(norm(conv(x, f"{at}.conv_pw"), f"{at}.bn1"))
            x = conv(x, f"{at}.conv_dw", step, x.shape[1])
            x = functional.relu6(norm(x, f"{at}.bn1" if expansion == 1 else f"{at}.bn2"))
            x = norm(conv(x, f"{at}.{last[0]}"), f"{at}.{last[1]}")
            x = x + start if x.shape == start.shape else x
    x = functional.relu6(norm(conv(x, "conv_head"), "bn2")).mean((2, 3))
    return x @ weights["classifier.weight"].T + weights["classifier.bias"]


def test_the_shipped_network_agrees_with_pytorch(rng):
    torch = pytest.importorskip("torch")
    checkpoint = load_checkpoint(model_path("imagenet"))
    x = rng.standard_normal((2, 224, 224, 3), np.float32)
    found = Inference(checkpoint.network(), 2, threads=2).run(x)
    weights = {name: torch.from_numpy(np.array(each, np.float64)) for name, each in checkpoint.arrays.items()}
    wanted = peer_outputs(torch, weights, torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float64)))
    assert np.ptp(wanted.numpy()) > 5
    np.testing.assert_allclose(found, wanted.numpy(), rtol=0, atol=1e-3)
