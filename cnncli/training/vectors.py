"""Pretrained vectors of words: word2vec's and GloVe's text files, also ``.gz``."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.unpacking import opened
from cnncli.data.words import FIRST, words_of
from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import reading_fault, shown
from cnncli.nn import Network
from cnncli.tasks.preprocessing import Preprocessing

_LONGEST = 1 << 20  # bytes of a line
_MOST_VALUES = 2000  # of a vector
_FORM = "Give a text file of word2vec or GloVe: a word and its numbers in each line."


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors of some words.

    Attributes
    ----------
    path : str
        The file.
    size : int
        Values of each.
    known : dict of str to ndarray, shape (size,), float32
        By word, in lower case.
    total : int
        Vectors in the file.
    """

    path: str
    size: int
    known: dict[str, NDArray[np.float32]]
    total: int

    def fitted(self, model: str) -> str:
        """A model as ``-m`` writes it, with vectors of this size.

        Raises
        ------
        OptionError
            Where it asks for another size.
        """
        name, _, options = ("textcnn" if model == "auto" else model).partition(":")
        asked = dict(part.partition("=")[::2] for part in options.replace(" ", "").split(",") if part)
        if asked.get("dim", str(self.size)) != str(self.size):
            raise OptionError(
                f"--model: dim is {asked['dim']}, but {shown(self.path)} has vectors of {self.size} values; "
                "expected the same",
                "Leave dim out.",
            )
        asked["dim"] = str(self.size)
        return f"{name}:" + ",".join(f"{key}={value}" if value else key for key, value in asked.items())

    def put_into(self, network: Network, preprocessing: Preprocessing) -> str:
        """Load the vectors of a network's words; others keep their first values. Returns what was done."""
        from cnncli.tasks.text import TextInput

        assert isinstance(preprocessing, TextInput)
        arrays = network.export()
        for name in ("embedding.weight", "static.weight"):
            if name not in arrays:
                continue
            table = arrays[name]
            if table.shape[1] != self.size:
                raise OptionError(
                    f"--vectors: {shown(self.path)} has vectors of {self.size} values, the network's have "
                    f"{table.shape[1]}; expected the same",
                    "Leave --init or --vectors out.",
                )
            for number, word in enumerate(preprocessing.words, FIRST):
                if word in self.known:
                    table[number] = self.known[word]
        network.load(arrays)
        found = sum(word in self.known for word in preprocessing.words)
        return (
            f"vectors of {found:,} of {len(preprocessing.words):,} words from {shown(self.path)}, which has "
            f"{self.total:,} of {self.size} values"
        )


def read_vectors(path: str, wanted: Collection[str]) -> WordVectors:
    """Read the vectors of some words.

    A word of the file is taken as `words_of` spells it; of several that are the same then the first, which is
    the most frequent one, unless one is spelled so in the file.

    Parameters
    ----------
    path : str
        In word2vec's text form, whose first line has two numbers, or in GloVe's, which has no such line.
    wanted : collection of str
        Words that matter: others are not kept.

    Raises
    ------
    OptionError
        Where it cannot be read, or is no such file.
    """
    known: dict[str, NDArray[np.float32]] = {}
    exact: set[str] = set()
    size = total = 0
    try:
        for number, line in enumerate(_lines(Path(path)), 1):
            word, *values = line.split(" ")
            if number == 1 and len(values) == 1 and word.isdigit():
                continue  # word2vec's count of words and values
            size = size or len(values)
            total += 1
            if len(values) != size or not 1 <= size <= _MOST_VALUES:
                raise _unfit(path, number, f"has {len(values)} numbers after its word", size)
            spelled = word if word in wanted else "".join(words_of(word)[:1])
            if spelled not in wanted or spelled in exact or (spelled in known and spelled != word):
                continue
            vector = _numbers(values)
            if vector is None:
                raise _unfit(path, number, "holds what is no number", size)
            known[spelled] = vector
            if spelled == word:
                exact.add(spelled)
    except CnncliError as fault:
        raise OptionError(f"--vectors: {fault.message}", fault.hint) from fault
    if not known:
        raise OptionError(
            f"--vectors: {shown(path)} has {total:,} vectors, but of no word of the training texts; "
            "expected some",
            _FORM,
        )
    return WordVectors(path, size, known, total)


def _numbers(values: list[str]) -> NDArray[np.float32] | None:
    try:
        vector = np.array(values, np.float32)
    except ValueError:
        return None
    return vector if np.isfinite(vector).all() else None


def _lines(path: Path) -> Iterator[str]:
    """Lines without their ends; blanks within words of GloVe's larger files are none of ours."""
    try:
        with opened(path) as file:
            while line := file.readline(_LONGEST):
                if not line.endswith(b"\n") and len(line) == _LONGEST:
                    raise CnncliError(f"{shown(path)} has a line of more than {_LONGEST:,} bytes", _FORM)
                if text := line.decode("utf-8", "replace").rstrip(" \r\n"):
                    yield text
    except OSError as error:
        raise reading_fault(error, path) from error


def _unfit(path: str, number: int, what: str, size: int) -> CnncliError:
    return CnncliError(f"line {number:,} of {shown(path)} {what}; expected {size or 'some'} numbers", _FORM)
