"""Classification of texts: one class for a text, and how a text becomes what a network takes in.

Legend: N texts of up to T words, K classes, V numbers of words.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError
from cnncli.data.text_loader import TextLoader
from cnncli.data.texts import LONGEST, Texts
from cnncli.data.words import Vocabulary
from cnncli.nn import Network
from cnncli.nn.layers.text import with_room
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing

if TYPE_CHECKING:
    from cnncli.data.augment import Augment
    from cnncli.data.loader import Loader
    from cnncli.data.model import Split

LEAST = 2  # times that a word occurs in the training texts, to have a vector of its own
_MOST_WORDS = 1 << 22


@dataclass(frozen=True)
class TextClassification(Classification):
    """One of K classes for a text."""

    name: ClassVar[str] = "text"
    noun: ClassVar[str] = "texts"
    outputs_of: ClassVar[str] = "texts"


@dataclass(frozen=True)
class TextInput(Preprocessing):
    """How a text becomes a network's input: the numbers of its words, as they are.

    Attributes
    ----------
    words : tuple of str
        That have a vector of their own, the first with the number `FIRST`.

    The size is (1, T), T the words of the longest text of the data that it was trained on.
    """

    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, words: Sequence[str], longest: int) -> "TextInput":
        """For texts of up to so many words."""
        return cls((1, longest), 1, (0.0,), (1.0,), words=tuple(words))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The numbers of words."""
        return Vocabulary(self.words)

    @classmethod
    def from_fields(cls, fields: Fields) -> "TextInput":
        """The reverse of ``dataclasses.asdict``, of JSON that may come from anywhere.

        Raises
        ------
        MalformedError
            Where it means nothing.
        """
        height, longest = fields.wholes("size", 2, 1, LONGEST)
        words = fields.texts("words")
        if height != 1 or len(words) > _MOST_WORDS or len(set(words)) != len(words):
            raise MalformedError(f"it has {len(words):,} words, some of them twice, or {height} rows")
        return cls.of(words, longest)

    def loader(
        self,
        split: "Split",
        batch_size: int,
        *,
        augment: "Augment | None" = None,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        threads: int = 1,
    ) -> "Loader":
        """Batches of a split of texts; texts are not augmented."""
        del augment, threads
        if not isinstance(split, Texts):
            raise TypeError(f"a split is {type(split).__name__}; expected Texts")
        numbers = np.array(self.vocabulary.numbers(split.words), np.float32)
        return TextLoader(
            split,
            batch_size,
            numbers=numbers,
            room=self.size[1],
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
        )

    def with_room(self, network: Network, words: int) -> tuple[Network, "TextInput"]:
        """The same network, and the same input, for texts of up to so many words, at most `LONGEST`."""
        words = min(words, LONGEST)
        return with_room(network, words), replace(self, size=(1, words))

    def encoded(self, texts: Sequence[Sequence[str]], *, room: int) -> NDArray[np.float32]:
        """Texts, given as words, as inputs (N, 1, room, 1): words beyond the room, or `LONGEST`, are cut."""
        out = np.zeros((len(texts), 1, room, 1), np.float32)
        for row, words in zip(out[:, 0, :, 0], texts, strict=True):
            read = words[: min(room, LONGEST)]
            row[: len(read)] = self.vocabulary.numbers(read)
        return out


def input_of(texts: Texts, longest: int, *, also: Container[str] = ()) -> TextInput:
    """The input of a network that learns from some texts.

    Parameters
    ----------
    texts : Texts
        For training. Words that they have twice or more get a vector of their own, most frequent first.
    longest : int
        Words of the longest text of the data.
    also : container of str
        Words that get one, too, if they occur once.
    """
    counts = np.bincount(texts.numbers, minlength=len(texts.words)).tolist()
    known = zip(texts.words, counts, strict=True)
    kept = [(-count, word) for word, count in known if count >= LEAST or (count and word in also)]
    return TextInput.of([word for _, word in sorted(kept)], longest)
