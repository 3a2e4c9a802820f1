"""What is done to a picture of another size or number of channels, in words and as JSON."""

from typing import Any

from cnncli.data.prepare import InputSpec, Placement, Prepared, Shape, placement, prepared_as, read_for
from cnncli.data.shipped import is_gray
from cnncli.errors import CnncliError
from cnncli.images.decoding_limits import with_memory_retry
from cnncli.images.picture import Picture
from cnncli.records import record, replace

GRAY, COLORS, SIZE = "made gray", "repeated as red, green and blue", "resized"
FRAME = "taken by its first frame"
_SEVERAL = ("GIF", "WEBP", "TIFF")  # formats whose files often hold several frames or pages


@record
class Conversion:
    """How a picture came, and how the network takes it.

    Attributes
    ----------
    came, taken : (H, W, C)
        A picture that holds shades of gray alone has C = 1, whatever its file says.
    fitted : str
        ``cropped``, ``padded`` or nothing: besides being resized.
    frames : int
        Of the file, of which the network takes the first.
    """

    came: Shape
    taken: Shape
    fitted: str = ""
    frames: int = 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of `SIZE`, `GRAY`, `COLORS` and `FRAME` it is."""
        (height, width, channels), (high, wide, wanted) = self.came, self.taken
        sized = (SIZE,) if (height, width) != (high, wide) else ()
        toned = () if channels == wanted else (GRAY if wanted == 1 else COLORS,)
        return (*sized, *toned, *((FRAME,) if self.frames > 1 else ()))

    @property
    def words(self) -> str:
        """``resized and cropped from 451x300 to 28x28, made gray``."""
        sizes = " to ".join(f"{width}x{height}" for height, width, _ in (self.came, self.taken))
        said = {
            SIZE: f"{SIZE}{self.fitted and f' and {self.fitted}'} from {sizes}",
            FRAME: f"{FRAME} of {self.frames}",
        }
        return ", ".join(said.get(kind, kind) for kind in self.kinds)

    def record(self) -> dict[str, Any]:
        """For ``--json``."""
        made = {
            name: dict(zip(("height", "width", "channels"), shape, strict=True))
            for name, shape in (("from", self.came), ("to", self.taken))
        }
        if self.frames > 1:
            made["from"]["frames"] = self.frames
        return made


def conversion_of(
    picture: Picture, size: tuple[int, int], input_spec: InputSpec, *, frames: int = 1
) -> Conversion | None:
    """What becomes of a picture of some width and height; None: it is as the network takes it.

    Parameters
    ----------
    picture : Picture
        As it was decoded, perhaps smaller than it is.
    size : (width, height)
        Of the file.
    input_spec : InputSpec
        What the network takes.
    frames : int
        Of the file.
    """
    width, height = size
    rows, columns, wanted = input_spec.shape
    fitted = "" if input_spec.adapts_digits else _fitted(placement(input_spec, width, height), rows, columns)
    found = Conversion((height, width, 1 if is_gray(picture) else 3), (rows, columns, wanted), fitted, frames)
    return found if found.kinds else None


def _fitted(place: Placement, rows: int, columns: int) -> str:
    if place.wide > columns or place.high > rows:
        return "cropped"
    return "padded" if min(place.left, place.top) < 0 else ""


@record(eq=False)
class Taken:
    """A picture as a network takes it, and all that was done to it that the user might not expect."""

    prepared: Prepared
    conversion: Conversion | None

    @property
    def changes(self) -> tuple[str, ...]:
        """In words."""
        converted = () if self.conversion is None else (self.conversion.words,)
        return (*converted, *self.prepared.changes)

    def record(self) -> dict[str, Any]:
        """For ``--json``: nothing of a picture that is taken as it is."""
        made: dict[str, Any] = {}
        if self.conversion is not None:
            made["converted"] = self.conversion.record()
        if self.prepared.changes:
            made["adapted"] = list(self.prepared.changes)
        return made


def taken(data: bytes, picture: Picture, size: tuple[int, int], input_spec: InputSpec, *, name: str) -> Taken:
    """Prepare the decoded picture of a file; parameters and errors as of `prepared_as`."""
    frames = _frames_of(data, name) if picture.format in _SEVERAL else 1
    conversion = conversion_of(picture, size, input_spec, frames=frames)
    prepared = prepared_as(picture, input_spec, name=name)
    return Taken(replace(prepared, size=size[::-1]), conversion)


def _frames_of(data: bytes, name: str) -> int:
    """How many frames a file has; 1 where those behind the first are damaged."""
    from cnncli.images.read import read_size

    try:
        return read_size(data, name=name)[2]
    except CnncliError:
        return 1


def read_taken(data: bytes, input_spec: InputSpec, *, name: str) -> Taken:
    """As `cnncli.data.prepare.read_prepared`, with what was done to the picture."""

    def read() -> Taken:
        return taken(data, *read_for(data, input_spec, name=name), input_spec, name=name)

    return with_memory_retry(read, name)
