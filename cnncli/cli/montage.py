"""``convolve --montage``: all results on one sheet, in the order of the inputs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli import values
from cnncli.cli.batch import Outcome
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import STREAM, is_address, is_terminal, overwritten
from cnncli.cli.options.convolve import Settings
from cnncli.cli.outputs import Job, check_shown, make_folder_of, write_output
from cnncli.cli.result_form import called
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.encode import BAND_FORMATS, check_support, encode_bands, encode_picture
from cnncli.images.formats import format_for
from cnncli.images.picture import Picture
from cnncli.images.row_source import blank
from cnncli.images.screen.preview import preview_of_file
from cnncli.views.montage import LEAST, MOST, Montage, grid_for

_BAND = 256  # rows that are encoded at a time


def refuse_its_options(settings: Settings) -> None:
    """Refuse what shapes a montage where none is asked for.

    Raises
    ------
    UsageError
        With the option.
    """
    for option, value in (("--columns", settings.columns), ("--thumbnail", settings.thumbnail)):
        if value is not None:
            raise UsageError(
                f"{option} is given without --montage; expected the sheet's file", "Add --montage FILE."
            )


class Sheet:
    """The sheet of a command in the making.

    Parameters
    ----------
    settings : Settings
        Of the command.
    jobs : sequence of Job
        From `plan_outputs`.
    kept : sequence of str
        Other files that are read.
    title : str
        What was done.

    Raises
    ------
    UsageError
        Where the sheet cannot be written, or would be too large.
    """

    def __init__(self, settings: Settings, jobs: Sequence[Job], kept: Sequence[str], title: str) -> None:
        path = settings.montage
        assert path is not None
        self._path, self._jobs, self._added = path, jobs, 0
        columns = values.within("--columns", settings.columns, 1)
        side = values.within("--thumbnail", settings.thumbnail, LEAST, MOST)
        others = {"also read": kept, "also --explain": [settings.explain or STREAM]}
        self._format = _checked(path, jobs, others)
        try:
            self._grid = grid_for(len(jobs), columns=columns, side=side)
            width, height = self._grid.size
            check_support(Picture((blank((height, width, 3), np.dtype(np.uint8)),)), self._format)
        except CnncliError as error:
            raise UsageError(error.message, error.hint) from error
        self._title = title
        self._montage: Montage | None = None

    @property
    def side(self) -> int:
        """Pixels of the longer side of its pictures."""
        return self._grid.side

    def add(self, job: Job, preview: NDArray[np.uint8] | None, note: str) -> None:
        """Paint the next result; None: there is none."""
        if self._montage is None:
            count = len(self._jobs)
            subtitle = f"{count:,} picture{'s'[: count != 1]}"
            self._montage = Montage(self._grid, title=self._title, subtitle=subtitle)
        name = job.result if job.is_file and job.fault is None else job.source
        short = os.path.splitext(_short(job.source))[0]  # noqa: PTH122
        self._montage.add(self._added, preview, name=_short(name), short=short, note=note)
        self._added += 1

    def add_result(self, job: Job, outcome: Outcome) -> CnncliError | None:
        """Paint the next result, which stands already or was made now; returns why that could not be read."""
        if not job.stands:
            size = f"{outcome.value['width']} x {outcome.value['height']}"
            self.add(job, outcome.preview, size)
            return None
        try:
            self.add(job, self._standing(job), "stood already")
        except CnncliError as error:
            self.add(job, None, "cannot be read")
            return error
        return None

    def _standing(self, job: Job) -> NDArray[np.uint8]:
        if is_address(job.target):
            from cnncli.cli.addresses import read_address

            return preview_of_file(read_address(job.target), self.side, name=job.target)
        return preview_of_file(Path(job.target), self.side, name=job.target)

    def write(self) -> None:
        """Write the sheet.

        Raises
        ------
        CnncliError
            Where it cannot be written.
        """
        if self._montage is None:
            return
        data = _encoded(self._montage.pixels, self._format)
        make_folder_of(self._path)
        write_output(self._path, data)


def _encoded(pixels: NDArray[np.uint8], format: str) -> bytes:
    """The sheet's file; without a copy of its pixels where its format allows for that."""
    if format not in BAND_FORMATS:
        return encode_picture(Picture((pixels,)), format)
    bands = (pixels[top : top + _BAND] for top in range(0, len(pixels), _BAND))
    return b"".join(encode_bands(Picture((pixels,)), format, bands)[0])


def _short(name: str) -> str:
    """A name without folders."""
    return called(name) if name == STREAM else shown(os.path.basename(name))  # noqa: PTH119


def _checked(path: str, jobs: Sequence[Job], others: Mapping[str, Sequence[str]]) -> str:
    """The format of a sheet, which is nothing that is read or written otherwise."""
    check_shown(path)
    if path == STREAM:
        raise UsageError(
            "--montage is -, and names are written to standard output; expected a file",
            "Name a file, or show the montage with --montage term.",
        )
    if is_terminal(path):
        return "PNG"
    roles = {
        "also an input": [job.source for job in jobs],
        "also an output": [job.target for job in jobs if job.is_file and job.fault is None],
        **others,
    }
    for role, files in roles.items():
        if overwritten([path], files):
            raise UsageError(
                f"--montage is {shown(path)}, which is {role}; expected another file",
                "Choose another name for the montage.",
            )
    try:
        return format_for(path)
    except CnncliError as error:
        raise UsageError(f"--montage: {error.message}", error.hint) from error
