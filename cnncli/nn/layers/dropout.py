"""Dropout."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.core import nn_jobs
from cnncli.errors import CnncliError
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Layer

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage
    from cnncli.nn.memory import Tensor


@dataclass(frozen=True)
class Dropout(Layer):
    """Sets a fraction of the values to 0 in training and scales up the others; the identity at inference.

    The mask depends on the seed, the layer's name, the number of the step and the sample's position in
    the batch, so that a resumed run continues with the same masks.

    Attributes
    ----------
    rate : float, 0 up to 1
        Fraction of the values set to 0.
    seed : int
        Seed of the masks.
    """

    rate: float = 0.5
    seed: int = 0

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the input."""
        if not 0 <= self.rate < 1:
            raise CnncliError(
                f"the dropout rate is {self.rate}; expected 0 or more, and less than 1",
                "Give a share such as 0.5, which drops half of the values.",
            )
        return inputs[0]

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass, in training; at inference the layer is no stage."""
        self._emit(plan, node, plan.value(node.inputs[0]), plan.value(node.name), add=False)

    def backward(self, plan: Emit, node: Stage) -> None:
        """The same mask and the same factor."""
        dx, add = plan.gradient_target(node.inputs[0])
        self._emit(plan, node, plan.gradient(node.name), dx, add=add)

    def _emit(self, plan: Emit, node: Stage, x: Tensor, y: Tensor, *, add: bool) -> None:
        shape = node.shape
        job = plan.job(
            nn_jobs.DROPOUT,
            rows=shape.height,
            floats=shape.width * shape.channels,
            add=add,
            rate=self.rate,
            key=zlib.crc32(f"{self.seed} {node.name}".encode()),
            step=plan.step_address,
        )
        plan.each_chunk("dropout", job, {"x": x, "y": y})
