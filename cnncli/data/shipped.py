"""Files shipped with the package, found in a checkout or an installation. Never written to."""

from pathlib import Path

from cnncli.errors import CnncliError

#: Trained networks by name, and their files below ``samples``.
MODELS = {"digits": "digits.safetensors", "imagenet": "imagenet/efficientnet_lite0.safetensors"}

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


def model_path(name: str) -> Path:
    """The checkpoint that a name stands for: one of `MODELS`, else a path (``./imagenet`` is one)."""
    return sample_path(MODELS[name]) if name in MODELS else Path(name)
