"""Attributions against captum's, of the same networks in PyTorch, in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

from captum import attr  # noqa: E402

from cnncli.attribution.methods import METHODS  # noqa: E402
from cnncli.attribution.model import How, Plans  # noqa: E402
from cnncli.models.choice import build  # noqa: E402
from cnncli.nn import Network  # noqa: E402
from tests.benchmarks.twins import torch_twin  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # captum says that it sets hooks

NETWORKS = {
    "lenet5": (28, 1),
    "conv8k3 bn relu pool conv16k3 relu gap fc": (20, 3),
    "resnet20": (32, 3),
    "seresnet20": (32, 3),
    "mixed depthwise": (16, 3),
    "googlenet": (64, 3),
}
GAP = 2e-3  # of the norm: rounding decides which way a ReLU goes where its input is all but 0


def graph_of(name):
    side, channels = NETWORKS[name]
    if name == "mixed depthwise":
        name = "conv8k3p1 bn relu conv8k3p1g8 bn relu conv16k1 bn relu gap fc"
    return build(name, (side, side, channels), 5)


@pytest.fixture(scope="module", params=NETWORKS)
def pair(request):
    """Our plans, the twin, and an image for each."""
    network = Network(graph_of(request.param), seed=1)
    random = np.random.default_rng(2)
    arrays = network.export()
    for name, value in arrays.items():
        if name.endswith("running_var"):
            arrays[name] = random.uniform(0.5, 1.5, value.shape).astype(np.float32)
    network.load(arrays)
    twin = torch_twin(network).double().eval()
    for module in twin.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    x = random.standard_normal(network.graph.input_shape[:3], np.float32)
    return Plans(network, threads=1), twin, x, torch.tensor(x.transpose(2, 0, 1)[None], dtype=torch.float64)


def check(found, wanted):
    wanted = wanted.detach().numpy()[0].transpose(1, 2, 0)
    assert np.linalg.norm(found - wanted) <= GAP * np.linalg.norm(wanted)
    assert np.linalg.norm(wanted) > 0


def flat(twin):
    """The twin with outputs (N, K)."""

    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.twin = twin

        def forward(self, x):
            return self.twin(x).flatten(1)

    return Flat()


def test_saliency(pair):
    plans, twin, x, image = pair
    wanted = attr.Saliency(flat(twin)).attribute(image.requires_grad_(), 3, abs=False)
    check(METHODS["saliency"].attribute(plans, x, 3, How()).values, wanted)


@pytest.mark.parametrize("pair", [name for name in NETWORKS if name != "googlenet"], indirect=True)
def test_integrated(pair):
    """captum divides 16 steps by their 17 ends."""
    plans, twin, x, image = pair
    method = attr.IntegratedGradients(flat(twin))
    wanted = method.attribute(image, target=3, n_steps=17, method="riemann_trapezoid")
    check(METHODS["integrated"].attribute(plans, x, 3, How(steps=16)).values, wanted * 17 / 16)


@pytest.mark.parametrize("pair", [name for name, (side, _) in NETWORKS.items() if side < 28], indirect=True)
def test_occlusion(pair):
    plans, twin, x, image = pair
    found = METHODS["occlusion"].attribute(plans, x, 3, How())
    side, stride = found.about["window"], found.about["stride"]
    with torch.no_grad():
        windows, strides = (len(image[0]), side, side), (len(image[0]), stride, stride)
        wanted = attr.Occlusion(flat(twin)).attribute(
            image, windows, strides, target=3, perturbations_per_eval=32
        )
    check(found.values, wanted[:, :1])


def test_guided(pair):
    plans, twin, x, image = pair
    wanted = attr.GuidedBackprop(flat(twin)).attribute(image.requires_grad_(), 3)
    check(METHODS["guided"].attribute(plans, x, 3, How()).values, wanted)


def test_gradcam(pair):
    """Its ReLU leaves out what is below 0; so it is left out of ours."""
    plans, twin, x, image = pair
    found = METHODS["gradcam"].attribute(plans, x, 3, How())
    layer = twin.get_submodule(found.about["layer"])
    wanted = attr.LayerGradCam(flat(twin), layer).attribute(image, 3, relu_attributions=True)
    other = attr.LayerGradCam(flat(twin), layer).attribute(image, 3)
    check(np.maximum(found.values, 0) + 1e-12, wanted + 1e-12)
    check(found.values, other)
    enlarged = torch.nn.functional.interpolate(other, x.shape[:2], mode="bilinear")
    check(found.heatmap[..., None], enlarged)
