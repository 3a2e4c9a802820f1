"""Drawn pages as files."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.images.canvas import Canvas


def write_page(path: Path, page: "Canvas") -> None:
    """Write a canvas as a PNG."""
    from cnncli.images.picture import Picture
    from cnncli.images.write import write_picture

    write_picture(Picture((page.array(),)), path)
