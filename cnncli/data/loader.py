"""Batches of a split: in order or shuffled, augmented, normalised, reproducible bit by bit."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.data.augment import Augment
from cnncli.data.model import Arrays, Split
from cnncli.data.random_numbers import shuffled
from cnncli.data.targets import Targets
from cnncli.data.warp import Draws, Renderer, drawn_samples, mix_up, moves_of, plain_samples
from cnncli.threaded import in_order

_BLOCK_VALUES = 1 << 20  # float32 values that are rendered at a time: 4 MB, several batches of small images
_AHEAD = 2  # decoded blocks that wait while one is trained on


@dataclass(frozen=True, eq=False)
class Batch:
    """Images of one step, and what is to be learned of them.

    Attributes
    ----------
    x : ndarray, shape (n, H, W, C), float32
        Normalised. A view into a buffer that the next batch may overwrite.
    targets : Targets
        Of the n images, as the data have them.
    indices : ndarray, shape (n,), intp
        Positions in the split.
    mixed : Targets or None
        Of the images blended in by mixup.
    share : ndarray, shape (n,), float32, or None
        Weight of the first image, 0.5 to 1.
    moves : ndarray, shape (n, 2, 3), float32, or None
        Where augmentation moved pixels: pixel (x, y) of ``x`` shows what lies at ``moves @ (x, y, 1)`` of the
        image as it was read. A target that has a place, such as a box, moves along (`moved_points`).
    memory : dict
        What a task has worked out of the targets, for all that it is asked of the batch.
    views : int
        How many inputs there are of each target, one after the other: ``x`` has n times as many. What a
        network says of a target is the mean of its outputs for them.
    """

    x: NDArray[np.float32]
    targets: Targets
    indices: NDArray[np.intp]
    mixed: Targets | None = None
    share: NDArray[np.float32] | None = None
    moves: NDArray[np.float32] | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    views: int = 1

    def averaged(self, outputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Outputs for the n targets, by role, of those for all inputs."""
        if self.views == 1:
            return dict(outputs)
        return {
            role: values.reshape(len(self), self.views, *values.shape[1:]).mean(axis=1)
            for role, values in outputs.items()
        }

    def __len__(self) -> int:
        return len(self.indices)


class Loader:
    """Batches of a split, epoch by epoch.

    The content of a batch depends only on the split, ``batch_size``, ``seed``, the epoch and the batch's
    number. Images in memory are rendered between the steps, because a step uses all cores anyway, and so are
    those made that are others in each epoch; images in files are read and decoded ahead, a limited number of
    blocks.

    Parameters
    ----------
    split : Split
        Where the images come from.
    batch_size : int
        Images per batch, 1 or more; the last batch of an epoch may be smaller.
    mean, std : ndarray, shape (C,), or None
        From `model.statistics`; without them, values are 0 to 1.
    augment : Augment or None
        How images are changed.
    seed : int
        Seed of shuffling and augmentation.
    shuffle : bool
        Use a new order in each epoch; else the order of the split.
    drop_last : bool
        Leave out an incomplete last batch.
    threads : int
        Number of threads that render and decode.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        mean: NDArray[np.float32] | None = None,
        std: NDArray[np.float32] | None = None,
        augment: Augment | None = None,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        threads: int = 1,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected 1 or more")
        channels = split.shape[2]
        self._split, self._batch_size, self._augment, self._seed = split, batch_size, augment, seed
        self._shuffle, self._drop_last, self._threads = shuffle, drop_last, threads
        self._renderer = Renderer(
            split.shape,
            mean=np.zeros(channels, np.float32) if mean is None else mean,
            std=np.ones(channels, np.float32) if std is None else std,
            border=augment.border if augment else "edge",
            threads=threads,
        )
        values = int(np.prod(split.shape))
        self._block = max(1, _BLOCK_VALUES // (batch_size * values)) * batch_size
        self._block = min(self._block, -(-max(1, len(split)) // batch_size) * batch_size)
        self._buffers: list[NDArray[np.float32]] = []
        self._raw: list[NDArray[np.uint8]] = []

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        whole, rest = divmod(len(self._split), self._batch_size)
        return whole + (rest > 0 and not self._drop_last)

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number ``first`` on; one iterator at a time."""
        count = len(self._split)
        order = shuffled(count, self._seed, number) if self._shuffle else np.arange(count, dtype=np.intp)
        order = order[: len(self) * self._batch_size]
        blocks = [
            order[at : at + self._block] for at in range(first * self._batch_size, order.size, self._block)
        ]
        split = self._split
        if not isinstance(split, Arrays):
            yield from self._streamed(blocks, number)
            return
        self._provide_buffers(1)
        for indices in blocks:
            if split.renewed is None or number == 0:
                images, sources, targets = split.images, indices, split.targets.take(indices)
            else:
                images, targets = split.renewed(number, indices, self._threads)
                sources = np.arange(len(indices), dtype=np.intp)
            yield from self._rendered(images, sources, indices, targets, epoch=number, buffer=0)

    def _provide_buffers(self, count: int) -> None:
        shape = (self._block, *self._split.shape)
        while len(self._buffers) < count:
            self._buffers.append(np.empty(shape, np.float32))
        if not isinstance(self._split, Arrays):
            while len(self._raw) < count:
                self._raw.append(np.empty(shape, np.uint8))

    def _rendered(
        self,
        images: NDArray[np.uint8],
        sources: NDArray[np.intp],
        indices: NDArray[np.intp],
        all_targets: Targets,
        *,
        epoch: int,
        buffer: int,
    ) -> list[Batch]:
        """The batches of a block. ``sources`` are positions in ``images``, ``indices`` those in the split."""
        augment, size = self._augment, self._batch_size
        if augment is None:
            samples = plain_samples(sources)
        else:
            draws = Draws(self._seed, epoch, indices)
            samples = drawn_samples(augment, sources, draws, self._split.shape)
        starts = range(0, len(indices), size)
        if augment is not None and augment.mixup:
            for at in starts:
                part = samples[at : at + size]
                mix_up(part, augment.mixup, self._seed, epoch, indices[at : at + size])
                part["partner"][part["partner"] >= 0] += at
        out = self._buffers[buffer][: len(indices)]
        self._renderer.render(images, samples, out)
        batches = []
        for at in starts:
            here = slice(at, at + size)
            mixed = share = moves = None
            if augment is not None and augment.mixup and len(indices[here]) > 1:
                mixed, share = all_targets.take(samples["partner"][here]), samples["share"][here].copy()
            if augment is not None and augment.moves:
                moves = moves_of(samples[here])
            targets = all_targets.take(np.arange(len(indices))[here])
            batches.append(Batch(out[here], targets, indices[here], mixed, share, moves))
        return batches

    def _streamed(self, blocks: list[NDArray[np.intp]], epoch: int) -> Iterator[Batch]:
        """Batches of blocks that a thread reads, decodes and renders in advance."""
        # One block is trained on, `_AHEAD` wait, one is being made, and one may not have been released yet.
        self._provide_buffers(_AHEAD + 3)

        def made(turn: int) -> list[Batch]:
            indices, buffer = blocks[turn], turn % len(self._buffers)
            images = self._raw[buffer][: len(indices)]
            self._split.read(indices, images, threads=self._threads)
            sources = np.arange(len(indices), dtype=np.intp)
            targets = self._split.targets.take(indices)
            return self._rendered(images, sources, indices, targets, epoch=epoch, buffer=buffer)

        with closing(in_order(range(len(blocks)), made, threads=1, ahead=_AHEAD + 2)) as ready:
            for _, batches in ready:
                yield from batches
