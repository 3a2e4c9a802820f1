"""The picture that goes through a network in its figure, forward and back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.network_entry import Entry
from cnncli.cli.options.draw import Settings
from cnncli.cli.trained import load_named, no_output
from cnncli.core.threads import thread_count
from cnncli.data.conversion import read_taken
from cnncli.data.prepare import read_file
from cnncli.data.shipped import sample_path
from cnncli.files.faults import shown
from cnncli.nearest import did_you_mean
from cnncli.nn import INPUT, Inference, Network
from cnncli.nn.gradient import Flow, Gradient, of_cross_entropy
from cnncli.nn.graph import MAIN
from cnncli.nn.weight_gradient import has_weights, weight_gradient
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.softmax import log_softmax
from cnncli.tasks.task import AUXILIARY_WEIGHT
from cnncli.text import printable
from cnncli.views.architecture.example import SEED, Example

_DIGIT = 64  # pixels: gray networks up to that size get a digit as their own example


def example_of(entry: Entry, settings: Settings, layers: Sequence[str]) -> Example | None:
    """What a network makes of ``--image``, or of its own example where gradients are asked for.

    Parameters
    ----------
    entry : Entry
        The network.
    settings : Settings
        The line.
    layers : sequence of str
        Layers whose outputs, and their gradients, are shown.

    Returns
    -------
    Example or None
        None: no picture is asked for, or the network reads texts.

    Raises
    ------
    CnncliError
        Where the picture cannot be read, or there is no such class.
    """
    if entry.reads_texts or (settings.image is None and not settings.backprop):
        return None
    if entry.graph.output_shape[:2] != (1, 1):
        option = "--backprop" if settings.backprop else "--image"
        raise UsageError(
            f"{option} is given, but {shown(entry.name)} has outputs for each pixel; expected a network that "
            "has some for the image",
            f"Leave {option} out.",
        )
    network, preprocessing, classes = _network(entry)
    source = settings.image or str(_own_example(preprocessing))
    data = read_file(Path(source))
    taken = read_taken(data, preprocessing.input_spec, name=source)
    x = preprocessing.normalise(taken.prepared.pixels[None])
    threads = thread_count(settings.threads)
    name, pixels = printable(Path(source).name), _shown(taken.prepared.pixels)
    if not settings.backprop:
        inference = Inference(network, 1, threads=threads, keep=_kept(network, layers))
        found = {each: array[0] for each, array in inference.activations(x).items()}
        shares = _shares(found[network.graph.output].reshape(1, -1), source)
        return Example(name, pixels, _answers(shares, classes), activations=found, taken=taken)
    flow, norms, number = _both_ways(network, x, layers, _true(entry, settings, classes), threads)
    shares = _shares(flow.outputs, source)
    return Example(
        name,
        pixels,
        _answers(shares, classes),
        printable(classes[number]),
        float(-shares[number]),
        {each: array[0] for each, array in flow.activations.items()},
        {each: float(np.linalg.norm(array)) for each, array in flow.gradients.items()},
        norms,
        settings.image is not None,
        taken,
    )


def _network(entry: Entry) -> tuple[Network, Preprocessing, Sequence[str]]:
    """The network with its weights, or with random ones; how it takes pictures; its classes."""
    if entry.checkpoint is not None:
        checkpoint = load_named(entry.name)
        return checkpoint.network(), checkpoint.preprocessing, checkpoint.task.outputs
    height, width, channels = entry.graph.input_shape[:3]
    preprocessing = Preprocessing((height, width), channels, (0.5,) * channels, (0.25,) * channels)
    return Network(entry.graph, seed=SEED), preprocessing, [str(each) for each in range(entry.classes)]


def _own_example(preprocessing: Preprocessing) -> Path:
    if preprocessing.channels == 1:
        return sample_path("digits/7.png" if max(preprocessing.size) <= _DIGIT else "camera.png")
    return sample_path("chelsea.png")


def _true(entry: Entry, settings: Settings, classes: Sequence[str]) -> int | None:
    """The number of the class that ``--target`` names; None: the one that is predicted.

    Without it a network that is not trained has the first: of some that predict at random the loss for what
    they predict is 0, and nothing would flow back.

    Raises
    ------
    UsageError
        There is no such class.
    """
    target = settings.target
    if target is None:
        return None if entry.checkpoint is not None else 0
    if target in classes:
        return list(classes).index(target)
    some = ", ".join(map(shown, classes[:8])) + (" …" if len(classes) > 8 else "")
    raise UsageError(
        f"--target is {target!r}; expected one of {len(classes):,} classes: {some}",
        did_you_mean(target, classes) or "Name one of them.",
    )


def _kept(network: Network, layers: Sequence[str]) -> list[str]:
    return [each for each in dict.fromkeys(layers) if each != network.graph.output]


def _both_ways(
    network: Network, x: NDArray[np.float32], layers: Sequence[str], true: int | None, threads: int
) -> tuple[Flow, dict[str, float], int]:
    """Forward, the loss, and back: what flows, norms of the gradients of weights, and the true class.

    The loss is that of training: the cross-entropy of the main output, and a share of that of each auxiliary
    head.
    """
    graph = network.graph
    flows = []
    for role, output in graph.outputs.items():
        flow, true = _back_from(network, x, layers, output=output, true=true, threads=threads)
        flows.append((1.0 if role == MAIN else AUXILIARY_WEIGHT, flow))
    gradients: dict[str, NDArray[np.float32]] = {}
    for weight, flow in flows:
        for name, array in flow.gradients.items():
            gradients[name] = gradients.get(name, np.float32(0)) + np.float32(weight) * array
    values = {INPUT: x} | {name: array for _, flow in flows for name, array in flow.activations.items()}
    norms = {}
    for name, node in graph.nodes.items():
        if name in gradients and has_weights(node):
            slopes = weight_gradient(node, values[node.inputs[0]][0], gradients[name][0])
            norms[name] = float(np.linalg.norm(slopes))
    assert true is not None
    del values[INPUT]
    return Flow(flows[0][1].outputs, values, gradients), norms, true


def _back_from(
    network: Network,
    x: NDArray[np.float32],
    layers: Sequence[str],
    *,
    output: str,
    true: int | None,
    threads: int,
) -> tuple[Flow, int]:
    """What flows forward to an output, and back from its cross-entropy for the true or predicted class."""
    reached = network.graph.pruned([output]).nodes
    weighted = {each: node for each, node in reached.items() if has_weights(node)}
    read = [node.inputs[0] for node in weighted.values() if node.inputs[0] != INPUT]
    inner = [each for each in layers if each in reached]
    keep, wrt = (list(dict.fromkeys([*inner, *more])) for more in (read, weighted))
    gradient = Gradient(network, 1, of=output, keep=keep, wrt=wrt, threads=threads)
    chosen: list[int] = []

    def start(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        chosen.append(int(outputs.argmax()) if true is None else true)
        return of_cross_entropy(chosen)(outputs)

    flow = gradient.run(x, start)
    return flow, chosen[0]


def _shares(outputs: NDArray[np.float32], source: str) -> NDArray[np.float64]:
    """Logarithms of the classes' probabilities, (K,)."""
    if not np.isfinite(outputs).all():
        raise no_output(source)
    shares: NDArray[np.float64] = log_softmax(outputs)[0]
    return shares


def _answers(shares: NDArray[np.float64], classes: Sequence[str]) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-shares, kind="stable")[:5]
    return tuple((printable(classes[each]), float(np.exp(shares[each]))) for each in order)


def _shown(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels
