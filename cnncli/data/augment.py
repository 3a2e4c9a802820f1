"""What users write after ``--augment``: the words, their ranges, and presets for known data.

shift=2,rotate=10,scale=0.1,shear=5,flip        words, most with a strength
auto                                            what suits the data
none                                            nothing
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

from cnncli.core.data_jobs import BORDERS
from cnncli.errors import OptionError

Shape = tuple[int, int, int]
#: What images show: things on a plain ground, which are not the same when mirrored; photographs with an up
#: and a down; photographs without, as of textures; clips, in which directions may tell classes apart.
Kind = Literal["drawings", "upright", "textures", "clips"]


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How far training images are changed, drawn anew for each image in each epoch.

    Attributes
    ----------
    shift : float
        Up to this far to each side, in whole pixels; below 1 as a share of the side.
    rotate : float
        Degrees to either side.
    scale : float
        Up to this share larger or smaller: 0.1 for factors 1/1.1 to 1.1.
    shear : float
        Degrees to either side, along x.
    flip, vflip : float
        Chance of mirroring left and right, and top and bottom.
    rot90 : float
        Chance of turning a square image by 90, 180 or 270 degrees, which are equally likely.
    crop : float
        Below 1: a random part of at least this share of the area, of aspect 3/4 to 4/3, is
        stretched over the whole. From 1 on: padded by so many pixels and cut at random, which is a shift.
    erase : float
        Chance that a rectangle of 2 to 25 % of the area is painted over with the mean colour.
    brightness, contrast, saturation : float
        Factors 1 - x to 1 + x: of all values, of their distance from the image's mean, of their
        distance from gray.
    mixup : float
        Parameter of the beta distribution of the share of a second image; 0 for none.
    border : {"black", "edge", "reflect"}
        What comes in where an image has moved away.
    """

    shift: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    vflip: float = 0.0
    rot90: float = 0.0
    crop: float = 0.0
    erase: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    mixup: float = 0.0
    border: str = "edge"

    @property
    def text(self) -> str:
        """The same as users write it; "none" where nothing changes."""
        default = Augment()
        words = []
        for each in fields(self):
            value = getattr(self, each.name)
            if value == getattr(default, each.name):
                continue
            chance = each.name in _PLAIN and value == _PLAIN[each.name]
            words.append(
                each.name if chance else f"{each.name}={value if isinstance(value, str) else f'{value:g}'}"
            )
        return ",".join(words) or "none"

    @property
    def moves(self) -> bool:
        """True where pixels change place."""
        turned = self.rotate, self.shear, self.flip, self.vflip, self.rot90
        return any((self.shift, self.scale, self.crop, *turned))

    @property
    def colours(self) -> bool:
        """True where colours change."""
        return any((self.brightness, self.contrast, self.saturation))


# Word: lowest and highest value that makes sense (above 0), and what it is.
_RANGES: dict[str, tuple[float, float, str]] = {
    "shift": (0, 1024, "pixels, or below 1 a share of the side"),
    "rotate": (0, 180, "degrees"),
    "scale": (0, 4, "a share, 0.1 for 10 %"),
    "shear": (0, 60, "degrees"),
    "flip": (0, 1, "a chance"),
    "vflip": (0, 1, "a chance"),
    "rot90": (0, 1, "a chance"),
    "crop": (0, 1024, "the smallest share of the area, or from 1 on pixels of padding"),
    "erase": (0, 1, "a chance"),
    "brightness": (0, 1, "a share"),
    "contrast": (0, 1, "a share"),
    "saturation": (0, 1, "a share"),
    "color": (0, 1, "a share, for brightness, contrast and saturation at once"),
    "mixup": (0.05, 1, "the beta distribution's parameter"),
}
# Words that may stand without a value, and what they mean then.
_PLAIN = {"flip": 0.5, "vflip": 0.5, "rot90": 0.75, "erase": 0.5, "mixup": 0.2}
_EXAMPLE = "Write it as in --augment shift=2,rotate=10,flip; --augment auto picks what suits the data."

# What is known to suit these data, by the name of the dataset.
PRESETS: dict[str, Augment] = {
    "mnist": Augment(shift=2, rotate=14, scale=0.15, shear=12, border="black"),
    "fashion-mnist": Augment(shift=1, flip=0.5, border="black"),
    # Every epoch has scenes of its own, in which all that could be changed is drawn by lot as it is.
    "digit-scenes": Augment(),
    "digit-motions": Augment(shift=0.06, rotate=10, scale=0.1, border="edge"),
    "cifar10": Augment(crop=4, flip=0.5, erase=0.25, border="reflect"),
}

DRAWINGS = Augment(shift=0.08, rotate=8, scale=0.1, border="edge")
# Whole pixels: turning and scaling interpolate, which blurs the fine texture that tells photographs apart.
GRAY_PHOTOGRAPHS = Augment(shift=0.1, flip=0.5, brightness=0.2, contrast=0.2, border="reflect")
# Not mirrored: what moves left would move right.
CLIPS = Augment(shift=0.08, scale=0.15, brightness=0.2, contrast=0.2, border="edge")
COLOR_PHOTOGRAPHS = Augment(
    crop=0.5, flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2, border="reflect"
)


def parse_augment(
    text: str, *, dataset: str = "", shape: Shape | None = None, kind: Kind = "drawings"
) -> Augment | None:
    """Read what stands after ``--augment``.

    Parameters
    ----------
    text : str
        Words and values, ``auto`` or ``none``.
    dataset : str
        The known collection that it is (`Dataset.known`), by which ``auto`` chooses.
    shape : (H, W, C) or None
        Of the images; with it, what cannot apply to them is refused.
    kind : {"drawings", "upright", "textures", "clips"}
        What the images show, by which ``auto`` chooses.

    Returns
    -------
    Augment or None
        None for ``none`` and for an empty text.

    Raises
    ------
    OptionError
        For an unknown word, a value that is no number or out of range, or a word that stands twice;
        the message shows where.
    """
    plain = text.strip().lower()
    if plain in ("", "none"):
        return None
    if plain == "auto":
        return _preset(dataset, shape, kind)
    chosen: dict[str, float | str] = {}
    at = 0
    for piece in text.split(","):
        start = at + len(piece) - len(piece.lstrip())
        at += len(piece) + 1
        token = piece.strip()
        for name, value in _read(token, text, start):
            if name in chosen:
                raise _fault(f"{name} is given twice; expected once", text, start, len(token))
            chosen[name] = value
        word = token.split("=")[0].strip().lower()
        if word == "saturation" and shape is not None and shape[2] != 3:
            raise _fault("saturation needs colour images; these are gray", text, start, len(token))
        if word == "rot90" and shape is not None and shape[0] != shape[1]:
            needed = f"rot90 needs square images; these are {shape[1]}x{shape[0]}"
            raise _fault(needed, text, start, len(token))
    return Augment(**chosen)  # type: ignore[arg-type]


def _preset(dataset: str, shape: Shape | None, kind: Kind) -> Augment:
    """What suits a dataset: by its name, else gentle changes that hardly any photograph minds."""
    if dataset in PRESETS:
        return PRESETS[dataset]
    if kind == "clips":
        return CLIPS
    if shape is not None and shape[2] == 1:
        found = DRAWINGS if kind == "drawings" else GRAY_PHOTOGRAPHS
    elif shape is not None and min(shape[:2]) < 48:
        found = PRESETS["cifar10"]
    else:
        found = COLOR_PHOTOGRAPHS
    return replace(found, rot90=_PLAIN["rot90"]) if kind == "textures" else found


def _read(token: str, text: str, start: int) -> list[tuple[str, float | str]]:
    """One word and its value, as fields of `Augment`."""
    name, given, value = (part.strip() for part in token.partition("="))
    name = name.lower().replace("colour", "color")
    if name == "border":
        if value.lower() not in BORDERS:
            raise _fault(f"border is {value!r}; expected {', '.join(BORDERS)}", text, start, len(token))
        return [("border", value.lower())]
    if name not in _RANGES:
        from cnncli.nearest import did_you_mean

        known = [*_RANGES, "border"]
        raise _fault(
            f"unknown word {name!r}; expected {', '.join(known)}",
            text,
            start,
            len(token),
            hint=did_you_mean(name, known),
        )
    if not given:
        if name not in _PLAIN:
            raise _fault(f"{name} needs a value, {_RANGES[name][2]}", text, start, len(token))
        number = _PLAIN[name]
    else:
        number = _number(name, value, text, start + len(token) - len(value))
    names = ("brightness", "contrast", "saturation") if name == "color" else (name,)
    return [(each, number) for each in names]


def _number(name: str, value: str, text: str, start: int) -> float:
    low, high, meaning = _RANGES[name]
    percent = value.endswith("%")
    try:
        number = float(value.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        raise _fault(f"{name} is {value!r}; expected a number, {meaning}", text, start, len(value)) from None
    if not low <= number <= high:
        expected = f"{low:g} to {high:g}, {meaning}"
        raise _fault(f"{name} is {value}; expected {expected}", text, start, len(value))
    return number


def _fault(what: str, text: str, start: int, length: int, *, hint: str = "") -> OptionError:
    """An error that shows the place in what was written."""
    marked = f"{text[:start]}»{text[start : start + length]}«{text[start + length :]}"
    return OptionError(f"--augment: {what}, in {marked}", f"{hint} {_EXAMPLE}".lstrip())
