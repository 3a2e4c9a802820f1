"""Folders that are classes, splits, or either: only where the data leave one reading is it taken."""

import os
import unicodedata

import pytest
from data_helpers import picture, write_image

from cnncli.data.assemble import LoadOptions
from cnncli.data.layout import Layout
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError

SPLITS, CLASSES = Layout(splits=True), Layout(splits=False)


def plant(root, folders, count=3):
    """So many different images in each of the folders."""
    for at, folder in enumerate(folders):
        for i in range(count):
            write_image(root / folder / f"{i}.png", picture(1000 * at + i, 6, 6))
    return str(root)


def sizes(dataset):
    return len(dataset.train), len(dataset.val), len(dataset.test)


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        (("training_set", "test_set"), ("train", "test")),
        (("train", "evaluation"), ("train", "test")),
        (("seg_train", "seg_test"), ("train", "test")),
        (("Fit", "VALID", "HoldOut"), ("train", "val", "test")),
        (("train", "dev", "eval"), ("train", "val", "test")),
    ],
)
def test_splits_by_their_usual_names(tmp_path, words, roles):
    for number, word in enumerate(words):
        plant(tmp_path / word, ["cat", "dog"], 3 + number)
    dataset = load_dataset(str(tmp_path), LoadOptions(val_split=0))
    assert dataset.targets.classes == ("cat", "dog")
    counts = {role: 2 * (3 + number) for number, role in enumerate(roles)}
    assert sizes(dataset) == (counts["train"], counts.get("val", 0), counts["test"])


def test_folders_that_an_archive_doubled(tmp_path):
    for word in ("seg_train", "seg_test"):
        plant(tmp_path / word / word, ["sea", "street"])
    plant(tmp_path, ["seg_pred"])
    dataset = load_dataset(str(tmp_path), LoadOptions(val_split=0))
    assert (dataset.targets.classes, sizes(dataset)) == (("sea", "street"), (6, 0, 6))
    assert "seg_pred beside the splits: left out" in dataset.warnings


def test_a_class_may_be_called_like_a_split(tmp_path):
    dataset = load_dataset(plant(tmp_path, ["bus", "car", "train"]))
    assert dataset.targets.classes == ("bus", "car", "train")
    assert sum(sizes(dataset)) == 9
    assert "(train as a class)" in dataset.provenance


def test_two_readings_are_asked_for(tmp_path):
    root = plant(tmp_path, ["bus", "car", "train/steam", "train/diesel"])
    with pytest.raises(
        CnncliError, match="bus, car and train are the classes, or train is a split"
    ) as caught:
        load_dataset(root)
    assert "--no-splits" in caught.value.hint
    assert load_dataset(root, LoadOptions(layout=CLASSES)).targets.classes == ("bus", "car", "train")
    split = load_dataset(root, LoadOptions(layout=SPLITS))
    assert split.targets.classes == ("diesel", "steam")
    assert "bus and car beside the splits: left out" in split.warnings


def test_splits_that_share_no_class_are_two_readings(tmp_path):
    root = plant(tmp_path, ["train/steam", "train/diesel", "test/exam", "test/quiz"])
    with pytest.raises(CnncliError, match="two ways"):
        load_dataset(root)


def test_numbered_folders_are_two_readings(tmp_path):
    root = plant(tmp_path, [f"{number}/{name}" for number in "012" for name in ("cat", "dog")])
    with pytest.raises(CnncliError, match="two ways: 0, 1 and 2 are the classes, or 0, 1 and 2 are splits"):
        load_dataset(root)
    assert sizes(load_dataset(root, LoadOptions(layout=SPLITS))) == (6, 6, 6)
    assert load_dataset(root, LoadOptions(layout=CLASSES)).targets.classes == ("0", "1", "2")
    assert load_dataset(plant(tmp_path / "digits", ["0", "1", "2"])).targets.classes == ("0", "1", "2")


@pytest.mark.parametrize("layout", [Layout(), SPLITS])
def test_one_more_folder_with_the_same_classes(tmp_path, layout):
    root = plant(
        tmp_path, [f"{word}/{name}" for word in ("train", "test", "check") for name in ("cat", "dog")]
    )
    with pytest.raises(
        CnncliError, match=r"with the same folders in it: check means no split; expected train \("
    ):
        load_dataset(root, LoadOptions(layout=layout))
    assert load_dataset(root, LoadOptions(layout=CLASSES)).targets.classes == ("check", "test", "train")


def test_splits_without_training_images(tmp_path):
    root = plant(tmp_path, ["val/cat", "val/dog", "test/cat", "test/dog"])
    with pytest.raises(CnncliError, match="holds test and val but no training images"):
        load_dataset(root)
    judged = load_dataset(root, LoadOptions(whole=True))
    assert (judged.targets.classes, set(judged.given), sizes(judged)) == (
        ("cat", "dog"),
        {"val", "test"},
        (0, 6, 6),
    )


def test_split_folders_without_classes(tmp_path):
    root = plant(tmp_path, ["train", "test"])
    with pytest.raises(CnncliError, match="no class folders in the splits test and train"):
        load_dataset(root)
    assert load_dataset(root, LoadOptions(layout=CLASSES)).targets.classes == ("test", "train")
    with pytest.raises(CnncliError, match=r"no folder in .* has a name of a split"):
        load_dataset(plant(tmp_path / "pets", ["cat", "dog"]), LoadOptions(layout=SPLITS))


def test_test_images_without_classes_are_left_out(tmp_path):
    dataset = load_dataset(plant(tmp_path, ["train/cat", "train/dog", "test"]), LoadOptions(val_split=0))
    assert dataset.targets.classes == ("cat", "dog")
    assert sum(sizes(dataset)) == 6
    assert any("outside a class folder, left out" in each for each in dataset.warnings)


@pytest.mark.parametrize("layout", [Layout(), CLASSES])
def test_accents_in_either_spelling_are_one_class(tmp_path, layout):
    one, other = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert one != other
    write_image(tmp_path / "tea" / "0.png", picture(0, 6, 6))
    write_image(tmp_path / "tea" / "1.png", picture(1, 6, 6))
    for number, name in enumerate((one, other)):
        write_image(tmp_path / name / f"{number}.png", picture(10 + number, 6, 6))
    dataset = load_dataset(str(tmp_path), LoadOptions(layout=layout))
    assert dataset.targets.classes == (one, "tea")
    assert sum(sizes(dataset)) == 4


def test_names_that_differ_by_case_are_told(tmp_path):
    dataset = load_dataset(plant(tmp_path, ["Ant", "ant", "bee"]))
    assert "Ant and ant differ by case only and count as 2 classes" in dataset.warnings


def test_splits_in_the_folders_of_classes(tmp_path):
    words = ("train", "test", "valid")
    root = plant(tmp_path, [f"{name}/{word}" for name in ("cat", "dog") for word in words])
    with pytest.raises(CnncliError, match="two ways: test, train and valid in the class folders"):
        load_dataset(root)
    split = load_dataset(root, LoadOptions(layout=SPLITS))
    assert (split.targets.classes, sizes(split)) == (("cat", "dog"), (6, 6, 6))
    assert all("/test/" in split.test.name(at) for at in range(6))
    assert sum(sizes(load_dataset(root, LoadOptions(layout=CLASSES)))) == 18


def test_one_folder_too_many(tmp_path):
    root = plant(tmp_path, ["pets/train/cat", "pets/train/dog", "pets/test/cat", "pets/test/dog"])
    with pytest.raises(CnncliError, match="holds one folder, pets, with test and train in it") as caught:
        load_dataset(root)
    assert caught.value.hint.startswith(f"Name {root}/pets if")


def test_one_class_in_a_folder_of_its_own_is_one_class(tmp_path):
    with pytest.raises(CnncliError, match="training images of one class only, pets"):
        load_dataset(plant(tmp_path, ["pets/2019"]))


def test_a_pipe_is_no_data_set(tmp_path):
    for name in ("a.csv", "a.npz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(CnncliError, match=rf"{name} is a pipe, a socket or a device"):
            load_dataset(str(tmp_path / name))


def test_only_regular_files_are_read(tmp_path):
    root = plant(tmp_path, ["cat", "dog"])
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "cat" / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "dog" / "linked.png").symlink_to(tmp_path / "kept.png")
    (tmp_path / "dog" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    write_image(tmp_path / "kept.png", picture(77, 6, 6))
    os.mkfifo(tmp_path / "beside.png")
    dataset = load_dataset(root, LoadOptions(val_split=0))
    assert sum(sizes(dataset)) == 7
    (special,) = [each for each in dataset.warnings if "a pipe, a socket or a device" in each]
    assert all(name in special for name in ("beside.png", "pipe.png", "zero.png"))
    assert [each.path.rsplit("/", 1)[1] for each in dataset.skipped] == ["lost.png"]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path):
    root = plant(tmp_path / "pets", ["cat", "dog"])
    for number in range(4):
        write_image(tmp_path / "elsewhere" / "deep" / f"{number}.png", picture(500 + number, 6, 6))
    (tmp_path / "pets" / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pets" / "cat" / "round").symlink_to(tmp_path / "pets" / "cat")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "elsewhere")
    assert sum(sizes(load_dataset(root))) == 10


def test_options_that_mean_nothing_are_refused(tmp_path):
    root = plant(tmp_path, ["cat", "dog"])
    with pytest.raises(CnncliError, match=r"--label-column is label, but .* is not a table"):
        load_dataset(root, LoadOptions(layout=Layout(label_column="label")))
    with pytest.raises(CnncliError, match="--no-splits does not apply to mnist"):
        load_dataset("mnist", LoadOptions(layout=CLASSES))


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_at_all(name):
    with pytest.raises(CnncliError, match="the name of the data set is empty"):
        load_dataset(name)
