"""Elementwise arithmetic and functions that networks from elsewhere are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnncli.core import nn_jobs
from cnncli.core.nn_jobs import ARITHMETIC_KINDS
from cnncli.errors import CnncliError
from cnncli.nn.elementwise import apply, copy
from cnncli.nn.graph import Shape
from cnncli.nn.layer import Layer, Parameter, refuse_flattened, vector_parameter
from cnncli.nn.window import Window, whole

if TYPE_CHECKING:
    from cnncli.nn.emit import Emit
    from cnncli.nn.fusion import Stage
    from cnncli.nn.memory import Tensor

LARGEST = 3.4028234e38  # of float32: as a limit, none


def arithmetic(
    plan: Emit,
    kind: str,
    tensors: tuple[Tensor, Tensor, Tensor],
    out: Tensor,
    *,
    add: bool = False,
    alpha: float = 0.0,
    beta: float = 0.0,
) -> None:
    """Add a function of `ARITHMETIC_KINDS` to a step; one of fewer tensors gets one of them again."""
    rows, floats = out.shape.height, out.shape.width * out.shape.channels
    if all(each.dense for each in (*tensors, out)):
        rows, floats = 1, rows * floats
    numbers = {"kind": ARITHMETIC_KINDS[kind], "add": add, "alpha": alpha, "beta": beta}
    job = plan.job(nn_jobs.ARITHMETIC, rows=rows, floats=floats, **numbers)
    plan.each_chunk("arithmetic", job, {**dict(zip("abc", tensors, strict=True)), "out": out})


class OfTwo(Layer):
    """An operation on two tensors of one shape, value by value."""

    min_inputs = 2
    max_inputs = 2
    noun: ClassVar[str]

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Shape of both inputs."""
        if inputs[0][:3] != inputs[1][:3]:
            raise CnncliError(
                f"{self.noun} of {inputs[0]} and {inputs[1]}; expected two of the same shape",
                "Repeat the smaller one first.",
            )
        if inputs[0].origin != inputs[1].origin:
            refuse_flattened(inputs[0], self.noun)
            refuse_flattened(inputs[1], self.noun)
        return inputs[0]

    def backward(self, plan: Emit, node: Stage) -> None:
        """What each input gets, of those that need a gradient."""
        for at, source in enumerate(node.inputs):
            if plan.needs_gradient(source):
                dx, add = plan.gradient_target(source)
                self.share(plan, node, at, dx, add=add)

    def share(self, plan: Emit, node: Stage, at: int, dx: Tensor, *, add: bool) -> None:
        """The gradient of an input, by its number."""
        raise NotImplementedError


@dataclass(frozen=True)
class Multiply(OfTwo):
    """Product, value by value."""

    noun = "a product"

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass."""
        a, b = (plan.value(source) for source in node.inputs)
        apply(plan, "product", a, b, plan.value(node.name))

    def share(self, plan: Emit, node: Stage, at: int, dx: Tensor, *, add: bool) -> None:
        """The other input times the gradient."""
        apply(plan, "product", plan.value(node.inputs[1 - at]), plan.gradient(node.name), dx, add=add)


@dataclass(frozen=True)
class Subtract(OfTwo):
    """The first minus the second."""

    noun = "a difference"

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass."""
        a, b = (plan.value(source) for source in node.inputs)
        arithmetic(plan, "difference", (a, b, b), plan.value(node.name))

    def share(self, plan: Emit, node: Stage, at: int, dx: Tensor, *, add: bool) -> None:
        """The gradient, or its negative."""
        dy = plan.gradient(node.name)
        if at == 0:
            copy(plan, dy, dx, add=add)
        else:
            arithmetic(plan, "negative", (dy, dy, dy), dx, add=add)


@dataclass(frozen=True)
class Divide(OfTwo):
    """The first divided by the second."""

    noun = "a quotient"

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass."""
        a, b = (plan.value(source) for source in node.inputs)
        arithmetic(plan, "quotient", (a, b, b), plan.value(node.name))

    def share(self, plan: Emit, node: Stage, at: int, dx: Tensor, *, add: bool) -> None:
        """dy / b, and - dy a / b^2."""
        a, b = (plan.value(source) for source in node.inputs)
        dy = plan.gradient(node.name)
        if at == 0:
            arithmetic(plan, "quotient", (dy, b, b), dx, add=add)
        else:
            arithmetic(plan, "quotient backward", (a, b, dy), dx, add=add)


class Extreme(OfTwo):
    """The larger or the smaller of two; equal ones share the gradient."""

    kind: ClassVar[str]

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass."""
        a, b = (plan.value(source) for source in node.inputs)
        arithmetic(plan, self.kind, (a, b, b), plan.value(node.name))

    def share(self, plan: Emit, node: Stage, at: int, dx: Tensor, *, add: bool) -> None:
        """The gradient where this input was chosen."""
        own, other = plan.value(node.inputs[at]), plan.value(node.inputs[1 - at])
        tensors = (own, other, plan.gradient(node.name))
        arithmetic(plan, f"{self.kind} backward", tensors, dx, add=add)


@dataclass(frozen=True)
class Maximum(Extreme):
    """The larger of two, value by value."""

    noun = "a maximum"
    kind = "maximum"


@dataclass(frozen=True)
class Minimum(Extreme):
    """The smaller of two, value by value."""

    noun = "a minimum"
    kind = "minimum"


class Function(Layer):
    """A function of each value."""

    kind: ClassVar[str]
    from_output: ClassVar[bool] = False  # its gradient is computed from its output

    def numbers(self) -> tuple[float, float]:
        """Its settings, as `arithmetic` takes them."""
        return 0.0, 0.0

    def backward_numbers(self) -> tuple[float, float]:
        """Those of its gradient."""
        return self.numbers()

    def forward(self, plan: Emit, node: Stage) -> None:
        """One pass over the values."""
        x, (alpha, beta) = plan.value(node.inputs[0]), self.numbers()
        arithmetic(plan, self.kind, (x, x, x), plan.value(node.name), alpha=alpha, beta=beta)

    def backward(self, plan: Emit, node: Stage) -> None:
        """One pass over the gradient."""
        kept = plan.value(node.name if self.from_output else node.inputs[0])
        dy, (alpha, beta) = plan.gradient(node.name), self.backward_numbers()
        dx, add = plan.gradient_target(node.inputs[0])
        arithmetic(plan, f"{self.kind} backward", (kept, dy, dy), dx, add=add, alpha=alpha, beta=beta)


@dataclass(frozen=True)
class Exponential(Function):
    """e to the power of x."""

    kind = "exponential"

    def backward(self, plan: Emit, node: Stage) -> None:
        """The output times the gradient."""
        dx, add = plan.gradient_target(node.inputs[0])
        apply(plan, "product", plan.value(node.name), plan.gradient(node.name), dx, add=add)


@dataclass(frozen=True)
class Logarithm(Function):
    """Natural logarithm."""

    kind = "logarithm"

    def backward(self, plan: Emit, node: Stage) -> None:
        """The gradient divided by the input."""
        x = plan.value(node.inputs[0])
        dx, add = plan.gradient_target(node.inputs[0])
        arithmetic(plan, "quotient", (plan.gradient(node.name), x, x), dx, add=add)


@dataclass(frozen=True)
class SquareRoot(Function):
    """Square root."""

    kind = "root"
    from_output = True


@dataclass(frozen=True)
class Absolute(Function):
    """abs(x)."""

    kind = "absolute"


@dataclass(frozen=True)
class ErrorFunction(Function):
    """erf(x)."""

    kind = "error"


@dataclass(frozen=True)
class Clamp(Function):
    """x, but not below one limit and not above another.

    Attributes
    ----------
    low, high : float
        The limits.
    """

    low: float = -LARGEST
    high: float = LARGEST
    kind = "clamp"

    def numbers(self) -> tuple[float, float]:
        """The limits; the largest number stands for none."""
        return -np.inf if self.low <= -LARGEST else self.low, np.inf if self.high >= LARGEST else self.high


@dataclass(frozen=True)
class HardSigmoid(Function):
    """slope * x + shift, from 0 to 1.

    Attributes
    ----------
    slope, shift : float
        Of the line.
    """

    slope: float = 1 / 6
    shift: float = 0.5
    kind = "hard sigmoid"

    def numbers(self) -> tuple[float, float]:
        """Slope and shift."""
        return self.slope, self.shift


@dataclass(frozen=True)
class Elu(Function):
    """x above 0, slope * (exp(x) - 1) below.

    Attributes
    ----------
    slope : float
        At 0, from below.

    Source: Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by ELUs, 2015.
    """

    slope: float = 1.0
    kind = "elu"

    def numbers(self) -> tuple[float, float]:
        """Its slope."""
        return self.slope, 0.0


@dataclass(frozen=True)
class Softplus(Function):
    """log(1 + exp(x))."""

    kind = "softplus"


@dataclass(frozen=True)
class Power(Function):
    """x to a power; of numbers below 0 a whole one.

    Attributes
    ----------
    exponent : float
        The power.
    """

    exponent: float
    kind = "power"

    def numbers(self) -> tuple[float, float]:
        """The exponent, and whether it is odd or even."""
        return self.exponent, _parity(self.exponent)

    def backward_numbers(self) -> tuple[float, float]:
        """The exponent, and whether the one below it is odd or even."""
        return self.exponent, _parity(self.exponent - 1)


def _parity(exponent: float) -> float:
    """1 for an odd whole number, 2 for an even one, otherwise 0."""
    return 0.0 if exponent != int(exponent) else 1.0 if int(exponent) % 2 else 2.0


@dataclass(frozen=True)
class Constant(Layer):
    """The same values for every image; what it reads says only where in the graph it stands.

    Attributes
    ----------
    height, width, channels : int
        Of the values.
    """

    height: int
    width: int
    channels: int

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """As set."""
        return Shape(self.height, self.width, self.channels)

    def window(self, x: Shape) -> Window:
        """The whole input: it is for images of one size."""
        return whole(x.height, x.width)

    def state(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """value (H * W * C,), row by row and pixel by pixel; training leaves it as it is."""
        return (vector_parameter("value", self.height * self.width * self.channels),)

    def forward(self, plan: Emit, node: Stage) -> None:
        """A copy for each image."""
        out, source = plan.value(node.name), plan.weight(node, "value")
        floats = out.shape.width * out.shape.channels
        job = plan.job(
            nn_jobs.APPLY,
            kind=nn_jobs.KINDS["copy"],
            rows=out.shape.height,
            floats=floats,
            a=source,
            b=source,
        )
        job["a_row"] = job["b_row"] = 4 * floats
        plan.each_chunk("elementwise", job, {"out": out})

    def backward(self, plan: Emit, node: Stage) -> None:
        """Nothing flows through it."""


@dataclass(frozen=True)
class Affine(Layer):
    """Each channel times a fixed number, plus another."""

    def state(self, inputs: Sequence[Shape]) -> tuple[Parameter, ...]:
        """scale and shift (C,); training leaves them as they are."""
        x = inputs[0]
        return (
            vector_parameter("scale", x.channels, origin=x.origin, initial="ones"),
            vector_parameter("shift", x.channels, origin=x.origin),
        )

    def forward(self, plan: Emit, node: Stage) -> None:
        """As a batch norm of fixed statistics."""
        self._emit(plan, node, plan.value(node.inputs[0]), plan.value(node.name), plan.weight(node, "shift"))

    def backward(self, plan: Emit, node: Stage) -> None:
        """The gradient times the scale."""
        dy, (dx, add) = plan.gradient(node.name), plan.gradient_target(node.inputs[0])
        own = _beside(dx) if add else dx
        self._emit(plan, node, dy, own, plan.constant(np.zeros(_padded(dy), np.float32)))
        if add:
            copy(plan, own, dx, add=True)

    def _emit(self, plan: Emit, node: Stage, x: Tensor, y: Tensor, shift: int) -> None:
        shape, padded = x.shape, _padded(x)
        job = plan.job(
            nn_jobs.NORM,
            height=shape.height,
            width=shape.width,
            channels=shape.channels,
            padded=padded,
            fixed=1,
            samples=plan.samples_address(shape),
            factors=plan.buffer(f"{node.name} factors", 4 * padded * plan.chunks.count, np.float32),
            running_mean=plan.constant(np.zeros(padded, np.float32)),
            running_var=plan.constant(np.ones(padded, np.float32)),
            weight=plan.weight(node, "scale"),
            bias=shift,
        )
        plan.each_chunk("norm_forward", job, {"x": x, "y": y})


def _padded(x: Tensor) -> int:
    """Channels, up to whole vectors."""
    from cnncli.nn.layer import LANES

    return -(-x.shape.channels // LANES) * LANES


def _beside(dx: Tensor) -> Tensor:
    from cnncli.nn.memory import Tensor

    return Tensor(dx.shape)
