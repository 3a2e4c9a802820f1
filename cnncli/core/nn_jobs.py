"""Records that the loops of networks read: addresses, pitches and parameters of one layer.

Legend: N samples, H rows, W columns, C input channels, K output channels. Activations are float32, NHWC,
with a halo of zeros around each image where a convolution pads it. The batch is divided into chunks of
``chunk`` samples; a loop is called for the samples lo to hi of one chunk. Layers that compute the frames of
clips one by one take a frame for a sample.

A *tensor* is four numbers: the address of the first value inside the halo, and the bytes from one chunk,
image and row to the next. A tensor that lives only while its chunk is processed is in the scratch of the
thread: its address is then relative to scratch and its chunk pitch is `LOCAL`.

A *panel* holds weights as the register tile reads them: for each block of output channels (as many as two
vectors hold; the last padded with zeros) a row of weights for each tap, that is, each input value of a sum.
All pitches, steps and offsets are in bytes.
"""

import numpy as np

LOCAL = -1
LISTED_PIXELS = 336  # at most, of a convolution: whole tiles on every target
# Of scratch, before the tensors: addresses of pixels, remainders of rows, weights in transit.
TABLE_BYTES = 5888
CACHE_LINE = 64


def tensor(name: str) -> list[tuple[str, str]]:
    """Fields of one tensor."""
    return [(name, "i8"), (f"{name}_chunk", "i8"), (f"{name}_image", "i8"), (f"{name}_row", "i8")]


_CHUNK = [("chunk", "i8")]  # samples in a chunk

# The calls of a step, and the progress of its threads. See loops/program.py.
CALL = np.dtype(
    [
        ("function", "i8"),
        ("job", "i8"),
        ("lo", "i8"),
        ("hi", "i8"),
        ("samples", "i8"),  # items of one sample; 0: items are of the whole batch
    ],
    align=True,
)
TASK = np.dtype([("first", "i8"), ("count", "i8")], align=True)
PHASE = np.dtype([("first", "i8"), ("count", "i8")], align=True)
PROGRAM = np.dtype(
    [
        ("calls", "i8"),
        ("tasks", "i8"),
        ("phases", "i8"),
        ("first", "i8"),  # phase of this run …
        ("after", "i8"),  # … and the one behind its last
        ("samples", "i8"),  # of this batch: the last one of an epoch may be smaller
        ("counters", "i8"),  # two cache lines for each phase: tasks taken, tasks done
        ("gate", "i8"),  # a cache line: open or not, threads inside
        ("called", "i8"),  # address of the address of the program that the helpers were last called to
        ("patience", "i8"),  # polls of a counter before a waiting thread yields
        ("linger", "i8"),  # polls of the gate before a helper leaves after a step
    ],
    align=True,
)

# Sums over segments: convolution, its gradient to the input, fully connected.
GATHER = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        ("height", "i8"),  # output pixels of an image
        ("width", "i8"),
        ("x_step", "i8"),  # in x, from one output column to the next
        ("x_line", "i8"),
        ("y_step", "i8"),
        ("y_line", "i8"),
        ("groups", "i8"),
        ("x_group", "i8"),
        ("y_group", "i8"),
        ("segments", "i8"),  # address of triples of intp: offset in x, length in floats, offset in the panel
        ("segment_count", "i8"),  # of one block of the sum …
        ("sum_blocks", "i8"),  # … and blocks
        ("panel", "i8"),
        ("outputs", "i8"),  # channels of one group
        ("panel_blocks", "i8"),  # of output channels, in one group
        ("panel_pitch", "i8"),
        ("narrow", "i8"),  # 1: one vector holds all channels of a group's last block
        ("bias", "i8"),
        ("mode", "i8"),
        ("pixels", "i8"),  # listed together
        *tensor("edge"),  # where the last pixel is computed, if what its stores spill over is another's …
        ("edge_floats", "i8"),  # … and its channels, which are then copied; else 0
        *tensor("copies"),  # of the inputs of listed pixels, for one part of the sums …
        ("copy_pitch", "i8"),  # … and bytes from one to the next, if they are copied; else 0
    ],
    align=True,
)

# Convolution of gray images to few channels. A step of the panel is a vector: each weight twice.
PAIRS = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        ("height", "i8"),  # output pixels of an image
        ("width", "i8"),  # 2 or more
        ("x_line", "i8"),
        ("y_step", "i8"),
        ("y_line", "i8"),
        ("segments", "i8"),  # address of triples of intp, as in `GATHER`
        ("segment_count", "i8"),
        ("panel", "i8"),
        ("bias", "i8"),
        ("mode", "i8"),
    ],
    align=True,
)

# The gradient to a convolution's input by whole kernel rows. A row of the panel holds the weights of one of
# them, in blocks in the order of columns and channels, for all channels of dy.
SCATTER = np.dtype(
    [
        *_CHUNK,
        *tensor("dy"),
        *tensor("dx"),
        ("width", "i8"),  # of dy
        ("dy_step", "i8"),  # from one column to the next
        ("dx_step", "i8"),  # in dx, from one column of dy to the next
        ("x_height", "i8"),
        ("row_floats", "i8"),  # of dx
        ("groups", "i8"),  # address of SCATTER_GROUP
        ("group_count", "i8"),
        ("lines", "i8"),  # address of SCATTER_LINE, those of a group together
        ("segments", "i8"),  # one for each kernel row of a group, over all channels
        ("together", "i8"),  # kernel rows, at most, in one sum
        ("panel", "i8"),
        ("panel_blocks", "i8"),  # of a kernel row
        ("panel_pitch", "i8"),  # from a block to the next
        ("row_pitch", "i8"),  # from a kernel row to the next
        ("add", "i8"),  # 1: to what dx holds
    ],
    align=True,
)
# Lines that the same kernel rows reach: first of them in the panel, how many; first line, how many.
SCATTER_GROUP = np.dtype([("row", "i8"), ("rows", "i8"), ("line", "i8"), ("lines", "i8")], align=True)
SCATTER_LINE = np.dtype([("dy", "i8"), ("dx", "i8")], align=True)  # bytes from an image's first values

# Sums over pixels: the gradient of a convolution's weights.
OUTER = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("dy"),
        ("height", "i8"),  # of dy
        ("width", "i8"),
        ("x_step", "i8"),
        ("x_line", "i8"),
        ("dy_step", "i8"),
        ("lines", "i8"),  # of dy, processed together
        ("groups", "i8"),
        ("x_group", "i8"),
        ("dy_group", "i8"),
        ("taps", "i8"),  # address of intp: offset in x of each tap, padded to whole tiles
        ("tap_count", "i8"),
        ("dweight", "i8"),  # in the first slot
        ("slot_pitch", "i8"),
        ("slot_chunks", "i8"),  # chunks that add to one slot
        ("panel_blocks", "i8"),  # in one group
        ("narrow", "i8"),  # 1: one vector holds all channels of a group's last block
        ("pairs", "i8"),  # 1: narrow, and pixels of x are processed in pairs
        ("dbias", "i8"),  # in the first slot, 0: none
    ],
    align=True,
)

# Depthwise convolution and its gradient to the input. A row of the panel is a tap.
DEPTHWISE = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        ("height", "i8"),  # output pixels of an image
        ("width", "i8"),
        ("channels", "i8"),
        ("x_step", "i8"),  # in x, from one output column to the next
        ("x_line", "i8"),
        ("x_tap", "i8"),  # from one kernel column to the next
        ("y_step", "i8"),
        ("y_line", "i8"),
        ("rows", "i8"),  # address of intp: offset in x of each kernel row
        ("row_count", "i8"),
        ("columns", "i8"),  # of the kernel
        ("panel", "i8"),
        ("panel_pitch", "i8"),
        ("bias", "i8"),
        ("mode", "i8"),
        ("lines", "i8"),  # processed together
    ],
    align=True,
)

# The gradient of its weights.
DEPTHWISE_OUTER = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("dy"),
        ("height", "i8"),  # of dy
        ("width", "i8"),
        ("vectors", "i8"),  # of channels
        ("x_step", "i8"),
        ("x_line", "i8"),
        ("x_tap", "i8"),
        ("dy_step", "i8"),
        ("rows", "i8"),
        ("row_count", "i8"),
        ("columns", "i8"),
        ("dweight", "i8"),  # in the first slot
        ("slot_pitch", "i8"),
        ("slot_chunks", "i8"),
        ("lines", "i8"),
    ],
    align=True,
)

# Rows of floats, one input and one output.
ROWS = [
    ("rows", "i8"),  # of an image
    ("floats", "i8"),  # of a row
]
APPLY = np.dtype(
    [
        *_CHUNK,
        *tensor("a"),
        *tensor("b"),
        *tensor("out"),
        *ROWS,
        ("kind", "i8"),  # a value of KINDS
        ("add", "i8"),  # 1: to what out holds
        ("alpha", "f4"),
    ],
    align=True,
)
KINDS = {
    "copy": 0,
    "relu": 1,
    "relu backward": 2,
    "sum": 3,
    "sum relu": 4,
    "product": 5,
    "leaky": 6,
    "leaky backward": 7,
    "sigmoid": 8,
    "sigmoid backward": 9,
    "tanh": 10,
    "tanh backward": 11,
    "silu": 12,
    "silu backward": 13,
    "gelu": 14,
    "gelu backward": 15,
    "relu6": 16,
    "relu6 backward": 17,
}

# Elementwise arithmetic and functions of networks from elsewhere: of a and b, backward with c besides.
ARITHMETIC = np.dtype(
    [
        *_CHUNK,
        *tensor("a"),
        *tensor("b"),
        *tensor("c"),  # the gradient of the output, in kinds of two tensors
        *tensor("out"),
        *ROWS,
        ("kind", "i8"),  # a value of ARITHMETIC_KINDS
        ("add", "i8"),  # 1: to what out holds
        ("alpha", "f4"),
        ("beta", "f4"),
    ],
    align=True,
)
ARITHMETIC_KINDS = {
    "difference": 0,
    "quotient": 1,
    "quotient backward": 2,
    "maximum": 3,
    "maximum backward": 4,
    "minimum": 5,
    "minimum backward": 6,
    "exponential": 7,
    "logarithm": 8,
    "root": 9,
    "root backward": 10,
    "absolute": 11,
    "absolute backward": 12,
    "error": 13,
    "error backward": 14,
    "clamp": 15,
    "clamp backward": 16,
    "hard sigmoid": 17,
    "hard sigmoid backward": 18,
    "elu": 19,
    "elu backward": 20,
    "softplus": 21,
    "softplus backward": 22,
    "power": 23,
    "power backward": 24,
    "negative": 25,
}

# Values of an image from places of another: pixel p and channel c of y are from outer[p] + inner[c] in x.
TAKE = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),  # dense
        *tensor("y"),
        ("height", "i8"),  # of y
        ("width", "i8"),
        ("channels", "i8"),
        ("outer", "i8"),  # address of intp for each pixel of y, in bytes; below 0: fill
        ("inner", "i8"),  # and for each of its channels
        ("run", "i8"),  # 1: channels follow one another in x, and none is filled
        ("size", "i8"),  # of x, in floats
        ("fill", "f4"),
    ],
    align=True,
)

# Zeros around the images of a tensor.
FRAME = np.dtype(
    [
        *_CHUNK,
        *tensor("out"),
        ("height", "i8"),
        ("row_floats", "i8"),
        ("lines_above", "i8"),
        ("lines_below", "i8"),
        ("side_floats", "i8"),
    ],
    align=True,
)

POOL = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),  # in the backward pass too
        *tensor("y"),
        *tensor("dx"),
        *tensor("dy"),
        ("average", "i8"),
        ("adaptive", "i8"),  # 1: windows divide x as evenly as they can, and may overlap by a line
        ("halves", "i8"),  # 1: 2 x 2 max pooling; backward, the windows cover all of dx, which is overwritten
        ("masked", "i8"),  # 1: x is the output of a ReLU, whose gradient is applied too
        ("add", "i8"),  # 1: to what dx holds
        ("channels", "i8"),
        ("pixel", "i8"),  # bytes from one pixel to the next
        ("x_height", "i8"),
        ("x_width", "i8"),
        ("height", "i8"),
        ("width", "i8"),
        ("window_y", "i8"),
        ("window_x", "i8"),
        ("stride_y", "i8"),
        ("stride_x", "i8"),
        ("padding_y", "i8"),
        ("padding_x", "i8"),
        ("after_y", "i8"),
        ("after_x", "i8"),
        ("count_padding", "i8"),
    ],
    align=True,
)

# Weighted sums of pixels, from tables for rows and for columns: upsampling, and its gradient.
RESAMPLE = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        ("height", "i8"),
        ("width", "i8"),
        ("channels", "i8"),
        ("row_ends", "i8"),  # address of intp: of each row of y, where its taps begin; then the end of all
        ("row_taps", "i8"),  # address of intp: rows of x …
        ("row_weights", "i8"),  # … and of float32, their weights
        ("column_ends", "i8"),
        ("column_taps", "i8"),
        ("column_weights", "i8"),
        ("add", "i8"),
    ],
    align=True,
)

# Loss and its gradient, one row of outputs and one of targets for each pixel of a sample.
LOSS = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("dx"),
        ("height", "i8"),
        ("width", "i8"),
        ("outputs", "i8"),
        ("targets", "i8"),  # address of float32, a row for each pixel; with labels the row of class 0
        ("labels", "i8"),  # address of int64, a class for each pixel: which row is its own; 0: there are none
        (
            "target_floats",
            "i8",
        ),  # in a row: one for each output, then the pixel's weight, if it has one
        ("weighted", "i8"),  # 1: there is one
        ("losses", "i8"),  # address of float32, one for each sample: the sum over its pixels
        ("sums", "i8"),  # address of float32 for each sample, `DICE_SUMS` for each output: of Dice's loss
        *tensor("work"),  # floats for a chunk, of Dice's loss
        ("shift", "i8"),  # address of float32, one for each output: what the softmax adds to it
        ("kind", "i8"),  # a value of LOSSES
        ("scale", "f4"),  # of a sample in the gradient
        ("beside", "f4"),  # of Dice's loss: what the cross-entropy of a sample's pixels counts beside it
        ("alpha", "f4"),
        ("beta", "f4"),
    ],
    align=True,
)
LOSSES = {"softmax": 0, "sigmoid": 1, "smooth l1": 2, "focal": 3}
DICE_SUMS = 3
DICE_HEADER, DICE_KINDS = 8, 7  # vectors in front of those of the classes, and how many each class has

# Weights for the gradient to the input. An item is a block of inputs and one tap.
MIRROR = np.dtype(
    [
        ("src", "i8"),  # those of the forward pass, [group][block of K][taps][C][block]
        ("out", "i8"),  # [group][block of C][used][K][block]
        ("order", "i8"),  # address of int64: the taps that are used
        ("used", "i8"),
        ("taps", "i8"),
        ("inputs", "i8"),  # C and K of one group
        ("outputs", "i8"),
    ],
    align=True,
)

# Weights in another order.
PACK = np.dtype([("src", "i8"), ("order", "i8"), ("out", "i8")], align=True)

# The sum of a gradient's slots. An item is a row of a panel.
REDUCE = np.dtype(
    [
        ("slots", "i8"),
        ("slot_pitch", "i8"),
        ("slot_count", "i8"),  # address of the number of slots in use
        ("out", "i8"),
        ("taps", "i8"),  # rows of a block
        ("blocks", "i8"),  # of a group
        ("last", "i8"),  # outputs in the last block of a group
        ("squares", "i8"),  # address of float64: sum of squares of each call …
        ("piece", "i8"),  # … of this many rows
    ],
    align=True,
)

# The gradient of a fully connected layer's weights: a sum over all samples of the batch.
DENSE = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("dy"),
        ("taps", "i8"),
        ("panel_blocks", "i8"),
        ("dweight", "i8"),
        ("samples", "i8"),  # address of the number of samples in the batch
    ],
    align=True,
)

# One step of an optimiser. An item is a row of one block of weights.
OPTIMISE = np.dtype(
    [
        ("weight", "i8"),
        ("gradient", "i8"),
        ("first", "i8"),  # momentum, or mean of the gradient
        ("second", "i8"),  # mean of its square
        ("kind", "i8"),  # a value of OPTIMISERS
        ("nesterov", "i8"),
        ("rate", "f4"),
        ("decay", "f4"),
        ("momentum", "f4"),  # beta1 of Adam
        ("dampening", "f4"),
        ("square_decay", "f4"),  # beta2 of Adam, alpha of RMSprop
        ("epsilon", "f4"),
        ("correction", "f4"),  # 1 / (1 - beta1**t)
        ("square_correction", "f4"),  # 1 / sqrt(1 - beta2**t)
        ("limit", "f4"),  # of the gradient's norm, 0: none
        ("squares", "i8"),  # address of float64: partial sums of squares of the gradient
        ("square_count", "i8"),
    ],
    align=True,
)
OPTIMISERS = {"sgd": 0, "adam": 1, "adamw": 2, "rmsprop": 3}

# A stage of Muon's step for a matrix of weights. Items: packed rows of the weights at its start and end,
# rows of a square matrix where it is normalised, tiles of products between. All matrices lie in blocks of
# columns as weights do.
ORTHOGONAL = np.dtype(
    [
        ("stage", "i8"),  # an index into ORTHOGONAL_STAGES
        ("weight", "i8"),
        ("gradient", "i8"),
        ("moment", "i8"),
        ("taps", "i8"),  # packed rows of a block of weights
        ("outputs", "i8"),
        ("turned", "i8"),  # the matrix is the transpose of the weights
        ("rows", "i8"),
        ("columns", "i8"),  # no more than rows
        ("blocks", "i8"),  # of columns
        ("x", "i8"),  # the matrix, at the start and at the end
        ("left", "i8"),  # of a product; at the end, the products of the matrix with itself
        ("right", "i8"),
        ("length", "i8"),  # rows of both
        ("out", "i8"),
        ("segments", "i8"),  # of a row of the matrix, as of GATHER
        ("a", "f4"),  # of the polynomial
        ("b", "f4"),
        ("c", "f4"),
        ("momentum", "f4"),
        ("rate", "f4"),
        ("decay", "f4"),
        ("scale", "f4"),  # of the orthogonal matrix
        ("limit", "f4"),  # as of OPTIMISE
        ("squares", "i8"),
        ("square_count", "i8"),
    ],
    align=True,
)
ORTHOGONAL_STAGES = ("start", "product", "normalise", "polynomial", "multiply", "end")

# Batch norm. Statistics are two float64 per channel and chunk: forward the mean and the sum of squared
# differences from it, backward the sums of dy and of dy * normalised x.
NORM = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        *tensor("dy"),
        *tensor("dx"),
        ("height", "i8"),
        ("width", "i8"),
        ("channels", "i8"),
        ("padded", "i8"),  # channels, up to whole vectors
        ("samples", "i8"),  # address of the number of samples in the batch
        ("moments", "i8"),  # address of float64 [chunk][2][padded]
        ("sums", "i8"),  # likewise, of the backward pass
        ("factors", "i8"),  # address of float32 [4][padded], one after the other for each chunk
        ("weight", "i8"),
        ("bias", "i8"),
        ("running_mean", "i8"),
        ("running_var", "i8"),
        ("dweight", "i8"),
        ("dbias", "i8"),
        ("fixed", "i8"),  # 1: the running statistics are used
        ("relu", "i8"),  # applied to y: 1 ReLU, 2 ReLU6
        ("add", "i8"),  # 1: to what dx holds
        ("epsilon", "f8"),
        ("momentum", "f8"),
    ],
    align=True,
)

# Copy of a tensor's channels into a range of another's channels.
SLICE = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        ("height", "i8"),
        ("width", "i8"),
        ("floats", "i8"),
        ("x_pixel", "i8"),
        ("y_pixel", "i8"),
        ("before", "i8"),  # channels of y in front of the range, and behind it, that become 0
        ("after", "i8"),
        ("add", "i8"),
    ],
    align=True,
)

# Each channel times its own factor.
SCALE = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("scale"),
        *tensor("y"),  # backward: the gradient of it
        *tensor("dx"),
        *tensor("dscale"),
        ("height", "i8"),
        ("width", "i8"),
        ("channels", "i8"),
        ("add", "i8"),  # 1: to what y holds
        ("relu", "i8"),  # 1: applied to y
        ("backward", "i8"),
        ("want_dx", "i8"),
        ("want_dscale", "i8"),
        ("add_dx", "i8"),
        ("add_dscale", "i8"),
    ],
    align=True,
)

DROPOUT = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        *ROWS,
        ("add", "i8"),
        ("rate", "f4"),
        ("key", "i8"),  # of seed and layer
        ("step", "i8"),  # address of the number of the step
    ],
    align=True,
)

# Local response norm; scratch rows are `room` floats, with zeros at both ends.
RESPONSE = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("y"),
        *tensor("dy"),
        *tensor("dx"),
        *tensor("rows"),
        ("height", "i8"),
        ("width", "i8"),
        ("channels", "i8"),
        ("size", "i8"),
        ("room", "i8"),
        ("backward", "i8"),
        ("add", "i8"),
        ("alpha", "f4"),
        ("beta", "f4"),
        ("bias", "f4"),
    ],
    align=True,
)

# Winograd convolution: 3 x 3, stride 1, tiles of 4 x 4 outputs, for all images of a chunk.
WINOGRAD = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),  # the first value that the first output reads
        *tensor("y"),
        *tensor("inputs"),  # scratch: transformed inputs, [36][tiles][pitch] and a line
        *tensor("products"),  # scratch: [36][tiles][K, up to whole vectors] and a line
        ("height", "i8"),
        ("width", "i8"),
        ("channels", "i8"),  # C
        ("input_pitch", "i8"),  # bytes of C floats, up to whole vectors
        ("input_step", "i8"),  # from a place to the next
        ("output_step", "i8"),
        ("outputs", "i8"),  # K
        ("panel_blocks", "i8"),  # K over a block's width
        ("narrow", "i8"),  # 1: one vector of the last block is used
        ("tiles", "i8"),  # processed together
        ("panel", "i8"),  # transformed weights, [36][blocks][C][block] and a line
        ("panel_pitch", "i8"),  # of a place
        ("y_pixel", "i8"),
        ("segments", "i8"),  # one, over all channels
        ("bias", "i8"),
        ("zeros", "i8"),  # address of a block of zeros
        ("mode", "i8"),
        ("direct", "i8"),  # untransformed weights, [blocks][9][C][block], for tiles with an outlier
        ("window", "i8"),  # three segments: the rows of a window
    ],
    align=True,
)

# Transform of such a convolution's weights. An item is one input channel and one block of output channels.
WINOGRAD_WEIGHTS = np.dtype(
    [
        ("src", "i8"),
        ("out", "i8"),
        ("channels", "i8"),
        ("pitch", "i8"),  # bytes from a place of a tile to the next
    ],
    align=True,
)

# The gradient of such a convolution's weights.
WINOGRAD_OUTER = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("dy"),
        *tensor("inputs"),  # scratch: [C / lanes][36][tiles][lanes]
        *tensor("slopes"),  # scratch: [K / block][36][tiles][block], then the sums of one tile
        ("height", "i8"),  # of dy
        ("width", "i8"),
        ("channels", "i8"),
        ("panel_blocks", "i8"),
        ("narrow", "i8"),
        ("tiles", "i8"),
        ("dweight", "i8"),  # in the first slot
        ("slot_pitch", "i8"),
        ("slot_chunks", "i8"),
    ],
    align=True,
)

# Rows of a table, one for each number of a text; zeros for padding.
EMBED = np.dtype(
    [
        *_CHUNK,
        *tensor("numbers"),  # float32 that are whole
        *tensor("y"),
        ("words", "i8"),  # of a text, at most
        ("floats", "i8"),  # of a row
        ("table", "i8"),
        ("table_pitch", "i8"),
    ],
    align=True,
)

# The gradient of such a table: the sum of dy over the places of each number in the batch.
EMBED_SUMS = np.dtype(
    [
        *_CHUNK,
        *tensor("dy"),
        ("floats", "i8"),
        ("gradient", "i8"),
        ("pitch", "i8"),
        ("listed", "i8"),  # address of intp: how many different numbers there are, then they
        ("starts", "i8"),  # address of intp: for each of them its first place, and the end of the last
        ("places", "i8"),  # address of intp: sample * words + word, in order
        ("words", "i8"),
        ("tasks", "i8"),  # among which they are divided
        ("squares", "i8"),  # address of float64: sum of squares of each task
    ],
    align=True,
)

# Convolution along the words of a text, ReLU, and the maximum over time. Windows reach beyond both ends of
# the text, where x is 0; each holds one word at least.
OVER_TIME = np.dtype(
    [
        *_CHUNK,
        *tensor("x"),
        *tensor("numbers"),  # whole float32, 0 after the end of a text
        *tensor("y"),
        *tensor("dy"),
        *tensor("dx"),
        *tensor("tile"),  # scratch: outputs of one tile
        ("words", "i8"),  # of a text, at most
        ("kernel", "i8"),  # words of a window
        ("floats", "i8"),  # of a word
        ("outputs", "i8"),
        ("panel", "i8"),
        ("panel_blocks", "i8"),
        ("narrow", "i8"),  # 1: one vector holds all outputs of the last block
        ("segments", "i8"),  # one, over all of a window
        ("bias", "i8"),
        (
            "winners",
            "i8",
        ),  # address of float32 [sample][padded outputs]: window of the maximum, or -1
        ("plain", "i8"),  # address of the weights [output][window]
        ("sums", "i8"),  # address of float32 of the same shape: their gradient
        ("dweight", "i8"),
        ("dbias", "i8"),
        ("samples", "i8"),  # address of the number of samples in the batch
        ("add", "i8"),  # 1: to what dx holds
    ],
    align=True,
)

# Keep the norm of each output's weights within a limit. An item is a block of outputs.
LIMIT_NORMS = np.dtype([("weight", "i8"), ("taps", "i8"), ("limit", "f4")], align=True)
