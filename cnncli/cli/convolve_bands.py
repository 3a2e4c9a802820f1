"""``cnncli convolve`` of a large picture: read, filtered and written in bands of rows."""

import os
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from cnncli.cli.batch import Outcome
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.metadata_notes import notes_on_losses
from cnncli.cli.names import STREAM, is_address, is_special, is_terminal
from cnncli.cli.outputs import Job
from cnncli.cli.result_form import (
    called,
    check_sizes,
    gray_notes,
    has_bands,
    input_notes,
    make_folder,
    preview_side,
    reported,
    result_depths,
    result_format,
    result_gain,
    result_picture,
    settled_options,
)
from cnncli.cli.streams import write_stdout
from cnncli.cli.task import Task
from cnncli.core.heap import keep_freed_memory
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.filters.apply import Applied, Part
from cnncli.filters.bands import BandedFilters
from cnncli.images.encode import BAND_FORMATS, check_frames, encode_bands
from cnncli.images.large import LargePicture, facts_of
from cnncli.images.picture import Picture, Pixels
from cnncli.images.row_source import blank
from cnncli.records import replace
from cnncli.threaded import one_ahead

_SAMPLED = 1 << 16  # pixels of a result that are kept to measure its brightness
_PIECE = 1 << 20
_SENT = 1 << 24  # bytes of a band that another machine sends

Elsewhere = Callable[
    [BandedFilters, Part, Sequence[tuple[int, int]]],
    Generator[Applied, None, None],
]
"""Filters bands of a picture, by their rows, and gives them in order."""


def why_whole(large: LargePicture, task: Task, job: Job, format: str) -> str:
    """Why a picture has to lie in memory as a whole, by what is asked for; empty where it has not."""
    if task.part is not None:
        return "--mask, --inside and --channels keep the rest of it"
    if task.explain is not None:
        return "--explain shows how the kernel works on it"
    if is_address(job.target):
        return "what has an address is written whole"
    if format not in BAND_FORMATS:
        return f"{format} is written in one piece"
    if format == "PNG" and task.compress:
        return "--compress tries two ways to write a PNG"
    if has_bands(large.picture) and any(filter.weighs_colors for filter in task.filters):
        return f"its {large.picture.channels} channels are filtered one by one"
    return ""


def convolve_in_bands(
    job: Job, task: Task, large: LargePicture, threads: int, elsewhere: Elsewhere | None = None
) -> Outcome | str:
    """Filter a large picture and write its result, band by band; on other machines where there are some.

    Second pictures are read here, so that they are not for others.

    Returns
    -------
    Outcome or str
        Words: why it has to be filtered in one piece.
    """
    with ExitStack() as opened:
        filters = tuple(opened.enter_context(filter.in_bands()) for filter in task.filters)
        alone = any(filter.files for filter in filters)
        return _convolved(job, replace(task, filters=filters), large, threads, None if alone else elsewhere)


def _convolved(
    job: Job, task: Task, large: LargePicture, threads: int, elsewhere: Elsewhere | None
) -> Outcome | str:
    """As `convolve_in_bands`, with the files of the filters open."""
    start = perf_counter()
    picture = large.picture
    format = result_format(job, task, picture)
    check_frames(picture, format)
    if why := why_whole(large, task, job, format):
        return why
    facts = facts_of(large)
    source, target, notes = result_depths(picture, format, task, job.result, facts)
    notes += input_notes(job, picture, format)
    notes += [note for filter in task.filters for note in filter.notes(source)]
    task = replace(task, options=settled_options(task, picture, source))
    shape = picture.frames[0].shape
    gaps = picture.alpha and any(filter.makes_gaps for filter in task.filters)
    opaque = facts.opaque and not gaps
    filters = BandedFilters(task.filters, task.options, shape, picture.alpha, source, target, opaque=opaque)
    if why := filters.why_whole():
        return why
    try:
        check_sizes(task, [shape])
        size = filters.stages()[-1].result
        filters.check_channels()
    except CnncliError as error:  # an option that does not fit the size of this image
        raise UsageError(f"{called(job.source)}: {error.message}", error.hint) from error
    if job.size is not None:
        from cnncli.cli.sizes import check_size

        check_size(job.source, job.size, size[::-1])
    frame = blank((*size, filters.colors + picture.alpha), target.dtype)
    result = result_picture(picture, (frame,), format, task, (source, target))
    seen = _Seen(frame)
    small = None
    if side := preview_side(job, task):
        from cnncli.images.screen.preview import Shrinker

        small = Shrinker(frame.shape, alpha=picture.alpha, most=side)
    keep_freed_memory()
    with ExitStack() as running:
        bands = running.enter_context(closing(_bands(filters, large, threads, elsewhere)))
        if threads > 1 and elsewhere is None:
            bands = running.enter_context(closing(one_ahead(bands)))
        rows: Iterator[Pixels] = map(seen.pixels, bands)
        if small is not None:
            rows = small.passing(rows)
        lost = _written(job, task, result, rows, threads)
    notes += gray_notes(job, task, target, signed=seen.first.signed)
    notes += notes_on_losses(job, picture, task, lost)
    value = reported(result, task, seen.first.plans, clipped=seen.clipped / max(1, seen.samples), start=start)
    sampled = replace(result, frames=(np.concatenate(seen.sampled),))
    preview = None
    if small is not None:
        from cnncli.images.screen.preview import as_shown

        preview = as_shown(small.means(), alpha=picture.alpha, white=target.white)
    return Outcome(value=value, notes=notes, gain=result_gain(task, sampled, target), preview=preview)


def _written(job: Job, task: Task, result: Picture, rows: Iterator[Pixels], threads: int) -> list[str]:
    """Write a result while its rows are made; returns names of what is lost."""
    if is_terminal(job.target):
        for _ in rows:  # which are seen on the way
            pass
        return []
    pieces, lost = encode_bands(result, result.format, rows, compress=task.compress, threads=threads)
    _write(job, pieces)
    return lost


def _bands(
    filters: BandedFilters, large: LargePicture, threads: int, elsewhere: Elsewhere | None
) -> Generator[Applied, None, None]:
    """The filtered bands of a picture, from the top."""
    if elsewhere is None:
        return filters.over(large.rows, threads=threads)
    _, width = filters.stages()[-1].result
    row = width * (filters.colors + filters.alpha) * filters.target.dtype.itemsize
    return filters.run_by(partial(elsewhere, filters), height=max(1, _SENT // row))


class _Seen:
    """What is kept of the bands of a result: counts, and a few pixels."""

    def __init__(self, frame: Pixels) -> None:
        self.step = max(1, int((frame.shape[0] * frame.shape[1] / _SAMPLED) ** 0.5))
        self.rows = self.clipped = self.samples = 0
        self.sampled: list[Pixels] = []
        self.first: Applied

    def pixels(self, band: Applied) -> Pixels:
        """The pixels of the next band."""
        if not self.rows:
            self.first = replace(band, pixels=band.pixels[:0])
        height, width, channels = band.pixels.shape
        samples = height * width * (channels - band.alpha)
        self.clipped += round(band.clipped * samples)
        self.samples += samples
        self.sampled.append(band.pixels[-self.rows % self.step :: self.step, :: self.step].copy())
        self.rows += height
        return band.pixels


def _write(job: Job, pieces: Iterator[bytes | memoryview]) -> None:
    """Write a result as its pieces come: to a pipe when the last one is there."""
    make_folder(job)
    if job.target == STREAM:
        for piece in _spooled(pieces):
            write_stdout(piece)
    else:
        piped = is_special(job.target) and job.target != os.devnull
        write_atomic(Path(job.target), _spooled(pieces) if piped else pieces, same_stays=job.again)


def _spooled(pieces: Iterator[bytes | memoryview]) -> Iterator[bytes]:
    """Pieces that wait in a file without a name until all are there."""
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece
