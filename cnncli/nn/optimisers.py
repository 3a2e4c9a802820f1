"""Optimisers, each equivalent to PyTorch's of the same name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from cnncli.core.nn_jobs import OPTIMISERS
from cnncli.nn.layer import Parameter
from cnncli.nn.orthogonal import is_matrix


class Optimiser:
    """Settings of an optimiser. Weight decay does not apply to biases and norms."""

    kind: ClassVar[int]
    slots: ClassVar[tuple[str, ...]]  # names of the state that it keeps for each weight
    weight_decay: float

    def fields(self, step: int) -> dict[str, float]:
        """Values that the native loop reads at a step, counted from 1."""
        raise NotImplementedError

    def is_orthogonal(self, parameter: Parameter) -> bool:
        """Whether a parameter's update is made orthogonal: `Muon`'s is."""
        return False


@dataclass(frozen=True)
class SGD(Optimiser):
    """Stochastic gradient descent.

    Attributes
    ----------
    momentum : float, 0 to 1
        Factor of the previous step.
    nesterov : bool
        Use Nesterov momentum.
    dampening : float, 0 to 1
        Part of the gradient that is kept out of the momentum.
    weight_decay : float
        L2 penalty, added to the gradient.
    """

    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    dampening: float = 0.0
    kind = OPTIMISERS["sgd"]
    slots = ("momentum",)

    def fields(self, step: int) -> dict[str, float]:
        """The first step has no dampening, as in PyTorch."""
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "dampening": 0.0 if step == 1 else self.dampening,
        }


@dataclass(frozen=True)
class Adam(Optimiser):
    """Adam, with weight decay added to the gradient.

    Attributes
    ----------
    beta1, beta2 : float
        Decay rates of the running means of the gradient and of its square.
    epsilon : float
        Added to the square root.
    weight_decay : float
        L2 penalty, added to the gradient.

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    kind = OPTIMISERS["adam"]
    slots = ("mean", "square")

    def fields(self, step: int) -> dict[str, float]:
        """With bias correction of the running means."""
        return {
            "momentum": self.beta1,
            "square_decay": self.beta2,
            "epsilon": self.epsilon,
            "correction": 1 / (1 - self.beta1**step),
            "square_correction": 1 / (1 - self.beta2**step) ** 0.5,
        }


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """

    weight_decay: float = 0.01
    kind = OPTIMISERS["adamw"]


@dataclass(frozen=True)
class Muon(AdamW):
    """Momentum whose matrices are made orthogonal, for weights of convolutions; AdamW for all else.

    One rate serves both, as a step of a matrix is scaled to the size of AdamW's.

    Attributes
    ----------
    momentum : float, 0 to 1
        Decay rate of the running mean of a matrix's gradient, which Nesterov's momentum looks ahead from.
    weight_decay : float
        Decoupled, of matrices and of all else.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024: the iteration and
    its coefficients; Liu et al., Muon is scalable for LLM training, 2025: the scale.
    """

    momentum: float = 0.95
    coefficients: ClassVar[tuple[float, float, float]] = (3.4445, -4.775, 2.0315)
    iterations: ClassVar[int] = 5

    def is_orthogonal(self, parameter: Parameter) -> bool:
        """Whether it is a matrix: of a convolution's weights."""
        return is_matrix(parameter)

    def scale(self, rows: int) -> float:
        """Of an orthogonal matrix of so many rows and fewer columns: its root mean square becomes 0.2."""
        return 0.2 * math.sqrt(rows)


@dataclass(frozen=True)
class RMSprop(Optimiser):
    """The gradient divided by its root mean square.

    Attributes
    ----------
    alpha : float
        Decay rate of the running mean of squares.
    momentum, epsilon, weight_decay : float
        As for `SGD` and `Adam`.
    """

    alpha: float = 0.99
    momentum: float = 0.0
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    kind = OPTIMISERS["rmsprop"]
    slots = ("momentum", "square")

    def fields(self, step: int) -> dict[str, float]:
        """The same at every step."""
        return {"momentum": self.momentum, "square_decay": self.alpha, "epsilon": self.epsilon}
