"""``featuremaps --explain``: one value of a network's convolution, worked out in numbers."""

from time import perf_counter

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.featuremaps_input import EXAMPLE, read_seen
from cnncli.cli.featuremaps_outputs import outputs_of
from cnncli.cli.featuremaps_page import made_page
from cnncli.cli.messages import report
from cnncli.cli.options.featuremaps import Settings
from cnncli.cli.trained import load_trained, no_output
from cnncli.core.threads import thread_count
from cnncli.errors import CnncliError
from cnncli.images.decoding_limits import set_max_pixels
from cnncli.nn import Conv, Graph, Node
from cnncli.tasks.task import are_finite
from cnncli.views.featuremaps.model import Subject, View
from cnncli.views.featuremaps.unit import Place, unit_at
from cnncli.views.featuremaps.unit_sections import draw_unit

_PREDICTIONS = 5


def explain_unit(settings: Settings) -> tuple[dict[str, object], str, float]:
    """Draw one unit; returns the record, where the page is, and when it was begun."""
    start = perf_counter()
    if settings.explain is None:
        raise UsageError("--at is given without --explain; expected both", "Add --explain LAYER.")
    for name, given in (("--view", settings.view), ("--layer", settings.layer), ("--text", settings.text)):
        if given:
            raise UsageError(
                f"--explain and {name} are both given; expected one of them", f"Leave {name} out."
            )
    set_max_pixels(values.within("--max-pixels", settings.max_pixels, 1))
    if settings.input is None:
        raise UsageError(
            "no input is given; expected an image, or - for standard input", f"Run, for example: {EXAMPLE}"
        )
    word = settings.explain
    outputs = outputs_of(
        settings.output,
        settings.raw,
        source=settings.input,
        views=["explain"],
        layers=[word.replace(":", "-")],
    )
    trained = load_trained(settings, quiet=settings.quiet)
    if trained.task.noun == "texts":
        raise UsageError(
            "--explain is given for a network of texts; expected one of images", "Leave --explain out."
        )
    node, number = _chosen(trained.network.graph, word)
    at = _place(settings.at, node)
    read = {"input": settings.input, "checkpoint": trained.checkpoint.path}
    outputs.check(read)
    seen, changes = read_seen(settings.input, trained)
    try:
        threads = thread_count(settings.threads)
    except CnncliError as error:
        raise UsageError(error.message, error.hint) from error
    subject = Subject(trained.checkpoint, trained.network, threads, seen)
    unit = unit_at(subject, node.name, number, at)
    logits = subject.outputs[None]
    if not are_finite(logits).all():
        raise no_output(settings.input)
    (decoded,) = trained.task.decode(logits, top=_PREDICTIONS)
    drawing = draw_unit(subject, unit)
    views = {"explain": View("one unit", "One unit of {}", lambda *_: drawing)}
    page = made_page(trained, seen, decoded, {"explain": drawing}, views=views, changes=changes)
    target = outputs.write(page, drawing.arrays, read)
    if changes and not settings.quiet:
        report(f"note: the picture was {', '.join(changes)}, as the network expects it")
    return {**decoded.record(), "explained": drawing.record}, target, start


def _chosen(graph: Graph, word: str) -> tuple[Node, int | None]:
    """The convolution that ``LAYER[:UNIT]`` names, and the number of its map."""
    name, colon, unit = word.rpartition(":") if ":" in word else (word, "", "")
    convolutions = {each: node for each, node in graph.nodes.items() if isinstance(node.layer, Conv)}
    node = convolutions.get(name)
    if node is None:
        from cnncli.nearest import did_you_mean

        raise UsageError(
            f"--explain is {word!r}; expected one of the network's convolutions: "
            f"{', '.join(convolutions) or 'it has none'}",
            did_you_mean(name, [*convolutions], form="--explain {}")
            or "Name one, for example: --explain conv1",
        )
    if not colon:
        return node, None
    most = node.shape.channels - 1
    if not unit.isascii() or not unit.isdigit() or int(unit) > most:
        raise UsageError(
            f"--explain is {word!r}; expected a unit from 0 to {most} after the colon",
            f"Write --explain {name} for the unit that responds most.",
        )
    return node, int(unit)


def _place(text: str | None, node: Node) -> Place | None:
    """Column and row of ``--at``, in the layer's map."""
    if text is None:
        return None
    parts = text.split(",")
    height, width = node.shape[:2]
    if len(parts) == 2 and all(part.strip().isdigit() for part in parts):
        x, y = (int(part) for part in parts)
        if x < width and y < height:
            return x, y
    raise UsageError(
        f"--at is {text!r}; expected a column and a row of the map of {node.name}, "
        f"from 0,0 to {width - 1},{height - 1}",
        "Leave --at out for the place that responds most.",
    )
