"""Training steps and inference against PyTorch and ONNX Runtime, and the memory that a step takes.

All sides have the same weights, and get the same images, each in the layout it likes best. Before
anything is timed, they must agree: in the loss and every gradient of a first step, or in the outputs.
"""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields
from cnncli.models.choice import build
from cnncli.nn import SGD, Graph, Inference, Network, SoftmaxCrossEntropy, Term, TrainingStep
from cnncli.nn.exchange import as_dict, from_dict
from cnncli.nn.graph import MAIN

from . import amounts, peers, twins
from .limits import limit_of
from .model import Case, Contest, Cost, Goal
from .timing import Launcher, timed_block

TRAINING, INFERENCE = "training", "inference"
CLASSES = 10
RATE, MOMENTUM = 1e-4, 0.9  # a rate at which many steps on the same images stay numbers
AGREE = 2e-3  # of the norm of all outputs, and of the loss
# Of a gradient's norm. Where an input of a ReLU is 0 within rounding, one side passes its gradient on and
# the other does not: in deep networks that is half a percent of the norm; a wrong gradient is apart by 100 %.
AGREE_GRADIENT = 0.02
ROOT = Path(__file__).parents[2]
Floats = NDArray[np.float32]
LAYOUTS = {"PyTorch": "contiguous_format", "PyTorch channels_last": "channels_last"}


@dataclass(frozen=True)
class Work:
    """A network and its goal.

    Attributes
    ----------
    model : str
        As ``-m`` takes it.
    shape : (H, W, C)
        Of an image.
    batch : int
        Images of a step.
    training : float or None
        The goal of a training step; None where only inference is measured.
    classes : int
        Outputs.
    apart : float
        What gradients may be apart, of their norms.
    """

    model: str
    shape: tuple[int, int, int]
    batch: int
    training: float | None = None
    classes: int = CLASSES
    apart: float = AGREE_GRADIENT

    def graph(self) -> Graph:
        """The layers; nothing is dropped, as every side draws its own random numbers for that."""
        layout = json.loads(json.dumps(as_dict(build(self.model, self.shape, self.classes))))
        for layer in layout["layers"]:
            if layer["kind"] == "dropout":
                layer["rate"] = 0.0
        return from_dict(Fields(layout))

    @property
    def roles(self) -> tuple[str, ...]:
        """The outputs that are asked for, each once: the main output of a detector is one of its maps."""
        outputs = self.graph().outputs
        others = tuple(role for role in outputs if role != MAIN)
        return others if outputs[MAIN] in map(outputs.get, others) else (MAIN, *others)

    def network(self) -> Network:
        """The network with the weights that all start from."""
        return Network(self.graph(), seed=1)

    def images(self, count: int) -> tuple[Floats, NDArray[np.int64]]:
        """Noise that is as spread as images are after preprocessing, (N, H, W, C), and labels (N,)."""
        rng = np.random.default_rng(count)
        return rng.standard_normal((count, *self.shape), np.float32), rng.integers(0, CLASSES, count)


# In networks for photographs with many batch norms rounding decides where inputs of ReLUs are all but 0:
# first gradients are some percent apart (tests/models compares with SiLU).
AGREE_NORMED = 0.1
WORKS = {
    "LeNet-5": Work("lenet5", (28, 28, 1), 128, 4.0),
    "two convolutions": Work("2conv", (28, 28, 1), 128, 2.0),
    "ResNet-20": Work("resnet20", (32, 32, 3), 128, 1.5),
    "VGG-small with BN": Work("vgg-small", (32, 32, 3), 128, 1.3),
    "SE-ResNet-20": Work("seresnet20", (32, 32, 3), 128, 1.5),
    "ResNet-18 at 224": Work("resnet18", (224, 224, 3), 16, 1.2),
    "AlexNet": Work("alexnet", (224, 224, 3), 8, 1, classes=1000),
    "VGG-16": Work("vgg16", (224, 224, 3), 8, 1.2, classes=1000),
    **{
        name: Work(model, (224, 224, 3), 8, 1.2, classes=1000, apart=AGREE_NORMED)
        for name, model in {
            "GoogLeNet": "googlenet",
            "ResNet-18": "resnet18",
            "ResNet-50": "resnet50",
            "SE-ResNet-50": "seresnet50",
            "EfficientNet-Lite0": "efficientnet-lite0",
        }.items()
    },
    # As digit-scenes are learned with them.
    "detector": Work("detector:neck=64,width=1.5", (128, 128, 3), 8),
    "localizer": Work("localizer", (128, 128, 3), 8),
    "segmenter": Work("segmenter:width=1.5", (128, 128, 3), 8, classes=11),
    "U-Net": Work("unet:width=0.25", (128, 128, 3), 8, classes=11),
}
FASTER, LESS = Goal(1.2), Goal(1)


def cases(folder: Path, launcher: Launcher, threads: int) -> Iterator[Case]:
    """All rows about networks.

    Parameters
    ----------
    folder : Path
        For models of ONNX Runtime whose memory is measured.
    launcher : Launcher
        Runs the processes whose memory is measured.
    threads : int
        Of every side.
    """
    for name, work in WORKS.items():
        if work.training is None:
            continue
        row, goal = f"{name}, batch {work.batch}", Goal(work.training)
        step = functools.partial(_training, work, threads)
        yield Case(TRAINING, row, "step", goal, step, images=work.batch)
        memory = functools.partial(_memory, TRAINING, name, threads, launcher, folder)
        yield Case(TRAINING, row, "peak memory", LESS, memory, clock="memory")
    for name, work in WORKS.items():
        for variant, count in (("one image", 1), ("a batch", work.batch)):
            prepare = functools.partial(_inference, work, count, threads)
            yield Case(INFERENCE, f"{name}, batch {work.batch}", variant, FASTER, prepare, images=count)
        memory = functools.partial(_memory, INFERENCE, name, threads, launcher, folder)
        yield Case(INFERENCE, f"{name}, batch {work.batch}", "peak memory", LESS, memory, clock="memory")


def training_step(network: Network, batch: int, threads: int) -> TrainingStep:
    """A training step of ours."""
    return TrainingStep(
        network,
        batch,
        objective=[Term("main", SoftmaxCrossEntropy())],
        optimiser=SGD(momentum=MOMENTUM),
        threads=threads,
    )


def our_step(work: Work, threads: int) -> tuple[Network, Callable[[], float]]:
    """A training step of ours on the same images every time; it answers the loss."""
    network = work.network()
    step = training_step(network, work.batch, threads)
    images, labels = work.images(work.batch)
    return network, lambda: step.run(images, labels, rate=RATE)


def torch_step(
    work: Work, threads: int, layout: str, *, alike: bool = True
) -> tuple[Any, Callable[[], float]] | None:
    """The same step by PyTorch, in one of its two layouts; ``alike`` with our weights, not its own."""
    torch = peers.torch(threads)
    if torch is None:
        return None
    memory_format = getattr(torch, layout)
    module = twins.torch_twin(work.network()) if alike else twins.torch_module(work.graph())
    module = module.to(memory_format=memory_format).train()
    images, labels = work.images(work.batch)
    x, y = twins.as_torch(images).contiguous(memory_format=memory_format), torch.from_numpy(labels)
    optimiser = torch.optim.SGD(module.parameters(), lr=RATE, momentum=MOMENTUM, fused=True)

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(module(x), y)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return module, step


def _training(work: Work, threads: int) -> Contest:
    network, ours = our_step(work, threads)
    loss = ours()
    gradients = dict(network.unpack(network.gradient))
    entrants = {}
    for peer, layout in LAYOUTS.items():
        made = torch_step(work, threads, layout)
        if made is None:
            continue
        module, step = made
        _agree(f"the loss of {peer}", np.asarray(loss), np.asarray(step()))
        for name, parameter in module.named_parameters():
            _agree(f"the gradient of {name} by {peer}", gradients[name], parameter.grad.numpy(), work.apart)
        entrants[peer] = timed_block(step)
    amount = amounts.of_training(network.graph, work.batch)
    return Contest(
        timed_block(ours),
        entrants,
        missing=() if entrants else ("PyTorch",),
        limit=functools.partial(limit_of, amount, threads),
    )


def _agree(what: str, ours: NDArray[Any], theirs: NDArray[Any], share: float = AGREE) -> None:
    """Raise where two arrays are further apart than rounding explains."""
    apart = float(np.linalg.norm(ours.astype(np.float64) - theirs.astype(np.float64)))
    size = float(np.linalg.norm(theirs.astype(np.float64)))
    if not apart <= share * size + 3e-5:
        raise ArithmeticError(f"{what} differs from ours by {apart:.3g} of {size:.3g}")


def _inference(work: Work, count: int, threads: int) -> Contest:
    network = work.network()
    images, _ = work.images(count)
    inference = Inference(network, count, threads=threads, outputs=work.roles)
    outputs = inference.run(images)
    entrants: dict[str, Callable[[], object]] = {}
    torch = peers.torch(threads)
    for peer, layout in LAYOUTS.items() if torch else ():
        entrants[peer] = torch_inference(torch, twins.torch_twin(network), images, layout)
    runtime = peers.onnxruntime(twins.onnx_twin(network, work.roles), threads)
    if runtime is not None:
        planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        entrants["ONNX Runtime"] = lambda: runtime(planes)
    for peer, entrant in entrants.items():
        theirs = np.asarray(entrant())
        _agree(f"the outputs of {peer}", outputs, theirs if theirs.ndim < 4 else np.moveaxis(theirs, 1, -1))
    missing = tuple(name for name, held in (("PyTorch", torch), ("ONNX Runtime", runtime)) if held is None)
    return Contest(
        timed_block(lambda: inference.run(images)),
        {peer: timed_block(entrant) for peer, entrant in entrants.items()},
        missing=missing,
        limit=functools.partial(limit_of, amounts.of_inference(network.graph, count), threads),
    )


def torch_inference(torch: Any, module: Any, images: Floats, layout: str) -> Callable[[], object]:
    """Inference by PyTorch, in one of its two layouts."""
    memory_format = getattr(torch, layout)
    module = module.to(memory_format=memory_format).eval()
    x = twins.as_torch(images).contiguous(memory_format=memory_format)

    def infer() -> object:
        with torch.inference_mode():
            return module(x)

    return infer


def _memory(group: str, name: str, threads: int, launcher: Launcher, folder: Path) -> Contest:
    """Whole processes that make three steps each: what they hold at most, the interpreter and imports too."""

    def process(module: str, *words: object) -> Callable[[], Cost]:
        argv = [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, words)]
        return lambda: launcher.cost(argv, cwd=ROOT)

    def steps(side: str) -> Callable[[], Cost]:
        return process("steps", group, side, name, threads)

    torch = peers.torch()
    entrants = {peer: steps(peer) for peer in LAYOUTS} if torch else {}
    missing = [] if torch else ["PyTorch"]
    if group == INFERENCE:
        work = WORKS[name]
        model = twins.onnx_twin(work.network(), work.roles)
        if model is None:
            missing.append("ONNX Runtime")
        else:
            file = folder / "network.onnx"  # one at a time: those of photographs have up to 550 MB
            file.write_bytes(model)
            entrants["ONNX Runtime"] = process("onnx_steps", file, threads, work.batch, *work.shape)
    return Contest(steps("cnncli"), entrants, missing=tuple(missing))
