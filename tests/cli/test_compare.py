"""``cnncli compare``: numbers, pictures, folders, and what cannot be compared."""

import numpy as np
import pytest
from PIL import Image

from cnncli.images import large


@pytest.fixture
def pair(photo):
    """a.png and b.png, which differs by 8 in a corner of 10 x 12 pixels."""
    first = photo("a.png", (50, 60, 3)).copy()
    first[first > 240] = 240
    second = first.copy()
    second[:10, :12] += 8
    Image.fromarray(first).save("a.png")
    Image.fromarray(second).save("b.png")
    return first, second


def test_numbers(run, pair):
    metrics = pytest.importorskip("skimage.metrics")
    first, second = pair
    done = run("compare", "a.png", "b.png", "--json")
    assert done.code == 0
    (found,) = done.results
    assert (found["first"], found["second"], found["output"]) == ("a.png", "b.png", None)
    assert found["mse"] == pytest.approx(64 * 120 / 3000)
    assert found["mae"] == pytest.approx(8 * 120 / 3000)
    assert (found["largest"], found["differing"], found["same"]) == (8, 0.04, False)
    assert found["psnr"] == pytest.approx(metrics.peak_signal_noise_ratio(first, second))
    assert found["ssim"] == pytest.approx(
        metrics.structural_similarity(first, second, channel_axis=2), abs=1e-9
    )
    shown = run("compare", "a.png", "b.png").lines
    assert [line.split()[0] for line in shown] == ["MSE", "MAE", "PSNR", "SSIM", "largest", "differing"]
    assert shown[-1].endswith("4.00% of the pixels")


def test_the_same_is_the_same(run, pair):
    done = run("compare", "a.png", "a.png", "--min", "ssim=1", "--max", "mse=0", "--min", "psnr=99", "--json")
    assert done.code == 0
    assert done.results[0]["psnr"] is None
    assert done.results[0]["same"] is True
    assert "infinite" in run("compare", "a.png", "a.png").out.decode()


@pytest.mark.parametrize(("value", "psnr"), [(np.nan, "nan dB"), (np.inf, "-inf dB")])
def test_what_is_no_finite_number_is_not_the_same(run, value, psnr):
    first = np.arange(400, dtype=np.float32).reshape(20, 20)
    second = first.copy()
    second[3, 3] = value
    np.save("a.npy", first)
    np.save("b.npy", second)
    done = run("compare", "a.npy", "b.npy", "--min", "psnr=-1000")
    assert done.code == 1
    assert f"PSNR      {psnr}" in done.out.decode()
    assert "the same" not in done.out.decode() + done.err


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        (("--max", "largest=8"), 0),
        (("--max", "largest=7.9"), 1),
        (("--max", "differing=4%"), 0),
        (("--max", "differing=3.9%"), 1),
        (("--min", "ssim=0.5", "--max", "mse=3"), 0),
        (("--min", "ssim=0.5", "--max", "mse=2"), 1),
        (("--min", "psnr=60"), 1),
    ],
)
def test_limits_decide_the_exit_code(run, pair, limit, code):
    done = run("compare", "a.png", "b.png", *limit)
    assert done.code == code
    assert ("different: a.png and b.png" in done.err) == bool(code)
    assert run("compare", "a.png", "b.png", *limit, "-q").err == ""


def test_the_difference_reaches_white(run, pair):
    done = run("compare", "a.png", "b.png", "-o", "d.png")
    assert done.code == 0
    assert "d.png shows the difference times 31.88" in done.err
    found = np.asarray(Image.open("d.png"))
    assert (found[:10, :12] == 255).all()
    assert not found[10:].any()
    run("compare", "a.png", "b.png", "-o", "d.png", "--scale", "2")
    assert (np.asarray(Image.open("d.png"))[:10, :12] == 16).all()
    run("compare", "a.png", "b.png", "-o", "d.npy")
    assert (np.load("d.npy")[:10, :12] == -8).all()


def test_the_difference_to_a_pipe(run, pair):
    done = run("compare", "a.png", "b.png", "-o", "-")
    assert done.code == 0
    assert done.out.startswith(b"\x89PNG")
    assert "SSIM" in done.err


def test_gray_and_opacity(run, pair):
    _, second = pair
    Image.fromarray(second).convert("L").save("gray.png")
    done = run("compare", "a.png", "gray.png")
    assert done.code == 1
    assert "are RGB and gray; expected the same colours" in done.err
    assert "--gray" in done.err
    found = run("compare", "b.png", "gray.png", "--gray", "--json").results[0]
    assert found["largest"] < 0.51
    white = np.full((50, 60, 1), 255, np.uint8)
    Image.fromarray(np.dstack([second, white])).save("opaque.png")
    assert run("compare", "a.png", "opaque.png", "--json").results[0]["mse"] == pytest.approx(2.56)
    white[5, 5] = 254
    Image.fromarray(np.dstack([second, white])).save("clear.png")
    assert "one has opacity, the other none" in run("compare", "a.png", "clear.png").err
    assert run("compare", "opaque.png", "clear.png", "--json").results[0]["differing"] == 1 / 3000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("small.png", "are 60 x 50 and 59 x 50 pixels; expected the same size"),
        ("deep.png", "hold 8 bits and 16 bits; expected the same depth"),
        ("two.gif", "hold 1 and 2 pictures; expected as many"),
        ("none.png", "cannot read none.png"),
    ],
)
def test_what_cannot_be_compared_says_so(run, pair, photo, name, message):
    first, _ = pair
    photo("small.png", (50, 59, 3))
    photo("deep.png", (50, 60), np.uint16)
    frames = [Image.fromarray(each) for each in (first, 255 - first)]
    frames[0].save("two.gif", save_all=True, append_images=frames[1:])
    done = run("compare", "a.png", name)
    assert done.code == 1
    assert message in done.err
    assert run("compare", "a.png", name, "--json").results[0]["error"]


def test_folders(run, pair, tmp_path):
    first, second = pair
    for folder, image in (("old", first), ("new", second)):
        (tmp_path / folder).mkdir()
        Image.fromarray(image).save(tmp_path / folder / "a.png")
    Image.fromarray(second).save("old/b.png")
    Image.fromarray(second).save("new/b.bmp")
    done = run("compare", "old", "new", "--json", "-o", "apart")
    assert done.code == 0
    assert [(each["first"], each["second"], each["same"]) for each in done.results] == [
        ("old/a.png", "new/a.png", False),
        ("old/b.png", "new/b.bmp", True),
    ]
    assert (np.asarray(Image.open("apart/a.png"))[:10, :12] == 255).all()
    Image.fromarray(first).save("new/c.png")
    done = run("compare", "old", "new")
    assert done.code == 1
    assert "new/c.png has no counterpart" in done.err
    assert done.lines[0] == "old/a.png  new/a.png"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.png", "b.png", "--min", "sim=1"), "expected one of mse, mae"),
        (("a.png", "b.png", "--min", "ssim"), "expected a number behind it"),
        (("a.png", "b.png", "--max", "mse=many"), "expected a number"),
        (("a.png", "b.png", "--window", "round"), "expected uniform or gaussian"),
        (("a.png", "b.png", "--scale", "0"), "expected a number above 0"),
        (("a.png", "."), "expected two pictures or two folders"),
        (("-", "-"), "given twice"),
        (("a.png", "b.png", "-o", "a.png"), "which is also an input"),
    ],
)
def test_wrong_words(run, pair, two_lines, words, message):
    done = run("compare", *words)
    assert message.removeprefix("which ") in two_lines(done, 2)


def test_large_pictures_are_read_in_bands(run, pair, monkeypatch):
    whole = run("compare", "a.png", "b.png", "--json").results
    monkeypatch.setattr(large, "LEAST_BYTES", 1)
    monkeypatch.setattr("cnncli.filters.similarity._READ_BYTES", 10_000)
    monkeypatch.setattr("cnncli.cli.compared.read_picture", None)
    (found,) = run("compare", "a.png", "b.png", "--json").results
    assert found == {**whole[0], "ssim": pytest.approx(whole[0]["ssim"], abs=1e-12)}
