"""``python -m tests.benchmarks.scenes TASK``: PyTorch trains `cnncli train digit-scenes --task TASK`.

The same first weights, scenes, targets, losses, optimiser and schedule: only the step is PyTorch's. What it
has learned is evaluated by us on the test scenes, so that figures mean the same. Seconds of the steps and of
all else (scenes and targets; there is no validation) are given apart, by the clock and of the processor.
``--ours`` trains with our steps instead, ``--steps N`` stops after N steps and tells the time of one.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnncli.checked import as_json
from cnncli.core.threads import thread_count
from cnncli.nn import BoxOverlap, Dice, Focal, Loss, SmoothL1, SoftmaxCrossEntropy, Term
from cnncli.training.evaluation import evaluate
from cnncli.training.loading import Execution
from cnncli.training.options import TrainOptions
from cnncli.training.schedules import parse_schedule
from cnncli.training.session import Session, begin

from . import peers, twins

LAYOUTS = ("channels_last", "contiguous_format")
LEAST = 1e-7  # of areas that are divided by


class Clock:
    """Seconds that pass while it runs, of the clock and of the processor."""

    def __init__(self) -> None:
        self.passed, self.busy = 0.0, 0.0

    def __enter__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.passed += time.perf_counter() - self._begun[0]
        self.busy += time.process_time() - self._begun[1]

    def __str__(self) -> str:
        return f"{self.passed:.1f} s, {self.busy:.1f} s of the processor"


def main() -> int:
    """Train, evaluate, and say how long it took."""
    given = _parser().parse_args()
    threads = thread_count(given.threads)
    torch = peers.torch(threads)
    if torch is None and not given.ours:
        print("PyTorch is not installed", file=sys.stderr)
        return 1
    options = TrainOptions(dataset="digit-scenes", task=given.task, model=given.model, epochs=given.epochs)
    session = begin(options, dry=True, execution=Execution(threads=threads))
    steps, rest = Clock(), Clock()
    step = _our_step(session) if given.ours else TorchStep(torch, session, given.layout)
    done = _train(session, step, (steps, rest), given.steps)
    print(f"{'cnncli' if given.ours else f'PyTorch {given.layout}'}: {done:,} steps {steps}; all else {rest}")
    if given.steps is None:
        if isinstance(step, TorchStep):
            step.give_back()
        dataset, network = session.dataset, session.trainer.inputs.network
        found = evaluate(network, dataset.test, session.preprocessing, session.task, threads=threads)
        result = found.result()
        print(as_json({name: each for name, each in result.items() if isinstance(each, int | float)}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scenes", description=main.__doc__)
    parser.add_argument("task", choices=("detect", "segment", "localize"))
    parser.add_argument("-m", "--model", default="auto", help="as cnncli train takes it")
    parser.add_argument("--epochs", type=int, help="of the schedule (default: as cnncli train chooses)")
    parser.add_argument("--steps", type=int, help="stop after so many, and evaluate nothing")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--layout", choices=LAYOUTS, default=LAYOUTS[0])
    parser.add_argument("--ours", action="store_true", help="train with our steps")
    return parser


Step = Callable[[np.ndarray[Any, Any], Any, float], object]


def _train(session: Session, step: Step, clocks: tuple[Clock, Clock], most: int | None) -> int:
    """Go through all epochs, or so many steps; returns how many there were."""
    inputs, task = session.trainer.inputs, session.trainer.inputs.task
    options, loader = inputs.options, inputs.train
    epochs = options.epochs or 1
    schedule = parse_schedule(options.sched).schedule(epochs, len(loader))
    every = itertools.chain.from_iterable(map(loader.epoch, range(epochs)))
    steps, rest = clocks
    for number in range(epochs * len(loader) if most is None else most):
        with rest:
            batch = next(every)
            targets = task.encode(batch)
        rate = (options.lr or 0.0) * schedule.factor(number)
        with steps:
            step(batch.x, targets, rate)
    return number + 1


def _our_step(session: Session) -> Step:
    step = session.trainer.step
    return lambda x, targets, rate: step.run(x, targets, rate=rate)


class TorchStep:
    """A step by PyTorch of the network and the objective of a run of ours."""

    def __init__(self, torch: Any, session: Session, layout: str) -> None:
        self._torch, self._layout = torch, getattr(torch, layout)
        inputs = session.trainer.inputs
        self._network, options = inputs.network, inputs.options
        self._module = twins.torch_twin(inputs.network).to(memory_format=self._layout).train()
        self._terms = inputs.task.objective(tuple(inputs.network.graph.outputs))
        parameters = list(self._module.parameters())
        matrices = [each for each in parameters if each.ndim == 4] if options.opt == "muon" else []
        others = [each for each in parameters if all(each is not one for one in matrices)]
        groups = [
            {"params": [each for each in others if each.ndim > 1], "weight_decay": options.weight_decay},
            {"params": [each for each in others if each.ndim == 1], "weight_decay": 0.0},
        ]
        self._optimisers = [torch.optim.AdamW(groups, lr=options.lr, fused=True)]
        self._matrices = [(each, torch.nn.Parameter(each.detach().flatten(1))) for each in matrices]
        if matrices:
            self._optimisers.append(
                torch.optim.Muon(
                    [flat for _, flat in self._matrices],
                    lr=options.lr,
                    weight_decay=options.weight_decay,
                    momentum=options.momentum,
                    adjust_lr_fn="match_rms_adamw",
                )
            )

    def _descend(self, rate: float) -> None:
        """PyTorch's Muon takes matrices alone, so weights of convolutions go there and back."""
        for matrix, flat in self._matrices:
            flat.data, flat.grad = matrix.detach().flatten(1).clone(), matrix.grad.flatten(1)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        for matrix, flat in self._matrices:
            matrix.data.copy_(flat.detach().view(matrix.shape))

    def __call__(self, x: Any, targets: Any, rate: float) -> float:
        """Make a step; returns the loss before it."""
        torch = self._torch
        given = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        outputs = self._module.by_role(given.contiguous(memory_format=self._layout))
        loss = total_loss(torch, self._terms, outputs, targets)
        self._module.zero_grad(set_to_none=True)
        loss.backward()
        self._descend(rate)
        return float(loss.detach())

    def give_back(self) -> None:
        """Load what was learned into our network."""
        arrays = {name: each.numpy() for name, each in self._module.state_dict().items()}
        self._network.load({name: arrays[name] for name in self._network.export()})


def total_loss(torch: Any, terms: list[Term], outputs: Mapping[str, Any], targets: Any) -> Any:
    """The weighted sum of the losses, whose means go over all that count in a group."""
    sums, counts = [], []
    for term in terms:
        target = targets[term.output] if isinstance(targets, Mapping) else targets
        out = outputs[term.output]
        out = out.movedim(1, -1) if out.ndim == 4 else out
        total, count = LOSSES[type(term.loss)](
            torch, term.loss, out, torch.from_numpy(np.ascontiguousarray(target))
        )
        sums.append(total)
        counts.append(float(count))
    loss = 0.0
    for at, (term, total) in enumerate(zip(terms, sums, strict=True)):
        alike = [b for b, other in enumerate(terms) if (other.group == term.group if term.group else b == at)]
        divisor = max(term.loss.least, sum(counts[b] for b in alike))
        loss = loss + term.weight * total / (divisor or 1.0)
    return loss


def _entropy(torch: Any, loss: SoftmaxCrossEntropy, out: Any, labels: Any) -> tuple[Any, Any]:
    weights = None if loss.class_weights is None else torch.tensor(loss.class_weights, dtype=out.dtype)
    out = out + torch.from_numpy(loss.shift(out.shape[-1]))
    out, labels = out.reshape(-1, out.shape[-1]), labels.reshape(-1).long()
    total = torch.nn.functional.cross_entropy(
        out, labels, weights, ignore_index=-1, label_smoothing=loss.smoothing, reduction="sum"
    )
    known = labels[labels >= 0]
    return total, len(known) if weights is None else weights[known].sum()


def _dice(torch: Any, loss: Dice, out: Any, labels: Any) -> tuple[Any, Any]:
    entropy, count = (0.0, 1.0) if loss.entropy is None else _entropy(torch, loss.entropy, out, labels)
    known = (labels >= 0)[..., None]
    true = torch.nn.functional.one_hot(labels.clamp(min=0).long(), out.shape[-1]) * known
    ours = out.softmax(-1) * known
    both, a, b = ((each).sum((1, 2)) for each in (ours * true, ours, true))
    there = b > 0
    each = (1 - (2 * both + 1) / (a + b + 1)) * there
    total = (each.sum(1) / there.sum(1).clamp(min=1)).sum()
    return total + len(out) * entropy / count, len(out)


def _focal(torch: Any, loss: Focal, out: Any, rows: Any) -> tuple[Any, Any]:
    true, weight = rows[..., :-1], rows[..., -1:]
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(out, true, reduction="none")
    away = (true - out.sigmoid()).abs() ** loss.gamma
    share = loss.alpha * true + (1 - loss.alpha) * (1 - true)
    return (share * away * entropy * weight).sum(), (true * weight).sum()


def _overlap(torch: Any, loss: BoxOverlap, out: Any, rows: Any) -> tuple[Any, Any]:
    del loss
    found = rows[..., 4] > 0
    own, true, weight = out[found], rows[found][:, :4], rows[found][:, 4]

    def area(sides: Any) -> Any:
        lengths = (sides[:, :2] + sides[:, 2:]).clamp(min=0)
        return lengths[:, 0] * lengths[:, 1]

    shared = area(torch.minimum(own, true))
    union = area(own) + area(true) - shared + LEAST
    around = area(torch.maximum(own, true)) + LEAST
    return ((2 - shared / union - union / around) * weight).sum(), weight.sum()


def _smooth(torch: Any, loss: SmoothL1, out: Any, rows: Any) -> tuple[Any, Any]:
    true, weight = (rows[..., :-1], rows[..., -1:]) if loss.weighted else (rows, torch.ones(1))
    each = torch.nn.functional.smooth_l1_loss(out, true, beta=loss.beta, reduction="none")
    return (each * weight).sum(), weight.sum() * out.shape[-1] if loss.weighted else out.numel()


LOSSES: dict[type[Loss], Callable[..., tuple[Any, Any]]] = {
    SoftmaxCrossEntropy: _entropy,
    Dice: _dice,
    Focal: _focal,
    BoxOverlap: _overlap,
    SmoothL1: _smooth,
}


if __name__ == "__main__":
    sys.exit(main())
