"""Layer 2: networks: layers, the graph they form, losses, optimisers, and the steps planned from them.

Build a graph, initialise its weights, train, predict::

    graph = Graph((28, 28, 1))                          # H, W, C of one image
    graph.add(Conv(32, 3, padding="same"), BatchNorm(), Relu(), MaxPool(2))
    skip = graph.output                                 # a name: graph.add returns that of the last layer
    graph.add(Conv(32, 3, padding="same"), Relu())
    graph.add(Add(), inputs=(skip, graph.output))
    graph.add(Flatten(), Linear(10), name="head")

    network = Network(graph, seed=0)                    # He initialisation; or scheme="glorot"
    network.export()                                    # {"conv1.weight": (K, C, kh, kw), …} as in PyTorch
    network.load(arrays)                                # the inverse

    objective = [Term("main", SoftmaxCrossEntropy(smoothing=0.1)), Term("aux1", SoftmaxCrossEntropy(), 0.3)]
    step = TrainingStep(network, 128, objective=objective, optimiser=SGD(momentum=0.9),
                        threads=2, clip=0.0, frozen=())
    loss = step.run(images, labels, rate=0.05)          # images (N, H, W, C) float32, N up to 128
    step.outputs[:N], step.losses[:N]                   # of that step's samples, for the first term
    step.all_outputs(N)                                 # {"main": …, "aux1": …}
    step.gradient_norm, step.memory, step.steps
    step.optimiser_state(), step.load_optimiser_state(arrays, steps=n)

    with graph.scope("layer1.0", kind="BasicBlock"):    # names as in PyTorch: layer1.0.conv1, layer1.0.bn1
        graph.add(Conv(32, 3, padding="same"), BatchNorm(), names=("conv1", "bn1"))
    graph.set_output("aux1.fc2", role="aux1")           # graph.outputs: {"main": …, "aux1": "aux1.fc2"}

    inference = Inference(network, 128, threads=2, keep=("relu1",))
    inference.run(images)                               # (N, K) outputs (before the softmax), any N
    Inference(network, 128, outputs=("main", "aux1")).run_all(images)   # {"main": …, "aux1": …}
    inference.activations(images)                       # {"relu1": (N, H, W, C), …}, N up to 128
    inference.refresh()                                 # after the weights have changed

    exchange.as_dict(graph)                             # JSON: kinds, settings and inputs of layers
    exchange.from_dict(Fields(value))                   # the inverse; `exchange.LAYERS` lists the kinds
    blocks.outline(graph)                               # the tree of blocks: members, inputs, outputs, nodes
    blocks.folded(block, opened)                        # what a diagram draws, with what it reads

`network.weights` and `network.state` hold all parameters and all buffers in one array each (to copy or to
average); `network.gradient` has the same layout, and `network.unpack(array)` splits such an array by name.
Everything is float32 and NHWC. The same seed, data and batch size give the same bits for any number of
threads; randomness inside a step (dropout) depends on the layer's `seed` and on `step.steps`.

Layers: `Conv` (also along one axis, with kernel (1, k)), `Linear`, `Relu`, `Relu6`, `LeakyRelu`, `Sigmoid`,
`Tanh`, `Silu`, `Gelu`, `MaxPool`, `AvgPool`, `GlobalAvgPool`, `AdaptiveAvgPool`, `BatchNorm`,
`LocalResponseNorm`, `Dropout`, `Flatten`, `Add`, `Concat`, `PadChannels`, `ScaleChannels` (reads feature
maps and one factor per channel), `Frames` and `Clip` (between them, the frames of a clip are computed one by
one, and shapes are of a frame), for texts those of `cnncli.nn.layers.text`, and in networks from elsewhere
those of `cnncli.nn.layers.elsewhere`. Each has `shape(inputs)`, `window(shape)`,
`parameters(inputs)` and `multiply_adds(inputs)`; `graph.nodes` maps names to
`Node`s (name, layer, inputs, shape, input_shapes).

A step is planned in passes, each in a module: `fusion` rewrites the graph into stages, `schedule` lets their
layers add native calls (all that they see of it is `emit.Emit`), `memory` gives tensors their addresses,
`slots` sums partial gradients; `inference` and `step` put them together and run them.

Losses: `SoftmaxCrossEntropy` (labels, or (N, K) probabilities), `SigmoidCrossEntropy`, `SmoothL1`.
Optimisers: `SGD`, `Adam`, `AdamW`, `RMSprop`, `Muon`. The learning rate of a step is the base rate times
`Schedule(kind, steps).factor(step)`.
"""

from cnncli.nn.graph import INPUT, Graph, Node, Shape
from cnncli.nn.inference import Inference
from cnncli.nn.layer import Layer, Parameter
from cnncli.nn.layers.activation import Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Tanh
from cnncli.nn.layers.clips import Clip, Frames
from cnncli.nn.layers.combine import Add, Concat, Flatten, PadChannels, ScaleChannels
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.layers.dropout import Dropout
from cnncli.nn.layers.linear import Linear
from cnncli.nn.layers.normalisation import BatchNorm, LocalResponseNorm
from cnncli.nn.layers.pooling import AdaptiveAvgPool, AvgPool, GlobalAvgPool, MaxPool
from cnncli.nn.layers.upsampling import ConvTranspose, Upsample
from cnncli.nn.losses import (
    UNCOUNTED,
    BoxOverlap,
    Dice,
    Focal,
    Loss,
    SigmoidCrossEntropy,
    SmoothL1,
    SoftmaxCrossEntropy,
)
from cnncli.nn.network import Network
from cnncli.nn.objective import Term
from cnncli.nn.optimisers import SGD, Adam, AdamW, Muon, Optimiser, RMSprop
from cnncli.nn.schedules import SCHEDULES, Schedule
from cnncli.nn.step import TrainingStep

__all__ = [
    "INPUT",
    "SCHEDULES",
    "SGD",
    "UNCOUNTED",
    "Adam",
    "AdamW",
    "AdaptiveAvgPool",
    "Add",
    "AvgPool",
    "BatchNorm",
    "BoxOverlap",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dice",
    "Dropout",
    "Flatten",
    "Focal",
    "Frames",
    "Gelu",
    "GlobalAvgPool",
    "Graph",
    "Inference",
    "Layer",
    "LeakyRelu",
    "Linear",
    "LocalResponseNorm",
    "Loss",
    "MaxPool",
    "Muon",
    "Network",
    "Node",
    "Optimiser",
    "PadChannels",
    "Parameter",
    "RMSprop",
    "Relu",
    "Relu6",
    "ScaleChannels",
    "Schedule",
    "Shape",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Silu",
    "SmoothL1",
    "SoftmaxCrossEntropy",
    "Tanh",
    "Term",
    "TrainingStep",
    "Upsample",
]
