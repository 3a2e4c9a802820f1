"""Batches of texts: in order or shuffled, as numbers of words, reproducible bit by bit."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.data.loader import Batch, Loader
from cnncli.data.random_numbers import shuffled
from cnncli.data.texts import Texts


class TextLoader(Loader):
    """Batches of a split of texts, epoch by epoch.

    Parameters
    ----------
    texts : Texts
        Where they come from.
    batch_size : int
        Texts per batch; the last batch of an epoch may be smaller.
    numbers : ndarray of float32
        For each word of ``texts.words`` the number that the network knows it by.
    room : int
        T: only so many words of a text are read.
    seed, shuffle, drop_last
        As for `Loader`.
    """

    def __init__(
        self,
        texts: Texts,
        batch_size: int,
        *,
        numbers: NDArray[np.float32],
        room: int,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
    ) -> None:
        self._split, self._batch_size, self._seed = texts, batch_size, seed
        self._shuffle, self._drop_last = shuffle, drop_last
        self._texts, self._numbers, self._room = texts, numbers[texts.numbers], room

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number ``first`` on; ``x`` is (n, 1, T, 1)."""
        count = len(self._texts)
        order = shuffled(count, self._seed, number) if self._shuffle else np.arange(count, dtype=np.intp)
        order = order[: len(self) * self._batch_size]
        for at in range(first * self._batch_size, order.size, self._batch_size):
            indices = order[at : at + self._batch_size]
            yield Batch(self._filled(indices), self._texts.targets.take(indices), indices)

    def _filled(self, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        """The numbers of the words of some texts, and 0 after their ends."""
        lengths = np.minimum(self._texts.lengths[indices], self._room)
        out = np.zeros((len(indices), self._room), np.float32)
        there = np.arange(self._room) < lengths[:, None]
        places = self._texts.starts[indices][:, None] + np.arange(self._room)
        out[there] = self._numbers[places[there]]
        return out.reshape(len(indices), 1, self._room, 1)
