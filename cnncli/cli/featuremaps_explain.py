"""``--explain LAYER[:UNIT]``: one value of a network's convolution, worked out in numbers."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.featuremaps_input import EXAMPLE
from cnncli.cli.featuremaps_layers import matching
from cnncli.cli.featuremaps_request import shown_progress
from cnncli.cli.options.featuremaps import Settings
from cnncli.nn import Conv, Graph, Node
from cnncli.views.featuremaps.model import Drawing, Subject, View
from cnncli.views.featuremaps.unit import Place, unit_at
from cnncli.views.featuremaps.unit_sections import draw_unit

NAME = "explain"  # of the view, in records and file names
FILMS = (".gif", ".apng")


def asked_unit(settings: Settings) -> tuple[str, str]:
    """What ``--explain`` says, and the image.

    Raises
    ------
    UsageError
        Where something else is asked for too, or there is not one image.
    """
    if settings.explain is None:
        raise UsageError("--at is given without --explain; expected both", "Add --explain LAYER.")
    for name, given in (
        ("--view", settings.view),
        ("--layer", settings.layer),
        ("--all", settings.all),
        ("--text", settings.text),
    ):
        if given:
            raise UsageError(
                f"--explain and {name} are both given; expected one of them", f"Leave {name} out."
            )
    inputs = settings.inputs or []
    if len(inputs) != 1:
        raise UsageError(
            f"--explain is given with {len(inputs)} inputs; expected one image, or - for standard input",
            f"Run, for example: {EXAMPLE} --explain conv1",
        )
    return settings.explain, inputs[0]


def drawn_unit(
    subject: Subject, word: str, at: str | None, *, moving: bool = False, quiet: bool = False
) -> tuple[View, Drawing]:
    """Draw the unit that ``--explain`` and ``--at`` name; the row of its view, and what was drawn.

    With ``moving`` it has the frames of its film too.
    """
    node, number = _chosen(subject.graph, word)
    unit = unit_at(subject, node.name, number, _place(at, node))
    drawing = draw_unit(subject, unit)
    if moving:
        from cnncli.views.featuremaps.unit_film import unit_film

        frames, seconds = unit_film(subject, unit, partial(shown_progress, quiet=quiet))
        drawing = replace(drawing, frames=frames, seconds=seconds)
    return View("one value in numbers", "One unit of {}", lambda *_: drawing), drawing


def _chosen(graph: Graph, word: str) -> tuple[Node, int | None]:
    """The convolution that ``LAYER[:UNIT]`` names, and the number of its map."""
    name, colon, unit = word.rpartition(":") if ":" in word else (word, "", "")
    convolutions = {each: node for each, node in graph.nodes.items() if isinstance(node.layer, Conv)}
    meant = matching(graph, name)
    found = [each for each in convolutions if each in meant]
    if len(found) != 1:
        raise _not_one(word, name, found or meant, convolutions)
    name = found[0]
    node = convolutions[name]
    if not colon:
        return node, None
    most = node.shape.channels - 1
    if not unit.isascii() or not unit.isdigit() or int(unit) > most:
        raise UsageError(
            f"--explain is {word!r}; expected a unit from 0 to {most} after the colon",
            f"Write --explain {name} for the unit that responds most.",
        )
    return node, int(unit)


def _not_one(word: str, name: str, found: Collection[str], convolutions: Collection[str]) -> UsageError:
    """The error for what names another layer, several convolutions or nothing."""
    from cnncli.nearest import did_you_mean

    known = ", ".join(convolutions) or "it has none"
    what = ""
    if found and name not in found:
        what = f", which is {next(iter(found))}" if len(found) == 1 else f", which names {len(found)} layers"
    hint = did_you_mean(name, [*convolutions], form="--explain {}") if not found else ""
    example = next((each for each in found if each in convolutions), next(iter(convolutions), ""))
    return UsageError(
        f"--explain is {word!r}{what}; expected one of the network's convolutions: {known}",
        hint or (f"Name one, for example: --explain {example}" if example else "Leave --explain out."),
    )


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
