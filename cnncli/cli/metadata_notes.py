"""What a filtered picture keeps of the words in its file, and what has to be said about the rest."""

from collections.abc import Sequence

from cnncli.cli.messages import report
from cnncli.cli.names import STREAM
from cnncli.cli.outputs import Job
from cnncli.cli.task import Task
from cnncli.files.faults import shown
from cnncli.images.picture import Metadata, Picture


class Notes:
    """Notes on many files: each kind is said of the first file that it holds for, then counted."""

    def __init__(self) -> None:
        self._others: dict[str, int] = {}

    def say(self, job: Job, notes: Sequence[str]) -> None:
        """Print the notes on one file, as far as they are new."""
        for note in notes:
            kind = note.replace(shown(job.result), "…").replace(shown(job.source), "…")
            if kind in self._others:
                self._others[kind] += 1
            else:
                self._others[kind] = 0
                report(note)

    def close(self) -> None:
        """Print how many files the notes hold for besides."""
        for kind, count in self._others.items():
            if count:
                files = "1 more file" if count == 1 else f"{count} more files"
                report(f"note: so it is with {files}: {kind.removeprefix('note: ')}")


def kept_metadata(picture: Picture, result: Picture, task: Task, *, same_type: bool) -> Metadata:
    """The metadata for a result.

    Parameters
    ----------
    picture, result : Picture
        Before and after.
    task : Task
        What was done.
    same_type : bool
        Whether the numbers of both have the same type and the same white.
    """
    about = picture.metadata
    if task.strip:
        return about.form
    if about.is_empty:
        return about
    from cnncli.filters.placement import keeps_values, placed
    from cnncli.images.moved_metadata import moved_metadata
    from cnncli.images.result_geometry import ResultGeometry

    moves = []
    for before, after in zip(picture.frames, result.frames, strict=True):
        sizes = [(int(frame.shape[1]), int(frame.shape[0])) for frame in (before, after)]
        place = placed(sizes[0], task.filters, task.options)
        moves.append(ResultGeometry(sizes[0], sizes[1], place.offset, place.step, place.skew))
    same_units = same_type and keeps_values(task.filters, task.options)
    return moved_metadata(about, moves, same_units=same_units)


def notes_on_losses(job: Job, picture: Picture, task: Task, lost: list[str]) -> list[str]:
    """Say what the output does not hold of the input's metadata.

    Parameters
    ----------
    job : Job
        For the output's name.
    picture : Picture
        The input.
    task : Task
        Where it is to strip, only a colour profile other than sRGB's is worth a word.
    lost : list of str
        From ``encode_with_losses``.
    """
    where = "standard output" if job.target == STREAM else shown(job.result)
    if task.strip:
        icc = picture.metadata.icc
        if icc is None or b"sRGB" in icc or b"s\0R\0G\0B" in icc:
            return []
        return [
            f"note: {where} is written without the colour profile, so that it is shown as if it were sRGB"
        ]
    if not lost:
        return []
    from cnncli.images.metadata_fitting import listed, suggest_suffixes

    notes = []
    for names, able in suggest_suffixes(lost):
        keeps = f"; {able} keeps {'it' if len(names) == 1 else 'them'}" if able else ""
        notes.append(f"note: {where} is written without {listed([shown(name) for name in names])}{keeps}")
    return notes
