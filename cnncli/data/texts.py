"""Texts as a data set holds them: the numbers of their words, in a list of all words that occur."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from cnncli.data.model import Images, Shape
from cnncli.data.targets import Targets

LONGEST = 1024  # words of a text that a network reads: what comes after them is left out


@dataclass
class WordList:
    """All words of some texts, each once, in the order in which they came.

    Attributes
    ----------
    words : list of str
        By number, from 0.
    """

    words: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def numbers(self, words: Iterable[str]) -> NDArray[np.int32]:
        """The number of each word; new ones are added."""
        known = self._numbers
        found = np.array([known.setdefault(word, len(known)) for word in words], np.int32)
        if len(known) > len(self.words):
            self.words += list(known)[len(self.words) :]
        return found


@dataclass(frozen=True, eq=False)
class Texts:
    """A split of texts.

    Attributes
    ----------
    numbers : ndarray of int32
        Of the words of all texts, one after the other.
    starts : ndarray, shape (N + 1,), intp
        Where each text begins, and the end of the last.
    words : list of str
        What the numbers mean.
    targets : Targets
        Of the N texts.
    names : sequence of str
        Where each comes from, such as ``reviews.tsv:17``.
    digests : ndarray, shape (N,), uint64
        Equal for texts of the same words, whatever signs are between them.
    label : str
        Name of the split.
    """

    numbers: NDArray[np.int32]
    starts: NDArray[np.intp]
    words: list[str]
    targets: Targets
    names: Sequence[str]
    digests: NDArray[np.uint64]
    label: str = ""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def lengths(self) -> NDArray[np.intp]:
        """(N,) words of each text."""
        return np.diff(self.starts)

    @property
    def shape(self) -> Shape:
        """(1, T, 1), T the words of the longest text, at most `LONGEST`."""
        return 1, min(LONGEST, max(1, int(self.lengths.max(initial=1)))), 1

    def read(self, indices: NDArray[np.intp], out: Images, *, threads: int = 1) -> None:
        """Texts have no pixels."""
        raise TypeError("texts are read by their words")

    def name(self, index: int) -> str:
        """Where a text comes from."""
        return self.names[index]

    def words_at(self, index: int) -> list[str]:
        """The words of a text."""
        return [self.words[at] for at in self.numbers[self.starts[index] : self.starts[index + 1]].tolist()]

    def take(self, positions: NDArray[np.intp], label: str) -> "Texts":
        """The texts at these positions."""
        lengths = self.lengths[positions]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
        places = np.arange(starts[-1]) + np.repeat(self.starts[positions] - starts[:-1], lengths)
        names = [self.names[at] for at in positions.tolist()]
        return replace(
            self,
            numbers=self.numbers[places],
            starts=starts,
            targets=self.targets.take(positions),
            names=names,
            digests=self.digests[positions],
            label=label,
        )


def text_digest(words: Sequence[str]) -> int:
    """64 bits of the words of a text, without signs, unless it has nothing else."""
    spoken = [word for word in words if word[0].isalnum()] or words
    digest = blake2b("\x1f".join(spoken).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def texts_of(
    rows: Sequence[Sequence[str]], targets: Targets, names: Sequence[str], *, known: WordList, label: str
) -> Texts:
    """A split of texts that are given as words; their numbers are those of a list that splits share."""
    found = [known.numbers(words) for words in rows]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in found])]).astype(np.intp)
    digests = np.array([text_digest(words) for words in rows], np.uint64)
    numbers = np.concatenate(found) if found else np.empty(0, np.int32)
    return Texts(numbers, starts, known.words, targets, names, digests, label)
