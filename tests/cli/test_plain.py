"""What is read without Typer is what Typer reads, word for word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from cnncli.cli.app import app
from cnncli.cli.plain import COMMANDS, read_plainly
from cnncli.records import fields

GROUP = get_command(app)
WORDS = {
    name: [
        word
        for parameter in GROUP.commands[name].params
        for word in parameter.opts + parameter.secondary_opts
    ]
    for name in COMMANDS
}
VALUES = [
    "sobel",
    "a.png",
    "-",
    "--",
    "",
    "0 -1 0; -1 5 -1",
    "-1 0 1",
    "-1",
    "3",
    " 4",
    "0x3",
    "2.5",
    "nan",
    "1_0",
]


def read_by_typer(arguments):
    """Parameters as Typer reads them; it raises where it does not take them."""
    name, *words = arguments
    found = GROUP.commands[name].make_context(name, words).params
    return {key: list(value) or None if isinstance(value, tuple) else value for key, value in found.items()}


def same(ours, theirs):
    return {name: repr(getattr(ours, name)) for name in fields(ours)} == {
        key: repr(value) for key, value in theirs.items()
    }


@pytest.mark.parametrize(
    "line",
    [
        ["convolve"],
        ["convolve", "a.png", "-k", "sobel"],
        [
            "convolve",
            "a.png",
            "-",
            "--kernel=sobel",
            "-k",
            "-1 0 1",
            "--color",
            "-o",
            "-",
            "--scale=-2.5",
            "-q",
        ],
        [
            "convolve",
            "-r",
            "--threads",
            "3",
            "folder",
            "-k",
            "0 -1 0; -1 5 -1; 0 -1 0",
            "--border=constant:3",
        ],
        ["predict", "a.png", "--json", "--top", "2"],
        ["predict", "-m", "run", "--files-from", "-", "-0"],
    ],
)
def test_plain_lines_are_read(line):
    assert same(read_plainly(line), read_by_typer(line))


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["--version"],
        ["kernels"],
        ["convolve", "--help"],
        ["convolve", "-qr"],
        ["convolve", "-k=sobel"],
        ["convolve", "-ksobel"],
        ["convolve", "--", "-a.png"],
        ["convolve", "--kern", "sobel"],
        ["convolve", "--quiet=1"],
        ["convolve", "-k"],
        ["convolve", "--threads", "two"],
        ["predict", "--scale", "2"],
    ],
)
def test_others_are_left_to_typer(line):
    assert read_plainly(line) is None


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
def test_whatever_is_read_typer_reads_too(name, data):
    word = st.sampled_from(WORDS[name])
    value = st.sampled_from(VALUES)
    part = st.one_of(word, value, st.builds("{}={}".format, word, value), st.tuples(word, value))
    parts = data.draw(st.lists(part, max_size=5))
    line = [name, *(text for each in parts for text in (each if isinstance(each, tuple) else (each,)))]
    ours = read_plainly(line)
    if ours is not None:
        assert same(ours, read_by_typer(line))
