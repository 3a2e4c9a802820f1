"""What --record-features keeps: filters as in the checkpoint, points as of a singular value decomposition."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file
from training_helpers import Watcher, never

from cnncli.errors import CnncliError
from cnncli.nn import Inference
from cnncli.training import recording
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.recording import Recorder, principal_plane, read_history


def trained(run):
    assert run.trainer.run(Watcher(), never)
    run.folder.unlock()
    return run


def record_of(path):
    return {file.name: file.read_bytes() for file in (path / "features").iterdir()}


def svd_plane(features):
    """(N, 2) by the decomposition of the features themselves."""
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, :2] * sizes[:2]


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (9, 9)])
def test_the_plane_is_that_of_a_singular_value_decomposition(rng, shape):
    features = rng.normal(size=shape) * np.linspace(1, 5, shape[1])
    plane = principal_plane(features)
    expected = svd_plane(features)
    expected *= np.sign((expected * plane).sum(axis=0))
    np.testing.assert_allclose(plane, expected, rtol=1e-5, atol=1e-5)
    assert (plane[np.abs(plane).argmax(axis=0), [0, 1]] > 0).all()


def test_planes_of_few_values(rng):
    line = principal_plane(rng.normal(size=(5, 1)))
    assert line.shape == (5, 2)
    assert (line[:, 1] == 0).all()
    assert (principal_plane(np.ones((1, 3))) == 0).all()


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_an_epoch_is_that_of_the_checkpoint(session, tmp_path, ema):
    run = trained(session(epochs=2, record_features=True, ema=ema))
    history = read_history(tmp_path / "run")
    last = history.epochs[-1]
    assert len(history.epochs) == 2
    weights = load_file(tmp_path / "run" / "last.safetensors")
    np.testing.assert_array_equal(last.filters, weights["conv1.weight"])
    assert not np.array_equal(history.epochs[0].filters, last.filters)

    checkpoint = load_checkpoint(tmp_path / "run" / "last.safetensors")
    val = run.dataset.val
    pixels = np.empty((len(val), *val.shape), np.uint8)
    val.read(np.arange(len(val)), pixels)
    inference = Inference(checkpoint.network(), len(val), threads=1, keep=["globalavgpool1", "conv1"])
    found = inference.activations(checkpoint.preprocessing.normalise(pixels))
    expected = svd_plane(found["globalavgpool1"].reshape(len(val), -1))
    expected *= np.sign((expected * last.points).sum(axis=0))
    np.testing.assert_allclose(last.points, expected, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_array_equal(history.labels, val.targets.numbers)
    shown = [int((pixels == picture).all(axis=(1, 2, 3)).argmax()) for picture in history.pictures]
    assert sorted(val.targets.numbers[shown]) == [0, 1, 2]
    np.testing.assert_allclose(last.maps[0], found["conv1"][shown], rtol=1e-4, atol=1e-5)


def test_a_resumed_run_ends_with_the_same_bits(session, again, tmp_path):
    trained(session(output=tmp_path / "whole", epochs=3, record_features=True))
    run = session(output=tmp_path / "parts", epochs=3, record_features=True)
    steps = iter(range(100))
    assert not run.trainer.run(Watcher(), lambda: next(steps) == 4)  # in the second epoch
    run.folder.unlock()
    assert len(record_of(tmp_path / "parts")) == 2
    (tmp_path / "parts" / "features" / "000002.safetensors").write_bytes(b"of a process that was killed")
    trained(again(tmp_path / "parts"))
    assert record_of(tmp_path / "parts") == record_of(tmp_path / "whole")
    config = json.loads((tmp_path / "parts" / "config.json").read_text())
    assert config["options"]["record_features"] is True


def test_nothing_is_recorded_unasked(session, tmp_path):
    trained(session(epochs=1))
    assert not (tmp_path / "run" / "features").exists()
    with pytest.raises(CnncliError, match="holds no record of an epoch") as caught:
        read_history(tmp_path / "run")
    assert "--record-features" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "why"),
    [({"val_split": 0.0}, "no validation images"), ({"model": "fc8 relu fc"}, "the network has none")],
)
def test_runs_without_what_is_recorded_are_refused(session, tmp_path, options, why):
    with pytest.raises(CnncliError, match=why) as caught:
        session(record_features=True, **options)
    assert caught.value.hint == "Leave --record-features out."
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("broken", ["gone", "cut", "other"])
def test_damaged_records(session, tmp_path, broken):
    trained(session(epochs=2, record_features=True))
    first = tmp_path / "run" / "features" / "000001.safetensors"
    if broken == "gone":
        first.unlink()
    elif broken == "cut":
        first.write_bytes(first.read_bytes()[:-9])
    else:
        first.write_bytes((first.parent / "inputs.safetensors").read_bytes())
    with pytest.raises(CnncliError, match=r"000001\.safetensors"):
        read_history(tmp_path / "run")


class Counted:
    """Images that count how often each is read."""

    def __init__(self, images):
        self.images, self.shape, self.targets = images, images.shape, images.targets
        self.reads = np.zeros(len(images), int)

    def read(self, indices, out, *, threads=1):
        self.reads[indices] += 1
        self.images.read(indices, out, threads=threads)


def test_images_are_read_once_as_far_as_memory_goes(session, tmp_path, monkeypatch):
    run = trained(session(epochs=1, record_features=True))
    checkpoint = load_checkpoint(tmp_path / "run" / "last.safetensors")
    one = int(np.prod(run.dataset.val.shape))
    records = []
    for most, epochs in ((recording._KEPT, 3), (5 * one, 3)):
        images = Counted(run.dataset.val)
        folder = tmp_path / str(most)
        folder.mkdir()
        data = replace(run.dataset, val=images)
        recorder = Recorder(folder, checkpoint.network(), data, checkpoint.preprocessing, threads=1)
        monkeypatch.setattr(recording, "_KEPT", most)
        for epoch in range(1, epochs + 1):
            recorder.record({"epoch": epoch})
        records.append(record_of(folder))
        often = np.sort(images.reads)
        if most == 5 * one:  # those beyond are read in each epoch; three are shown beside
            assert often[0] == 1
            assert np.count_nonzero(often >= epochs) == len(often) - 5
        else:
            assert often[-1] == 2
            assert np.count_nonzero(often == 2) == 3
    assert records[0] == records[1]
