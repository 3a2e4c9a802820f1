"""Logits for a photograph are those of PyTorch with the same file: 1e-3, preprocessing included.

Pictures are prepared here as torchvision and timm prepare them: both hand them to Pillow.
"""

import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
import peers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from test_efficientnet import peer_outputs  # noqa: E402

from cnncli.data.prepare import read_prepared  # noqa: E402
from cnncli.data.shipped import model_path, sample_path  # noqa: E402
from cnncli.nn import Inference  # noqa: E402
from cnncli.training.checkpoint import load_checkpoint  # noqa: E402
from cnncli.training.weights.load import load_weights  # noqa: E402

PHOTOGRAPH = sample_path("chelsea.png")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STAGES = (64, 128, 256, 512)


def prepared(short, crop, interpolation, mean=MEAN, std=STD):
    """Resize(short), CenterCrop(crop), ToTensor, Normalize: (1, 3, crop, crop)."""
    with Image.open(PHOTOGRAPH) as picture:
        width, height = picture.size
        longer = int(short * max(width, height) / min(width, height))
        size = (short, longer) if width <= height else (longer, short)
        small = picture.resize(size, Image.Resampling[interpolation.upper()])
    left, top = int(round((size[0] - crop) / 2.0)), int(round((size[1] - crop) / 2.0))  # noqa: RUF046
    x = np.asarray(small.crop((left, top, left + crop, top + crop)), np.float32) / 255
    x = (x - np.array(mean, np.float32)) / np.array(std, np.float32)
    return torch.from_numpy(x.transpose(2, 0, 1)[None])


def ours(path, model=None):
    checkpoint = load_weights(path, model).checkpoint
    pictures = checkpoint.preprocessing
    pixels = read_prepared(PHOTOGRAPH.read_bytes(), pictures.input_spec, name="photograph").pixels
    return Inference(checkpoint.network(), 1, threads=2).run(pictures.normalise(pixels[None]))


def randomised(network):
    """Running statistics of no particular kind, and logits as far apart as those of trained networks."""
    torch.manual_seed(0)
    network.fc.weight.data *= 20
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def agrees(found, wanted):
    wanted = wanted.detach().numpy()
    assert np.ptp(wanted) > 1
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


def test_torchvision_in_half_precision_of_a_wrapped_network(tmp_path):
    peer = randomised(peers.ResNet(1000, STAGES, (2, 2, 2, 2)))
    halves = {f"module.{name}": each.to(torch.bfloat16) for name, each in peer.state_dict().items()}
    save_file(halves, tmp_path / "w.safetensors")
    peer.load_state_dict({name.removeprefix("module."): each.float() for name, each in halves.items()})
    agrees(ours(tmp_path / "w.safetensors", "resnet18"), peer(prepared(256, 224, "bilinear")))


def test_googlenet_with_transform_input(tmp_path):
    peer = randomised(peers.GoogLeNet(1000))
    save_file(peer.state_dict(), tmp_path / "w.safetensors")
    x = prepared(256, 224, "bilinear")
    # torchvision.models.GoogLeNet._transform_input
    scales = zip(x[0], MEAN, STD, strict=True)
    x = torch.stack([each * (std / 0.5) + (mean - 0.5) / 0.5 for each, mean, std in scales])[None]
    agrees(ours(tmp_path / "w.safetensors", "googlenet"), peer(x)[0])


def test_timm_from_a_folder(tmp_path):
    """SE-ResNet-18 as timm saves it to a folder; 168 is floor(160 / 0.95)."""
    peer = randomised(peers.ResNet(7, STAGES, (2, 2, 2, 2), squeeze=True))
    save_file(peer.state_dict(), tmp_path / "model.safetensors")
    known = {"input_size": [3, 160, 160], "crop_pct": 0.95, "interpolation": "bicubic"}
    described = {
        "architecture": "seresnet18",
        "num_classes": 7,
        "pretrained_cfg": known | {"mean": MEAN, "std": STD},
    }
    (tmp_path / "config.json").write_text(json.dumps(described))
    agrees(ours(tmp_path), peer(prepared(168, 160, "bicubic")))


def test_real_weights_from_a_folder(tmp_path):
    shipped = load_checkpoint(model_path("imagenet")).arrays
    arrays = {name: torch.tensor(each) for name, each in shipped.items()}
    save_file(arrays, tmp_path / "model.safetensors")
    mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    known = {"mean": mean, "std": std, "interpolation": "bilinear", "crop_pct": 0.875}
    described = {"architecture": "tf_efficientnet_lite0", "pretrained_cfg": known}
    (tmp_path / "config.json").write_text(json.dumps(described))
    weights = {name: each.float() for name, each in arrays.items()}
    agrees(ours(tmp_path), peer_outputs(torch, weights, prepared(256, 224, "bilinear", mean, std)))
