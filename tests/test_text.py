"""Text from outside: nothing in it that a terminal obeys, JSON exact, long values cut."""

import json
import sys
import unicodedata

import pytest

from cnncli.checked import as_json
from cnncli.errors import CnncliError
from cnncli.text import brief, printable

# By Unicode's table: control, surrogate, line and paragraph separator, and format (directions among them).
OBEYED = {
    chr(code) for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp", "Cf")
} - set("\u200c\u200d")  # fmt: skip


def test_every_character_that_is_obeyed_is_shown_as_text():
    for character in OBEYED:
        text = printable(f"a{character}b")
        assert text == f"a{character.encode('unicode_escape').decode()}b"
        assert text.isascii()


@pytest.mark.parametrize(
    "text", ["", "plain", "é – 猫 𝔘", "می\u200cخواهم", "👩\u200d🔬", "10\u00a0km", "a\\x1b"]
)
def test_all_else_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    "text",
    ["\x1b]0;title\x07", "\x9b31m", "a\u202eb", "\ud800", "\U000e0001", "ü\n\t\"'\\", "\x7f\u2028"],
)
def test_json_is_exact_and_obeyed_by_nobody(text):
    line = as_json({text: [text, {"n": text}]})
    assert json.loads(line) == {text: [text, {"n": text}]}
    assert not OBEYED & set(line)
    line.encode()


def test_a_long_value_is_cut_where_it_is_quoted():
    message = f"--roi is {'1,' * 5000!r}; expected 4 whole numbers, for the image's size isn't the kernel's"
    text = brief(message)
    assert text.startswith("--roi is '1,1,")
    assert text.endswith(
        "…' (10,000 characters); expected 4 whole numbers, for the image's size isn't the kernel's"
    )
    assert len(text) < 200
    double = repr("it's " * 100)
    assert brief(f"{double}: no").endswith('…" (500 characters): no')


@pytest.mark.parametrize(
    "text",
    [
        "the image's size, which isn't what was expected of images, and a lot of words that say why isn't it",
        f"cannot read {'/some/where' * 30}.png: no such file",
        f"expected one of {', '.join(repr('name') for _ in range(50))}",
    ],
)
def test_what_is_not_too_long_stays(text):
    assert brief(text) == text


def test_a_word_without_end_is_cut_in_its_middle():
    text = brief(f"cannot read {'x' * 10_000}.png: no such file")
    assert text.startswith("cannot read xxx")
    assert text.endswith(".png: (10,005 characters) no such file")
    assert len(text) < 500


def test_every_error_is_brief():
    error = CnncliError(f"it is {'x' * 999!r}", f"not {'y' * 999!r}")
    assert max(len(error.message), len(error.hint), len(str(error))) < 150
