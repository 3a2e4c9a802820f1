"""Runs in this process: they learn, keep the best, stop early, freeze, average, diverge, find rates."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from training_helpers import Watcher, never

from cnncli.errors import CnncliError
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.evaluation import evaluate
from cnncli.training.finder import find_rate
from cnncli.training.loading import Execution

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def test_it_learns_and_writes_its_files(session, tmp_path):
    run = session(epochs=12, lr=0.2)
    watcher = Watcher()
    assert run.trainer.run(watcher, never)
    assert [row["epoch"] for row in watcher.rows] == list(range(1, 13))
    assert watcher.rows[-1]["train_loss"] < watcher.rows[0]["train_loss"]
    assert evaluate(run.best_network(), run.dataset.test, run.preprocessing, run.task).accuracy > 0.9
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == run.trainer.progress.history
    held = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert held.network().weights.tobytes() == run.trainer.inputs.network.weights.tobytes()
    assert held.training["epoch"] == 12
    assert held.training["command"].startswith("cnncli train ")


def test_auxiliary_heads_are_trained(session):
    """With three tenths of the loss; what is kept and answers is the network with its main output."""
    run = session(epochs=1, model="googlenet:aux,width=0.05")
    before = run.trainer.inputs.network.export()
    assert run.trainer.run(Watcher(), never)
    after = run.trainer.inputs.network.export()
    for name in ("aux1.fc2.weight", "aux2.conv.conv.weight", "fc.weight", "conv1.conv.weight"):
        assert not np.array_equal(before[name], after[name]), name
    terms = [each.term for each in run.trainer.step.terms]
    assert [(term.output, term.weight) for term in terms] == [("main", 1.0), ("aux1", 0.3), ("aux2", 0.3)]
    assert evaluate(run.best_network(), run.dataset.test, run.preprocessing, run.task).outputs.shape[1] > 1


def test_steps_are_counted(session):
    run, watcher = session(epochs=4), Watcher()
    run.trainer.run(watcher, never)
    told = [(each.epoch, each.batch, each.batches, each.step) for each in watcher.steps]
    assert told == [(1 + at // 3, 1 + at % 3, 3, 1 + at) for at in range(12)]  # 96 images in batches of 32
    for epoch, row in enumerate(watcher.rows):
        steps = watcher.steps[3 * epoch : 3 * epoch + 3]
        assert [each.images for each in steps] == [32] * 3
        rights = [each.metrics["accuracy"] * 32 * each.batch for each in steps]  # of the epoch so far
        assert rights == pytest.approx(np.round(rights))
        assert row["train_accuracy"] == steps[-1].metrics["accuracy"]


def test_images_per_second_are_those_of_the_epoch(session):
    run, watcher = session(), Watcher()
    run.trainer.run(watcher, never)
    ends = [0.0, *(row["seconds"] for row in watcher.rows)]
    images = sum(step.images for step in watcher.steps) / len(watcher.rows)
    for row, taken in zip(watcher.rows, np.diff(ends), strict=True):
        speed = row["images_per_second"]
        assert speed * taken == pytest.approx(images, abs=0.002 * speed + taken)  # of rounded seconds


def test_the_best_is_the_best_of_the_validation(session, tmp_path):
    run = session(epochs=6, lr=0.2)
    run.trainer.run(Watcher(), never)
    rows = run.trainer.progress.history
    alike = [row for row in rows if row["val_accuracy"] == max(each["val_accuracy"] for each in rows)]
    least = [min(row["val_loss"] for row in alike[: n + 1]) for n in range(len(alike))]
    best = [row for row, lowest in zip(alike, least, strict=True) if row["val_loss"] <= 1.1 * lowest][-1]
    held = load_checkpoint(tmp_path / "run")
    assert held.training["epoch"] == run.trainer.progress.best_epoch == best["epoch"]
    again = evaluate(held.network(), run.dataset.val, held.preprocessing, held.task)
    assert again.accuracy == best["val_accuracy"]
    assert again.loss == pytest.approx(best["val_loss"])


def test_without_validation_the_last_is_the_best(session, tmp_path):
    run = session(epochs=2, val_split=0.0)
    run.trainer.run(Watcher(), never)
    best, last = (load_file(tmp_path / "run" / f"{name}.safetensors") for name in ("best", "last"))
    assert all((best[name] == last[name]).all() for name in last)
    assert "val_loss" not in run.trainer.progress.history[0]


@pytest.mark.parametrize(
    "options", [{}, {"ema": 0.9, "opt": "adam", "lr": 0.01, "augment": "shift=1,mixup=0.5"}]
)
def test_threads_change_no_bit(session, tmp_path, options):
    files = []
    for threads in (1, 2, 3):
        run = session(output=tmp_path / str(threads), threads=threads, **options)
        run.trainer.run(Watcher(), never)
        files.append((tmp_path / str(threads) / "last.safetensors").read_bytes())
    assert files[0] == files[1] == files[2]


def test_the_seed_changes_all_bits(session, tmp_path):
    for seed in (0, 1):
        session(output=tmp_path / str(seed), seed=seed, epochs=1).trainer.run(Watcher(), never)
    a, b = (load_file(tmp_path / str(seed) / "last.safetensors") for seed in (0, 1))
    assert all((a[name] != b[name]).any() for name in a)


def test_stopped_after_any_step_it_goes_on_alike(session, again, tmp_path):
    options = {"opt": "adam", "lr": 0.01, "ema": 0.9, "augment": "shift=1"}
    session(output=tmp_path / "whole", **options).trainer.run(Watcher(), never)
    run = session(output=tmp_path / "parts", **options)
    for _ in range(40):
        steps = iter((False, True))
        if run.trainer.run(Watcher(), lambda steps=steps: next(steps)):
            break
        run.folder.unlock()
        run = again(tmp_path / "parts", execution=Execution(threads=2))
    else:
        pytest.fail("the run does not come to its end")
    for name in ("best.safetensors", "last.safetensors"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("lr", [1e-9, 0.01])
def test_patience_ends_a_run_on_a_plateau(session, lr):
    """Equal accuracies are no progress, whether the loss stays as it is or keeps falling."""
    run = session(epochs=60, patience=2, lr=lr, opt="adam")
    run.trainer.run(Watcher(), never)
    rights = [row["val_accuracy"] for row in run.trainer.progress.history]
    assert len(rights) < 60
    assert max(rights[-2:]) <= max(rights[:-2])
    assert rights.index(max(rights)) == len(rights) - 3


def test_patience_without_validation_images_waits_for_nothing(session, tmp_path):
    pixels = np.arange(200, dtype=np.uint8).reshape(2, 10, 10)
    np.savez(tmp_path / "one each.npz", x_train=pixels, y_train=[0, 1], x_test=pixels, y_test=[0, 1])
    run = session(dataset=str(tmp_path / "one each.npz"), epochs=5, patience=1)
    assert run.trainer.inputs.val is None
    run.trainer.run(Watcher(), never)
    assert run.trainer.progress.epoch == 5


def test_patience_is_kept_over_a_stop(session, again, tmp_path):
    options = {"epochs": 60, "patience": 3, "lr": 1e-9, "opt": "adam"}
    session(output=tmp_path / "whole", **options).trainer.run(Watcher(), never)
    run = session(output=tmp_path / "parts", **options)
    while not run.trainer.run(Watcher(), lambda: True):
        run.folder.unlock()
        run = again(tmp_path / "parts")
    rows = [len((tmp_path / name / "metrics.jsonl").read_text().splitlines()) for name in ("whole", "parts")]
    assert rows[0] == rows[1] < 60


@pytest.mark.parametrize(
    ("accuracy", "loss", "best"),
    [(0.95, 2.0, True), (0.9, 0.4, True), (0.9, 0.54, True), (0.9, 0.56, False), (0.85, 0.1, False)],
)
def test_equal_accuracies_are_told_apart_by_their_losses(session, accuracy, loss, best):
    """The losses of one accuracy may rise by a tenth of the lowest, not by a tenth each time."""
    trainer = session().trainer
    trainer.progress.history += [
        {"val_accuracy": 0.9, "val_loss": 0.5},
        {"val_accuracy": 0.9, "val_loss": 0.53},
        {"val_accuracy": 0.8, "val_loss": 0.3},
    ]
    trainer.progress.best_epoch = 2
    assert trainer._is_best({"val_accuracy": accuracy, "val_loss": loss}) is best


def test_averaged_weights_follow(session, tmp_path):
    run = session(epochs=1, ema=0.5, batch_size=16)
    network = run.trainer.inputs.network
    average = {name: array.astype(float) for name, array in network.export().items()}
    for step, batch in enumerate(run.trainer.inputs.train.epoch(0), 1):
        run.trainer.step.run(batch.x, batch.targets.numbers, rate=0.05)
        run.trainer.average.follow(network)
        share = 1 - min(0.5, (1 + step) / (10 + step))
        for name, array in network.export().items():
            average[name] += share * (array - average[name])
    for name, array in run.trainer.shown_network.export().items():
        assert array == pytest.approx(average[name], rel=1e-4, abs=1e-6)


def test_clipping_changes_the_run(session, tmp_path):
    lengths = []
    for clip in (0.0, 1e-3):
        run = session(output=tmp_path / str(clip), epochs=1, clip=clip, momentum=0.0, weight_decay=0.0)
        start = run.trainer.inputs.network.weights.copy()
        run.trainer.run(Watcher(), never)
        lengths.append(np.linalg.norm(run.trainer.inputs.network.weights - start))
    assert lengths[1] < 0.05 * 1e-3 * 4 < lengths[0]


def test_starting_from_a_checkpoint_with_other_classes(session, tmp_path):
    session(output=tmp_path / "first", epochs=1).trainer.run(Watcher(), never)
    rng = np.random.default_rng(0)
    path = tmp_path / "two.npz"
    np.savez(path, x=rng.integers(0, 255, (40, 10, 10)).astype(np.uint8), y=np.array(["ant", "bee"] * 20))
    first = load_checkpoint(tmp_path / "first")
    for freeze in (False, True):
        run = session(
            output=tmp_path / f"second {freeze}",
            dataset=str(path),
            model="auto",
            init=str(tmp_path / "first" / "best.safetensors"),
            freeze=freeze,
        )
        assert "head is new" in run.notes[0]
        assert run.preprocessing == first.preprocessing
        run.trainer.run(Watcher(), never)
        after = run.trainer.inputs.network.export()
        assert after["head.weight"].shape == (2, 4)
        kept = {name for name in first.arrays if np.array_equal(after[name], first.arrays[name])}
        assert kept == ({"conv1.weight", *(f"batchnorm1.{name}" for name in BATCH_NORM)} if freeze else set())


def test_a_gray_network_takes_colour_photographs_as_gray(session, again, tmp_path):
    session(output=tmp_path / "first", epochs=1).trainer.run(Watcher(), never)
    rng = np.random.default_rng(0)
    path = tmp_path / "colour.npz"
    images = rng.integers(0, 255, (40, 10, 10, 3)).astype(np.uint8)
    np.savez(path, x=images, y=np.arange(40) % 2)
    init = str(tmp_path / "first" / "best.safetensors")
    run = session(output=tmp_path / "second", dataset=str(path), model="auto", init=init, epochs=2)
    assert run.dataset.shape == (10, 10, 1)
    assert any("turned gray" in note for note in run.dataset.notes)
    got = np.empty((len(run.dataset.test), 10, 10, 1), np.uint8)
    run.dataset.test.read(np.arange(len(got)), got)
    gray = np.rint(images @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    for picture in got:
        assert (np.abs(gray.astype(int) - picture[..., 0]) <= 1).all(axis=(1, 2)).any()
    assert run.trainer.run(Watcher(), never)
    run.folder.unlock()
    assert again(tmp_path / "second").dataset.shape == (10, 10, 1)


def test_starting_from_another_network(session, tmp_path):
    session(output=tmp_path / "first", epochs=1).trainer.run(Watcher(), never)
    with pytest.raises(CnncliError, match=r"--init .*conv1.weight has shape"):
        session(output=tmp_path / "b", model="conv9 bn relu gap fc", init=str(tmp_path / "first"))
    assert not (tmp_path / "b").exists()


def test_a_loss_that_is_no_number(session, tmp_path):
    run = session(epochs=50, lr=1e6, model="conv8 relu conv8 relu gap fc", sched="constant", momentum=0.99)
    with pytest.raises(CnncliError, match=r"the loss is .* at step \d+, in epoch \d+: .*layer \w+") as caught:
        run.trainer.run(Watcher(), never)
    assert "lower --lr, such as 0.05," in caught.value.hint
    left = set(load_file(tmp_path / "run" / "state.safetensors"))
    assert "weights/conv1.weight" in left


def test_class_weights_reach_the_loss(session):
    run = session(class_weights=True)
    counts = np.bincount(run.dataset.train.targets.numbers)
    assert run.trainer.inputs.task.weights == pytest.approx(counts.sum() / (3 * counts))
    assert len(run.trainer.step.terms[0].term.loss.class_weights) == 3


def plain_losses(network, loader):
    """Cross-entropy of every image of a loader under the network ``flatten fc``, in double precision."""
    arrays = {name: value.astype(np.float64) for name, value in network.export().items()}
    found = []
    for batch in loader.epoch(0):
        outputs = batch.x.reshape(len(batch), -1).astype(np.float64) @ arrays["head.weight"].T
        outputs += arrays["head.bias"]
        top = outputs.max(1, keepdims=True)
        own = outputs[np.arange(len(batch)), batch.targets.numbers][:, None]
        found += (top - own + np.log(np.exp(outputs - top).sum(1, keepdims=True))).ravel().tolist()
    return found


@pytest.mark.parametrize("batch", [20, 35, 96])
def test_the_loss_of_an_epoch_is_the_mean_over_its_images(session, batch):
    """Not over its batches, of which the last is smaller; hardly anything is learned meanwhile."""
    run = session(model="flatten fc", batch_size=batch, lr=1e-12, epochs=1, sched="constant")
    inputs = run.trainer.inputs
    assert len(inputs.train) == -(-96 // batch)
    losses = [np.mean(plain_losses(inputs.network, loader)) for loader in (inputs.train, inputs.val)]
    watcher = Watcher()
    run.trainer.run(watcher, never)
    (row,) = watcher.rows
    assert [row["train_loss"], row["val_loss"]] == pytest.approx(losses, rel=1e-6)
    seen = [step.images for step in watcher.steps]
    by_batch = np.mean([step.loss for step in watcher.steps])
    assert len(set(seen)) == 1 or abs(by_batch - losses[0]) > 1e-5 * losses[0]


def test_the_rate_finder_leaves_nothing_but_a_rate(session):
    found = find_rate(session(batch_size=16).trainer.inputs)
    assert 1e-4 < found.suggested == found.lowest / 10 <= 1
    assert len(found.rates) == len(found.losses) == len(found.smoothed)
    assert min(found.smoothed) == found.smoothed[found.rates.index(found.lowest)]


@pytest.mark.parametrize(("batch", "steps"), [(40, 2), (35, 3), (30, 3), (96, 1), (500, 1)])
def test_last_batches_of_a_few_images_are_left_out(session, batch, steps):
    assert len(session(batch_size=batch).trainer.inputs.train) == steps  # of 96 images
