"""Machine code that came with the package: a folder for each platform, laid out as the compiled code's cache.

A wheel of a release has it (``CNNCLI_MACHINE_CODE=1 python -m build``); a checkout and ``pip install .`` have
not, and compile. A file's name holds the digest of the sources that it was compiled from, and its content a
digest of its own, so that code of other sources, or damaged code, counts as absent.
"""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from cnncli.core import cache
from cnncli.core.platforms import Platform

CORE = Path(__file__).parent
FOLDER = CORE / "machine_code"


@functools.cache
def sources_digest() -> bytes:
    """Digest of names and contents of all sources that machine code depends on.

    It is kept in the cache, for as long as the system says the same of the files: reading all of them takes 3
    of the 90 ms of a command on one small picture, asking about them 0.5.
    """
    found = [entry for folder in (CORE, CORE / "loops") for entry in os.scandir(folder)]
    sources = sorted((entry for entry in found if entry.name.endswith(".py")), key=lambda entry: entry.path)
    identity = _identity(sources)
    folder = cache.cache_folder()
    kept = None if folder is None else folder / "sources" / cache.digest(os.fsencode(CORE)).hex()[:32]
    known = (None if kept is None else cache.read_cached(kept)) or b""
    if known.startswith(identity):
        return known[len(identity) :]
    digest = cache.digest(b"\0".join(part for each in sources for part in _told(each)))
    if kept is not None:
        cache.keep(kept, identity + digest)
    return digest


def _told(source: os.DirEntry[str]) -> tuple[bytes, bytes]:
    return source.name.encode(), Path(source.path).read_bytes()


def _identity(files: Sequence[os.DirEntry[str]]) -> bytes:
    """Digest of what the system says of files: no edit, copy or installation leaves all of it as it was."""
    facts = []
    for file in files:
        said = file.stat()
        facts += [file.path, said.st_dev, said.st_ino, said.st_size, said.st_mtime_ns, said.st_ctime_ns]
    return cache.digest(repr(facts).encode())


def shipped_file(folder: Path, name: str, platform: Platform) -> Path:
    """The file of a loop's code for a platform, whether it is there or not."""
    return folder / platform.name / f"{name}-{_key(platform.name)}.o"


def is_shipped(name: str, platform: Platform | None) -> bool:
    """Whether the code of a loop for a platform came with the package; whether it is whole, reading tells."""
    return platform is not None and _has(platform.name) and shipped_file(FOLDER, name, platform).exists()


def shipped_code(name: str, platform: Platform | None) -> bytes | None:
    """The code of a loop for a platform that came with the package; None if there is none that fits."""
    if platform is None or not _has(platform.name):
        return None
    return cache.read_shipped(shipped_file(FOLDER, name, platform))


@functools.cache
def _has(platform: str) -> bool:
    return (FOLDER / platform).is_dir()


@functools.cache
def _key(platform: str) -> str:
    """Digest of the sources and the platform."""
    return cache.digest(platform.encode() + b"\0" + sources_digest()).hex()[:32]
