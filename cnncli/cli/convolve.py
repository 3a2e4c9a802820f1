"""``cnncli convolve``: from what the user said to filtered files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.cli.batch import Executor, Outcome, run_batch
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.messages import report
from cnncli.cli.metadata_notes import Notes, notes_on_losses
from cnncli.cli.names import STREAM, find_inputs, is_address, is_standard, is_terminal, located
from cnncli.cli.options.convolve import Settings
from cnncli.cli.options.shared import names_cluster
from cnncli.cli.outputs import Job, names_size, plan_outputs, said_of_standing, write_output
from cnncli.cli.result_form import (
    becomes_bytes,
    called,
    check_sizes,
    facts_of_picture,
    gray_notes,
    has_bands,
    input_notes,
    make_folder,
    reported,
    result_depths,
    result_format,
    result_gain,
    result_picture,
    result_preview,
    result_size,
    settled_options,
    whole_notes,
)
from cnncli.cli.streams import read_stdin, write_line
from cnncli.cli.task import Task, check_outputs, kept_files, naming_of, read_task
from cnncli.core.threads import thread_count
from cnncli.errors import CnncliError
from cnncli.files.atomic import drafted
from cnncli.files.faults import in_unicode, shown
from cnncli.filters.apply import Applied, Depth, apply_filters
from cnncli.filters.model import Filter
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.images.encode import KEEPS_FOUR_BYTES, check_frames, encode_with_losses
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.large import LargePicture, open_large
from cnncli.images.picture import Picture, Pixels
from cnncli.images.read import read_picture
from cnncli.records import replace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.cli.convolve_bands import Elsewhere as Bands
    from cnncli.cli.explained import FilterRun
    from cnncli.cli.explained_page import SharedPage
    from cnncli.cli.montage import Sheet

LEAST_CLIPPED = 0.01  # share of pixels


def run(settings: Settings) -> int:
    """Run the command and return its exit code."""
    if settings.inputs and not all("." in name and ":" not in name for name in settings.inputs):
        from cnncli.cli.misplaced import refuse_kernels_among_inputs

        refuse_kernels_among_inputs(settings)
    try:
        task, jobs, faults = _planned(settings)
        sheet = _sheet(settings, task, jobs)
        cores = thread_count(settings.threads)
    except UsageError:
        raise
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    said = _Said(settings, sheet, alone=len(jobs) == 1)
    for name, empty in faults:
        said.fault(name, settings.output, empty)
    shared = _shared_page(task, jobs)
    if sheet is not None:
        task = replace(task, preview=sheet.side)

    work = partial(_attempted, task, shared)
    left = [job for job in jobs if not job.stands]
    with (
        _executor(settings, task) if left else nullcontext() as executor,
        closing(run_batch(left, work, cores, quiet=settings.quiet, executor=executor)) as outcomes,
    ):
        for job, outcome in _in_order(jobs, outcomes):
            said.outcome(job, outcome)
    said.close(task, len(jobs) - len(left), len(jobs))
    for page in (shared, sheet):
        if page is not None:
            page.write()
    if not said.codes:
        return DONE
    # An option that does not fit the only image there is, is wrong usage; of many, some failed.
    return said.codes[0] if len(jobs) == 1 and not faults else SOME_FAILED


class _Said:
    """What is said of inputs, as they are done and at the end.

    Attributes
    ----------
    codes : list of int
        Exit codes of what failed.
    """

    def __init__(self, settings: Settings, sheet: "Sheet | None", *, alone: bool) -> None:
        self._settings, self._sheet, self._alone = settings, sheet, alone
        self.codes: list[int] = []
        self._clipped: list[tuple[float, str]] = []
        self._gains: list[tuple[float, str]] = []
        self._notes = Notes()

    def fault(self, name: str, target: str | None, error: Exception, about: str = "") -> None:
        """What went wrong with an input, or a folder that gave none."""
        _tell_fault(name, error, target, json=self._settings.json)
        self.codes.append(settle(error, debug=self._settings.debug, about=about))

    def outcome(self, job: Job, outcome: Outcome) -> None:
        """What became of an input."""
        if outcome.error is not None:
            self.fault(job.source, job.target, located(outcome.error, job.listed), shown(job.source))
            if self._sheet is not None:
                self._sheet.add(job, None, "failed")
            return
        if outcome.preview is not None and is_terminal(job.target):
            _show(job, outcome.preview, alone=self._alone)
        _announce(job, outcome.value, json=self._settings.json)
        if self._sheet is not None and (unseen := self._sheet.add_result(job, outcome)):
            self.codes.append(settle(unseen, debug=self._settings.debug))
        if job.stands:
            return
        self._clipped.append((outcome.value["clipped"], job.result))
        self._gains.append((outcome.gain, job.result))
        if not self._settings.quiet:
            self._notes.say(job, outcome.notes)

    def close(self, task: Task, standing: int, count: int) -> None:
        """What is said of all of them; of them, some outputs were left as they stand."""
        if self._settings.quiet:
            return
        part = task.part
        if self._clipped and part is not None and part.mask is not None and not part.mask.any():
            mask = shown(self._settings.mask or "")
            report(f"warning: --mask {mask} is black everywhere: nothing is filtered")
        self._notes.close()
        if standing:
            report(*said_of_standing(standing, count, self._settings.output))
        _advise(self._clipped if not task.clips else [], self._gains, alone=self._alone)


def _in_order(jobs: Sequence[Job], outcomes: Iterator[tuple[Job, Outcome]]) -> Iterator[tuple[Job, Outcome]]:
    """All jobs in their order, also those whose outputs stand; fewer where a signal ends the others."""
    for job in jobs:
        if job.stands:
            yield job, Outcome(value={"skipped": True})
            continue
        found = next(outcomes, None)
        if found is None:
            return
        yield found
    yield from outcomes  # none is left, but what ends them, a signal perhaps, is still to be seen


@contextmanager
def _executor(settings: Settings, task: Task) -> Iterator[Executor | None]:
    """What works on pictures elsewhere; None: this machine does."""
    if not names_cluster(settings):
        yield None
        return
    from cnncli.cli.cluster.connection import connected
    from cnncli.cli.cluster.jobs import Elsewhere

    _refuse_on_cluster(settings)
    in_bands = partial(_in_bands_elsewhere, task)
    with connected(settings) as cluster, Elsewhere(cluster, in_bands, task.max_pixels) as executor:
        yield executor


def _refuse_on_cluster(settings: Settings) -> None:
    """Refuse what one machine alone can do."""
    if settings.in_place:
        raise UsageError(
            "--in-place is given with a Dask scheduler, which runs work again where a worker dies, and would "
            "filter a result once more; expected other files for results",
            "Name a folder with -o, or leave the scheduler out.",
        )
    if settings.explain is not None:
        raise UsageError(
            "--explain is given with a Dask scheduler; expected it for work on this machine",
            "Explain one of the images without the scheduler.",
        )


def _attempted(task: Task, shared: "SharedPage | None", job: Job, threads: int) -> Outcome:
    """Filter one input, once more alone where memory does not suffice."""
    if job.fault is not None:
        raise job.fault
    if job.source == STREAM:  # which can be read once only
        return _convolve(job, task, threads, shared)
    return with_memory_retry(lambda: _convolve(job, task, threads, shared), job.source)


def _planned(settings: Settings) -> tuple[Task, list[Job], list[tuple[str, CnncliError]]]:
    """The task, what it is done to, and the folders that gave nothing."""
    task = read_task(settings)
    sources, faults = find_inputs(
        settings.inputs or [],
        recursive=settings.recursive,
        files_from=settings.files_from,
        null=settings.null,
        suffixes=READ_SUFFIXES,
    )
    kept = kept_files(settings.kernel or [], settings.files_from, settings.mask)
    if names_size(settings.output):
        from cnncli.cli.sizes import measured

        sources = measured(sources, partial(result_size, task), max_pixels=task.max_pixels)
    jobs = plan_outputs(
        sources,
        settings.output,
        in_place=settings.in_place,
        naming=naming_of(task),
        kept=kept,
    )
    if jobs or not faults:
        check_outputs(jobs, task, in_place=settings.in_place, kept=kept)
    if settings.skip_existing:
        from cnncli.cli.standing import check_skipping, with_standing

        check_skipping(jobs, in_place=settings.in_place, explain=settings.explain)
        jobs = with_standing(jobs, kept_files(settings.kernel or [], settings.mask))
    return task, jobs, faults


def _sheet(settings: Settings, task: Task, jobs: Sequence[Job]) -> "Sheet | None":
    """The sheet on which all results are shown, if it is asked for and there are any."""
    if settings.montage is None:
        if settings.columns is not None or settings.thumbnail is not None:
            from cnncli.cli.montage import refuse_its_options

            refuse_its_options(settings)
        return None
    from cnncli.cli.montage import Sheet

    kept = kept_files(settings.kernel or [], settings.files_from, settings.mask)
    return Sheet(settings, jobs, kept, task.spec) if jobs else None


def _shared_page(task: Task, jobs: list[Job]) -> "SharedPage | None":
    """The page on which several inputs are explained; one input's is written with its result."""
    if task.explain is None or len(jobs) < 2:
        return None
    from cnncli.cli.explained_page import SharedPage

    return SharedPage(Path(task.explain), [job.target for job in jobs])


def _in_bands_elsewhere(task: Task, elsewhere: "Bands", job: Job, threads: int) -> Outcome:
    """Filter one large input whose bands others work on."""
    return with_memory_retry(lambda: _convolve(job, task, threads, None, elsewhere), job.source)


def _convolve(
    job: Job, task: Task, threads: int, shared: "SharedPage | None", elsewhere: "Bands | None" = None
) -> Outcome:
    """Filter one input and write its result."""
    start = perf_counter()
    name = None
    if job.source == STREAM:
        contents: bytes | Path = read_stdin()
        why = "standard input can be read once only"
    elif is_address(job.source):
        from cnncli.cli.addresses import read_address

        contents, name = read_address(job.source), job.source
        why = "what has an address is read whole"
    else:
        contents = Path(job.source)
        outcome = _in_bands(job, task, threads, elsewhere)
        if isinstance(outcome, Outcome):
            return outcome
        why = outcome
    picture = read_picture(contents, max_pixels=task.max_pixels, name=name, bands=True)
    format = result_format(job, task, picture)
    check_frames(picture, format)
    if task.explain is not None and has_bands(picture):
        raise CnncliError(
            f"--explain: {called(job.source)} has {picture.channels} channels; expected gray or RGB",
            "Explain the kernel on another picture.",
        )
    facts = facts_of_picture(picture, top=becomes_bytes(picture, format, task))
    source, target, notes = result_depths(picture, format, task, job.result, facts)
    notes = [*whole_notes(job, picture, why), *notes, *input_notes(job, picture, format)]
    notes += [note for filter in task.filters for note in filter.notes(source)]
    task = replace(task, options=settled_options(task, picture, source))
    applied = _applied(job, picture, task, (source, target), threads, rgbx=format in KEEPS_FOUR_BYTES)
    notes += gray_notes(job, task, target, signed=applied[0].signed)
    frames = tuple(each.pixels for each in applied)
    result = result_picture(picture, frames, format, task, (source, target))
    if job.size is not None:
        from cnncli.cli.sizes import check_size

        check_size(job.source, job.size, result.size)
    data = b""
    if not is_terminal(job.target):
        data, lost = encode_with_losses(
            result, format, quality=task.quality, compress=task.compress, threads=threads
        )
        notes += notes_on_losses(job, picture, task, lost)
    if task.part is not None:
        from cnncli.cli.parts import notes_on_the_rest

        notes += notes_on_the_rest(job.target, result)
    if task.explain is None:
        _write(job, data)
    else:
        from cnncli.cli.explained import FilterRun

        run = FilterRun(picture, task.filters, task.options, source, job.source, threads)
        _write_explained(job, data, run, Path(task.explain), shared)
    clipped = sum(each.clipped for each in applied) / len(applied)
    value = reported(result, task, applied[0].plans, clipped=clipped, start=start)
    preview = result_preview(job, task, result, target)
    return Outcome(value=value, notes=notes, gain=result_gain(task, result, target), preview=preview)


def _in_bands(job: Job, task: Task, threads: int, elsewhere: "Bands | None") -> Outcome | str:
    """Filter and write a large picture in bands; else why not, no words if it is small."""
    large = open_large(Path(job.source), max_pixels=task.max_pixels)
    if not isinstance(large, LargePicture):
        return large or ""
    from cnncli.cli.convolve_bands import convolve_in_bands

    with closing(large):
        return convolve_in_bands(job, task, large, threads, elsewhere)


def _explanation(run: "FilterRun", suffix: str) -> bytes:
    """The file that explains the run on a single input."""
    if suffix.lower() != ".html":
        from cnncli.cli.explained import encode_explanation

        return encode_explanation(run, suffix)
    from cnncli.cli.explained_page import encode_page, page_picture

    return encode_page([page_picture(run)], run)


def _write_explained(
    job: Job, data: bytes, run: "FilterRun", explain: Path, shared: "SharedPage | None"
) -> None:
    """Write the result and what explains it: both or none, where it is the only one."""
    if shared is not None:
        _write(job, data)
        shared.add(job.target, run)
        return
    with drafted(explain, _explanation(run, explain.suffix)):
        _write(job, data)


def _write(job: Job, data: bytes) -> None:
    """Write the result, which may replace the input; what is shown in the terminal is shown in order."""
    if not is_terminal(job.target):
        make_folder(job)
        write_output(job.target, data, again=job.again)


def _applied(
    job: Job, picture: Picture, task: Task, depths: tuple[Depth, Depth], threads: int, *, rgbx: bool
) -> list[Applied]:
    """The filtered frames."""
    source, target = depths

    def filtered(frame: Pixels, filters: Sequence[Filter] = task.filters) -> Applied:
        how: dict[str, Any] = {"alpha": picture.alpha, "source": source, "target": target, "rgbx": rgbx}
        if task.part is None:
            return apply_filters(frame, filters, task.options, threads=threads, **how)
        from cnncli.filters.area import apply_in_area

        return apply_in_area(frame, filters, task.options, task.part, threads=threads, **how)

    # Where colours are weighed together, channels that are no colours are filtered each by itself.
    alone = has_bands(picture) and any(filter.weighs_colors for filter in task.filters)
    alone = alone and not (task.part and task.part.channels)
    try:
        check_sizes(task, [frame.shape for frame in picture.frames])
        if not alone:
            return [filtered(frame) for frame in picture.frames]
        return [_each_channel(frame, task.filters, filtered) for frame in picture.frames]
    except CnncliError as error:  # an option that does not fit the size of this image
        raise UsageError(f"{called(job.source)}: {error.message}", error.hint) from error


def _each_channel(
    frame: Pixels, filters: Sequence[Filter], filtered: Callable[[Pixels, Sequence[Filter]], Applied]
) -> Applied:
    """A frame filtered channel by channel, each with its own of a second picture."""
    parts = []
    for at in range(frame.shape[2]):
        own = [filter.of_channel(at, frame.shape[2]) for filter in filters]
        parts.append(filtered(np.ascontiguousarray(frame[..., at : at + 1]), own))
    pixels = np.concatenate([part.pixels for part in parts], axis=2)
    return replace(parts[0], pixels=pixels, clipped=sum(part.clipped for part in parts) / len(parts))


def _show(job: Job, pixels: "NDArray[np.uint8]", *, alone: bool) -> None:
    """Show a result in the terminal, under its name where there are several."""
    from cnncli.cli.terminal import screen_of, show

    if not alone:
        write_line(called(job.source))
    show(pixels, screen_of(job.target))


def _announce(job: Job, value: Mapping[str, Any], *, json: bool) -> None:
    """A result's line: JSON, or its name where the name was made up."""
    if json:
        from cnncli.checked import as_json

        line = as_json({"input": in_unicode(job.source), "output": in_unicode(job.result), **value})
    elif job.announced and not job.stands:
        line = job.target
    else:
        return
    _tell(line, job.target)


def _tell_fault(source: str, error: BaseException, target: str | None, *, json: bool) -> None:
    """The line of JSON of an input without a result; the keys are those of ``cnncli predict``."""
    if json:
        from cnncli.checked import as_json

        message = error.message if isinstance(error, CnncliError) else str(error) or type(error).__name__
        _tell(as_json({"input": in_unicode(source), "error": message}), target)


def _tell(line: str, target: str | None) -> None:
    """A line for a reader: standard output, unless that is the image."""
    if target is not None and is_standard(target):
        report(line, exactly=True)
    else:
        write_line(line)


def _advise(clipped: list[tuple[float, str]], gains: list[tuple[float, str]], *, alone: bool) -> None:
    """Say what was cut off, beyond specks that nobody misses, and what is dim."""
    if any(share >= LEAST_CLIPPED for share, _ in clipped):
        from cnncli.cli.advice import warn_of_clipping

        warn_of_clipping([each for each in clipped if each[0] >= LEAST_CLIPPED], len(clipped), alone=alone)
    if any(gain > 1 for gain, _ in gains):
        from cnncli.cli.advice import advise_on_scale

        advise_on_scale([each for each in gains if each[0] > 1], len(gains))
