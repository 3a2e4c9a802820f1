"""Names of files in messages, and system errors turned into errors with advice."""

import errno
import os

from cnncli.errors import CnncliError
from cnncli.text import printable

_WRITING = {
    errno.ENOSPC: (
        "the disk is full",
        "Free some space, or write to another disk with -o.",
    ),
    errno.EDQUOT: (
        "your disk quota is used up",
        "Free some space, or write to another disk with -o.",
    ),
    errno.EEXIST: (
        "something that is no folder has that name",
        "Name another folder.",
    ),
    errno.EFBIG: (
        "the file would be larger than this system allows",
        "Raise the limit (see `ulimit -f`), or write a smaller format.",
    ),
    errno.EROFS: (
        "it is on a read-only file system",
        "Name a place that you may write to with -o.",
    ),
    errno.EACCES: (
        "permission denied",
        "Change the permissions of that folder or file, or name another output with -o.",
    ),
    errno.EPERM: (
        "permission denied",
        "Change the permissions of that folder or file, or name another output with -o.",
    ),
    errno.ENOENT: (
        "its folder does not exist",
        "Create the folder first (mkdir -p), or name another output with -o.",
    ),
    errno.ENOTDIR: (
        "a part of its path is a file, not a folder",
        "Name an output inside a folder with -o.",
    ),
    errno.EISDIR: (
        "it is a folder",
        "Name a file in it, or another output, with -o.",
    ),
    errno.ENAMETOOLONG: (
        "its name is too long for this file system",
        "Name a shorter output with -o.",
    ),
    errno.ELOOP: (
        "its symbolic links run in a circle",
        "Mend the links, or name another output with -o.",
    ),
}

_READING = {
    errno.ENOENT: (
        "no such file",
        "Check the spelling, and that you are in the right folder.",
    ),
    errno.ENOTDIR: (
        "a part of its path is a file, not a folder",
        "Check the spelling of the path.",
    ),
    errno.EISDIR: (
        "it is a folder; expected an image file",
        "Name the files in it, for example FOLDER/*.png.",
    ),
    errno.EACCES: (
        "permission denied",
        "Make the file readable (chmod u+r), or run as a user who may read it.",
    ),
    errno.ELOOP: (
        "its symbolic links run in a circle",
        "Mend the links, or name the file itself.",
    ),
}


def encoded(text: str) -> bytes:
    """Text in the encoding of file names, or in UTF-8 where that lacks a character (``LC_ALL=C``)."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return _in_utf8(text)


def in_unicode(name: str) -> str:
    r"""A file's name for JSON, which holds Unicode only: bytes that are not UTF-8 become ``\xNN``."""
    return _in_utf8(name).decode("utf-8", "backslashreplace")


def _in_utf8(text: str) -> bytes:
    """In UTF-8; surrogates that do not stand for a byte of a name become escapes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def shown(name: str | os.PathLike[str]) -> str:
    r"""A file's name in printable form: one line, bytes that are not UTF-8 as ``\xNN``."""
    return printable(in_unicode(os.fspath(name)))


def reading_fault(error: OSError, name: str | os.PathLike[str]) -> CnncliError:
    """The error for a file that cannot be opened or read."""
    known = _READING.get(error.errno or 0)
    what, hint = known or (_reason(error), "Check the file and the disk it lies on.")
    return CnncliError(f"cannot read {shown(name)}: {what}", hint)


def input_fault(error: Exception, name: str) -> CnncliError:
    """The error for an input that could not be read, decoded or held, whatever was raised."""
    if isinstance(error, CnncliError):
        return error
    if isinstance(error, OSError):
        return reading_fault(error, name)
    if isinstance(error, MemoryError):  # a file that is as large as memory
        return CnncliError(
            f"{shown(name)}: there is not enough memory for it; expected an image that fits into memory",
            "Check what the file is.",
        )
    return CnncliError(f"cannot read {shown(name)}: {error}", "Check the name.")  # a NUL byte in it


def writing_fault(error: OSError, name: str | os.PathLike[str]) -> CnncliError:
    """The error for an output that cannot be written."""
    known = _WRITING.get(error.errno or 0)
    what, hint = known or (_reason(error), "Check the output path and the disk it lies on.")
    return CnncliError(f"cannot write {shown(name)}: {what}", hint)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
