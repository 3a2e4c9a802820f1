"""``cnncli predict``: what a trained network predicts of images."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from cnncli import ending
from cnncli.cli import values
from cnncli.cli.answers import Networks
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.listing import Listing, list_inputs
from cnncli.cli.messages import report, report_error
from cnncli.cli.names import STREAM, is_standard, located
from cnncli.cli.options.predict import Settings
from cnncli.cli.options.shared import names_cluster
from cnncli.cli.row_writers import Row, RowWriter, choose_row_writer
from cnncli.cli.streams import write_stdout
from cnncli.cli.trained import Trained, load_trained, names_network
from cnncli.core.threads import thread_count
from cnncli.data.conversion import Conversion
from cnncli.errors import CnncliError
from cnncli.files.faults import encoded, shown
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.tasks import FINDS_BOXES

_EXAMPLE = "cnncli predict digit.png, or: cat digit.png | cnncli predict"


@dataclass
class _Count:
    """What has been done so far."""

    done: int = 0
    failed: int = 0
    codes: list[int] = field(default_factory=list)
    adapted: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    converted: list[tuple[str, Conversion]] = field(default_factory=list)
    models: Counter[str] = field(default_factory=Counter)


def run(settings: Settings) -> int:
    """Run the command and return its exit code."""
    top, quiet = settings.top, settings.quiet
    values.within("--top", top, 1)
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    if settings.json and settings.csv:
        raise UsageError("--json and --csv are both given; expected one of them", "Leave one out.")
    try:
        cores = thread_count(settings.threads)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    asked = load_trained(settings, quiet=quiet) if names_network(settings) else None
    if asked is None or not (asked.task.name == "segmentation" or asked.task.outputs_of in FINDS_BOXES):
        _refuse_others(settings)
    far = names_cluster(settings)
    if far and (settings.text or (asked is not None and asked.task.noun != "images")):
        raise UsageError(
            f"a Dask scheduler is named for {'texts' if asked is None else asked.task.noun}; expected images",
            "Leave the scheduler out; DASK_SCHEDULER_ADDRESS names one, too.",
        )
    if asked is not None and asked.task.noun == "clips" and not settings.text:
        from cnncli.cli.predict_video import predict_clips

        return predict_clips(asked, settings, threads=cores)
    listing = None if settings.text else _listed(settings)
    if settings.text or (asked is not None and asked.task.noun == "texts"):
        from cnncli.cli.predict_text import checked, predict_texts

        trained = asked or load_trained(settings)
        return predict_texts(trained, checked(trained, settings, listing), settings, threads=cores)
    assert listing is not None
    if asked is not None and asked.task.name == "segmentation":
        from cnncli.cli.predict_masks import predict_masks

        return predict_masks(asked, listing, settings, threads=cores)
    files = None
    if asked is not None and asked.task.outputs_of in FINDS_BOXES:
        from cnncli.cli.predict_boxes import BoxFiles

        files = BoxFiles(settings, asked, listing.known, alone=_number(listing) == 1)
    wholly = settings.output is not None
    networks = Networks(
        asked, _number(listing), threads=cores, wholly=wholly, tiles=settings.own_scale and files is not None
    )
    names = [each.name for each in listing.known]

    def writer(rows: Sequence[Row] = ()) -> RowWriter:
        chosen = choose_row_writer(
            names, networks.task(rows, top), json=settings.json, csv=settings.csv, top=top
        )
        _flush([chosen.header()], settings)
        return chosen

    # Columns follow from the network; where none was asked for, from the one that answers first.
    readout = None if asked is None else writer()
    count = _Count()
    if far:
        classified = closing(_classified_elsewhere(listing, networks, asked, settings, count=count))
    else:
        classified = closing(_classified(listing, networks, (cores, top), count=count, quiet=quiet))
    with ending.saying(lambda: f"{count.done} classified"), classified as runs:
        for rows in runs:
            readout = readout or writer(rows)
            if files is not None:
                files.add(rows)
            _write(rows, readout, count, settings)
    if files is not None:
        files.finish()
    _conclude(count, readout or writer(), quiet=quiet)
    return SOME_FAILED if count.failed else DONE


def _refuse_others(settings: Settings) -> None:
    """Refuse options that only networks for masks or boxes heed."""
    for word, given in (
        ("-o", settings.output),
        ("--masks", settings.masks),
        ("--own-scale", settings.own_scale),
        ("--skip-existing", settings.skip_existing),
        ("--yolo", settings.yolo),
        ("--coco", settings.coco),
    ):
        if given:
            raise UsageError(
                f"{word} is given, but the network has one class for a whole picture; expected one for masks "
                "or boxes",
                "Give a run of train --task segment or --task detect with -m.",
            )


def _listed(settings: Settings) -> Listing:
    """What there is to read."""
    return list_inputs(
        settings.inputs or [],
        recursive=settings.recursive,
        files_from=settings.files_from,
        null=settings.null,
        example=_EXAMPLE,
    )


def _conclude(count: _Count, readout: RowWriter, *, quiet: bool) -> None:
    """Say which networks were used, what was done to pictures, and how many failed."""
    for note in () if quiet else (*_about_models(count), *_about_changes(count), *_about_conversions(count)):
        report(note)
    if count.failed and readout.holds_errors:
        report_error(
            CnncliError(
                f"{count.failed} of {count.done} inputs could not be read",
                "Look at the field error of their lines, which says why.",
            )
        )


def _classified(
    listing: Listing, networks: Networks, limits: tuple[int, int], *, count: _Count, quiet: bool
) -> Generator[list[Row], None, None]:
    """Rows in order, as many at a time as are ready."""
    cores, top = limits
    alone = _number(listing)
    if alone == 1:
        yield networks.rows([(listing.known[0], networks.question(listing.known[0]))], top)
        return
    from cnncli.cli.overlap import overlapped
    from cnncli.cli.progress import progress_bar

    bar = progress_bar(alone or 0, unit="images", quiet=quiet or alone is None or _shares_terminal())
    runs = overlapped(listing.groups(), networks.question, workers=cores, most=networks.batch)
    with closing(runs), bar as progress:
        for run in runs:
            rows = networks.rows(run, top)
            progress.clear()
            yield rows
            progress.draw(count.done)


def _classified_elsewhere(
    listing: Listing, networks: Networks, trained: Trained | None, settings: Settings, *, count: _Count
) -> Generator[list[Row], None, None]:
    """Rows in order, made by the workers of a cluster; that of standard input here."""
    from cnncli.cli.cluster.connection import HERE, connected
    from cnncli.cli.cluster.networks import Asked, named, rows_elsewhere
    from cnncli.cli.progress import progress_bar

    items = [item for group in listing.groups() for item in group]
    asked = Asked(
        named(settings, trained),
        settings.top,
        settings.max_pixels,
        wholly=networks.wholly,
        tiles=networks.tiles,
    )
    bar = progress_bar(len(items), unit="images", quiet=settings.quiet or _shares_terminal())
    with (
        connected(settings) as cluster,
        bar as progress,
        closing(rows_elsewhere(cluster, items, asked)) as results,
    ):
        for item, found in results:
            progress.clear()
            if found is HERE:
                yield networks.rows([(item, networks.question(item))], settings.top)
            elif isinstance(found, CnncliError):
                yield [Row(item.name, error=located(found, item.listed))]
            else:
                yield [found]
            progress.draw(count.done)


def _number(listing: Listing) -> int | None:
    """How many inputs there are, if that is known."""
    return None if listing.more else len(listing.known)


def _shares_terminal() -> bool:
    """Results go to the terminal, and show themselves how far the work is."""
    import sys

    return sys.stdout.isatty()


def _write(rows: Sequence[Row], readout: RowWriter, count: _Count, settings: Settings) -> None:
    """Write rows, now, and faults to standard error."""
    lines: list[str | None] = []
    for row in rows:
        count.done += 1
        if row.model is not None:
            count.models[row.model] += 1
        if row.adapted:
            count.adapted.append((row.name, row.adapted))
        if row.conversion is not None:
            count.converted.append((row.name, row.conversion))
        if row.error is not None:
            count.failed += 1
            if not readout.holds_errors:
                _flush(lines, settings)
                settle(row.error, debug=settings.debug)
                continue
        lines.append(readout.line(row))
    _flush(lines, settings)


def _flush(lines: list[str | None], settings: Settings) -> None:
    """Write lines and forget them: to standard error, where boxes go to standard output."""
    text = "".join(f"{line}\n" for line in lines if line is not None)
    lines.clear()
    if text and (is_standard(settings.output or "") or settings.coco == STREAM):
        report(*text.splitlines(), exactly=True)
    elif text:
        write_stdout(encoded(text))


def _about_models(count: _Count) -> Iterator[str]:
    """Which of the networks that ship were used, as nobody asked for one."""
    digits, photographs = count.models["digits"], count.models["imagenet"]
    if digits and photographs:
        yield (
            f"note: classified by digits: {digits} small gray picture{'s'[: digits != 1]}; by imagenet, for "
            f"photographs: {photographs} other{'s'[: photographs != 1]}; -m takes one network for all"
        )
    elif digits:
        yield "note: classified by digits, the network for small gray pictures; -m imagenet names photographs"
    elif photographs:
        yield "note: classified by imagenet, the network for photographs; -m digits reads digits of any size"


def _about_conversions(count: _Count) -> Iterator[str]:
    """What was done to pictures of other sizes and channels."""
    if not count.converted:
        return
    name, first = count.converted[0]
    if count.done == 1:
        yield f"note: {shown(name)} was {first.words}, as the network expects it"
        return
    kinds = Counter(kind for _, each in count.converted for kind in each.kinds)
    said = ", ".join(f"{number} {_were(number)} {kind}" for kind, number in kinds.items())
    yield f"note: of {count.done} pictures {said}, as the network expects them"


def _about_changes(count: _Count) -> Iterator[str]:
    """What was done to pictures, and why."""
    of_digits = ("inverted", "cropped", "centred")
    digits = [(name, tuple(each for each in changes if each in of_digits)) for name, changes in count.adapted]
    if digits := [each for each in digits if each[1]]:
        every = list(dict.fromkeys(change for _, changes in digits for change in changes))
        what = every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"
        who = _which_pictures(digits[0][0], len(digits), count)
        yield f"note: {who} {what}: the network expects light digits on dark ground, centred"
    if clipped := [name for name, changes in count.adapted if "clipped" in changes]:
        who = _which_pictures(clipped[0], len(clipped), count)
        yield f"note: {who} clipped: numbers lie beyond the black or white that the network knows"
    if faint := [name for name, changes in count.adapted if "faint" in changes]:
        who = _which_pictures(faint[0], len(faint), count)
        yield f"warning: {who} of one shade, or nearly, to the network: predictions for such say nothing"


def _which_pictures(first: str, number: int, count: _Count) -> str:
    """The pictures that something was done to."""
    return f"{shown(first)} was" if count.done == 1 else f"{number} of {count.done} pictures {_were(number)}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
