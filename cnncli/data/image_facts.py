"""Properties of images that are found while decoding, and the size, colour and scale chosen from them."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.data.prepare import InputSpec, Prepared, Resize, read_file
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
_SMALL = 96  # images of one size up to this many pixels a side keep their size
_DETAILED = 256  # pixels a side where places of things are learned, unless all are of one smaller size
_USUAL = 64  # other images are resized to this: enough detail to classify, and fast on a CPU
_FEWEST = 8  # of 256 levels that images with values up to 1 must use, or else they are on another scale
_NAMED = 3  # images that are named in a message
_RECAST = {"gray": "images are turned gray", "colour": "gray images are taken as colour"}
#: By dtype: two images, one with values up to the first and one beyond the second, probably differ in scale.
SCALE_GAPS = {"uint16": (MOST_OF_12_BITS, 16383), "float32": (1, 2)}
_KINDS = {"uint16": "16-bit pixels", "float32": "float pixels"}


@dataclass(frozen=True)
class ImageOptions:
    """The options for images of any kind.

    Attributes
    ----------
    size : (H, W) or None
        None keeps their own size where they are small and all equal, else 64x64.
    fit : str or None
        How images of other shapes are fitted to the size, one of `FITS`; None: as is usual with the data,
        which is ``crop``, but ``pad`` where objects at the edge would be lost.
    channels : int or None
        1 (gray) or 3 (RGB); None decides by the images.
    resize : Resize or None
        As in `InputSpec`.
    input_spec : InputSpec or None
        The input of an existing network, which leaves nothing to choose.
    """

    size: tuple[int, int] | None = None
    fit: str | None = None
    channels: int | None = None
    resize: Resize | None = None
    input_spec: InputSpec | None = None


@dataclass(eq=False)
class ImageFacts:
    """Properties of the images seen so far. Filled by several threads, whose order does not matter.

    Attributes
    ----------
    choosing : bool
        Collect sizes, colours and value ranges, because something will be chosen from them.
    colour : bool
        An image has colours other than gray.
    sizes : set of (width, height)
        Of the images when upright.
    value_ranges : dict of str to list of ValueRange
        Of images deeper than 8 bits, by dtype.
    dim : dict of str to dict of str to bool
        By dtype and name: images for which `is_dim` is true, and whether all their values are whole numbers.
    adapted : dict of str to tuple of str
        By name, the changes of an image: as in `Prepared`, and ``gray`` or ``colour`` where it was converted.
    clipped : list of int
        Count of values beyond black or white, for each image that has any.
    """

    choosing: bool = True
    colour: bool = False
    sizes: set[tuple[int, int]] = field(default_factory=set)
    value_ranges: dict[str, list[ValueRange]] = field(default_factory=lambda: {kind: [] for kind in DEEP})
    dim: dict[str, dict[str, bool]] = field(default_factory=lambda: {kind: {} for kind in DEEP})
    adapted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clipped: list[int] = field(default_factory=list)

    def record_input(self, name: str, picture: Picture, size: tuple[int, int]) -> None:
        """Record properties of an image before it is prepared.

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
        """Record how an image was changed in preparation."""
        if done.clipped:
            self.clipped.append(done.clipped)
        coloured = picture.channels - picture.alpha == 3
        now = done.pixels.shape[2]
        recast = ("gray",) if coloured and now == 1 else ("colour",) if not coloured and now == 3 else ()
        if changes := (*done.changes, *recast):
            self.adapted[name] = changes


def sample_facts(paths: Sequence[Path]) -> ImageFacts:
    """Properties of a sample of evenly spaced images: a first guess that all images have to confirm."""
    image_facts = ImageFacts()
    picked = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _LOOKED_AT)).astype(int))
    for at in picked:
        try:
            image_facts.record_input("", *read_reduced(read_file(paths[at]), _SMALL, name=str(paths[at])))
        except CnncliError:
            continue  # reported later, when all are decoded
    return image_facts


def choose_input_spec(
    image_facts: ImageFacts, image_options: ImageOptions, *, sure: bool = True
) -> InputSpec:
    """Choose the format that images are converted to.

    Parameters
    ----------
    image_facts : ImageFacts
        Properties of the images; gray is chosen where all are gray.
    image_options : ImageOptions
        The user's options.
    sure : bool
        All images were seen, so that values on an unknown scale are an error.

    Raises
    ------
    CnncliError
        Where the value of white cannot be determined.
    """
    if image_options.input_spec is not None:
        return image_options.input_spec
    channels = image_options.channels or (1 if image_facts.sizes and not image_facts.colour else 3)
    small = len(image_facts.sizes) == 1 and max(next(iter(image_facts.sizes))) <= _SMALL
    size = next(iter(image_facts.sizes))[::-1] if small else (_USUAL, _USUAL)
    scales = scales_of(image_facts, sure=sure)
    shape = (*(image_options.size or size), channels)
    return InputSpec(shape, image_options.fit or "crop", scales=scales, resize=image_options.resize)


def size_of_places(sizes: NDArray[np.int64], multiple: int = 1) -> tuple[int, int]:
    """Height and width to bring images to of which places are learned.

    Their own where all have it and it is small, filled up to a multiple; else a square.

    Parameters
    ----------
    sizes : ndarray, shape (N, 2)
        Heights and widths of the images.
    multiple : int
        Of the sides.
    """
    if len(sizes) and (sizes == sizes[0]).all() and sizes[0].max() <= _DETAILED:
        height, width = (-(-int(side) // multiple) * multiple for side in sizes[0])
        return height, width
    return _DETAILED, _DETAILED


def scales_of(image_facts: ImageFacts, *, sure: bool = True) -> dict[str, Scale]:
    """Choose the values of black and white for each dtype that occurs.

    Raises
    ------
    CnncliError
        If ``sure``: where they cannot be determined, or images differ in scale.
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
    """Refuse images of fractions up to 1 among images of such large values that they would be black.

    Whole numbers up to 1 may be a dark image among others up to 255.
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
    """Notes on what was chosen, and warnings about values."""
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
    """A note on converted colours, from the words in `ImageFacts.adapted`."""
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
    """How images of other shapes are fitted, in words."""
    height, width, _ = input_spec.shape
    size = f"{width}x{height}"
    if input_spec.resize is not None:
        return f"scaled to a short side of {input_spec.resize.side}, the middle {size} is taken"
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
    """Notes on the values of black and white."""
    return tuple(
        f"{_KINDS[kind]} are used as 8-bit: black is {scale.low:.7g}, white {scale.high:.7g}"
        for kind, scale in scales.items()
    )


def on_numbers(image_facts: ImageFacts) -> tuple[str, ...]:
    """Warnings about clipped values and differing scales."""
    warnings, over = [], image_facts.clipped
    if over:
        images = "1 image" if len(over) == 1 else f"{len(over):,} images"
        numbers = "1 value" if sum(over) == 1 else f"{sum(over):,} values"
        warnings.append(f"clipped because they are beyond black or white: {numbers} of {images}")
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
    """Whether there is one channel, or three equal ones."""
    if shades.shape[2] == 1:
        return True
    if shades.dtype == np.float32:
        shades = with_depth(shades, 8)
    return bool(
        np.array_equal(shades[..., 0], shades[..., 1]) and np.array_equal(shades[..., 0], shades[..., 2])
    )
