"""``-o term``: what is shown is the picture, whatever the terminal speaks, and nothing is left behind."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from PIL import Image

from cnncli.cli import terminal
from cnncli.cli.terminal import Answer, Screen, codes_of
from tests.cli.small_networks import save_dense, save_detector, save_seeded
from tests.conftest import ROOT
from tests.images.screen.decoders import (
    picture_of_iterm,
    picture_of_kitty,
    pixels_of_blocks,
    pixels_of_sixel,
)

SAME = ("convolve", "a.png", "-k", "identity")
EVERY = Screen("blocks", 40, 20, colors=1 << 24)
NAMES = "TMUX STY KITTY_WINDOW_ID TERM_PROGRAM LC_TERMINAL COLORTERM NO_COLOR WT_SESSION"
NONE = dict.fromkeys(NAMES.split(), "")


@pytest.fixture
def squares(tmp_path):
    """A picture of 12 x 8 pixels in the colours that all ways keep."""
    pixels = (np.arange(12 * 8 * 3).reshape(8, 12, 3) % 2 * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return pixels


# What is shown


def test_blocks(run, squares, monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    found = pixels_of_blocks(run(*SAME, "-o", "term:blocks").out.decode())
    assert np.array_equal(found, squares)


@pytest.mark.parametrize("way", ["sixel", "kitty", "iterm"])
def test_files_and_sixel_are_enlarged_by_whole_factors(run, squares, way, monkeypatch):
    monkeypatch.setenv("TMUX", "")
    out = run(*SAME, "-o", f"term:{way}").out.removesuffix(b"\n")
    found = {
        "sixel": pixels_of_sixel,
        "kitty": lambda data: picture_of_kitty(data)[1],
        "iterm": lambda data: picture_of_iterm(data)[1],
    }[way](out)
    assert np.array_equal(found, squares.repeat(26, axis=0).repeat(26, axis=1))


@pytest.mark.parametrize("way", ["dots", "signs"])
def test_without_colour_there_are_no_codes(run, squares, way):
    out = run(*SAME, "-o", f"term:{way}").out.decode()
    assert "\x1b" not in out
    assert len(out.splitlines()) == {"dots": 2, "signs": 4}[way]


@pytest.mark.parametrize("shape", [(300, 30), (30, 300), (700, 900), (1, 5000)])
@pytest.mark.parametrize("way", ["blocks", "sixel", "kitty"])
def test_pictures_fit_and_keep_their_shape(shape, way):
    height, width = shape
    pixels = np.full((height, width, 3), 255, np.uint8)
    screen = Screen(way, 40, 22, cell=(9, 18))
    out = codes_of(pixels, screen)
    if way == "blocks":
        found, box = pixels_of_blocks(out.decode()), (40, 40)
        found = found[: np.count_nonzero(found[:, 0, 0] >= 0)]
    else:
        read = pixels_of_sixel if way == "sixel" else lambda data: picture_of_kitty(data)[1]
        found, box = read(out.removesuffix(b"\n")), (20 * 18, 40 * 9)
    assert found.shape[0] <= box[0]
    assert found.shape[1] <= box[1]
    assert max(found.shape[0] / box[0], found.shape[1] / box[1]) > 0.8
    scale = min(box[0] / height, box[1] / width)
    if scale < 1:
        assert abs(found.shape[0] - max(1, height * scale)) <= 1
        assert abs(found.shape[1] - width * scale) <= 1


def test_what_is_transparent_is_over_squares_also_where_it_is_small():
    pixels = np.zeros((400, 400, 4), np.uint8)
    pixels[..., 0] = 77  # under what is transparent
    pixels[:, ::2] = [250, 20, 20, 255]
    found = pixels_of_blocks(codes_of(pixels, EVERY).decode())
    red, green = found[..., 0].astype(float), found[..., 1]
    share = (red - green) / 230
    assert np.abs(share - 0.5).max() < 0.2
    ground = (green - 20 * share) / (1 - share)
    assert np.minimum(np.abs(ground - 0x66), np.abs(ground - 0x99)).max() < 5


def test_through_tmux(monkeypatch):
    out = codes_of(np.zeros((4, 4, 3), np.uint8), Screen("kitty", 40, 20, tmux=True))
    assert out.startswith(b"\x1bPtmux;\x1b\x1b_Ga=T")
    out = codes_of(np.zeros((4, 4, 3), np.uint8), Screen("sixel", 40, 20, tmux=True))
    assert out.startswith(b"\x1bP0;1;0q")


# What a terminal is known to speak


@pytest.mark.parametrize(
    ("environment", "answer", "expected"),
    [
        ({"TERM": "xterm-kitty"}, {}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, {}, "kitty"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, {}, "blocks"),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, {}, "blocks"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux"}, {"sixel": True}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, {}, "iterm"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, {}, "iterm"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, {"sixel": True}, "iterm"),
        ({"TERM": "foot"}, {}, "sixel"),
        ({"TERM": "xterm"}, {"sixel": True}, "sixel"),
        ({"TERM": "xterm"}, {"sixel": True, "kitty": True}, "kitty"),
        ({"TERM": "xterm"}, {}, "blocks"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, {}, "dots"),
        ({"TERM": "xterm", "NO_COLOR": ""}, {}, "blocks"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, {}, "kitty"),
        ({"TERM": "dumb"}, {}, "dots"),
    ],
)
def test_ways(environment, answer, expected, run):
    del run
    assert terminal._way(environment, Answer(**answer), "utf-8") == expected


def test_other_alphabets_have_signs():
    assert terminal._way({"TERM": "xterm"}, Answer(), "ascii") == "signs"


@pytest.mark.parametrize(
    ("environment", "every"),
    [
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, True),
        ({"TERM": "xterm-direct"}, True),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "linux"}, False),
    ],
)
def test_colors(environment, every):
    assert (terminal._colors(environment) > 256) == every


# A terminal that is asked


PATIENT = """
import fcntl, sys, termios
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
from cnncli.cli import terminal
from cnncli.cli.run import run
terminal._PATIENCE = float(sys.argv[1])
sys.exit(run(sys.argv[2:]))
"""


@pytest.fixture
def asked(tmp_path):
    """Run a command on a terminal of its own that answers: ``asked(b"...", *words)``; what it writes."""

    def watch(answer, *words, typed=b"", env=None):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        before = termios.tcgetattr(theirs)
        os.write(ours, typed)
        with subprocess.Popen(
            [sys.executable, "-c", PATIENT, "50" if answer else "0.3", *words],
            cwd=tmp_path,
            stdin=theirs,
            stdout=theirs,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **NONE, **(env or {})},
            start_new_session=True,
        ) as process:
            text, answered = b"", False
            while process.poll() is None or select.select([ours], [], [], 0.1)[0]:
                if select.select([ours], [], [], 0.1)[0]:
                    text += os.read(ours, 65536)
                if b"\x1b[c" in text and not answered:
                    answered = True
                    os.write(ours, answer)
        assert process.returncode == 0
        assert termios.tcgetattr(theirs) == before
        left = select.select([theirs], [], [], 0)[0]
        os.close(ours)
        os.close(theirs)
        assert bool(left) == bool(typed)
        return text.replace(b"\r\n", b"\n"), answered

    return watch


def test_sixel_is_asked_for(asked, squares):
    text, answered = asked(b"\x1b[6;16;8t\x1b[?62;4;22c", *SAME, "-o", "term")
    assert answered
    found = pixels_of_sixel(text[text.index(b"\x1bP") :].removesuffix(b"\n"))
    assert np.array_equal(found, squares.repeat(26, axis=0).repeat(26, axis=1))


def test_kitty_is_asked_for(asked, squares):
    answer = b"\x1b_Gi=31;OK\x1b\\\x1b[6;16;8t\x1b[?62c"
    text, _ = asked(answer, *SAME, "-o", "term")
    keys, found = picture_of_kitty(text[text.index(b"\x1b[c") :])
    assert b"c" not in keys  # the size of letters is known
    assert np.array_equal(found, squares.repeat(26, axis=0).repeat(26, axis=1))


def test_silence_means_letters(asked, squares):
    text, answered = asked(b"", *SAME, "-o", "term", env={"COLORTERM": "truecolor"})
    assert answered
    assert np.array_equal(pixels_of_blocks(text.partition(b"\x1b[c")[2].decode()), squares)


def test_keys_that_were_pressed_are_left(asked, squares):
    text, answered = asked(b"\x1b[?62;4c", *SAME, "-o", "term", typed=b"ls\n")
    assert not answered
    assert pixels_of_blocks(text.replace(b"ls\n", b"").decode()).shape == squares.shape


# Commands


def test_several_have_their_names_in_order(run, photo):
    for name in ("b.png", "a.png", "c.png"):
        photo(name, (8, 9))
    (np.zeros(1)).tofile("d.png")
    done = run("convolve", "b.png", "a.png", "d.png", "c.png", "-k", "box", "-o", "term:blocks", "--json")
    assert done.code == 1
    assert [line for line in done.lines if "\x1b" not in line] == ["b.png", "a.png", "c.png"]
    rows = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert [row["input"] for row in rows if "error" in row] == ["d.png"]


def test_large_pictures_are_shown_from_bands(run, photo, monkeypatch):
    photo("a.png", (90, 70, 3))
    words = ("convolve", "a.png", "-k", "gaussian:3", "-o", "term:blocks")
    whole = run(*words)
    monkeypatch.setattr("cnncli.images.large.LEAST_BYTES", 1000)
    monkeypatch.setattr("cnncli.filters.bands.BAND_BYTES", 60_000)
    assert run(*words).out == whole.out
    assert (whole.code, whole.err) == (0, "")


def test_arrays_pages_and_16_bits(run, photo, tmp_path):
    photo("a.npy", (9, 9), np.float32)
    photo("b.png", (9, 9), np.uint16)
    Image.new("L", (9, 9)).save("c.tif", save_all=True, append_images=[Image.new("L", (9, 9))])
    done = run("convolve", "a.npy", "b.png", "c.tif", "-k", "sobel:x", "-o", "term:blocks")
    assert done.code == 0
    assert "note: c.tif: the first of 2 frames is shown" in done.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.npy", "b.png", "c.tif"]


def test_with_an_explanation(run, photo, tmp_path):
    photo("a.png")
    assert run(*SAME, "-o", "term:blocks", "--explain", "x.png").code == 0
    assert (tmp_path / "x.png").is_file()


def test_differences_figures_maps_masks_and_boxes(run, photo, tmp_path):
    photo("a.png", (20, 20, 3))
    photo("b.png", (20, 20, 3))
    save_dense(tmp_path / "masks.safetensors")
    save_detector(tmp_path / "boxes.safetensors")
    before = {each.name for each in tmp_path.iterdir()}
    for words in (
        ("compare", "a.png", "b.png"),
        ("draw", "lenet5"),
        ("featuremaps", "a.png", "-m", "digits"),
        ("predict", "a.png", "b.png", "-m", "masks.safetensors"),
        ("predict", "a.png", "b.png", "-m", "boxes.safetensors"),
    ):
        done = run(*words, "-o", "term:blocks")
        assert done.code == 0, done.err
        pixels = pixels_of_blocks(done.out.decode())
        assert pixels.shape[1] <= 80
        assert len(np.unique(pixels)) > 5
    assert {each.name for each in tmp_path.iterdir()} == before


def test_images_that_are_alike(run, photo, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        photo(f"photos/{name}", (28, 28))
    save_seeded(tmp_path / "net.safetensors", shape=(28, 28, 1))
    assert run("search", "index", "photos", "-o", "gallery", "-m", "net.safetensors").code == 0
    done = run("search", "query", "photos/a.png", "-g", "gallery", "-o", "term:blocks", "-q")
    assert done.code == 0, done.err
    lines = [line for line in done.out.decode().splitlines() if "\x1b" in line]
    assert len(np.unique(pixels_of_blocks("\n".join(lines)))) > 5


REFUSED = {
    "-o term": "term shows pictures in the terminal, and standard output is none",
    "-o term:sixl": "-o is term:sixl; expected term, or term: and one of kitty iterm sixel",
    "-o term:": "-o is term:; expected term, or term:",
    "-o term:blocks --format png": "--format is given with -o term:blocks",
    "-o term:blocks --skip-existing": "the output is the terminal",
    "-o term:blocks --in-place": "--in-place and -o",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused(run, squares, two_lines, words, tmp_path):
    del squares
    assert REFUSED[words] in two_lines(run(*SAME, *words.split()), 2)
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_of_that_name_has_a_path(run, squares, tmp_path):
    (tmp_path / "term").mkdir()
    assert run(*SAME, "-o", "./term").lines == ["term/a-identity.png"]
    done = run("draw", "lenet5", "--animate", "-o", "term:blocks")
    assert "--animate is given with -o term:blocks" in done.err
