"""Machine code that came with the package: a folder for each platform, laid out as the compiled code's cache.

A wheel of a release has it (``CNNCLI_MACHINE_CODE=1 python -m build``); a checkout and ``pip install .`` have
not, and compile. A file's name holds the digest of the sources that it was compiled from, and its content a
digest of its own, so that code of other sources, or damaged code, counts as absent.
"""

import functools
from pathlib import Path

from cnncli.core import cache
from cnncli.core.platforms import Platform

CORE = Path(__file__).parent
FOLDER = CORE / "machine_code"


@functools.cache
def sources_digest() -> bytes:
    """Digest of names and contents of all sources that machine code depends on, which are read once."""
    told = []
    for source in sorted([*CORE.glob("*.py"), *CORE.glob("loops/*.py")]):
        told += [source.name.encode(), source.read_bytes()]
    return cache.digest(b"\0".join(told))


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
