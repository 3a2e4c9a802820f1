"""How a picture becomes what a network for pictures takes in."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError
from cnncli.data.prepare import FITS, LONG_SIDES, InputSpec, Resize
from cnncli.images.resize import INTERPOLATIONS

if TYPE_CHECKING:
    from cnncli.data.augment import Augment
    from cnncli.data.loader import Loader
    from cnncli.data.model import Split

LARGEST_SIDE = 4000  # pixels: as of data sets
LARGEST_MEAN, SMALLEST_STD = 1e6, 1e-7  # in units of full scale: with these inputs stay far from overflow
_LARGEST_NUMBER = 1e30  # of a float picture


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a network's input.

    Attributes
    ----------
    size : (int, int)
        Rows and columns.
    channels : int
        1 gray, 3 red, green, blue.
    mean, std : tuple of float, one a channel
        Of the training images, in units of full scale: input = (value / 255 - mean) / std.
    digits : bool
        The network expects light digits on dark ground, centred as in MNIST: others are inverted, cropped
        and centred.
    fit : str
        How pictures of other shapes are brought to the size, of `FITS`.
    scales : dict of str to 4 floats
        By the name of a dtype deeper than 8 bits, the fields of its `Scale` in the training data.
    resize : int or None
        Pixels to which the short side is resized before the middle is cut out, as networks from elsewhere
        expect it; None: as ``fit`` says.
    interpolation, long_side : str
        Of that resizing, as in `Resize`.
    """

    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digits: bool = False
    fit: str = "crop"
    scales: dict[str, tuple[float, ...]] = field(default_factory=dict)
    resize: int | None = None
    interpolation: str = "bilinear"
    long_side: str = "truncated"

    def resize_for(self, size: tuple[int, int] | None = None) -> Resize | None:
        """The resizing of the short side, for inputs of another size in proportion."""
        if self.resize is None:
            return None
        side = self.resize if size is None else round(self.resize * max(size) / max(self.size))
        return Resize(side, self.interpolation, self.long_side)

    @property
    def input_spec(self) -> InputSpec:
        """What `prepared` takes, to make inputs of pictures."""
        resize = self.resize_for()
        if not self.scales:
            return InputSpec(self.picture_shape, self.fit, self.digits, resize=resize)
        from cnncli.images.levels import Scale

        scales = {kind: Scale(*numbers) for kind, numbers in self.scales.items()}
        return InputSpec(self.picture_shape, self.fit, self.digits, scales, resize)

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a picture."""
        return (*self.size, self.channels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of an input."""
        return (*self.size, self.channels)

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn images (N, H, W, C) of uint8 into inputs, float32."""
        mean, std = np.asarray(self.mean, np.float64), np.asarray(self.std, np.float64)
        scale = (1 / (255 * std)).astype(np.float32)
        shift = (-mean / std).astype(np.float32)
        return np.ascontiguousarray(images.astype(np.float32) * scale + shift)

    def loader(
        self,
        split: "Split",
        batch_size: int,
        *,
        augment: "Augment | None" = None,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        threads: int = 1,
    ) -> "Loader":
        """Batches of a split of pictures of this shape; parameters as of `Loader`."""
        from cnncli.data.loader import Loader

        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        return Loader(
            split,
            batch_size,
            mean=mean,
            std=std,
            augment=augment,
            seed=seed,
            shuffle=shuffle,
            drop_last=drop_last,
            threads=threads,
        )

    @classmethod
    def from_fields(cls, fields: Fields) -> "Preprocessing":
        """The reverse of ``dataclasses.asdict``, of JSON that may come from anywhere.

        Raises
        ------
        MalformedError
            Where a value is missing, of another type or out of range.
        """
        height, width = fields.wholes("size", 2, 1, LARGEST_SIDE)
        channels = fields.whole("channels", 1, 4)
        resizing = _resizing(fields, max(height, width)) if "resize" in fields else {}
        return cls(
            (height, width),
            channels,
            fields.numbers("mean", channels, -LARGEST_MEAN, LARGEST_MEAN),
            fields.numbers("std", channels, SMALLEST_STD, LARGEST_MEAN),
            digits=fields.flag("digits"),
            fit=_fit(fields),
            scales=_scales(fields.fields("scales")) if "scales" in fields else {},
            **resizing,
        )


def _fit(fields: Fields) -> str:
    fit = fields.text("fit") if "fit" in fields else "crop"  # checkpoints of the first release have none
    if fit not in FITS:
        raise MalformedError(f"preprocessing.fit is {fit!r}; expected {', '.join(FITS)}")
    return fit


def _resizing(fields: Fields, least: int) -> dict[str, Any]:
    """The fields of a resizing of the short side, to ``least`` pixels or more."""
    side = None if fields.raw()["resize"] is None else fields.whole("resize", least, LARGEST_SIDE)
    found = {"interpolation": INTERPOLATIONS, "long_side": LONG_SIDES}
    for name, known in found.items():
        if fields.text(name) not in known:
            raise MalformedError(
                f"preprocessing.{name} is {fields.text(name)!r}; expected {', '.join(known)}"
            )
    return {"resize": side, **{name: fields.text(name) for name in found}}


def _scales(fields: Fields) -> dict[str, tuple[float, ...]]:
    from cnncli.images.levels import DEEP

    found = {
        kind: fields.numbers(kind, 4, -_LARGEST_NUMBER, _LARGEST_NUMBER) for kind in DEEP if kind in fields
    }
    fields.only(found.keys())
    for kind, (low, high, *_) in found.items():
        if not low < high:
            raise MalformedError(f"preprocessing.scales.{kind} is {low:g} to {high:g}; expected low to high")
    return found
