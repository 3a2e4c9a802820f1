"""Runs on clips: resumed to the same bits, evaluated over windows, and kept with what they take in."""

import numpy as np
import pytest
from PIL import Image
from training_helpers import Watcher, never

from cnncli.errors import CnncliError, OptionError
from cnncli.nn import Inference
from cnncli.tasks.softmax import log_softmax
from cnncli.tasks.video import ClipInput
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.evaluation import evaluate
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin, resume


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of 5 to 9 frames in which a square moves left or right; a frame alone does not tell which."""
    root, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(3)
    for number in range(60):
        frames = np.zeros((int(random.integers(5, 10)), 12, 12), np.uint8)
        top, start, step = *random.integers(0, 9, 2), 1 if number % 2 else -1
        for place, frame in enumerate(frames):
            left = (start + step * place) % 9
            frame[top : top + 4, left : left + 4] = 255 - number
        path = root / ("left", "right")[number % 2] / f"{number}.gif"
        path.parent.mkdir(exist_ok=True)
        first, *others = map(Image.fromarray, frames)
        first.save(path, save_all=True, append_images=others)
    return str(root)


def options(folder, **others):
    given = {"epochs": 3, "batch_size": 8, "frames": 4, "frame_step": 1, "augment": "shift=1"}
    return TrainOptions(dataset=folder, **{**given, **others})


def test_a_stopped_run_ends_in_the_same_bits(folder, tmp_path):
    whole = begin(options(folder), output=str(tmp_path / "whole"))
    assert whole.trainer.run(Watcher(), never)
    part = begin(options(folder), output=str(tmp_path / "part"))
    seen = Watcher()
    assert not part.trainer.run(seen, lambda: len(seen.steps) == 7)
    part.folder.unlock()
    again = resume(str(tmp_path / "part"))
    assert again.trainer.run(Watcher(), never)
    first, second = (load_checkpoint(tmp_path / name) for name in ("whole", "part"))
    assert all(second.arrays[name].tobytes() == each.tobytes() for name, each in first.arrays.items())
    assert isinstance(first.preprocessing, ClipInput)
    assert first.preprocessing == second.preprocessing
    assert (first.preprocessing.shape, first.preprocessing.picture_shape) == ((48, 12, 1), (12, 12, 1))
    assert (first.task.name, first.task.outputs) == ("video", ("left", "right"))


def test_an_evaluation_averages_windows(folder, tmp_path):
    session = begin(options(folder, epochs=1), output=str(tmp_path / "run"))
    session.trainer.run(Watcher(), never)
    network, split = session.best_network(), session.dataset.test
    found = evaluate(network, split, session.preprocessing, session.task, threads=1)
    plan = Inference(network, 3, threads=1)
    outputs = []
    for first, count in zip(split.first, split.counts, strict=True):
        frames, room = split.frames[first : first + count], count - 4
        starts = np.rint(room * np.array([0, 0.5, 1])).astype(int)
        outputs.append(plan.run(session.preprocessing.strips(frames, starts)).mean(axis=0))
    expected = -log_softmax(np.array(outputs))[np.arange(len(split)), split.targets.numbers].mean()
    assert found.result()["loss"] == pytest.approx(float(expected), rel=1e-4)
    assert found.result()["images"] == len(split)


def test_windows_span_clips_of_middling_length(folder, tmp_path):
    session = begin(options(folder, frames=None, frame_step=None), output=str(tmp_path / "run"), dry=True)
    assert (session.preprocessing.frames, session.preprocessing.step) == (8, 1)
    session = begin(options(folder, frames=3, frame_step=None), output=str(tmp_path / "two"), dry=True)
    assert (session.preprocessing.frames, session.preprocessing.step) == (3, 3)
    assert "the network reads 3 frames of a clip at once, 3 apart" in session.notes


def test_options_of_other_data_are_refused(folder, tmp_path):
    with pytest.raises(OptionError, match="--frames is for clips, but the data are images"):
        begin(TrainOptions(dataset="mnist", frames=3), output=str(tmp_path / "run"), dry=True)
    with pytest.raises(OptionError, match="compact is for images, but the data are clips"):
        begin(options(folder, model="compact"), output=str(tmp_path / "run"), dry=True)
    with pytest.raises(CnncliError, match="--frames is 300; expected a whole number, 1 to 256"):
        TrainOptions(dataset=folder, frames=300)
