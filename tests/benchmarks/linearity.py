"""``python -m tests.benchmarks.linearity``: how the time of each kind of work grows with its size.

Images, pixels, classes and layers, each four times as many as the step before; the least time of several.
Growth is the time of the last step over that of the first, divided by as many times as there is more to do:
1 is linear; below 1, what each call costs was shared; above 1, caches were left or something is not linear.
"""

import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnncli.cli.run import run as command
from cnncli.filters.borders import Border
from cnncli.filters.options import Options
from cnncli.filters.run import run_filter
from cnncli.filters.spec import parse_spec
from cnncli.nn import Conv, Flatten, Graph, Inference, Linear, Network, Relu

from . import filters
from .networks import RATE, WORKS, training_step
from .pictures import photograph, save
from .scaling import least

THREADS = 2
FILTERS = ("3x3", "31x31", "gaussian:sigma=2", "median:size=5", "median:size=15", "erode:disk:5", "canny")
Timed = Callable[[int], float]


@dataclass(frozen=True)
class Work:
    """A kind of work.

    Attributes
    ----------
    name, unit : str
        What is done, and what there is more of.
    sizes : sequence of int
        How many.
    seconds : callable
        ``seconds(size)``.
    """

    name: str
    unit: str
    sizes: Sequence[int]
    seconds: Timed


def main() -> int:
    """Print the table."""
    print("| work | sizes | microseconds for one of them | growth |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for work in works(Path(folder)):
            times = [work.seconds(size) for size in work.sizes]
            each = ", ".join(f"{1e6 * time / size:.3g}" for time, size in zip(times, work.sizes, strict=True))
            sizes = ", ".join(f"{size:,}" for size in work.sizes)
            print(
                f"| {work.name} | {sizes} {work.unit} | {each} | {growth(work.sizes, times):.2f} |",
                flush=True,
            )
    return 0


def growth(sizes: Sequence[int], times: Sequence[float]) -> float:
    """How many times as long one of many takes as one of few."""
    return times[-1] / times[0] * sizes[0] / sizes[-1]


def works(folder: Path) -> list[Work]:
    """All kinds of work; files go to a folder."""
    images, sides = (32, 128, 512, 2048), tuple(each**2 for each in (512, 1024, 2048, 4096, 8192))
    layers, classes = (16, 64, 256, 1024), (10, 100, 1000, 10_000)
    return [
        Work("predict with ResNet-20, 32 at a time", "images", images, _outputs),
        Work("step of LeNet-5", "images", images, _step),
        Work("convolve, a file of 64x64 each", "images", (16, 64, 256, 1024), lambda n: _files(n, folder)),
        *(
            Work(
                name.replace(":size=", " ").replace(":", " "),
                "pixels",
                sides,
                lambda n, name=name: _filter(name, n),
            )
            for name in FILTERS
        ),
        Work("step of a classifier", "classes", classes, _classes),
        Work("plan of inference", "layers", layers, lambda n: least(lambda: Inference(chain(n), 1), 2)),
        Work("plan of training", "layers", layers, lambda n: least(lambda: training_step(chain(n), 8, 1), 2)),
        Work("inference", "layers", layers, _layers),
    ]


def _outputs(count: int) -> float:
    work = WORKS["ResNet-20"]
    inference, (images, _) = Inference(work.network(), 32, threads=THREADS), work.images(count)
    return least(lambda: inference.run(images))


def _step(count: int) -> float:
    work = WORKS["LeNet-5"]
    step, (images, labels) = training_step(work.network(), count, THREADS), work.images(count)
    return least(lambda: step.run(images, labels, rate=RATE))


def _files(count: int, folder: Path) -> float:
    sources = folder / "sources"
    sources.mkdir(exist_ok=True)
    for number in range(len(list(sources.iterdir())), count):
        save(photograph(64, 64, 1, seed=number), sources / f"{number:05}.png")
    names = [str(source) for source in sorted(sources.iterdir())[:count]]
    out = str(folder / "out")
    words = ["convolve", *names, "-k", "sobel", "-o", out, "--quiet"]
    (folder / "out").mkdir(exist_ok=True)
    with redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        return least(lambda: command(words), 2)


def _filter(name: str, pixels: int) -> float:
    side = round(pixels**0.5)
    kernel = name.partition("x")[0]
    filter = (
        filters._linear(filters.weights_of_any_kernel(int(kernel))) if kernel.isdigit() else parse_spec(name)
    )
    source = np.random.default_rng(1).integers(0, 256, (side, side, 1), np.uint8)
    border = "reflect101" if kernel.isdigit() else "replicate"
    surface = filters.surface_for(filter, source, source.dtype, border=border)
    options = Options(correlate=True, border=Border(border))
    return least(lambda: run_filter(filter, surface, options, threads=THREADS), 3)


def classifier(classes: int) -> Network:
    """Features of so many classes."""
    graph = Graph((1, 1, 256))
    graph.add(Flatten(), Linear(classes))
    return Network(graph, seed=1)


def _classes(count: int) -> float:
    step = training_step(classifier(count), 64, THREADS)
    rng = np.random.default_rng(1)
    images, labels = rng.standard_normal((64, 1, 1, 256), np.float32), rng.integers(0, count, 64)
    return least(lambda: step.run(images, labels, rate=RATE))


def chain(layers: int) -> Network:
    """A network of so many layers, one behind the other."""
    graph = Graph((8, 8, 8))
    for _ in range(layers // 2):
        graph.add(Conv(8, 3, padding=1), Relu())
    return Network(graph, seed=1)


def _layers(count: int) -> float:
    inference = Inference(chain(count), 1, threads=1)
    image = np.ones((1, 8, 8, 8), np.float32)
    return least(lambda: inference.run(image))


if __name__ == "__main__":
    sys.exit(main())
