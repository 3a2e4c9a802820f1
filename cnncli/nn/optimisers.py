"""How a gradient becomes a step. Each does exactly what PyTorch's of the same name does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnncli.core.nn_jobs import OPTIMISERS


class Optimiser:
    """Settings of an optimiser. Weight decay does not apply to biases and norms."""

    kind: ClassVar[int]
    slots: ClassVar[tuple[str, ...]]  # names of what it keeps for each weight
    weight_decay: float

    def fields(self, step: int) -> dict[str, float]:
        """What the native loop reads at a step, counted from 1."""
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimiser):
    """Stochastic gradient descent.

    Attributes
    ----------
    momentum : float, 0 to 1
        Share of the last step that goes on.
    nesterov : bool
        Look ahead along the momentum.
    dampening : float, 0 to 1
        Share of the gradient that does not enter the momentum.
    weight_decay : float
        Pull of weights to 0, as a gradient.
    """

    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    dampening: float = 0.0
    kind = OPTIMISERS["sgd"]
    slots = ("momentum",)

    def fields(self, step: int) -> dict[str, float]:
        """The first step's gradient enters the momentum whole."""
        return {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "dampening": 0.0 if step == 1 else self.dampening,
        }


@dataclass(frozen=True)
class Adam(Optimiser):
    """Adam, with weight decay as a gradient.

    Attributes
    ----------
    beta1, beta2 : float
        How slowly the means of gradient and squared gradient follow.
    epsilon : float
        Added to the root.
    weight_decay : float
        Pull of weights to 0.

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    kind = OPTIMISERS["adam"]
    slots = ("mean", "square")

    def fields(self, step: int) -> dict[str, float]:
        """The means are corrected for their start at 0."""
        return {
            "momentum": self.beta1,
            "square_decay": self.beta2,
            "epsilon": self.epsilon,
            "correction": 1 / (1 - self.beta1**step),
            "square_correction": 1 / (1 - self.beta2**step) ** 0.5,
        }


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """

    weight_decay: float = 0.01
    kind = OPTIMISERS["adamw"]


@dataclass(frozen=True)
class RMSprop(Optimiser):
    """Gradient over the root of its mean square.

    Attributes
    ----------
    alpha : float
        How slowly the mean follows.
    momentum, epsilon, weight_decay : float
        As elsewhere.
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
