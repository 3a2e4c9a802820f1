"""Names, labels and cells from outside never reach a terminal as they are; data for programs are exact."""

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image
from small_networks import SHAPE, save_gray, save_linear

NASTY = ("\x1b]0;mine\x07", "[red]bold[blue]", "a\u202eb", "\x9b31m", "line\nbreak")
# What cnncli itself tells a terminal: bold, dim, off, erase the line, show and hide the cursor, move up.
OURS = re.compile(r"\x1b\[(?:[012]m|K|2K|1A|\?25[lh]|3[26]m|9[0-9]m)|\r")


def obeyed(text):
    """Characters left that a terminal obeys, less our own."""
    return {c for c in OURS.sub("", text).replace("\n", "") if not c.isprintable()}


@pytest.fixture
def album(rng, tmp_path):
    """Pictures in class folders with nasty names, and a network that knows these classes."""
    for name in NASTY:
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(rng.integers(0, 256, SHAPE[:2], dtype=np.uint8)).save(
                tmp_path / "data" / name / f"\x1b[31m{i}.png"
            )
    (tmp_path / "data" / NASTY[0] / "\x1b[1mbad.png").write_bytes(b"\x1b[5mjunk")
    save_gray(tmp_path / "\x1b[31ma.png", rng)
    save_linear(tmp_path / "net.safetensors", rng, classes=NASTY)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        (
            "predict",
            "data/{0}/\x1b[31m0.png",
            "data/{0}/\x1b[1mbad.png",
            "-m",
            "net.safetensors",
            "--top",
            "5",
        ),
        ("predict", "\x1b[31ma.png", "-m", "net.safetensors", "--csv"),
        ("predict", "\x1b[31ma.png", "-m", "net.safetensors", "--json"),
        ("convolve", "data/{0}", "-k", "box:3", "-o", "out-\x1b[31m/"),
        ("featuremaps", "\x1b[31ma.png", "-m", "net.safetensors"),
        ("train", "data", "-m", "conv2 relu gap fc", "--epochs", "1", "-o", "run-\x1b[31m"),
        ("samples", "x\x1b[31m"),
    ],
    ids=lambda words: " ".join(words[:1] + words[-1:]).encode("unicode_escape").decode(),
)
def test_a_terminal_finds_nothing_to_obey(album, on_terminal, words):
    text = on_terminal(80, *(word.format(NASTY[0]) for word in words))
    assert obeyed(text) == set()
    assert text.strip()


def test_columns_are_printable_and_csv_and_json_exact(album, run):
    given = ("predict", "\x1b[31ma.png", "-m", "net.safetensors", "--top", "5")
    (line,) = run(*given).lines
    assert line.isprintable() or obeyed(line) == {"\t"}
    assert sorted(line.split("\t")[1::2]) == sorted(
        name.replace("\n", r"\n").replace("\x1b", r"\x1b").replace("\x07", r"\x07")
        .replace("\x9b", r"\x9b").replace("\u202e", r"\u202e")
        for name in NASTY
    )  # fmt: skip
    _, row = csv.reader(io.StringIO(run(*given, "--csv").out.decode(), newline=""))
    assert (row[0], sorted(row[1:-1:2])) == ("\x1b[31ma.png", sorted(NASTY))
    done = run(*given, "--json")
    (result,) = done.results
    assert result["input"] == "\x1b[31ma.png"
    assert sorted(each["label"] for each in result["predictions"]) == sorted(NASTY)
    assert obeyed(done.out.decode()) == set()


def test_names_in_a_pipe_keep_their_bytes(album, shell):
    line = "cnncli convolve data/*/*0.png -k box:3 -o 'out/{number}{stem}{ext}'"
    done = shell(f"{line} | xargs -d '\\n' ls | wc -l")
    assert done.lines == [str(len(NASTY))]


@pytest.mark.parametrize(
    "words", [["-k", "\x1b[31m"], ["-k", "box", "--roi", "\x1b[31m"], ["--\x1b[31m"], ["\x9b"]]
)
def test_what_was_typed_is_shown_as_text(run, album, two_lines, words):
    assert obeyed(two_lines(run("convolve", "\x1b[31ma.png", *words), 2)) == set()


def test_a_message_is_no_longer_than_a_reader_can_take_in(run, album, two_lines):
    error = two_lines(run("convolve", "\x1b[31ma.png", "-k", "box", "--roi", "7" * 100_000), 2)
    assert "(100,000 characters)" in error
    assert len(error) < 250
