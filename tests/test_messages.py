"""Hints read as sentences: a capital at the beginning, and an end."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnncli.cli.wrong import _ANSWERS
from cnncli.files.faults import _READING, _WRITING
from cnncli.images.foreign import _KNOWN

ROOT = Path(__file__).parent.parent / "cnncli"
#: Where the hint stands among the arguments of what makes an error or a hint.
PLACES = {
    "CnncliError": 1,
    "UsageError": 1,
    "OptionError": 1,
    "_NotHereError": 1,
    "fault": 1,
    "unknown_words": 2,
    "did_you_mean": 2,
    "meant": 1,
}
NAMES = ("hint", "otherwise")
PROGRAMS = (
    *("cnncli", "pip", "dask", "magick", "oiiotool", "gs", "rsvg-convert", "pdftoppm", "ffmpeg"),
    *("gunzip", "bunzip2", "unxz", "unzstd"),
)
#: A sentence, or one that ends with words to type, which a full stop would be taken for a part of.
WHOLE = re.compile(rf"""(?s)[A-Z{{].*(?:[.?]|: (?:['"{{-]|(?:{"|".join(PROGRAMS)}) ).*)""")


def literals(node: ast.expr, constants: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Text that an expression may be, with ``{}`` for what is filled in."""
    match node:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from literals(part, constants)
        case ast.IfExp(body=body, orelse=orelse):
            yield from literals(body, constants)
            yield from literals(orelse, constants)
        case ast.Name(id=name):
            for value in constants.get(name, ()):
                yield from literals(value, {})


def hints_of(source: str) -> Iterator[tuple[int, str]]:
    """The line and the text of each hint of a module."""
    tree = ast.parse(source)
    constants: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        at = PLACES.get(name, len(node.args))
        named = [each.value for each in node.keywords if each.arg in NAMES]
        for value in (*node.args[at : at + 1], *named):
            for text in literals(value, constants):
                yield value.lineno, text


def broken(source: str) -> list[tuple[int, str]]:
    return [(line, text) for line, text in hints_of(source) if not WHOLE.fullmatch(text)]


def tables() -> list[str]:
    """Hints that are looked up, by the system's fault, the kind of the file or the option."""
    by_fault = [hint for known in (_READING, _WRITING) for _, hint in known.values()]
    return [*by_fault, *(hint for *_, hint in _KNOWN), *_ANSWERS.values()]


@pytest.mark.parametrize("hint", dict.fromkeys(tables()))
def test_hints_of_tables_are_sentences(hint: str) -> None:
    assert WHOLE.fullmatch(hint)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_hints_are_sentences(path: Path) -> None:
    assert broken(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "hint",
    [
        '"leave it out."',
        '"Leave it out"',
        'f"leave {name} out."',
        "known or 'save it again.'",
        "_FORM",
        "'Leave it out: it is not needed'",
    ],
)
def test_others_are_found(hint: str) -> None:
    assert broken(f"_FORM = 'Write it so'\nraise CnncliError('no', {hint})")


@pytest.mark.parametrize(
    "hint",
    ['"Leave it out."', 'f"Run: {line}"', "\"Write a template: -o 'out/{stem}{ext}'\"", '"See: cnncli help"'],
)
def test_sentences_are_not(hint: str) -> None:
    assert not broken(f"raise CnncliError('no', {hint})")


def test_hints_are_found() -> None:
    assert sum(1 for path in ROOT.rglob("*.py") for _ in hints_of(path.read_text("utf-8"))) > 300
