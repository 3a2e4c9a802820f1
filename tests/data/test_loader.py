import threading

import numpy as np
import pytest
from data_helpers import picture, write_image
from PIL import Image

from cnncli.data.augment import Augment
from cnncli.data.class_labels import ClassLabels
from cnncli.data.files import Files
from cnncli.data.loader import Loader
from cnncli.data.model import Arrays
from cnncli.data.prepare import InputSpec
from cnncli.errors import CnncliError
from cnncli.tasks.classification import Classification

SHAPE = (7, 9, 3)
NAMES = ("a", "b", "c", "d")


def arrays(count=53, shape=SHAPE):
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, *shape)).astype(np.uint8)
    return Arrays(images, ClassLabels(generator.integers(0, 4, count), NAMES))


def files(tmp_path, count=21, damaged=()):
    paths = []
    for i in range(count):
        path = tmp_path / f"{i}.png"
        write_image(path, picture(i, *SHAPE))
        if i in damaged:
            path.write_bytes(path.read_bytes()[:60])
        paths.append(path)
    return Files(tuple(paths), ClassLabels(np.arange(count, dtype=np.int64) % 3, NAMES), InputSpec(SHAPE))


def copied(loader, epoch, **options):
    return [
        (batch.x.copy(), batch.targets.numbers, batch.indices, Classification(NAMES).encode(batch))
        for batch in loader.epoch(epoch, **options)
    ]


def same(ours, theirs):
    return len(ours) == len(theirs) and all(
        np.array_equal(a, b)
        for mine, other in zip(ours, theirs, strict=True)
        for a, b in zip(mine, other, strict=True)
    )


def test_in_order_and_normalised():
    split = arrays()
    mean, std = np.float32([0.4, 0.5, 0.6]), np.float32([0.2, 0.25, 0.3])
    loader = Loader(split, 10, mean=mean, std=std)
    batches = list(copied(loader, 0))
    assert len(loader) == len(batches) == 6
    assert [len(labels) for _, labels, _, _ in batches] == [10] * 5 + [3]
    np.testing.assert_allclose(
        np.concatenate([x for x, *_ in batches]), (split.images / 255 - mean) / std, atol=1e-5
    )
    assert np.array_equal(np.concatenate([labels for _, labels, _, _ in batches]), split.targets.numbers)


def test_last_batch_can_be_dropped():
    loader = Loader(arrays(), 10, drop_last=True)
    assert [len(batch) for batch in loader.epoch(0)] == [10] * len(loader) == [10] * 5


@pytest.mark.parametrize("mixup", [0, 0.3])
@pytest.mark.parametrize("threads", [1, 3])
def test_epochs_are_functions_of_seed_and_number(mixup, threads):
    augment = Augment(shift=2, rotate=20, flip=0.5, mixup=mixup)
    split = arrays(300)
    loader = Loader(split, 16, augment=augment, seed=5, shuffle=True, threads=threads)
    again = Loader(split, 16, augment=augment, seed=5, shuffle=True)
    other = Loader(split, 16, augment=augment, seed=6, shuffle=True)
    third = copied(loader, 3)
    assert same(third, copied(again, 3))
    assert not same(third, copied(other, 3))
    assert not same(third, copied(loader, 4))
    assert sorted(np.concatenate([indices for _, _, indices, _ in third])) == list(range(300))


@pytest.mark.parametrize("first", [0, 1, 7, 18, 19])
def test_an_epoch_goes_on_in_its_middle(first):
    loader = Loader(arrays(300), 16, augment=Augment(scale=0.2, mixup=0.3), shuffle=True)
    assert same(copied(loader, 2)[first:], copied(loader, 2, first=first))


def test_small_blocks_change_nothing(monkeypatch):
    split = arrays(100)
    augment = Augment(rotate=10, mixup=0.5)
    whole = copied(Loader(split, 8, augment=augment, shuffle=True), 1)
    monkeypatch.setattr("cnncli.data.loader._BLOCK_VALUES", 1)
    assert same(whole, copied(Loader(split, 8, augment=augment, shuffle=True), 1))


def test_targets_of_mixed_images():
    loader = Loader(arrays(40), 20, augment=Augment(mixup=1.0))
    for batch in loader.epoch(0):
        targets = Classification(NAMES).encode(batch)
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        for row, label, mixed, share in zip(
            targets, batch.targets.numbers, batch.mixed.numbers, batch.share, strict=True
        ):
            assert row[label] == pytest.approx(1 if label == mixed else share)


def test_files_give_what_arrays_give(tmp_path):
    streamed = files(tmp_path)
    images = np.stack([np.asarray(Image.open(path)) for path in streamed.paths])
    augment = Augment(flip=0.5, rotate=5)
    kept = Arrays(images, streamed.targets)
    for options in ({}, {"first": 2}):
        ours = copied(Loader(streamed, 4, augment=augment, shuffle=True, threads=2), 1, **options)
        assert same(ours, copied(Loader(kept, 4, augment=augment, shuffle=True), 1, **options))


@pytest.mark.parametrize("threads", [1, 3])
def test_files_that_go_bad_are_an_error_and_no_thread_stays(tmp_path, threads):
    """No other image takes the place of one: it would be trained on and counted as what it is not."""
    split = files(tmp_path, damaged={4})
    split.paths[5].unlink()
    with pytest.raises(CnncliError, match=r"4\.png could be read .* no longer can: .*damaged or truncated"):
        list(Loader(split, 4, threads=threads).epoch(0))
    assert not [each for each in threading.enumerate() if each.name == "cnncli-loader"]


def test_leaving_early_stops_the_thread(tmp_path):
    batches = Loader(files(tmp_path), 1).epoch(0)
    next(batches)
    batches.close()
    assert not [each for each in threading.enumerate() if each.name == "cnncli-loader"]


def test_no_images():
    empty = Arrays(np.zeros((0, *SHAPE), np.uint8), ClassLabels(np.zeros(0, np.int64), NAMES))
    loader = Loader(empty, 8, shuffle=True)
    assert len(loader) == 0
    assert list(loader.epoch(0)) == []


def test_batch_size_zero():
    with pytest.raises(ValueError, match="batch_size is 0; expected 1 or more"):
        Loader(arrays(), 0)
