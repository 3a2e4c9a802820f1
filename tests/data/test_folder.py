import itertools
import shutil
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from data_helpers import picture, write_image
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cnncli.data.assemble import LoadOptions
from cnncli.data.files import Files
from cnncli.data.folder import load_folder
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import load_dataset
from cnncli.data.prepare import InputSpec
from cnncli.errors import CnncliError


def images_of(split):
    out = np.empty((len(split), *split.shape), np.uint8)
    split.read(np.arange(len(split), dtype=np.intp), out)
    return out


def test_class_folders(class_folder):
    dataset = load_dataset(str(class_folder), LoadOptions(val_split=0.2, threads=2))
    assert (dataset.name, dataset.targets.classes, dataset.shape) == (
        "pets",
        ("ant", "bee", "cat"),
        (12, 12, 3),
    )
    assert sum(map(len, (dataset.train, dataset.val, dataset.test))) == 15
    for split in (dataset.train, dataset.val, dataset.test):
        for index, (image, label) in enumerate(zip(images_of(split), split.targets.numbers, strict=True)):
            name = split.name(index)
            assert f"/{dataset.targets.classes[label]}/" in name
            number = int(name.rsplit("/", 1)[1].removesuffix(".png"))
            assert np.array_equal(image, picture(100 * label + number))
    assert not dataset.warnings


def test_streamed_when_too_large_for_memory(class_folder):
    kept = load_folder(class_folder, LoadOptions())
    streamed = load_folder(class_folder, LoadOptions(memory=100))
    assert isinstance(streamed.train, Files)
    for name in ("train", "val", "test"):
        assert np.array_equal(images_of(getattr(kept, name)), images_of(getattr(streamed, name)))
        assert np.array_equal(getattr(kept, name).targets.numbers, getattr(streamed, name).targets.numbers)


@pytest.mark.parametrize("threads", [1, 3])
def test_streamed_without_bad_images(class_folder, threads):
    """A file that is cut short has a sound header: what is left out is the same as in memory."""
    whole = (class_folder / "ant" / "2.png").read_bytes()
    (class_folder / "ant" / "2.png").write_bytes(whole[: len(whole) // 2])
    (class_folder / "cat" / "0.png").write_bytes(b"junk")
    kept = load_folder(class_folder, LoadOptions(threads=threads, val_split=0.2))
    streamed = load_folder(class_folder, LoadOptions(memory=100, threads=threads, val_split=0.2))
    assert [each.path.rsplit("/", 1)[1] for each in streamed.skipped] == ["2.png", "0.png"]
    assert (streamed.skipped, streamed.warnings) == (kept.skipped, kept.warnings)
    assert sum(len(getattr(streamed, part)) for part in ("train", "val", "test")) == 13
    for part in ("train", "val", "test"):
        ours, theirs = getattr(streamed, part), getattr(kept, part)
        assert [ours.name(i) for i in range(len(ours))] == [theirs.name(i) for i in range(len(theirs))]
        assert np.array_equal(images_of(ours), images_of(theirs))
        assert np.array_equal(ours.targets.numbers, theirs.targets.numbers)


def test_splits_above_the_classes(class_folder, tmp_path):
    root = tmp_path / "split"
    for split in ("train", "validation", "Test"):
        shutil.copytree(class_folder, root / split)
        for path in (root / split).rglob("*.png"):
            write_image(path, picture(zlib.crc32(str(path.relative_to(root)).encode())))
    dataset = load_dataset(str(root))
    assert [len(each) for each in (dataset.train, dataset.val, dataset.test)] == [15, 15, 15]


def test_numbered_classes_are_in_the_order_of_numbers(tmp_path):
    for label in range(12):
        for i in range(3):
            write_image(tmp_path / "d" / str(label) / f"{i}.png", picture(10 * label + i, channels=1))
    dataset = load_dataset(str(tmp_path / "d"))
    assert dataset.targets.classes == tuple(map(str, range(12)))
    assert dataset.shape == (12, 12, 1)


def test_odd_files_are_told_and_left_out(class_folder):
    (class_folder / "dog").mkdir()
    (class_folder / "ant" / "notes.txt").write_text("hello")
    (class_folder / "ant" / ".hidden.png").write_text("")
    write_image(class_folder / "stray.png", picture(1))
    (class_folder / "ant" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (class_folder / "bee" / "empty.jpg").write_bytes(b"")
    (class_folder / "cat" / "0.png").write_bytes((class_folder / "ant" / "0.png").read_bytes())
    (class_folder / "café 🐱 *").mkdir()
    write_image(class_folder / "café 🐱 *" / "deep" / "er" / "a b.png", picture(900))
    dataset = load_dataset(str(class_folder))
    text = "\n".join(dataset.warnings)
    assert "no images in class dog: left out" in text
    assert "stray.png: outside a class folder, left out" in text
    assert "1 file is not an image by the suffix: left out" in text
    assert "2 files with equal content have different labels and are left out" in text
    assert "(ant and cat)" in text
    assert "2 files cannot be used and are left out" in text
    assert {each.path.rsplit("/", 1)[1] for each in dataset.skipped} == {"broken.png", "empty.jpg"}
    assert dataset.targets.classes == ("ant", "bee", "café 🐱 *", "cat")
    assert sum(map(len, (dataset.train, dataset.val, dataset.test))) == 14


def test_images_in_two_splits_are_told(class_folder, tmp_path):
    root = tmp_path / "twice"
    shutil.copytree(class_folder, root / "train")
    shutil.copytree(class_folder / "ant", root / "test" / "ant")
    dataset = load_dataset(str(root))
    assert any(
        each.startswith("6 of the 6 test images are also training images: ") for each in dataset.warnings
    )
    assert any("no test images of bee, cat" in each for each in dataset.warnings)


def test_sizes_that_differ(tmp_path):
    for label in "ab":
        for i, (height, width) in enumerate(((40, 60), (100, 80), (300, 200))):
            write_image(tmp_path / "d" / label / f"{i}.png", picture(i + ord(label), height, width))
    dataset = load_dataset(str(tmp_path / "d"))
    assert dataset.shape == (64, 64, 3)
    assert any("60x40 to 200x300 pixels are scaled to 64x64" in note for note in dataset.notes)
    assert load_dataset(
        str(tmp_path / "d"), LoadOptions(image_options=ImageOptions(size=(20, 30)))
    ).shape == (20, 30, 3)


def test_unequal_classes_are_told(tmp_path):
    for label, count in (("a", 30), ("b", 2)):
        for i in range(count):
            write_image(tmp_path / "d" / label / f"{i}.png", picture(i + 1000 * ord(label)))
    dataset = load_dataset(str(tmp_path / "d"), LoadOptions(val_split=0))
    assert any("classes are imbalanced: 1 training images of b, " in each for each in dataset.warnings)


def test_why_one_class_is_left(tmp_path):
    for label in ("ant", "bee"):
        write_image(tmp_path / "d" / label / "same.png", picture(0))
    write_image(tmp_path / "d" / "ant" / "own.png", picture(3))
    with pytest.raises(
        CnncliError, match="one class only, ant; 2 files with equal content have different labels"
    ):
        load_dataset(str(tmp_path / "d"))


@pytest.mark.parametrize("memory", [1 << 30, 100])
def test_content_under_two_labels_is_left_out_of_all_splits(tmp_path, memory):
    """Whatever else is written into a file, and wherever it lies: one of the labels is wrong."""
    for at in range(6):
        for part, label in itertools.product(("train", "test"), "ab"):
            seed = at + 10 * (part == "test") + 100 * (label == "b")
            write_image(tmp_path / "d" / part / label / f"{at}.png", picture(seed))
    torn = Image.open(tmp_path / "d" / "train" / "a" / "3.png")
    said = PngInfo()
    said.add_text("Comment", "the same pixels")
    torn.save(tmp_path / "d" / "test" / "b" / "3.png", pnginfo=said)
    shutil.copy(tmp_path / "d" / "train" / "b" / "0.png", tmp_path / "d" / "train" / "a" / "0.png")
    dataset = load_folder(tmp_path / "d", LoadOptions(memory=memory, val_split=0))
    (warning,) = dataset.warnings
    assert warning.startswith("4 files with equal content have different labels and are left out: ")
    assert "/0.png (a and b)" in warning
    assert "/3.png (a and b)" in warning
    names = {
        split: {each.name(at)[-7:] for at in range(len(each))}
        for split, each in (("train", dataset.train), ("test", dataset.test))
    }
    rest = {f"{label}/{at}.png" for label in "ab" for at in range(6)}
    assert names["train"] == rest - {"a/0.png", "b/0.png", "a/3.png"}
    assert names["test"] == rest - {"b/3.png"}


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 file cannot"), (2, "2 files cannot"), (5, "5 files cannot")]
)
def test_files_that_cannot_be_used_are_counted_and_some_named(class_folder, count, said):
    for at in range(count):
        (class_folder / "ant" / f"x{at}.png").write_bytes(b"no image")
    (warning,) = (each for each in load_dataset(str(class_folder)).warnings if "cannot be used" in each)
    assert warning.startswith(f"{said} be used and {'is' if count == 1 else 'are'} left out: ")
    assert warning.count(".png") == min(count, 3)
    assert warning.endswith("and 2 more") == (count == 5)


def test_files_are_read_once(class_folder, monkeypatch):
    """Also those of equal length with other labels: the digests are made while they are decoded."""
    plain = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for label in ("ant", "bee", "cat"):
        write_image(class_folder / label / "z.bmp", plain + ord(label[0]))
    reads = Counter()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.update([path.name]) or read(path))
    load_folder(
        class_folder,
        LoadOptions(image_options=ImageOptions((8, 8), channels=1, input_spec=InputSpec((8, 8, 1)))),
    )
    assert reads["z.bmp"] == 3


def test_of_many_names_a_few_are_told_and_the_others_counted(class_folder):
    for name in "pqrstuv":
        (class_folder / name).mkdir()
    (class_folder / "ant" / "notes.txt").write_text("no image")
    write_image(class_folder / "stray.png", picture(1))
    first, *others = load_dataset(str(class_folder)).warnings
    assert first == "no images in class p, q, r and 4 more: left out"  # classes before files
    assert len(others) >= 2


def test_nothing_to_learn(tmp_path):
    root = tmp_path / "d"
    root.mkdir()
    with pytest.raises(CnncliError, match="d holds no images"):
        load_dataset(str(root))
    write_image(root / "a.png", picture(0))
    with pytest.raises(CnncliError, match="d holds images but no class folders") as caught:
        load_dataset(str(root))
    assert "FOLDER/CLASS/image.png" in caught.value.hint
    write_image(root / "ant" / "a.png", picture(0))
    wanted = "training images of one class only, ant; a.png: outside a class folder, left out; expected two"
    with pytest.raises(CnncliError, match=wanted):
        load_dataset(str(root))
    (root / "ant" / "a.png").write_bytes(b"junk")
    with pytest.raises(CnncliError, match=r"no usable training images \(1 left out\)"):
        load_dataset(str(root))
