"""``--montage``: all results on one sheet, in the order of the inputs."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.views.montage import Montage, grid_for
from tests.images.screen.decoders import pixels_of_blocks

SAME = ["-k", "identity"]


@pytest.fixture
def shades(tmp_path):
    """Five plain pictures, ``0.png`` to ``4.png``, the larger the number the lighter."""
    for number in range(5):
        Image.new("L", (40 + number, 40), 40 * number).save(tmp_path / f"{number}.png")
    return [f"{number}.png" for number in range(5)]


def seen(path, count, **how):
    """The middle of each picture of a sheet."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    grid = grid_for(count, **how)
    assert pixels.shape[1::-1] == grid.size
    places = [grid.place(number) for number in range(count)]
    return [int(pixels[top + grid.side * 3 // 4, left + grid.side // 2, 0]) for left, top in places]


def test_in_the_order_of_the_inputs(run, shades):
    names = [shades[number] for number in (3, 0, 4, 1, 2)]
    done = run("convolve", *names, *SAME, "-o", "out/", "--montage", "new/sheet.png")
    assert (done.code, done.err) == (0, "")
    assert done.lines == [f"out/{name[0]}-identity.png" for name in names]
    assert seen("new/sheet.png", 5) == [120, 0, 160, 40, 80]


def test_what_failed_is_crossed_and_what_stood_is_read(run, shades, tmp_path):
    (tmp_path / "2.png").write_text("no picture")
    for name in shades:
        os.utime(name, (1e9, 1e9))
    words = ("convolve", *shades, *SAME, "-o", "out/", "--skip-existing", "--montage", "sheet.png")
    assert run(*words).code == 1
    first = seen("sheet.png", 5)
    assert first[:2] + first[3:] == [0, 40, 120, 160]
    assert first[2] > 240
    Path("out/4-identity.png").unlink()
    done = run(*words)
    assert "note: 3 of 5 outputs stand already" in done.err
    assert seen("sheet.png", 5) == first
    Path("out/0-identity.png").write_text("somebody's own")
    done = run(*words)
    assert "out/0-identity.png is not an image" in done.err
    assert (done.code, seen("sheet.png", 5)[0] > 240) == (1, True)


def test_columns_and_sizes(run, shades):
    words = ("convolve", *shades, *SAME, "-o", "/dev/null", "--montage", "sheet.jpg")
    assert run(*words, "--columns", "2", "--thumbnail", "64").code == 0
    found = seen("sheet.jpg", 5, columns=2, side=64)
    assert np.abs(np.array(found) - [0, 40, 80, 120, 160]).max() < 4


def test_a_sheet_that_its_format_cannot_hold_is_refused_before_anything_is_written(run, tmp_path, two_lines):
    Image.new("L", (4, 4)).save("a.png")
    (tmp_path / "names.txt").write_text("a.png\n" * 400)
    words = ("--files-from", "names.txt", "-o", "{n}.png", "--columns", "400", "--thumbnail", "50")
    done = run("convolve", *SAME, *words, "--montage", "sheet.webp")
    assert "WEBP holds at most 16383 pixels a side; this image has 24070x" in two_lines(done, 2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.png", "names.txt"]


def test_bands_give_the_same_sheet(run, photo, monkeypatch):
    photo("a.png", (900, 700, 3))
    photo("b.npy", (600, 500), np.float32)
    words = ("convolve", "a.png", "b.npy", "-k", "gaussian:2", "-o", "out/", "--montage", "sheet.png")
    assert run(*words).code == 0
    whole = Path("sheet.png").read_bytes()
    monkeypatch.setattr("cnncli.images.large.LEAST_BYTES", 1000)
    monkeypatch.setattr("cnncli.filters.bands.BAND_BYTES", 1 << 20)
    assert run(*words).code == 0
    assert Path("sheet.png").read_bytes() == whole
    assert run(*words, "--skip-existing").code == 0
    assert Path("sheet.png").stat().st_size > 1000


def test_in_the_terminal(run, shades):
    done = run("convolve", *shades, *SAME, "-o", "out/", "--montage", "term:blocks", "-q")
    text = "\n".join(line for line in done.out.decode().splitlines() if "\x1b" in line)
    assert pixels_of_blocks(text).shape[1] > 20
    done = run("convolve", *shades, *SAME, "-o", "term:blocks", "--montage", "sheet.png", "-q")
    assert done.code == 0
    assert seen("sheet.png", 5) == [0, 40, 80, 120, 160]


def test_addresses(run, shades):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    words = ("-o", "memory://o/", "--montage", "memory://m/s.png", "--skip-existing")
    for _ in range(2):
        assert run("convolve", *shades, *SAME, *words).code == 0
        Path("s.png").write_bytes(memory.cat_file("/m/s.png"))
        assert seen("s.png", 5) == [0, 40, 80, 120, 160]


REFUSED = {
    "--columns 3": "--columns is given without --montage",
    "--thumbnail 64": "--thumbnail is given without --montage",
    "--montage 1.png": "--montage is 1.png, which is also an input",
    "--montage out/1-identity.png": "which is also an output",
    "--montage k.png -k k.png": "which is also read",
    "--montage x.html --explain x.html": "--montage is x.html, which is also --explain",
    "--montage sheet.xyz": "--montage: ",
    "--montage sheet.pgm": "PGM holds gray only",
    "--montage -": "--montage is -, and names are written to standard output",
    "--montage term": "term shows pictures in the terminal",
    "--montage s.png --columns 0": "--columns is 0; expected",
    "--montage s.png --thumbnail 4": "--thumbnail is 4; expected",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused_before_anything_is_written(run, shades, two_lines, words, tmp_path):
    Image.new("L", (3, 3), 9).save("k.png")
    done = run("convolve", *shades, *SAME, "-o", "out/", *words.split())
    assert REFUSED[words] in two_lines(done, 2)
    assert not (tmp_path / "out").exists()


def test_what_has_no_name_is_called_as_its_input(run, shades, tmp_path, monkeypatch):
    (tmp_path / "2.png").write_text("no picture")
    names = []
    add = Montage.add
    monkeypatch.setattr(Montage, "add", lambda *args, **how: (names.append(how["name"]), add(*args, **how)))
    assert run("convolve", *shades[1:3], *SAME, "-o", "o/{width}.png", "--montage", "s.png").code == 1
    assert names == ["41.png", "2.png"]
