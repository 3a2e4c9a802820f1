"""Tables of texts as people have them: what is read, what is left out and said, and how they are divided."""

import gzip

import numpy as np
import pytest

from cnncli.data.assemble import LoadOptions
from cnncli.data.class_labels import ClassLabels
from cnncli.data.layout import Layout
from cnncli.data.load import load_dataset
from cnncli.data.texts import LONGEST, text_digest
from cnncli.errors import CnncliError

GOOD = [f"good film number {i}, well made" for i in range(8)]
BAD = [f"a bad one, {i} of them" for i in range(8)]
LABELS = ["pos"] * 8 + ["neg"] * 8


@pytest.fixture
def load(tmp_path):
    """Write bytes or lines under a name, and load them whole."""

    def write(content, name="reviews.tsv", *, whole=True, **layout):
        data = content if isinstance(content, bytes) else "\n".join(content).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return load_dataset(str(path), LoadOptions(layout=Layout(**layout), whole=whole))

    return write


def lines(header="label\ttext", *, sign="\t"):
    rows = [f"{label}{sign}{text}" for label, text in zip(LABELS, GOOD + BAD, strict=True)]
    return [header, *rows] if header else rows


def texts_in(split):
    return [" ".join(split.words_at(at)) for at in range(len(split))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "\n".join(lines()).encode()),
        ("a.tsv.gz", "\n".join(lines()).encode()),
        ("a.tsv", "\r\n".join(lines()).encode("utf-8-sig")),
        ("a.tsv", "\n".join(lines()).encode("utf-16")),
        ("a.tsv", "\n".join(lines(header="")).encode()),
        ("a.csv", "\n".join(lines("label;text", sign=";")).encode()),
    ],
)
def test_forms_of_one_table(load, name, content):
    found = load(content, name)
    assert found.targets.task == "text"
    assert found.targets.classes == ("neg", "pos")
    assert texts_in(found.train)[0] == "good film number 0 , well made"
    assert found.targets.texts() == LABELS
    assert found.train.name(0) == f"{name}:{2 if b'label' in content or content[0] > 127 else 1}"


def test_columns_are_asked_for_where_they_are_not_clear(load):
    rows = [f"{label},the {i} was good,it is {i} or so" for i, label in enumerate(LABELS)]
    with pytest.raises(CnncliError, match="could all be the text"):
        load(["kind,first,second", *rows], "a.csv")
    found = load(["kind,first,second", *rows], "a.csv", text_column="second", label_column="1")
    assert texts_in(found.train)[3] == "it is 3 or so"
    with pytest.raises(CnncliError, match="both name column 1"):
        load(["kind,first,second", *rows], "a.csv", text_column="1", label_column="kind")
    with pytest.raises(CnncliError, match="no column of that name"):
        load(["kind,first,second", *rows], "a.csv", text_column="third")


def test_quotation_marks_in_tabs_are_text(load):
    quoted = ['pos\t"Wow," she said', 'pos\t"so ""good"" a film"', 'neg\tthe "end']
    found = load(["label\ttext", *quoted])
    assert texts_in(found.train) == ['" wow , " she said', 'so " good " a film', 'the " end']


def test_what_is_left_out_is_said(load):
    rows = [
        *lines(),
        "\tno label here",
        "pos\t ",
        "pos\tbytes \udcff\udcfe",
        "pos\ttoo\tmany\tcells",
        f"neg\t{'word ' * (LONGEST + 1)}",
    ]
    found = load("\n".join(rows).encode("utf-8", "surrogateescape"))
    assert len(found.train) == 17
    assert [each.sentence.partition(": ")[2] for each in found.skipped] == [
        "bytes that are not UTF-8",
        "4 columns; expected 2",
    ]
    said = "; ".join(found.warnings)
    for words in ("1 rows have no text in column 2", "1 rows have no label", "more than 1,024 words"):
        assert words in said
    assert found.train.shape == (1, LONGEST, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"label\ttext\n", "no row of .* has both"),
        (b"label\ttext\npos\t\nneg\t\n", "no row of .* has both"),
        (b"label\npos\nneg\n", "none is a text|one column"),
        (b"label\ttext\npos\ta good film it is\x00\n" * 3, "bytes that text does not have"),
        (b"text\nthis is a film\nand this is another\n", "one column"),
    ],
)
def test_tables_without_both_are_refused(load, content, words):
    with pytest.raises(CnncliError, match=words):
        load(content)


def test_a_label_alone_for_all_is_refused(load):
    with pytest.raises(CnncliError, match="training texts of one class only, pos"):
        load(lines()[:9], whole=False)


def test_copies_stay_together_whatever_their_signs(load):
    rows = [*lines(), *(f"{row.upper().replace(',', '!')}?" for row in lines()[1:])]
    rows = [row.replace("POS", "pos").replace("NEG", "neg") for row in rows]
    found = load(rows, whole=False)
    assert "16 of 32 texts are copies of others" in "; ".join(found.warnings)
    splits = (found.train, found.val, found.test)
    seen = [set(split.digests.tolist()) for split in splits]
    assert not seen[0] & seen[2]
    assert not seen[0] & seen[1]
    assert sum(map(len, splits)) == 32
    assert found.notes[0].startswith("no test split")
    assert "of 32 texts" in found.notes[0]


def test_splits_of_a_table(load):
    rows = [f"{row}\t{'test' if i % 4 == 0 else 'train'}" for i, row in enumerate(lines()[1:])]
    found = load(["label\ttext\tsplit", *rows], whole=False)
    assert len(found.test) == 4
    assert texts_in(found.test)[0].startswith("good film number 0")


def test_digests_are_of_words():
    assert text_digest(["a", "film", "."]) == text_digest(["a", "film", "!", "!"])
    assert text_digest(["a", "film"]) != text_digest(["afilm"])
    assert text_digest(["!", "?"]) != text_digest(["?"])


def test_taking_and_retargeting(load):
    split = load(lines()).train
    taken = split.take(np.array([9, 0, 9]), "test")
    assert texts_in(taken) == [texts_in(split)[at] for at in (9, 0, 9)]
    assert taken.targets.texts() == ["neg", "pos", "neg"]
    assert type(taken.targets) is type(split.targets)
    assert isinstance(split.targets, ClassLabels)
    assert len(split.take(np.arange(0), "val")) == 0


def test_the_reviews_that_ship():
    found = load_dataset("movie-reviews")
    assert len(found.train) + len(found.val) + len(found.test) == 10_072
    assert found.targets.classes == ("negative", "positive")
    assert found.shape == (1, 64, 1)
