"""Where ``cnncli featuremaps`` writes: a page as a picture, as HTML or as a folder, and arrays."""

import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import STREAM, identity, is_standard
from cnncli.cli.outputs import check_shown, made_folder, write_output
from cnncli.files.atomic import is_device, write_atomic
from cnncli.files.faults import shown
from cnncli.files.numbered import write_numbered
from cnncli.images.canvas import Canvas
from cnncli.images.picture import Picture
from cnncli.images.png import encode_png
from cnncli.records import record
from cnncli.views.featuremaps.model import Arrays, Drawing
from cnncli.views.sections import Page
from cnncli.views.sections_page import head_canvas, page_canvas, section_canvas
from cnncli.views.sections_screen import screen_canvas

FOLDER = "featuremaps"  # of pages without -o
_LONGEST_NAME = 60
_HTML = (".html", ".htm")
_PAGES = (".png", *_HTML)


@record
class Outputs:
    """Where a page and its arrays go.

    Attributes
    ----------
    target : str
        A ``.png``, an ``.html``, a folder of pictures, ``-`` for a PNG on standard output, or ``term``
        for the terminal.
    named : bool
        The user has named it.
    raw : str or None
        An ``.npz``, or a folder of ``.npy`` files.
    """

    target: str
    named: bool
    raw: str | None

    def write(self, page: Page, arrays: Arrays, read: Mapping[str, str | Path | None]) -> str:
        """Write a page and its arrays.

        Parameters
        ----------
        page : Page
            What to draw.
        arrays : mapping of str to ndarray
            By name, which may be one in a folder: ``filters/conv1``.
        read : mapping of str to str or Path or None
            Files that are read, by what they are; nothing is written over them.

        Returns
        -------
        str
            Where the page is.

        Raises
        ------
        UsageError
            Where something would be written over what is read.
        """
        pictures = _picture_names(page)
        self.check(read, pictures, [*arrays])
        target = self.target
        if not self.named and not is_standard(target):
            made_folder(Path(FOLDER))
            target = str(write_numbered(Path(target), _page_png(page)))
        elif is_standard(target):
            write_output(target, _page_png(page))
        elif not _is_folder(target):
            _write_file(Path(target), page)
        else:
            folder = made_folder(Path(target))
            write_atomic(folder / pictures[0], _png(head_canvas(page)))
            for name, section in zip(pictures[1:], page.sections, strict=True):
                write_atomic(folder / name, _png(section_canvas(section)))
        if self.raw is not None:
            write_arrays(self.raw, arrays)
        return target

    def film(self, suffixes: Sequence[str]) -> str:
        """The suffix of the animation that it is, of some; empty for what does not move."""
        suffix = os.path.splitext(self.target)[1].lower()  # noqa: PTH122
        return suffix if suffix in suffixes and not _is_folder(self.target) else ""

    def write_film(self, drawing: Drawing, suffix: str, read: Mapping[str, str | Path | None]) -> str:
        """Write the frames of a drawing and its arrays; parameters, value and errors as of `write`."""
        self.check(read, arrays=[*drawing.arrays])
        write_atomic(Path(self.target), encoded_film(drawing, suffix))
        if self.raw is not None:
            write_arrays(self.raw, drawing.arrays)
        return self.target

    @property
    def is_html(self) -> bool:
        """It is one file of HTML."""
        return self.target.lower().endswith((".html", ".htm")) and not _is_folder(self.target)

    def write_html(self, html: str, arrays: Arrays, read: Mapping[str, str | Path | None]) -> None:
        """Write a page of HTML and arrays; parameters and errors as of `write`."""
        self.check(read, arrays=[*arrays])
        write_atomic(Path(self.target), html.encode("utf-8", "backslashreplace"))
        if self.raw is not None:
            write_arrays(self.raw, arrays)

    def check(
        self, read: Mapping[str, str | Path | None], pictures: Sequence[str] = (), arrays: Sequence[str] = ()
    ) -> None:
        """Nothing that is written, page, pictures or arrays, may be what is read."""
        kept = {identity(os.fspath(path)): what for what, path in read.items() if path not in (None, STREAM)}
        for option, path in self._files(pictures, arrays):
            what = kept.get(identity(path))
            if what is not None:
                raise UsageError(
                    f"the output {shown(path)} is also the {what}; expected another file",
                    f"Choose another {option}.",
                )

    def _files(self, pictures: Sequence[str], arrays: Sequence[str]) -> Iterator[tuple[str, str]]:
        """All files that are written, each with the option that says where."""
        if is_standard(self.target):
            pass
        elif not _is_folder(self.target):
            yield "-o", self.target
        else:
            for name in pictures:
                yield "-o", os.path.join(self.target, name)  # noqa: PTH118
        if self.raw is not None and _is_archive(self.raw):
            yield "--raw", self.raw
        elif self.raw is not None:
            for name in arrays:
                yield "--raw", os.path.join(self.raw, f"{name}.npy")  # noqa: PTH118


def outputs_of(
    output: str | None,
    raw: str | None,
    *,
    source: str,
    views: Sequence[str],
    layers: Sequence[str],
    films: Sequence[str] = (),
) -> Outputs:
    """Where a page goes, checked before anything is read.

    Without ``-o`` into a folder of its own, where ``*.png`` in the next command does not take it for an
    image to read.

    Parameters
    ----------
    output, raw : str or None
        As given with ``-o`` and ``--raw``.
    source : str
        Name of the input, ``-`` for standard input.
    views, layers : sequence of str
        That were asked for: they are in the name that is made up.
    films : sequence of str
        Suffixes of animations, where what is drawn can move.

    Raises
    ------
    UsageError
        For what cannot be written.
    """
    if output is None:
        target = STREAM if source == STREAM else _default_name(source, views, layers)
    else:
        target = output
    check_shown(target)
    if target == STREAM and os.isatty(1):
        raise UsageError(
            "the page would go to the terminal; expected a file or a pipe",
            "Name an output with -o, or show it with -o term.",
        )
    suffix = os.path.splitext(target)[1].lower()  # noqa: PTH122
    if not is_standard(target) and suffix not in ("", *_PAGES, *films) and not _is_folder(target):
        known = ", ".join((".png", ".html", *films))
        raise UsageError(
            f"-o {shown(target)} ends in {suffix}; expected {known} or a folder",
            "Name a file or a folder, for example: -o maps.png",
        )
    return Outputs(target, output is not None, raw)


def encoded_film(drawing: Drawing, suffix: str) -> bytes:
    """The frames of a drawing as a GIF, or for any other suffix as an animated PNG."""
    if suffix == ".gif":
        from cnncli.images.flipbook import encode_flipbook

        return encode_flipbook(drawing.frames, drawing.seconds)
    durations = tuple(1000 * each for each in drawing.seconds)
    return encode_png(Picture(tuple(drawing.frames), durations=durations, loop=0), compress=True)


def _default_name(source: str, views: Sequence[str], layers: Sequence[str]) -> str:
    """``featuremaps/7-maps.png`` for ``digits/7.png``, with the layers that were asked for."""
    stem = os.path.splitext(os.path.basename(source))[0]  # noqa: PTH119, PTH122
    chosen = "".join(f"-{name}" for name in layers).translate(str.maketrans("*?[]/\\", "______"))
    chosen = chosen if len(chosen) <= _LONGEST_NAME else f"-{len(layers)}-layers"
    return os.path.join(FOLDER, f"{'-'.join((stem, *views))}{chosen}.png")  # noqa: PTH118


def _picture_names(page: Page) -> list[str]:
    """Files of a folder: the head, then each section."""
    names = (re.sub(r"[^\w.-]+", "_", section.name) for section in page.sections)
    return ["00-input.png", *(f"{number:02}-{name}.png" for number, name in enumerate(names, 1))]


def _is_folder(target: str) -> bool:
    suffix = os.path.splitext(target)[1]  # noqa: PTH122
    if is_standard(target):
        return False
    return target.endswith(os.sep) or os.path.isdir(target) or not (suffix or is_device(target))  # noqa: PTH112


def _is_archive(raw: str) -> bool:
    return raw.lower().endswith(".npz") and not os.path.isdir(raw)  # noqa: PTH112


def _write_file(path: Path, page: Page) -> None:
    if path.suffix.lower() not in _HTML:
        write_atomic(path, _page_png(page))
        return
    from cnncli.views.sections_html import page_html

    write_atomic(path, page_html(page).encode("utf-8", "backslashreplace"))


def _page_png(page: Page) -> bytes:
    return _png(screen_canvas(page) if page.fits_screen else page_canvas(page))


def _png(canvas: Canvas) -> bytes:
    return encode_png(Picture((canvas.array(),)))


def write_arrays(raw: str, arrays: Arrays) -> None:
    """One ``.npy`` for each layer, or all in an ``.npz``, float32."""
    as_floats = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    stream = io.BytesIO()
    if _is_archive(raw):
        np.savez(stream, **as_floats)  # type: ignore[arg-type]  # names are not those of settings
        write_atomic(Path(raw), stream.getvalue())
        return
    for name, array in as_floats.items():
        path = Path(raw) / f"{name}.npy"
        made_folder(path.parent)
        stream = io.BytesIO()
        np.save(stream, array)
        write_atomic(path, stream.getvalue())
