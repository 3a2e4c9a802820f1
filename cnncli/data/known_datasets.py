"""Datasets known by name: where their files may be found, where they can be downloaded, how to read them."""

import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core.threads import available_cores
from cnncli.data.assemble import DatasetDescription, LoadOptions, from_arrays, from_splits
from cnncli.data.class_labels import ClassLabels, Numbers
from cnncli.data.download import Remote, fetch_all
from cnncli.data.holdout import shipped_test
from cnncli.data.idx import find_idx, read_idx, without_labels
from cnncli.data.image_facts import ImageOptions
from cnncli.data.labels import number_labels
from cnncli.data.model import Arrays, Dataset, Images
from cnncli.data.npz import as_images
from cnncli.data.prepare import InputSpec
from cnncli.data.shipped import sample_path
from cnncli.data.split_names import joined
from cnncli.data.targets import Targets
from cnncli.data.unpacking import opened
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

if TYPE_CHECKING:
    from cnncli.data.digit_scenes import Scenes

_TRAINING_SCENES, _TEST_SCENES = 2_000, 500
_TRAINING_CLIPS, _TEST_CLIPS = 3_200, 800
REVIEWS_ABOUT = (
    "10,072 movie reviews of a sentence each from vaderSentiment (C. J. Hutto, MIT): "
    "4,996 positive, 5,076 negative"
)


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A public dataset.

    Attributes
    ----------
    name : str
        As users write it; also the name of its folder in the data folder.
    title : str
        Its name in messages.
    classes : tuple of str
        In the order of the labels.
    images : int
        Number of images in all splits.
    places : tuple of str
        Folders where other programs store it: absolute, or relative to the data folder.
    remotes : tuple of Remote
        Its files.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    images: int
    places: tuple[str, ...]
    remotes: tuple[Remote, ...]


def _remote(name: str, sha256: str, size: int, *folders: str) -> Remote:
    return Remote(name, sha256, size, tuple(folder + name for folder in folders))


_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)
_FASHION_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_CIFAR_MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")

MNIST = Collection(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    images=70_000,
    places=("MNIST/raw",),
    remotes=(
        _remote(
            "train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            9_912_422,
            *_MNIST_MIRRORS,
        ),
        _remote(
            "train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            28_881,
            *_MNIST_MIRRORS,
        ),
        _remote(
            "t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            1_648_877,
            *_MNIST_MIRRORS,
        ),
        _remote(
            "t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            4_542,
            *_MNIST_MIRRORS,
        ),
    ),
)

FASHION_MNIST = Collection(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=(
        "T-shirt/top", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    images=70_000,
    places=("FashionMNIST/raw", "/usr/share/datasets/fashion-mnist"),
    remotes=(
        _remote(
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26_421_880,
            *_FASHION_MIRRORS,
        ),
        _remote(
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            29_515,
            *_FASHION_MIRRORS,
        ),
        _remote(
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            4_422_102,
            *_FASHION_MIRRORS,
        ),
        _remote(
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            5_148,
            *_FASHION_MIRRORS,
        ),
    ),
)  # fmt: skip

CIFAR10 = Collection(
    name="cifar10",
    title="CIFAR-10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    images=60_000,
    places=("cifar-10-batches-bin",),
    remotes=(
        _remote(
            "cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170_052_171,
            *_CIFAR_MIRRORS,
        ),
    ),
)

_CIFAR_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
_CIFAR_RECORD = 1 + 3 * 32 * 32  # label, then a plane each of red, green and blue


def data_folder() -> Path:
    """Folder for datasets: ``CNNCLI_DATA_DIR``, ``XDG_DATA_HOME/cnncli``, or in the home folder."""
    if chosen := os.environ.get("CNNCLI_DATA_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_DATA_HOME", "")
    if Path(base).is_absolute():
        return Path(base) / "cnncli"
    try:
        return Path.home() / ".local" / "share" / "cnncli"
    except RuntimeError as error:
        raise CnncliError(
            "there is no home folder to keep data sets in", "Set CNNCLI_DATA_DIR to a folder."
        ) from error


def load_mnist(load_options: LoadOptions, collection: Collection = MNIST) -> Dataset:
    """Load all 70,000 digits if they are present or can be downloaded, else the 5,000 shipped with cnncli."""
    try:
        return load_collection(collection, load_options)
    except _NotAvailableError as absent:
        return load_shipped_digits(load_options, absent.message)


def load_shipped_digits(load_options: LoadOptions, why: str = "") -> Dataset:
    """Load the 5,000 digits of ``samples``, 1,000 of them for testing; ``why`` becomes a note."""
    with np.load(sample_path("mnist_5k.npz"), allow_pickle=False) as file:
        images, labels = file["x"][..., None], file["y"].astype(np.int64)
    found = DatasetDescription(
        name="mnist",
        provenance="MNIST, the 5,000 digits that ship with cnncli, split 4,000/1,000 by class",
        notes=(f"not all 70,000: {why}",) if why else (),
        known=MNIST.name,
    )
    held = shipped_test(labels)
    parts = {
        part: (images[there], ClassLabels(labels[there], MNIST.classes))
        for part, there in (("train", ~held), ("test", held))
    }
    return from_arrays(found, parts, load_options)


def load_scenes(load_options: LoadOptions) -> Dataset:
    """Make scenes of the digits that ship, over photographs that ship.

    Targets are the class of each pixel, or with ``--task detect`` the box of each digit, or with ``localize``
    the class and the box of the only one.
    Sides are 128 pixels unless ``--size`` says otherwise. Digits of test scenes are the test digits. Each
    epoch of a training has scenes of its own, those of validation and test are always the same.
    """
    from cnncli.data.digit_scenes import LARGEST, MOST, PHOTOGRAPHS, SIDE, SMALLEST, make_scenes
    from cnncli.images.read import read_picture

    side = _made_side("digit-scenes", (SMALLEST, SIDE, LARGEST), load_options)
    with np.load(sample_path("mnist_5k.npz"), allow_pickle=False) as file:
        digits, labels = file["x"], file["y"].astype(np.int64)
    held = shipped_test(labels)
    frames = [
        read_picture(sample_path(name).read_bytes(), name=name).frames[0][..., :3] for name in PHOTOGRAPHS
    ]
    grounds = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in frames]

    def made(numbers: NDArray[np.int64], seed: int, there: NDArray[np.bool_], *, threads: int) -> "Scenes":
        return make_scenes(
            numbers,
            side,
            seed=seed,
            digits=digits[there],
            labels=labels[there],
            grounds=grounds,
            most=1 if load_options.task == "localize" else MOST,
            threads=threads,
        )

    def renewed(epoch: int, places: NDArray[np.intp], threads: int) -> tuple[Images, Targets]:
        scenes = made(epoch * _TRAINING_SCENES + places, 1, ~held, threads=threads)
        return scenes.images, _targets_of(scenes, load_options.task)

    threads = available_cores()
    scenes = {
        "train": made(np.arange(_TRAINING_SCENES), 1, ~held, threads=threads),
        "test": made(np.arange(_TEST_SCENES), 2, held, threads=threads),
    }
    size = "" if side == SIDE else f" at {side}x{side} pixels"
    found = DatasetDescription(
        name="digit-scenes",
        provenance=f"{_TRAINING_SCENES + _TEST_SCENES:,} scenes{size} of the 5,000 digits that ship with "
        f"cnncli over photographs that ship, {_TEST_SCENES} of them for testing",
        notes=("every epoch trains on new scenes; those of validation and test stay the same",),
        known="digit-scenes",
    )
    parts = {part: (each.images, _targets_of(each, load_options.task)) for part, each in scenes.items()}
    given = ImageOptions(size=(side, side), input_spec=load_options.image_options.input_spec)
    dataset = from_arrays(found, parts, replace(load_options, image_options=given))
    train = dataset.train
    assert isinstance(train, Arrays)
    return replace(dataset, train=replace(train, renewed=renewed))


def _targets_of(scenes: "Scenes", task: str | None) -> Targets:
    """What is to be learned of scenes."""
    if task in ("detect", "localize"):
        from cnncli.data.objects import Objects, OneObject

        objects = Objects(
            first=np.searchsorted(scenes.scene, np.arange(len(scenes.images) + 1)).astype(np.int64),
            boxes=scenes.boxes.astype(np.float64),
            labels=scenes.digits,
            crowd=np.asarray((scenes.boxes[:, 2:] <= 0).any(axis=1)),
            areas=scenes.boxes[:, 2:].prod(axis=1).astype(np.float64),
            classes=MNIST.classes,
        )
        return OneObject.largest(objects) if task == "localize" else objects
    from cnncli.data.pixel_labels import PixelLabels

    return PixelLabels(scenes.maps, ("background", *MNIST.classes))


def load_motions(load_options: LoadOptions) -> Dataset:
    """Make clips of the digits that ship, each of which moves, grows, shrinks or turns.

    Sides are 32 pixels unless ``--size`` says otherwise. Digits of test clips are the test digits. 0 is left
    out: many are round, and how those turn cannot be seen.
    """
    from cnncli.data.clips import ClipLabels, Clips
    from cnncli.data.digit_motions import FRAMES, LARGEST, MOTIONS, SIDE, SMALLEST, make_motions
    from cnncli.data.identity import row_digests

    side = _made_side("digit-motions", (SMALLEST, SIDE, LARGEST), load_options)
    with np.load(sample_path("mnist_5k.npz"), allow_pickle=False) as file:
        digits, kinds = file["x"], file["y"].astype(np.int64)
    held = shipped_test(kinds)

    def made(part: str, count: int, seed: int, there: NDArray[np.bool_]) -> Clips:
        frames, labels = make_motions(count, side, seed=seed, digits=digits[there & (kinds > 0)])
        names = [f"{part}[{number}]" for number in range(count)]
        first, counts = FRAMES * np.arange(count), np.full(count, FRAMES)
        digests = row_digests(frames)
        targets = ClipLabels(labels, MOTIONS)
        flat = frames.reshape(-1, side, side, 1)
        return Clips(flat, first, counts, targets, names, digests, digests, part)

    size = "" if side == SIDE else f" at {side}x{side} pixels"
    found = DatasetDescription(
        name="digit-motions",
        provenance=f"{_TRAINING_CLIPS + _TEST_CLIPS:,} clips{size} of {FRAMES} frames of the digits that "
        f"ship with cnncli, moving, growing, shrinking and turning, {_TEST_CLIPS} of them for testing",
        known="digit-motions",
        input_spec=InputSpec((side, side, 1)),
    )
    parts = {"train": made("train", _TRAINING_CLIPS, 1, ~held), "test": made("test", _TEST_CLIPS, 2, held)}
    return from_splits(found, parts, load_options)


def _made_side(name: str, sides: tuple[int, int, int], load_options: LoadOptions) -> int:
    """Pixels of a side of images that are made, whose smallest, usual and largest are given."""
    smallest, usual, largest = sides
    asked = load_options.image_options
    height, width = asked.input_spec.shape[:2] if asked.input_spec else asked.size or (usual, usual)
    if height != width or not smallest <= height <= largest:
        raise CnncliError(
            f"{name} of {width}x{height} pixels; expected squares of {smallest} to {largest}",
            f"Give --size {usual}, or leave it out.",
        )
    return height


def load_collection(collection: Collection, load_options: LoadOptions) -> Dataset:
    """Load a dataset from a folder where it is found, or download it.

    Raises
    ------
    CnncliError
        Where it is neither present nor downloadable, or its files are damaged.
    """
    own = data_folder() / collection.name
    folders = [
        own,
        *(data_folder() / place for place in collection.places),
    ]  # an absolute path stays as it is
    reader = _read_cifar if collection.name == "cifar10" else _read_idx_folder
    for folder in folders:
        if (parts := reader(folder)) is not None:
            return _described(collection, parts, folder, load_options)
    if load_options.offline:
        raise _NotAvailableError(
            f"{collection.title} is not in {shown(own)}, and --offline forbids downloading it",
            f"Leave --offline out, or put {', '.join(remote.name for remote in collection.remotes)} there.",
        )
    try:
        fetch_all(collection.remotes, own, what=collection.title, report=load_options.report)
    except CnncliError as error:
        raise _NotAvailableError(error.message, error.hint) from error
    parts = reader(own)
    if parts is None:
        raise CnncliError(f"{shown(own)} lacks files of {collection.title}", "Delete the folder; try again.")
    return _described(collection, parts, own, load_options)


class _NotAvailableError(CnncliError):
    """Neither present nor downloadable, as opposed to damaged."""


def load_idx_folder(folder: Path, load_options: LoadOptions) -> Dataset | None:
    """Load a folder of IDX files; None where it holds none."""
    pairs, unlabelled = find_idx(folder), without_labels(folder)
    if not pairs and not unlabelled:
        return None
    if not pairs or ("train" not in pairs and len(pairs) > 1 and not load_options.whole):
        what = (
            f"only {joined(pairs)} images"
            if pairs
            else f"{joined(p.name for p in unlabelled)} without labels"
        )
        raise CnncliError(
            f"{shown(folder)} holds {what}; expected training images and their labels",
            "Put train-images-idx3-ubyte and train-labels-idx1-ubyte there.",
        )
    only = "".join(pairs) if "train" not in pairs and not load_options.whole else ""
    parts, labels, notes = _idx_parts({"train": pairs[only]} if only else pairs)
    warnings = [f"{joined(path.name for path in unlabelled)} without labels: left out"] if unlabelled else []
    if only:
        warnings.append(f"there are only {only} images: they are divided into new splits")
    classes, numbered = number_labels(labels, None, folder)
    count = sum(len(images) for images in parts.values())
    found = DatasetDescription(
        name=folder.resolve().name or "idx",
        provenance=f"{count:,} images of {len(classes):,} classes in IDX files of {shown(folder)}",
        notes=notes,
        warnings=tuple(warnings),
        files=tuple(file for pair in pairs.values() for file in pair),
    )
    labelled = {split: (parts[split], ClassLabels(numbered[split], classes)) for split in parts}
    return from_arrays(found, labelled, load_options)


def load_cifar_folder(folder: Path, load_options: LoadOptions) -> Dataset | None:
    """Load a folder of CIFAR-10's binary files; None where it holds none."""
    parts = _read_cifar(folder)
    return None if parts is None else _described(CIFAR10, parts, folder, load_options)


def _described(
    collection: Collection,
    parts: dict[str, tuple[np.ndarray, Numbers]],
    folder: Path,
    load_options: LoadOptions,
) -> Dataset:
    count = sum(len(labels) for _, labels in parts.values())
    if any(labels.max(initial=0) >= len(collection.classes) for _, labels in parts.values()):
        raise CnncliError(
            f"files of {collection.title} in {shown(folder)} have labels above {len(collection.classes) - 1}",
            "Delete them and download them again.",
        )
    whole = f"all {count:,}" if count == collection.images else f"{count:,} of {collection.images:,}"
    found = DatasetDescription(
        name=collection.name,
        provenance=f"{collection.title}, {whole}, from {shown(folder)}",
        known=collection.name,
    )
    labelled = {
        split: (images, ClassLabels(labels, collection.classes)) for split, (images, labels) in parts.items()
    }
    return from_arrays(found, labelled, load_options)


def _read_idx_folder(folder: Path) -> dict[str, tuple[np.ndarray, Numbers]] | None:
    pairs = find_idx(folder)
    if "train" not in pairs or "test" not in pairs:
        return None
    parts, labels, _ = _idx_parts(pairs)
    return {split: (parts[split], labels[split].astype(np.int64)) for split in parts}


def _idx_parts(
    pairs: dict[str, tuple[Path, Path]],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple[str, ...]]:
    """Images and labels of each split."""
    parts: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    notes = []
    for split, (image_path, label_path) in pairs.items():
        parts[split], note = as_images(read_idx(image_path), image_path)
        labels[split] = read_idx(label_path)
        if labels[split].shape != (len(parts[split]),):
            raise CnncliError(
                f"{shown(image_path)} holds {len(parts[split]):,} images, but {shown(label_path.name)} "
                f"{labels[split].size:,} labels",
                "Download both again.",
            )
        notes += [note] if note else []
    return parts, labels, tuple(dict.fromkeys(notes))


def _read_cifar(folder: Path) -> dict[str, tuple[np.ndarray, Numbers]] | None:
    """Read the binary files; they are extracted from the archive the first time."""
    unpacked = folder / "cifar-10-batches-bin"
    place = unpacked if (unpacked / _CIFAR_FILES[0]).exists() else folder
    archive = folder / CIFAR10.remotes[0].name
    missing = any(not (place / name).is_file() for name in _CIFAR_FILES)
    if missing and not archive.is_file():
        return None
    batches = _unpacked(archive, unpacked) if missing else [_batch(place / name) for name in _CIFAR_FILES]
    images = [batch[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) for batch in batches]
    labels = [batch[:, 0].astype(np.int64) for batch in batches]
    return {
        "train": (np.concatenate(images[:-1]), np.concatenate(labels[:-1])),
        "test": (np.ascontiguousarray(images[-1]), labels[-1]),
    }


def _batch(path: Path) -> Images:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if data.size == 0 or data.size % _CIFAR_RECORD:
        raise CnncliError(
            f"{shown(path)} is truncated: {data.size:,} bytes; expected a multiple of {_CIFAR_RECORD:,}",
            "Delete it and download it again.",
        )
    return data.reshape(-1, _CIFAR_RECORD)


def _unpacked(archive: Path, folder: Path) -> list[Images]:
    """Read the six files from the archive, and save them beside it if possible."""
    import tarfile

    from cnncli.files.atomic import write_atomic

    batches = {}
    try:
        with opened(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                name = Path(member.name).name
                stream = tar.extractfile(member) if name in _CIFAR_FILES and member.isfile() else None
                if stream is not None:
                    batches[name] = np.frombuffer(stream.read(), np.uint8).reshape(-1, _CIFAR_RECORD)
        found = [batches[name] for name in _CIFAR_FILES]
    except (tarfile.TarError, zlib.error, EOFError, KeyError, ValueError, OSError) as error:
        raise CnncliError(
            f"{shown(archive)} is damaged or not CIFAR-10's binary version ({shown(str(error))})",
            "Delete it and download it again.",
        ) from error
    try:
        folder.mkdir(exist_ok=True)
        for name, batch in batches.items():
            write_atomic(folder / name, batch.tobytes())
    except (OSError, CnncliError):
        return found  # a read-only folder: the archive is extracted again next time
    return found


def load_reviews(load_options: LoadOptions) -> Dataset:
    """The movie reviews that ship with cnncli: 10,072 sentences, positive or negative.

    Source: C. J. Hutto, vaderSentiment 3.3.2 (MIT), whose sentences are from Pang and Lee, 2004.
    """
    from cnncli.data.sheet import open_sheet
    from cnncli.data.shipped import sample_path
    from cnncli.data.text_tables import load_texts

    found = load_texts(open_sheet(sample_path("movie_reviews.tsv.gz")), load_options)
    provenance = f"{REVIEWS_ABOUT}, shipped with cnncli"
    return replace(found, name="movie-reviews", known="movie-reviews", provenance=provenance)
