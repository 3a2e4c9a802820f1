"""Errors, hints and notes: a line each for programs; on a terminal they break between words."""

import re

import pytest

NAMES = ["no-such-picture.png", "a/rather-long-path/of-a-picture-that-nobody-has/called/so/photo.png"]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_messages_break_between_words(on_terminal, run, columns):
    words = ["convolve", *NAMES, "-k", "sobel", "-o", "out/", "--threads", "1"]
    whole = run(*words).err.splitlines()
    assert [line.split(":")[0] for line in whole] == ["error", "hint"] * 2
    lines = on_terminal(columns, *words).replace("\x1b[K", "").replace("\r", "\n").splitlines()
    lines = [line for line in lines if line and not line.startswith("[")]
    assert all(len(line) <= columns or len(line.split()) == 1 for line in lines)
    assert " ".join(lines).split() == " ".join(whole).split()


def test_what_follows_stands_below_the_message(on_terminal):
    text = on_terminal(40, "convolve", "no-such-picture.png", "-k", "sobel")
    assert text.splitlines() == [
        "error: cannot read no-such-picture.png:",
        "       no such file",
        "hint: Check the spelling, and that you",
        "      are in the right folder.",
    ]


@pytest.mark.parametrize("term", ["xterm", "dumb"])
@pytest.mark.parametrize("words", [["kernels"], ["kernels", "gabor"], ["formats"]], ids=" ".join)
def test_tables_fit_terminals_of_any_kind(on_terminal, words, term):
    lines = on_terminal(60, *words, env={"TERM": term, "NO_COLOR": "1", "COLUMNS": ""})
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in lines.splitlines()]
    lines = [line for line in lines if len(line.split()) > 1 and "cnncli convolve" not in line]
    assert max(map(len, lines)) <= 60
