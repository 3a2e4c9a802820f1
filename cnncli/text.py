r"""Layer 0: text that comes from outside (names, labels, cells, metadata), as it may be printed.

A terminal obeys what is written to it: ``\x1b]0;…`` in the name of a class renames its window, U+202E turns
a line round. Whatever is printed goes through `printable`; JSON, which states such characters by itself,
through `inert`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 80  # characters of a quoted value
_LONGEST = 400  # of a word without quotes, such as a path
_JOINERS = "\u200c\u200d"  # within Persian words and emoji: no direction, no line


def printable(text: str) -> str:
    r"""Show control characters as text: C0 (newline and tab too), C1, directions, lone surrogates.

    ``\x1b``, ``\u202e``, ``\ud800`` stand for them. All that merely looks like something stays.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    from unicodedata import category

    # Other spaces, private letters, and those that are newer than this Python's tables.
    if category(character) in ("Zs", "Co", "Cn"):
        return character
    return character.encode("unicode_escape").decode("ascii")


def inert(json: str) -> str:
    r"""Text that is JSON, exact, with ``\uNNNN`` for what a terminal would obey."""
    return json if json.isprintable() else "".join(map(_in_json, json))


def _in_json(character: str) -> str:
    if _shown(character) == character:
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def amount(value: float, unit: str = "") -> str:
    """A number that is read at a glance: 61.7 k, 1.2 M, 7.7 MB with a unit."""
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.0f} {unit}".rstrip()


def brief(message: str) -> str:
    """Cut the values in a message at a length that a reader can take in.

    A value in quotes keeps 80 characters, a word without them 400, with an ellipsis and how long it was.
    """
    if len(message) <= _MOST:
        return message
    import re

    # A quote inside a word is an apostrophe.
    quoted = re.compile(r"""(?<!\w)(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")(?!\w)""", re.DOTALL)

    def cut(match: re.Match[str]) -> str:
        whole = match[0]
        if len(whole) <= _MOST + 2:
            return whole
        return f"{whole[: _MOST + 1]}…{whole[0]} ({len(whole) - 2:,} characters)"

    return with_short_words(quoted.sub(cut, message))


def with_short_words(message: str) -> str:
    """The same with 400 characters of each word that is longer, such as a name without end."""
    if len(message) <= _LONGEST:
        return message
    import re

    def cut(match: re.Match[str]) -> str:
        return f"{match[0][: _LONGEST // 2]}…{match[0][-_LONGEST // 2 :]} ({len(match[0]):,} characters)"

    return re.sub(rf"\S{{{_LONGEST + 50},}}", cut, message)


def listed(names: "Sequence[str]", most: int = 3, *, separator: str = ", ") -> str:
    """The first names, and how many more there are."""
    shorter = separator.join(names[:most])
    return shorter if len(names) <= most else f"{shorter} and {len(names) - most:,} more"
