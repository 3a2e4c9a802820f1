"""Sequential networks as a string: ``conv32 relu conv64 relu pool fc128 relu dropout0.5 fc``.

Layers are separated by spaces. A number directly after a layer's name is its main setting; letters with
numbers after that are its other settings, in any order:

    conv32          convolution, 32 output channels, kernel 3x3, stride 1, padding "same"
    conv32-5        the same with a 5x5 kernel
    conv32k5s2p1    kernel (k) 5, stride (s) 2, padding (p) 1; also dilation (d) and groups (g)
    dwconv          depthwise convolution, as many channels as its input; k, s, p, d as above
    bn              batch norm; a convolution directly before it has no bias
    relu            max(0, x); relu6: at most 6; also leaky (leaky0.2: slope below 0), sigmoid, tanh,
                    silu, gelu
    pool            max pooling, 2x2; pool3s2p1: window, stride (default: the window), padding
    avgpool         average pooling, 2x2; avgpool3s2p1: settings as for pool
    gap             global average pooling: the mean of each channel
    flatten         feature maps to a vector; may be left out, as fc flattens its input
    dropout0.5      sets half of the values to 0 during training; dropout alone means 0.5
    fc128           fully connected, 128 outputs
    fc              fully connected, one output per class: always the last layer

Without a main number, settings may follow the name directly: ``dwconvk5s2``, ``pools1``.
Padding defaults to ``dilation * (kernel - 1) // 2``; ``p0`` turns it off.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from cnncli import nn
from cnncli.errors import CnncliError, OptionError
from cnncli.nn import Graph, Layer

_TOKEN = re.compile(r"(?P<name>[a-z]+)(?P<main>\d+(?:\.\d+)?)?(?P<rest>.*)", re.DOTALL)
_SETTING = re.compile(r"([a-z])(\d+)")
_LIMITS = {"conv": 8192, "fc": 65536, "k": 255, "s": 255, "p": 255, "d": 255, "g": 8192, "pool": 4096}
_MAX_WORDS = 1000
_EXAMPLE = 'Write it as in -m "conv32 bn relu pool conv64 bn relu gap fc"; the last word is fc.'
WORDS = (
    "conv32",
    "dwconv",
    "bn",
    "relu",
    "relu6",
    "leaky",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "pool",
    "avgpool",
    "gap",
    "flatten",
    "dropout0.5",
    "fc128",
    "fc",
)
"""One example of each kind, as shown to users."""


@dataclass(frozen=True)
class _Token:
    """A word of the string: its parts, and its position, counted from 1."""

    text: str
    number: int
    column: int
    whole: str
    name: str = ""
    main: str | None = None
    settings: tuple[tuple[str, int], ...] = ()

    def fault(self, what: str, hint: str = "") -> OptionError:
        """An error that points at this word."""
        start = self.column - 1
        end = start + len(self.text)
        marked = f"{self.whole[:start]}»{self.text}«{self.whole[end:]}"
        message = f"--model: {what} (word {self.number}, column {self.column}), in {_shortened(marked)}"
        return OptionError(message, hint or _EXAMPLE)

    def get(self, letter: str, default: int) -> int:
        """Value of the setting with this letter."""
        return dict(self.settings).get(letter, default)


def parse(text: str, input_shape: tuple[int, int, int], classes: int, *, seed: int) -> Graph:
    """Build the network that a string describes.

    Parameters
    ----------
    text : str
        Words as above.
    input_shape : (H, W, C)
        Of one image.
    classes : int
        Outputs of ``fc``.
    seed : int
        Of dropout.

    Returns
    -------
    Graph
        Its last layer is named ``head``.

    Raises
    ------
    OptionError
        For a word that is unknown, out of range, or does not fit its input; the message marks it.
    """
    tokens = _tokens(text)
    graph = Graph(input_shape)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.name == "fc" and token.main is None and following is not None:
            raise token.fault(
                "fc stands before the end; expected fc with a number there", "Write fc128 for 128 outputs."
            )
        try:
            _add_layers(graph, token, following, (classes, seed))
        except OptionError:
            raise
        except CnncliError as fault:
            raise token.fault(fault.message, fault.hint) from fault
    return graph


def check_words(text: str) -> None:
    """Refuse words that are invalid for images of any size.

    Raises
    ------
    OptionError
        For a word that is unknown or has settings out of range; the message marks it.
    """
    _tokens(text)


def is_word(text: str) -> bool:
    """Tell whether a single word is a layer with valid settings, such as ``conv32-5``."""
    try:
        _add_layers(Graph((64, 64, 8)), _read(_Token(text, 1, 1, text), hinted=False), None, (10, 0))
    except CnncliError:
        return False
    return True


def looks_like_layers(text: str) -> bool:
    """Tell whether ``text`` looks like a string of layers rather than the name of a model."""
    words = text.split()
    if len(words) != 1:
        return len(words) > 1
    return _parts(words[0]) is not None


def suggestion(text: str) -> str:
    """Suggest what may have been meant by a text that begins with a word that is not a layer."""
    from cnncli.models.aliases import suggest_word

    return suggest_word(text, WORDS, is_word)


def _tokens(text: str) -> list[_Token]:
    found = list(re.finditer(r"\S+", text))
    if not found:
        raise OptionError(
            "--model: no layers are given; expected a name or words such as conv32 relu", _EXAMPLE
        )
    if len(found) > _MAX_WORDS:
        raise OptionError(f"--model: {len(found)} layers; expected at most {_MAX_WORDS}", "Leave some out.")
    tokens = [_read(_Token(m.group(), i + 1, m.start() + 1, text)) for i, m in enumerate(found)]
    last = tokens[-1]
    if last.name != "fc" or last.main is not None:
        raise last.fault(
            f"the last word is {last.text!r}; expected fc, with one output for each class",
            "Add fc at the end.",
        )
    return tokens


def _parts(word: str) -> tuple[str, str | None, str] | None:
    """A word's name, main number and settings; a setting may follow the name directly: ``pools2``."""
    match = _TOKEN.fullmatch(word)
    if match is None:
        return None
    name, main, rest = match["name"], match["main"], match["rest"]
    if name in _BUILDERS:
        return name, main, rest
    name, letter = name[:-1], name[-1:]
    if name in _BUILDERS and _BUILDERS[name].letters and main is not None:
        return name, None, letter + main + rest
    return None


def _read(token: _Token, *, hinted: bool = True) -> _Token:
    parts = _parts(token.text.lower())
    if parts is None:
        raise token.fault(
            f"{token.text!r} is not a layer; expected one of {', '.join(WORDS)}",
            suggestion(token.whole[token.column - 1 :]) if hinted else "",
        )
    if re.search(r"\d{10}", token.text):
        raise token.fault(f"{token.text[:40]!r}… has a number of 10 digits or more; expected at most 9")
    name, main, rest = parts
    allowed = _BUILDERS[name].letters
    if rest.startswith("-") and "k" in allowed:  # conv32-5 is conv32k5
        rest = "k" + rest[1:]
    settings = _SETTING.findall(rest)
    if "".join(letter + number for letter, number in settings) != rest:
        raise token.fault(
            f"{token.text!r} ends with {rest!r}; expected {_expected(name)}",
            suggestion(token.whole[token.column - 1 :]) if hinted else "",
        )
    letters = [letter for letter, _ in settings]
    for letter, number in settings:
        if letter not in allowed or letters.count(letter) > 1:
            raise token.fault(
                f"{token.text!r} sets {letter!r} {_why(letter in allowed)}; expected {_expected(name)}"
            )
        lowest = 0 if letter == "p" else 1
        if not lowest <= int(number) <= _LIMITS[letter]:
            raise token.fault(f"{letter}{number} is out of range; expected {lowest} to {_LIMITS[letter]}")
    return _Token(
        token.text,
        token.number,
        token.column,
        token.whole,
        name,
        main,
        tuple((letter, int(number)) for letter, number in settings),
    )


def _why(known: bool) -> str:
    return "twice" if known else "which it does not have"


def _expected(name: str) -> str:
    letters = _BUILDERS[name].letters
    if not letters:
        return _BUILDERS[name].form
    return f"{_BUILDERS[name].form}, then {', '.join(letters)} each with a number"


def _shortened(marked: str, reach: int = 40) -> str:
    """The text around the mark."""
    marked = " ".join(marked.split())
    start, end = max(0, marked.index("»") - reach), marked.index("«") + reach
    return ("…" if start else "") + marked[start:end] + ("…" if end < len(marked) else "")


def _whole_number(token: _Token, kind: str) -> int:
    if token.main is None or "." in token.main or not 1 <= int(token.main) <= _LIMITS[kind]:
        given = "no number" if token.main is None else token.main
        raise token.fault(
            f"{token.name} has {given}; expected a whole number, 1 to {_LIMITS[kind]}, right after it"
        )
    return int(token.main)


def _refuse_number(token: _Token) -> None:
    if token.main is not None:
        raise token.fault(f"{token.text!r} has a number; expected {token.name} alone")


def _conv(token: _Token, channels: int, following: _Token | None) -> Layer:
    depthwise = token.name == "dwconv"
    if depthwise:
        _refuse_number(token)
    kernel, dilation = token.get("k", 3), token.get("d", 1)
    return nn.Conv(
        channels if depthwise else _whole_number(token, "conv"),
        kernel,
        stride=token.get("s", 1),
        padding=token.get("p", dilation * (kernel - 1) // 2),
        dilation=dilation,
        groups=channels if depthwise else token.get("g", 1),
        bias=following is None or following.name != "bn",
    )


def _pool(token: _Token) -> Layer:
    window = 2 if token.main is None else _whole_number(token, "pool")
    kind = nn.MaxPool if token.name == "pool" else nn.AvgPool
    return kind(window, stride=token.get("s", window), padding=token.get("p", 0))


def _leaky(token: _Token) -> Layer:
    slope = 0.01 if token.main is None else float(token.main)
    if not 0 <= slope < 1:
        raise token.fault(f"leaky has slope {slope:g}; expected 0 up to, not including, 1")
    return nn.LeakyRelu(slope)


def _dropout(token: _Token, seed: int) -> Layer:
    rate = 0.5 if token.main is None else float(token.main)
    if not 0 < rate < 1:
        raise token.fault(
            f"dropout is {rate:g}; expected a rate between 0 and 1", "Write dropout0.5 for half."
        )
    return nn.Dropout(rate, seed=seed * 1009 + token.number)


@dataclass(frozen=True)
class _Word:
    """How a word is written, and the layer if it has no settings."""

    form: str
    letters: str = ""
    layer: Callable[[], Layer] | None = None


_BUILDERS: dict[str, _Word] = {
    "conv": _Word("conv32: channels, or conv32-5: channels and kernel", "kspdg"),
    "dwconv": _Word("dwconv", "kspd"),
    "bn": _Word("bn", layer=nn.BatchNorm),
    "relu": _Word("relu or relu6", layer=nn.Relu),
    "leaky": _Word("leaky or leaky0.1: slope"),
    "sigmoid": _Word("sigmoid", layer=nn.Sigmoid),
    "tanh": _Word("tanh", layer=nn.Tanh),
    "silu": _Word("silu", layer=nn.Silu),
    "gelu": _Word("gelu", layer=nn.Gelu),
    "pool": _Word("pool or pool3: window", "sp"),
    "avgpool": _Word("avgpool or avgpool3: window", "sp"),
    "gap": _Word("gap", layer=nn.GlobalAvgPool),
    "flatten": _Word("flatten", layer=nn.Flatten),
    "dropout": _Word("dropout or dropout0.5: rate"),
    "fc": _Word("fc, or fc128: outputs"),
}


def is_layer(text: str) -> bool:
    """Whether a text is a word that layers are written in, whatever its settings."""
    found = _TOKEN.fullmatch(text)
    return found is not None and found["name"] in _BUILDERS


def _add_layers(graph: Graph, token: _Token, following: _Token | None, network: tuple[int, int]) -> None:
    """Add the layers that one word describes."""
    classes, seed = network
    plain = _BUILDERS[token.name].layer
    if token.text == "relu6":
        graph.add(nn.Relu6())
    elif plain is not None:
        _refuse_number(token)
        graph.add(plain())
    elif token.name in ("conv", "dwconv"):
        graph.add(_conv(token, graph.output_shape.channels, following))
    elif token.name in ("pool", "avgpool"):
        graph.add(_pool(token))
    elif token.name == "leaky":
        graph.add(_leaky(token))
    elif token.name == "dropout":
        graph.add(_dropout(token, seed))
    else:
        if graph.output_shape[:2] != (1, 1):
            graph.add(nn.Flatten())
        last = token.main is None
        graph.add(nn.Linear(classes if last else _whole_number(token, "fc")), name="head" if last else None)
