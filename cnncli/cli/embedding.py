"""Images read in threads and embedded in batches, for ``cnncli search``."""

import os
from collections.abc import Callable, Container, Generator, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import report
from cnncli.cli.names import STREAM
from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.overlap import overlapped
from cnncli.cli.progress import progress_bar
from cnncli.cli.streams import read_stdin
from cnncli.cli.trained import Trained, load_trained, no_output
from cnncli.data.prepare import InputSpec, read_prepared, read_whole
from cnncli.data.shipped import MODELS, suiting
from cnncli.errors import CnncliError
from cnncli.files.faults import input_fault, shown
from cnncli.records import record, replace
from cnncli.tasks.retrieval.embedding import Embedder, model_digest
from cnncli.tasks.retrieval.gallery import Model

_LOOKED_AT = 32  # pictures by which a network is chosen
_EXAMPLE = "cat photo.png | cnncli search query - --gallery gallery"

Floats = NDArray[np.float32]


@record(eq=False)
class ReadImage:
    """A file, read.

    Attributes
    ----------
    size, changed : int
        Its bytes, and when it was last changed, in nanoseconds; 0 for standard input.
    digest : str
        SHA-256.
    pixels : ndarray, shape (H, W, C), uint8, or None
        Prepared for a network; None where its vector is known.
    vector : ndarray, shape (D,), float32, or None
        What it is embedded as; None before that.
    data : bytes or None
        The file, if it came on standard input and cannot be read again.
    """

    size: int
    changed: int
    digest: str
    pixels: NDArray[np.uint8] | None = None
    vector: Floats | None = None
    data: bytes | None = None


Result = ReadImage | CnncliError


@record(eq=False)
class Embedding:
    """A network that embeds, and what a gallery notes about it."""

    trained: Trained
    embedder: Embedder
    model: Model


def load_embedding(name: str, *, threads: int) -> Embedding:
    """Load a network for images.

    Parameters
    ----------
    name : str
        A model that ships, or a checkpoint.
    threads : int
        To use.

    Raises
    ------
    UsageError
        Where it cannot be read, or is no convolutional network for images.
    """
    trained = load_trained(NetworkSettings(model=name))
    checkpoint = trained.checkpoint
    if trained.task.noun != "images":
        raise UsageError(
            f"-m {shown(name)} is a network for {trained.task.noun}; expected one for images",
            "Name another, or leave -m out.",
        )
    try:
        embedder = Embedder(trained.network, checkpoint.preprocessing, threads=threads)
    except CnncliError as error:
        raise UsageError(f"-m {shown(name)}: {error.message}", error.hint) from error
    digest = model_digest(checkpoint.arrays, checkpoint.architecture, checkpoint.preprocessing)
    known = name if name in MODELS else os.path.abspath(name)  # noqa: PTH100
    return Embedding(trained, embedder, Model(known, digest, checkpoint.architecture.name, embedder.layer))


def suiting_model(files: Sequence[str], *, quiet: bool) -> str:
    """The model that ships which suits images: ``digits`` if all that are looked at are small and gray.

    Of many, some that are evenly spaced are looked at; those that cannot be read do not count.
    """
    step = max(1, len(files) // _LOOKED_AT)
    found = []
    for file in files[::step]:
        try:
            with open(file, "rb") as opened:  # noqa: PTH123
                found.append(suiting(read_whole(opened.read(), name=file)[0]))
        except (CnncliError, OSError, MemoryError):
            continue
        if found[-1] == "imagenet":
            break
    digits = bool(found) and found[-1] == "digits"
    if not quiet:
        use = "digits, the network for small gray pictures" if digits else "imagenet, the one for photographs"
        report(f"note: embedded by {use}; -m names another")
    return "digits" if digits else "imagenet"


def read_image(name: str, spec: InputSpec, known: Container[str] = ()) -> Result:
    """Read a file, or why it cannot be read; for any thread.

    Parameters
    ----------
    name : str
        A path, or ``-`` for standard input.
    spec : InputSpec
        What it is prepared for.
    known : container of str
        Digests of files whose vectors are known: they are not decoded.
    """
    from hashlib import sha256

    size = changed = 0
    kept = None
    try:
        if name == STREAM:
            data, name = read_stdin(example=_EXAMPLE), "standard input"
            kept = data
        else:
            with open(name, "rb", buffering=0) as file:  # noqa: PTH123
                status = os.fstat(file.fileno())
                size, changed = status.st_size, status.st_mtime_ns
                data = file.read()
        digest = sha256(data).hexdigest()
        if digest in known:
            return ReadImage(size, changed, digest)
        pixels = read_prepared(data, spec, name=name).pixels
        return ReadImage(size, changed, digest, pixels, data=kept)
    except (CnncliError, OSError, ValueError, MemoryError) as error:
        return input_fault(error, name)


def embedded(
    names: Sequence[str], read: Callable[[str], Result], embedder: Embedder, *, threads: int, quiet: bool
) -> Generator[list[tuple[str, Result]], None, None]:
    """Read and embed images, with a progress bar.

    Parameters
    ----------
    names : sequence of str
        What to read.
    read : callable
        Reads one.
    embedder : Embedder
        Embeds those that have pixels.
    threads : int
        Threads that read.
    quiet : bool
        No progress bar.

    Yields
    ------
    list of (name, result)
        In order, as many at a time as are ready. Close the generator if it is left before its end.
    """
    runs = overlapped([names], read, workers=threads, most=embedder.batch)
    with closing(runs), progress_bar(len(names), unit="images", quiet=quiet) as bar:
        done = 0
        for run in runs:
            results = with_vectors(run, embedder)
            bar.clear()
            yield results
            for _ in run:
                done += 1
                bar.draw(done)


def with_vectors(run: Sequence[tuple[str, Result]], embedder: Embedder) -> list[tuple[str, Result]]:
    """Embed those that have pixels, in batches."""
    results = dict(enumerate(run))
    waiting = [
        (place, each, each.pixels)
        for place, (_, each) in results.items()
        if isinstance(each, ReadImage) and each.pixels is not None
    ]
    for lo in range(0, len(waiting), embedder.batch):
        places, images, pixels = zip(*waiting[lo : lo + embedder.batch], strict=True)
        for place, image, vector in zip(places, images, embedder.embed(np.stack(pixels)), strict=True):
            name = results[place][0]
            known = bool(np.isfinite(vector).all())
            result = replace(image, pixels=None, vector=vector) if known else no_output(name)
            results[place] = name, result
    return [*results.values()]
