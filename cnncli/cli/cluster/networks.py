"""Networks on workers: loaded once in each thread, and the same to the last weight as here."""

import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, TypeVar

from cnncli.cli.answers import Networks
from cnncli.cli.cluster.connection import Cluster
from cnncli.cli.cluster.places import Seen, SeenPicture, as_given, check_input, in_full, seen
from cnncli.cli.cluster.worker import where
from cnncli.cli.embedding import Embedding, ReadImage, Result, load_embedding, read_image, with_vectors
from cnncli.cli.listing import Input
from cnncli.cli.names import STREAM
from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.row_writers import Row
from cnncli.cli.trained import Trained, load_trained
from cnncli.data.prepare import InputSpec
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.records import fields, record, replace
from cnncli.tasks.retrieval.embedding import model_digest

Made = TypeVar("Made")
_KEPT = 2  # networks of a thread
_PATHS = ("model", "weights", "classes")
_own = threading.local()


@record
class Named:
    """A network by its name, and what tells whether a worker has loaded the same.

    Attributes
    ----------
    settings : NetworkSettings
        With whole paths.
    digest : str
        Of its weights; empty where pictures choose one of those that ship.
    """

    settings: NetworkSettings
    digest: str


def named(settings: NetworkSettings, trained: Trained | None) -> Named:
    """The network of a command, for workers."""
    given = {name: getattr(settings, name) for name in fields(NetworkSettings)}
    for name in _PATHS:
        if given[name] is not None and os.path.exists(given[name]):  # noqa: PTH110
            given[name] = os.path.abspath(given[name])  # noqa: PTH100
    return Named(NetworkSettings(**given), "" if trained is None else _digest(trained))


def _digest(trained: Trained) -> str:
    checkpoint = trained.checkpoint
    return model_digest(checkpoint.arrays, checkpoint.architecture, checkpoint.preprocessing)


def same_trained(network: Named) -> Trained:
    """On a worker: the network that was loaded where the command was given.

    Raises
    ------
    CnncliError
        Where the worker has another under that name, or none.
    """
    trained = load_trained(network.settings, quiet=True)
    if _digest(trained) != network.digest:
        raise _another(network)
    return trained


def _another(network: Named) -> CnncliError:
    return CnncliError(
        f"{where()} has other weights as -m {shown(network.settings.model or '')}; expected those of the "
        "machine where the command was given",
        "Put the network on a file system that all machines share.",
    )


def kept(what: tuple[Any, ...], make: Callable[[], Made]) -> Made:
    """What a thread of a worker has made last, or makes now."""
    known: dict[tuple[Any, ...], Any] = _own.__dict__.setdefault("known", {})
    if what not in known:
        while len(known) >= _KEPT:
            del known[next(iter(known))]
        known[what] = make()
    made: Made = known[what]
    return made


@record
class Asked:
    """What is asked of pictures.

    Attributes
    ----------
    network : Named
        Of whom.
    top, max_pixels : int
        Classes of a row, and the largest picture.
    wholly, tiles : bool
        As for `Networks`.
    """

    network: Named
    top: int
    max_pixels: int | None
    wholly: bool
    tiles: bool


def picture_of(item: Input) -> SeenPicture | None:
    """An input for a worker; None for standard input.

    Raises
    ------
    CnncliError
        Its fault.
    """
    if item.fault is not None:
        raise item.fault
    if item.name == STREAM:
        return None
    path = in_full(item.name)
    return SeenPicture(path, seen(path))


def rows_elsewhere(
    cluster: Cluster, items: Sequence[Input], asked: Asked
) -> Generator[tuple[Input, Any], None, None]:
    """The row of each input, or what `Cluster.each` has in its place."""
    with closing(cluster.each(items, picture_of, partial(_rows, asked))) as results:
        for item, found in results:
            if isinstance(found, Row):
                error = found.error and as_given(found.error, item.name)
                yield item, replace(found, name=item.name, error=error)
            else:
                yield item, found


def _rows(asked: Asked, pictures: Sequence[SeenPicture]) -> Iterator[Row]:
    """On a worker: rows, as many at a time as the network takes."""
    set_max_pixels(asked.max_pixels)
    network = asked.network

    def make() -> Networks:
        trained = same_trained(network) if network.digest else None
        return Networks(trained, None, threads=1, wholly=asked.wholly, tiles=asked.tiles)

    networks = kept((network, asked.wholly, asked.tiles), make)
    for lo in range(0, len(pictures), networks.batch):
        run = []
        for each in pictures[lo : lo + networks.batch]:
            item = Input(each.path, _fault_of(each))
            run.append((item, networks.question(item)))
        yield from networks.rows(run, asked.top)


def _fault_of(picture: SeenPicture) -> CnncliError | None:
    """Why a worker must not read a file that has the name."""
    try:
        check_input(picture.path, picture.input)
    except CnncliError as error:
        return error
    return None


@record
class _Known:
    """Digests of files whose vectors are known."""

    digests: frozenset[bytes]

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and bytes.fromhex(digest) in self.digests


def embedded_elsewhere(
    cluster: Cluster, names: Sequence[str], embedding: Embedding, known: Sequence[str], max_pixels: int | None
) -> Generator[tuple[str, Result], None, None]:
    """Images as vectors, in order; as `cnncli.cli.embedding.embedded` gives them.

    Parameters
    ----------
    cluster : Cluster
        Connected.
    names : sequence of str
        Files.
    embedding : Embedding
        The network.
    known : sequence of str
        Digests of files whose vectors are known.
    max_pixels : int or None
        The largest picture.
    """
    network = Named(NetworkSettings(model=embedding.model.name), embedding.model.digest)
    share = partial(_embedded, network, _Known(frozenset(map(bytes.fromhex, known))), max_pixels)
    with closing(cluster.each([Input(name) for name in names], picture_of, share)) as results:
        for item, found in results:
            if isinstance(found, ReadImage):
                status = seen(item.name) or Seen(found.size, found.changed)
                yield item.name, replace(found, size=status.size, changed=status.changed)
            else:
                yield item.name, as_given(found, item.name)


def _embedded(
    network: Named, known: _Known, max_pixels: int | None, pictures: Sequence[SeenPicture]
) -> Iterator[Result]:
    """On a worker: vectors, as many at a time as the network takes."""
    set_max_pixels(max_pixels)

    def make() -> Embedding:
        found = load_embedding(network.settings.model or "", threads=1)
        if found.model.digest != network.digest:
            raise _another(network)
        return found

    embedding = kept((network, "embedding"), make)
    spec: InputSpec = embedding.trained.input_spec
    batch = embedding.embedder.batch
    for lo in range(0, len(pictures), batch):
        run = [
            (each.path, _fault_of(each) or read_image(each.path, spec, known))
            for each in pictures[lo:][:batch]
        ]
        yield from (result for _, result in with_vectors(run, embedding.embedder))
