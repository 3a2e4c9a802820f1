"""TextCNN: a convolutional network for sentences.

Source: Kim, Convolutional neural networks for sentence classification, 2014, figure 1 and section 3. Windows
of 3, 4 and 5 words, 100 maps of each; of each map only its maximum counts; half of those 300 numbers are
dropped in training; the weights of each class keep a norm of at most 3.

Word vectors are trained (the paper's "non-static", or "rand" where none are loaded), stay as they were loaded
("static"), or both: then every filter reads two channels, the trained vectors beside those that stay.

What this form changed: texts are not padded to the longest one. Windows reach beyond the ends of a text,
where there is nothing, and every window with a word in it counts; the paper's padded texts let windows
without any word compete for the maximum, so that what it says of a text depends on the longest beside it.
"""

from typing import Literal

from cnncli.nn import INPUT, Concat, Dropout, Graph
from cnncli.nn.layers.text import BoundedLinear, ConvOverTime, Embedding

WINDOWS = (3, 4, 5)
MAPS = 100
MAX_NORM = 3.0
Channels = Literal["tuned", "static", "both"]
_EMBEDDINGS = {"tuned": {"embedding": True}, "static": {"embedding": False}}
_EMBEDDINGS["both"] = {"embedding": True, "static": False}


def textcnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    words: int,
    dim: int = 300,
    channels: Channels = "tuned",
    seed: int = 0,
) -> Graph:
    """The network for texts of up to ``input_shape[1]`` of so many different words.

    Parameters
    ----------
    input_shape : (1, T, 1)
        Of a text.
    classes : int
        Outputs.
    words : int
        Numbers of words, with those for padding and for unknown words.
    dim : int
        Values of a word's vector.
    channels : str
        Which word vectors there are: ``tuned``, ``static`` or ``both``.
    seed : int
        Of dropout.
    """
    graph = Graph(input_shape)
    vectors = [
        graph.add(Embedding(words, dim, trained), inputs=INPUT, name=name)
        for name, trained in _EMBEDDINGS[channels].items()
    ]
    read = vectors[0] if len(vectors) == 1 else graph.add(Concat(), inputs=vectors, name="channels")
    maxima = [
        graph.add(ConvOverTime(MAPS, window), inputs=(read, INPUT), name=f"conv{window}")
        for window in WINDOWS
    ]
    graph.add(Concat(), inputs=maxima, name="features")
    graph.add(Dropout(0.5, seed), BoundedLinear(classes, max_norm=MAX_NORM), names=("dropout", "fc"))
    return graph
