"""What a network has seen: 64 bits of each image, kept in its checkpoint, so that no test is of those."""

import base64
import binascii
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.data.identity import digests_of, keys_of
from cnncli.data.model import Split

Digests = NDArray[np.uint64]

PARTS = ("train", "val", "test", "earlier", "keys")


def _none() -> Digests:
    return np.empty(0, np.uint64)


@dataclass(frozen=True, eq=False)
class TrainedImages:
    """Digests (`identity.digests_of`) of images as the network takes them.

    Attributes
    ----------
    train, val, test : ndarray of uint64
        Of the run's splits: learned, looked at to choose the best weights, and kept for the end.
    earlier : ndarray of uint64
        Learned by the weights that the run started from, and those before them.
    keys : ndarray of uint64
        Of all that were learned, by this network and before: `identity.keys_of`, which are the same at any
        size of the inputs, as digests are in any format. Those that are digests, too, as
        of arrays of bytes, are not kept twice.
    """

    train: Digests = field(default_factory=_none)
    val: Digests = field(default_factory=_none)
    test: Digests = field(default_factory=_none)
    earlier: Digests = field(default_factory=_none)
    keys: Digests = field(default_factory=_none)

    @classmethod
    def of_run(
        cls, train: Split, val: Digests, test: Digests, *, before: "TrainedImages | None"
    ) -> "TrainedImages":
        """What a network has seen that starts from the weights of another (None: from none)."""
        before = before or cls()
        seen = cls(digests_of(train), val, test, before.learned)
        keys = np.union1d(before.keys, keys_of(train))
        return replace(seen, keys=np.setdiff1d(keys, seen.learned))

    @property
    def learned(self) -> Digests:
        """Digests of all that weights of this network, or those they come from, were trained on."""
        return np.union1d(self.train, self.earlier)

    def trained_on(self, digests: Digests, keys: Digests) -> NDArray[np.bool_]:
        """Tell which images were trained on, by this network or by weights that it comes from.

        Parameters
        ----------
        digests, keys : ndarray, shape (N,), uint64
            Of the images.
        """
        learned = self.learned
        return np.isin(digests, learned) | np.isin(keys, np.union1d(learned, self.keys))

    def as_text(self) -> str:
        """JSON of 11 characters an image."""
        import json

        packed = {
            part: base64.b64encode(np.unique(getattr(self, part)).astype("<u8").tobytes()).decode()
            for part in PARTS
        }
        return json.dumps(packed)

    @classmethod
    def from_text(cls, text: str) -> "TrainedImages":
        """The reverse of `as_text`, of text that may come from anywhere.

        Raises
        ------
        MalformedError
            Where it is another text.
        """
        fields = Fields(parse_json(text), "images")
        fields.only(set(PARTS))
        return cls(**{part: _unpacked(part, fields.text(part)) for part in PARTS})


def _unpacked(part: str, text: str) -> Digests:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b"?"
    if len(data) % 8:
        raise MalformedError(f"images.{part} is not base64 of 8 bytes per image")
    return np.unique(np.frombuffer(data, "<u8").astype(np.uint64))
