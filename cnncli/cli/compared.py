"""The two sides of ``cnncli compare``: opened, found to be alike in form, and taken from each other."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from cnncli.cli.names import STREAM, is_address
from cnncli.cli.result_form import called
from cnncli.cli.streams import read_stdin
from cnncli.core.luma import LUMA
from cnncli.errors import CnncliError
from cnncli.filters.apply import is_opaque
from cnncli.filters.similarity import Read
from cnncli.images.encode import check_frames
from cnncli.images.formats import FORMATS
from cnncli.images.large import LargePicture, facts_of, open_large
from cnncli.images.levels import picture_white
from cnncli.images.picture import FULL_SCALE, Picture, Pixels
from cnncli.images.read import read_picture
from cnncli.records import record, replace

_COLORS = {1: "gray", 3: "RGB"}


@record(eq=False)
class Side:
    """One of two pictures.

    Attributes
    ----------
    name : str
        As given.
    picture : Picture
        Its pixels, unless they are read from ``large``.
    white : float
        Full scale.
    alpha : bool
        Whether opacity, the last channel, is compared: where not, there is none or it is white.
    gray : bool
        Whether the luma of colours is compared.
    large : LargePicture or None
        Gives the rows of a picture that is not in memory.
    """

    name: str
    picture: Picture
    white: float
    alpha: bool
    gray: bool = False
    large: LargePicture | None = None

    @property
    def colors(self) -> int:
        """Channels that are compared, but opacity."""
        colors = self.picture.channels - self.picture.alpha
        return 1 if self.gray and colors == 3 else colors

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Of what is compared, of each frame."""
        return [(*frame.shape[:2], self.colors + self.alpha) for frame in self.picture.frames]

    def rows_of(self, number: int) -> Read:
        """What gives the rows of a frame."""

        def rows(start: int, stop: int) -> Pixels:
            found = self.large.rows(start, stop) if self.large else self.picture.frames[number][start:stop]
            colors = self.picture.channels - self.picture.alpha
            if self.gray and colors == 3:
                luma = found[..., :3] @ np.array(LUMA)[:, None]
                return np.concatenate([luma, found[..., 3:]], axis=2) if self.alpha else luma
            return found[..., : colors + self.alpha]

        return rows


@contextmanager
def open_side(name: str, *, max_pixels: int, whole: bool) -> Iterator[Side]:
    """Open a picture; a large one is read in bands unless all of it is needed.

    Raises
    ------
    CnncliError
        If it cannot be read.
    """
    if name == STREAM:
        example = "cat a.png | cnncli compare - b.png"
        yield _in_memory(name, read_picture(read_stdin(example=example), max_pixels=max_pixels, bands=True))
        return
    if is_address(name):
        from cnncli.cli.addresses import read_address

        data = read_address(name)
        yield _in_memory(name, read_picture(data, max_pixels=max_pixels, name=name, bands=True))
        return
    large = None if whole else open_large(Path(name), max_pixels=max_pixels)
    if not isinstance(large, LargePicture):
        yield _in_memory(name, read_picture(Path(name), max_pixels=max_pixels, bands=True))
        return
    with closing(large):
        facts = facts_of(large)
        yield Side(name, large.picture, facts.white, large.picture.alpha and not facts.opaque, large=large)


def _in_memory(name: str, picture: Picture) -> Side:
    white = picture_white(picture)
    clear = picture.alpha and not all(is_opaque(frame, white) for frame in picture.frames)
    return Side(name, picture, white, clear)


def check_alike(first: Side, second: Side, *, gray: bool) -> tuple[Side, Side]:
    """Both sides, where they can be compared.

    Raises
    ------
    CnncliError
        If sizes, numbers of frames, depths or channels differ; it says so.
    """
    names = f"{called(first.name)} and {called(second.name)}"
    counts = [len(side.shapes) for side in (first, second)]
    if counts[0] != counts[1]:
        raise CnncliError(
            f"{names} hold {counts[0]} and {counts[1]} pictures; expected as many",
            "Compare single frames.",
        )
    for one, other in zip(first.shapes, second.shapes, strict=True):
        if one[:2] != other[:2]:
            sizes = " and ".join(f"{width} x {height}" for height, width, _ in (one, other))
            raise CnncliError(
                f"{names} are {sizes} pixels; expected the same size", "Crop or resize one of them first."
            )
    if first.picture.dtype != second.picture.dtype:
        depths = [_depth(side.picture) for side in (first, second)]
        bits = 8 * max(side.picture.dtype.itemsize for side in (first, second))
        raise CnncliError(
            f"{names} hold {depths[0]} and {depths[1]}; expected the same depth",
            f"Convert one of them with: cnncli convolve FILE -k identity --bits {bits} -o OUT.tif",
        )
    if first.alpha or second.alpha:
        if not (first.picture.alpha and second.picture.alpha):
            raise CnncliError(
                f"{names}: one has opacity, the other none; expected both or neither",
                "Write the first on white, for example as a JPEG.",
            )
        first, second = replace(first, alpha=True), replace(second, alpha=True)
    first, second = replace(first, gray=gray), replace(second, gray=gray)
    if first.colors != second.colors:
        kinds = [_COLORS.get(side.colors, f"of {side.colors} channels") for side in (first, second)]
        luma = {first.colors, second.colors} == {1, 3}
        raise CnncliError(
            f"{names} are {kinds[0]} and {kinds[1]}; expected the same colours",
            "Compare their luma with --gray." if luma else "Compare pictures with the same channels.",
        )
    white = max(first.white, second.white)
    return replace(first, white=white), replace(second, white=white)


def _depth(picture: Picture) -> str:
    return "floats" if picture.dtype == np.float32 else f"{8 * picture.dtype.itemsize} bits"


def difference_picture(
    first: Side, second: Side, *, format: str, scale: float | None
) -> tuple[Picture, float]:
    """The absolute difference of two pictures in memory, opacity included, and what it is multiplied by.

    Parameters
    ----------
    first, second : Side
        From `check_alike`.
    format : str
        Of the output; NPY has the first minus the second.
    scale : float or None
        What differences are multiplied by; None: the largest becomes white.
    """
    numbers = [_difference(first, second, number) for number in range(len(first.shapes))]
    if format == "NPY":
        factor = 1.0 if scale is None else scale
        raw = tuple(np.asarray(each * factor, np.float32) for each in numbers)
        return Picture(raw, format=format, durations=first.picture.durations), factor
    white, alpha = first.white, first.alpha
    sizes = [np.abs(each) for each in numbers]
    if alpha:  # shown in all colours
        sizes = [np.maximum(each[..., :-1], each[..., -1:]) for each in sizes]
    largest = max(float(each.max(initial=0.0, where=np.isfinite(each))) for each in sizes)
    factor = scale if scale is not None else white / largest if largest else 1.0
    deep = first.picture.dtype != np.uint8 and 16 in FORMATS[format].depths
    dtype = np.dtype(np.uint16 if deep else np.uint8)
    full = FULL_SCALE[dtype.name]
    frames = tuple(
        np.rint(np.clip(np.nan_to_num(each * (factor / white), posinf=1.0), 0, 1) * full).astype(dtype)
        for each in sizes
    )
    if frames[0].shape[2] not in (1, 3) and format != "TIFF":
        frames = tuple(each.max(axis=2, keepdims=True) for each in frames)
    kept = Picture(frames, format=format, durations=first.picture.durations, loop=first.picture.loop)
    check_frames(kept, format)
    return kept, factor


def _difference(first: Side, second: Side, number: int) -> Pixels:
    """The first minus the second of a frame, colours weighted by opacity, in float64."""
    found = []
    for side in (first, second):
        values = np.asarray(side.rows_of(number)(0, side.shapes[number][0]), np.float64)
        if side.alpha:
            values = np.concatenate(
                [values[..., :-1] * (values[..., -1:] / side.white), values[..., -1:]], axis=2
            )
        found.append(values)
    return np.asarray(found[0] - found[1])
