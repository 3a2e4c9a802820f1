"""Kernels from files: text, CSV, JSON, NumPy arrays and images."""

from collections.abc import Callable
from pathlib import Path

from cnncli.errors import CnncliError
from cnncli.filters.matrix import custom, parse_matrix
from cnncli.filters.model import Linear, Weights

TEXT = (".txt", ".csv", ".tsv", ".dat")
SUFFIXES = (*TEXT, ".json", ".npy", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")


def names_file(text: str) -> bool:
    """Say whether a SPEC that is no name is meant as a file."""
    return Path(text.strip()).suffix.lower() in SUFFIXES


def read_kernel_file(path: str, *, read_image: Callable[[str], Weights] | None = None) -> Linear:
    """Read a kernel file."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise CnncliError(f"kernel file {path!r}: {fault.strerror}", "check the name") from None
    return custom(parse_matrix(text, where=path), name=Path(path).stem, spec=path)
