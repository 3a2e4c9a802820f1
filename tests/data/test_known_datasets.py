"""Data sets by name: what ships, what other programs keep, what a local server gives."""

import dataclasses
import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest
from data_helpers import digits, idx_bytes, send, write_idx

from cnncli.data import known_datasets
from cnncli.data.assemble import LoadOptions
from cnncli.data.download import Remote
from cnncli.data.load import load_dataset
from cnncli.errors import CnncliError

# Of the 1,000 test digits: they must never change, or accuracies could not be compared.
TEST_DIGITS = "41d09fc416ad3619a6b9b7e2993783ca3b642188ad1d90ad902d5c887da78e67"


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNCLI_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_digits_that_ship():
    dataset = load_dataset("MNIST", LoadOptions(offline=True, val_split=0.1))
    assert (len(dataset.train) + len(dataset.val), len(dataset.test)) == (4000, 1000)
    assert 300 < len(dataset.val) < 500
    assert np.bincount(dataset.test.targets.numbers).tolist() == [100] * 10
    assert "the 5,000 digits that ship with cnncli, split 4,000/1,000" in dataset.provenance
    assert "--offline" in dataset.notes[0]


def test_the_test_digits_are_always_the_same():
    tests = [load_dataset("mnist", LoadOptions(offline=True, seed=seed)).test for seed in (0, 1)]
    assert np.array_equal(tests[0].images, tests[1].images)
    assert hashlib.sha256(tests[0].images.tobytes()).hexdigest() == TEST_DIGITS


def test_digits_look_like_their_labels():
    """The mean image of a class is nearest to most of its own digits: labels and pixels belong together."""
    dataset = load_dataset("mnist", LoadOptions(offline=True, val_split=0))
    flat = dataset.train.images.reshape(4000, -1).astype(float)
    means = np.stack([flat[dataset.train.targets.numbers == k].mean(axis=0) for k in range(10)])
    distance = ((dataset.test.images.reshape(1000, 1, -1) - means[None]) ** 2).sum(axis=2)
    assert np.mean(distance.argmin(axis=1) == dataset.test.targets.numbers) > 0.78


@pytest.mark.parametrize("place", ["mnist", "MNIST/raw"])
def test_files_in_the_data_folder_come_first(data_dir, place):
    folder = data_dir / place
    folder.mkdir(parents=True)
    images, labels = digits(60, side=28, classes=10)
    write_idx(folder, "train", images[:40], labels[:40])
    write_idx(folder, "t10k", images[40:], labels[40:])
    dataset = load_dataset("mnist", LoadOptions(offline=True, val_split=0))
    assert f"MNIST, 60 of 70,000, from {folder}" in dataset.provenance
    assert np.array_equal(dataset.test.images[..., 0], images[40:])


def served(server, collection, files):
    for name, body in files.items():
        server.behave[f"/{name}"] = lambda handler, body=body: send(handler, body)
    remotes = tuple(
        Remote(name, hashlib.sha256(body).hexdigest(), len(body), (server.url(f"/{name}"),))
        for name, body in files.items()
    )
    return dataclasses.replace(collection, remotes=remotes, places=())


def test_mnist_is_downloaded_once(server, data_dir):
    images, labels = digits(60, side=28, classes=10)
    files = {}
    for prefix, part in (("train", slice(0, 40)), ("t10k", slice(40, 60))):
        files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(idx_bytes(images[part]))
        files[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(idx_bytes(labels[part].astype("u1")))
    collection = served(server, known_datasets.MNIST, files)
    for _ in range(2):
        dataset = known_datasets.load_mnist(LoadOptions(val_split=0), collection)
        assert np.array_equal(dataset.train.images[..., 0], images[:40])
        assert "MNIST, 60 of 70,000" in dataset.provenance
    assert len(server.requests) == 4
    assert (data_dir / "mnist" / "t10k-images-idx3-ubyte.gz").exists()


def test_mnist_falls_back_and_says_so(server):
    files = {remote.name: b"other bytes" for remote in known_datasets.MNIST.remotes}
    collection = served(server, known_datasets.MNIST, files)
    for name in files:
        server.behave[f"/{name}"] = lambda handler: handler.send_error(404)
    dataset = known_datasets.load_mnist(LoadOptions(), collection)
    assert len(dataset.test) == 1000
    assert "answered 404" in dataset.notes[0]


def test_damaged_files_are_an_error_not_a_reason_to_fall_back(data_dir):
    folder = data_dir / "mnist"
    folder.mkdir(parents=True)
    images, labels = digits(60, side=28, classes=10)
    write_idx(folder, "train", images, labels)
    write_idx(folder, "t10k", images, labels)
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CnncliError, match=r"t10k-images-idx3-ubyte.gz is damaged or truncated"):
        load_dataset("mnist", LoadOptions(offline=True))


def cifar_archive(batches):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, body in batches.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return stream.getvalue()


def cifar_batches(count=4):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, count, 32, 32, 3)).astype(np.uint8)
    labels = np.arange(6 * count).reshape(6, count) % 10
    batches = {}
    for number in range(6):
        planes = images[number].transpose(0, 3, 1, 2).reshape(count, -1)
        rows = np.concatenate([labels[number, :, None].astype(np.uint8), planes], axis=1)
        batches["test_batch.bin" if number == 5 else f"data_batch_{number + 1}.bin"] = rows.tobytes()
    return images, labels, batches


def test_cifar_is_downloaded_unpacked_and_read(server, data_dir):
    images, labels, batches = cifar_batches()
    collection = served(server, known_datasets.CIFAR10, {"cifar-10-binary.tar.gz": cifar_archive(batches)})
    for _ in range(2):
        dataset = known_datasets.load_collection(collection, LoadOptions(val_split=0))
        assert dataset.targets.classes[3] == "cat"
        assert np.array_equal(dataset.train.images, images[:5].reshape(-1, 32, 32, 3))
        assert np.array_equal(dataset.test.targets.numbers, labels[5])
    unpacked = data_dir / "cifar10" / "cifar-10-batches-bin"
    assert {each.name for each in unpacked.iterdir()} == set(batches)
    assert len(server.requests) == 1
    assert np.array_equal(load_dataset(str(unpacked)).test.images, images[5])


def test_damaged_cifar(data_dir):
    folder = data_dir / "cifar10"
    folder.mkdir(parents=True)
    _, _, batches = cifar_batches()
    (folder / "cifar-10-binary.tar.gz").write_bytes(cifar_archive(batches)[:-3000])
    with pytest.raises(CnncliError, match="damaged or truncated: compressed file ended"):
        load_dataset("cifar10", LoadOptions(offline=True))
    (folder / "cifar-10-binary.tar.gz").write_bytes(cifar_archive(dict(list(batches.items())[:5])))
    with pytest.raises(CnncliError, match="damaged or not CIFAR-10's binary version"):
        load_dataset("cifar10", LoadOptions(offline=True))


def test_offline_without_files():
    with pytest.raises(CnncliError, match=r"CIFAR-10 is not in .*, and --offline forbids downloading it"):
        load_dataset("cifar-10", LoadOptions(offline=True))


def test_digests_are_well_formed():
    for collection in (known_datasets.MNIST, known_datasets.FASHION_MNIST, known_datasets.CIFAR10):
        for remote in collection.remotes:
            assert len(bytes.fromhex(remote.sha256)) == 32
            assert all(url.endswith(f"/{remote.name}") for url in remote.urls)


def test_data_folder(monkeypatch, tmp_path):
    assert known_datasets.data_folder() == tmp_path / "data"
    monkeypatch.delenv("CNNCLI_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert known_datasets.data_folder() == tmp_path / "cnncli"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert known_datasets.data_folder() == tmp_path / ".local" / "share" / "cnncli"
