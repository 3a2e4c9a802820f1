"""Layers of networks that read clips: between `Frames` and `Clip`, every frame is computed on its own.

Legend: N clips of T frames of H x W pixels and C channels. A batch of clips is (N, T * H, W, C), a *strip*
for each: its frames lie one below the other, as in a film. Between the two layers the batch is one of N * T
images: shapes are of a frame, and `Shape.frames` says how many there are.

The alternatives were frames as groups of channels, with weights that would have to be tied over the groups,
and convolutions on the strip itself, which would mix the frames at their borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cnncli.errors import CnncliError
from cnncli.nn.elementwise import copy_rows
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Layer, refuse_flattened
from cnncli.nn.memory import Tensor

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage

MOST = 4096


@dataclass(frozen=True)
class Frames(Layer):
    """A strip taken apart into its frames, each of which is an image for the layers that follow.

    As ``x.unflatten(2, (T, -1)).transpose(1, 2).flatten(0, 1)`` of (N, C, T * H, W) in PyTorch.

    Attributes
    ----------
    count : int
        T, 1 to 4,096.
    """

    count: int

    sets_frames: ClassVar[bool] = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(H, W, C), T times."""
        x = inputs[0]
        refuse_flattened(x, "a division into frames")
        if not 1 <= self.count <= MOST or x.height % self.count or x.frames > 1:
            raise CnncliError(
                f"{x} divided into {self.count} frames; expected 1 to {MOST:,}, all of the same height",
                "Give the number of frames of a clip.",
            )
        return Shape(x.height // self.count, x.width, x.channels, frames=self.count)

    def forward(self, plan: Emit, node: Stage) -> None:
        """A copy of each frame, into its own border of zeros."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        for number in range(self.count):
            copy_rows(plan, _within(x, node.shape, number), _frame(y, number))

    def backward(self, plan: Emit, node: Stage) -> None:
        """The gradients of the frames, one below the other."""
        dy, (dx, add) = plan.gradient(node.name), plan.gradient_target(node.inputs[0])
        for number in range(self.count):
            copy_rows(plan, _frame(dy, number), _within(dx, node.shape, number), add=add)


@dataclass(frozen=True)
class Clip(Layer):
    """The features of T frames side by side, in order: convolutions with kernel (1, k) go over time.

    As ``x.flatten(1).unflatten(0, (-1, T)).transpose(1, 2)`` of (N * T, C, 1, 1) in PyTorch, which gives the
    (N, C, T) of its ``Conv1d``.
    """

    sets_frames: ClassVar[bool] = True

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """(1, T, C)."""
        x = inputs[0]
        if (x.height, x.width) != (1, 1):
            raise CnncliError(
                f"frames of {x.height}x{x.width} maps joined to a clip; expected one row of features each",
                "Put a global pooling or a flatten before it.",
            )
        return Shape(1, x.frames, x.channels)

    def forward(self, plan: Emit, node: Stage) -> None:
        """A copy of each frame's features."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        for number in range(node.shape.width):
            copy_rows(plan, _frame(x, number), _column(y, number))

    def backward(self, plan: Emit, node: Stage) -> None:
        """Each frame gets the gradient of its features."""
        dy, (dx, add) = plan.gradient(node.name), plan.gradient_target(node.inputs[0])
        for number in range(node.shape.width):
            copy_rows(plan, _column(dy, number), _frame(dx, number), add=add)


Part = tuple[Tensor, int]  # of every sample: its shape and where it begins, in bytes


def _frame(tensor: Tensor, number: int) -> Part:
    """One frame of each clip of a tensor of frames."""
    view = Tensor(tensor.shape._replace(frames=1), tensor.halo, view_of=tensor.view_of or tensor)
    return view, number * tensor.image


def _within(strip: Tensor, frame: Shape, number: int) -> Part:
    """The rows of one frame in each strip."""
    view = Tensor(frame._replace(frames=1), (0, strip.halo[1]), view_of=strip.view_of or strip)
    return view, number * frame.height * strip.row


def _column(clip: Tensor, number: int) -> Part:
    """One column of features in each clip."""
    view = Tensor(Shape(1, 1, clip.shape.channels), view_of=clip.view_of or clip)
    return view, number * clip.pixel
