"""``cnncli search index``: embed the images of folders into a gallery."""

import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cnncli import ending
from cnncli.checked import as_json
from cnncli.cli.embedding import (
    Embedding,
    Floats,
    ReadImage,
    Result,
    embedded,
    load_embedding,
    read_image,
    suiting_model,
)
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.messages import report_error
from cnncli.cli.names import expanded
from cnncli.cli.options.search import Settings
from cnncli.cli.options.shared import names_cluster
from cnncli.cli.streams import write_line
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.records import record, replace
from cnncli.tasks.retrieval.gallery import Gallery, Image, Model, is_gallery, open_gallery
from cnncli.tasks.retrieval.indexing import Indexing, belongs, reserved, unchanged


@record
class _File:
    """An image file: the folder that it was found in, its path below it, and how it is called."""

    folder: int
    below: str
    name: str


@dataclass
class _Found:
    """What there is to index: files in the gallery's order, and what went wrong with folders."""

    files: list[_File] = field(default_factory=list)
    faults: list[CnncliError] = field(default_factory=list)
    kept: list[Image] = field(default_factory=list)


@dataclass
class _Count:
    """What became of the images."""

    embedded: int = 0
    known: int = 0
    same: int = 0
    failed: int = 0
    dropped: int = 0


def run(settings: Settings, *, threads: int) -> int:
    """Run the command and return its exit code."""
    if settings.output is None:
        raise UsageError(
            "search index has no gallery to write to; expected -o GALLERY",
            "Name a folder, for example: cnncli search index photos -o gallery",
        )
    begun = time.time_ns()
    path = Path(settings.output)
    before = _gallery_before(path)
    folders = _folders(settings.inputs or [], before)
    found = _files(folders, before)
    for fault in found.faults:
        report_error(fault)
    if not found.files and not found.kept:
        raise CnncliError(
            f"there are no images for {shown(path)}; expected one at least", "Name a folder with images."
        )
    embedding = _embedding(settings, before, found, threads)
    count = _Count(failed=len(found.faults))
    with reserved(path):
        indexing = Indexing(path, embedding.model, embedding.embedder.width, before)
        try:
            images = _index(found, indexing, embedding, (before, count), settings, threads=threads)
            if not images:
                raise CnncliError(
                    f"no image of {len(found.files):,} could be read; expected one at least for a gallery",
                    "Look at the errors above.",
                )
            indexing.publish(images, folders, begun=begun)
        finally:
            indexing.abandon()
    _tell(settings, path, (before, images, count), embedding)
    return SOME_FAILED if count.failed else DONE


def _gallery_before(path: Path) -> Gallery | None:
    """The gallery that there is already.

    Raises
    ------
    UsageError
        Where something else stands in its place.
    """
    if is_gallery(path):
        return open_gallery(path)
    with suppress(FileNotFoundError):
        try:
            others = [entry for entry in path.iterdir() if not belongs(entry.name)]
        except (NotADirectoryError, ValueError) as error:
            raise UsageError(
                f"-o {shown(path)} is no folder; expected one for a gallery", "Choose another name with -o."
            ) from error
        if others:
            raise UsageError(
                f"-o {shown(path)} is a folder with other files, and no gallery; expected a new folder or a "
                "gallery",
                f"Name a new one in it, for example: -o {shown(path / 'gallery')}",
            )
    return None


def _folders(names: Sequence[str], before: Gallery | None) -> tuple[str, ...]:
    """Absolute paths of the gallery's folders and of those that are named."""
    if not names and before is None:
        raise UsageError(
            "search index has no folder to read; expected one or more",
            "Name a folder of images, for example: cnncli search index photos -o gallery",
        )
    for name in names:
        if not os.path.isdir(name):  # noqa: PTH112
            raise UsageError(f"{shown(name)} is no folder; expected a folder of images", "Check the name.")
    known = before.folders if before is not None else ()
    return tuple(dict.fromkeys((*known, *map(os.path.abspath, names))))


def _files(folders: Sequence[str], before: Gallery | None) -> _Found:
    """The images of all folders, each once; those of a folder that is gone stay as the gallery has them."""
    found, seen = _Found(), set[str]()
    known = [*before.images] if before is not None else []
    for number, folder in enumerate(folders):
        if not os.path.isdir(folder):  # noqa: PTH112
            found.faults.append(
                CnncliError(
                    f"{shown(folder)} is gone, a folder of the gallery: its images stay in there",
                    "Bring it back, or index the other folders into another gallery.",
                )
            )
            found.kept += [image for image in known if image.folder == number]
            continue
        sources, faults = expanded(short(folder), READ_SUFFIXES, recursive=True)
        found.faults += faults
        for source in sources:
            whole = os.path.abspath(source.path)  # noqa: PTH100
            if whole not in seen:
                seen.add(whole)
                found.files.append(_File(number, os.path.relpath(whole, folder), source.path))
    return found


def short(path: str) -> str:
    """A path from the current folder if it lies in there, else whole."""
    found = os.path.relpath(path)
    return path if Path(found).parts[:1] == (os.pardir,) else found


def _embedding(settings: Settings, before: Gallery | None, found: _Found, threads: int) -> Embedding:
    """The network that was asked for, that of the gallery, or one that ships.

    Raises
    ------
    UsageError
        Where the gallery was made with another.
    """
    if before is not None:
        return gallery_embedding(before, settings.model, threads=threads)
    name = settings.model or suiting_model([file.name for file in found.files], quiet=settings.quiet)
    return load_embedding(name, threads=threads)


def gallery_embedding(gallery: Gallery, name: str | None, *, threads: int) -> Embedding:
    """The network of a gallery: the one that its vectors were made with, to the last weight.

    Parameters
    ----------
    gallery : Gallery
        Opened.
    name : str or None
        What ``-m`` names; None: where the gallery has it from.
    threads : int
        To use.

    Raises
    ------
    UsageError
        Where it is another.
    """
    try:
        found = load_embedding(gallery.model.name if name is None else name, threads=threads)
    except UsageError as error:
        if name is not None:
            raise
        raise UsageError(
            f"{error.message}: the network that {shown(gallery.path)} was made with",
            "Name where it lies now with -m.",
        ) from error
    if found.model.digest != gallery.model.digest or found.embedder.width != gallery.width:
        raise UsageError(
            f"{_called(found.model)} is not the network that {shown(gallery.path)} was made with; expected "
            f"{_called(gallery.model)}",
            "Name that one with -m, or index the images into another gallery.",
        )
    return found


def _called(model: Model) -> str:
    return f"{shown(model.name)} ({model.network}, {model.digest[:12]})"


def _index(
    found: _Found,
    indexing: Indexing,
    embedding: Embedding,
    told: tuple[Gallery | None, _Count],
    settings: Settings,
    *,
    threads: int,
) -> list[Image]:
    """Embed what is not known; returns the images that can be in the gallery, in its order."""
    before, count = told
    same = _same(found, before)
    new = [file for file in found.files if file.name not in same]
    images = {file.name: same[file.name] for file in found.files if file.name in same}
    count.same = len(images) + len(found.kept)

    by_name = {file.name: file for file in new}
    runs = _embedded([*by_name], indexing, embedding, settings, threads=threads)

    def saying() -> str:
        return f"{count.embedded} images are embedded; the same command goes on from there"

    with ending.saying(saying), closing(runs):
        for run in runs:
            _keep(run, indexing, count)
            for name, each in run:
                if isinstance(each, CnncliError):
                    settle(each, debug=settings.debug)
                    continue
                file = by_name[name]
                images[name] = Image(file.folder, file.below, each.size, each.changed, each.digest)
    if before is not None:
        held = {(image.folder, image.below) for image in (*images.values(), *found.kept)}
        count.dropped = sum((image.folder, image.below) not in held for image in before.images)
    every = [*(images[file.name] for file in found.files if file.name in images), *found.kept]
    return sorted(every, key=lambda image: image.folder)


def _embedded(
    names: Sequence[str], indexing: Indexing, embedding: Embedding, settings: Settings, *, threads: int
) -> Generator[list[tuple[str, Result]], None, None]:
    """Images as vectors, in order, made here or by the workers of a cluster."""
    if names_cluster(settings):
        yield from _embedded_elsewhere(names, indexing, embedding, settings)
        return

    def read(name: str) -> Result:
        return read_image(name, embedding.trained.input_spec, indexing.places)

    yield from embedded(names, read, embedding.embedder, threads=threads, quiet=settings.quiet)


def _embedded_elsewhere(
    names: Sequence[str], indexing: Indexing, embedding: Embedding, settings: Settings
) -> Generator[list[tuple[str, Result]], None, None]:
    """As `_embedded`, on a cluster; of files of one content the first alone keeps its vector."""
    from cnncli.cli.cluster.connection import connected
    from cnncli.cli.cluster.networks import embedded_elsewhere
    from cnncli.cli.progress import progress_bar

    with connected(settings) as cluster, progress_bar(len(names), unit="images", quiet=settings.quiet) as bar:
        found = embedded_elsewhere(cluster, names, embedding, [*indexing.places], settings.max_pixels)
        with closing(found) as results:
            for done, (name, each) in enumerate(results, 1):
                bar.clear()
                known = isinstance(each, ReadImage) and each.digest in indexing.places
                yield [(name, replace(each, vector=None) if known else each)]
                bar.draw(done)


def _keep(run: Sequence[tuple[str, Result]], indexing: Indexing, count: _Count) -> None:
    """Keep the vectors of images, and count what became of them."""
    fresh: dict[str, Floats] = {}
    for _, each in run:
        if isinstance(each, CnncliError):
            count.failed += 1
        elif each.vector is None:
            count.known += 1
        else:
            fresh[each.digest] = each.vector
            count.embedded += 1
    indexing.keep(fresh)


def _same(found: _Found, before: Gallery | None) -> dict[str, Image]:
    """Images that are in the gallery and whose files have not changed, by name."""
    if before is None:
        return {}
    begun = (before.path / "gallery.json").stat().st_mtime_ns
    known = {(image.folder, image.below): image for image in before.images}
    same = {}
    for file in found.files:
        image = known.get((file.folder, file.below))
        with suppress(OSError, ValueError):
            if image is not None and unchanged(image, os.stat(file.name), begun):  # noqa: PTH116
                same[file.name] = image
    return same


def _tell(
    settings: Settings, path: Path, made: tuple[Gallery | None, list[Image], _Count], embedding: Embedding
) -> None:
    """Say what the gallery holds."""
    before, images, count = made
    numbers = {
        "images": len(images),
        "embedded": count.embedded,
        "known": count.known,
        "unchanged": count.same,
        "dropped": count.dropped,
        "failed": count.failed,
    }
    if settings.json:
        about = {"gallery": in_unicode(str(path)), **numbers, "model": in_unicode(embedding.model.name)}
        write_line(as_json({**about, "layer": embedding.model.layer, "width": embedding.embedder.width}))
    elif not settings.quiet:
        for line in _lines(shown(path), numbers, embedding, new=before is None):
            write_line(line)


def _lines(path: str, numbers: dict[str, int], embedding: Embedding, *, new: bool) -> Iterator[str]:
    model = embedding.model
    yield f"gallery  {path}: {_images(numbers['images'])}"
    yield (
        f"network  {shown(model.name)} ({model.network}), {embedding.embedder.width:,} means of the maps of "
        f"{model.layer}"
    )
    parts = [f"{numbers['embedded']:,} embedded"]
    parts += [f"{numbers['known']:,} with known content"] if numbers["known"] else []
    parts += [] if new else [f"{numbers['unchanged']:,} unchanged", f"{numbers['dropped']:,} dropped"]
    parts += [f"{numbers['failed']:,} failed"] if numbers["failed"] else []
    yield f"images   {', '.join(parts)}"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
