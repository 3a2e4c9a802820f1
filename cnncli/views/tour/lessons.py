"""The steps of the tour. Every number in them is computed, by the loops that the commands use.

Legend: x runs to the right and y downwards, from 0. Pictures are digits of MNIST, 28x28 values from 0 to 255.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cnncli.data.shipped import model_path, sample_path
from cnncli.filters.apply import Depth, apply_filters
from cnncli.filters.borders import Border
from cnncli.filters.options import Options
from cnncli.filters.spec import parse_spec
from cnncli.models.summary import summary
from cnncli.nn import Inference, Network
from cnncli.nn.blocks import outline
from cnncli.tasks.softmax import probabilities
from cnncli.training.checkpoint import Checkpoint, load_checkpoint
from cnncli.views.architecture.cards import cards
from cnncli.views.tour.learning import BATCH, RATE, STEPS, Learned, learn
from cnncli.views.tour.model import Curve, Formula, Grid, Map, Maps, Step, Table, Text, Working, number

KERNEL = "1 0 -1; 2 0 -2; 1 0 -1"
_SHARE = 4  # products that are shown of a sum of many
_NEAR_ZERO = 0.5


class Tour:
    """What the steps are about: a digit, an edge filter, the digit network, and one trained on the way.

    Parameters
    ----------
    threads : int
        To compute with.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    @cached_property
    def digit(self) -> NDArray[np.uint8]:
        """The picture, (28, 28)."""
        from cnncli.images.read import read_picture

        picture = read_picture(sample_path("digits/3.png").read_bytes(), name="3.png")
        return np.asarray(picture.frames[0][..., 0], np.uint8)

    @cached_property
    def kernel(self) -> NDArray[np.float64]:
        """The edge filter as it is written, (3, 3)."""
        return np.array([row.split() for row in KERNEL.split(";")], np.float64)

    @cached_property
    def edges(self) -> NDArray[np.float32]:
        """The digit convolved with it, zeros around, (28, 28)."""
        raw = Depth(np.dtype(np.float32), 255.0, raw=True)
        frame = self.digit[..., None].astype(np.float32)
        options = Options(border=Border("constant"), range="none")
        done = apply_filters(
            frame, [parse_spec(KERNEL)], options, alpha=False, source=raw, target=raw, threads=self.threads
        )
        return np.asarray(done.pixels[..., 0], np.float32)

    @cached_property
    def place(self) -> tuple[int, int]:
        """Where that is largest, (x, y), away from the border."""
        inside = np.abs(self.edges[1:-1, 1:-1])
        y, x = np.unravel_index(int(inside.argmax()), inside.shape)
        return int(x) + 1, int(y) + 1

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The digit network that ships."""
        return load_checkpoint(model_path("digits"))

    @cached_property
    def network(self) -> Network:
        """That with its weights."""
        return self.checkpoint.network()

    @cached_property
    def values(self) -> dict[str, NDArray[np.float32]]:
        """What its layers compute of the digit, (H, W, C), by name."""
        x = self.checkpoint.preprocessing.normalise(self.digit[None, ..., None])
        names = ("conv1", "batchnorm1", "relu1", "maxpool1")
        inference = Inference(self.network, 1, threads=self.threads, keep=names)
        return {name: array[0] for name, array in inference.activations(x).items()}

    @cached_property
    def unit(self) -> int:
        """The unit of its first layer that responds most."""
        return int(self.values["relu1"].max(axis=(0, 1)).argmax())

    @cached_property
    def learned(self) -> Learned:
        """A small network, before and after training."""
        return learn(threads=self.threads)


def kernel_step(tour: Tour) -> Step:
    """A window worked out in numbers."""
    (x, y), kernel = tour.place, tour.kernel
    patch = tour.digit[y - 1 : y + 2, x - 1 : x + 2].astype(np.float64)
    turned = kernel[::-1, ::-1]
    return Step(
        "kernel",
        "A kernel looks for one thing",
        (
            Text(
                "A kernel is a small table of numbers. Convolution lays it on every pixel of a picture, "
                "multiplies the numbers that lie on each other, and adds up:"
            ),
            Formula("output(x,y) = sum over i,j of input(i,j) · kernel(x-i,\u00a0y-j)"),
            Text(
                "Look at the minus signs: as i grows, x-i falls. So the kernel lies there turned by 180 "
                "degrees, its last number on the window's first pixel."
            ),
            Working((Grid("kernel, as written", kernel), Grid("turned", turned)), ("→",)),
            Text(f"Here it lies on a handwritten 3, around the pixel x = {x}, y = {y}:"),
            Working(
                (Grid("pixels", patch), Grid("turned kernel", turned), Grid("products", patch * turned)),
                ("×", "="),
            ),
            Text(
                f"The nine products add up to {number(float((patch * turned).sum()), 0)}. This kernel "
                "takes what is left from what is right: the number is far from 0 where a stroke begins "
                "or ends."
            ),
        ),
        "cnncli convolve samples/coins.png -k sobel:x -o edges.png --explain x.png",
    )


def map_step(tour: Tour) -> Step:
    """The kernel on all pixels."""
    edges = tour.edges
    flat = int((np.abs(edges) < _NEAR_ZERO).sum())
    return Step(
        "feature map",
        "A feature map says where it is",
        (
            Text(
                f"The same sum at each of the {edges.size} pixels (beyond the border all is 0) gives a "
                f"picture of the same size. That took {edges.size * 9:,} multiplications."
            ),
            Maps((Map("input", tour.digit.astype(np.float64), gray=True), Map("feature map", edges))),
            Text(
                f"It runs from {number(float(edges.min()), 0)}, where strokes end, to "
                f"{number(float(edges.max()), 0)}, where they begin; at {flat} pixels nothing changes, "
                "and it is 0. Move the digit, and the map moves along: a kernel finds its feature "
                "wherever it is."
            ),
        ),
        "cnncli convolve samples/camera.png -k sobel -o edges.png",
    )


def layer_step(tour: Tour) -> Step:
    """A unit of the digit network's first layer, worked out in numbers."""
    unit, values, arrays = tour.unit, tour.values, tour.network.export()
    kernels = arrays["conv1.weight"]
    before = values["batchnorm1"][..., unit]
    row, column = np.unravel_index(int(values["maxpool1"][..., unit].argmax()), values["maxpool1"].shape[:2])
    top, left = 2 * int(row), 2 * int(column)
    four = before[top : top + 2, left : left + 2]
    y, x = (int(at) for at in np.unravel_index(int(four.argmax()), (2, 2)))
    sum_ = float(values["conv1"][top + y, left + x, unit])
    mean, variance, scale, shift = (
        float(arrays[f"batchnorm1.{name}"][unit])
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    deviation = float(np.sqrt(variance + 1e-5))
    return Step(
        "layer",
        "A layer has many kernels, and learned them",
        (
            Text(
                f"The first layer of the digit network has {len(kernels)} kernels of 5x5. Nobody wrote "
                "them: training found them. (Networks do not turn a kernel; what is learned comes out "
                f"turned, that is all.) This is kernel {unit}, which responds most to our 3:"
            ),
            Working((Grid(f"kernel {unit}", kernels[unit, 0], 2),), ()),
            Text(
                f"At x = {left + x}, y = {top + y} its 25 products add up to {number(sum_, 3)}. Batch "
                "norm brings that to a common scale:"
            ),
            Formula(
                f"({number(sum_, 3)} - {number(mean, 3)}) / {number(deviation, 3)} · {number(scale, 3)} + "
                f"{number(shift, 3)} = {number(float(four[y, x]), 3)}"
            ),
            Text("ReLU makes 0 of what is negative, and max pooling keeps the largest of four neighbours:"),
            Working(
                (
                    Grid("batch norm", four, 2),
                    Grid("ReLU", np.maximum(four, 0), 2),
                    Grid("max pooling", values["maxpool1"][row : row + 1, column : column + 1, unit], 2),
                ),
                ("→", "→"),
            ),
            Maps(
                (
                    Map("after ReLU", values["relu1"][..., unit]),
                    Map("after pooling", values["maxpool1"][..., unit]),
                )
            ),
        ),
        "cnncli featuremaps samples/digits/3.png -o maps.html",
    )


def network_step(tour: Tour) -> Step:
    """The layers of the digit network, and its answer."""
    graph = tour.network.graph
    rows = tuple(
        (", ".join(part.words for part in card.parts), str(card.shape), f"{card.parameters:,}")
        for card in cards(outline(graph), summary(graph))
    )
    outputs = tour.values[graph.output].reshape(1, -1)
    shares = probabilities(outputs)[0]
    best = np.argsort(-shares, kind="stable")[:3]
    return Step(
        "network",
        "A network is layer upon layer",
        (
            Text(
                "Each layer reads the maps of the one before it. Pooling makes maps smaller, so later "
                "kernels see more of the picture: first edges, then corners and arcs, at last whole "
                "digits."
            ),
            Table(("layers", "output", "parameters"), rows),
            Text(
                "The last layer gives ten numbers, one for each digit. The softmax makes probabilities "
                "of them: e to the power of each, divided by the sum of all."
            ),
            Table(
                ("digit", "output", "e^output", "probability"),
                tuple(
                    (
                        tour.checkpoint.task.outputs[each],
                        number(float(outputs[0, each]), 3),
                        number(float(np.exp(np.float64(outputs[0, each]))), 3),
                        f"{shares[each]:.1%}",
                    )
                    for each in best
                ),
            ),
        ),
        "cnncli draw digits --image samples/digits/3.png -o digits.png",
    )


def training_step(tour: Tour) -> Step:
    """A small network, before and after a short training."""
    found = tour.learned
    first, last = found.losses[0], found.losses[-1]
    return Step(
        "training",
        "Training turns noise into kernels",
        (
            Text(
                "A new network starts with random numbers. Here is one with 4 kernels, trained just now "
                f"in {STEPS} steps on digits that ship with cnncli. Each step looks at {BATCH} of them, "
                "computes the loss (minus the logarithm of the probability given to the true digit), "
                "and moves every number a little downhill:"
            ),
            Formula(f"w becomes w - {RATE:g} · dLoss/dw"),
            Curve(f"the loss falls from {number(first, 2)} to {number(last, 2)}", found.losses),
            Maps((Map("kernel 0 before", found.kernel_before), Map("kernel 0 after", found.kernel_after))),
            Text(
                f"Of {found.tested} other digits it got {number(100 * found.right_before, 0)}% right "
                f"before, and {number(100 * found.right_after, 0)}% after."
            ),
        ),
        "cnncli train mnist --offline --epochs 2 -o runs/mine",
    )


def gradient_step(tour: Tour) -> Step:
    """The gradient of one weight by the chain rule, and by trying."""
    found = tour.learned.gradient
    rows = tuple(
        (f"{x}, {y}", number(slope, 5), number(pixel, 3), number(slope * pixel, 5))
        for x, y, slope, pixel in found.largest[:_SHARE]
    )
    higher, lower = found.losses
    return Step(
        "gradients",
        "Gradients say which way is downhill",
        (
            Text(
                "How does the loss change with one weight w of a kernel? The weight takes part in every "
                "pixel of its map. The chain rule multiplies, at each, how the loss depends on the "
                "output there and how that output depends on w, and adds up:"
            ),
            Formula("dLoss/dw = sum over x,y of dLoss/doutput(x,y) · doutput(x,y)/dw"),
            Text(
                "doutput(x,y)/dw is the pixel under w. dLoss/doutput(x,y) came back through the later "
                f"layers by the same rule. These are the largest of the {found.count} products, for the "
                f"weight in the middle of kernel {found.kernel} and a digit that the network reads with "
                f"a loss of {number(found.loss, 3)}:"
            ),
            Table(("x, y", "dLoss/doutput", "pixel under w", "product"), rows),
            Formula(f"all products together: dLoss/dw = {number(found.slope, 4)}"),
            Text(f"Is it true? Move w by {found.step:g} up and down, and look at the loss:"),
            Formula(
                f"({number(higher, 6)} - {number(lower, 6)}) / {2 * found.step:g} = "
                f"{number((higher - lower) / (2 * found.step), 4)}"
            ),
            Text(
                "Trying out needs two runs of the network for each weight. The way back gives all of "
                "them in one: that is backpropagation, and it is what makes training possible."
            ),
        ),
        "cnncli draw lenet5 --backprop --image samples/digits/7.png -o back.png",
    )


LESSONS = {
    "kernel": kernel_step,
    "feature map": map_step,
    "layer": layer_step,
    "network": network_step,
    "training": training_step,
    "gradients": gradient_step,
}
"""What makes each step of a tour, by name, in their order."""
