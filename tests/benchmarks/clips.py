"""``python -m tests.benchmarks.clips``: clipcnn on clips of digits, beside the same network in PyTorch.

First the outputs of both for the same weights and clips, then a training step (forward, backward, AdamW) of
64 clips of 8 frames of 32x32 pixels, on the same batch, one after the other. ``--frames 1`` trains and tests
with a single frame of each clip, which cannot know in which direction something goes. Seconds are of the
processor, so that a busy machine does not count.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cnncli.models.clipcnn import clipcnn
from cnncli.nn import AdamW, Inference, Network, SoftmaxCrossEntropy, Term, TrainingStep
from cnncli.training.evaluation import evaluate
from cnncli.training.loading import Execution
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin
from tests.benchmarks.texts import _Silent

BATCH, FRAMES, SIDE, CLASSES = 64, 8, 32, 8
TIMED = 10  # steps


def twin_of(arrays: dict[str, Any]) -> Any:
    """The same network in PyTorch, with the same weights."""
    import torch
    from torch import nn

    frame = nn.Sequential()
    for number, (before, maps) in enumerate(((1, 16), (16, 32), (32, 64)), 1):
        block = nn.Conv2d(before, maps, 3, padding=1, bias=False), nn.BatchNorm2d(maps)
        block += nn.ReLU(), nn.MaxPool2d(2)
        for name, layer in zip(("conv", "batchnorm", "relu", "pool"), block, strict=True):
            frame.add_module(f"{name}{number}", layer)
    frame.add_module("flatten", nn.Flatten())
    frame.add_module("features", nn.Linear(1024, 64))
    frame.add_module("relu", nn.ReLU())
    over = nn.Sequential()
    for number in (1, 2):
        layers = nn.Conv1d(64, 64, 3, padding=1, bias=False), nn.BatchNorm1d(64), nn.ReLU()
        for name, layer in zip(("conv", "bn", "relu"), layers, strict=True):
            over.add_module(f"{name}{number}", layer)

    class ClipCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frame, self.time, self.fc = frame, over, nn.Linear(64, CLASSES)

        def forward(self, x: Any) -> Any:
            features = self.frame(x.flatten(0, 1)).unflatten(0, (-1, FRAMES))
            maps = self.time(features.transpose(1, 2)).amax(2)
            return self.fc(nn.functional.dropout(maps, 0.2, self.training))

    twin = ClipCNN()
    known = {name: torch.from_numpy(array) for name, array in arrays.items()}
    shapes = {name: value.shape for name, value in twin.state_dict().items()}
    twin.load_state_dict({name: each.reshape(shapes[name]) for name, each in known.items()}, strict=False)
    return twin


def as_torch(x: Any) -> Any:
    """(N, T, C, H, W) of strips (N, T * H, W, C)."""
    import torch

    return torch.from_numpy(x.reshape(-1, FRAMES, SIDE, SIDE, 1).transpose(0, 1, 4, 2, 3).copy())


def timed(step: Callable[[], object]) -> float:
    """Milliseconds of the processor for a step."""
    for _ in range(2):
        step()
    start = time.process_time()
    for _ in range(TIMED):
        step()
    return (time.process_time() - start) / TIMED * 1e3


def compare(threads: int) -> None:
    """Print how far outputs differ, and what a step takes."""
    import torch

    torch.set_num_threads(threads)
    network = Network(clipcnn((FRAMES * SIDE, SIDE, 1), CLASSES, frames=FRAMES), seed=1)
    random = np.random.default_rng(0)
    x = random.standard_normal((BATCH, FRAMES * SIDE, SIDE, 1)).astype(np.float32)
    labels = random.integers(0, CLASSES, BATCH)
    twin, given = twin_of(network.export()), as_torch(x)
    ours = Inference(network, BATCH, threads=threads).run(x)
    with torch.no_grad():
        theirs = twin.eval()(given).numpy()
    print(f"outputs differ by at most {np.abs(ours - theirs).max():.1e} of {np.abs(theirs).max():.2f}")
    objective = [Term("main", SoftmaxCrossEntropy())]
    step = TrainingStep(network, BATCH, objective=objective, optimiser=AdamW(), threads=threads)
    print(f"step  cnncli   {timed(lambda: step.run(x, labels, rate=1e-3)):.1f} ms", flush=True)
    optimiser = torch.optim.AdamW(twin.train().parameters(), 1e-3, fused=True)
    true = torch.from_numpy(labels)

    def their_step() -> None:
        loss = torch.nn.functional.cross_entropy(twin(given), true)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    print(f"step  PyTorch  {timed(their_step):.1f} ms", flush=True)


def accuracy(frames: int, threads: int) -> None:
    """Print what a run with so many frames reaches on the test clips."""
    options = TrainOptions(dataset="digit-motions", frames=frames)
    session = begin(options, dry=True, execution=Execution(threads=threads))
    session.save = lambda state, ended: None  # type: ignore[method-assign]
    session.trainer._save = lambda state, ended: None
    start = time.process_time()
    session.trainer.run(_Silent(), lambda: False)
    found = evaluate(session.best_network(), session.dataset.test, session.preprocessing, session.task)
    seconds = time.process_time() - start
    print(f"{frames} frames  {found.result()['accuracy']:.2%} of {len(found)} clips, {seconds:.0f} s")


def main() -> None:
    """Compare with PyTorch, or train with a number of frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, help="train digit-motions with so many frames instead")
    given = parser.parse_args()
    if given.frames is None:
        compare(given.threads)
    else:
        accuracy(given.frames, given.threads)


if __name__ == "__main__":
    main()
