"""Which images evaluate judges: the run's own, the splits of others, or a whole; and what was trained on."""

import csv
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from small_networks import CLASSES, SHAPE, save_linear


def noise(seed, side=8):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


def fill(folder, start, count, suffix="png"):
    for k, label in enumerate(("ant", "bee")):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for at in range(start, start + count):
            Image.fromarray(noise(1000 * k + at)).save(folder / label / f"{at:03}.{suffix}")


@pytest.fixture
def begun(run, tmp_path):
    """A run on 2 x 30 images of noise, and the split of each by its list."""
    fill(tmp_path / "pets", 0, 30)
    words = ("-m", "conv4 relu gap fc", "--epochs", 1, "--val-split", 0.2, "-o", "r", "-q")
    done = run("train", "pets", *words)
    assert done.code == 0, done.err
    with (tmp_path / "r" / "splits.csv").open(newline="") as file:
        return {row["image"]: row["split"] for row in csv.DictReader(file)}


def judged(run, *words):
    done = run("evaluate", *words, "--json")
    assert done.code == 0, done.err
    (result,) = done.results
    return result, done.err


def rewritten(path, change):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(map(change, rows))


def test_a_list_that_was_edited_is_said_and_does_not_count(run, begun, tmp_path):
    before, _ = judged(run, "pets", "-m", "r")
    rewritten(tmp_path / "r" / "splits.csv", lambda row: row | {"split": "test"})
    after, err = judged(run, "pets", "-m", "r")
    number = len(begun) - count(begun, "test")
    assert f"warning: r/splits.csv is not as the run wrote it, {number} images are in another split (" in err
    assert "the digests in the checkpoint count" in err
    assert "(digests in the checkpoint)" in after["chosen"]
    assert (after["images"], after["accuracy"]) == (before["images"], before["accuracy"])
    (tmp_path / "r" / "splits.csv").write_text("nothing")
    _, err = judged(run, "pets", "-m", "r")
    assert "is no list of a run's images: its columns are not" in err


def count(begun, part):
    return sum(split == part for split in begun.values())


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_the_runs_own_images(run, begun, part):
    result, err = judged(run, "pets", "-m", "r", "--split", part)
    assert (result["split"], result["images"], result["dataset_images"]) == (part, count(begun, part), 60)
    assert "images of the network's own run (splits.csv of r)" in result["chosen"]
    assert err == ""
    assert result["trained_on"] == (result["images"] if part == "train" else 0)


def test_the_text_says_which_of_how_many(run, begun):
    lines = run("evaluate", "pets", "-m", "r").lines
    number = count(begun, "test")
    said = f"evaluated on {number} of 60 images: the test images of the network's own run (splits.csv of r)"
    assert said in lines


def test_the_same_test_images_as_after_training(run, begun, tmp_path):
    run("evaluate", "pets", "-m", "r", "-o", "report")
    assert (tmp_path / "report" / "misclassified.csv").read_bytes() == (
        tmp_path / "r" / "misclassified.csv"
    ).read_bytes()


def test_images_that_came_later_change_nothing(run, begun, tmp_path):
    before, _ = judged(run, "pets", "-m", "r")
    fill(tmp_path / "pets", 30, 5)
    for path in sorted((tmp_path / "pets" / "ant").glob("00*.png")):
        path.rename(path.with_name(f"z{path.name}"))
    after, _ = judged(run, "pets", "-m", "r")
    assert [after[key] for key in ("images", "accuracy", "loss")] == [
        before[key] for key in ("images", "accuracy", "loss")
    ]
    assert after["chosen"].endswith("; 10 that were not there are left out")
    everything, err = judged(run, "pets", "-m", "r", "--split", "all")
    assert (everything["images"], everything["trained_on"]) == (70, count(begun, "train"))
    assert (
        f"of these 70 images {count(begun, 'train')} were trained on and {count(begun, 'val')} served to"
        in err
    )


def test_a_checkpoint_alone_knows_its_run(run, begun, tmp_path):
    shutil.copy(tmp_path / "r" / "last.safetensors", tmp_path / "mine.safetensors")
    shutil.move(tmp_path / "pets", tmp_path / "elsewhere")
    result, err = judged(run, "elsewhere", "-m", "mine.safetensors")
    assert (result["images"], result["split"], err) == (count(begun, "test"), "test", "")
    assert "run, whose data these are (digests in the checkpoint)" in result["chosen"]


def test_other_data_without_splits_are_judged_whole(run, begun, tmp_path):
    fill(tmp_path / "heldout", 100, 10)
    done = run("evaluate", "heldout", "-m", "r")
    assert done.err == ""
    assert re.search(r"accuracy [0-9.]+% \([0-9]+ of 20\)", done.lines[1])
    said = "all images, because heldout has no splits and is not the data of the network's run"
    assert f"evaluated on 20 of 20 images: {said}" in done.lines


def test_what_was_trained_on_is_counted_in_any_format(run, begun, tmp_path):
    """Copies in a folder of another name, as BMP, among images that are new."""
    fill(tmp_path / "other", 100, 10, "bmp")
    parts = {"train": 12, "val": 2}
    for part, number in parts.items():
        for name in [name for name, split in begun.items() if split == part][:number]:
            target = tmp_path / "other" / name.replace("/", f"/{part}").replace(".png", ".bmp")
            Image.open(tmp_path / "pets" / name).save(target)
    result, err = judged(run, "other", "-m", "r")
    assert (result["images"], result["trained_on"]) == (34, 12)
    assert "warning: of these 34 images 12 were trained on and 2 served to choose the weights" in err


def test_what_earlier_weights_were_trained_on_is_counted(run, begun, tmp_path):
    fill(tmp_path / "next", 100, 20)
    words = ("--init", "r", "--epochs", 1, "-o", "s", "-q")
    assert run("train", "next", *words).code == 0
    shutil.rmtree(tmp_path / "r")
    result, err = judged(run, "pets", "-m", "s")
    assert (result["images"], result["trained_on"]) == (60, count(begun, "train"))
    assert f"warning: of these 60 images {count(begun, 'train')} were trained on: " in err


def test_files_are_known_at_another_size(run, begun, tmp_path):
    """Weights go on at inputs of 12x12: what they saw at 8x8 is known by the content of the files."""
    fill(tmp_path / "next", 100, 20)
    learned = [name for name, split in begun.items() if split == "train"]
    for name in learned:
        shutil.copy(tmp_path / "pets" / name, tmp_path / "next" / name)
    done = run("train", "next", "--init", "r", "--size", 12, "--val-split", 0.5, "--epochs", 1, "-o", "s")
    assert done.code == 0, done.err
    assert "test images were trained on before" not in done.err  # as test images stay test images
    result, _ = judged(run, "pets", "-m", "s")
    assert (result["split"], result["images"], result["trained_on"]) == ("all", 60, len(learned))
    for path in [*(tmp_path / "next").rglob("*.png")]:
        path.rename(path.with_name(f"{path.parent.name}-{path.name}"))
    for part in ("train", "test"):
        for path in [*(tmp_path / "next").glob("*/*.png")]:
            target = tmp_path / "given" / part / path.parent.name / path.name
            if (path.parent.name + "/" + path.name.partition("-")[2] in learned) == (part == "test"):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    done = run("train", "given", "--init", "r", "--size", 12, "--epochs", 1, "-o", "t")
    assert f"warning: {len(learned)} of the {len(learned)} test images were trained on before" in done.err


def test_test_images_that_are_gone_are_counted(run, begun, tmp_path):
    gone = [name for name, split in begun.items() if split == "test"][:2]
    for name in gone:
        (tmp_path / "pets" / name).unlink()
    result, _ = judged(run, "pets", "-m", "r")
    assert result["images"] == count(begun, "test") - 2
    assert result["chosen"].endswith("; 2 of them are not there")


def test_other_images_in_the_place_of_the_runs(run, begun, tmp_path):
    shutil.rmtree(tmp_path / "pets")
    fill(tmp_path / "pets", 500, 10)
    result, err = judged(run, "pets", "-m", "r")
    assert (result["images"], result["split"], result["trained_on"], err) == (20, "all", 0, "")


def part_of(begun, tmp_path, name, *parts):
    """A folder with the run's images of some splits."""
    for image, split in begun.items():
        if split in parts:
            (tmp_path / name / image).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / "pets" / image, tmp_path / name / image)
    return sum(count(begun, part) for part in parts)


def test_a_part_of_the_runs_data_is_judged_whole_and_called_so(run, begun, tmp_path):
    number = part_of(begun, tmp_path, "learned", "train", "val")
    result, err = judged(run, "learned", "-m", "r")
    assert (result["images"], result["dataset_images"], result["split"]) == (number, number, "all")
    train, val = count(begun, "train"), count(begun, "val")
    shared = f"shares {train} training and {val} validation images with the data of the network's run"
    assert result["chosen"] == f"all images, because learned has no splits and {shared}"
    assert f"of these {number} images {train} were trained on and {val} served" in err


def test_test_images_with_new_ones_among_them_are_judged_together(run, begun, tmp_path):
    number = part_of(begun, tmp_path, "held", "test")
    result, _ = judged(run, "held", "-m", "r")
    assert (result["images"], result["dataset_images"], result["split"]) == (number, number, "test")
    fill(tmp_path / "held", 100, 10)
    result, err = judged(run, "held", "-m", "r")
    assert (result["images"], result["dataset_images"], result["split"]) == (number + 20, number + 20, "all")
    assert f"shares {number} test images with the data of the network's run" in result["chosen"]
    assert err == ""


def test_one_class_alone_and_arrays_and_tables_are_judged_whole(run, begun, tmp_path):
    fill(tmp_path / "some", 100, 6)
    shutil.copytree(tmp_path / "some" / "bee", tmp_path / "one" / "bee")
    rows = [f"some/{label}/{at}.png,{label}" for label in ("ant", "bee") for at in range(100, 106)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *rows]))
    images = np.stack([noise(at) for at in range(8)])
    np.savez(tmp_path / "a.npz", x=images, y=np.array(["ant", "bee"] * 4))
    np.savez(tmp_path / "only.npz", x_test=images, y_test=np.array(["ant", "bee"] * 4))
    for name, number, split in (
        ("one", 6, "all"),
        ("t.csv", 12, "all"),
        ("a.npz", 8, "all"),
        ("only.npz", 8, "test"),
    ):
        result, _ = judged(run, name, "-m", "r")
        assert (result["images"], result["dataset_images"], result["split"]) == (number, number, split), name


def test_a_folder_of_validation_images_alone_is_judged_whole(run, begun, tmp_path):
    fill(tmp_path / "two" / "validation", 200, 5)
    result, _ = judged(run, "two", "-m", "r")
    assert (result["split"], result["images"], result["dataset_images"]) == ("val", 10, 10)


def test_splits_that_others_bring(run, begun, two_lines, tmp_path):
    fill(tmp_path / "two" / "train", 100, 10)
    fill(tmp_path / "two" / "val", 200, 5)
    result, _ = judged(run, "two", "-m", "r", "--split", "val")
    assert (result["split"], result["images"], result["dataset_images"]) == ("val", 10, 30)
    assert result["chosen"] == "the validation images that two brings"
    result, _ = judged(run, "two", "-m", "r")
    assert (result["split"], result["images"]) == ("val", 10)
    assert result["chosen"] == "the validation images that two brings, which has no test images"
    error = two_lines(run("evaluate", "two", "-m", "r", "--split", "test"), 2)
    assert "--split is test, but two brings training and validation images" in error
    fill(tmp_path / "whole", 300, 5)
    assert "--split is val, but whole brings no" in two_lines(
        run("evaluate", "whole", "-m", "r", "--split", "val"), 2
    )


def test_what_nobody_noted_is_said(run, rng, tmp_path):
    save_linear(tmp_path / "net.safetensors", rng)
    images = rng.integers(0, 256, (30, *SHAPE[:2])).astype(np.uint8)
    names = np.array(CLASSES)[np.arange(30) % 3]
    np.savez(tmp_path / "whole.npz", x=images, y=names)
    result, err = judged(run, "whole.npz", "-m", "net.safetensors")
    assert (result["images"], result["split"], result["trained_on"]) == (30, "all", None)
    assert "warning: the checkpoint does not say which images it was trained on" in err


def test_the_digit_model_that_ships_knows_its_digits(run, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNCLI_DATA_DIR", str(tmp_path / "none"))
    result, err = judged(run, "mnist", "--offline")
    assert (result["images"], result["dataset_images"], result["trained_on"], err) == (1000, 5000, 0, "")
