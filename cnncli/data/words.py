"""The words of a text, in any script, and the vocabulary that numbers them.

A word is a run of letters, digits and the marks on them, apostrophes within it included (``he's``); a number
keeps its points and commas; any other sign that is seen is a word of its own, as is each character of scripts
that put no blanks between words. Case is ignored. Text is brought to Unicode's form NFC first, so that é is
the same letter however it was typed.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

PADDING, UNKNOWN, FIRST = 0, 1, 2  # numbers: of no word, of any word that is not known, of the first known
#: First and last characters of scripts without blanks: kana, bopomofo, Han with its extensions, Yi, and Thai,
#: Lao, Myanmar, Khmer, whose vowels and tones are marks and stay with their letter.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007),
    (0x3021, 0x312F), (0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0xA4CF), (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F), (0x20000, 0x3FFFF),
)  # fmt: skip
_JOINERS = "\u200c\u200d"  # which belong to the letter or picture before them
_MARKS = ("Mn", "Mc", "Me")
_DROPPED = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))  # soft hyphens and widths of nothing
#: Over the kinds of characters: a word with its marks, apostrophes and points, an unspaced character, a sign.
_WORDS = re.compile(r"[ad][adm]*(?:'[ad][adm]*|(?<=d)\.(?=d)[dm]+)*|um*|[^ ]m*")


class _Kinds(dict[int, str]):
    """The kind of each character, found when it is first seen."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        category = unicodedata.category(letter)
        if letter in _JOINERS or category in _MARKS:
            kind = "m"
        elif any(first <= code <= last for first, last in _UNSPACED) and category[0] == "L":
            kind = "u"
        elif category[0] == "N":
            kind = "d"
        elif category[0] == "L" or letter == "_":
            kind = "a"
        elif letter in "'\u2019":
            kind = "'"
        elif letter in ".,":
            kind = "."
        else:
            kind = " " if category[0] in "CZ" else "s"
        self[code] = kind
        return kind


_KINDS = _Kinds()


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case.

    Parameters
    ----------
    text : str
        Any; characters that control something, and halves of characters, count as blanks.

    Examples
    --------
    >>> words_of("It's 2.5 hours — and worth it!")
    ["it's", '2.5', 'hours', '—', 'and', 'worth', 'it', '!']
    >>> words_of("好看的电影")
    ['好', '看', '的', '电', '影']
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower()).translate(_DROPPED)
    kinds = text.translate(_KINDS)
    return [text[found.start() : found.end()].replace("\u2019", "'") for found in _WORDS.finditer(kinds)]


class Vocabulary:
    """The words that a network knows, and their numbers.

    Parameters
    ----------
    words : sequence of str
        Each once, as `words_of` gives them: the first has the number `FIRST`.

    Attributes
    ----------
    words : tuple of str
        As given.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._numbers = {word: number for number, word in enumerate(words, FIRST)}

    def __len__(self) -> int:
        """How many numbers there are: those of the words, of padding and of the unknown."""
        return len(self.words) + FIRST

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def numbers(self, words: Iterable[str]) -> list[int]:
        """The number of each word; `UNKNOWN` for words that are not known."""
        known = self._numbers
        return [known.get(word, UNKNOWN) for word in words]

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], *, least: int) -> "Vocabulary":
        """The words that occur ``least`` times or more in some texts, the most frequent first.

        Words of one frequency come in the order of their characters, whatever the order of the texts.
        """
        counts = Counter(word for words in texts for word in words)
        kept = [(-count, word) for word, count in counts.items() if count >= least]
        return cls([word for _, word in sorted(kept)])
