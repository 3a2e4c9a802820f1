"""``{width}`` and ``{height}`` in names of outputs: those of results, known before anything is written."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.cli import sizes
from cnncli.images.read import read_picture

BLUR = ["-k", "box:3"]


def test_sizes_are_those_of_results(run, photo, tmp_path):
    photo("a.png", (20, 30, 3))
    photo("b.jpg", (21, 30))
    photo("c.tif", (22, 31), np.uint16)
    photo("d.npy", (23, 33), np.float32)
    (tmp_path / "e.pgm").write_bytes(b"P5 9 8 255 " + bytes(72))
    names = ["a.png", "b.jpg", "c.tif", "d.npy", "e.pgm"]
    words = ("-o", "out/{height:03}-{width}-{n}.png", "--stride", "2,3", "--bits", "8", "--json")
    done = run("convolve", *names, *BLUR, *words, "--range", "clip")
    found = [(row["output"], read_picture(Path(row["output"])).size) for row in done.results]
    assert found == [
        ("out/007-15-1.png", (15, 7)),
        ("out/007-15-2.png", (15, 7)),
        ("out/008-16-3.png", (16, 8)),
        ("out/008-17-4.png", (17, 8)),
        ("out/003-5-5.png", (5, 3)),
    ]


def test_turned_moving_and_many_pages(run, photo):
    pixels = [np.full((10, 14), number * 60, np.uint8) for number in range(3)]
    first, *others = (Image.fromarray(each) for each in pixels)
    exif = Image.Exif()
    exif[274] = 6
    first.save("turned.jpg", exif=exif)
    first.save("moving.gif", save_all=True, append_images=others, duration=50)
    first.save("pages.tif", save_all=True, append_images=[Image.fromarray(pixels[0][:4, :6])])
    names = ["turned.jpg", "moving.gif", "pages.tif"]
    done = run("convolve", *names, *BLUR, "-o", "{stem}-{width}x{height}{ext}")
    assert done.lines == ["turned-10x14.jpg", "moving-14x10.gif", "pages-14x10.tif"]


def test_a_large_picture_is_measured_by_its_header(run, tmp_path, monkeypatch):
    monkeypatch.setattr("cnncli.images.large.LEAST_BYTES", 1000)
    monkeypatch.setattr(sizes, "read_size", None)  # which would read all of a PNM
    (tmp_path / "a.pgm").write_bytes(b"P5 90 80 255 " + bytes(7200))
    done = run("convolve", "a.pgm", *BLUR, "-o", "{width}x{height}.pgm", "--roi", "0,0,70,60")
    assert done.lines == ["70x60.pgm"]


def test_numbers_stay_where_an_input_has_no_size(run, photo, tmp_path):
    photo("a.png")
    photo("c.png", (9, 8))
    (tmp_path / "b.png").write_text("no picture")
    words = ("-o", "{n}-{width}.png", "--json", "--roi", "0,0,9,9")
    done = run("convolve", "a.png", "b.png", "gone.png", "c.png", *BLUR, *words)
    assert done.code == 1
    assert [row.get("output") for row in done.results] == ["1-9.png", None, None, None]
    errors = [row.get("error", "") for row in done.results]
    assert "b.png is not an image" in errors[1]
    assert "cannot read gone.png: no such file" in errors[2]
    assert "--roi is 0,0,9,9; expected X,Y,W,H inside the result, whose width is 8" in errors[3]
    assert run("convolve", "c.png", *BLUR, *words).code == 2


def test_a_file_that_is_changed_meanwhile_gets_no_wrong_name(run, photo, tmp_path, monkeypatch):
    photo("a.png", (20, 30))
    measured = sizes.measured

    def changed_after(*args, **options):
        found = measured(*args, **options)
        photo("a.png", (20, 31))
        return found

    monkeypatch.setattr(sizes, "measured", changed_after)
    done = run("convolve", "a.png", *BLUR, "-o", "{width}.png")
    assert done.code == 1
    assert "the result of a.png is 31 x 20, and its name was made for 30 x 20" in done.err
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_of_addresses_the_beginning_is_enough(run, photo, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    photo("a.png", (300, 400, 3))
    assert Path("a.png").stat().st_size > sizes._START
    frames = [Image.fromarray(np.full((5, 7), 50 * number, np.uint8)) for number in range(3)]
    moving = io.BytesIO()
    frames[0].save(moving, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    memory.pipe_file("/in/a.png", Path("a.png").read_bytes())
    memory.pipe_file("/in/b.webp", moving.getvalue())
    done = run("convolve", "memory://in", *BLUR, "-o", "memory://out/{width}x{height}{ext}")
    assert done.lines == ["memory://out/400x300.png", "memory://out/7x5.webp"]
