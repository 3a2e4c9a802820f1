"""Search that looks at some of a gallery: an index of usearch, whose recall is measured where it is made.

Source: Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using hierarchical
navigable small world graphs, 2018 (what usearch builds).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, as_json, parse_json
from cnncli.core.search import nearest
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.records import record
from cnncli.tasks.retrieval.gallery import Gallery

MEASURED, NEIGHBOURS = 200, 10  # images that are searched for, and the nearest of each, to measure recall

Floats = NDArray[np.float32]


@record(eq=False)
class Approximate:
    """An index of a gallery's vectors.

    Attributes
    ----------
    recall : float
        Share of the `NEIGHBOURS` nearest images that it finds, for images of the gallery, 0 to 1.
    """

    recall: float
    _index: Any
    _count: int

    def search(self, queries: Floats, top: int, *, threads: int) -> list[NDArray[np.int64]]:
        """Positions of vectors that are near each query, in no particular order."""
        found = self._index.search(queries, min(top, self._count), threads=threads)
        keys = np.atleast_2d(np.asarray(found.keys))
        counts = np.atleast_1d(np.asarray(getattr(found, "counts", keys.shape[1])))
        rows = (row[:count] for row, count in zip(keys, np.broadcast_to(counts, len(keys)), strict=True))
        return [row[row < self._count].astype(np.int64) for row in rows]


def open_approximate(gallery: Gallery, *, threads: int, making: Callable[[], object]) -> Approximate:
    """The index of a gallery, made and kept in its folder if it has none yet.

    Parameters
    ----------
    gallery : Gallery
        Opened.
    threads : int
        To use.
    making : callable
        Called before an index is made.

    Returns
    -------
    Approximate

    Raises
    ------
    CnncliError
        Where usearch is not installed, or the index cannot be written.
    """
    try:
        from usearch.index import Index  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise CnncliError(
            "--approximate needs the package usearch, which is not installed",
            "Install it with: pip install usearch",
        ) from error
    path = gallery.path / f"approximate-{gallery.generation}.usearch"
    note = path.with_suffix(".json")
    recall = _known_recall(note, path)
    if recall is not None:
        index = Index.restore(str(path), view=True)
        if index is not None and len(index) == len(gallery) and index.ndim == gallery.vectors.shape[1]:
            return Approximate(recall, index, len(gallery))
    making()
    index = Index(ndim=gallery.vectors.shape[1], metric="ip", dtype="f16")
    index.add(np.arange(len(gallery), dtype=np.uint64), gallery.vectors, threads=threads)
    found = Approximate(0.0, index, len(gallery))
    found = Approximate(_measured(found, gallery.vectors, threads), index, len(gallery))
    data = bytes(index.save() or b"")
    write_atomic(path, data)
    write_atomic(note, as_json({"recall": found.recall, "bytes": len(data)}).encode())
    return found


def _known_recall(note: Path, index: Path) -> float | None:
    """What was measured when the index was made; None where there is none that is whole."""
    try:
        fields = Fields(parse_json(note.read_bytes()))
        whole = fields.whole("bytes", 1, 1 << 50) == index.stat().st_size
        return fields.number("recall", 0, 1) if whole else None
    except (OSError, MalformedError):
        return None


def _measured(index: Approximate, vectors: Floats, threads: int) -> float:
    """Recall on images of the gallery, evenly spaced, each searched for among all others."""
    places = np.unique(np.linspace(0, len(vectors) - 1, min(MEASURED, len(vectors))).astype(np.intp))
    queries = np.ascontiguousarray(vectors[places])
    _, exact = nearest(vectors, queries, NEIGHBOURS + 1, threads=threads)
    found = index.search(queries, NEIGHBOURS + 1, threads=threads)
    shares = [
        np.isin(right[right != place][:NEIGHBOURS], some).mean()
        for place, right, some in zip(places, exact, found, strict=True)
        if (right != place).any()
    ]
    return float(np.mean(shares)) if shares else 1.0
