"""The contact sheet of ``cnncli search query -o``: rows are collected, and drawn at the end."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import report_error
from cnncli.cli.names import STREAM, is_terminal, overwritten
from cnncli.cli.options.search import Settings
from cnncli.cli.outputs import check_shown
from cnncli.data.prepare import InputSpec, prepared_as
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, reading_fault, shown
from cnncli.images.resize import read_reduced
from cnncli.records import record
from cnncli.tasks.retrieval.gallery import Gallery
from cnncli.views.contact_sheet import MOST, PICTURE, SheetRow, Shot, contact_sheet

_DETAIL = 2  # pictures are read at least so many times as large as they are drawn


@record
class Hit:
    """An image that was found: its path, its path below the gallery's folder, and its distance."""

    file: str
    below: str
    distance: float

    def as_record(self) -> dict[str, object]:
        """For JSON."""
        return {"file": in_unicode(self.file), "distance": round(self.distance, 6)}


class Sheet:
    """A contact sheet in the making.

    Parameters
    ----------
    path : str
        The file to write.
    gallery : Gallery
        In which was searched.
    duplicates : bool
        Rows are groups of copies.
    """

    def __init__(self, path: str, gallery: Gallery, *, duplicates: bool) -> None:
        self._path, self._gallery, self._duplicates = Path(path), gallery, duplicates
        self._rows: list[SheetRow] = []
        self._pictures: dict[str, NDArray[np.uint8] | None] = {}

    @classmethod
    def of(cls, settings: Settings, gallery: Gallery, read: Sequence[str], rows: int) -> "Sheet | None":
        """The sheet that was asked for; None where none was.

        Raises
        ------
        UsageError
            Where it is to be no PNG, a file that is read or is in the gallery, or would have too many rows.
        """
        path = settings.output
        if path is None:
            return None
        check_shown(path)
        if not is_terminal(path) and (path == STREAM or Path(path).suffix.lower() != ".png"):
            raise UsageError(
                f"the contact sheet is {shown(path)}; expected a name that ends in .png",
                "Add .png to its name.",
            )
        within = (gallery.file(image) for image in gallery.images) if os.path.exists(path) else ()  # noqa: PTH110
        if overwritten([path], read) or os.path.abspath(path) in set(within):  # noqa: PTH100
            raise UsageError(
                f"the contact sheet {shown(path)} is also an image that is searched; expected another file",
                "Choose another name with -o.",
            )
        if rows > MOST:
            raise UsageError(
                f"a contact sheet of {rows:,} rows is asked for; expected {MOST} at most",
                "Give fewer images, or leave -o out.",
            )
        return cls(path, gallery, duplicates=settings.duplicates)

    def add(
        self,
        query: str,
        hits: Sequence[Hit],
        *,
        data: bytes | None = None,
        name: str = "",
        note: str = "",
    ) -> None:
        """Add a row.

        Parameters
        ----------
        query : str
            The name of its image.
        hits : sequence of Hit
            The nearest first.
        data : bytes or None
            The query's file, if it came on standard input.
        name, note : str
            Written under the query; without a name, that of its file.
        """
        name = name or ("standard input" if query == STREAM else os.path.basename(query))  # noqa: PTH119
        shots = tuple(Shot(self._picture(hit.file), shown(hit.below), hit.distance) for hit in hits)
        self._rows.append(SheetRow(Shot(self._picture(query, data), shown(name), note=note), shots))

    def write(self, about: str) -> int:
        """Draw and write the sheet; returns how many pictures could not be read, which is said.

        Raises
        ------
        CnncliError
            Where it cannot be written.
        """
        from cnncli.cli.page_files import write_page

        if not self._rows:
            return 0
        gallery = self._gallery
        title = "Images that are alike" if self._duplicates else "The nearest images"
        where = f"{len(gallery):,} images of {shown(gallery.path.resolve().name)}"
        network = shown(os.path.basename(gallery.model.name))  # noqa: PTH119
        subtitle = f"{where}, seen by {network}; {about}; numbers are distances, 0 for copies"
        write_page(self._path, contact_sheet(self._rows, title=title, subtitle=subtitle))
        return sum(pixels is None for pixels in self._pictures.values())

    def _picture(self, file: str, data: bytes | None = None) -> NDArray[np.uint8] | None:
        if file not in self._pictures:
            try:
                self._pictures[file] = _small(Path(file).read_bytes() if data is None else data, file)
            except (CnncliError, OSError) as error:
                self._pictures[file] = None
                report_error(error if isinstance(error, CnncliError) else reading_fault(error, file))
        return self._pictures[file]


def _small(data: bytes, name: str) -> NDArray[np.uint8]:
    """A picture in colour, no larger than twice what a sheet draws: (h, w, 3)."""
    picture, _ = read_reduced(data, _DETAIL * PICTURE, name=name)
    height, width = picture.frames[0].shape[:2]
    scale = min(1.0, _DETAIL * PICTURE / max(height, width))
    shape = (max(1, round(height * scale)), max(1, round(width * scale)), 3)
    return prepared_as(picture, InputSpec(shape, "stretch"), name=name).pixels
