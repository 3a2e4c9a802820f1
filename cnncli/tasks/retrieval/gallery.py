"""A gallery: vectors of images in a folder, and which image each is of.

The folder holds ``gallery.json``, which describes it and names two files: the vectors, float32 in rows
without a header, which are mapped into memory, and a list of the images, a JSON array a line. Their names
hold a digest of what they contain. So a gallery is replaced by the one step that replaces ``gallery.json``,
and is the same bytes however often its making was interrupted. The time of ``gallery.json`` is that at which
the reading of its images began.
"""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, as_json, parse_json
from cnncli.core.search import padded_width
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.records import record

FORMAT = "cnncli-gallery-1"
DESCRIPTION = "gallery.json"
_MOST, _WIDEST = 1 << 40, 1 << 20  # images, and numbers of a vector: limits to what is believed
_MOST_BYTES = 1 << 24  # of a description
_LARGEST = 1 << 62  # of sizes and times
_DIGEST = re.compile("[0-9a-f]{64}")
_NAME = r"{}-[0-9a-f]{{16}}{}"

Floats = NDArray[np.float32]


@record
class Model:
    """The network that made a gallery's vectors.

    Attributes
    ----------
    name : str
        A model that ships, or the path of a checkpoint.
    digest : str
        Of its weights and of all else that vectors depend on.
    network : str
        Its architecture.
    layer : str
        Whose maps are pooled.
    """

    name: str
    digest: str
    network: str
    layer: str


@record
class Image:
    """An image of a gallery.

    Attributes
    ----------
    folder : int
        Which of the gallery's folders it lies in.
    below : str
        Its path in there.
    size : int
        Of the file, in bytes.
    changed : int
        When it was last changed, in nanoseconds.
    digest : str
        SHA-256 of the file.
    """

    folder: int
    below: str
    size: int
    changed: int
    digest: str

    def as_line(self) -> str:
        """As the list of images holds it."""
        return as_json([self.folder, self.below, self.size, self.changed, self.digest])

    @classmethod
    def from_line(cls, line: bytes, folders: int) -> "Image":
        """The reverse of `as_line`; a path that leads out of its folder is refused.

        Raises
        ------
        MalformedError
            Where it is another thing.
        """
        match parse_json(line):
            case [int(folder), str(below), int(size), int(changed), str(digest)] if (
                0 <= folder < folders
                and max(abs(size), abs(changed)) < _LARGEST
                and _DIGEST.fullmatch(digest)
            ):
                if below.startswith(os.sep) or os.pardir in below.split(os.sep) or "\0" in below:  # noqa: PTH206
                    raise MalformedError(f"an image's path is {below!r}; expected one inside its folder")
                return cls(folder, below, size, changed, digest)
        raise MalformedError("an image is not described by its folder, path, size, time and digest")


@record(eq=False)
class Gallery:
    """A gallery on disk, opened for reading.

    Attributes
    ----------
    path : Path
        The folder.
    generation : str
        A digest of what it holds.
    model : Model
        What its vectors were made with.
    width : int
        Numbers of a vector that are not filling.
    folders : tuple of str
        Absolute paths of the folders whose images it holds.
    vectors : ndarray, shape (N, D), float32
        Mapped from the file, read-only.
    """

    path: Path
    generation: str
    model: Model
    width: int
    folders: tuple[str, ...]
    vectors: Floats
    _list: NDArray[np.uint8]
    _ends: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.vectors)

    def image(self, position: int) -> Image:
        """The image of a vector.

        Raises
        ------
        CnncliError
            Where its line is damaged.
        """
        start = int(self._ends[position - 1]) + 1 if position else 0
        try:
            return Image.from_line(self._list[start : self._ends[position]].tobytes(), len(self.folders))
        except MalformedError as error:
            _damaged(self.path, str(error))

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """All of them, in the order of the vectors; read once.

        Raises
        ------
        CnncliError
            Where a line is damaged.
        """
        return tuple(map(self.image, range(len(self))))

    def file(self, image: Image) -> str:
        """The path of an image."""
        return os.path.join(self.folders[image.folder], image.below)  # noqa: PTH118


def description(model: Model, width: int, folders: tuple[str, ...], count: int) -> dict[str, Any]:
    """What ``gallery.json`` says besides the names of the files."""
    return {
        "format": FORMAT,
        "model": {name: getattr(model, name) for name in ("name", "digest", "network", "layer")},
        "width": width,
        "row": padded_width(width),
        "count": count,
        "folders": list(folders),
    }


def is_gallery(path: Path) -> bool:
    """Whether a folder says that it holds a gallery, of whatever version."""
    return (path / DESCRIPTION).is_file()


def open_gallery(path: Path) -> Gallery:
    """Open a gallery.

    Raises
    ------
    CnncliError
        Where there is none, or it is of another version, damaged or cut short.
    """
    for attempt in (1, 2):
        try:
            return _opened(path)
        except (FileNotFoundError, NotADirectoryError):
            # Between two reads, another process may have put a new one in its place.
            if attempt == 2 or not is_gallery(path):
                break
        except MalformedError as error:
            _damaged(path, str(error))
        except OSError as error:
            raise reading_fault(error, error.filename or path) from error
        except ValueError as error:  # a NUL byte in the name
            raise CnncliError(f"{shown(path)}: {error}; expected a gallery", "Check the name.") from error
    if is_gallery(path):
        _damaged(path, "a file that it names is missing")
    what = "holds no gallery" if path.is_dir() else "is no folder"
    raise CnncliError(
        f"{shown(path)} {what}; expected a folder that cnncli search index wrote",
        f"Make one, for example: cnncli search index photos -o {shown(path)}",
    )


def _opened(path: Path) -> Gallery:
    with (path / DESCRIPTION).open("rb") as file:
        fields = Fields(parse_json(file.read(_MOST_BYTES)))
    written = fields.text("format")
    if written != FORMAT:
        raise CnncliError(
            f"{shown(path)}: the gallery's format is {written!r}; expected {FORMAT!r}",
            "Index the images again into another folder, or use the release of cnncli that wrote it.",
        )
    count, width = fields.whole("count", 0, _MOST), fields.whole("width", 1, _WIDEST)
    folders, row = fields.texts("folders"), fields.whole("row", 1, 2 * _WIDEST)
    if row != padded_width(width):
        raise MalformedError(f"row is {row}; expected {padded_width(width)} for a width of {width}")
    model = fields.fields("model")
    generation, lines = fields.text("generation"), _mapped(path / _file(fields, "files", ".jsonl"))
    vectors = _mapped(path / _file(fields, "vectors", ".f32"))
    if vectors.size != 4 * row * count:
        raise MalformedError(
            f"{fields.text('vectors')} has {vectors.size:,} bytes; expected {4 * row * count:,}"
        )
    ends = np.flatnonzero(lines == ord("\n"))
    if len(ends) != count or (count and ends[-1] != lines.size - 1):
        raise MalformedError(f"{fields.text('files')} has {len(ends):,} lines; expected {count:,}")
    return Gallery(
        path,
        generation,
        Model(*(model.text(name) for name in ("name", "digest", "network", "layer"))),
        width,
        folders,
        vectors.view("<f4").reshape(count, row),
        lines,
        ends,
    )


def _file(fields: Fields, name: str, suffix: str) -> str:
    """The name of a file of the gallery: one that this package gives, so that no path leads out of it."""
    found = fields.text(name)
    if not re.fullmatch(_NAME.format(name, re.escape(suffix)), found):
        raise MalformedError(f"{name} is {found!r}; expected a name such as {name}-0123456789abcdef{suffix}")
    return found


def _mapped(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file, mapped into memory."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return np.zeros(0, np.uint8)
        return np.asarray(np.memmap(file, np.uint8, "r"))


def _damaged(path: Path, what: str) -> NoReturn:
    raise CnncliError(
        f"the gallery {shown(path)} is damaged: {what}",
        "Index the images again into another folder, or delete this one first.",
    )
