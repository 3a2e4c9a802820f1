"""Batch norm and local response norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import nn_jobs
from cnncli.core.native import processor
from cnncli.errors import CnncliError
from cnncli.nn.elementwise import copy
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Initial, Layer, Parameter, refuse_flattened, vector_parameter
from cnncli.nn.memory import Tensor

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage

LANES = processor()[3].lanes
_RELUS = {"": 0, "relu": 1, "relu6": 2}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Each channel minus its mean, divided by its standard deviation, with a learned scale and shift.

    Training uses the statistics of the whole batch, for any number of threads; inference the running
    statistics, folded into the convolution before it. A frozen batch norm (see `TrainingStep`) uses the
    running statistics in training too.

    Attributes
    ----------
    momentum : float
        Weight of a batch in the running statistics.
    epsilon : float
        Added to the variance.

    Source: Ioffe and Szegedy, Batch normalization, 2015.
    """

    momentum: float = 0.1
    epsilon: float = 1e-5

    def parameters(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """weight and bias (C,)."""
        return _vector("weight", inputs[0], initial="ones"), _vector("bias", inputs[0])

    def state(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """running_mean and running_var (C,)."""
        return _vector("running_mean", inputs[0]), _vector("running_var", inputs[0], initial="ones")

    def whole_gradient(self, parameter: Parameter, inputs: Sequence[Shape]) -> bool:
        """They follow from the statistics of the whole batch."""
        return True

    def forward(self, plan: Emit, node: Stage) -> None:
        """Statistics of each chunk, then, once all chunks are done, the normalisation."""
        x, y = plan.value(node.inputs[0]), plan.value(node.name)
        batch_statistics = plan.is_trained(node.name)
        if batch_statistics:
            plan.each_chunk("norm_moments", self._job(plan, node), {"x": x})
            plan.barrier()
        job = self._job(plan, node)
        job["fixed"], job["relu"] = not batch_statistics, _RELUS[node.relu]
        if batch_statistics:
            plan.updates_statistics(job, self.momentum)
        plan.each_chunk("norm_forward", job, {"x": x, "y": y})

    def backward(self, plan: Emit, node: Stage) -> None:
        """Sums of each chunk, then, once all chunks are done, the gradient."""
        if not plan.is_trained(node.name):
            self._backward_fixed(plan, node)
            return
        x, dy = plan.value(node.inputs[0]), plan.gradient(node.name)
        plan.each_chunk("norm_sums", self._job(plan, node), {"x": x, "dy": dy})
        plan.barrier()
        job = self._job(plan, node)
        # If nothing before it is trained, only the gradients of its own parameters are needed.
        if plan.needs_gradient(node.inputs[0]):
            dx, job["add"] = plan.gradient_target(node.inputs[0])
        else:
            dx = Tensor(node.input_shapes[0])
        plan.each_chunk("norm_backward", job, {"x": x, "dy": dy, "dx": dx})

    def _backward_fixed(self, plan: Emit, node: Stage) -> None:
        """With running statistics: the forward pass without its shift, as a scale is its own transpose."""
        dy, (dx, add) = plan.gradient(node.name), plan.gradient_target(node.inputs[0])
        job = self._job(plan, node)
        job["fixed"] = 1
        job["running_mean"] = job["bias"] = plan.constant(np.zeros(job["padded"][0], np.float32))
        own = Tensor(dx.shape) if add else dx
        plan.each_chunk("norm_forward", job, {"x": dy, "y": own})
        if add:
            copy(plan, own, dx, add=True)

    def _job(self, plan: Emit, node: Stage) -> NDArray[np.void]:
        x = node.input_shapes[0]
        padded = -(-x.channels // LANES) * LANES
        job = plan.job(
            nn_jobs.NORM,
            height=x.height,
            width=x.width,
            channels=x.channels,
            padded=padded,
            samples=plan.samples_address(x),
            factors=plan.buffer(f"{node.name} factors", 4 * padded * plan.chunks.count, np.float32),
            epsilon=self.epsilon,
            momentum=self.momentum,
            running_mean=plan.weight(node, "running_mean"),
            running_var=plan.weight(node, "running_var"),
            weight=plan.weight(node, "weight"),
            bias=plan.weight(node, "bias"),
        )
        if plan.is_trained(node.name):
            for name in ("moments", "sums"):
                job[name] = plan.buffer(f"{node.name} {name}", 2 * padded * plan.chunks.count, np.float64)
            job["dweight"] = plan.weight_gradient(node, "weight")
            job["dbias"] = plan.weight_gradient(node, "bias")
        return job


def _vector(name: str, shape: Shape, initial: Initial = "zeros") -> Parameter:
    """One value per channel."""
    return vector_parameter(name, shape.channels, origin=shape.origin, initial=initial)


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """Each value divided by a power of the mean square of its neighbouring channels.

    Attributes
    ----------
    size : int
        Number of channels in the window.
    alpha, beta, bias : float
        x / (bias + alpha / size * sum of squares) ** beta.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep CNNs, 2012.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of the input."""
        if self.size < 1 or self.bias <= 0 or self.alpha < 0:
            raise CnncliError(
                f"a local response norm has size {self.size}, bias {self.bias}, alpha {self.alpha}; "
                "expected at least 1, above 0, and not below 0",
                "Choose the usual settings: size 5, bias 1 or 2, alpha 0.0001.",
            )
        refuse_flattened(inputs[0], "a local response norm")
        return inputs[0]

    def forward(self, plan: Emit, node: Stage) -> None:
        """Pixel by pixel."""
        tensors = {"x": plan.value(node.inputs[0]), "y": plan.value(node.name)}
        self._emit(plan, node, tensors, backward=False, add=False)

    def backward(self, plan: Emit, node: Stage) -> None:
        """Pixel by pixel, with the divisors recomputed."""
        dx, add = plan.gradient_target(node.inputs[0])
        tensors = {"x": plan.value(node.inputs[0]), "dy": plan.gradient(node.name), "dx": dx}
        self._emit(plan, node, tensors, backward=True, add=add)

    def _emit(
        self, plan: Emit, node: Stage, tensors: dict[str, Tensor], *, backward: bool, add: bool
    ) -> None:
        x = node.input_shapes[0]
        room = -(-(x.channels + self.size + 2 * LANES) // LANES) * LANES
        job = plan.job(
            nn_jobs.RESPONSE,
            height=x.height,
            width=x.width,
            channels=x.channels,
            size=self.size,
            room=room,
            backward=backward,
            add=add,
            alpha=self.alpha,
            beta=self.beta,
            bias=self.bias,
        )
        plan.each_chunk("response_norm", job, {**tensors, "rows": Tensor(Shape(1, 1, 4 * room))})
