"""A folder of clips by class: videos, animations, or folders of frames, with or without splits above them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import DatasetDescription, LoadOptions, from_splits
from cnncli.data.classes import class_name, ordered
from cnncli.data.clip_files import ANIMATED, VIDEOS, frame_files, frames_of, is_video_file
from cnncli.data.clips import ClipLabels, Clips
from cnncli.data.identity import row_digests
from cnncli.data.model import Dataset, Skipped
from cnncli.data.prepare import InputSpec, prepared_as
from cnncli.data.split_names import split_of
from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown
from cnncli.images.formats import READ_SUFFIXES
from cnncli.images.read import read_size
from cnncli.threaded import in_threads

_HINT = "Arrange them as FOLDER/CLASS/clip.mp4, or FOLDER/CLASS/clip/0001.png (with --task video)."
FRAMES_HINT = "numbered images in folders below the classes are images; --task video reads them as clips"
_LOOKED_AT = 3  # images of a folder, to find out whether they are animations
_FEWEST = 2  # frames of a clip
_LARGEST_SIDE, _USUAL_SIDE = 96, 64  # frames of one size up to the first keep it; others get the second
_LAST_NUMBER = re.compile(r"(\d{1,9})$")
_PIECE = 1 << 20  # bytes that are hashed at a time
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """Where a clip lies, and what it is said to be."""

    path: Path
    split: str
    label: str


def holds_clips(root: Path) -> bool:
    """Whether class folders hold videos or animations, rather than images."""
    folders = _class_folders(root)
    if not folders:
        return False
    suffixes = set().union(*(_suffixes(folder) for folder in folders))
    if suffixes & VIDEOS:
        return True
    some = _some_images(folders) if suffixes & ANIMATED else []
    return bool(some) and all(map(_is_animation, some))


def holds_frames(root: Path) -> bool:
    """Whether class folders hold folders of numbered images: frames of clips, or images in subfolders."""
    folders = _class_folders(root)
    if not folders or set().union(*(_suffixes(folder) for folder in folders)) & READ_SUFFIXES:
        return False
    return all(_holds_frames(folder) for folder in folders)


def _class_folders(root: Path) -> list[Path]:
    return [each for top in _folders(root) for each in (_folders(top) if split_of(top.name) else [top])]


def load_clips(root: Path, load_options: LoadOptions) -> Dataset:
    """Read a folder of clips: ``CLASS/clip.mp4``, ``CLASS/clip.gif`` or ``CLASS/clip/0001.png``.

    Folders called train, val and test may stand above the classes. Clips that cannot be read to their end,
    that have fewer than two frames, or frames of several sizes are left out.

    Raises
    ------
    CnncliError
        Where there are no clips, or more than fit into memory.
    """
    found = list(_found(root, splits=load_options.layout.splits is not False))
    if not found:
        raise CnncliError(f"{shown(root)} holds no clips; expected some in folders of classes", _HINT)
    spec = load_options.image_options.input_spec or _frame_spec(found, load_options)
    decoded, skipped = _decoded(found, spec, load_options)
    classes = tuple(ordered(found[at].label for at in decoded)) or tuple(
        ordered(each.label for each in found)
    )
    parts = _parts(found, decoded, classes, spec)
    description = DatasetDescription(
        name=root.resolve().name or "clips",
        provenance=f"{len(decoded):,} clips of {len(classes)} classes in {shown(root)}",
        notes=(f"frames of {spec.shape[1]}x{spec.shape[0]} pixels",),
        skipped=tuple(skipped),
        files=tuple(each.path for each in found if each.path.is_file()),
        input_spec=spec,
    )
    return from_splits(description, parts, load_options)


def _folders(folder: Path) -> list[Path]:
    return [each for each in _entries(folder) if each.is_dir()]


def _suffixes(folder: Path) -> set[str]:
    """Of all names in a folder; no file is looked at, for there may be many."""
    return {each.suffix.lower() for each in _entries(folder)}


def _entries(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise reading_fault(error, folder) from error
    return [each for each in entries if not each.name.startswith((".", "__MACOSX"))]


def _some_images(folders: Sequence[Path]) -> list[Path]:
    """A few of the images, each of another class."""
    firsts = (
        next((each for each in _entries(folder) if each.suffix.lower() in READ_SUFFIXES), None)
        for folder in folders[:_LOOKED_AT]
    )
    return [each for each in firsts if each is not None]


def _is_animation(path: Path) -> bool:
    if path.suffix.lower() not in ANIMATED:
        return False
    try:
        return read_size(path)[2] > 1
    except CnncliError:
        return False


def _holds_frames(folder: Path) -> bool:
    """Whether the first folder in it that has images has them numbered at equal steps."""
    for inner in _folders(folder):
        numbers = [_LAST_NUMBER.search(each.stem) for each in frame_files(inner)]
        if len(numbers) > 1 and all(numbers):
            steps = np.diff([int(found[1]) for found in numbers if found])
            return bool(steps[0] > 0 and (steps == steps[0]).all())
    return False


def _found(root: Path, *, splits: bool) -> Iterator[Found]:
    for top in _folders(root):
        split = split_of(top.name) if splits else None
        for folder in _folders(top) if split else [top]:
            label = class_name(folder.name)
            for path in _entries(folder):
                if path.is_dir() or path.suffix.lower() in VIDEOS | ANIMATED:
                    yield Found(path, split or "train", label)


def _frame_spec(found: Sequence[Found], load_options: LoadOptions) -> InputSpec:
    """The input that suits the first frames of some clips: their size if all have one, else 64 x 64."""
    asked, sizes, colour = load_options.image_options, set(), False
    for at in np.linspace(0, len(found) - 1, min(len(found), 16)).astype(int):
        path = found[at].path
        try:
            picture = next(frames_of(path, name=str(path), is_video=is_video_file(path))).picture
        except CnncliError:
            continue
        pixels = picture.frames[0][..., : picture.channels - picture.alpha]
        sizes.add(picture.size)
        colour |= pixels.shape[2] == 3 and not (pixels == pixels[..., :1]).all()
    width, height = next(iter(sizes)) if len(sizes) == 1 else (_USUAL_SIDE, _USUAL_SIDE)
    if max(width, height) > _LARGEST_SIDE:
        width = height = _USUAL_SIDE
    size = asked.size or (height, width)
    return InputSpec((*size, asked.channels or (3 if colour else 1)), asked.fit or "crop")


def _decoded(
    found: Sequence[Found], spec: InputSpec, load_options: LoadOptions
) -> tuple[dict[int, Bytes], list[Skipped]]:
    """Frames of the clips that can be read, by their place among all; and those that cannot."""
    done: dict[int, Bytes] = {}
    faults: dict[int, CnncliError] = {}
    lock, report = Lock(), load_options.report

    def one(at: int) -> None:
        try:
            frames = _frames(found[at].path, spec)
        except CnncliError as error:
            faults[at] = error
            return
        with lock:
            done[at] = frames
            held = sum(each.nbytes for each in done.values()) if len(done) % 64 == 0 else 0
            if report is not None:
                report("reading clips", len(done), len(found))
        if held > load_options.memory:
            raise _too_many(found, load_options)

    in_threads(one, len(found), threads=load_options.threads)
    if sum(each.nbytes for each in done.values()) > load_options.memory:
        raise _too_many(found, load_options)
    skipped = [Skipped(shown(found[at].path), faults[at].message) for at in sorted(faults)]
    return {at: done[at] for at in sorted(done)}, skipped


def _too_many(found: Sequence[Found], load_options: LoadOptions) -> CnncliError:
    return CnncliError(
        f"the frames of {len(found):,} clips take more than {load_options.memory >> 20:,} MiB of memory",
        "Give a smaller --size, or cut the clips shorter.",
    )


def _frames(path: Path, spec: InputSpec) -> Bytes:
    """(F, H, W, C) frames of a clip as a network takes them.

    Raises
    ------
    CnncliError
        Where it cannot be read to its end, has one frame, or frames of several sizes.
    """
    frames = []
    for frame in frames_of(path, name=str(path), is_video=is_video_file(path)):
        frames.append(prepared_as(frame.picture, spec, name=str(path)).pixels)
    if len(frames) < _FEWEST:
        count = f"{len(frames)} frame{'s'[: len(frames) != 1]}"
        raise CnncliError(
            f"it has {count}; expected {_FEWEST} or more, so that something can move", "Leave it out."
        )
    return np.stack(frames)


def _parts(
    found: Sequence[Found], decoded: Mapping[int, Bytes], classes: tuple[str, ...], spec: InputSpec
) -> dict[str, Clips]:
    """The splits; the frames of all clips lie in one array."""
    places = list(decoded)
    counts = np.array([len(decoded[at]) for at in places], np.intp)
    frames = np.concatenate(list(decoded.values())) if decoded else np.empty((0, *spec.shape), np.uint8)
    every = Clips(
        frames,
        np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp) if len(counts) else counts,
        counts,
        ClipLabels(np.array([classes.index(found[at].label) for at in places], np.int64), classes),
        [shown(found[at].path) for at in places],
        np.array([int(row_digests(decoded[at][None])[0]) for at in places], np.uint64),
        np.array([_key(found[at].path) for at in places], np.uint64),
    )
    splits = [found[at].split for at in places]
    return {
        split: every.take(np.flatnonzero(np.array(splits) == split), split)
        for split in ("train", "val", "test")
        if split in splits
    }


def _key(path: Path) -> int:
    """64 bits of a file's content, or of the files of a folder."""
    digest = blake2b(digest_size=8)
    for each in frame_files(path) if path.is_dir() else [path]:
        with each.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    return int.from_bytes(digest.digest(), "little")
