"""The page of a network that is explored in a browser, as commands write it."""

import os
from collections.abc import Sequence

from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.nn import Network
from cnncli.training.checkpoint import Checkpoint
from cnncli.views.explore.network import can_explore, unknown_to_pages
from cnncli.views.explore.page import Shown, Subject, network_page

_ANSWERS = {"pixels": "pixels", "boxes": "places"}
"""What a page shows as the answer, by `Task.outputs_of`."""


def explored_page(
    checkpoint: Checkpoint,
    network: Network,
    inputs: Sequence[Shown] = (),
    *,
    start: str | None = None,
    whole: bool = False,
    threads: int = 1,
) -> str:
    """The page of a trained network for pictures; parameters as of `network_page`.

    Raises
    ------
    CnncliError
        For a network for texts, and as of `network_page`.
    """
    task = checkpoint.task
    if task.noun != "images" or not can_explore(network.graph):
        unknown = ", ".join(unknown_to_pages(network.graph)) or f"outputs for {task.noun}"
        raise CnncliError(
            f"the network has what a page to explore does not compute: {unknown}; expected one for images",
            "Draw it as a figure: -o NAME.svg.",
        )
    where = f"from {shown(os.path.basename(checkpoint.path or ''))}"  # noqa: PTH119
    about = f"{network.size:,} parameters {where}, {len(task.outputs):,} {task.output_noun}"
    subject = Subject(
        f"Inside {checkpoint.architecture.name}",
        about,
        task.outputs,
        checkpoint.preprocessing,
        _ANSWERS.get(task.outputs_of, "classes"),
    )
    return network_page(network, subject, inputs, start=start, whole=whole, threads=threads)
