"""Data sets in files of their own: IDX, npz, tables; and every way in which they can be wrong."""

import gzip
import re
import struct

import numpy as np
import pytest
from data_helpers import CODES, digits, idx_bytes, picture, write_idx, write_image

from cnncli.data.assemble import LoadOptions
from cnncli.data.idx import find_idx, read_idx
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError


def everything(dataset):
    """All images and labels, in no order that matters: as a set of (class, pixels)."""
    found = set()
    for split in (dataset.train, dataset.val, dataset.test):
        for image, label in zip(split.images, split.targets.numbers, strict=True):
            found.add((dataset.targets.classes[label], image.tobytes()))
    return found


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_reads_back(tmp_path, dtype, pack):
    array = (np.arange(24).reshape(2, 3, 4) - 5 * (dtype[0] != "u")).astype(dtype)
    path = tmp_path / "a-idx3"
    path.write_bytes(pack(idx_bytes(array)))
    got = read_idx(path)
    assert got.dtype == array.dtype
    assert np.array_equal(got, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG\r\n", "begins with 89 50 4e 47"),
        (idx_bytes(np.zeros((2, 3), "u1"))[:9], "ends within its header"),
        (idx_bytes(np.zeros((2, 3), "u1"))[:-1], "5 bytes of values, but its header says 6"),
        (idx_bytes(np.zeros((2, 3), "u1")) + b"x", "more bytes of values, but its header says 6"),
        (
            struct.pack(">HBB4I", 0, 8, 4, *[2**32 - 1] * 4),
            "it is 20 bytes long, but its header says",
        ),
        (gzip.compress(idx_bytes(np.zeros((20, 30), "u1")), mtime=0)[:-12], "damaged or truncated"),
        (gzip.compress(bytes(100), mtime=0)[:12] + b"garbage" * 5, "damaged or truncated|is not an IDX"),
    ],
)
def test_damaged_idx(tmp_path, content, message):
    path = tmp_path / "bad-idx"
    path.write_bytes(content)
    with pytest.raises(CnncliError, match=message):
        read_idx(path)


def test_folder_of_idx_files(tmp_path):
    root = tmp_path / "letters"
    images, labels = digits(40)
    write_idx(root, "emnist-letters-train", images[:30], labels[:30] + 1)
    write_idx(root, "emnist-letters-test", images[30:], labels[30:] + 1, bytes, "")
    assert set(find_idx(root)) == {"train", "test"}
    dataset = load_dataset(str(root), LoadOptions(val_split=0.2))
    assert (dataset.name, dataset.targets.classes, dataset.shape) == ("letters", ("1", "2", "3"), (6, 6, 1))
    assert (len(dataset.train) + len(dataset.val), len(dataset.test)) == (30, 10)
    assert np.bincount(dataset.val.targets.numbers, minlength=3).min() >= 1
    assert np.array_equal(dataset.test.images[..., 0], images[30:])
    assert np.array_equal(dataset.test.targets.numbers, labels[30:])


def test_idx_with_too_few_labels(tmp_path):
    images, labels = digits(10)
    write_idx(tmp_path / "x", "train", images, labels[:-1])
    with pytest.raises(CnncliError, match=r"holds 10 images, but train-labels-idx1-ubyte.gz 9 labels"):
        load_dataset(str(tmp_path / "x"))


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("data", "target")])
def test_npz_without_splits(tmp_path, names):
    images, labels = digits(45)
    np.savez(tmp_path / "toy.npz", **dict(zip(names, (images, labels), strict=True)))
    dataset = load_dataset(str(tmp_path / "toy.npz"), LoadOptions(val_split=0))
    assert (dataset.name, len(dataset.train) + len(dataset.test), len(dataset.val)) == ("toy", 45, 0)
    assert np.bincount(dataset.test.targets.numbers, minlength=3).min() >= 1
    assert everything(dataset) == {
        (str(label), image.tobytes()) for image, label in zip(images, labels, strict=True)
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x[..., None],
        lambda x: x.astype(np.float32) / 255,
        lambda x: x.astype(np.int64),
        lambda x: x.astype(np.uint16) * 257,
        lambda x: np.repeat(x[:, None], 3, axis=1),
    ],
)
@pytest.mark.parametrize("kind", ["numbers", "strings", "bytes", "one-hot", "floats"])
def test_npz_of_any_kind(tmp_path, change, kind):
    images, labels = digits(30)
    given = {
        "numbers": labels + 4,
        "strings": np.array(["ant", "bee", "cat"])[labels],
        "bytes": np.array([b"ant", b"bee", b"cat"])[labels],
        "one-hot": np.eye(3)[labels],
        "floats": labels.astype(float),
    }[kind]
    np.savez_compressed(
        tmp_path / "a.npz",
        x_train=change(images[:20]),
        y_train=given[:20],
        x_test=change(images[20:]),
        y_test=given[20:],
    )
    dataset = load_dataset(str(tmp_path / "a.npz"), LoadOptions(val_split=0))
    names = {"numbers": "456", "one-hot": "012", "floats": "012"}.get(kind, ("ant", "bee", "cat"))
    assert dataset.targets.classes == tuple(names)
    assert np.array_equal(dataset.train.targets.numbers, labels[:20])
    assert np.array_equal(
        dataset.test.images, np.broadcast_to(images[20:, ..., None], dataset.test.images.shape)
    )


def test_npz_that_names_its_classes(tmp_path):
    images, labels = digits(30)
    np.savez(tmp_path / "a.npz", x=images, y=labels, classes=np.array(["ant", "bee", "cat", "dog"]))
    dataset = load_dataset(str(tmp_path / "a.npz"))
    assert dataset.targets.classes == ("ant", "bee", "cat", "dog")
    assert "no training images of dog" in dataset.warnings[0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((4, 5, 5))}, r"holds x \(4, 5, 5\); expected images and labels by name"),
        ({"x": np.zeros((4, 5)), "y": np.zeros(4)}, r"images of shape \(4, 5\); expected \(N, H, W\)"),
        ({"x": np.zeros((4, 5, 5, 2)), "y": np.zeros(4)}, r"images of shape \(4, 5, 5, 2\)"),
        ({"x": np.zeros((4, 5, 5)), "y": np.zeros(3)}, "4 images but 3 labels"),
        (
            {"x": np.full((4, 5, 5), np.nan), "y": np.arange(4)},
            "100 of its 100 values are NaN or infinite; expected finite values",
        ),
        ({"x": np.full((4, 5, 5), -1.0), "y": np.arange(4)}, "pixels from -1 to -1"),
        (
            {"x": np.zeros((4, 5, 5)), "y": np.array([0, 1, 2, 0.5])},
            "label 0.5 is not a whole number; expected",
        ),
        ({"x": np.zeros((4, 5, 5)), "y": np.ones((4, 3))}, "not one-hot"),
        (
            {"x": np.zeros((4, 5, 5)), "y": np.array([1, None, 2, 3], object)},
            "array y: its array has dtype object, pickled Python objects, which are never read",
        ),
        (
            {"x": np.zeros((4, 5, 5)), "y": np.ones(4)},
            "training images of one class only, 1; expected two or more",
        ),
        (
            {"x": np.zeros((2, 1, 4001), "u1"), "y": np.arange(2)},
            "4001x1 gray; expected at most 4,000 pixels a side",
        ),
        ({"x": np.zeros((0, 5, 5)), "y": np.zeros(0)}, "no usable training images"),
    ],
)
def test_npz_that_does_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(CnncliError, match=message):
        load_dataset(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("cut", [0, 10, 400, -30])
def test_damaged_npz(tmp_path, cut):
    images, labels = digits(50)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=images, y=labels)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CnncliError, match=r"a\.npz"):
        load_dataset(str(path))


@pytest.mark.parametrize("content", [b"garbage", b"\x80\x02}q\x00."])
def test_no_npz_at_all(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(
        CnncliError, match=r"a\.npz is damaged or not an \.npz file \(it is not a zip archive\)"
    ):
        load_dataset(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("label_first", [True, False])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
def test_tables_of_pixels(tmp_path, header, label_first, suffix):
    images, labels = digits(20, side=5)
    images[:, 0, 0] = images[:, -1, -1] = 0  # corners, as in MNIST
    pixels, column = images.reshape(20, -1), labels[:, None]
    table = np.concatenate([column, pixels] if label_first else [pixels, column], axis=1)
    delimiter = "\t" if suffix == ".tsv" else ","
    lines = [delimiter.join(map(str, row)) for row in table]
    if header:
        words = [f"pixel{i}" for i in range(25)]
        lines.insert(0, delimiter.join(["label", *words] if label_first else [*words, "label"]))
    text = "\n".join(lines).encode()
    path = tmp_path / f"digits{suffix}"
    path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    dataset = load_dataset(str(path))
    assert dataset.name == "digits"
    assert everything(dataset) == {
        (str(label), image.tobytes()) for image, label in zip(images, labels, strict=True)
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("label,size\nbad,three of them\ngood,four\n", "names an image file, and none is a text"),
        ("good\ta wonder\nbad\tlong\n", "names an image file, and none is a text"),
        ("a.png\nb.png\n", "has one column; expected a path and a label"),
        ("\n".join(f"{i % 2}," + ",".join("1" * 20) for i in range(3)), "20 pixels per row"),
        ("\n".join([",".join("1" * 26), ",".join("1" * 25)]), "column"),
        (
            "\n".join([f"{i % 2}," + ",".join("1" * 25) for i in range(4)] + [",".join("1" * 25) + ",x"]),
            "line 5, column 26 holds x; expected",
        ),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(CnncliError, match=message):
        load_dataset(str(tmp_path / "a.csv"))


@pytest.fixture
def listed_images(tmp_path):
    for i in range(12):
        write_image(tmp_path / "images" / f"{i}.png", picture(i, 8, 8))
    return [(f"images/{i}.png", "ab"[i % 2]) for i in range(12)]


@pytest.mark.parametrize(
    ("first", "row", "delimiter"),
    [
        (None, "{path},{label}", ","),
        (None, "{label},{path}", ","),
        ("path,label", "{path},{label}", ","),
        ("Label;File;Note", "{label};{path};x", ";"),
        ("stuff,other", "{path},{label}", ","),
    ],
)
def test_tables_of_paths(tmp_path, listed_images, first, row, delimiter):
    lines = [row.format(path=path, label=label) for path, label in listed_images]
    (tmp_path / "list.csv").write_text("\n".join(([first] if first else []) + lines))
    dataset = load_dataset(str(tmp_path / "list.csv"), LoadOptions(threads=2))
    assert dataset.targets.classes == ("a", "b")
    assert everything(dataset) == {("ab"[i % 2], picture(i, 8, 8).tobytes()) for i in range(12)}
    assert not dataset.warnings


def test_table_with_splits_and_odd_rows(tmp_path, listed_images):
    rows = [f"{path},{label},{'test' if i > 8 else 'train'}" for i, (path, label) in enumerate(listed_images)]
    rows += ["images/0.png,b,train", "images/1.png,b,train", "images/none.png,a,train", "short"]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    dataset = load_dataset(str(tmp_path / "list.csv"), LoadOptions(val_split=0))
    assert (len(dataset.train), len(dataset.test)) == (8, 3)
    assert "1 files are listed with two labels and are left out: images/0.png (a and b)" in dataset.warnings
    assert "1 rows repeat a file and count once" in dataset.warnings
    assert [each.reason for each in dataset.skipped] == ["no such file (row 16)", "1 columns; expected 3"]


def test_unknown_names_and_suffixes(tmp_path):
    with pytest.raises(CnncliError, match="mnits is neither a known data set nor a file or folder") as caught:
        load_dataset("mnits")
    assert caught.value.hint.startswith("Did you mean mnist?")
    (tmp_path / "a.docx").write_text("")
    with pytest.raises(CnncliError, match=r"has the suffix .docx; expected .npz, .csv or .tsv"):
        load_dataset(str(tmp_path / "a.docx"))
    with pytest.raises(CnncliError, match="--val-split is 1; expected at least 0 and below 1"):
        load_dataset("mnist", LoadOptions(val_split=1))


def test_images_of_one_array_are_called_by_their_place_in_it(tmp_path):
    images = np.arange(40 * 16, dtype=np.uint32).astype(np.uint8).reshape(40, 4, 4)
    np.savez(tmp_path / "few.npz", x=images, y=np.arange(40) % 2)
    dataset = load_dataset(str(tmp_path / "few.npz"))
    for split in (dataset.train, dataset.val, dataset.test):
        for at in range(len(split)):
            place = int(re.fullmatch(r"few\[(\d+)\]", split.name(at))[1])
            assert np.array_equal(split.images[at, ..., 0], images[place])


def test_numbers_at_the_end_of_names_are_splits_together(tmp_path):
    images, labels = digits(6)
    for number in range(3):
        write_idx(tmp_path, f"my-digits-{number}", images, labels)
    found = {split: pair[0].name for split, pair in find_idx(tmp_path).items()}
    assert found == {
        split: f"my-digits-{number}-images-idx3-ubyte.gz"
        for number, split in enumerate(("train", "val", "test"))
    }
