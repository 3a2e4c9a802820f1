"""The little of YAML that describes data sets: names with texts, numbers, lists, and names within names.

Lists in brackets may go over several lines, and so may texts behind ``|`` and ``>``, such as programs that
download images. Whatever goes beyond (anchors, tags, other texts over several lines, deeper levels) is
refused, so that nothing is understood differently than by whoever wrote it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown

Plain = str | list[str] | dict[str, str]
_MOST_BYTES = 4 << 20
_PAIR = re.compile(r"""^("[^"]*"|'[^']*'|[^\s:#'"\[\]{}][^:#]*?)\s*:(?:\s+(.*))?$""")
_BLOCK = re.compile(r":\s+([|>])[+-]?$")
_CLOSED = {"[": "]", "{": "}"}
_ENTRY = re.compile(r"""(?:"[^"]*"|'[^']*'|[^,'"])+""")


def read_yaml(path: Path) -> dict[str, Plain]:
    """Read a file; texts and numbers are both texts.

    Raises
    ------
    CnncliError
        Where it cannot be read, or goes beyond that little; the line is named.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CnncliError(
                f"{shown(path)} is larger than {_MOST_BYTES >> 20} MiB; expected a short description",
                "Check what wrote the file.",
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise reading_fault(error, path) from error
    except UnicodeDecodeError as error:
        raise CnncliError(f"{shown(path)} is not UTF-8; expected text", "Save it as UTF-8.") from error
    found: dict[str, Plain] = {}
    last = ""
    for number, bare in _statements(text.splitlines()):
        try:
            last = _take(bare, found, last)
        except ValueError as error:
            raise CnncliError(
                f"{shown(path)}: line {number} {error}; expected names with texts, numbers or lists",
                "Write it as name: value, name: [a, b], or a name with lines of - a or 0: a below it.",
            ) from error
    return found


def _statements(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines without comments, and where each begins: one for a list in brackets, and one for a text."""
    at = 0
    while at < len(lines):
        number, bare = at + 1, _without_comment(lines[at])
        at += 1
        if bare.strip() in ("", "---"):
            continue
        if _BLOCK.search(bare) and bare[0] not in " \t-":
            block = []
            while at < len(lines) and (not lines[at].strip() or lines[at][0] in " \t"):
                block.append(lines[at].strip())
                at += 1
            yield number, f"{_BLOCK.sub('', bare)}: {_quoted(' '.join(block).strip())}"
            continue
        opened = bare.partition(": ")[2].strip()[:1]
        while opened in _CLOSED and bare[-1] != _CLOSED[opened] and at < len(lines):
            bare = f"{bare} {_without_comment(lines[at]).strip()}".rstrip()
            at += 1
        yield number, bare


def _quoted(text: str) -> str:
    """A text between quotation marks, which it need not have itself: nobody asks for its words."""
    return "'" + text.replace("'", '"') + "'"


def _take(line: str, found: dict[str, Plain], last: str) -> str:
    """Add a line to what was found; return the name that lines below it belong to."""
    inside = line[0] in " \t" or line.startswith("- ")
    bare = line.strip()
    if bare.startswith("- ") and inside:
        values = found.get(last)
        if values == "":
            values = found[last] = []
        if not isinstance(values, list):
            raise ValueError("is an entry of no list")
        values.append(_text(bare[2:]))
        return last
    match = _PAIR.match(bare)
    if match is None:
        raise ValueError("is no name with a value")
    name, value = _text(match[1]), (match[2] or "").strip()
    if inside:
        pairs = found.get(last)
        if pairs == "":
            pairs = found[last] = {}
        if not isinstance(pairs, dict):
            raise ValueError("stands below a name that has a value")
        pairs[name] = _text(value)
        return last
    if name in found:
        raise ValueError(f"gives {name!r} again")
    found[name] = _inline(value) if value.startswith(("[", "{")) else _text(value) if value else ""
    return name


def _inline(value: str) -> Plain:
    """``[a, b]`` or ``{0: a, 1: b}``."""
    if value[-1] != _CLOSED[value[0]]:
        raise ValueError("begins a list that does not end in it")
    parts = [each.strip() for each in _ENTRY.findall(value[1:-1]) if each.strip()]
    if value[0] == "[":
        return [_text(part) for part in parts]
    pairs: dict[str, str] = {}
    for part in parts:
        match = _PAIR.match(part)
        if match is None:
            raise ValueError("has an entry without a name")
        pairs[_text(match[1])] = _text(match[2] or "")
    return pairs


def _text(value: str) -> str:
    """A text or number as it is meant."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    if value[:1] in ("&", "*", "!", "|", ">", "%", "@", "`", "[", "{", '"', "'"):
        raise ValueError(f"has the value {value!r:.40}, which is not read")
    return value


def _without_comment(line: str) -> str:
    """A line up to a # that begins a comment."""
    quote = ""
    for at, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and (at == 0 or line[at - 1] in " \t"):
            return line[:at].rstrip()
    return line.rstrip()
