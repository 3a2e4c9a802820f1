"""``cnncli predict``: what a trained network says of images."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli import ending
from cnncli.cli import values
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.listing import Input, Listing, list_inputs
from cnncli.cli.messages import report, report_error
from cnncli.cli.names import STREAM, located
from cnncli.cli.row_writers import Row, RowWriter, choose_row_writer
from cnncli.cli.streams import read_stdin, write_stdout
from cnncli.cli.trained import Trained, load_trained, no_output, weights_of
from cnncli.core.threads import thread_count
from cnncli.data.prepare import Prepared, read_prepared
from cnncli.errors import CnncliError
from cnncli.files.faults import encoded, reading_fault, shown
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.nn import Inference
from cnncli.tasks.task import Decoded, are_finite

_FAINT = 0.1  # of the deviation of training images: less contrast than that is none to a network
_EXAMPLE = "cnncli predict digit.png, or: cat digit.png | cnncli predict"
Run = list[tuple[Input, Prepared | CnncliError]]


@dataclass
class _Count:
    """What has been done so far."""

    done: int = 0
    failed: int = 0
    codes: list[int] = field(default_factory=list)
    adapted: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


def run(
    *,
    inputs: list[str] | None,
    model: str | None,
    top: int,
    json: bool,
    csv: bool,
    quiet: bool,
    debug: bool,
    threads: int | None,
    max_pixels: int | None = None,
    text: list[str] | None = None,
    **given: Any,
) -> int:
    """Run the command.

    Parameters
    ----------
    inputs : list of str or None
        Files, folders, ``-``.
    model : str or None
        A checkpoint or a run's folder; with ``--weights`` a network's name.
    top : int
        Labels of an input.
    json, csv, quiet, debug, threads, max_pixels
        As on the command line.
    text : list of str or None
        Texts, in place of inputs.
    **given
        ``files_from``, ``null``, ``recursive``, and the options of weights from elsewhere.

    Returns
    -------
    int
        The exit code.
    """
    values.within("--top", top, 1)
    set_max_pixels(values.within("--max-pixels", max_pixels, 1))
    if json and csv:
        raise UsageError("--json and --csv are both given; expected one of them", "Leave one out.")
    weights = weights_of(given)
    listing = None if text else list_inputs(inputs or [], example=_EXAMPLE, **given)
    try:
        cores = thread_count(threads)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    trained = load_trained(model, weights, quiet=quiet)
    if text or trained.task.noun == "texts":
        from cnncli.cli.predict_text import checked, predict_texts

        texts = checked(trained, text, listing, inputs)
        return predict_texts(
            trained, texts, top=top, json=json, csv=csv, quiet=quiet, debug=debug, threads=cores
        )
    assert listing is not None
    names = [each.name for each in listing.known]
    readout = choose_row_writer(names, trained.task, json=json, csv=csv, top=top)
    _flush([readout.header()])
    count = _Count()
    classified = closing(_classified(listing, trained, (cores, top), count=count, quiet=quiet))
    with ending.saying(lambda: f"{count.done} classified"), classified as runs:
        for rows in runs:
            _write(rows, readout, count, debug=debug)
    for note in () if quiet else _about_changes(count):
        report(note)
    if count.failed and readout.holds_errors:
        report_error(
            CnncliError(
                f"{count.failed} of {count.done} inputs could not be read",
                "Look at the field error of their lines, which says why.",
            )
        )
    return SOME_FAILED if count.failed else DONE


def _classified(
    listing: Listing, trained: Trained, limits: tuple[int, int], *, count: _Count, quiet: bool
) -> Generator[list[Row], None, None]:
    """Rows in order, as many at a time as are ready."""
    cores, top = limits
    alone = None if listing.more else len(listing.known)
    inference = trained.inference(alone, threads=cores)

    def work(item: Input) -> Prepared | CnncliError:
        result = _prepared(item, trained)
        if isinstance(result, CnncliError) and item.fault is None:
            return located(result, item.listed)
        return result

    if alone == 1:
        yield _rows([(listing.known[0], work(listing.known[0]))], trained, inference, top)
        return
    from cnncli.cli.overlap import overlapped
    from cnncli.cli.progress import progress_bar

    bar = progress_bar(alone or 0, unit="images", quiet=quiet or alone is None or _shares_terminal())
    runs = overlapped(listing.groups(), work, workers=cores, most=inference.batch)
    with closing(runs), bar as progress:
        for run in runs:
            rows = _rows(run, trained, inference, top)
            progress.clear()
            yield rows
            progress.draw(count.done)


def _shares_terminal() -> bool:
    """Results go to the terminal, and show themselves how far the work is."""
    import sys

    return sys.stdout.isatty()


def _prepared(item: Input, trained: Trained) -> Prepared | CnncliError:
    """The picture of an input, or why there is none."""
    if item.fault is not None:
        return item.fault
    try:
        if item.name == STREAM:
            data, name = read_stdin(example="cat digit.png | cnncli predict"), "standard input"
        else:
            # To make a Path takes a tenth of the time of a small image.
            with open(item.name, "rb", buffering=0) as file:  # noqa: PTH123
                data, name = file.read(), item.name
        return read_prepared(data, trained.input_spec, name=name)
    except CnncliError as error:
        return error
    except OSError as error:
        return reading_fault(error, item.name)
    except ValueError as error:  # a NUL byte in the name
        return CnncliError(f"cannot read {shown(item.name)}: {error}", "Check the name.")
    except MemoryError:  # a file that is as large as memory
        return CnncliError(
            f"{shown(item.name)}: there is not enough memory for it; expected an image that fits into memory",
            "Check what the file is.",
        )


def _rows(run: Run, trained: Trained, inference: Inference, top: int) -> list[Row]:
    """Run the network on several inputs."""
    good = [result for _, result in run if isinstance(result, Prepared)]
    found: Iterator[Decoded] = iter(())
    finite: Iterator[bool] = iter(())
    faint: Iterator[bool] = iter(())
    if good:
        pixels = np.stack([each.pixels for each in good])
        outputs = inference.run(trained.checkpoint.preprocessing.normalise(pixels))
        faint = iter(_are_faint(pixels, trained.checkpoint.preprocessing.std))
        known = are_finite(outputs)
        finite = iter(known.tolist())
        found = iter(trained.task.decode(outputs[known], top=top))
    rows = []
    for item, result in run:
        if not isinstance(result, Prepared):
            rows.append(Row(item.name, error=result))
            continue
        notes = ("faint",) if next(faint) else ()
        if next(finite):
            rows.append(Row(item.name, next(found), (*result.changes, *notes)))
        else:
            rows.append(Row(item.name, error=no_output(item.name)))
    return rows


def _are_faint(pixels: NDArray[np.uint8], deviations: Sequence[float]) -> list[bool]:
    """Whether each picture has next to no contrast, measured by the network's training images.

    So is one of 0 and 1 where white is 255: to the network it is black, and its prediction says nothing.
    """
    spread = pixels.max(axis=(1, 2, 3)) - pixels.min(axis=(1, 2, 3))
    faint: list[bool] = (spread < _FAINT * 255 * min(deviations)).tolist()
    return faint


def _write(rows: Sequence[Row], readout: RowWriter, count: _Count, *, debug: bool) -> None:
    """Write rows to standard output, now, and faults to standard error."""
    lines: list[str | None] = []
    for row in rows:
        count.done += 1
        if row.adapted:
            count.adapted.append((row.name, row.adapted))
        if row.error is not None:
            count.failed += 1
            if not readout.holds_errors:
                _flush(lines)
                settle(row.error, debug=debug)
                continue
        lines.append(readout.line(row))
    _flush(lines)


def _flush(lines: list[str | None]) -> None:
    """Write lines and forget them."""
    text = "".join(f"{line}\n" for line in lines if line is not None)
    lines.clear()
    if text:
        write_stdout(encoded(text))


def _about_changes(count: _Count) -> Iterator[str]:
    """What was done to pictures, and why."""
    of_digits = ("inverted", "cropped", "centred")
    digits = [(name, tuple(each for each in changes if each in of_digits)) for name, changes in count.adapted]
    if digits := [each for each in digits if each[1]]:
        every = list(dict.fromkeys(change for _, changes in digits for change in changes))
        what = every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"
        who = _whom(digits[0][0], len(digits), count)
        yield f"note: {who} {what}: the network expects light digits on dark ground, centred"
    if clipped := [name for name, changes in count.adapted if "clipped" in changes]:
        who = _whom(clipped[0], len(clipped), count)
        yield f"note: {who} clipped: numbers lie beyond the black or white that the network knows"
    if faint := [name for name, changes in count.adapted if "faint" in changes]:
        who = _whom(faint[0], len(faint), count)
        yield f"warning: {who} of one shade, or nearly, to the network: predictions for such say nothing"


def _whom(first: str, number: int, count: _Count) -> str:
    """The pictures that something was done to."""
    return f"{shown(first)} was" if count.done == 1 else f"{number} of {count.done} pictures {_were(number)}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
