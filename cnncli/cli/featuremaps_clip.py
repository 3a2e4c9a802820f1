"""``cnncli featuremaps`` for clips: which frames fired, for the predicted class and in layers over time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.featuremaps_text import TextMaps as ClipMaps
from cnncli.cli.predict_video import frames_named
from cnncli.cli.trained import Trained, no_output
from cnncli.data.prepare import prepared_as
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.nn import Clip, Graph, Relu
from cnncli.nn.gradient import Flow, Gradient, of_class
from cnncli.nn.graph import MAIN
from cnncli.tasks.task import are_finite
from cnncli.tasks.video import ClipInput
from cnncli.text import listed
from cnncli.views.featuremaps.clips import clip_section, layer_section
from cnncli.views.sections import BarRow, Page

_NAMED = 5  # predicted classes
_MOST = 4096  # frames of a clip that are read
_READING = (
    "The colours under the frames say what each adds to the predicted class: the slope of its output times "
    "the features of the frame, summed; orange for it, blue against it. In a layer over time, each row is a "
    "map, and each column the window around a frame: the strongest maps come first."
)


def look_at_clip(
    source: str, trained: Trained, layers: Sequence[str], *, views: Sequence[str], threads: int
) -> ClipMaps:
    """Run a network on the window in the middle of a clip, and find which of its frames fired.

    Parameters
    ----------
    source : str
        A clip, or ``-`` for standard input.
    trained : Trained
        A network for clips.
    layers : sequence of str
        Layers over time to show; none for all ReLUs.
    views : sequence of str
        ``maps`` alone.
    threads : int
        To use.

    Raises
    ------
    UsageError
        Where there is no such layer, or another view is asked for.
    """
    if list(views) != ["maps"]:
        raise UsageError(
            f"--view is {', '.join(views)} with a network for clips; expected maps",
            "Leave --view out for clips.",
        )
    graph = trained.network.graph
    chosen = _chosen(graph, layers)
    pixels, times, cut = _window(source, trained)
    flow = _flow(trained, pixels, chosen, threads=threads)
    if not are_finite({MAIN: flow.outputs}).all():
        raise no_output(source)
    (decoded,) = trained.task.decode({MAIN: flow.outputs}, top=_NAMED)
    clip = _clip_node(graph)
    said = (flow.activations[clip] * flow.gradients[clip])[0, 0].sum(axis=-1)
    (predicted, _), *_ = decoded.bars()
    sections = [clip_section(pixels, times, said, predicted)]
    sections += [layer_section(graph.nodes[name], flow.activations[name][0, 0], times) for name in chosen]
    page = Page(
        f"Frames and maps of {trained.checkpoint.architecture.name}",
        f"{shown(source)}, {trained.network.size:,} parameters, {len(trained.task.outputs)} classes",
        (),
        tuple(BarRow(shown(name), f"{share:.2%}", share) for name, share in decoded.bars()),
        tuple(sections),
        _READING,
    )
    about = {
        "class": predicted,
        "frames": [
            {"frame": time, "evidence": round(float(value), 6)}
            for time, value in zip(times, said, strict=True)
        ],
        "layers": list(chosen),
    }
    arrays: dict[str, Any] = {"evidence": said, **{name: flow.activations[name][0, 0] for name in chosen}}
    notes = (f"only the first {_MOST:,} frames are looked at",) if cut else ()
    return ClipMaps(page, {**decoded.record(), "views": {"maps": about}}, arrays, notes)


def _clip_node(graph: Graph) -> str:
    return next(name for name, node in graph.nodes.items() if isinstance(node.layer, Clip))


def _chosen(graph: Graph, layers: Sequence[str]) -> list[str]:
    """The layers over time that are asked for, or all ReLUs among them."""
    frames = graph.frames
    over_time = [
        name for name, node in graph.nodes.items() if node.shape[:2] == (1, frames) and node.shape.frames == 1
    ]
    if unknown := [name for name in layers if name not in over_time]:
        raise UsageError(
            f"--layer is {shown(unknown[0])}; expected layers over time: {listed(over_time)}",
            "Leave it out to see all of them.",
        )
    return list(layers) or [name for name in over_time if isinstance(graph.nodes[name].layer, Relu)]


def _window(source: str, trained: Trained) -> tuple[NDArray[np.uint8], list[str], bool]:
    """Frames (T, H, W, C) of the window in the middle of a clip, when each is, and whether it was cut."""
    preprocessing = trained.checkpoint.preprocessing
    assert isinstance(preprocessing, ClipInput)
    pixels: list[NDArray[np.uint8]] = []
    times: list[str] = []
    cut = False
    for frame in frames_named(source):
        if len(pixels) == _MOST:
            cut = True
            break
        pixels.append(prepared_as(frame.picture, trained.input_spec, name=source).pixels)
        times.append(f"#{len(times)}" if frame.seconds is None else f"{frame.seconds:.2f} s")
    if not pixels:
        raise CnncliError(f"{shown(source)} has no frames; expected some", "Check the file.")
    window, counts = preprocessing.window, np.array([len(pixels)], np.intp)
    (places,) = window.places(window.spread(counts, 1)[:, 0], counts).tolist()
    return np.stack([pixels[at] for at in places]), [times[at] for at in places], cut


def _flow(trained: Trained, pixels: NDArray[np.uint8], layers: Sequence[str], *, threads: int) -> Flow:
    """What went forward, and the slope of the predicted class's output at the features of the frames."""
    network, preprocessing = trained.network, trained.checkpoint.preprocessing
    clip = _clip_node(network.graph)
    keep = tuple(dict.fromkeys((clip, *layers)))
    gradient = Gradient(network, 1, wrt=(clip,), keep=keep, threads=threads)
    return gradient.run(preprocessing.normalise(pixels.reshape(1, *preprocessing.shape)), of_class())
