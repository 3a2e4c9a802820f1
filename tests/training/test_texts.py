"""Runs on texts: they learn, stop and go on with the same bits, and start from vectors or from other runs."""

import gzip

import numpy as np
import pytest
from training_helpers import Watcher, never

from cnncli.data.words import FIRST
from cnncli.errors import OptionError
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.evaluation import evaluate
from cnncli.training.loading import Execution
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin, resume
from cnncli.training.vectors import read_vectors

MODEL = "textcnn:dim=12"
NICE, POOR, FILL = ("good", "great", "fine"), ("bad", "awful", "dull"), ("the", "a", "film", "it", "is", "of")


@pytest.fixture
def table(tmp_path):
    """180 sentences whose class is that of the one word that matters."""
    random = np.random.default_rng(2)
    rows = ["label\ttext"]
    for i in range(180):
        words = list(random.choice(FILL, random.integers(0, 12)))
        words.insert(random.integers(0, len(words) + 1), str(random.choice(NICE if i % 2 else POOR)))
        rows.append(f"{('poor', 'nice')[i % 2]}\t{' '.join(words)} {i}")
    path = tmp_path / "talk.tsv"
    path.write_text("\n".join(rows), encoding="utf-8")
    return str(path)


def options(table, **others):
    return TrainOptions(
        dataset=table, **{"model": MODEL, "epochs": 6, "batch_size": 16, "lr": 0.01, **others}
    )


def test_a_run_learns_and_its_checkpoint_knows_its_words(table, tmp_path):
    session = begin(options(table), output=str(tmp_path / "run"))
    assert session.trainer.run(Watcher(), never)
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.task.name == "text"
    words = checkpoint.preprocessing.words
    assert {*NICE, *POOR, *FILL} <= set(words)
    assert "17" not in words
    found = evaluate(checkpoint.network(), session.dataset.test, checkpoint.preprocessing, checkpoint.task)
    assert found.accuracy > 0.9


def test_a_stopped_run_ends_with_the_same_bits(table, tmp_path):
    whole = begin(options(table, opt="sgd"), output=str(tmp_path / "whole"), execution=Execution(threads=2))
    whole.trainer.run(Watcher(), never)
    part = begin(options(table, opt="sgd"), output=str(tmp_path / "part"))
    seen = Watcher()
    assert not part.trainer.run(seen, lambda: len(seen.steps) == 11)
    part.folder.unlock()
    again = resume(str(tmp_path / "part"))
    assert again.trainer.run(Watcher(), never)
    first, second = (load_checkpoint(tmp_path / name).arrays for name in ("whole", "part"))
    assert all(second[name].tobytes() == each.tobytes() for name, each in first.items())


def vectors_file(tmp_path, *, head="", name="v.txt", dim=5):
    random = np.random.default_rng(1)
    known = {word: random.standard_normal(dim).round(3) for word in ("good", "Bad", "film", "unseen", "17")}
    text = head + "\n".join(f"{word} {' '.join(map(str, each))}" for word, each in known.items())
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path), known


@pytest.mark.parametrize(("head", "name"), [("", "glove.txt"), ("5 5\n", "word2vec.txt.gz")])
def test_vectors_are_where_runs_start(table, tmp_path, head, name):
    path, known = vectors_file(tmp_path, head=head, name=name)
    given = options(table, model="textcnn:channels=both", vectors=path, epochs=1)
    session = begin(given, output=str(tmp_path / "run"))
    network, words = session.trainer.inputs.network, session.preprocessing.words
    start = {name: network.array(f"{name}.weight") for name in ("embedding", "static")}
    for each in start.values():
        for written, spelled in (("good", "good"), ("Bad", "bad"), ("film", "film"), ("17", "17")):
            assert each[words.index(spelled) + FIRST].tolist() == known[written].astype(np.float32).tolist()
    assert "unseen" not in words
    session.trainer.run(Watcher(), never)
    assert network.array("static.weight").tobytes() == start["static"].tobytes()
    assert network.array("embedding.weight").tobytes() != start["embedding"].tobytes()
    arrays = load_checkpoint(tmp_path / "run").arrays
    assert arrays["static.weight"].tobytes() == start["static"].tobytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has 0 vectors"),
        ("good 1 2\nbad 1\n", "line 2 of .* has 1 numbers"),
        ("good 1 x\n", "holds what is no number"),
        ("good 1 nan\n", "holds what is no number"),
        ("nothing 1 2\n", "but of no word"),
    ],
)
def test_other_files_are_no_vectors(tmp_path, text, words):
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(OptionError, match=words):
        read_vectors(str(tmp_path / "v.txt"), {"good", "bad"})


def test_a_word_as_it_is_spelled_comes_first(tmp_path):
    (tmp_path / "v.txt").write_text("GOOD 1\nGood 2\ngood 3\nBAD 4\nBad 5\n")
    found = read_vectors(str(tmp_path / "v.txt"), {"good", "bad"}).known
    assert {word: each[0] for word, each in found.items()} == {"good": 3, "bad": 4}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "textcnn:channels=static"}, "expected --vectors"),
        ({"model": "textcnn:channels=some"}, "expected tuned, static, both"),
        ({"model": "textcnn:dim=1.5"}, "a whole number from 1 to 2000"),
        ({"model": "resnet18"}, "is for images, but the data are texts"),
        ({"size": "32"}, "--size is for images"),
        ({"augment": "flip"}, "--augment is for images"),
        ({"init": "digits"}, "a network for images, but the data are texts"),
    ],
)
def test_options_for_other_data_are_refused(table, changes, words):
    with pytest.raises(OptionError, match=words):
        begin(options(table, **changes), dry=True)


def test_another_run_goes_on_with_the_words_of_the_first(table, tmp_path):
    first = begin(options(table, epochs=1), output=str(tmp_path / "first"))
    first.trainer.run(Watcher(), never)
    init = str(tmp_path / "first")
    second = begin(options(table, model="auto", init=init, epochs=1), dry=True)
    assert second.preprocessing.words == first.preprocessing.words
    best = load_checkpoint(tmp_path / "first").arrays["embedding.weight"]
    assert second.trainer.inputs.network.array("embedding.weight").tobytes() == best.tobytes()
