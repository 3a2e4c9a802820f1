"""Batches of clips: windows of frames, each clip augmented as one, reproducible bit by bit.

Legend: n clips of a batch, V views of each, T frames of a window, frames of H x W pixels and C channels.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.data.augment import Augment
from cnncli.data.clips import Clips, Window
from cnncli.data.loader import Batch, Loader
from cnncli.data.random_numbers import shuffled, uniform
from cnncli.data.warp import Draws, Samples, drawn_samples, mix_up, plain_samples

VIEWS = 3  # windows of a clip whose outputs are averaged, where it is longer than one
_START_DRAW = 9_001  # a counter that differs from those of augmentation and of splits


class ClipLoader(Loader):
    """Batches of a split of clips, epoch by epoch.

    In training a window begins anywhere in its clip, drawn anew in each epoch. Else there are `VIEWS` of each
    clip, spread evenly, or one where no clip of the split is longer than a window.

    Parameters
    ----------
    clips : Clips
        Where they come from.
    batch_size : int
        Clips per batch; the last batch of an epoch may be smaller.
    window : Window
        Frames that are read at once.
    training : bool
        Windows are drawn.
    mean, std, augment, seed, shuffle, drop_last, threads
        As for `Loader`.
    """

    def __init__(
        self,
        clips: Clips,
        batch_size: int,
        *,
        window: Window,
        training: bool,
        mean: NDArray[np.float32],
        std: NDArray[np.float32],
        augment: Augment | None = None,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        threads: int = 1,
    ) -> None:
        super().__init__(
            clips,
            batch_size,
            mean=mean,
            std=std,
            augment=augment,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            threads=threads,
        )
        self._clips, self._window, self._training = clips, window, training
        longer = bool((clips.counts > window.span).any())
        self._views = 1 if training or not longer else VIEWS
        height, width, channels = clips.shape
        self._x = np.empty((batch_size * self._views, window.frames * height, width, channels), np.float32)

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number ``first`` on; ``x`` is (n * V, T * H, W, C)."""
        count, size = len(self._clips), self._batch_size
        order = shuffled(count, self._seed, number) if self._shuffle else np.arange(count, dtype=np.intp)
        order = order[: len(self) * size]
        for at in range(first * size, order.size, size):
            yield self._batch(order[at : at + size], number)

    def _batch(self, indices: NDArray[np.intp], epoch: int) -> Batch:
        clips, window = self._clips, self._window
        counts = clips.counts[indices]
        if self._training:
            room = np.maximum(counts - window.span, 0)
            starts = np.floor(uniform(self._seed, epoch, indices, _START_DRAW) * (room + 1))[:, None]
        else:
            starts = window.spread(counts, self._views)
        places = window.places(starts.ravel().astype(np.intp), np.repeat(counts, self._views))
        places += np.repeat(clips.first[indices], self._views)[:, None]
        samples = self._samples(places, indices, epoch)
        x = self._x[: len(places)]
        self._renderer.render(clips.frames, samples, x.reshape(-1, *clips.shape))
        targets, mixed, share = clips.targets.take(indices), None, None
        if self._augment is not None and self._augment.mixup and len(indices) > 1:
            mixed, share = targets.take(self._partners), samples["share"][:: window.frames].copy()
        return Batch(x, targets, indices, mixed, share, views=self._views)

    def _samples(self, places: NDArray[np.intp], indices: NDArray[np.intp], epoch: int) -> Samples:
        """One for each frame; all frames of a clip are changed in the same way."""
        if self._augment is None:
            return plain_samples(places.ravel())
        drawn = drawn_samples(
            self._augment, places[:, 0], Draws(self._seed, epoch, indices), self._clips.shape
        )
        mixes = self._augment.mixup and len(indices) > 1
        if mixes:
            mix_up(drawn, self._augment.mixup, self._seed, epoch, indices)
            self._partners = drawn["partner"].astype(np.intp)
        samples = np.repeat(drawn, self._window.frames)
        samples["source"] = places.ravel()
        if mixes:
            partners = self._partners[:, None] * self._window.frames + np.arange(self._window.frames)
            samples["partner"] = partners.ravel()
        return samples
