"""``cnncli search evaluate``: how well images find those of their class, beside what needs no network."""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import as_json
from cnncli.cli.embedding import Embedding, ReadImage, embedded, load_embedding, read_image, suiting_model
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError, settle
from cnncli.cli.messages import report
from cnncli.cli.names import expanded
from cnncli.cli.options.search import Settings
from cnncli.cli.streams import write_line
from cnncli.data.split_names import split_of
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.tasks.retrieval.baselines import BASELINES
from cnncli.tasks.retrieval.metrics import CUTS, Retrieval, leave_one_out

Floats = NDArray[np.float32]
_NAMES = {"pixels": "raw pixels", "histogram": "colour histogram"}


def run(settings: Settings, *, threads: int) -> int:
    """Run the command and return its exit code."""
    if len(settings.inputs or []) != 1 or not os.path.isdir((settings.inputs or [""])[0]):  # noqa: PTH112
        given = ", ".join(map(shown, settings.inputs or [])) or "nothing"
        raise UsageError(
            f"search evaluate takes {given}; expected one folder with one folder per class",
            "Name one, for example: cnncli search evaluate photos",
        )
    folder = (settings.inputs or [""])[0]
    labelled, failed = _labelled(folder, settings)
    name = settings.model or suiting_model([*labelled], quiet=settings.quiet)
    embedding = load_embedding(name, threads=threads)
    vectors, labels, digests, unread = _vectors(labelled, embedding, settings, threads)
    classes = sorted(set(labels))
    numbers = np.array([classes.index(label) for label in labels], np.int64)
    if len(classes) < 2 or max(np.bincount(numbers)) < 2:
        raise CnncliError(
            f"{shown(folder)} has {len(numbers):,} images of {len(classes):,} classes that can be read; "
            "expected two classes, and two images of one",
            "Put the images of each class into a folder of its own.",
        )
    copies = len(digests) - len(set(digests))
    if copies and not settings.quiet:
        what = "1 image is a copy of another" if copies == 1 else f"{copies:,} images are copies of others"
        report(f"note: {what}: copies find each other, and scores are the better for it")
    scores = {each: leave_one_out(rows, numbers) for each, rows in vectors.items()}
    _tell(folder, (len(numbers), len(classes)), scores, embedding, json=settings.json)
    return SOME_FAILED if failed or unread else DONE


def _labelled(folder: str, settings: Settings) -> tuple[dict[str, str], int]:
    """Files and the folders that say their class, those in train, val and test together; and faults."""
    sources, faults = expanded(folder, READ_SUFFIXES, recursive=True)
    for fault in faults:
        settle(fault, debug=settings.debug)
    parts = [(source.path, Path(source.below or ".").parts) for source in sources]
    tops = {below[0] for _, below in parts if below}
    depth = 1 if tops and all(split_of(top) for top in tops) else 0
    found = {path: below[depth] for path, below in parts if len(below) > depth}
    if len(found) < len(parts) and not settings.quiet:
        left = len(parts) - len(found)
        what = "1 image lies" if left == 1 else f"{left:,} images lie"
        report(f"note: {what} in no class folder: left out")
    return found, len(faults)


def _vectors(
    labelled: Mapping[str, str], embedding: Embedding, settings: Settings, threads: int
) -> tuple[dict[str, Floats], list[str], list[str], int]:
    """Vectors of the network and of what it is compared with, classes, digests, and how many have none."""
    plain: dict[str, dict[str, Floats]] = {}

    def read(name: str) -> ReadImage | CnncliError:
        found = read_image(name, embedding.trained.input_spec)
        if isinstance(found, ReadImage) and found.pixels is not None:
            plain[name] = {each: make(found.pixels) for each, make in BASELINES.items()}
        return found

    rows: dict[str, list[Floats]] = {each: [] for each in ("network", *BASELINES)}
    labels: list[str] = []
    digests: list[str] = []
    failed = 0
    runs = embedded([*labelled], read, embedding.embedder, threads=threads, quiet=settings.quiet)
    with closing(runs):
        for run in runs:
            for name, each in run:
                if isinstance(each, CnncliError):
                    failed += 1
                    settle(each, debug=settings.debug)
                elif each.vector is not None:
                    labels.append(labelled[name])
                    digests.append(each.digest)
                    for kind, vector in {"network": each.vector, **plain.pop(name)}.items():
                        rows[kind].append(vector)
    stacked = {each: np.array(found, np.float32) for each, found in rows.items()}
    return stacked, labels, digests, failed


def _tell(
    folder: str, counts: tuple[int, int], scores: Mapping[str, Retrieval], embedding: Embedding, *, json: bool
) -> None:
    """Write scores, and by how much the network's are better."""
    images, classes = counts
    margins = {each: _margin(scores, each) for each in BASELINES}
    model = embedding.model
    if json:
        about: dict[str, Any] = {
            "input": in_unicode(folder),
            "images": images,
            "classes": classes,
            "queries": scores["network"].queries,
            "model": in_unicode(model.name),
            "layer": model.layer,
            **_record(scores["network"]),
            "baselines": {each: _record(scores[each]) for each in BASELINES},
            "margin": {each: round(margin, 6) for each, margin in margins.items()},
        }
        write_line(as_json(about))
        return
    queries = scores["network"].queries
    alone = f"; {images - queries:,} alone in their class are not searched for" if queries < images else ""
    write_line(f"{images:,} images of {classes:,} classes, each searched for among all others{alone}")
    for line in _table(scores, {"network": os.path.basename(model.name), **_NAMES}):  # noqa: PTH119
        write_line(line)
    parts = [f"{abs(far):.4f} {'above' if far >= 0 else 'below'} {_NAMES[of]}" for of, far in margins.items()]
    write_line(f"mAP {', '.join(parts)}")


def _margin(scores: Mapping[str, Retrieval], baseline: str) -> float:
    return scores["network"].mean_average_precision - scores[baseline].mean_average_precision


def _record(score: Retrieval) -> dict[str, Any]:
    return {
        "map": round(score.mean_average_precision, 6),
        "recall": {str(k): round(share, 6) for k, share in score.recall.items()},
    }


def _table(scores: Mapping[str, Retrieval], names: Mapping[str, str]) -> Sequence[str]:
    """Lines of the scores: recall at k is the share of queries with their class among the k nearest."""
    from cnncli.table import table_lines

    rows = [["", "mAP", *(f"recall@{k}" for k in CUTS)]]
    for each, score in scores.items():
        shares = (f"{share:.2%}" for share in score.recall.values())
        rows.append([shown(names[each]), f"{score.mean_average_precision:.4f}", *shares])
    order = range(len(rows[0]))
    return table_lines(rows, columns=80, by_worth=[*order], right={*order} - {0})
