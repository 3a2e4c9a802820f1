"""What is said of clips: ranges in table, CSV and JSON, pipes, and clips of any length in little memory."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.predict_video import ClipReader
from cnncli.cli.trained import load_trained
from cnncli.models.architecture import Architecture
from cnncli.models.choice import architecture
from cnncli.nn import Network
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.video import ClipInput, VideoClassification, Window
from cnncli.training.checkpoint import Checkpoint, save_checkpoint

SIDE, FRAMES = 12, 4


@pytest.fixture
def model(tmp_path):
    """A network that calls a clip light or dark by the level of its frames."""
    shape = (FRAMES * SIDE, SIDE, 1)
    made: Architecture = architecture("clipcnn", shape, 2, frames=FRAMES, of="clips")
    network = Network(made.graph(), seed=1)
    given = ClipInput.of(Preprocessing((SIDE, SIDE), 1, (0.5,), (0.25,)), Window(FRAMES))
    dark, light = (
        _features(network, given, np.full((FRAMES, SIDE, SIDE, 1), level, np.uint8)) for level in (20, 230)
    )
    along = (light - dark) / ((light - dark) ** 2).sum() * 20
    arrays = network.export()
    arrays["fc.weight"] = np.stack([-along, along]).astype(np.float32)
    middle = float(along @ (light + dark) / 2)
    arrays["fc.bias"] = np.array([middle, -middle], np.float32)
    path = tmp_path / "clips.safetensors"
    save_checkpoint(path, Checkpoint(arrays, VideoClassification(("dark", "light")), given, made))
    return path


def _features(network, given, frames):
    from cnncli.nn import Inference

    kept = Inference(network, 1, threads=1, keep=("time.pool",)).activations(given.strips(frames, [0]))
    return kept["time.pool"].ravel().astype(np.float64)


def clip(path, *levels, duration=100):
    """An animation whose frames have these levels."""
    pictures = [Image.fromarray(np.full((SIDE, SIDE), level, np.uint8)) for level in levels]
    for number, picture in enumerate(pictures):
        picture.putpixel((number % SIDE, 0), 128)  # frames that are equal would be merged
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration, lossless=True)
    return path


@pytest.fixture
def film(tmp_path):
    """Dark for 12 frames, then light for 8."""
    return clip(tmp_path / "film.webp", *[20] * 12, *[230] * 8)


def test_ranges_follow_what_is_seen(run, model, film):
    (row,) = run("predict", film, "-m", model, "--json").results
    assert (row["frames"], row["seconds"]) == (20, 2.0)
    first, second = row["ranges"]
    assert [each["predictions"][0]["label"] for each in (first, second)] == ["dark", "light"]
    assert (first["first_frame"], second["last_frame"]) == (0, 19)
    assert abs(first["last_frame"] - 11) <= 2
    assert second["first_frame"] == first["last_frame"] + 1
    assert (first["start"], second["end"]) == (0.0, 2.0)
    assert first["end"] == second["start"] == pytest.approx(second["first_frame"] / 10)


def test_columns_and_csv_have_a_row_for_each_range(run, model, film):
    plain = [line.split("\t") for line in run("predict", film, "-m", model).lines]
    assert [row[5] for row in plain] == ["dark", "light"]
    header, *rows = (line.split(",") for line in run("predict", film, "-m", model, "--csv").lines)
    assert header[:7] == ["input", "start", "end", "first_frame", "last_frame", "label", "probability"]
    assert [row[:7] for row in rows] == [row[:7] for row in plain]


def test_a_folder_of_frames_has_no_seconds(run, model, tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(9, 12):
        Image.new("L", (SIDE, SIDE), 230).save(tmp_path / "frames" / f"{number}.png")
    (row,) = run("predict", "frames", "-m", model, "--json").results
    assert row["ranges"][0].keys() == {"first_frame", "last_frame", "predictions"}
    assert (row["frames"], row["predictions"][0]["label"]) == (3, "light")
    clip(tmp_path / "frames" / "a.gif", 20, 20)
    assert [row["input"] for row in run("predict", "frames", "-m", model, "--json").results] == [
        "frames/a.gif"
    ]


def test_a_clip_of_one_frame_and_damaged_ones(run, model, film, tmp_path):
    Image.new("L", (SIDE, SIDE), 20).save(tmp_path / "one.gif")
    (tmp_path / "cut.webp").write_bytes(film.read_bytes()[:200])
    done = run("predict", "one.gif", "cut.webp", "none.gif", "-m", model, "--json")
    one, cut, none = done.results
    assert (done.code, one["predictions"][0]["label"], one["frames"]) == (1, "dark", 1)
    assert "cut.webp is damaged or truncated" in cut["error"]
    assert "no such file" in none["error"]
    assert "2 of 3 clips could not be read" in done.err
    assert done.err.count("has one frame, in which nothing moves") == 1
    assert "note: one.gif has one frame" in done.err


def test_ranges_do_not_depend_on_how_frames_come(model, tmp_path, monkeypatch):
    """A long clip, whose windows are of many batches, has the ranges of all its windows at once."""
    random = np.random.default_rng(4)
    levels = np.repeat(random.choice([20, 230], 40), random.integers(6, 20, 40)).tolist()
    path = str(clip(tmp_path / "long.webp", *levels))
    reader = ClipReader(load_trained(NetworkSettings(model=str(model))), threads=1)
    streamed = [(each.first, each.last, each.label, each.windows) for each in reader.ranges(path)]
    monkeypatch.setattr("cnncli.cli.predict_video._AT_ONCE", 1000)
    whole = ClipReader(load_trained(NetworkSettings(model=str(model))), threads=1)
    assert [(each.first, each.last, each.label, each.windows) for each in whole.ranges(path)] == streamed
    assert streamed[0][0] == 0
    assert streamed[-1][1] == len(levels) - 1
    assert all(one[1] + 1 == other[0] for one, other in pairwise(streamed))
    seen = np.concatenate([np.full(last - first + 1, label) for first, last, label, _ in streamed])
    assert (seen == (np.array(levels) > 128)).mean() > 0.9


def test_each_part_of_a_clip_is_around_the_middle_of_its_window(model, tmp_path):
    """Windows of four frames begin at every other one; the first and the last part reach to the ends."""
    path = str(clip(tmp_path / "a.webp", *[20] * 11))
    reader = ClipReader(load_trained(NetworkSettings(model=str(model))), threads=1)
    parts = [(each.first, each.last) for each in reader._windows(path)]
    assert parts == [(0, 2), (3, 4), (5, 6), (7, 7), (8, 10)]


def test_a_range_has_the_sum_of_its_windows(model, tmp_path):
    path = str(clip(tmp_path / "a.webp", 20, 30, 60, 90, 100, 110, 60, 20, 40, 10))
    reader = ClipReader(load_trained(NetworkSettings(model=str(model))), threads=1)
    outputs = np.array([each.outputs for each in reader._windows(path)], np.float64)
    assert np.ptp(outputs, axis=0).min() > 0.5
    (only,) = reader.ranges(path)
    assert only.windows == len(outputs)
    np.testing.assert_allclose(only.outputs, outputs.sum(axis=0), rtol=1e-5)


def test_frames_of_other_sizes_are_no_clip(run, model, tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(7):
        Image.new("L", (SIDE + number // 6, SIDE), 40).save(tmp_path / f"frames/{number}.png")
    done = run("predict", "frames", "-m", model, "--json")
    assert done.code == 1
    assert done.results[0]["error"] == (
        "frames: frame 7 has 13x12 pixels, those before it 12x12; expected frames of one size"
    )


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_frames_of_several_lengths(run, model, tmp_path, name):
    """A range ends when its last frame does, however long that is, not when another one would."""
    lengths = [100, 300, 50, 50, 100, 40, 60, 2000]
    clip(tmp_path / name, *[20] * len(lengths), duration=lengths)
    (row,) = run("predict", f"./{name}", "-m", model, "--json").results
    assert (row["frames"], row["seconds"]) == (8, 2.7)
    assert (row["ranges"][-1]["end"], row["ranges"][0]["start"]) == (2.7, 0)


@pytest.mark.parametrize("name", ["a.ts", "a.mp4"])
def test_a_video_begins_at_its_first_frame(run, model, tmp_path, name):
    """Whatever time the file gives it: MPEG-TS seldom begins at 0."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("mpeg4" if name.endswith("mp4") else "mpeg2video", rate=25)
        stream.width = stream.height = 48
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 48, 3), 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (row,) = run("predict", name, "-m", model, "--json").results
    assert (row["frames"], row["ranges"][0]["start"], row["seconds"]) == (10, 0, 0.4)
