"""``python -m tests.benchmarks.texts``: TextCNN on the movie reviews that ship, beside the same in PyTorch.

Each cut holds out another fifth of the reviews, by their words, for the test. Both sides have the same texts
in each split and batch, the same vocabulary, network, recipe and number of steps; first values differ. Steps
are timed on the same batches, one after the other. Seconds are of the processor, so that a busy machine does
not count.

``--speed`` trains nothing: it times one text, a batch of `TEXTS` and a step of as many on the clock, with the
same weights, whose outputs must agree; ratios are medians of interleaved pairs. ``--memory SIDE`` says what a
process holds at most that makes three steps of one side, on noise.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.data.assemble import LoadOptions
from cnncli.data.holdout import TEST_DRAW, TEST_SHARE, choose_held_out
from cnncli.data.load import load_dataset
from cnncli.models.choice import build
from cnncli.models.textcnn import MAPS, MAX_NORM, WINDOWS
from cnncli.nn import AdamW, Inference, Network, SoftmaxCrossEntropy, Term, TrainingStep
from cnncli.training.evaluation import evaluate
from cnncli.training.loading import Execution
from cnncli.training.options import TrainOptions
from cnncli.training.schedules import parse_schedule, prolonged
from cnncli.training.session import Session, begin

from .timing import timed_block

TIMED = 30  # steps
TEXTS, PAIRS = 64, 7  # of a batch; repeats of what is timed on the clock
AGREE = 1e-4  # of the largest output


class _Silent:
    """Watches a run without a word."""

    def on_step(self, report: Any) -> None:
        """Nothing."""

    def on_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Nothing."""


def table_of(cut: int, folder: Path) -> str:
    """Write the reviews with a column of splits."""
    whole = load_dataset("movie-reviews", LoadOptions(whole=True)).train
    held = choose_held_out(whole.digests, whole.targets.groups, TEST_SHARE, seed=cut, draw=TEST_DRAW)  # type: ignore[attr-defined]
    path = folder / f"cut{cut}.tsv"
    rows = [
        f"{label}\t{' '.join(whole.words_at(at))}\t{'test' if test else 'train'}"  # type: ignore[attr-defined]
        for at, (label, test) in enumerate(zip(whole.targets.texts(), held, strict=True))
    ]
    path.write_text("\n".join(["label\ttext\tsplit", *rows]), encoding="utf-8")
    return str(path)


def our_run(session: Session) -> tuple[float, float]:
    """Accuracy on the test, and seconds of the processor."""
    start = time.process_time()
    session.trainer.run(_Silent(), lambda: False)
    seconds = time.process_time() - start
    network = session.best_network()
    return evaluate(network, session.dataset.test, session.preprocessing, session.task).result()[
        "accuracy"
    ], seconds


def twin_of(words: int, dim: int) -> Any:
    """The same network in PyTorch."""
    import torch
    from torch import nn
    from torch.nn.functional import dropout, relu

    class TextCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(words, dim, padding_idx=0)
            nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
            self.convolutions = nn.ModuleList(
                nn.Conv1d(dim, MAPS, width, padding=width - 1) for width in WINDOWS
            )
            for each in self.convolutions:
                nn.init.kaiming_normal_(each.weight, nonlinearity="relu")
                nn.init.zeros_(each.bias)
            self.fc = nn.Linear(MAPS * len(WINDOWS), 2)

        def forward(self, numbers: Any) -> Any:
            numbers = numbers[:, : int((numbers > 0).sum(1).max())]
            vectors, lengths = self.embedding(numbers).transpose(1, 2), (numbers > 0).sum(1)
            maxima = []
            for width, convolution in zip(WINDOWS, self.convolutions, strict=True):
                maps = relu(convolution(vectors))
                there = torch.arange(maps.shape[2]) < (lengths + width - 1)[:, None]
                maxima.append((maps * there[:, None]).max(2).values)
            return self.fc(dropout(torch.cat(maxima, 1), 0.5, self.training))

    return TextCNN()


def torch_step(twin: Any, options: TrainOptions) -> Callable[[Any, Any, float], None]:
    """A step of the same recipe."""
    import torch
    from torch.nn.functional import cross_entropy

    decayed = [each for name, each in twin.named_parameters() if each.ndim > 1 and "embedding" not in name]
    others = [each for name, each in twin.named_parameters() if each.ndim == 1 or "embedding" in name]
    groups = [
        {"params": decayed, "weight_decay": options.weight_decay},
        {"params": others, "weight_decay": 0},
    ]
    optimiser = torch.optim.AdamW(groups, options.lr, fused=True)

    def step(x: Any, labels: Any, rate: float) -> None:
        for group in optimiser.param_groups:
            group["lr"] = rate
        numbers = torch.from_numpy(x[:, 0, :, 0].astype(np.int64))
        loss = cross_entropy(twin(numbers), torch.from_numpy(labels), label_smoothing=options.smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            twin.fc.weight.copy_(twin.fc.weight.renorm(2, 0, MAX_NORM))

    return step


def torch_run(session: Session) -> tuple[float, float]:
    """Accuracy on the test with the weights of the best epoch, and seconds of the processor."""
    inputs, options = session.trainer.inputs, session.options
    twin = twin_of(len(session.preprocessing.words) + 2, 300)  # type: ignore[attr-defined]
    step, best, found = torch_step(twin, options), -1.0, 0.0
    schedule = prolonged(parse_schedule(options.sched), (options.epochs or 1,), len(inputs.train))
    start, number = time.process_time(), 0
    for epoch in range(options.epochs or 1):
        for batch in inputs.train.epoch(epoch):
            step(batch.x, session.task.encode(batch), (options.lr or 0) * schedule(number))
            number += 1
        right = _torch_accuracy(twin, session, "val")
        if right >= best:
            best, found = right, _torch_accuracy(twin, session, "test")
    return found, time.process_time() - start


def _torch_accuracy(twin: Any, session: Session, part: str) -> float:
    import torch

    twin.eval()
    hits = count = 0
    with torch.no_grad():
        for batch in session.preprocessing.loader(getattr(session.dataset, part), 256).epoch(0):
            outputs = twin(torch.from_numpy(batch.x[:, 0, :, 0].astype(np.int64))).numpy()
            hits += session.task.tally({"main": outputs}, batch)["hits"]
            count += len(batch)
    twin.train()
    return hits / count


def step_times(session: Session, threads: int) -> Iterator[tuple[str, float]]:
    """Milliseconds of the processor for a training step, of each side on the same batches."""
    batches = list(session.trainer.inputs.train.epoch(0))[: TIMED + 3]
    labels = [session.task.encode(each) for each in batches]
    step = session.trainer.step
    yield "cnncli", _timed(lambda at: step.run(batches[at].x, labels[at], rate=1e-3))
    twin = torch_step(twin_of(len(session.preprocessing.words) + 2, 300), session.options)  # type: ignore[attr-defined]
    yield "PyTorch", _timed(lambda at: twin(batches[at].x, labels[at], 1e-3))


def speeds(session: Session, threads: int) -> Iterator[tuple[str, float, float]]:
    """What is done, our milliseconds on the clock, and how many times as long PyTorch takes."""
    import torch

    network = session.trainer.step.network
    twin = twin_of(len(session.preprocessing.words) + 2, 300)  # type: ignore[attr-defined]
    ours = {_name_of(name): torch.from_numpy(np.array(array)) for name, array in network.export().items()}
    twin.load_state_dict(ours)
    step = torch_step(twin, session.options)
    batch = next(iter(session.preprocessing.loader(session.dataset.train, TEXTS).epoch(0)))
    for name, count in (("one text", 1), (f"batch of {TEXTS}", TEXTS)):
        texts = np.ascontiguousarray(batch.x[:count])
        inference, theirs = Inference(network, count, threads=threads), _torch_inference(twin, texts)
        wanted = theirs()
        apart = float(np.abs(inference.run(texts) - wanted).max())
        if not apart <= AGREE * float(np.abs(wanted).max()):
            raise ArithmeticError(f"{name}: outputs are {apart:.2g} apart")
        yield name, *_paired(lambda plan=inference, x=texts: plan.run(x), theirs)
    labels = session.task.encode(batch)
    yield (
        f"step of {TEXTS}",
        *_paired(
            lambda: session.trainer.step.run(batch.x, labels, rate=1e-3),
            lambda: step(batch.x, labels, 1e-3),
        ),
    )


def _name_of(name: str) -> str:
    """The twin's name of one of our parameters: convolutions are numbered there."""
    layer, _, parameter = name.partition(".")
    width = layer.removeprefix("conv")
    return name if width == layer else f"convolutions.{WINDOWS.index(int(width))}.{parameter}"


def _torch_inference(twin: Any, texts: NDArray[np.float32]) -> Callable[[], Any]:
    import torch

    numbers = torch.from_numpy(texts[:, 0, :, 0].astype(np.int64))

    def infer() -> Any:
        twin.eval()
        with torch.inference_mode():
            outputs = twin(numbers).numpy()
        twin.train()
        return outputs

    return infer


def _paired(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Our median in milliseconds, and the median of the ratios of the other's time to ours."""
    blocks = timed_block(ours), timed_block(theirs)
    costs = [[block().wall for block in blocks] for _ in range(PAIRS + 1)][1:]
    return 1e3 * median(own for own, _ in costs), median(other / own for own, other in costs)


def peak_memory(side: str, threads: int) -> int:
    """Bytes that this process holds at most once three steps are made, by ``cnncli`` or ``PyTorch``."""
    shape = (1, 64, 1)
    graph = build("textcnn", shape, 2)
    (table, *_) = graph.nodes["embedding"].layer.parameters(graph.nodes["embedding"].input_shapes)
    rng = np.random.default_rng(0)
    texts = rng.integers(1, table.shape[0], (TEXTS, *shape)).astype(np.float32)
    labels = rng.integers(0, 2, TEXTS)
    if side == "cnncli":
        terms = [Term("main", SoftmaxCrossEntropy())]
        made = TrainingStep(
            Network(graph, seed=1), TEXTS, objective=terms, optimiser=AdamW(), threads=threads
        )
        for _ in range(3):
            made.run(texts, labels, rate=1e-3)
    else:
        step = torch_step(
            twin_of(*table.shape), TrainOptions(dataset="", lr=1e-3, weight_decay=0.0, smoothing=0.0)
        )
        for _ in range(3):
            step(texts, labels, 1e-3)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _timed(step: Callable[[int], object]) -> float:
    for at in range(3):
        step(at)
    start = time.process_time()
    for at in range(3, TIMED + 3):
        step(at)
    return (time.process_time() - start) / TIMED * 1e3


def main() -> None:
    """Print a line for each cut and side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="leave PyTorch out")
    parser.add_argument("--memory", choices=("cnncli", "PyTorch"), help="of three steps of one side only")
    parser.add_argument("--speed", action="store_true", help="time one text, a batch and a step only")
    given = parser.parse_args()
    if given.memory:
        print(f"{peak_memory(given.memory, given.threads) / 1e6:.0f} MB")
        return
    if not given.alone:
        import torch

        torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        for cut in range(given.cuts):
            options = TrainOptions(dataset=table_of(cut, Path(folder)), seed=cut)
            session = begin(
                options, dry=True, output=f"{folder}/run", execution=Execution(threads=given.threads)
            )
            if given.speed:
                for what, own, ratio in speeds(session, given.threads):
                    print(f"{what:12} {own:.3g} ms, PyTorch {ratio:.2f} times as long", flush=True)
                return
            session.trainer._save = lambda state, ended: None
            accuracy, seconds = our_run(session)
            print(f"cut {cut}  cnncli   {accuracy:.2%}  {seconds:.1f} s", flush=True)
            if not given.alone:
                accuracy, seconds = torch_run(session)
                print(f"cut {cut}  PyTorch  {accuracy:.2%}  {seconds:.1f} s", flush=True)
        if not given.alone:
            for side, each in step_times(session, given.threads):
                print(f"step  {side:8} {each:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
