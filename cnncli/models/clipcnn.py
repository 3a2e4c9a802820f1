"""A network for clips: features of each frame, then convolutions over time.

Source: the shape is that of Kim's network for sentences (Convolutional neural networks for sentence
classification, 2014, figure 1), with a frame where that has a word: a vector for each, convolutions along
them, and the maximum over time. Vectors of frames from a convolutional network, joined over time: Karpathy et
al., Large-scale video classification with convolutional neural networks, 2014, section 3.1.

A frame's maps are flattened, not averaged: where in the frame something is decides what moves where to.
"""

from cnncli.errors import CnncliError
from cnncli.models.grammar import parse
from cnncli.models.resnet import small_resnet
from cnncli.nn import BatchNorm, Clip, Conv, Dropout, Flatten, Frames, Graph, Linear, MaxPool, Relu

FEATURES = 64  # of a frame
BACKBONES = ("small", "lenet5", "resnet20")
_LAST_SIDE = 7  # maps are halved until their smaller side is at most this
_WINDOW = 3  # frames of a window
_LENET5 = "conv6-5 relu pool conv16-5p0 relu pool fc120 relu fc84 relu"


def clipcnn(
    input_shape: tuple[int, int, int], classes: int, *, frames: int, backbone: str = "small", seed: int = 0
) -> Graph:
    """The network for clips.

    Parameters
    ----------
    input_shape : (T * H, W, C)
        Of a clip: its frames, one below the other.
    classes : int
        Outputs.
    frames : int
        T.
    backbone : str
        What each frame goes through, of `BACKBONES`.
    seed : int
        Of dropout.
    """
    rows, width, channels = input_shape
    if rows % frames:
        raise CnncliError(
            f"a clip of {rows} rows is no {frames} frames; expected a multiple of {frames}",
            "Give the number of frames of a clip.",
        )
    graph = Graph(input_shape)
    graph.add(Frames(frames), name="frames")
    with graph.scope("frame"):
        _add_backbone(graph, backbone, (rows // frames, width, channels), seed)
        graph.add(Linear(FEATURES), Relu(), names=("features", "relu"))
    graph.add(Clip(), name="clip")
    with graph.scope("time"):
        for number in (1, 2):
            conv = Conv(FEATURES, (1, _WINDOW), padding="same", bias=False)
            names = (f"conv{number}", f"bn{number}", f"relu{number}")
            graph.add(conv, BatchNorm(), Relu(), names=names)
        graph.add(MaxPool((1, frames)), name="pool")
    graph.add(Dropout(0.2, seed), Linear(classes), names=("dropout", "fc"))
    return graph


def _add_backbone(graph: Graph, backbone: str, frame: tuple[int, int, int], seed: int) -> None:
    """Add the layers of a network for images, without the one that tells classes apart."""
    if backbone == "resnet20":
        made = small_resnet(frame, 2, depth=20)
    else:
        layers = _LENET5 if backbone == "lenet5" else _small(frame)
        made = parse(f"{layers} fc", frame, 2, seed=seed)
    names = {"input": graph.output}
    head = made.head()
    for node in made.nodes.values():
        if node.name == head:
            break
        inputs = [names[each] for each in node.inputs]
        names[node.name] = graph.add(node.layer, inputs=inputs, name=node.name)
    if graph.output_shape[:2] != (1, 1):
        graph.add(Flatten(), name="flatten")


def _small(frame: tuple[int, int, int]) -> str:
    """Convolutions that double the channels, each halved after."""
    side, maps = min(frame[:2]), 16
    words: list[str] = []
    while side > _LAST_SIDE or not words:
        words.append(f"conv{maps} bn relu" + (" pool" if side > 1 else ""))
        side, maps = side // 2, min(2 * maps, 128)
    return " ".join(words)
