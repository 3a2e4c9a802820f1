"""Arrays by name: which are images and labels of which split, labels that are none, and what is unpacked."""

import gzip
import io
import resource
import struct
import sys
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_helpers import digits, idx_bytes, write_idx

from cnncli.data.idx import read_idx
from cnncli.data.load import load_dataset
from cnncli.data.unpacking import FLOOR, RATIO, limit, opened
from cnncli.errors import CnncliError

IMAGES, LABELS = digits(40)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return str(tmp_path / "a.npz")


def sizes(dataset):
    return len(dataset.train), len(dataset.val), len(dataset.test)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
            "MedMNIST",
        ),
        (("x_train", "y_train", "x_dev", "y_dev", "x_eval", "y_eval"), "eval beside dev"),
        (("X_TRAINING", "Y_TRAINING", "X_valid", "Y_valid", "X_holdout", "Y_holdout"), "any case"),
        (("trainX", "trainY", "valX", "valY", "testX", "testY"), "joined"),
        (("x_0", "y_0", "x_1", "y_1", "x_2", "y_2"), "numbers"),
        (("train_set_x", "train_set_y", "val_set_x", "val_set_y", "test_set_x", "test_set_y"), "two parts"),
        (
            (
                "image_train",
                "target_train",
                "data-validation",
                "label-validation",
                "imgs_test",
                "targets_test",
            ),
            "",
        ),
        (("x", "y", "x_val", "y_val", "x_test", "y_test"), "without a word for training"),
    ],
)
def test_names_of_arrays(tmp_path, names, expected):
    bounds = ((0, 20), (20, 28), (28, 40))
    arrays = {}
    for part, (start, end) in enumerate(bounds):
        arrays[names[2 * part]] = IMAGES[start:end]
        arrays[names[2 * part + 1]] = LABELS[start:end, None]  # one column, as MedMNIST has it
    dataset = load_dataset(saved(tmp_path, **arrays))
    assert sizes(dataset) == (20, 8, 12), expected
    for split, (start, end) in zip((dataset.train, dataset.val, dataset.test), bounds, strict=True):
        assert np.array_equal(split.images[..., 0], IMAGES[start:end])
        assert np.array_equal(split.targets.numbers, LABELS[start:end])
    assert f"{names[0]} with {names[1]}" in dataset.provenance


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x_train": 20, "y_train": 20, "x_check": 8, "y_check": 8},
            "names of its arrays: check means no split",
        ),
        (
            {"x_0": 20, "y_0": 20, "x_1": 8, "y_1": 8},
            "names of its arrays: 0 and 1 mean no split; expected train",
        ),
        ({"x": 20, "y": 20, "x_train": 8, "y_train": 8}, "x and x_train are both train images"),
        ({"x": 20, "images": 20, "y": 20}, "x and images could all be the images"),
        ({"x": 20, "y": 20, "labels": 20}, "y and labels could all be the labels"),
        ({"x_test": 20, "y_train": 20}, "holds x_test .* expected images and labels by name"),
    ],
)
def test_names_that_are_not_plain(tmp_path, arrays, message):
    given = {name: (LABELS if name[0] in "yl" else IMAGES)[:count] for name, count in arrays.items()}
    with pytest.raises(CnncliError, match=message):
        load_dataset(saved(tmp_path, **given))


def test_other_arrays_do_not_matter(tmp_path):
    path = saved(
        tmp_path, data=IMAGES.reshape(40, -1), images=IMAGES, target=LABELS, x_mean=np.zeros(3),
        meta=np.array([{"a": 1}], object), train_paths=np.array(["a"]), x_test=IMAGES[:3],
    )  # fmt: skip
    dataset = load_dataset(path)
    assert sum(sizes(dataset)) == 40
    assert dataset.warnings[0].startswith("x_test of ")
    assert dataset.warnings[0].endswith("without labels: left out")


def test_labels_that_are_none_are_left_out_and_counted(tmp_path):
    names = np.array(["ant", "bee", "cat"])[LABELS]
    names[[0, 7]], names[9] = "", "NaN"
    dataset = load_dataset(saved(tmp_path, x=IMAGES, y=names))
    assert (dataset.targets.classes, sum(sizes(dataset))) == (("ant", "bee", "cat"), 37)
    assert "3 images have no label in y (empty or nan): left out" in dataset.warnings
    for split in (dataset.train, dataset.val, dataset.test):
        for at in range(len(split)):
            place = int(split.name(at).removeprefix("a[").removesuffix("]"))
            assert np.array_equal(split.images[at, ..., 0], IMAGES[place])
    floats = LABELS.astype(np.float32)
    floats[5] = np.nan
    dataset = load_dataset(saved(tmp_path, x=IMAGES, y=floats))
    assert (dataset.targets.classes, sum(sizes(dataset))) == (("0", "1", "2"), 39)


def test_spellings_and_order_of_names(tmp_path):
    accents = [unicodedata.normalize(form, "Öl") for form in ("NFC", "NFD")]
    dataset = load_dataset(saved(tmp_path, x=IMAGES, y=np.array([*accents, "tea", "Tea"])[np.arange(40) % 4]))
    assert dataset.targets.classes == ("Tea", "tea", accents[0])
    assert "Tea and tea differ by case only and count as 2 classes" in dataset.warnings
    assert load_dataset(saved(tmp_path, x=IMAGES, y=np.array(["10", "9"])[LABELS % 2])).targets.classes == (
        "9",
        "10",
    )


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (LABELS + 1, ["a", "b", "c"], "3 names of classes, but label 3; expected labels of 0 to 2"),
        (LABELS, ["a", "b", "a"], "two classes are named a"),
        (LABELS, [1, 2, 3], "names of classes are of type int64"),
    ],
)
def test_names_of_classes_that_do_not_fit(tmp_path, labels, names, message):
    with pytest.raises(CnncliError, match=message):
        load_dataset(saved(tmp_path, x=IMAGES, y=labels, class_names=np.array(names)))


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 5, 5), ",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, -5, 5), }",
        b"{'descr': '<U99999999999999', 'fortran_order': False, 'shape': (4, 5, 5), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000, 50000, 50000), }",
        b"\x00\xff(((",
    ],
)
def test_headers_are_read_without_trust(tmp_path, header):
    body = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(100)
    labels = io.BytesIO()
    np.save(labels, np.arange(4))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", body)
        file.writestr("y.npy", labels.getvalue())
    with pytest.raises(CnncliError, match=r"a\.npz, array x"):
        load_dataset(str(tmp_path / "a.npz"))


def test_damage_behind_the_header_is_found(tmp_path):
    path = saved(tmp_path, x=IMAGES, y=LABELS)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[data.index(IMAGES[20].tobytes())] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(CnncliError, match=r"a\.npz is damaged or not an \.npz file \(Bad CRC-32"):
        load_dataset(path)


@pytest.fixture
def little_memory():
    """What would unpack gigabytes fails at once here."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (150 << 20), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def zeros(size):
    """A gzip or deflate stream of so many zeros, written without having them."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for _ in range(size >> 22):
            file.write(bytes(1 << 22))
    return out.getvalue()


def exhaust(file):
    while file.read(1 << 20):
        pass


@linux
def test_what_is_not_used_is_not_unpacked(tmp_path, little_memory):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, array in (("x", IMAGES), ("y", LABELS)):
            with file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
        with file.open("huge.npy", "w", force_zip64=True) as member:
            header = {"descr": "|u1", "fortran_order": False, "shape": (300 << 20,)}
            np.lib.format.write_array_header_1_0(member, header)
            for _ in range(300):
                member.write(bytes(1 << 20))
    assert sum(sizes(load_dataset(str(tmp_path / "a.npz")))) == 40


@linux
def test_a_small_file_does_not_fill_the_memory(tmp_path, little_memory):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    head = gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 1 << 20, 28, 28))
    path.write_bytes(head + zeros(80 << 20))
    with pytest.raises(CnncliError, match=r"unpacks to 822 MB or more from 0\.\d MB; expected at most 67 MB"):
        read_idx(path)
    with opened(path) as file, pytest.raises(CnncliError, match=r"unpacks to 6\d MB or more"):
        exhaust(file)


def test_the_limit_grows_with_the_file():
    assert limit(1) == FLOOR
    assert limit(10 * FLOOR) == RATIO * 10 * FLOOR


def test_idx_by_all_words_for_splits(tmp_path):
    for prefix, count in (("my_training_set", 20), ("my_dev", 8), ("my_holdout", 12)):
        write_idx(tmp_path / "d", prefix, IMAGES[:count] + count, LABELS[:count])
    assert sizes(load_dataset(str(tmp_path / "d"))) == (20, 8, 12)


def test_an_unpacked_copy_goes_before_the_packed_one(tmp_path):
    write_idx(tmp_path / "d", "train", IMAGES, LABELS, bytes, "")
    write_idx(tmp_path / "d", "train", IMAGES[:5], LABELS[:5])
    assert sum(sizes(load_dataset(str(tmp_path / "d")))) == 40


@pytest.mark.parametrize(
    ("prefixes", "message"),
    [
        (
            ("letters-train", "digits-train"),
            "digits-train-images-.* and letters-train-images-.* are both train",
        ),
        (
            ("train", "extra"),
            "2 sets of images; the names of some: extra-images-idx3-ubyte.gz means no split",
        ),
        (("val", "test"), "only test and val images; expected training images"),
    ],
)
def test_idx_files_that_are_not_plain(tmp_path, prefixes, message):
    for prefix in prefixes:
        write_idx(tmp_path / "d", prefix, IMAGES, LABELS)
    with pytest.raises(CnncliError, match=message):
        load_dataset(str(tmp_path / "d"))


def test_idx_images_without_labels(tmp_path):
    write_idx(tmp_path / "d", "train", IMAGES, LABELS)
    (tmp_path / "d" / "test-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    dataset = load_dataset(str(tmp_path / "d"))
    assert "test-images-idx3-ubyte without labels: left out" in dataset.warnings
    (tmp_path / "d" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        CnncliError, match=r"test-images-idx3-ubyte and train-images-idx3-ubyte.gz without labels"
    ):
        load_dataset(str(tmp_path / "d"))


def test_one_idx_split_that_is_not_for_training(tmp_path):
    write_idx(tmp_path / "d", "t10k", IMAGES, LABELS)
    dataset = load_dataset(str(tmp_path / "d"))
    assert sum(sizes(dataset)) == 40
    assert "there are only test images: they are divided into new splits" in dataset.warnings
