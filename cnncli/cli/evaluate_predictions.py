"""``cnncli evaluate ANNOTATIONS.json --predictions RESULTS.json``: detections, scored as COCO does."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from cnncli import checked
from cnncli.cli.exit_codes import DONE, SOME_FAILED, UsageError
from cnncli.cli.messages import columns_of, report, wrapped
from cnncli.cli.options.evaluate import Settings
from cnncli.cli.streams import write_stdout
from cnncli.core.threads import thread_count
from cnncli.data.annotations import AnnotationOptions, read_annotations
from cnncli.data.coco import is_annotations, read_json
from cnncli.data.coco_results import Detections, kinds_of, parse_results
from cnncli.data.objects import Annotated
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode, shown
from cnncli.tasks.detection_scores import DetectionScores, detection_scores
from cnncli.tasks.detection_table import LEGEND, table_of
from cnncli.text import listed

_TAKEN = ("dataset", "predictions", "split", "strict", "json", "quiet", "threads", "debug")
_NAMED = 5  # left out, that a warning names


@dataclass(frozen=True, eq=False)
class _Compared:
    """Annotations, detections, and the scores by what overlaps: boxes, masks or both."""

    annotated: Annotated
    found: Detections
    scores: dict[str, DetectionScores]
    seconds: float


def run(settings: Settings) -> int:
    """Run the command and return its exit code: 1 where something was left out."""
    _refuse_others(settings)
    compared = _compared(settings, threads=thread_count(settings.threads))
    for line in () if settings.quiet else _remarks(compared):
        report(line)
    text = _as_json(compared, settings) if settings.json else _as_text(compared, settings)
    write_stdout(text.encode("utf-8", "backslashreplace") + b"\n")
    return SOME_FAILED if compared.annotated.skipped or compared.found.skipped else DONE


def _refuse_others(settings: Settings) -> None:
    """Refuse options that are about networks and images."""
    for each in Settings.COMMAND.options:  # type: ignore[attr-defined]
        if each.name not in _TAKEN and getattr(settings, each.name) != each.unset:
            raise UsageError(
                f"{each.words[0]} is given with --predictions, which runs no network; expected one of them",
                f"Leave {each.words[0]} out.",
            )


def _compared(settings: Settings, *, threads: int) -> _Compared:
    """Read both files and score."""
    start = perf_counter()
    path, results_path = Path(settings.dataset), Path(settings.predictions or "")
    results = read_json(results_path)
    if is_annotations(results) and path.suffix.lower() == ".json" and isinstance(read_json(path), list):
        raise UsageError(
            f"{shown(path)} holds results, and --predictions {shown(results_path)} annotations; expected "
            "annotations and then results",
            "Swap the two files.",
        )
    by_boxes, by_masks = kinds_of(results)
    how = AnnotationOptions(
        split=settings.split, masks=by_masks, strict=settings.strict, as_written=True, threads=threads
    )
    annotated = read_annotations(path, how)
    if not annotated.names:
        raise CnncliError(f"{shown(path)} has no images; expected some", "Check what wrote the file.")
    if not len(annotated.objects.labels) and annotated.skipped:
        first = annotated.skipped[0]
        raise CnncliError(
            f"no annotation in {shown(path)} can be used: {first.sentence}; expected "
            f"{'masks' if by_masks else 'boxes'} to compare with",
            "Check what wrote the file, and that it belongs to the predictions.",
        )
    found = parse_results(results, results_path, annotated, strict=settings.strict, threads=threads)
    scores = {}
    if by_boxes:
        scores["boxes"] = detection_scores(annotated.objects, found, "boxes", threads=threads)
    if by_masks:
        scores["masks"] = detection_scores(annotated.objects, found, "masks", threads=threads)
    return _Compared(annotated, found, scores, perf_counter() - start)


def _remarks(compared: _Compared) -> Iterator[str]:
    """What the user might not expect."""
    annotated, found = compared.annotated, compared.found
    for skipped in (annotated.skipped, found.skipped):
        yield from (f"warning: left out: {in_unicode(each.sentence)}" for each in skipped[:_NAMED])
        if len(skipped) > _NAMED:
            more = _count(
                len(skipped) - _NAMED, "annotation" if skipped is annotated.skipped else "detection"
            )
            yield f"warning: left out as well: {more}"
    yield from (f"note: {in_unicode(each)}" for each in annotated.notes)
    if annotated.clipped:
        noun = "box reaches" if annotated.clipped == 1 else "boxes reach"
        yield f"note: {annotated.clipped:,} annotated {noun} beyond the image; taken as written, as COCO does"
    for by, scores in compared.scores.items():
        absent = [
            shown(name)
            for name, count in zip(annotated.objects.classes, scores.objects, strict=True)
            if not count
        ]
        if absent and by == next(iter(compared.scores)):
            noun = "class has" if len(absent) == 1 else "classes have"
            yield f"note: {len(absent):,} {noun} no object and count in no mean: {listed(absent)}"


def _as_json(compared: _Compared, settings: Settings) -> str:
    """One object: what was compared, and figures and classes by boxes, masks or both."""
    annotated = compared.annotated
    objects = annotated.objects
    return checked.as_json(
        {
            "annotations": in_unicode(settings.dataset),
            "predictions": in_unicode(settings.predictions or ""),
            "form": annotated.form,
            "images": len(annotated.names),
            "objects": int((~objects.crowd).sum()),
            "crowds": int(objects.crowd.sum()),
            "detections": len(compared.found.labels),
            **{by: _figures(scores, objects.classes) for by, scores in compared.scores.items()},
            "skipped": len(annotated.skipped) + len(compared.found.skipped),
            "seconds": round(compared.seconds, 3),
        }
    )


def _figures(scores: DetectionScores, classes: tuple[str, ...]) -> dict[str, Any]:
    rows = [
        {"label": name, "objects": int(scores.objects[k]), **_rounded(scores.of_class(k))}
        for k, name in enumerate(classes)
    ]
    return {**_rounded(scores.figures()), "classes": rows}


def _rounded(figures: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 9) for name, value in figures.items()}


def _as_text(compared: _Compared, settings: Settings) -> str:
    """What was compared, COCO's twelve figures, and a row for each class that has objects."""
    annotated, columns = compared.annotated, columns_of(sys.stdout)
    objects = annotated.objects
    crowds = int(objects.crowd.sum())
    lines = [
        f"{shown(settings.dataset)}: {annotated.form} annotations, {_count(len(annotated.names), 'image')}, "
        f"{_count(int((~objects.crowd).sum()), 'object')} of {_count(len(objects.classes), 'class')}"
        + (f", {_count(crowds, 'crowd')}" if crowds else ""),
        f"{shown(settings.predictions or '')}: {_count(len(compared.found.labels), 'detection')}, "
        f"{' and '.join(compared.scores)}",
    ]
    for by, scores in compared.scores.items():
        lines += ["", *table_of(scores, objects.classes, by=by, columns=columns)]
    lines += ["", LEGEND]
    return "\n".join(wrapped(lines, columns))


def _count(number: int, noun: str) -> str:
    """A number of things, in the singular or the plural."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
