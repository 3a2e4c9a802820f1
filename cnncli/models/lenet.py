"""LeNet-5.

Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998,
figure 2.

What this form changed, as nearly all do today: each map of the second convolution reads all maps before it
instead of a chosen few; ReLU for tanh; max pooling for a mean with a learned scale and bias; a softmax for
distances to drawn digits.
"""

from cnncli.nn import Conv, Flatten, Graph, Linear, MaxPool, Relu

_DRAWN = 32  # pixels a side in the paper, whose digits of 28 lie within a frame of 2


def lenet5(input_shape: tuple[int, int, int], classes: int) -> Graph:
    """Two convolutions with poolings, and three fully connected layers.

    Images below 32 pixels get a frame of zeros, 2 wide, as the paper's digits have it.
    """
    graph = Graph(input_shape)
    frame = 2 if min(input_shape[:2]) < _DRAWN else 0
    graph.add(Conv(6, 5, padding=frame), Relu(), MaxPool(2), names=("conv1", "relu1", "pool1"))
    graph.add(Conv(16, 5), Relu(), MaxPool(2), names=("conv2", "relu2", "pool2"))
    graph.add(Flatten(), Linear(120), Relu(), names=("flatten", "fc1", "relu3"))
    graph.add(Linear(84), Relu(), Linear(classes), names=("fc2", "relu4", "fc3"))
    return graph
