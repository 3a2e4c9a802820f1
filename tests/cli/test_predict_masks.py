"""Masks, overlays and areas of pictures of any size, by a network whose answer is known for each pixel."""

import csv
import io
import os

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.row_writers import Table
from cnncli.tasks.segmentation import Segmentation
from cnncli.views.colors import mask_palette
from tests.cli.small_networks import png, save_detector, save_for_masks

HEIGHT, WIDTH = 21, 34


@pytest.fixture
def gray(tmp_path, rng):
    """Pixels of a picture that is no multiple of anything, and a run's checkpoint beside it."""
    save_for_masks(tmp_path / "net.safetensors")
    pixels = rng.choice([10, 128, 250], (HEIGHT, WIDTH)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png(pixels))
    return pixels


def classes(pixels):
    """What is right: thirds of the brightness."""
    return np.digitize(pixels, [85, 170])


def own(run, *args, **streams):
    return run("predict", "-m", "net.safetensors", "--own-scale", *args, **streams)


def test_masks_hold_numbers_of_the_picture_s_size(run, gray, tmp_path):
    assert own(run, "a.png", "--masks", "m.png").code == 0
    mask = Image.open(tmp_path / "m.png")
    assert (mask.mode, mask.size) == ("P", (WIDTH, HEIGHT))
    np.testing.assert_array_equal(np.asarray(mask), classes(gray))
    np.testing.assert_array_equal(np.array(mask.getpalette()).reshape(-1, 3), mask_palette())


def test_areas_are_counts_of_pixels(run, gray):
    counts = np.bincount(classes(gray).ravel())
    order = np.argsort(-counts, kind="stable")
    names = np.array(["dark", "gray", "bright"])[order].tolist()
    (row,) = own(run, "a.png", "--json").results
    assert [(each["label"], each["pixels"]) for each in row["areas"]] == list(
        zip(names, counts[order].tolist(), strict=True)
    )
    head, line = csv.reader(io.StringIO(own(run, "a.png", "--csv").out.decode()))
    cells = dict(zip(head, line, strict=True))
    assert cells["label_2"] == names[1]
    assert float(cells["share_2"]) == pytest.approx(counts[order[1]] / gray.size, abs=1e-6)


def test_resized_as_in_training_and_back(run, gray, tmp_path):
    """A picture of three large areas: the mask has its size, and is right but for a seam of a few pixels."""
    large = np.repeat([[10, 128, 250]], 100, axis=1).repeat(90, axis=0).astype(np.uint8)
    (tmp_path / "b.png").write_bytes(png(large))
    assert run("predict", "-m", "net.safetensors", "b.png", "--masks", "m.png").code == 0
    mask = np.asarray(Image.open(tmp_path / "m.png"))
    assert mask.shape == large.shape
    assert (mask != classes(large)).mean() < 0.1
    assert (mask[:, [50, 150, 250]] == [0, 1, 2]).all()


def test_a_pipe_gives_a_picture_and_rows_beside_it(run, gray):
    done = own(run, "-o", "-", "--json", stdin=png(gray))
    assert done.code == 0
    assert done.image.shape[1] == 14 * WIDTH  # 480 // 34: small pictures are enlarged
    assert '"label":"dark"' in done.err


def test_overlays_show_things_and_leave_the_background(run, gray, tmp_path):
    assert own(run, "a.png", "-o", "o.png").code == 0
    drawn = np.asarray(Image.open(tmp_path / "o.png"))[: 14 * HEIGHT : 14, ::14]
    dark = classes(gray) == 0
    np.testing.assert_array_equal(drawn[dark], np.repeat(gray[dark][:, None], 3, axis=1))
    assert (drawn[~dark] != gray[~dark][:, None]).any(axis=1).all()


def test_folders_and_bad_pictures(run, gray, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"in/{name}.png").write_bytes(png(gray))
    (tmp_path / "in/c.png").write_bytes(b"no picture")
    done = own(run, "in", "--masks", "out/", "--json")
    assert done.code == 1
    assert [("mask" in row, "error" in row) for row in done.results] == [(True, False)] * 2 + [(False, True)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-mask.png", "b-mask.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.png", "--masks", "m.jpg"], "expected a PNG"),
        (["a.png", "--masks", "a.png"], "is also an input"),
        (["a.png", "--masks", "m.png", "-o", "m.png"], "expected two places"),
        (["a.png", "a.png", "-o", "m.png"], "one file for 2 inputs"),
    ],
)
def test_wrong_outputs_are_refused(run, gray, words, said):
    done = own(run, *words)
    assert (done.code, said in done.err) == (2, True)


def test_networks_of_whole_images_have_no_own_scale(run, gray, tmp_path):
    save_for_masks(tmp_path / "net.safetensors", whole=True)
    done = own(run, "a.png", "--masks", "m.png")
    assert (done.code, "looks at the whole image" in done.err) == (2, True)
    assert run("predict", "-m", "net.safetensors", "a.png", "--masks", "m.png").code == 0


def test_networks_for_whole_pictures_draw_no_masks(run, gray):
    done = run("predict", "a.png", "--masks", "m.png")
    assert (done.code, "one class for a whole picture" in done.err) == (2, True)


def test_shares_of_pixels_are_no_probabilities():
    heading = Segmentation(("ground", "cat")).bars_show
    table = Table(["a.png"], ["ground", "cat"], columns=60, styled=False, heading=heading)
    assert table.header().split() == ["input", "label", "area"]


# What stands already, and names with sizes


def test_what_stands_is_left(run, gray, tmp_path):
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes(png(gray[::-1]))
    names = ("a.png", "b.png", "c.png")
    for name in names:
        os.utime(name, (1e9, 1e9))
    words = (*names, "-o", "o/", "--masks", "m/", "--skip-existing")
    assert len(own(run, *words).lines) == 3
    kept = {each: each.read_bytes() for folder in "om" for each in (tmp_path / folder).iterdir()}
    assert len(kept) == 6
    (tmp_path / "m/b-mask.png").unlink()
    (tmp_path / "c.png").write_text("no picture any more")
    os.utime("c.png", (1e9, 1e9))
    done = own(run, *words, "--json")
    assert (done.code, done.err) == (0, "note: 2 of 3 outputs stand already and are left\n")
    skipped = [row.get("skipped", False) for row in done.results]
    assert skipped == [True, False, True]
    assert done.results[0] == {
        "input": "a.png",
        "output": "o/a-overlay.png",
        "mask": "m/a-mask.png",
        "skipped": True,
    }
    assert {each: each.read_bytes() for folder in "om" for each in (tmp_path / folder).iterdir()} == kept
    done = own(run, *words)
    assert (done.lines, done.err) == ([], "note: 3 of 3 outputs stand already and are left\n")


def test_skipping_takes_files(run, gray, two_lines, tmp_path):
    save_detector(tmp_path / "boxes.safetensors")
    for words, message in {
        (): "--skip-existing is given without -o and --masks",
        ("-o", "-"): "the output is standard output",
        ("-o", "o/", "-m", "boxes.safetensors"): "the network finds boxes",
        ("-o", "o/", "-m", "digits"): "-o is given, but the network has one class",
        ("-m", "digits"): "--skip-existing is given, but the network has one class",
    }.items():
        done = run("predict", "a.png", "-m", "net.safetensors", "--skip-existing", *words)
        assert message in two_lines(done, 2)


def test_names_have_sizes_of_pictures(run, gray, tmp_path):
    (tmp_path / "b.png").write_text("no picture")
    done = own(run, "a.png", "b.png", "a.png", "--masks", "m/{width}x{height}-{n:02}.png", "--json")
    assert done.code == 1
    assert [row.get("mask") for row in done.results] == ["m/34x21-01.png", None, "m/34x21-03.png"]
    assert "b.png is not an image" in done.results[1]["error"]
