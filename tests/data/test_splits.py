"""Splits belong to the images: whatever happens to some of them, no other changes sides."""

import shutil

import numpy as np
import pytest
from data_helpers import picture, write_image
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.folder import load_folder
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError

COUNT = 40


@pytest.fixture
def root(tmp_path):
    """Three classes of 40 images each."""
    for k, label in enumerate(("ant", "bee", "cat")):
        for i in range(COUNT):
            write_image(tmp_path / "pets" / label / f"{i:02}.png", picture(1000 * k + i, 8, 8))
    return tmp_path / "pets"


def sides(dataset):
    """The split of each image, by its name below the data's folder."""
    found = {}
    for part in ("train", "val", "test"):
        split = getattr(dataset, part)
        for at in range(len(split)):
            found["/".join(split.name(at).split("/")[-2:])] = part
    return found


def add(root):
    write_image(root / "ant" / "new.png", picture(9, 8, 8))


def remove(root):
    (root / "ant" / "03.png").unlink()


def rename(root):
    (root / "ant" / "03.png").rename(root / "ant" / "zz.png")


def damage(root):
    path = root / "ant" / "03.png"
    path.write_bytes(path.read_bytes()[:60])


def rate(root):
    exif = Image.Exif()
    exif[0x4746] = 5
    image = Image.open(root / "ant" / "03.png")
    image.save(root / "ant" / "03.png", exif=exif)


def copy(root):
    shutil.copy(root / "ant" / "03.png", root / "ant" / "03 (1).png")


def add_class(root):
    for i in range(6):
        write_image(root / "aaa" / f"{i}.png", picture(50 + i, 8, 8))


def enlarge(root):
    """Of larger images all are brought to 64x64: what identifies them is not what the network sees."""
    write_image(root / "ant" / "large.png", picture(9, 200, 100))


@pytest.mark.parametrize("change", [add, remove, rename, damage, rate, copy, add_class, enlarge])
@pytest.mark.parametrize("memory", [1 << 30, 100])
def test_one_image_moves_no_other(root, change, memory):
    load_options = LoadOptions(val_split=0.2, memory=memory)
    before = sides(load_folder(root, load_options))
    assert {before.get(f"{label}/03.png") for label in ("ant", "bee", "cat")} <= {"train", "val", "test"}
    assert min(sum(side == part for side in before.values()) for part in ("train", "val", "test")) > 9
    change(root)
    after = sides(load_folder(root, load_options))
    assert {name: after[name] for name in before if name in after} == {
        name: side for name, side in before.items() if name in after
    }
    assert len(before.keys() - after.keys()) <= 1


def test_an_image_keeps_its_side_under_any_name(root):
    before = sides(load_folder(root, LoadOptions()))
    rename(root)
    copy_of = sides(load_folder(root, LoadOptions()))
    assert copy_of["ant/zz.png"] == before["ant/03.png"]


def test_copies_stay_together_and_are_counted(root):
    """Bytes of other formats, and names that sort far away."""
    for label in ("ant", "bee"):
        for i in range(COUNT):
            image = Image.open(root / label / f"{i:02}.png")
            image.save(root / label / f"x{i:02}.bmp")
    dataset = load_folder(root, LoadOptions(val_split=0.2))
    found = sides(dataset)
    assert all(
        found[f"{k}/{i:02}.png"] == found[f"{k}/x{i:02}.bmp"] for k in ("ant", "bee") for i in range(COUNT)
    )
    assert len({found[f"ant/{i:02}.png"] for i in range(COUNT)}) == 3
    assert any(each.startswith("80 of 200 images are copies of others") for each in dataset.warnings)


def rows_by_content(dataset):
    return {
        image.tobytes(): part for part in ("train", "val", "test") for image in getattr(dataset, part).images
    }


@pytest.mark.parametrize("scale", [1, 257, np.float32(1 / 255)])
def test_arrays_in_any_order(tmp_path, scale):
    """Also where numbers become bytes by a rule that follows all of them."""
    images = np.random.default_rng(2).integers(0, 200, (90, 6, 6)).astype(np.uint8)
    labels = np.arange(90) % 3
    order = np.random.default_rng(3).permutation(90)
    stored = images * scale if scale != 257 else images.astype(np.uint16) * 257
    np.savez(tmp_path / "a.npz", x=stored, y=labels)
    np.savez(tmp_path / "b.npz", x=stored[order][5:], y=labels[order][5:])
    first, second = (
        rows_by_content(load_dataset(str(tmp_path / name), LoadOptions(val_split=0.3)))
        for name in ("a.npz", "b.npz")
    )
    assert len(first) == 90
    assert {key: first[key] for key in second} == second


def test_rows_of_a_table_in_any_order(root):
    rows = [f"pets/{path.parent.name}/{path.name},{path.parent.name}" for path in root.glob("*/*.png")]
    table = root.parent / "t.csv"
    found = []
    for order in (sorted(rows), sorted(rows, reverse=True)[7:]):
        table.write_text("\n".join(["path,label", *order]))
        found.append(sides(load_dataset(str(table))))
    first, second = found
    assert {name: first[name] for name in second} == second


def test_copies_across_given_splits_are_counted(tmp_path):
    images = np.random.default_rng(2).integers(0, 200, (60, 6, 6)).astype(np.uint8)
    labels = np.arange(60) % 3
    test, val = images[25:50], np.concatenate([images[50:], images[25:30], images[:2]])
    np.savez(
        tmp_path / "a.npz",
        x_train=images[:40], y_train=labels[:40],
        x_val=val, y_val=np.concatenate([labels[50:], labels[25:30], labels[:2]]),
        x_test=test, y_test=labels[25:50],
    )  # fmt: skip
    warnings = load_dataset(str(tmp_path / "a.npz")).warnings
    assert (
        "15 of the 25 test images are also training images: test[0], test[1], test[2] and 12 more" in warnings
    )
    assert any(each.startswith("5 of the 25 test images are also validation images") for each in warnings)
    assert any(each.startswith("7 of the 17 validation images are also training images") for each in warnings)


def test_arrays_with_a_copy_of_another_class(tmp_path):
    images = np.random.default_rng(2).integers(0, 200, (30, 6, 6)).astype(np.uint8)
    images[29] = images[0]
    np.savez(tmp_path / "a.npz", x=images, y=np.arange(30) % 3)
    warnings = load_dataset(str(tmp_path / "a.npz")).warnings
    assert any(
        each.startswith("2 images have copies with another class, so one label is wrong") for each in warnings
    )


def test_a_whole_is_not_divided(root):
    dataset = load_dataset(str(root), LoadOptions(whole=True))
    assert (len(dataset.train), len(dataset.val), len(dataset.test), dataset.given) == (120, 0, 0, ())
    shutil.copytree(root, root.parent / "two" / "train")
    shutil.copytree(root, root.parent / "two" / "val")
    dataset = load_dataset(str(root.parent / "two"), LoadOptions(whole=True))
    assert (len(dataset.train), len(dataset.val), len(dataset.test)) == (120, 120, 0)
    assert dataset.given == ("train", "val")
    for path in root.rglob("*.png"):
        path.write_bytes(path.name.encode() + path.parent.name.encode())
    with pytest.raises(CnncliError, match=r"pets has no usable images \(120 left out\)"):
        load_dataset(str(root), LoadOptions(whole=True))
