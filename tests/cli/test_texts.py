"""Texts on the command line: train, predict, evaluate, featuremaps; pipes, and what is given by mistake."""

import csv
import json

import numpy as np
import pytest

NICE, POOR, FILL = ("good", "great", "fine"), ("bad", "awful", "dull"), ("the", "a", "film", "it", "is", "of")


def rows(count=160, seed=2):
    """Sentences whose class is that of the one word that matters."""
    random = np.random.default_rng(seed)
    for i in range(count):
        words = list(random.choice(FILL, random.integers(0, 12)))
        words.insert(random.integers(0, len(words) + 1), str(random.choice(NICE if i % 2 else POOR)))
        yield ("poor", "nice")[i % 2], " ".join([*words, str(i)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on such sentences, and their table."""
    from cnncli.training.options import TrainOptions
    from cnncli.training.session import begin

    folder = tmp_path_factory.mktemp("texts")
    lines = ["label\ttext", *(f"{label}\t{text}" for label, text in rows())]
    (folder / "talk.tsv").write_text("\n".join(lines), encoding="utf-8")
    options = TrainOptions(
        dataset=str(folder / "talk.tsv"), model="textcnn:dim=12", epochs=8, batch_size=16, lr=0.01
    )
    session = begin(options, output=str(folder / "run"))
    session.trainer.run(_Silent(), lambda: False)
    session.folder.unlock()
    return folder / "run", folder / "talk.tsv"


class _Silent:
    def on_step(self, report):
        pass

    def on_epoch(self, row, *, best):
        pass


def test_a_table_of_texts_is_trained(run, tmp_path):
    lines = ["review,sentiment", *(f'"{text}, {label}",{label}' for label, text in rows(60))]
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    done = run("train", "t.csv", "-m", "textcnn:dim=4", "--epochs", "2", "--json", "-o", "out")
    assert done.code == 0, done.err
    assert done.results[0]["model"] == "textcnn:dim=4"
    for words in ("texts by column 1 (review)", "; up to ", "texts/s", "multiply-adds per text"):
        assert words in done.err.replace("\n         ", " ")
    assert "image" not in done.err
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"best.safetensors", "misclassified.csv", "confusion_matrix.png", "curves.png"} <= written
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert "good" in config["preprocessing"]["words"]


def test_texts_are_predicted(run, trained):
    done = run("predict", "-m", trained[0], "--text", "a great film", "--text", "it is dull", "--json")
    assert [each["predictions"][0]["label"] for each in done.results] == ["nice", "poor"]
    assert [each["input"] for each in done.results] == ["a great film", "it is dull"]
    shares = [sum(two["probability"] for two in each["predictions"]) for each in done.results]
    assert shares == pytest.approx([1, 1], abs=1e-5)


def test_what_is_odd_about_a_text_is_said(run, trained):
    odd = ["", "xyzzy plugh", "好看", "word " * 1025 + "good", "a\x00good\x1bone"]
    args = [each for text in odd for each in ("--text", text)]
    done = run("predict", "-m", trained[0], *args, "--json")
    assert [each.get("adapted", []) for each in done.results] == [
        ["empty"],
        ["unknown"],
        ["unknown"],
        ["unknown", "cut"],
        [],
    ]
    assert done.results[4]["predictions"][0]["label"] == "nice"
    for words in (
        "1 of 5 texts has no words",
        "3 of 5 texts have no word that",
        "1 of 5 texts has more than 1,024",
    ):
        assert words in done.err


def test_the_same_text_among_others_has_the_same_bits(run, trained):
    texts = ["good", "a film of it is awful", "the " * 300 + "fine", *(f"film {i}" for i in range(70))]
    together = run("predict", "-m", trained[0], *(x for text in texts for x in ("--text", text)), "--csv")
    for at in (0, 1, 2):
        alone = run("predict", "-m", trained[0], "--text", texts[at], "--csv")
        assert alone.lines[1] == together.lines[1 + at]


@pytest.mark.parametrize(
    ("data", "labels", "code"),
    [
        (b"good film\nbad film\n", ["nice", "poor"], 0),
        (b"\xef\xbb\xbfgood film\r\nbad film", ["nice", "poor"], 0),
        (b"good\n\xff\xfe\nbad\n", ["nice", "poor"], 1),
        (b"", [], 0),
    ],
)
def test_lines_of_a_file(run, trained, tmp_path, data, labels, code):
    (tmp_path / "lines.txt").write_bytes(data)
    done = run("predict", "lines.txt", "-m", trained[0])
    assert done.code == code
    assert [line.split("\t")[1] for line in done.lines] == labels
    assert ("line 2 of lines.txt has bytes that are not UTF-8" in done.err) == bool(code)


def test_lines_of_a_pipe_are_answered_as_they_come(start, trained):
    process = start("predict", "-m", trained[0], "--json", stdin=-1)
    for text, label in (("a good one", "nice"), ("an awful one", "poor")):
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["predictions"][0]["label"] == label
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--text", "a", "b.txt"], "--text and b.txt are both given"),
        (["talk.tsv"], "is a table"),
        (["missing.txt"], "no such file"),
    ],
)
def test_mistakes_are_told(run, trained, args, words):
    done = run("predict", "-m", trained[0], *args)
    assert done.code in (1, 2)
    assert words in done.err
    assert not done.out


def test_networks_for_images_take_no_texts(run, trained, tmp_path):
    assert "is a network for images" in run("predict", "--text", "good").err
    assert "is a network for images" in run("featuremaps", "--text", "good", "-o", "a.png").err
    assert "holds texts; expected images" in run("evaluate", trained[1]).err
    assert "holds images; expected texts" in run("evaluate", "mnist", "--offline", "-m", trained[0]).err
    assert "no input is given" in run("featuremaps").err


def test_an_evaluation_is_of_the_test_texts(run, trained, tmp_path):
    done = run("evaluate", trained[1], "-m", trained[0], "-o", "report")
    assert done.code == 0, done.err
    first = done.out.decode()
    assert "test accuracy" in first
    assert "the test texts of the network's own run" in " ".join(first.split())
    with (tmp_path / "report/misclassified.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["row", "text", "label", "predicted", "probability"]


def test_attributions_are_of_images(run, trained, two_lines):
    done = run("evaluate", trained[1], "-m", trained[0], "--attributions", "all")
    assert "a network that is one of texts; expected one that tells the class of an image" in two_lines(
        done, 2
    )


def test_longer_texts_than_in_training_are_read_whole(run, trained, tmp_path):
    long = [f"{label}\t{'the film is of it ' * 9}{text}" for label, text in rows(40, seed=5)]
    (tmp_path / "long.tsv").write_text("\n".join(["label\ttext", *long]), encoding="utf-8")
    done = run("evaluate", "long.tsv", "-m", trained[0], "--json")
    assert done.results[0]["images"] == 40
    assert done.results[0]["accuracy"] > 0.8


def test_words_and_filters_are_shown(run, trained, tmp_path):
    text = "it is an <awful> film, good 好"
    done = run("featuremaps", "--text", text, "-m", trained[0], "-o", "w.html", "--json", "--raw", "raw")
    assert done.code == 0, done.err
    found = done.results[0]
    said = {each["word"]: each for each in found["views"]["maps"]["words"]}
    assert not said["好"]["known"]
    label = found["predictions"][0]["label"]
    signs = {"poor": 1, "nice": -1}
    assert said["awful"]["evidence"] * signs[label] > 0 > said["good"]["evidence"] * signs[label]
    assert [each["name"] for each in found["views"]["maps"]["layers"]] == ["conv3", "conv4", "conv5"]
    assert np.load(tmp_path / "raw/conv4.npy").shape == (len(found["views"]["maps"]["words"]) + 3, 100)
    page = (tmp_path / "w.html").read_text(encoding="utf-8")
    assert "[好]" in page
    assert "&lt;" in page


def test_a_picture_of_a_text(run, trained):
    done = run("featuremaps", "-", "-m", trained[0], "--layer", "conv3", stdin=b"a good film\n")
    assert done.image.shape[1] == 1480
    assert run("featuremaps", "--text", "", "-m", trained[0], "-o", "e.png").code == 0
    assert "expected conv3, conv4" in run("featuremaps", "--text", "a", "-m", trained[0], "--layer", "fc").err
