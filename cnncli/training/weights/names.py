"""Names of arrays from elsewhere, brought to those of our networks."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.models.googlenet import HEADS

Arrays = dict[str, NDArray[Any]]

_PARALLEL = "module."  # which DataParallel puts before all names
_COMPILED = "_orig_mod."  # which torch.compile puts where a module begins
_COUNTER = "num_batches_tracked"  # of batch norms with a cumulative mean, which ours are not
_AUXILIARY = tuple(f"{head}." for head in HEADS.values())
#: timm's VGG has its fully connected layers as convolutions over whole maps.
_VGG = {"pre_logits.fc1.": "classifier.0.", "pre_logits.fc2.": "classifier.3.", "head.fc.": "classifier.6."}
#: torchvision's DenseNet was published when names of modules had dots: ``norm.1`` of what is ``norm1`` now.
_DENSE = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")
_LEGACY = ("layer0.conv1.weight", "se_module.")  # in names of timm's legacy_seresnet


def plain(arrays: Arrays, path: Path) -> Arrays:
    """Arrays by the names of our networks, which are those of torchvision and timm, without counters.

    Raises
    ------
    CnncliError
        Where two have one name then.
    """
    found: Arrays = {}
    for name, array in arrays.items():
        if name.endswith(_COUNTER):
            continue
        short = _renamed(name.replace(_COMPILED, "").removeprefix(_PARALLEL))
        if short in found:
            raise CnncliError(
                f"{shown(path)} holds two arrays that are {shown(short)}, one of them as {shown(name)}; "
                "expected one",
                "Save the weights of one network again.",
            )
        found[short] = _flattened(name, array)
    return found


def _renamed(name: str) -> str:
    for theirs, our in _VGG.items():
        if name.startswith(theirs):
            return our + name.removeprefix(theirs)
    return _DENSE.sub(r"\1\2", name)


def _flattened(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Weights of a convolution over whole maps as those of a layer that reads the maps flattened."""
    return array.reshape(len(array), -1) if array.ndim == 4 and "pre_logits." in name else array


def without_auxiliary(arrays: Arrays, wanted: Collection[str]) -> Arrays:
    """Arrays without those of auxiliary heads, where the network has none."""
    if any(name.startswith(_AUXILIARY) for name in wanted):
        return arrays
    return {name: array for name, array in arrays.items() if not name.startswith(_AUXILIARY)}


def refuse_legacy(arrays: Arrays, path: Path, model: str) -> None:
    """Refuse timm's legacy SE networks, which stride and pool elsewhere and so need other weights.

    Raises
    ------
    CnncliError
        Where names are theirs.
    """
    name = next((name for name in arrays if any(each in name for each in _LEGACY)), None)
    if name is None:
        return
    variant = model if model.startswith("seresnet") else "seresnet50"
    raise CnncliError(
        f"{shown(path)} holds {name}, a name of timm's legacy_{variant}, which strides and pools elsewhere "
        f"than {variant}; expected weights of {variant}",
        f"Take the weights of timm.create_model('{variant}', pretrained=True) instead.",
    )
