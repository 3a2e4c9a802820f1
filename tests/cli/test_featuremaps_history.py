"""``cnncli featuremaps RUN --view history``: a film of what a run has recorded."""

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from cnncli.views.featuremaps.history import aligned


@pytest.fixture
def trained(run, tmp_path, rng):
    """Train on three classes of colour pictures; gives what the last command wrote."""

    def make(*more):
        images = rng.integers(0, 60, (60, 8, 8, 3)).astype(np.uint8)
        labels = np.arange(60) % 3
        images[np.arange(60), :, :, labels] += 150
        np.savez(
            tmp_path / "d.npz",
            x_train=images[:45],
            y_train=labels[:45],
            x_test=images[45:],
            y_test=labels[45:],
        )
        options = (
            "-m",
            "conv4 relu gap fc",
            "--epochs",
            "3",
            "--val-split",
            "0.3",
            "--threads",
            "1",
            "-o",
            "r",
        )
        done = run("train", "d.npz", *options, "--quiet", *more)
        assert done.code == 0, done.err

    return make


def test_a_film_of_learning(run, trained, tmp_path):
    trained("--record-features")
    for name in ("f.gif", "f.png"):
        done = run("featuremaps", "r", "--view", "history", "-o", name, "--raw", "a.npz", "--json")
        assert done.code == 0, done.err
        with Image.open(tmp_path / name) as film:
            assert film.n_frames == 3
            film.seek(2)
            last = np.asarray(film.convert("RGB"), int)
    (record,) = done.results
    assert [each["epoch"] for each in record["epochs"]] == [1, 2, 3]

    arrays = np.load(tmp_path / "a.npz")
    weights = load_file(tmp_path / "r" / "last.safetensors")["conv1.weight"]
    np.testing.assert_array_equal(arrays["filters"][-1], weights)
    # Kernels of colour are drawn around gray, by one scale; the first at (40, 130), 45 pixels wide.
    reach = np.abs(arrays["filters"]).max()
    for kernel in range(4):
        left = 40 + kernel * 50
        shown = last[130 + 7 : 130 + 45 : 15, left + 7 : left + 45 : 15]
        expected = np.clip(127.5 + 127.5 * weights[kernel].transpose(1, 2, 0) / reach, 0, 255)
        np.testing.assert_allclose(shown, expected, atol=2)


def test_what_cannot_be_drawn(run, trained, tmp_path):
    trained()
    for words, said in [
        (["r"], "holds no record of an epoch"),
        (["d.npz"], "d.npz is no folder; expected the folder of a run"),
        ([], "0 inputs are given"),
        (["r", "-m", "digits"], "--model is given with --view history"),
        (["r", "-o", "x.html"], "expected .gif, or .png for an animated PNG"),
        (["r", "--view", "maps"], "history is a film of a run; expected it alone"),
    ]:
        done = run("featuremaps", *words, "--view", "history")
        assert done.code != 0
        assert said in done.err, done.err
        assert "Traceback" not in done.err


def test_points_are_turned_towards_the_next_epoch(rng):
    points = rng.normal(size=(20, 2)).astype(np.float32)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]]) @ np.diag([1, -1])
    early, late = aligned([np.asarray(points @ turn, np.float32), points])
    np.testing.assert_allclose(early, points, atol=1e-6)
    np.testing.assert_array_equal(late, points)


def test_networks_of_texts_are_refused(run, tmp_path):
    rows = "".join(f"{label}\t{label} {word}\n" for label in ("good", "bad") for word in "abcdefghijkl")
    (tmp_path / "t.tsv").write_text("label\ttext\n" + rows)
    done = run("train", "t.tsv", "--record-features", "--dry-run")
    assert done.code != 0
    assert "--record-features records networks that classify images; t has no classes of images" in done.err
    assert "Leave --record-features out." in done.err
