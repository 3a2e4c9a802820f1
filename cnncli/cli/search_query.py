"""``cnncli search query``: the images of a gallery that are nearest to others, and those that are alike."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import as_json
from cnncli.cli import values
from cnncli.cli.embedding import ReadImage, Result, embedded, read_image
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.messages import report
from cnncli.cli.names import STREAM, expanded, wanted_names
from cnncli.cli.options.search import Settings
from cnncli.cli.search_index import gallery_embedding, short
from cnncli.cli.search_sheet import Hit, Sheet
from cnncli.cli.streams import write_line, write_stdout
from cnncli.core.choices import SEARCH_QUERIES
from cnncli.core.search import nearest
from cnncli.errors import CnncliError
from cnncli.files.faults import encoded, in_unicode, shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.tasks.retrieval.approximate import NEIGHBOURS, Approximate, open_approximate
from cnncli.tasks.retrieval.duplicates import Group, distance, groups
from cnncli.tasks.retrieval.gallery import Gallery, open_gallery

TOP, NEAR_COPY = 8, 0.03
_FARTHEST = 2.0

Floats = NDArray[np.float32]
_EXAMPLE = "cnncli search query photo.png --gallery gallery"


def run(settings: Settings, *, threads: int) -> int:
    """Run the command and return its exit code."""
    _check(settings)
    if settings.gallery is None:
        raise UsageError(
            "search query has no gallery; expected --gallery GALLERY",
            "Make one first, for example: cnncli search index photos -o gallery",
        )
    try:
        gallery = open_gallery(Path(settings.gallery))
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    if settings.duplicates:
        return _duplicates(gallery, settings, threads)
    inputs, failed = _inputs(settings)
    sheet = Sheet.of(settings, gallery, [name for name in inputs if name != STREAM], len(inputs))
    searching = _Searching(gallery, settings, threads)
    embedding = gallery_embedding(gallery, settings.model, threads=threads)

    def read(name: str) -> Result:
        return read_image(name, embedding.trained.input_spec)

    waiting: list[tuple[str, Result]] = []
    runs = embedded(inputs, read, embedding.embedder, threads=threads, quiet=settings.quiet)
    with closing(runs):
        for run in runs:
            waiting += run
            if len(waiting) >= SEARCH_QUERIES or run[-1][0] == inputs[-1]:
                failed += _answer(waiting, searching, sheet, settings)
                waiting = []
    failed += _answer(waiting, searching, sheet, settings)
    if sheet is not None:
        failed += sheet.write(f"{searching.recall_note or 'the nearest first'}")
    if searching.recall_note and not settings.quiet:
        report(f"note: {searching.recall_note}; without --approximate all are found")
    return SOME_FAILED if failed else DONE


def _check(settings: Settings) -> None:
    """Refuse values that mean nothing, and options that exclude each other."""
    values.within("--top", settings.top, 1)
    within = settings.within
    if within is not None and not 0 <= within <= _FARTHEST:
        raise UsageError(
            f"--within is {within:g}; expected a distance from 0 to 2", "Write, for example: --within 0.2"
        )
    for name in ("inputs", "top", "approximate", "model") if settings.duplicates else ():
        if getattr(settings, name):
            what = "an image" if name == "inputs" else f"--{name}"
            raise UsageError(
                f"--duplicates and {what} are both given; expected one of them",
                "Leave one out: duplicates are looked for among all images of the gallery.",
            )


def _inputs(settings: Settings) -> tuple[list[str], int]:
    """What is to be searched for, and how many folders gave nothing, which is said."""
    names, failed = [], 0
    wanted = wanted_names(settings.inputs or [], files_from=None, null=False, example=_EXAMPLE)
    for name in wanted:
        sources, faults = expanded(name, READ_SUFFIXES, recursive=False)
        names += [source.path for source in sources]
        failed += len(faults)
        for fault in faults:
            settle(fault, debug=settings.debug)
    return names, failed


class _Searching:
    """A search in a gallery, exact or approximate."""

    def __init__(self, gallery: Gallery, settings: Settings, threads: int) -> None:
        self._gallery, self._threads = gallery, threads
        self._top = min(settings.top or TOP, max(1, len(gallery)))
        self._within = _FARTHEST if settings.within is None else settings.within
        self._approximate: Approximate | None = None
        self.recall_note = ""
        if settings.approximate:

            def making() -> None:
                if not settings.quiet:
                    report(f"note: making usearch's index of {len(gallery):,} images, once for this gallery")

            self._approximate = open_approximate(gallery, threads=threads, making=making)
            self.recall_note = (
                f"approximate: {self._approximate.recall:.1%} of the {NEIGHBOURS} nearest are found, as "
                "measured on images of this gallery"
            )

    @property
    def recall(self) -> float | None:
        """Of an approximate search."""
        return None if self._approximate is None else round(self._approximate.recall, 6)

    def hits(self, queries: Floats) -> list[list[Hit]]:
        """The nearest images of each of queries (Q, D), the nearest first; of equal ones the first."""
        if self._approximate is None:
            _, positions = nearest(self._gallery.vectors, queries, self._top, threads=self._threads)
            found = [row[row >= 0] for row in positions]
        else:
            found = self._approximate.search(queries, self._top, threads=self._threads)
        return [self._ranked(query, row) for query, row in zip(queries, found, strict=True)]

    def _ranked(self, query: Floats, positions: NDArray[np.int64]) -> list[Hit]:
        near = [(distance(query, self._gallery.vectors[at]), at) for at in positions.tolist()]
        return [_hit(self._gallery, at, far) for far, at in sorted(near) if far <= self._within]


def _hit(gallery: Gallery, position: int, distance: float) -> Hit:
    image = gallery.image(position)
    return Hit(short(gallery.file(image)), image.below, distance)


def _answer(
    waiting: Sequence[tuple[str, Result]], searching: _Searching, sheet: Sheet | None, settings: Settings
) -> int:
    """Search for images together and write what is found; returns how many could not be read."""
    vectors = [each.vector for _, each in waiting if isinstance(each, ReadImage) and each.vector is not None]
    found = iter(searching.hits(np.stack(vectors)) if vectors else ())
    failed = 0
    for name, each in waiting:
        if isinstance(each, CnncliError):
            failed += 1
            if settings.json:
                write_line(as_json({"input": in_unicode(name), "error": each.message}))
            else:
                settle(each, debug=settings.debug)
            continue
        hits = next(found)
        if settings.json:
            recall = {} if searching.recall is None else {"recall": searching.recall}
            write_line(
                as_json({"input": in_unicode(name), "hits": [hit.as_record() for hit in hits], **recall})
            )
        else:
            write_stdout(encoded("".join(f"{line}\n" for line in _lines(name, hits))))
        if sheet is not None:
            sheet.add(name, hits, data=each.data)
    return failed


def _lines(heading: str, hits: Sequence[Hit]) -> Iterator[str]:
    """For people a heading and what was found under it; for programs three columns with tabs between."""
    if not sys.stdout.isatty():
        yield from ("\t".join((shown(heading), f"{hit.distance:.6f}", shown(hit.file))) for hit in hits)
        return
    yield shown(heading)
    yield from (f"  {hit.distance:.4f}  {shown(hit.file)}" for hit in hits)
    if not hits:
        yield "  nothing is that near"


def _duplicates(gallery: Gallery, settings: Settings, threads: int) -> int:
    """Write groups of copies and near copies."""
    within = NEAR_COPY if settings.within is None else settings.within
    images = [*gallery.images]
    found = groups(gallery.vectors, [image.digest for image in images], within, threads=threads)
    sheet = Sheet.of(settings, gallery, [], len(found))
    for number, group in enumerate(found, 1):
        nearest_first = sorted(zip(group.distances, group.positions, strict=True))
        hits = [_hit(gallery, at, far) for far, at in nearest_first]
        if settings.json:
            about = {"exact": group.exact, "images": [hit.as_record() for hit in hits]}
            write_line(as_json(about))
        else:
            heading = _heading(group) if sys.stdout.isatty() else str(number)
            write_stdout(encoded("".join(f"{line}\n" for line in _lines(heading, hits))))
        if sheet is not None:
            sheet.add(hits[0].file, hits[1:], name=hits[0].below, note=_heading(group))
    if not settings.quiet:
        exact = sum(group.exact for group in found)
        groups_said = "1 group" if len(found) == 1 else f"{len(found):,} groups"
        report(
            f"note: {groups_said} within {within:g} among {len(gallery):,} images; {exact:,} of files that "
            "are equal"
        )
    failed = sheet.write("copies and near copies") if sheet is not None and found else 0
    return SOME_FAILED if failed else DONE


def _heading(group: Group) -> str:
    return f"{len(group.positions)} {'equal files' if group.exact else 'nearly the same'}"
