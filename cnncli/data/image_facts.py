"""What images turn out to be while they are decoded, and what is chosen by that: size, colour, scale."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnncli.data.prepare import InputSpec, Prepared, read_file
from cnncli.errors import CnncliError
from cnncli.images.levels import (
    DEEP,
    MOST_OF_12_BITS,
    Scale,
    ValueRange,
    choose_scale,
    combined_range,
    is_dim,
    levels_of_one,
    value_range_of,
)
from cnncli.images.picture import Picture, with_depth
from cnncli.images.resize import read_reduced

_LOOKED_AT = 32
_SMALL = 96  # images of one size up to this many pixels a side are taken as they are
_USUAL = 64  # else: enough to tell things apart, and fast on a processor
_FEWEST = 8  # levels of 256 that pictures up to 1 have among others, or else they are on another scale
_NAMED = 3  # images that a message names
_RECAST = {"gray": "images are turned gray", "colour": "gray images are taken as colour"}
#: By kind, numbers up to which and beyond which two pictures are probably on two scales.
SCALE_GAPS = {"uint16": (MOST_OF_12_BITS, 16383), "float32": (1, 2)}
_KINDS = {"uint16": "16-bit pixels", "float32": "float pixels"}


@dataclass(frozen=True)
class ImageOptions:
    """What is asked of images, whatever they are.

    Attributes
    ----------
    size : (H, W) or None
        None: chosen by the images.
    fit : str
        Of `FITS`.
    channels : int or None
        1 or 3; None: by the images.
    input_spec : InputSpec or None
        Of a network that is there already: nothing is left to choose.
    """

    size: tuple[int, int] | None = None
    fit: str = "crop"
    channels: int | None = None
    input_spec: InputSpec | None = None


@dataclass(eq=False)
class ImageFacts:
    """What is known of images so far. Filled from several threads; their order makes no difference.

    Attributes
    ----------
    choosing : bool
        Sizes, colours and numbers are of interest, because something is to be chosen by them.
    colour : bool
        An image has colours that are no grays.
    sizes : set of (width, height)
        Upright.
    value_ranges : dict of str to list of ValueRange
        Of images deeper than 8 bits, by kind.
    dim : dict of str to dict of str to bool
        By kind and name, the images that are `is_dim`, and whether they are all whole numbers.
    adapted : dict of str to tuple of str
        By name, what was done to an image: as in `Prepared`, and ``gray`` or ``colour`` where it became that.
    clipped : list of int
        Numbers beyond black or white, of each image that has some.
    """

    choosing: bool = True
    colour: bool = False
    sizes: set[tuple[int, int]] = field(default_factory=set)
    value_ranges: dict[str, list[ValueRange]] = field(default_factory=lambda: {kind: [] for kind in DEEP})
    dim: dict[str, dict[str, bool]] = field(default_factory=lambda: {kind: {} for kind in DEEP})
    adapted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clipped: list[int] = field(default_factory=list)

    def record_input(self, name: str, picture: Picture, size: tuple[int, int]) -> None:
        """Take down what is to be known of a picture before it is brought to an input.

        Raises
        ------
        CnncliError
            Where it holds NaN.
        """
        if not self.choosing:
            return
        shades = picture.frames[0]
        shades = shades[..., : shades.shape[2] - picture.alpha]
        if shades.dtype != np.uint8:
            value_range = value_range_of(shades, highlights=picture.format != "NPY")
            kind = shades.dtype.name
            self.value_ranges[kind].append(value_range)
            if is_dim(value_range, kind):
                self.dim[kind][name] = value_range.whole
        self.sizes.add(size)
        if not self.colour and not _is_gray(shades):
            self.colour = True

    def record_result(self, name: str, picture: Picture, done: Prepared) -> None:
        """Take down what became of a picture."""
        if done.clipped:
            self.clipped.append(done.clipped)
        coloured = picture.channels - picture.alpha == 3
        now = done.pixels.shape[2]
        recast = ("gray",) if coloured and now == 1 else ("colour",) if not coloured and now == 3 else ()
        if changes := (*done.changes, *recast):
            self.adapted[name] = changes


def sample_facts(paths: Sequence[Path]) -> ImageFacts:
    """See some of the images, evenly spread: a first guess, which all of them have to confirm."""
    image_facts = ImageFacts()
    picked = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _LOOKED_AT)).astype(int))
    for at in picked:
        try:
            image_facts.record_input("", *read_reduced(read_file(paths[at]), _SMALL, name=str(paths[at])))
        except CnncliError:
            continue  # named later, when all are decoded
    return image_facts


def choose_input_spec(
    image_facts: ImageFacts, image_options: ImageOptions, *, sure: bool = True
) -> InputSpec:
    """Choose what images are brought to.

    Parameters
    ----------
    image_facts : ImageFacts
        Of the images: gray where all of them are.
    image_options : ImageOptions
        What the user says.
    sure : bool
        All images were seen: numbers on no known scale are an error then.

    Raises
    ------
    CnncliError
        Where it cannot be told what is white.
    """
    if image_options.input_spec is not None:
        return image_options.input_spec
    channels = image_options.channels or (1 if image_facts.sizes and not image_facts.colour else 3)
    small = len(image_facts.sizes) == 1 and max(next(iter(image_facts.sizes))) <= _SMALL
    size = next(iter(image_facts.sizes))[::-1] if small else (_USUAL, _USUAL)
    scales = scales_of(image_facts, sure=sure)
    return InputSpec((*(image_options.size or size), channels), image_options.fit, scales=scales)


def scales_of(image_facts: ImageFacts, *, sure: bool = True) -> dict[str, Scale]:
    """Choose black and white for each kind of numbers that occurs.

    Raises
    ------
    CnncliError
        If ``sure``: where it cannot be told, or some images are on another scale than others.
    """
    scales = {}
    for kind, seen in image_facts.value_ranges.items():
        if not seen:
            continue
        try:
            scales[kind] = choose_scale(combined_range(seen), kind)
        except CnncliError:
            if sure:
                raise
    if sure and "float32" in scales:
        _refuse_two_scales(image_facts, scales["float32"])
    return scales


def _refuse_two_scales(image_facts: ImageFacts, scale: Scale) -> None:
    """Refuse fractions up to 1 among numbers so large that they would be black.

    Whole numbers up to 1 may well be a dark picture among others up to 255.
    """
    small = sorted(name for name, whole in image_facts.dim["float32"].items() if not whole)
    if not small or levels_of_one(scale) >= _FEWEST:
        return
    images = f"{len(small):,} images of float pixels do" if len(small) > 1 else "1 image of float pixels does"
    high = combined_range(image_facts.value_ranges["float32"]).high
    raise CnncliError(
        f"{images} not go beyond 1 ({_some(small)}), others reach {high:g}; expected one scale for all",
        "Bring white to the same number in all of them before they are saved.",
    )


def _some(names: Sequence[str]) -> str:
    shorter = ", ".join(names[:_NAMED])
    return shorter if len(names) <= _NAMED else f"{shorter} and {len(names) - _NAMED:,} more"


def notes_and_warnings(
    image_facts: ImageFacts, input_spec: InputSpec, image_options: ImageOptions
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and warnings on what was chosen."""
    if image_options.input_spec is not None:
        return (), ()
    words = (
        {word for changes in image_facts.adapted.values() for word in changes}
        if image_options.channels
        else set()
    )
    notes = (*_on_size(image_facts.sizes, input_spec), *on_scales(input_spec.scales), *on_colour(words))
    return notes, on_numbers(image_facts)


def on_colour(words: Set[str]) -> tuple[str, ...]:
    """What was done to colours, by the words of `ImageFacts.adapted`."""
    done = [text for word, text in _RECAST.items() if word in words]
    return (f"{' and '.join(done)}, as the network takes them",) if done else ()


def _on_size(sizes: Iterable[tuple[int, int]], input_spec: InputSpec) -> tuple[str, ...]:
    ordered = sorted(sizes, key=lambda each: (each[0] * each[1], each))
    height, width, _ = input_spec.shape
    if not ordered or ordered == [(width, height)]:
        return ()
    smallest, largest = (f"{wide}x{high}" for wide, high in (ordered[0], ordered[-1]))
    are = smallest if smallest == largest else f"{smallest} to {largest}"
    return (f"images of {are} pixels are {fitted(input_spec)}",)


def fitted(input_spec: InputSpec) -> str:
    """What becomes of images of other shapes."""
    height, width, _ = input_spec.shape
    size = f"{width}x{height}"
    if input_spec.fit == "stretch":
        return f"stretched to {size}"
    if input_spec.fit == "pad":
        return f"scaled to fit into {size}, the rest is black"
    return (
        f"scaled to {size}, cut to a square"
        if width == height
        else f"scaled to {size}, what sticks out is cut"
    )


def on_scales(scales: Mapping[str, Scale]) -> tuple[str, ...]:
    """What is black and white."""
    return tuple(
        f"{_KINDS[kind]} are used as 8-bit: black is {scale.low:.7g}, white {scale.high:.7g}"
        for kind, scale in scales.items()
    )


def on_numbers(image_facts: ImageFacts) -> tuple[str, ...]:
    """What is odd about numbers."""
    warnings, over = [], image_facts.clipped
    if over:
        images = "1 image" if len(over) == 1 else f"{len(over):,} images"
        numbers = "1 number" if sum(over) == 1 else f"{sum(over):,} numbers"
        warnings.append(f"clipped, because beyond black or white: {numbers} of {images}")
    for kind, (most, least) in SCALE_GAPS.items():
        dim = sorted(image_facts.dim[kind])
        if not dim or (high := combined_range(image_facts.value_ranges[kind]).high) <= least:
            continue
        images = (
            f"{len(dim):,} images of {_KINDS[kind]} do" if len(dim) > 1 else f"1 image of {_KINDS[kind]} does"
        )
        reach = f"{images} not go beyond {most:g}, others reach {high:g}"
        warnings.append(f"{reach}: all are taken on one scale ({_some(dim)})")
    return tuple(warnings)


def _is_gray(shades: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    """One channel, or three that agree."""
    if shades.shape[2] == 1:
        return True
    if shades.dtype == np.float32:
        shades = with_depth(shades, 8)
    return bool(
        np.array_equal(shades[..., 0], shades[..., 1]) and np.array_equal(shades[..., 0], shades[..., 2])
    )
