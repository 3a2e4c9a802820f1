"""``cnncli predict`` with a detector: images with labelled boxes drawn, and files of YOLO and COCO."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.checked import as_json
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.listing import Input
from cnncli.cli.names import STREAM, is_address, is_standard, is_terminal, overwritten
from cnncli.cli.options.predict import Settings
from cnncli.cli.outputs import check_shown, made_folder, write_output
from cnncli.cli.row_writers import Row
from cnncli.cli.trained import Trained
from cnncli.data.image_names import number_of, told_apart
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import in_unicode, reading_fault, shown
from cnncli.files.numbered import write_numbered

if TYPE_CHECKING:
    from cnncli.tasks.detection_results import Things

_DRAWN = (".png", ".jpg", ".jpeg")


class BoxFiles:
    """What is written of boxes besides the rows.

    Parameters
    ----------
    settings : Settings
        Of the command.
    trained : Trained
        The network that was asked for.
    inputs : sequence of Input
        Those that are known.
    alone : bool
        There is one image.

    Raises
    ------
    UsageError
        Where the network cannot give what was asked for, or an output cannot be written.
    """

    def __init__(self, settings: Settings, trained: Trained, inputs: Sequence[Input], *, alone: bool) -> None:
        _check_network(settings, trained)
        self._output = None if settings.output is None else Path(settings.output)
        self._yolo = None if settings.yolo is None else Path(settings.yolo)
        self._coco = None if settings.coco is None else Path(settings.coco)
        self._found: list[tuple[str, Things]] = []
        self._classes = trained.task.outputs
        numbers: Sequence[int] | None = getattr(trained.task, "numbers", None)
        self._numbers = numbers or range(1, len(self._classes) + 1)
        check_shown(settings.output)
        seen = settings.output is not None and is_terminal(settings.output)
        self._is_file = (
            settings.output == STREAM
            or seen
            or (
                self._output is not None
                and self._output.suffix.lower() in _DRAWN
                and not self._output.is_dir()
            )
        )
        if self._is_file and not alone and not seen:
            what = "standard output" if settings.output == STREAM else f"{shown(self._output or '')}, a file,"
            raise UsageError(f"-o is {what} for several images; expected a folder", "Name a folder with -o.")
        _check_streams(settings)
        for place in (settings.output, settings.yolo, settings.coco):
            if place is not None and is_address(place):
                raise UsageError(
                    f"{shown(place)} is an address; expected a path for files of boxes",
                    "Write them here, and copy them there.",
                )
        given = (str(each) for each in (self._output, self._coco) if each is not None)
        files = [each for each in given if not is_standard(each)]
        if both := overwritten(files, [each.name for each in inputs]):
            raise UsageError(
                f"the output {shown(both[0])} is also read, as {shown(both[1])}; expected another file",
                "Choose another name.",
            )
        folders = [self._yolo, None if self._is_file else self._output]
        for folder in folders:
            if folder is not None:
                made_folder(folder)

    def add(self, rows: Sequence[Row]) -> None:
        """Write what there is of some images."""
        for row in rows:
            if row.decoded is None:
                continue
            things: Things = row.decoded  # type: ignore[assignment]
            if self._output is not None:
                self._draw(row, things, self._output)
            if self._yolo is not None:
                _write_label(self._yolo / f"{_stem(row.name)}.txt", self._lines(row, things).encode())
            if self._coco is not None:
                self._found.append((row.name, things))

    def finish(self) -> None:
        """Write what is of all images."""
        if self._coco is not None:
            write_output(str(self._coco), as_json(self._results()).encode() + b"\n")

    def _draw(self, row: Row, things: "Things", output: Path) -> None:
        """Draw boxes on an image."""
        from cnncli.images.encode import encode_picture
        from cnncli.images.formats import format_for
        from cnncli.images.picture import Picture
        from cnncli.views.objects import drawn

        assert row.pixels is not None
        order = [self._classes.index(each.label) for each in things.things]
        boxes = [(f"{each.label} {each.score:.2f}", _corners(each.box)) for each in things.things]
        picture = Picture((drawn(row.pixels, boxes, order),))
        data = encode_picture(
            picture, format_for(output if output.suffix and self._is_file else Path("drawn.png"))
        )
        if self._is_file:
            write_output(str(output), data)
        else:
            write_numbered(output / f"{_stem(row.name)}.png", data)

    def _lines(self, row: Row, things: "Things") -> str:
        """``class cx cy w h score``, in shares of the image's sides."""
        height, width = row.size
        lines = []
        for each in things.things:
            x, y, w, h = each.box
            shares = (x + w / 2) / width, (y + h / 2) / height, w / width, h / height
            texts = [f"{share:.6f}" for share in shares]
            lines.append(" ".join([str(self._classes.index(each.label)), *texts, f"{each.score:.6f}"]) + "\n")
        return "".join(lines)

    def _results(self) -> list[dict[str, Any]]:
        """Results as COCO has them; no two images have a name or a number in common."""
        names = told_apart([name for name, _ in self._found])
        counts = Counter(map(number_of, names))
        results = []
        for given, things in self._found:
            number, name = number_of(given), in_unicode(names[given])
            results += [
                {
                    "image_id": name if number is None or counts[number] > 1 else number,
                    "file_name": name,
                    "category_id": self._numbers[self._classes.index(each.label)],
                    "category_name": each.label,
                    "bbox": [round(edge, 2) for edge in each.box],
                    "score": round(each.score, 6),
                }
                for each in things.things
            ]
        return results


def _corners(box: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def _stem(name: str) -> str:
    return "stdin" if name == STREAM else Path(name).stem


def _check_streams(settings: Settings) -> None:
    """Refuse two things on standard output, and a folder there."""
    if settings.output == settings.coco == STREAM:
        raise UsageError(
            "-o and --coco are both -, standard output; expected two places", "Name a file for one of them."
        )
    if settings.yolo == STREAM:
        raise UsageError(
            "--yolo is -, but writes a file for each picture; expected a folder", "Name a folder."
        )


def _write_label(path: Path, data: bytes) -> None:
    """Write a file of labels, which no other picture and no earlier work has.

    Raises
    ------
    CnncliError
        Where there are others: those of people are not overwritten, and other names belong to no picture.
    """
    try:
        held = path.read_bytes() if path.exists() else data
    except OSError as error:
        raise reading_fault(error, path) from error
    if held != data:
        raise CnncliError(
            f"{shown(path)} is there, and holds other labels; expected a folder without labels of these "
            "pictures, each of which has a name of its own",
            "Name another folder with --yolo.",
        )
    write_atomic(path, data)


def _check_network(settings: Settings, trained: Trained) -> None:
    """Refuse what a network without masks, or for one box, cannot give."""
    if settings.masks is not None:
        raise UsageError(
            "--masks is given, but the network finds boxes; expected one for masks",
            "Give a run of train --task segment with -m.",
        )
    if settings.skip_existing:
        raise UsageError(
            "--skip-existing is given, but the network finds boxes, which are printed of each picture; "
            "expected one for masks",
            "Leave --skip-existing out.",
        )
    if settings.own_scale and trained.task.outputs_of != "boxes":
        raise UsageError(
            "--own-scale is given, but the network finds one box in a whole picture; expected a detector",
            "Leave --own-scale out.",
        )
