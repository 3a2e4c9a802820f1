"""What featuremaps shows of clips: which frames fired, against differences of the network's own output."""

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.trained import load_trained
from cnncli.models.choice import architecture
from cnncli.nn import Inference, Network
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.video import ClipInput, VideoClassification, Window
from cnncli.training.checkpoint import Checkpoint, save_checkpoint

SIDE, FRAMES = 12, 4


@pytest.fixture
def model(tmp_path):
    made = architecture("clipcnn", (FRAMES * SIDE, SIDE, 1), 3, frames=FRAMES, of="clips")
    arrays = Network(made.graph(), seed=1).export()
    given = ClipInput.of(Preprocessing((SIDE, SIDE), 1, (0.5,), (0.25,)), Window(FRAMES))
    path = tmp_path / "clips.safetensors"
    save_checkpoint(path, Checkpoint(arrays, VideoClassification(("a", "b", "c")), given, made))
    return path


@pytest.fixture
def film(tmp_path):
    random = np.random.default_rng(3)
    frames = random.integers(0, 256, (FRAMES, SIDE, SIDE), np.uint8)
    first, *others = map(Image.fromarray, frames)
    first.save(tmp_path / "film.webp", save_all=True, append_images=others, duration=50, lossless=True)
    return tmp_path / "film.webp"


def test_evidence_of_frames_is_slope_times_features(run, model, film):
    """By the network from its clip layer on: its output for features scaled up, frame by frame."""
    (row,) = run("featuremaps", film, "-m", model, "-o", "page.png", "--json", "--raw", "r.npz").results
    about = row["views"]["maps"]
    assert [each["frame"] for each in about["frames"]] == ["0.00 s", "0.05 s", "0.10 s", "0.15 s"]
    assert about["class"] == row["predictions"][0]["label"]
    assert about["layers"] == ["time.relu1", "time.relu2"]
    trained = load_trained(NetworkSettings(model=str(model)))
    frames = np.stack([np.asarray(each.convert("L")) for each in _frames(film)])[..., None]
    strip = trained.checkpoint.preprocessing.strips(frames, [0])
    kept = Inference(trained.network, 1, threads=1, keep=("clip",)).activations(strip)["clip"][0, 0]
    label = "abc".index(about["class"])
    for frame in range(FRAMES):
        higher, lower = (_output(trained.network, kept, frame, 1 + step)[label] for step in (1e-3, -1e-3))
        assert about["frames"][frame]["evidence"] == pytest.approx(
            (higher - lower) / 2e-3, rel=0.02, abs=2e-3
        )
    with np.load("r.npz") as raw:
        assert raw["time.relu2"].shape == (FRAMES, 64)
        assert raw["evidence"].shape == (FRAMES,)


def _frames(path):
    from PIL import ImageSequence

    with Image.open(path) as image:
        return [each.copy() for each in ImageSequence.Iterator(image)]


def _output(network, features, frame, factor):
    """The network's output for features of which those of a frame are changed, in double precision."""
    w = {name: array.astype(np.float64) for name, array in network.export().items()}
    x = features.astype(np.float64).copy()
    x[frame] *= factor
    for number in (1, 2):
        kernel = w[f"time.conv{number}.weight"][:, :, 0]
        padded = np.pad(x, ((1, 1), (0, 0)))
        x = sum(padded[j : j + len(x)] @ kernel[:, :, j].T for j in range(3))
        norm = {
            each: w[f"time.bn{number}.{each}"] for each in ("weight", "bias", "running_mean", "running_var")
        }
        x = (x - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5) * norm["weight"] + norm["bias"]
        x = np.maximum(x, 0)
    return w["fc.weight"] @ x.max(axis=0) + w["fc.bias"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--view", "gradcam"], "--view is gradcam with a network for clips; expected maps"),
        (["--layer", "frame.conv1"], "--layer is frame.conv1; expected layers over time"),
    ],
)
def test_what_clips_do_not_have_is_refused(run, model, film, words, message):
    done = run("featuremaps", film, "-m", model, "-o", "page.png", *words)
    assert done.code == 2
    assert message in done.err


def test_a_layer_that_is_named_is_drawn_alone(run, model, film):
    (row,) = run("featuremaps", film, "-m", model, "-o", "p.html", "--json", "--layer", "time.conv1").results
    assert row["views"]["maps"]["layers"] == ["time.conv1"]
