"""Write an image to a file."""

from pathlib import Path

from cnncli.files.atomic import write_atomic
from cnncli.images.encode import encode_picture
from cnncli.images.formats import format_for
from cnncli.images.picture import Picture


def write_picture(
    picture: Picture,
    path: Path,
    *,
    format: str | None = None,
    quality: int | None = None,
    compress: bool = False,
    bits: int | None = None,
    threads: int = 1,
) -> None:
    """Write an image to a file, in the format of the file's suffix.

    Parameters
    ----------
    picture : Picture
        The image.
    path : Path
        The output. A symbolic link is followed; a device or a pipe is written directly.
    format : str or None
        Format that overrides the suffix.
    quality, compress, bits, threads
        As for ``encode_picture``.

    Raises
    ------
    CnncliError
        Where the format cannot hold the image or the file cannot be written. An existing file is then
        unchanged, and no temporary file is left.
    BrokenPipeError
        Where the reader of a pipe is gone.
    """
    chosen = format_for(path, format=format)
    data = encode_picture(picture, chosen, quality=quality, compress=compress, bits=bits, threads=threads)
    write_atomic(path, data)
