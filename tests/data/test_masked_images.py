"""Images with masks: what a network gets of a mask lies where it gets the image."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import load_dataset
from cnncli.data.masked_images import as_map
from cnncli.data.pixel_labels import UNLABELLED
from cnncli.data.prepare import InputSpec, Resize, as_input
from cnncli.errors import CnncliError
from cnncli.images.picture import Picture

SPECS = {
    "crop": InputSpec((24, 24, 1)),
    "crop of another aspect": InputSpec((20, 32, 3)),
    "pad": InputSpec((24, 24, 3), "pad"),
    "stretch": InputSpec((24, 16, 1), "stretch"),
    "as from elsewhere": InputSpec((24, 24, 3), resize=Resize(28, "bilinear", "truncated")),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("size", [(48, 96), (96, 48), (24, 24), (13, 17)])
def test_masks_lie_where_images_do(name, size):
    """A disk that is light in the image is class 1 in the mask: they agree but for the edge."""
    spec = SPECS[name]
    rows, columns = np.mgrid[: size[0], : size[1]]
    radius = min(size) / 3
    disk = np.hypot(rows - size[0] / 2 + 2, columns - size[1] / 2 - 1) < radius
    image = as_input(
        Picture((np.where(disk, 255, 60).astype(np.uint8)[..., None],)), spec.shape, spec.fit, spec.resize
    )
    mask = as_map(disk.astype(np.uint8), spec)
    assert mask.shape == spec.shape[:2]
    light, dark, beyond = image[..., 0] > 230, (image[..., 0] > 50) & (image[..., 0] < 85), image[..., 0] == 0
    assert (mask[light] == 1).all()
    assert (mask[dark] == 0).all()
    assert (mask[beyond] == UNLABELLED).all()
    assert light.sum() > 0.5 * (mask == 1).sum() > 0


def write(folder, count=30, *, names=("ground", "disk")):
    random = np.random.default_rng(3)
    for inner in ("images", "masks"):
        (folder / inner).mkdir(parents=True)
    for number in range(count):
        pixels = random.integers(0, 90, (40, 50, 3)).astype(np.uint8)
        mask = np.zeros((40, 50), np.uint8)
        top, left = random.integers(0, 25, 2)
        mask[top : top + 14, left : left + 14] = 1
        pixels[mask == 1] += 150
        Image.fromarray(pixels).save(folder / f"images/{number}.png")
        Image.fromarray(mask).save(folder / f"masks/{number}.png")
    if names:
        (folder / "class_names.txt").write_text("\n".join(names))
    return folder


def loaded(folder, **given):
    return load_dataset(str(folder), LoadOptions(image_options=ImageOptions(size=(32, 32)), **given))


def test_a_folder_of_images_and_masks(tmp_path):
    dataset = loaded(write(tmp_path / "d"))
    assert dataset.targets.task == "segmentation"
    assert dataset.targets.classes == ("ground", "disk")
    for split in (dataset.train, dataset.val, dataset.test):
        maps = split.targets.maps
        assert maps.shape == (len(split), 32, 32)
        images = np.empty((len(split), 32, 32, 3), np.uint8)
        split.read(np.arange(len(split)), images)
        assert (maps[images.min(axis=-1) > 160] == 1).all()
        assert (maps[images.max(axis=-1) < 80] == 0).all()
    assert len(dataset.train) + len(dataset.val) + len(dataset.test) == 30


def test_images_read_in_training_have_their_masks_too(tmp_path):
    """Where images do not fit into memory."""
    write(tmp_path / "d")
    small, large = loaded(tmp_path / "d"), loaded(tmp_path / "d", memory=1000)
    assert type(small.train) is not type(large.train)
    np.testing.assert_array_equal(small.train.targets.maps, large.train.targets.maps)


def test_folders_of_these_names_may_be_classes(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("L", (8, 8), 10 * number + len(name)).save(tmp_path / name / f"{name}{number}.png")
    assert load_dataset(str(tmp_path)).targets.task == "classification"
    write(tmp_path / "d", 8)
    assert loaded(tmp_path / "d", task="classify").targets.task == "classification"


def test_masks_of_one_class(tmp_path):
    folder = write(tmp_path / "d", 6)
    for path in (folder / "masks").iterdir():
        Image.fromarray(np.zeros((40, 50), np.uint8)).save(path)
    with pytest.raises(CnncliError, match="masks of one class only, ground"):
        loaded(folder)


def test_lists_of_images_are_the_splits(tmp_path):
    folder = write(tmp_path / "d", 12)
    lists = folder / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for name, numbers in (("train", (0, 2, 4, 6, 8)), ("val", (1, 3, 77)), ("trainval", range(12))):
        (lists / f"{name}.txt").write_text("\n".join(map(str, numbers)))
    dataset = loaded(folder)
    assert dataset.given == ("train", "val")
    assert [Path(dataset.train.name(at)).stem for at in range(len(dataset.train))]
    there = {part: {Path(getattr(dataset, part).name(at)).stem for at in range(len(getattr(dataset, part)))}
             for part in ("train", "val", "test")}  # fmt: skip
    assert there["train"] | there["test"] == set("02468")
    assert there["val"] == set("13")
    assert [each.path for each in dataset.skipped] == ["77"]
    assert any("5 images are in no list" in note for note in dataset.notes)
    with pytest.raises(CnncliError, match=r"77.*--strict"):
        loaded(folder, strict=True)


def test_copies_with_other_masks_are_told_from_true_copies(tmp_path):
    """Masks that are files, and masks that are drawn: equal where what they say is equal."""
    folder = write(tmp_path / "d", 12)
    for kind in ("images", "masks"):
        shutil.copy(folder / kind / "0.png", folder / kind / "copy.png")
    shutil.copy(folder / "images/1.png", folder / "images/other.png")
    Image.fromarray(np.eye(40, 50, dtype=np.uint8)).save(folder / "masks/other.png")
    found = loaded(folder)
    assert sum(map(len, (found.train, found.val, found.test))) == 12
    assert any("equal content have different labels" in each and "other" in each for each in found.warnings)
