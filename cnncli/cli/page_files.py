"""Drawn pages as files."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.images.canvas import Canvas


def write_page(path: Path, page: "Canvas") -> None:
    """Write a canvas as a PNG, or show it in the terminal."""
    from cnncli.cli.outputs import write_output
    from cnncli.images.encode import encode_picture
    from cnncli.images.picture import Picture

    write_output(str(path), encode_picture(Picture((page.array(),)), "PNG"))
