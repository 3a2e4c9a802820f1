"""One random network, ours and PyTorch's: outputs, loss, gradients, statistics, steps, inference.

Every step starts from our weights, and the optimisers get our gradient, so that each part is compared by
itself and no difference grows from step to step. A difference counts where it is beyond `TOLERANCE` of
the greatest value *and* beyond what rounding does to PyTorch itself: its own float32, and float64 with
each value shaken by a few units of float32's last place. That tells a kink of a ReLU or a vanishing
gradient behind a batch norm of two values from a mistake.
"""

import numpy as np
import torch
from torch.nn import functional

from cnncli import nn
from cnncli.models.grammar import parse
from cnncli.nn.gradient import Gradient

from .twin import Twin, optimiser

TOLERANCE = 1e-4  # of the greatest value of an array
ROUNDING = 8  # times what rounding does to PyTorch
SHAKES = 4
OURS = {
    "SGD": nn.SGD,
    "Nesterov": lambda **settings: nn.SGD(nesterov=True, **settings),
    "Dampened": nn.SGD,
    "Adam": nn.Adam,
    "AdamW": nn.AdamW,
    "RMSprop": nn.RMSprop,
}


class Pair:
    """A recipe's network in both worlds."""

    def __init__(self, recipe):
        self.recipe = recipe
        graph = parse(recipe.text, recipe.shape, recipe.classes, seed=recipe.seed)
        self.network = nn.Network(graph, seed=recipe.seed)
        random = self.random = np.random.default_rng(recipe.seed + 1)
        weights = tuple(random.uniform(0.2, 3, recipe.classes).tolist()) if recipe.weighted else None
        self.weights = None if weights is None else torch.tensor(np.array(weights, np.float32)).double()
        name, settings = recipe.optimiser
        self.step = nn.TrainingStep(
            self.network,
            recipe.samples[0],
            objective=[
                nn.Term("main", nn.SoftmaxCrossEntropy(smoothing=recipe.smoothing, class_weights=weights))
            ],
            optimiser=OURS[name](**settings),
            threads=recipe.threads,
            clip=recipe.clip,
        )
        self.twin = Twin(recipe)
        trained = {k: v for k, v in self.network.export().items() if "running" not in k}
        # In double precision, and as rounding may have it: in single, and with gradients off by a last place.
        kinds = (torch.float64, 0), (torch.float32, 0), (torch.float64, 2.0**-23)
        self.steppers = [Stepper(recipe, trained, kind, shake) for kind, shake in kinds]
        self.wrong = []

    def compare(self, what, got, wanted, explain=None):
        """Note a difference; ``explain()`` gives what rounding may do, where it is asked for."""
        got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
        if got.shape != wanted.shape:
            self.wrong.append(f"{what}: shape {got.shape}, PyTorch {wanted.shape}")
            return
        scale = np.abs(wanted).max(initial=0)
        error = np.abs(got - wanted).max(initial=0)
        if error <= TOLERANCE * scale:  # False for a NaN
            return
        if explain is not None and error <= ROUNDING * explain():
            return
        self.wrong.append(f"{what}: off by {error:.3g} of {scale:.3g}")

    def run(self):
        """What differs, in words."""
        for number, samples in enumerate(self.recipe.samples, 1):
            self._one_step(number, samples)
        self._infer()
        return self.wrong

    def _targets(self, samples):
        labels = self.random.integers(0, self.recipe.classes, samples)
        if not self.recipe.mixed:
            return labels
        rows = np.eye(self.recipe.classes, dtype=np.float32)[labels]
        share = self.random.uniform(0.5, 1, (samples, 1)).astype(np.float32)
        return share * rows + (1 - share) * np.roll(rows, 1, axis=0)

    def _passes(self, before, batch, *, kind=torch.float64, noise=None):
        """PyTorch's outputs, loss, gradients and statistics, by name."""
        images, targets = batch
        twin = self.twin
        twin.load(before, kind)
        twin.noise = noise
        outputs = twin.run(images)
        weights = None if self.weights is None else self.weights.to(kind)
        goal = torch.tensor(targets)
        goal = goal.to(kind) if goal.is_floating_point() else goal
        loss = functional.cross_entropy(outputs, goal, weights, label_smoothing=self.recipe.smoothing)
        loss.backward()
        found = {"outputs": outputs.detach().numpy(), "loss": loss.item()}
        found |= {f"gradient of {name}": value for name, value in twin.gradients().items()}
        return found | {name: a.detach().numpy() for name, a in twin.arrays.items() if "running" in name}

    def _one_step(self, number, samples):
        recipe, network = self.recipe, self.network
        images = self.random.standard_normal((samples, *recipe.shape), np.float32)
        targets = self._targets(samples)
        before = network.export()
        loss = self.step.run(images, targets, rate=recipe.rate)
        gradients = dict(network.unpack(network.gradient))
        self.twin.training, self.twin.step = True, number
        batch = images, targets
        wanted = self._passes(before, batch)
        after = network.export()
        ours = {"outputs": self.step.outputs[:samples], "loss": loss}
        ours |= {f"gradient of {name}": value for name, value in gradients.items()}
        ours |= {name: value for name, value in after.items() if "running" in name}
        trembling = self._trembling(before, batch, wanted)
        if ours.keys() != wanted.keys():
            self.wrong.append(f"step {number}: {sorted(ours.keys() ^ wanted.keys())} on one side alone")
        for name in ours.keys() & wanted.keys():
            self.compare(f"step {number}, {name}", ours[name], wanted[name], lambda n=name: trembling(n))
        self._optimise(number, before, gradients, after)

    def _trembling(self, before, batch, wanted):
        """How far rounding moves an array, found out when it is first asked for."""
        found = []

        def of(name):
            if not found:
                found.append(self._passes(before, batch, kind=torch.float32))
                for seed in range(SHAKES):
                    noise = torch.Generator().manual_seed(seed)
                    found.append(self._passes(before, batch, noise=noise))
            return max(np.abs(each[name] - wanted[name]).max() for each in found)

        return of

    def _optimise(self, number, before, gradients, after):
        """PyTorch's step from our weights, with our gradient."""
        (norm, wanted), *others = (each.step(before, gradients) for each in self.steppers)
        self.compare(f"step {number}, norm", self.step.gradient_norm, norm)
        for name, moved in wanted.items():
            rounding = 2.0**-24 * np.abs(before[name]).max(initial=0)
            apart = [np.abs(other[name] - moved).max(initial=0) for _, other in others]
            rounding = max(rounding, *apart)
            got = after[name].astype(np.float64) - before[name]
            self.compare(f"step {number}, step of {name}", got, moved, lambda r=rounding: r)

    def _infer(self):
        recipe = self.recipe
        images = self.random.standard_normal((recipe.samples[0], *recipe.shape), np.float32)
        self.twin.training = False
        arrays = self.network.export()
        wanted = self._outputs(arrays, images)
        self._differentiate(arrays, images)
        for batch in {1, recipe.samples[0]}:
            inference = nn.Inference(self.network, batch, threads=recipe.threads)
            got = inference.run(images)
            self.compare(
                f"inference, batch {batch}", got, wanted, lambda: self._shaken_outputs(arrays, images, wanted)
            )

    def _differentiate(self, arrays, images):
        """The gradient of all outputs with respect to the input, in inference mode."""
        rows = self.random.standard_normal((len(images), self.recipe.classes)).astype(np.float32)
        gradient = Gradient(self.network, len(images), threads=self.recipe.threads)
        got = gradient.run(images, lambda outputs: rows).gradients[nn.INPUT]
        wanted = self._input_gradient(arrays, images, rows)

        def explain():
            noises = [torch.Generator().manual_seed(seed) for seed in range(SHAKES)]
            runs = [self._input_gradient(arrays, images, rows, noise=noise) for noise in noises]
            runs.append(self._input_gradient(arrays, images, rows, kind=torch.float32))
            return max(np.abs(run - wanted).max() for run in runs)

        self.compare("inference, gradient of the input", got, wanted, explain)

    def _input_gradient(self, arrays, images, rows, *, kind=torch.float64, noise=None):
        self.twin.load(arrays, kind)
        self.twin.noise = noise
        x = torch.tensor(images, dtype=kind, requires_grad=True)
        self.twin.run(x).backward(torch.tensor(rows, dtype=kind))
        return x.grad.numpy()

    def _outputs(self, arrays, images, *, kind=torch.float64, noise=None):
        self.twin.load(arrays, kind)
        self.twin.noise = noise
        return self.twin.run(images).detach().numpy()

    def _shaken_outputs(self, arrays, images, wanted):
        runs = [self._outputs(arrays, images, kind=torch.float32)]
        for seed in range(SHAKES):
            runs.append(self._outputs(arrays, images, noise=torch.Generator().manual_seed(seed)))
        return max(np.abs(run - wanted).max() for run in runs)


class Stepper:
    """PyTorch's optimiser, which is given weights and gradients."""

    def __init__(self, recipe, arrays, kind, shake):
        self.kind, self.clip, self.shake = kind, recipe.clip, shake
        self.noise = torch.Generator().manual_seed(recipe.seed)
        self.copies = {name: torch.tensor(value, dtype=kind) for name, value in arrays.items()}
        self.optimiser = optimiser(recipe, self.copies)

    def step(self, weights, gradients):
        """Norm of the gradient, and how far each weight moves, in float64."""
        for name, copy in self.copies.items():
            copy.data = torch.tensor(weights[name], dtype=self.kind)
            copy.grad = torch.tensor(gradients[name], dtype=self.kind)
            copy.grad *= 1 + self.shake * torch.randn(copy.shape, generator=self.noise, dtype=self.kind)
        copies = list(self.copies.values())
        norm = float(torch.nn.utils.get_total_norm([copy.grad for copy in copies]))
        if self.clip:
            torch.nn.utils.clip_grad_norm_(copies, self.clip)
        self.optimiser.step()
        return norm, {k: copy.numpy().astype(np.float64) - weights[k] for k, copy in self.copies.items()}


def check(recipe):
    """What differs between ours and PyTorch's, in words; nothing where all is well."""
    return Pair(recipe).run()
