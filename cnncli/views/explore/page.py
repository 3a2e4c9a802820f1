"""The page of a network: its diagram, maps, kernels and arithmetic, and a pad to draw on.

Networks of up to `network.EXACT` parameters compute in the page with their weights as they are, and those of
up to `network.ROUNDED` with weights rounded to 16 bits. Larger ones show the maps that were computed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.models.summary import summary
from cnncli.nn import INPUT, Conv, Graph, Inference, Network
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.softmax import probabilities
from cnncli.views.colors import mask_palette
from cnncli.views.explore.diagram import diagrams, ends
from cnncli.views.explore.frame import packed, page, picture
from cnncli.views.explore.network import EXACT, network_data, precision, rounded

_SCRIPTS = (
    "layers.js",
    "gradients.js",
    "network.js",
    "answers.js",
    "prepare.js",
    "diagram.js",
    "maps.js",
    "arithmetic.js",
    "unit.js",
    "pad.js",
    "state.js",
    "input.js",
    "layer.js",
    "page.js",
)
_GROUND = [138, 147, 156]  # of the background in the list of classes of pixels
_FINE = 64  # pixels of an input up to which the pad has four times as many
_STORED = 64_000_000  # bytes of stored maps of all inputs

_MAIN_ALONE = (
    "The page has the layers that lead to {}, the scores of the finest scale. Sizes of boxes and other "
    "scales are not in it: cnncli predict gives the boxes."
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Shown:
    """An input of the page.

    Attributes
    ----------
    name : str
        Of the picture.
    picture : ndarray, shape (h, w, 3), uint8
        As it came, no larger than it is shown.
    pixels : ndarray, shape (H, W, C), uint8
        As the network takes it.
    changes : tuple of str
        What was done to it.
    """

    name: str
    picture: NDArray[np.uint8]
    pixels: NDArray[np.uint8]
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """The network that a page is about.

    Attributes
    ----------
    title, subtitle : str
        The page's heading.
    classes : tuple of str
        Names of its outputs.
    preprocessing : Preprocessing
        How its inputs are made.
    answer : str
        What its outputs say: ``classes`` of an image, ``pixels`` (the class of each), or ``places`` (scores).
    """

    title: str
    subtitle: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    answer: str = "classes"


def network_page(
    network: Network,
    subject: Subject,
    inputs: Sequence[Shown],
    *,
    start: str | None = None,
    whole: bool = False,
    threads: int = 1,
) -> str:
    """Write the page of a network for pictures.

    Parameters
    ----------
    network : Network
        With its weights.
    subject : Subject
        What is said of it.
    inputs : sequence of Shown
        None: the page begins with its pad.
    start : str or None
        The layer that is shown first; None: the first convolution, with what follows it.
    whole : bool
        All layers of all blocks have their places in the diagram.
    threads : int
        For what is computed here.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    CnncliError
        Where the network is too large to compute in the page and there is no input to show, or so many
        that the page would be too large.
    """
    graph = network.graph.pruned([network.graph.output])
    drawn = diagrams(graph, summary(graph), whole=whole)
    kind = precision(graph, network.size)
    shown, notes = [_input(each) for each in inputs], []
    if kind is None:
        _add_maps(
            shown,
            _inference(network, graph, ends(drawn), threads),
            inputs,
            subject.preprocessing,
        )
        notes.append(_too_large(network))
    elif kind == "float16":
        notes.append(_rounding(network, inputs, subject, threads))
    if subject.answer == "places":
        notes.append(_MAIN_ALONE.format(graph.output))
    return page(
        subject.title,
        data={
            "title": subject.title,
            "subtitle": subject.subtitle,
            "notes": notes,
            "network": network_data(network, graph, subject.preprocessing),
            "classes": list(subject.classes),
            "answer": subject.answer,
            "palette": [_GROUND, *mask_palette()[1 : len(subject.classes)].tolist()],
            "diagrams": drawn,
            "inputs": shown,
            "pad": _pad(subject.preprocessing),
            "start": _start(graph, drawn[""]) if start is None else start,
        },
        scripts=_SCRIPTS,
        styles=("page.css",),
    )


def _input(each: Shown) -> dict[str, Any]:
    return {
        "name": each.name,
        "picture": picture(each.picture),
        "pixels": packed(each.pixels.transpose(2, 0, 1)),
        "changes": ", ".join(each.changes),
        "maps": None,
    }


def _start(graph: Graph, diagram: Mapping[str, Any]) -> str:
    """What the card of the first convolution shows."""
    first = next((name for name, node in graph.nodes.items() if isinstance(node.layer, Conv)), INPUT)
    return next((card["out"] for card in diagram["cards"] if first in card["names"]), first)


def _pad(preprocessing: Preprocessing) -> dict[str, Any]:
    """The pad: four times the pixels of a small input, or just those that need no resizing."""
    spec = preprocessing.input_spec
    height, width, channels = preprocessing.shape
    crops = spec.resize is not None and height == width
    if spec.resize is not None and crops:
        height = width = spec.resize.side
    elif max(height, width) <= _FINE:
        height, width = 4 * height, 4 * width
    digits = spec.adapts_digits
    dark = not digits and float(np.mean(preprocessing.mean)) < 0.5 and channels == 1
    return {"width": width, "height": height, "digits": digits, "crops": crops, "dark": dark}


def _inference(network: Network, graph: Graph, keep: Sequence[str], threads: int) -> Inference:
    return Inference(network, 1, threads=threads, keep=tuple(name for name in keep if name != graph.output))


def _add_maps(
    shown: list[dict[str, Any]], inference: Inference, inputs: Sequence[Shown], preprocessing: Preprocessing
) -> None:
    """Put the outputs of layers beside each input: maps as pictures of 8 bits, the outputs as they are."""
    if not inputs:
        raise CnncliError(
            f"the network has {inference.network.size:,} parameters, too many to compute in a page, and "
            "there is no picture whose maps it could show; expected one or more",
            "Give pictures: cnncli featuremaps PICTURE -m CHECKPOINT -o page.html.",
        )
    taken = 0
    for each, given in zip(shown, inputs, strict=True):
        x = preprocessing.normalise(given.pixels[None])
        found = inference.activations(x)
        each["maps"] = {
            name: _exact(array[0]) if name == inference.network.graph.output else _stored(array[0])
            for name, array in found.items()
        }
        taken += sum(len(str(part.get("image", part.get("exact")))) for part in each["maps"].values())
        if taken > _STORED:
            raise CnncliError(
                f"the maps of {len(inputs)} pictures take over {_STORED:,} bytes of a page; expected less",
                "Give fewer pictures at a time.",
            )


def _stored(values: Floats) -> dict[str, Any]:
    """Maps (H, W, C) side by side in one gray picture, with the values of black and white."""
    height, width, channels = values.shape
    if height * width == 1:
        return _exact(values)
    low, high = float(min(0.0, values.min())), float(values.max())
    span = (high - low) or 1.0
    levels = np.rint((values - low) * (255 / span)).astype(np.uint8)
    columns = int(np.ceil(np.sqrt(channels)))
    rows = -(-channels // columns)
    grid = np.zeros((rows * columns, height, width), np.uint8)
    grid[:channels] = levels.transpose(2, 0, 1)
    mosaic = grid.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    image = picture(mosaic.reshape(rows * height, columns * width, 1))
    return {"image": image, "low": low, "high": low + span, "columns": columns}


def _exact(values: Floats) -> dict[str, Any]:
    return {"exact": packed(np.ascontiguousarray(values.transpose(2, 0, 1)).reshape(-1))}


def _too_large(network: Network) -> str:
    return (
        f"The network has {network.size:,} parameters and takes {network.graph.multiply_adds:,} "
        "multiply-adds for a picture, too many for a page. It shows the maps that cnncli computed for these "
        "pictures, rounded to 8 bits; it cannot draw, run back, or show the arithmetic of layers after the "
        "first."
    )


def _rounding(network: Network, inputs: Sequence[Shown], subject: Subject, threads: int) -> str:
    """What rounding the weights to 16 bits changes, measured for the inputs."""
    said = f"The network has more than {EXACT:,} parameters: the page has its kernels rounded to 16 bits."
    if not inputs:
        return said
    other = Network(network.graph, scheme=None)
    other.load({name: each.astype(np.float32) for name, each in rounded(network.export(), "float16").items()})
    images = np.stack([each.pixels for each in inputs])
    x = subject.preprocessing.normalise(images)
    one, two = (
        _shares(Inference(each, 1, threads=threads).run(x), subject.answer) for each in (network, other)
    )
    most = float(np.abs(one - two).max())
    changes = f"at most {most:.1g}" if most > 0 else "nothing"
    return f"{said} That changes probabilities of these pictures by {changes}."


def _shares(outputs: Floats, answer: str) -> NDArray[np.float64]:
    """Probabilities of an image's classes, or of those of each place."""
    if answer == "places":
        return np.asarray(0.5 * (1 + np.tanh(outputs.astype(np.float64) / 2)))
    return probabilities(outputs.reshape(-1, outputs.shape[-1]))
