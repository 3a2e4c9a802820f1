"""The list of a run's images: there and back, and what is said where the data are others now."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from training_helpers import Watcher, never

from cnncli.errors import CnncliError
from cnncli.training.changes import Changes
from cnncli.training.listing import ImageList, differences
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)


@pytest.fixture
def pets(tmp_path):
    for k, label in enumerate(("cat", "dog")):
        (tmp_path / "home" / "pets" / label).mkdir(parents=True)
        for at in range(20):
            Image.fromarray(pixels(100 * k + at)).save(tmp_path / "home" / "pets" / label / f"{at:02}.png")
    return tmp_path / "home" / "pets"


@pytest.fixture
def begun(pets, tmp_path):
    """A run on the pets that was stopped after its first step."""
    options = TrainOptions(dataset=str(pets), model="conv4 gap fc", epochs=2, val_split=0.2, batch_size=8)
    run = begin(options, output=str(tmp_path / "run"))
    assert not run.trainer.run(Watcher(), lambda: True)
    run.folder.unlock()
    return tmp_path / "run"


def test_the_list_says_where_each_image_is(begun, pets):
    with (begun / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted(f"{path.parent.name}/{path.name}" for path in pets.rglob("*.png"))
    assert sorted(row["image"] for row in rows) == names
    assert all(row["label"] == row["image"].partition("/")[0] for row in rows)
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    assert len({row["digest"] for row in rows}) == 40
    read = ImageList.read(begun / "splits.csv")
    assert read.as_csv() == (begun / "splits.csv").read_bytes()


def swap(pets):
    """Every label is wrong now."""
    (pets / "cat").rename(pets / "x")
    (pets / "dog").rename(pets / "cat")
    (pets / "x").rename(pets / "dog")


def replace(pets):
    Image.fromarray(pixels(907)).save(pets / "cat" / "04.png")
    (pets / "dog" / "03.png").unlink()
    Image.fromarray(pixels(908)).save(pets / "dog" / "a new.png")


def relabel(pets):
    (pets / "cat" / "04.png").rename(pets / "dog" / "a 04.png")


def damage(pets):
    (pets / "dog" / "03.png").write_bytes(b"junk")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap, r"have changed: 40 images have other pixels: \w+/\d\d.png, .* and 37 more; expected the 40"),
        (
            replace,
            "1 image has other pixels: cat/04.png; 1 image is missing or cannot be read: dog/03.png; "
            "1 image is new: dog/a new.png; expected",
        ),
        (relabel, "1 image is missing or cannot be read: cat/04.png; 1 image is new: dog/a 04.png"),
        (damage, "1 image is missing or cannot be read: dog/03.png; expected"),
        (shutil.rmtree, "the data of .*: .*pets is neither a known data set nor a file or folder"),
    ],
)
def test_other_data_are_refused_by_name(begun, pets, again, change, said):
    change(pets)
    with pytest.raises(CnncliError, match=said) as caught:
        again(begun)
    assert "--data PATH" in caught.value.hint


def test_other_labels_in_a_table(tmp_path, pets, again):
    rows = [
        f"home/pets/{path.parent.name}/{path.name},{path.parent.name}" for path in sorted(pets.rglob("*.png"))
    ]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["path,label", *rows]))
    run = begin(
        TrainOptions(dataset=str(table), model="conv4 gap fc", epochs=1),
        output=str(tmp_path / "r"),
    )
    run.folder.unlock()
    table.write_text("\n".join(["path,label", *rows[:3], rows[3].replace(",cat", ",dog"), *rows[4:]]))
    with pytest.raises(
        CnncliError, match=r"1 image has another label: home/pets/cat/03.png \(cat, now dog\)"
    ):
        again(tmp_path / "r")


def weights(folder):
    return {name: array.tobytes() for name, array in load_file(folder / "best.safetensors").items()}


def moved(pets, again, begun):
    shutil.move(pets, pets.parent / "moved")
    return again(begun, changes=Changes(data=str(pets.parent / "moved")))


def renamed(pets, again, begun):
    """Neither names nor their order count, nor what is written about a picture."""
    for at, path in enumerate(sorted(pets.rglob("*.png"))):
        image = Image.open(path)
        image.save(path.with_name(f"{(7 * at) % 40:03}-{path.stem}.bmp"))
        path.unlink()
    return again(begun)


@pytest.mark.parametrize("change", [moved, renamed])
def test_the_same_images_elsewhere_give_the_same_bits(begun, pets, again, tmp_path, change):
    options = TrainOptions(dataset=str(pets), model="conv4 gap fc", epochs=2, val_split=0.2, batch_size=8)
    whole = begin(options, output=str(tmp_path / "whole"))
    whole.trainer.run(Watcher(), never)
    run = change(pets, again, begun)
    assert run.trainer.run(Watcher(), never)
    assert weights(begun) == weights(tmp_path / "whole")
    assert run.dataset.name == "pets"
    run.folder.unlock()
    again(begun).folder.unlock()  # where the data lie now is written down


def test_rows_of_arrays_in_another_order(tmp_path, again):
    images = np.stack([pixels(at) for at in range(40)])
    labels = np.arange(40) % 2
    np.savez(tmp_path / "a.npz", x=images, y=labels)
    options = TrainOptions(dataset=str(tmp_path / "a.npz"), model="conv4 gap fc", epochs=2)
    for name in ("whole", "parts"):
        run = begin(options, output=str(tmp_path / name))
        run.trainer.run(Watcher(), never if name == "whole" else lambda: True)
        run.folder.unlock()
    order = np.random.default_rng(1).permutation(40)
    np.savez(tmp_path / "a.npz", x=images[order], y=labels[order])
    assert again(tmp_path / "parts").trainer.run(Watcher(), never)
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")


def test_copies_count(tmp_path):
    """Two of one content are not one."""
    digests = np.array([5, 5, 6], np.uint64)
    one = ImageList(("a", "b", "c"), ("train",) * 3, digests, ("x",) * 3)
    other = ImageList(("a", "c", "d"), ("train",) * 3, digests[[0, 2, 2]], ("x",) * 3)
    assert differences(one, one) == ""
    assert differences(one, other) == "1 image is missing or cannot be read: b; 1 image is new: d"


def moved(rows):
    next(row for row in rows if row["split"] == "test")["split"] = "train"


def shorter(rows):
    rows.pop()


def reordered(rows):
    rows.reverse()


def other(rows):
    rows[3]["digest"] = "0123456789abcdef"


def edited(path, edit):
    """Change a list of images as by hand."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    edit(rows)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return rows


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (moved, r"1 image is in another split \(\w+/\d\d.png\); expected"),
        (shorter, "1 image is missing; expected"),
        (reordered, "it has other rows, or the same in another order; expected"),
        (other, r"1 image is not in the checkpoint \(\w+/\d\d.png\); 1 image is missing; expected"),
    ],
)
@pytest.mark.parametrize("epochs", [0, 1])
def test_a_list_that_was_edited_is_refused(begun, again, edit, said, epochs):
    if epochs:
        session = again(begun)
        session.trainer.run(Watcher(), lambda: session.trainer.progress.epoch == epochs)
        session.folder.unlock()
    edited(begun / "splits.csv", edit)
    said = said if epochs else "it has other rows, or the same in another order; expected"
    with pytest.raises(CnncliError, match=f"splits.csv has been changed since the run began: {said}"):
        again(begun)


def test_a_list_written_by_another_program_is_the_same(begun, again):
    """Lines that end otherwise, and quotes, say nothing else."""
    edited(begun / "splits.csv", lambda rows: None)
    assert b"\r\n" in (begun / "splits.csv").read_bytes()
    assert len(again(begun).dataset.train)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "image,split\na,train\n",
        "image,split,class,digest\na,train,0123456789abcdef,cat\n",
        "image,split,digest,label\na,train,12,cat\n",
        "image,split,digest,label\na,exam,0123456789abcdef,cat\n",
        "image,split,digest,label\na,train,0123456789abcdeg,cat\n",
        'image,split,digest,label\n"a,train,0123456789abcdef,cat\n',
    ],
)
def test_a_list_that_is_none(begun, again, text):
    (begun / "splits.csv").write_text(text)
    with pytest.raises(CnncliError, match=r"splits\.csv is no list of a run's images"):
        again(begun)


def test_a_run_without_a_list(begun, again):
    (begun / "splits.csv").unlink()
    with pytest.raises(CnncliError, match=r"holds no splits\.csv"):
        again(begun)
