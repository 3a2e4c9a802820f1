"""``cnncli predict`` for networks for masks: areas of classes as rows, masks and overlays as files."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli import ending
from cnncli.cli.answers import read_input
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.listing import Input, Listing
from cnncli.cli.messages import report
from cnncli.cli.names import Source, is_address, is_special, is_standard, located
from cnncli.cli.options.predict import Settings
from cnncli.cli.options.shared import names_cluster
from cnncli.cli.outputs import (
    Job,
    Naming,
    check_shown,
    made_folder,
    make_folder_of,
    names_size,
    plan_outputs,
    said_of_standing,
    write_output,
)
from cnncli.cli.progress import progress_bar
from cnncli.cli.row_writers import Row, choose_row_writer
from cnncli.cli.sizes import measured
from cnncli.cli.standing import check_skipping, with_standing
from cnncli.cli.streams import write_stdout
from cnncli.cli.trained import Trained
from cnncli.data.prepare import read_whole
from cnncli.errors import CnncliError
from cnncli.files.faults import encoded, input_fault
from cnncli.images.decoding_limits import set_max_pixels, with_memory_retry
from cnncli.images.formats import SUFFIXES, format_for
from cnncli.images.picture import Picture, on_white, with_depth
from cnncli.records import record, replace
from cnncli.tasks.labelling import Labeller
from cnncli.tasks.segmentation import ClassMap, Segmentation

if TYPE_CHECKING:
    from cnncli.cli.cluster.networks import Named
    from cnncli.cli.cluster.places import Marker, SeenPicture

_EXAMPLE = "cat photo.png | cnncli predict -m RUN"


def predict_masks(trained: Trained, listing: Listing, settings: Settings, *, threads: int) -> int:
    """Label the pixels of pictures, and return the exit code.

    Raises
    ------
    UsageError
        Where outputs cannot be named, or the network cannot label pictures at their own scale.
    """
    plan = _Outputs(listing, settings)
    writer = choose_row_writer(
        [each.name for each in listing.known],
        trained.task,
        json=settings.json,
        csv=settings.csv,
        top=settings.top,
    )
    _say(writer.header(), plan)
    done = failed = skipped = 0
    rows = closing(_rows(trained, listing, settings, plan, threads=threads))
    count = None if listing.more else len(listing.known)
    bar = progress_bar(count or 0, unit="images", quiet=settings.quiet or (count or 0) < 2)
    with ending.saying(lambda: f"{done} labelled"), rows as answers, bar as progress:
        for row in answers:
            progress.clear()
            done += 1
            skipped += row.skipped
            if row.error is not None:
                failed += 1
            if row.error is not None and not writer.holds_errors:
                settle(row.error, debug=settings.debug)
            elif not row.skipped or settings.json:
                _say(writer.line(row), plan)
            progress.draw(done)
    if skipped and not settings.quiet:
        report(*said_of_standing(skipped, done, settings.output, settings.masks))
    return SOME_FAILED if failed else DONE


class _Outputs:
    """Where the pictures of each input go.

    Attributes
    ----------
    streams : bool
        One of them is standard output: rows go to standard error.
    """

    def __init__(self, listing: Listing, settings: Settings) -> None:
        given = {"output": settings.output, "mask": settings.masks}
        wanted = {kind: where for kind, where in given.items() if where is not None}
        if wanted and listing.more:
            raise UsageError(
                "--files-from - is given with -o or --masks; expected names that are known from the start",
                "Write the names to a file, and give that with --files-from.",
            )
        if len(wanted) > 1 and settings.output == settings.masks:
            raise UsageError(
                f"-o and --masks are both {settings.output}; expected two places", "Name another file."
            )
        self.streams = any(map(is_standard, wanted.values()))
        for where in wanted.values():
            check_shown(where)
        self._jobs: dict[str, dict[Input, Job]] = {}
        for kind, where in wanted.items():
            name = "overlay" if kind == "output" else "mask"
            suffixes = frozenset(SUFFIXES) if kind == "output" else frozenset({".png"})
            naming = Naming(kernel=name, suffix=None if kind == "output" else ".png", writable=suffixes)
            sources = [Source(each.name, listed=each.listed) for each in listing.known if not each.fault]
            if names_size(where):
                sources = measured(sources, lambda size: size)
            jobs = plan_outputs(sources, where, in_place=False, naming=naming)
            for job in jobs:
                if job.fault is None:
                    _check_suffix(job.target, suffixes, kind)
            if settings.skip_existing:
                check_skipping(jobs, in_place=False, explain=None)
                jobs = with_standing(jobs, [])
            known = (each for each in listing.known if not each.fault)
            self._jobs[kind] = dict(zip(known, jobs, strict=True))
        if settings.skip_existing and not wanted:
            raise UsageError(
                "--skip-existing is given without -o and --masks; expected an output, which can stand",
                "Name an output, or leave --skip-existing out.",
            )

    def stands(self, item: Input) -> bool:
        """Whether all that is to be written of an input is there."""
        return bool(self._jobs) and all(item in jobs and jobs[item].stands for jobs in self._jobs.values())

    def fault(self, item: Input) -> CnncliError | None:
        """Why nothing can be written of an input."""
        faults = (jobs[item].fault for jobs in self._jobs.values() if item in jobs)
        return item.fault or next((each for each in faults if each is not None), None)

    def targets(self, item: Input) -> dict[str, str]:
        """What is to be written of an input: ``output`` and ``mask``, and where."""
        return {kind: jobs[item].target for kind, jobs in self._jobs.items() if item in jobs}


def _check_suffix(target: str, suffixes: frozenset[str], kind: str) -> None:
    suffix = Path(target).suffix.lower()
    if is_standard(target) or is_special(target) or suffix in suffixes:
        return
    if kind == "output":
        format_for(target)  # says which there are
    raise UsageError(
        f"--masks writes {target}; expected a PNG, which keeps the numbers of classes",
        "Give a folder (ending in /), or a name that ends in .png.",
    )


def _rows(
    trained: Trained, listing: Listing, settings: Settings, plan: _Outputs, *, threads: int
) -> Generator[Row, None, None]:
    """The row of each input, when its pictures are written."""
    task = trained.task
    assert isinstance(task, Segmentation)
    try:
        labeller = _labeller(trained, own_scale=settings.own_scale, threads=threads)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    if names_cluster(settings):
        yield from _rows_elsewhere((trained, labeller), listing, settings, plan)
        return
    for group in listing.groups():
        for item in group:
            yield _row_of(item, labeller, task, plan)


def _labeller(trained: Trained, *, own_scale: bool, threads: int) -> Labeller:
    preprocessing = trained.checkpoint.preprocessing
    return Labeller(trained.network, preprocessing, threads=threads, own_scale=own_scale)


def _row_of(item: Input, labeller: Labeller, task: Segmentation, plan: _Outputs) -> Row:
    """Label one picture here, unless what is wanted of it stands."""
    if plan.stands(item):
        return Row(item.name, files=plan.targets(item), skipped=True)
    return _row(replace(item, fault=plan.fault(item)), labeller, task, plan.targets(item))


def _row(
    item: Input, labeller: Labeller, task: Segmentation, targets: dict[str, str], *, again: bool = False
) -> Row:
    """Label one picture, and write what is wanted of it; or why that cannot be done."""
    try:
        if item.fault is not None:
            raise item.fault
        return _answer(item, labeller, task, targets, again=again)
    except BrokenPipeError:
        raise
    except (CnncliError, OSError, ValueError, MemoryError) as error:
        return Row(item.name, error=located(input_fault(error, item.name), item.listed))


def _rows_elsewhere(
    how: tuple[Trained, Labeller], listing: Listing, settings: Settings, plan: _Outputs
) -> Generator[Row, None, None]:
    """The row of each input, whose pictures are written by the workers of a cluster; of streams here."""
    from cnncli.cli.cluster.connection import HERE, connected
    from cnncli.cli.cluster.networks import named, picture_of
    from cnncli.cli.cluster.places import Markers, as_given, in_full

    trained, labeller = how
    task = trained.task
    assert isinstance(task, Segmentation)
    markers = Markers()

    def send(item: Input) -> _Sent | None:
        if plan.stands(item) or plan.fault(item) is not None:
            return None
        targets = plan.targets(item)
        picture = picture_of(item)
        if picture is None or any(is_standard(target) or is_special(target) for target in targets.values()):
            return None
        whole = {kind: in_full(target) for kind, target in targets.items()}
        folders = {Path(target).parent for target in whole.values() if not is_address(target)}
        for folder in folders:
            made_folder(folder)
        return _Sent(picture, whole, tuple(markers.of(str(folder)) for folder in folders))

    items = [item for group in listing.groups() for item in group]
    share = partial(_labelled, named(settings, trained), settings.own_scale, settings.max_pixels)
    with connected(settings) as cluster, markers, closing(cluster.each(items, send, share)) as results:
        for item, found in results:
            if found is HERE:
                yield _row_of(item, labeller, task, plan)
            elif isinstance(found, Row):
                error = found.error and located(as_given(found.error, item.name), item.listed)
                files = plan.targets(item) if found.error is None else {}
                yield replace(found, name=item.name, error=error, files=files)
            else:
                yield Row(item.name, error=located(found, item.listed))


@record
class _Sent:
    """A picture for a worker, where its results go, and what those folders are known by."""

    picture: "SeenPicture"
    targets: dict[str, str]
    markers: tuple["Marker", ...]


def _labelled(
    network: "Named", own_scale: bool, max_pixels: int | None, sent: Sequence[_Sent]
) -> Iterator[Row]:
    """On a worker: the rows of pictures."""
    from cnncli.cli.cluster.networks import kept, same_trained
    from cnncli.cli.cluster.places import check_folder, check_input

    set_max_pixels(max_pixels)

    def make() -> tuple[Segmentation, Labeller]:
        trained = same_trained(network)
        assert isinstance(trained.task, Segmentation)
        return trained.task, _labeller(trained, own_scale=own_scale, threads=1)

    task, labeller = kept((network, own_scale), make)
    for each in sent:
        try:
            check_input(each.picture.path, each.picture.input)
            for marker in each.markers:
                check_folder(marker)
        except CnncliError as error:
            yield Row(each.picture.path, error=error)
            continue
        yield _row(Input(each.picture.path), labeller, task, each.targets, again=True)


def _answer(
    item: Input, labeller: Labeller, task: Segmentation, targets: dict[str, str], *, again: bool
) -> Row:
    """Label one picture, and write what is wanted of it."""
    data, name = read_input(item.name, example=_EXAMPLE)
    picture, _ = read_whole(data, name=name)
    found = ClassMap(with_memory_retry(lambda: labeller.labels(picture), name), task.classes)
    if "mask" in targets:
        from cnncli.images.indexed import encode_indexed
        from cnncli.views.colors import mask_palette

        _write(targets["mask"], encode_indexed(found.map, mask_palette()), again=again)
    if "output" in targets:
        _write(targets["output"], _overlay(picture, found, targets["output"]), again=again)
    return Row(item.name, found, files=targets)


def _overlay(picture: Picture, found: ClassMap, target: str) -> bytes:
    from cnncli.images.encode import encode_picture
    from cnncli.views.overlay import overlay_page

    numbers = {name: number for number, name in enumerate(found.classes)}
    areas = [(numbers[name], name, share) for name, share in found.bars()]
    page = overlay_page(_shown(picture), found.map, areas).array()
    format = "PNG" if is_standard(target) or is_special(target) else format_for(target)
    return encode_picture(Picture((page,)), format)


def _shown(picture: Picture) -> NDArray[np.uint8]:
    """The first frame as it is drawn: 8 bits, gray or colours."""
    frame = np.asarray(with_depth(picture.frames[0], 8), np.uint8)
    if picture.alpha:
        frame = on_white(frame)
    return frame if frame.shape[2] in (1, 3) else frame[..., :1]


def _write(target: str, data: bytes, *, again: bool) -> None:
    make_folder_of(target)
    write_output(target, data, again=again)


def _say(line: str | None, plan: _Outputs) -> None:
    """A line for a reader: on standard output, unless that is a picture."""
    if line is None:
        return
    if plan.streams:
        report(line, exactly=True)
    else:
        write_stdout(encoded(f"{line}\n"))
