"""Files shipped with the package, found in a checkout or an installation. Never written to."""

from pathlib import Path

from cnncli.errors import CnncliError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cnncli.images.picture import Picture

#: Trained networks by name, and their files below ``samples``.
MODELS = {
    "digits": "digits.safetensors",
    "imagenet": "imagenet/efficientnet_lite0.safetensors",
    "digit-scenes:detect": "models/digit-scenes-detect.safetensors",
    "digit-scenes:segment": "models/digit-scenes-segment.safetensors",
    "digit-scenes:localize": "models/digit-scenes-localize.safetensors",
    "digit-motions": "models/digit-motions.safetensors",
}

SMALL = 280  # pixels: a digit is drawn or scanned in at most so many a side
_TINGE = 1 / 16  # of the brightest value: channels of gray scans and JPEGs differ by less

_PACKAGE = Path(__file__).resolve().parents[1]


def sample_path(name: str) -> Path:
    """Find a file or folder of ``samples``.

    Parameters
    ----------
    name : str
        Path below ``samples``, such as ``mnist_5k.npz``.

    Raises
    ------
    CnncliError
        Where it is missing because the installation is incomplete.
    """
    places = (_PACKAGE.parent / "samples" / name, _PACKAGE / "samples" / name)
    for place in places:
        if place.exists():
            return place
    raise CnncliError(
        f"{name}, which ships with cnncli, is missing from this installation",
        "Install cnncli again.",
    )


def suiting(picture: "Picture") -> str:
    """The model that ships which suits a picture: ``digits`` if it is small and gray, else ``imagenet``.

    Small is up to `SMALL` pixels a side, as decoded.
    """
    small = max(picture.frames[0].shape[:2]) <= SMALL
    return "digits" if small and is_gray(picture) else "imagenet"


def is_gray(picture: "Picture") -> bool:
    """Whether the channels of a picture, opacity aside, are one or nearly equal in every pixel."""
    frame = picture.frames[0]
    shades = frame[..., :-1] if picture.alpha else frame
    if shades.shape[2] == 1:
        return True
    return bool((shades.max(axis=2) - shades.min(axis=2) <= _TINGE * shades.max()).all())


def model_path(name: str) -> Path:
    """The checkpoint that a name stands for: one of `MODELS`, else a path (``./imagenet`` is one)."""
    return sample_path(MODELS[name]) if name in MODELS else Path(name)


def is_onnx(path: str | Path) -> bool:
    """Whether a path is that of a model of ONNX, by its name."""
    return str(path).lower().endswith(".onnx")
