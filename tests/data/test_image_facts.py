"""What is chosen by the images: by all of them, wherever the odd one lies."""

import numpy as np
import pytest
from data_helpers import write_image

from cnncli.data.assemble import LoadOptions
from cnncli.data.folder import load_folder
from cnncli.data.image_facts import ImageFacts, ImageOptions
from cnncli.data.load import load_dataset
from cnncli.data.prepare import InputSpec, Prepared
from cnncli.errors import CnncliError
from cnncli.images.levels import Scale
from cnncli.images.picture import Picture


def gray(i, side=8):
    return np.random.default_rng(i).integers(0, 200, (side, side, 1)).astype(np.uint8).repeat(3, 2)


@pytest.fixture
def folder(tmp_path):
    """150 gray images, coded as colour, of which one may be made another: ``folder(at, pixels)``."""

    def make(at, pixels):
        for i in range(150):
            write_image(tmp_path / "pets" / "ab"[i % 2] / f"{i:03}.png", pixels if i == at else gray(i))
        return tmp_path / "pets"

    return make


@pytest.mark.parametrize("memory", [1 << 30, 100])
@pytest.mark.parametrize("at", [1, 74, 149])
def test_one_image_in_colour_makes_all_so(folder, at, memory):
    reddish = gray(at)
    reddish[..., 0] += 3
    dataset = load_folder(folder(at, reddish), LoadOptions(memory=memory))
    assert dataset.shape == (8, 8, 3)
    for split in (dataset.train, dataset.val, dataset.test):
        out = np.empty((len(split), *dataset.shape), np.uint8)
        split.read(np.arange(len(split)), out)
        for place, pixels in enumerate(out):
            number = int(split.name(place).rpartition("/")[2][:3])
            np.testing.assert_array_equal(pixels, reddish if number == at else gray(number))


@pytest.mark.parametrize("memory", [1 << 30, 100])
def test_one_image_of_another_size_makes_all_usual(folder, memory):
    dataset = load_folder(folder(75, gray(75, side=9)), LoadOptions(memory=memory))
    assert dataset.shape == (64, 64, 1)
    assert "images of 8x8 to 9x9 pixels are scaled to 64x64, cut to a square" in dataset.notes
    assert load_folder(folder(75, gray(75)), LoadOptions(memory=memory)).shape == (8, 8, 1)


def test_one_bright_image_sets_the_scale(tmp_path):
    for i in range(150):
        values = np.random.default_rng(i).random((8, 8)).astype(np.float32) * (255 if i == 75 else 60)
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        np.save(tmp_path / "ab"[i % 2] / f"{i:03}.npy", values)
    dataset = load_folder(tmp_path, LoadOptions())
    scale = dataset.input_spec.scales["float32"]
    assert (scale.low, scale.high) == (0, 255)
    assert "float pixels are used as 8-bit: black is 0, white 255" in dataset.notes


@pytest.mark.parametrize(
    ("fit", "said", "corner"),
    [
        ("crop", "scaled to 20x10, what sticks out is cut", 255),
        ("pad", "scaled to fit into 20x10, the rest is black", 0),
        ("stretch", "stretched to 20x10", 255),
    ],
)
def test_size_and_fit(tmp_path, fit, said, corner):
    for i in range(6):
        write_image(tmp_path / "ab"[i % 2] / f"{i}.png", np.full((30 + i, 30 + i), 255, np.uint8))
    dataset = load_folder(tmp_path, LoadOptions(image_options=ImageOptions((10, 20), fit)))
    assert dataset.shape == (10, 20, 1)
    assert f"images of 30x30 to 35x35 pixels are {said}" in dataset.notes
    assert set(dataset.train.images[:, :, 0].ravel()) == {corner}
    assert set(dataset.train.images[:, :, 10].ravel()) == {255}


def test_what_is_clipped_is_counted_and_what_is_dim_is_said(tmp_path, rng):
    bright = rng.random((12, 8, 8)).astype(np.float32)
    bright[3, :2, 0] = bright[7, 0, 0] = 1.3
    np.savez(tmp_path / "a.npz", x=bright, y=np.arange(12) % 2)
    dataset = load_dataset(str(tmp_path / "a.npz"))
    assert "clipped because they are beyond black or white: 3 values of 2 images" in dataset.warnings


def shelved(root, images, form):
    """Images as a folder of class folders, a table of files, or an array."""
    for at, image in enumerate(images):
        (root / "d" / "ab"[at % 2]).mkdir(parents=True, exist_ok=True)
        np.save(root / "d" / "ab"[at % 2] / f"{at:02}.npy", image)
    rows = [f"d/{'ab'[at % 2]}/{at:02}.npy,{'ab'[at % 2]}" for at in range(len(images))]
    (root / "d.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    np.savez(root / "d.npz", x=np.stack(images), y=np.arange(len(images)) % 2)
    return str(root / {"folder": "d", "table": "d.csv", "array": "d.npz"}[form])


FORMS = ("folder", "table", "array")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("large", [255, 3000, 60_000])
def test_fractions_up_to_1_among_larger_numbers_are_refused_by_name(tmp_path, rng, form, large):
    images = [
        rng.random((8, 8)).astype(np.float32) * (1 if at in (4, 7, 8, 9) else large) for at in range(12)
    ]
    images[0][0, 0] = large
    with pytest.raises(CnncliError, match="4 images of float pixels do not go beyond 1 ") as error:
        load_dataset(shelved(tmp_path, images, form))
    message = error.value.message
    assert f"others reach {large:g}; expected one scale for all" in message
    names = ["d[4]", "d[7]", "d[8]"] if form == "array" else ["a/04.npy", "a/08.npy", "b/07.npy"]
    assert all(name in message for name in names), message
    assert "and 1 more" in message


@pytest.mark.parametrize("form", FORMS)
def test_whole_numbers_up_to_1_among_bytes_are_dark_and_said(tmp_path, rng, form):
    images = [rng.integers(0, 256, (8, 8)).astype(np.float32) for _ in range(12)]
    images[5] = (images[5] > 99).astype(np.float32)
    dataset = load_dataset(shelved(tmp_path, images, form))
    (warning,) = dataset.warnings
    assert warning.startswith("1 image of float pixels does not go beyond 1, others reach 25")
    assert ("d[5]" if form == "array" else "b/05.npy") in warning
    assert dataset.input_spec.scales["float32"].high == 255


@pytest.mark.parametrize("form", FORMS)
def test_small_numbers_of_one_scale_that_is_stretched_are_no_other_scale(tmp_path, rng, form):
    """Metres: nothing is beyond 10, and what is nearer than 1 has levels enough."""
    images = [rng.random((8, 8)).astype(np.float32) * (0.9 if at == 5 else 10) for at in range(12)]
    scale = load_dataset(shelved(tmp_path, images, form)).input_spec.scales["float32"]
    assert scale.low == 0
    assert 10 < scale.high < 12


@pytest.mark.parametrize(("kind", "large", "small"), [("float32", 255, 1), ("uint16", 60_000, 3000)])
def test_splits_of_two_savers_are_refused(tmp_path, rng, kind, large, small):
    x, y = rng.random((12, 8, 8)), np.arange(12) % 2
    np.savez(
        tmp_path / "a.npz",
        x_train=(x * large).astype(kind),
        y_train=y,
        x_test=(x * small).astype(kind),
        y_test=y,
    )
    with pytest.raises(
        CnncliError, match=r"a\.npz: pixels reach [\d.]+ in train and [\d.]+ in test; expected one"
    ):
        load_dataset(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_of_a_network_to_start_from(tmp_path, rng, channels):
    colours = rng.integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=colours if channels == 1 else colours[..., :1], y=np.arange(12) % 2)
    dataset = load_dataset(
        str(tmp_path / "a.npz"), LoadOptions(image_options=ImageOptions(channels=channels))
    )
    assert dataset.shape == (8, 8, channels)
    said = {1: "images are turned gray", 3: "gray images are taken as colour"}[channels]
    assert f"{said}, as the network takes them" in dataset.notes


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_change_of_colour_is_taken_down_and_nothing_else(channels, colour, alpha):
    frame = np.zeros((4, 4, (3 if colour else 1) + alpha), np.uint8)
    image_facts = ImageFacts()
    image_facts.record_result(
        "a.png", Picture((frame,), alpha), Prepared(np.zeros((4, 4, channels), np.uint8))
    )
    wanted = {(True, 1): {"a.png": ("gray",)}, (False, 3): {"a.png": ("colour",)}}
    assert image_facts.adapted == wanted.get((colour, channels), {})


@pytest.mark.parametrize("known", [{}, {"uint16": Scale(0, 65535, 50_000, 65535)}])
def test_a_dark_row_of_an_array_is_on_the_scale_of_the_others(tmp_path, rng, known):
    """A lone picture as dark as that is refused, and so is an array of such pictures alone."""
    images = (rng.random((6, 8, 8)) * 60_000).astype(np.uint16)
    images[0, 0, 0], images[3] = 65_535, images[3] // 8
    np.savez(tmp_path / "a.npz", x=images, y=np.arange(6) % 2)
    input_spec = InputSpec((8, 8, 1), scales=known)
    dataset = load_dataset(
        str(tmp_path / "a.npz"),
        LoadOptions(image_options=ImageOptions(input_spec=input_spec), for_training=False, whole=True),
    )
    np.testing.assert_array_equal(dataset.train.images[..., 0], np.rint(images / 257))
    np.savez(tmp_path / "b.npz", x=images[3:4], y=[0])
    with pytest.raises(CnncliError, match="it is dark, or holds 14 bits or less"):
        load_dataset(
            str(tmp_path / "b.npz"),
            LoadOptions(image_options=ImageOptions(input_spec=input_spec), for_training=False, whole=True),
        )
