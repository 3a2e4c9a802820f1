"""Folders of images with PNG masks: palette or gray, classes, what is missing or of another size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.data.assemble import LoadOptions
from cnncli.data.load import load_dataset
from cnncli.data.mask_folder import read_masks
from cnncli.errors import CnncliError

LABELME = Path("/usr/share/doc/labelme-examples/examples/semantic_segmentation/data_dataset_voc")


@pytest.fixture
def folder(tmp_path, rng):
    """A picture of 9x7 pixels and its mask of classes 0 to 2 and 255, for each way of saving one."""
    numbers = rng.choice([0, 1, 2, 255], (7, 9)).astype(np.uint8)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    palette = Image.fromarray(numbers)
    palette = palette.convert("P")
    palette.putdata(numbers.ravel().tolist())
    masks = {
        "gray": Image.fromarray(numbers),
        "palette": palette,
        "deep": Image.fromarray(numbers.astype(np.uint16)),
    }
    for name, mask in masks.items():
        Image.new("RGB", (9, 7)).save(tmp_path / f"images/{name}.jpg")
        mask.save(tmp_path / f"masks/{name}.png")
    return tmp_path, numbers


def test_numbers_are_read_as_they_are_stored(folder):
    path, numbers = folder
    images, masks = read_masks(path).parts["train"]
    assert [each.stem for each in images] == ["deep", "gray", "palette"]
    assert masks.classes == ("0", "1", "2")
    for mask in masks.maps:
        np.testing.assert_array_equal(mask.read(), numbers)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_numbers_too(folder, bits):
    path, numbers = folder
    few = np.minimum(numbers, 2**bits - 1)
    small = Image.new("P", (9, 7))
    small.putpalette([0, 0, 0] * 256)
    small.putdata(few.ravel().tolist())
    small.save(path / "masks/palette.png", bits=bits)
    _, masks = read_masks(path).parts["train"]
    np.testing.assert_array_equal(masks.maps[2].read(), few)


def test_names_of_classes(folder):
    path, _ = folder
    (path / "class_names.txt").write_text("__ignore__\nground\ncat\n")
    with pytest.raises(CnncliError, match="its mask has class 2; expected 0 to 1, or 255"):
        read_masks(path)
    (path / "class_names.txt").write_text("ground\ncat\ndog\n")
    assert read_masks(path).parts["train"][1].classes == ("ground", "cat", "dog")


def broken(path, what):
    mask = path / "masks/gray.png"
    if what == "missing":
        mask.unlink()
    elif what == "size":
        Image.new("L", (9, 8)).save(mask)
    elif what == "colours":
        Image.new("RGB", (9, 7)).save(mask)
    elif what == "damaged":
        mask.write_bytes(mask.read_bytes()[:60])
    else:
        Image.new("L", (9, 7)).save(path / "masks/other.png")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("missing", "it has no mask of its name"),
        ("size", "has 9x8 pixels; expected 9x7"),
        ("colours", "with colours"),
        ("damaged", "damaged"),
        ("alone", "there is no image of this name"),
    ],
)
def test_what_cannot_be_used_is_listed_or_refused(folder, what, reason):
    path, _ = folder
    broken(path, what)
    found = read_masks(path, threads=2)
    (skipped,) = found.skipped
    assert reason in skipped.sentence
    assert len(found.parts["train"][0]) == (3 if what == "alone" else 2)
    with pytest.raises(CnncliError, match=reason):
        load_dataset(str(path), LoadOptions(strict=True))


def test_folders_that_are_none(tmp_path):
    with pytest.raises(CnncliError, match="has no folder of images"):
        read_masks(tmp_path)


@pytest.mark.skipif(not LABELME.is_dir(), reason="Debian's labelme-examples is not installed")
def test_masks_that_another_program_wrote():
    found = read_masks(LABELME)
    _, masks = found.parts["train"]
    assert (len(masks.classes), masks.classes[15], found.skipped) == (21, "person", ())
    assert np.unique(masks.maps[0].read()).tolist() == [0, 5, 15, 255]


def test_a_mask_is_of_one_image(folder):
    """The first of those that have its name; others are listed."""
    path, _ = folder
    Image.new("RGB", (9, 7), (200, 0, 0)).save(path / "images/gray.png")
    found = read_masks(path)
    images, _ = found.parts["train"]
    assert [each.name for each in images] == ["deep.jpg", "gray.jpg", "palette.jpg"]
    assert len(found.sizes) == 3
    (skipped,) = found.skipped
    assert "gray.jpg has the same name" in skipped.reason
