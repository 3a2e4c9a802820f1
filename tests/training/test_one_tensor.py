"""One picture, one input: what is learned from, judged and predicted are the same bytes."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.checked import Fields
from cnncli.data.assemble import LoadOptions
from cnncli.data.folder import load_folder
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import load_dataset
from cnncli.data.prepare import InputSpec, read_file, read_prepared
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.pixels import preprocessing_of

SIDE = 16
TURN = Image.Transpose.ROTATE_90


def base(i):
    """Gray steps that reach from 0 to 255, other ones for each image."""
    return np.random.default_rng(i).permutation(np.arange(256)).astype(np.uint8).reshape(SIDE, SIDE)


def exif_6(pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    return Image.fromarray(pixels).transpose(TURN), {"exif": exif}


def palette(pixels):
    image = Image.fromarray(pixels, "P")
    image.putpalette(bytes(v for shade in range(256) for v in (255 - shade, shade, 0)))
    return image, {}


def save(kind, path, i):
    """Write an image; what it is in 8 bits, (H, W) or (H, W, 3), by the rule of its kind."""
    pixels, options = base(i), {}
    expected = pixels
    if kind == "8 bits":
        image = Image.fromarray(pixels)
    elif kind == "16 bits":
        image = Image.fromarray(pixels.astype(np.uint16) * 257)
    elif kind == "12 bits in 16":
        deep = pixels.astype(np.uint16) * 16
        image, expected = Image.fromarray(deep), np.rint(deep * (255 / 4095))
    elif kind == "8 bits in 16":
        image = Image.fromarray(pixels.astype(np.uint16))
    elif kind == "float to 1":
        image, path = Image.fromarray(pixels.astype(np.float32) / 255), path.with_suffix(".tif")
    elif kind == "float to 255":
        image, path = Image.fromarray(pixels.astype(np.float32)), path.with_suffix(".tif")
    elif kind == "counts":
        image, path = Image.fromarray(pixels.astype(np.float32) * 12), path.with_suffix(".tif")
        expected = np.rint(pixels * (12 * 255 / 4095))
    elif kind.startswith(".npy"):
        image = pixels if kind == ".npy bytes" else pixels.astype(np.float64) / (255 if "1" in kind else 1)
        np.save(path.with_suffix(".npy"), image)
        return path.with_suffix(".npy"), expected
    elif kind == "palette":
        image, options = palette(pixels)
        expected = np.stack([255 - pixels, pixels, 0 * pixels], axis=2)
    elif kind == "opacity":
        cover = np.full_like(pixels, 255)
        cover[:4] = 51
        image = Image.fromarray(np.stack([pixels, cover], axis=2))
        expected = np.where(cover == 51, np.rint(pixels * 0.2 + 255 * 0.8), pixels)
    elif kind == "CMYK":
        ink = np.stack([255 - pixels, 255 - pixels, 255 - pixels, 0 * pixels], axis=2)
        image, path = Image.fromarray(ink, "CMYK"), path.with_suffix(".tif")
    elif kind == "on its side":
        image, options = exif_6(pixels)
    else:
        assert kind == "animated"
        image = Image.fromarray(pixels)
        options = {"save_all": True, "append_images": [Image.fromarray(255 - pixels)], "duration": 50}
    image.save(path, **options)
    return path, expected


def network_of(dataset):
    """What `train` would store of the pixels."""
    made, _ = preprocessing_of(dataset, None)
    return Preprocessing.from_fields(
        Fields(json.loads(json.dumps(asdict(made))))
    ).input_spec  # as from a file


def everything(dataset):
    """Images of a data set by name."""
    found = {}
    for split in (dataset.train, dataset.val, dataset.test):
        out = np.empty((len(split), *split.shape), np.uint8)
        split.read(np.arange(len(split)), out)
        found |= {split.name(at): out[at] for at in range(len(split))}
    return found


KINDS = (
    "8 bits", "16 bits", "12 bits in 16", "8 bits in 16", "float to 1", "float to 255", "counts",
    ".npy bytes", ".npy to 1", ".npy to 255", "palette", "opacity", "CMYK", "on its side", "animated",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory", [1 << 30, 100])
def test_every_kind(tmp_path, kind, memory):
    expected = {}
    for i in range(8):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        path, pixels = save(kind, tmp_path / "ab"[i % 2] / f"{i}.png", i)
        expected[str(path)] = np.asarray(pixels, np.uint8)
    learned = load_folder(tmp_path, LoadOptions(memory=memory))
    assert not learned.warnings
    input_spec = network_of(learned)
    as_images = LoadOptions(image_options=ImageOptions(input_spec=input_spec), task="classify")
    judged = load_dataset(str(tmp_path), as_images)  # without the task, animations are clips
    inputs = everything(learned), everything(judged)
    assert inputs[0].keys() == inputs[1].keys() == expected.keys()
    for name, pixels in expected.items():
        alone = read_prepared(read_file(Path(name)), input_spec, name=name).pixels
        wanted = np.broadcast_to(pixels.reshape(SIDE, SIDE, -1), alone.shape)
        for each in (inputs[0][name], inputs[1][name], alone):
            np.testing.assert_array_equal(each, wanted)


def photo(path, i, size=(400, 310)):
    y, x = np.mgrid[: size[1], : size[0]]
    shades = np.stack([x * 255 / size[0], y * 255 / size[1], 128 + 90 * np.sin(x / 9 + i)], 2)
    Image.fromarray(shades.astype(np.uint8)).save(path, quality=92)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(24, 40, 3), (32, 32, 1)])
def test_photographs_of_other_shapes(tmp_path, fit, shape):
    """Reduced while they are decoded, and turned gray before they are scaled, everywhere."""
    for i in range(8):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        photo(tmp_path / "ab"[i % 2] / f"{i}.jpg", i, (400, 310) if i % 3 else (90, 200))
    load_options = LoadOptions(image_options=ImageOptions(shape[:2], fit, shape[2]))
    learned = load_folder(tmp_path, load_options)
    input_spec = network_of(learned)
    assert (input_spec.shape, input_spec.fit) == (shape, fit)
    judged = everything(
        load_dataset(str(tmp_path), LoadOptions(image_options=ImageOptions(input_spec=input_spec)))
    )
    for name, pixels in everything(learned).items():
        np.testing.assert_array_equal(pixels, judged[name])
        np.testing.assert_array_equal(
            pixels, read_prepared(read_file(Path(name)), input_spec, name=name).pixels
        )


def test_digits_on_larger_paper(tmp_path):
    """Cut out of the whole sheet, not of a square that has lost them."""
    input_spec = InputSpec((28, 28, 1), digits=True)
    for i in range(6):
        (tmp_path / "01"[i % 2]).mkdir(exist_ok=True)
        paper = np.full((100, 400), 235, np.uint8)
        paper[10:90, 20 + 60 * i : 34 + 60 * i] = 30
        Image.fromarray(paper).save(tmp_path / "01"[i % 2] / f"{i}.png")
    judged = load_dataset(str(tmp_path), LoadOptions(image_options=ImageOptions(input_spec=input_spec)))
    for name, pixels in everything(judged).items():
        alone = read_prepared(read_file(Path(name)), input_spec, name=name)
        np.testing.assert_array_equal(pixels, alone.pixels)
        assert judged.adapted[name] == alone.changes == ("inverted", "cropped", "centred")
        rows = np.flatnonzero(pixels.max(axis=(1, 2)) > 127)
        assert 19 <= rows[-1] - rows[0] + 1 <= 21


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("digits", [False, True])
def test_rows_of_an_array_are_pictures(tmp_path, dtype, digits):
    images = np.stack([base(i) for i in range(12)])
    if digits:
        images = np.zeros((12, 28, 28), np.uint8)
        images[:, 4:24, 12:16] = 200
        images[::3] = 255 - images[::3]
        images[1::3] = np.roll(images[1::3], 9, axis=2)
    scale = {np.uint16: 257, np.float32: 1 / 255, np.float64: 1 / 255}.get(dtype, 1)
    stored = (images * np.float64(scale)).astype(dtype)
    labels = np.arange(12) % 2
    np.savez(tmp_path / "a.npz", x_train=stored, y_train=labels, x_test=stored, y_test=labels)
    learned = load_dataset(str(tmp_path / "a.npz"), LoadOptions(val_split=0))
    np.testing.assert_array_equal(learned.test.images[..., 0], images)
    input_spec = network_of(learned)
    if digits:
        input_spec = InputSpec(input_spec.shape, input_spec.fit, True, input_spec.scales)
    judged = load_dataset(
        str(tmp_path / "a.npz"), LoadOptions(image_options=ImageOptions(input_spec=input_spec))
    )
    for at in range(12):
        one = stored[at] if dtype != np.int64 else stored[at].astype(np.uint16)
        np.save(tmp_path / "one.npy", one)
        alone = read_prepared(read_file(tmp_path / "one.npy"), input_spec, name="one.npy")
        np.testing.assert_array_equal(judged.test.images[at], alone.pixels)
        assert judged.adapted.get(f"test[{at}]", ()) == alone.changes
        assert bool(alone.changes) == (digits and at % 3 == 0)


def test_bytes_and_floats_of_one_picture_are_one_input(tmp_path):
    """Whatever of the three the network learned from."""
    pixels = base(3)
    forms = {"bytes": pixels, "unit": pixels.astype(np.float32) / 255, "to_255": pixels.astype(np.float32)}
    for name, array in forms.items():
        np.save(tmp_path / f"{name}.npy", array)
    for learnt_from in forms:
        folder = tmp_path / learnt_from
        for i in range(6):
            (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
            other = base(i) if learnt_from == "bytes" else base(i).astype(np.float32)
            np.save(folder / "ab"[i % 2] / f"{i}.npy", other / 255 if learnt_from == "unit" else other)
        input_spec = network_of(load_dataset(str(folder)))
        for name in forms:
            data = read_file(tmp_path / f"{name}.npy")
            np.testing.assert_array_equal(read_prepared(data, input_spec, name=name).pixels[..., 0], pixels)
