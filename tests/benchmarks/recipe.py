"""``python -m tests.benchmarks.recipe DATASET``: PyTorch trains the network and recipe of `cnncli train`.

The same first weights, split, normalisation, optimiser, schedule, smoothing and kinds of augmentation
(only their draws differ), so that the seconds to an accuracy can be compared with those in the
``metrics.jsonl`` of a run of ours. Prints a line an epoch, and at the end the accuracy on the test split.
"""

import argparse
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

from cnncli.core.threads import thread_count
from cnncli.data.assemble import LoadOptions
from cnncli.data.augment import Augment, parse_augment
from cnncli.data.load import load_dataset
from cnncli.data.model import Dataset, Split, statistics
from cnncli.models.choice import build
from cnncli.nn import Network
from cnncli.training.options import TrainOptions
from cnncli.training.schedules import parse_schedule

from . import peers, twins

MILESTONES = (0.90, 0.92, 0.93)
DONE_BY_HERE = {"shift", "flip", "border"}
TESTED_AT_ONCE = 500


def main() -> int:
    """Train, and say how long it took to each of the milestones."""
    given = _parser().parse_args()
    threads = thread_count(given.threads)
    torch = peers.torch(threads)
    if torch is None:
        print("PyTorch is not installed", file=sys.stderr)
        return 1
    dataset = load_dataset(given.dataset, LoadOptions(offline=True, threads=threads))
    options = TrainOptions(dataset=given.dataset, epochs=given.epochs, model=given.model).settled(
        len(dataset.train)
    )
    run = Run(torch, dataset, options, given.layout)
    reached: dict[float, float] = {}
    last = min(given.stop or run.epochs, run.epochs)
    for epoch in range(last):
        run.train_epoch(epoch)
        right = run.accuracy(dataset.val)
        for milestone in MILESTONES:
            if right >= milestone:
                reached.setdefault(milestone, run.seconds)
        print(f"epoch {epoch + 1}/{run.epochs}  validation {right:.2%}  {run.seconds:.1f} s", flush=True)
    for milestone in MILESTONES:
        seconds = reached.get(milestone)
        print(f"{milestone:.0%} of validation: " + (f"{seconds:.1f} s" if seconds else "not reached"))
    print(f"test {run.accuracy(dataset.test):.2%} after {last} epochs")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.recipe", description=main.__doc__)
    parser.add_argument("dataset", help="as cnncli train takes it; nothing is downloaded")
    parser.add_argument("-m", "--model", default="auto", help="as cnncli train takes it")
    parser.add_argument("--epochs", type=int, help="of the schedule (default: as cnncli train chooses)")
    parser.add_argument("--stop", type=int, help="end after so many of them")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--layout", choices=("contiguous_format", "channels_last"), default="channels_last")
    return parser


class Run:
    """A run by PyTorch.

    Attributes
    ----------
    epochs : int
        Of the schedule.
    seconds : float
        Spent in training and validation so far, as ours are counted.
    """

    def __init__(self, torch: Any, dataset: Dataset, options: TrainOptions, layout: str) -> None:
        self.torch, self.dataset, self.options = torch, dataset, options
        self.layout = getattr(torch, layout)
        graph = build(options.model, dataset.shape, len(dataset.targets.classes), seed=options.seed)
        self.module = twins.torch_twin(Network(graph, seed=options.seed)).to(memory_format=self.layout)
        self.mean, self.std = statistics(dataset.train)
        self.images, self.labels = self._arrays(dataset.train)
        self.augment = parse_augment(options.augment, dataset=dataset.name, shape=dataset.shape)
        others = set(_words(self.augment)) - DONE_BY_HERE
        if others:
            raise SystemExit(f"{dataset.name} is augmented by {', '.join(sorted(others))}: not done here")
        self.random = np.random.default_rng(options.seed)
        self.optimiser = self._optimiser()
        self.epochs = options.epochs or 1
        self.batch = options.batch_size or 1
        self.batches = len(self.labels) // self.batch
        if len(self.labels) % self.batch >= self.batch / 2:
            self.batches += 1
        self.schedule = parse_schedule(options.sched).schedule(self.epochs, self.batches)
        self.seconds = 0.0

    def _arrays(self, split: Split) -> tuple[Any, Any]:
        """A split as PyTorch's users hold it: normalised planes (N, C, H, W), and labels."""
        pixels = np.empty((len(split), *self.dataset.shape), np.uint8)
        split.read(np.arange(len(split)), pixels)
        inputs = (pixels.astype(np.float32) / 255 - self.mean) / self.std
        return twins.as_torch(inputs.astype(np.float32)), self.torch.from_numpy(
            np.array(split.targets.numbers)
        )

    def _optimiser(self) -> Any:
        """AdamW as ours: no decay of biases and norms."""
        decays = [parameter for parameter in self.module.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in self.module.parameters() if parameter.ndim == 1]
        groups = [
            {"params": decays, "weight_decay": self.options.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return self.torch.optim.AdamW(groups, lr=self.options.lr, fused=True)

    def train_epoch(self, epoch: int) -> None:
        """Go through the training images once."""
        functional = self.torch.nn.functional
        begun = perf_counter()
        self.module.train()
        for batch, (images, labels) in enumerate(self._shuffled()):
            factor = self.schedule.factor(epoch * self.batches + batch)
            for group in self.optimiser.param_groups:
                group["lr"] = (self.options.lr or 0.0) * factor
            self.optimiser.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(
                self.module(images), labels, label_smoothing=self.options.smoothing
            )
            loss.backward()
            self.optimiser.step()
        self.seconds += perf_counter() - begun

    def _shuffled(self) -> Iterator[tuple[Any, Any]]:
        order = self.torch.from_numpy(self.random.permutation(len(self.labels)))
        size = self.batch
        for batch in range(self.batches):
            chosen = order[batch * size : (batch + 1) * size]
            images = self._changed(self.images[chosen])
            yield images.contiguous(memory_format=self.layout), self.labels[chosen]

    def _changed(self, images: Any) -> Any:
        """Shift by whole pixels, with black coming in, and mirror: each image by its own draw."""
        augment = self.augment or Augment()
        reach = int(augment.shift)
        count, channels, height, width = images.shape
        if reach:
            black = self.torch.from_numpy((-self.mean / self.std).astype(np.float32))[None, :, None, None]
            padded = black.expand(count, channels, height + 2 * reach, width + 2 * reach).clone()
            padded[:, :, reach : reach + height, reach : reach + width] = images
            rows = self._draws(2 * reach + 1, count)[:, None] + self.torch.arange(height)
            columns = self._draws(2 * reach + 1, count)[:, None] + self.torch.arange(width)
            which = self.torch.arange(count)[:, None, None]
            moved = padded[which, :, rows[:, :, None], columns[:, None, :]]
            images = moved.permute(0, 3, 1, 2)
        if augment.flip:
            mirrored = self.torch.from_numpy(self.random.random(count) < augment.flip)
            images = self.torch.where(mirrored[:, None, None, None], images.flip(3), images)
        return images

    def _draws(self, below: int, count: int) -> Any:
        return self.torch.from_numpy(self.random.integers(0, below, count))

    def accuracy(self, split: Split) -> float:
        """Share of right answers on a split; the time that it takes counts, as it does in ours."""
        images, labels = self._arrays(split)
        begun = perf_counter()
        self.module.eval()
        hits = 0
        with self.torch.inference_mode():
            for first in range(0, len(labels), TESTED_AT_ONCE):
                part = images[first : first + TESTED_AT_ONCE].contiguous(memory_format=self.layout)
                hits += int((self.module(part).argmax(1) == labels[first : first + TESTED_AT_ONCE]).sum())
        self.seconds += perf_counter() - begun
        return hits / len(labels)


def _words(augment: Augment | None) -> list[str]:
    """Names of the changes that are asked for."""
    return [] if augment is None else [word.partition("=")[0] for word in augment.text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
