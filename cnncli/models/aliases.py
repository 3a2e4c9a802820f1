"""Names of layers in PyTorch and Keras, and what to write here instead."""

import re
from collections.abc import Callable, Sequence

from cnncli.nearest import did_you_mean, meant

#: Names in other frameworks, in lower case and without dimensions (``conv`` for ``Conv2d``), and those here.
_ALIASES = {
    **dict.fromkeys(("convolution", "convolutional", "c"), "conv"),
    **dict.fromkeys(("depthwise", "depthwiseconv", "separableconv"), "dwconv"),
    **dict.fromkeys(("maxpool", "maxpooling", "mp"), "pool"),
    **dict.fromkeys(("averagepool", "averagepooling", "avgpooling", "meanpool"), "avgpool"),
    **dict.fromkeys(
        ("globalavgpool", "globalaveragepooling", "adaptiveavgpool", "adaptivepool", "globalpool"), "gap"
    ),
    **dict.fromkeys(("linear", "dense", "fullyconnected", "affine", "ip", "head", "classifier"), "fc"),
    **dict.fromkeys(("batchnorm", "batchnormalization", "norm", "batch"), "bn"),
    **dict.fromkeys(("leakyrelu", "lrelu", "prelu"), "leaky"),
    **dict.fromkeys(("swish", "hardswish"), "silu"),
    **dict.fromkeys(("reshape", "flat", "view"), "flatten"),
    **dict.fromkeys(("drop", "dropout2d"), "dropout"),
}
_NUMBERS = {"conv": "32", "fc": "128"}  # for words that need a number, if none was given
_SOFTMAX = ("softmax", "logsoftmax", "softmaxlayer")


def suggest_word(text: str, words: Sequence[str], is_word: Callable[[str], bool]) -> str:
    """Suggest what may have been meant by a word that is not a layer.

    Parameters
    ----------
    text : str
        From the word to the end of the network: ``Conv2d(3, 64, 5) relu …``, ``dropout=0.5 fc``.
    words : sequence of str
        An example of each kind of layer.
    is_word : callable
        Whether a word is a layer with valid settings.

    Returns
    -------
    str
        A hint; empty if nothing is similar.
    """
    if re.match(r"[^\w\s]", text):
        return "Write blanks between words, and no other signs."
    respaced = _with_spaces(text, is_word)
    if respaced:
        return respaced
    if text[:1].isdigit():
        return "Write a number right after its word, as in conv32."
    match = re.match(
        r"\s*(?:nn\.)?([a-z_]+)(?:[123]d)?(?:\(([^()]*)\)|[=:_]?([0-9.]+)?(?=\s|$))", text.lower()
    )
    if match is None:
        return _by_spelling(text, words)
    name = match[1].replace("_", "")
    if name in _SOFTMAX:
        return "Leave it out: softmax is applied already, after the last fc."
    ours = _ALIASES.get(name, name)
    for word in _candidates(ours, re.findall(r"[0-9.]+", match[2] or match[3] or "")):
        if is_word(word) and word != text:
            return meant(word)
    return _by_spelling(text, words)


def _candidates(name: str, numbers: list[str]) -> list[str]:
    """The word with the numbers given in brackets; of input and output channels, only the output."""
    tries = []
    if name == "conv" and len(numbers) > 1:
        tries.append(f"conv{numbers[1]}" + (f"-{numbers[2]}" if numbers[2:] and numbers[2] != "3" else ""))
    if name == "fc" and len(numbers) > 1:
        tries.append(f"fc{numbers[1]}")
    if numbers:
        tries.append(f"{name}{numbers[0]}")
    return [*tries, f"{name}{_NUMBERS.get(name, '')}"]


def _with_spaces(text: str, is_word: Callable[[str], bool]) -> str:
    """The network with spaces where other separators were used: ``conv32,relu,fc``, ``conv32->relu``."""
    parts = [
        part
        for part in re.split(r"\s*(?:->|=>|→|[,;|/>+]|(?<=\w)-(?=[A-Za-z]))\s*|\s+", text.strip())
        if part
    ]
    valid = not re.fullmatch(r"[\w.\s]*", text) and len(parts) > 1 and all(map(is_word, parts))
    return meant(f'-m "{" ".join(parts)}"') if valid else ""


def _by_spelling(text: str, words: Sequence[str]) -> str:
    letters = re.match(r"[a-z]*", text.strip().lower())
    names = {word.rstrip("0123456789."): word for word in reversed(words)}  # fc128 before fc
    return did_you_mean(letters.group() if letters else "", names, instead=names)
