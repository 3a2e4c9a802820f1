"""``cnncli predict`` for texts: one result for each of the command line, or each line of a stream or file."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cnncli import ending
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.listing import Listing
from cnncli.cli.messages import report, report_error
from cnncli.cli.names import STREAM
from cnncli.cli.options.predict import Settings
from cnncli.cli.row_writers import Row, RowWriter, choose_row_writer
from cnncli.cli.streams import write_stdout
from cnncli.cli.trained import Trained, no_output
from cnncli.data.texts import LONGEST
from cnncli.data.words import words_of
from cnncli.errors import CnncliError
from cnncli.files.faults import encoded, reading_fault, shown
from cnncli.nn import Inference
from cnncli.nn.layers.text import with_room
from cnncli.tasks.task import are_finite, at_images
from cnncli.tasks.text import TextInput

_AT_ONCE = 64  # texts
_PIECE = 1 << 16  # bytes that are read at a time, at most
_LONGEST_LINE = 1 << 24  # bytes
_LEAST_ROOM = 16  # words; rooms are doubled from it, so that few have to be planned
Text = str | CnncliError


def predict_texts(
    trained: Trained,
    given: Sequence[str] | Listing,
    settings: Settings,
    *,
    threads: int,
) -> int:
    """Say what a network says of texts.

    Parameters
    ----------
    trained : Trained
        A network for texts.
    given : sequence of str, or Listing
        Texts; or streams and files, each line of which is one.
    settings : Settings
        Of ``predict``.
    threads : int
        To use.

    Returns
    -------
    int
        The exit code.
    """
    writer = choose_row_writer(
        [] if isinstance(given, Listing) else given,
        trained.task,
        json=settings.json,
        csv=settings.csv,
        top=settings.top,
    )
    groups = _groups(given) if isinstance(given, Listing) else iter([list(given)])
    if header := writer.header():
        write_stdout(encoded(header) + b"\n")
    reader, count = TextReader(trained, threads=threads), _Count()
    with ending.saying(lambda: f"{count.done} classified"):
        for group in groups:
            for at in range(0, len(group), _AT_ONCE):
                rows = reader.rows(group[at : at + _AT_ONCE], settings.top)
                _write(rows, writer, count, debug=settings.debug)
    for line in () if settings.quiet else count.notes():
        report(line)
    if count.failed and writer.holds_errors:
        what = f"{count.failed} of {count.done} texts could not be read"
        report_error(CnncliError(what, "Look at the field error of their lines, which says why."))
    return SOME_FAILED if count.failed else DONE


def checked(trained: Trained, settings: Settings, listing: Listing | None) -> Sequence[str] | Listing:
    """Texts or where they stand, refused where a network or another input does not fit them.

    Raises
    ------
    UsageError
        Where that is so.
    """
    text, inputs = settings.text, settings.inputs
    if text and trained.task.noun != "texts":
        raise UsageError(
            f"--text is given, but {shown(trained.checkpoint.path or '')} is a network for "
            f"{trained.task.noun}; expected one for texts",
            "Name a run that was trained on texts with -m.",
        )
    if text and inputs:
        raise UsageError(
            f"--text and {shown(inputs[0])} are both given; expected one of them", "Leave one of them out."
        )
    found = text or listing
    assert found is not None
    return found


class TextReader:
    """What a network says of texts, planned for their lengths.

    Parameters
    ----------
    trained : Trained
        A network for texts.
    threads : int
        To use.
    """

    def __init__(self, trained: Trained, *, threads: int) -> None:
        self._trained, self._threads = trained, threads
        preprocessing = trained.checkpoint.preprocessing
        assert isinstance(preprocessing, TextInput)
        self.input = preprocessing
        self._plans: dict[tuple[int, int], Inference] = {}

    def plan(self, texts: int, words: int) -> Inference:
        """A plan for so many texts of up to so many words."""
        room, size = _LEAST_ROOM, 1 if texts == 1 else _AT_ONCE
        while room < words:
            room *= 2
        if (size, room) not in self._plans:
            network = with_room(self._trained.network, room)
            self._plans[size, room] = Inference(network, size, threads=self._threads)
        return self._plans[size, room]

    def rows(self, texts: Sequence[Text], top: int) -> list[Row]:
        """One for each of up to 64 texts."""
        words = [words_of(text) for text in texts if isinstance(text, str)]
        if not words:
            return [_failed(text) for text in texts]
        plan = self.plan(len(words), min(LONGEST, max(map(len, words))))
        outputs = plan.run_all(self.input.encoded(words, room=plan.network.graph.input_shape.width))
        finite = are_finite(outputs)
        decoded = iter(self._trained.task.decode(at_images(outputs, finite), top=top))
        told = iter(zip(words, finite.tolist(), strict=True))
        return [
            _failed(text) if isinstance(text, CnncliError) else self._row(text, *next(told), decoded)
            for text in texts
        ]

    def _row(self, text: str, words: list[str], finite: bool, decoded: Iterator) -> Row:  # type: ignore[type-arg]
        if not finite:
            return Row(text, error=no_output(text))
        return Row(text, next(decoded), self.about(words))

    def notes(self, texts: Sequence[Sequence[str]]) -> Iterator[str]:
        """Lines about texts, given as words, that are not as a user might expect."""
        count = _Count()
        for words in texts:
            count.add(Row("", adapted=self.about(words)))
        return count.notes()

    def about(self, words: Sequence[str]) -> tuple[str, ...]:
        """What a user might not expect of a text: it is ``empty``, ``unknown``, or ``cut``."""
        if not words:
            return ("empty",)
        known = any(word in self.input.vocabulary for word in words[:LONGEST])
        return ("unknown",) * (not known) + ("cut",) * (len(words) > LONGEST)


def _failed(text: Text) -> Row:
    assert isinstance(text, CnncliError)
    return Row("", error=text)


@dataclass
class _Count:
    """What has been done so far."""

    done: int = 0
    failed: int = 0
    first: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count a row."""
        self.done += 1
        self.failed += row.error is not None
        for word in row.adapted:
            self.first.setdefault(word, row.name)
            self.numbers[word] = self.numbers.get(word, 0) + 1

    def notes(self) -> Iterator[str]:
        """What happened to texts that the user might not expect."""
        sentences = {
            "empty": ("warning", "no words", "predictions for such say nothing"),
            "unknown": ("warning", "no word that the network knows", "predictions for such say little"),
            "cut": ("note", f"more than {LONGEST:,} words", "only the first ones were read"),
        }
        for word, (kind, what, why) in sentences.items():
            if word in self.numbers:
                number = self.numbers[word]
                if self.done == 1:
                    who = "the text has"
                else:
                    who = f"{number:,} of {self.done:,} texts {'has' if number == 1 else 'have'}"
                yield f"{kind}: {who} {what}: {why}"


def _write(rows: Sequence[Row], writer: RowWriter, count: _Count, *, debug: bool) -> None:
    """Write rows to standard output, now, and faults to standard error."""
    lines: list[str] = []
    for row in rows:
        count.add(row)
        if row.error is not None and not writer.holds_errors:
            settle(row.error, debug=debug)
        else:
            lines.append(writer.line(row))
    if lines:
        write_stdout(encoded("".join(f"{line}\n" for line in lines)))


def _groups(listing: Listing) -> Iterator[list[Text]]:
    """Lines of all streams and files, as many at a time as have come."""
    for group in listing.groups():
        for item in group:
            if item.fault is not None:
                yield [item.fault]
                continue
            try:
                yield from _lines_of_file(item.name)
            except (OSError, ValueError) as error:
                fault = error if isinstance(error, OSError) else OSError(str(error))
                yield [reading_fault(fault, item.name)]


def _lines_of_file(name: str) -> Iterator[list[Text]]:
    if name == STREAM:
        # Not sys.stdin: a thread that waits in its buffer would keep the process from ending.
        yield from _lines(lambda: os.read(0, _PIECE), "standard input")
        return
    if name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".gz")):
        raise UsageError(
            f"{shown(name)} is a table; expected a file with a text in each line",
            "Use cnncli evaluate for a table with labels, or pipe the texts in, one a line.",
        )
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123
        yield from _lines(lambda: file.read(_PIECE), shown(name))


def _lines(read: Callable[[], bytes], place: str) -> Iterator[list[Text]]:
    """Lines of what is read piece by piece; a line that is too long is an error of its own."""
    rest, number, lost = b"", 0, False
    while True:
        data = read()
        *whole, rest = (rest + data).split(b"\n")
        if not data and rest:
            whole, rest = [*whole, rest], b""
        texts: list[Text] = []
        for line in whole:
            number += 1
            texts.append(_too_long(place, number) if lost else _decoded(line, place, number))
            lost = False
        if len(rest) > _LONGEST_LINE:
            rest, lost = b"", True
        if texts:
            yield texts
        if not data:
            return


def _decoded(line: bytes, place: str, number: int) -> Text:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
    except UnicodeDecodeError:
        return CnncliError(
            f"line {number:,} of {place} has bytes that are not UTF-8; expected text in UTF-8",
            "Save it as UTF-8, for example by iconv -f WINDOWS-1252 -t UTF-8.",
        )


def _too_long(place: str, number: int) -> CnncliError:
    return CnncliError(
        f"line {number:,} of {place} has more than {_LONGEST_LINE >> 20} MiB; expected a text in each line",
        "Check that the texts are divided by line ends.",
    )
