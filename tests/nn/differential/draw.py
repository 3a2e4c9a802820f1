"""Random networks: words of the grammar that fit one another, and the batches they are tried with.

What fits is decided here by the formulas of PyTorch's documentation, not by our own code, so that a
network that we refuse, or that we give another shape, is found as well.
"""

from dataclasses import dataclass, field

import numpy as np

MOST_VALUES = 400_000  # of an activation of the whole batch, so that a network takes about a second
MOST_WORK = 400_000_000  # multiply-adds of a batch
STEPS = 3


@dataclass(frozen=True)
class Word:
    """A word of the grammar, and what it means.

    ``kind`` is ``conv``, ``fc``, ``bn``, ``maxpool``, ``avgpool``, ``gap``, ``flatten``, ``dropout`` or an
    activation's name; the others are that layer's settings.
    """

    text: str
    kind: str
    channels: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    bias: bool = True
    number: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained for a few steps."""

    seed: int
    shape: tuple[int, int, int]
    classes: int
    words: tuple[Word, ...]
    samples: tuple[int, ...]  # of each step; the first is the batch size
    optimiser: tuple[str, dict[str, float]]
    rate: float
    clip: float
    smoothing: float
    weighted: bool
    mixed: bool
    threads: int

    @property
    def text(self):
        return " ".join(word.text for word in self.words)

    def __str__(self):
        height, width, channels = self.shape
        name, settings = self.optimiser
        extras = [f"{key}={value:g}" for key, value in settings.items()]
        extras += [
            f"{key}={getattr(self, key):g}" for key in ("clip", "smoothing", "weighted", "mixed", "threads")
        ]
        return (
            f"seed {self.seed}: {self.text!r} on {height}x{width}x{channels}, {self.classes} classes, "
            f"batches {self.samples}, {name} {' '.join(extras)}"
        )


@dataclass
class _State:
    """What reaches the next word."""

    height: int
    width: int
    channels: int
    batch: int
    flat: bool = False  # a flattened image: its channels fall into no groups
    work: int = 0
    words: list[Word] = field(default_factory=list)


def draw(seed):
    """The recipe of a seed."""
    random = np.random.default_rng(seed)
    high = 41 if random.random() < 0.5 else 14
    shape = tuple(int(n) for n in random.integers(1, high, 2))
    if random.random() < 0.15:
        shape = (1, 1)
    batch = int(random.choice([1, 2, 3, 16, 17, 33, random.integers(1, 34)]))
    state = _State(*shape, _channels(random), batch)
    shape = (*shape, state.channels)
    while state.height * state.width * state.channels * batch > MOST_VALUES:
        batch = state.batch = batch // 2
    wanted = int(random.integers(1, 11))
    for _ in range(60):
        if len(state.words) >= wanted:
            break
        _grow(random, state)
    return _recipe(random, seed, shape, state)


def _recipe(random, seed, shape, state):
    classes = int(random.choice([2, 3, 10, 16, 17, 70]))
    names = [word.kind for word in state.words]
    words = [*state.words, Word("fc", "fc", classes)]
    # PyTorch refuses a batch norm of a single value a channel, and so does the command line.
    least = 2 if "bn" in names and state.batch > 1 else 1
    samples = [state.batch, *(int(n) for n in random.integers(least, state.batch + 1, STEPS - 1))]
    kinds = {
        "SGD": {"momentum": float(random.choice([0, 0.9])), "weight_decay": float(random.choice([0, 0.01]))},
        "Nesterov": {"momentum": 0.8, "weight_decay": float(random.choice([0, 0.01]))},
        "Dampened": {"momentum": 0.7, "dampening": 0.5},
        "Adam": {"weight_decay": float(random.choice([0, 0.01]))},
        "AdamW": {"weight_decay": float(random.choice([0.01, 0.1]))},
        "RMSprop": {"momentum": float(random.choice([0, 0.5])), "weight_decay": 0.001},
    }
    name = str(random.choice(list(kinds)))
    return Recipe(
        seed,
        shape,
        classes,
        tuple(_with_bias(words)),
        tuple(samples),
        (name, kinds[name]),
        rate=float(10 ** random.uniform(-4, -1.5)),
        clip=float(random.choice([0, 0, 0.1])),
        smoothing=float(random.choice([0, 0.1])),
        weighted=bool(random.random() < 0.3),
        mixed=bool(random.random() < 0.3),
        threads=int(random.integers(1, 4)),
    )


def _with_bias(words):
    """A convolution right before a batch norm has no bias."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        without = word.kind == "conv" and following is not None and following.kind == "bn"
        yield Word(**{**vars(word), "bias": not without})


def _channels(random):
    near = int(random.choice([1, 3, 4, 8, 15, 16, 17, 32, 33, 48, 64]))
    return int(random.choice([near, near, random.integers(1, 71)]))


def _grow(random, state):
    """Add a random word, if it fits."""
    makers = [_conv] * 6 + [_depthwise, _activation, _activation, _activation, _norm, _norm, _pool, _pool]
    makers += [_gap, _flatten, _dropout, _full]
    made = makers[random.integers(len(makers))](random, state)
    if made is None:
        return
    word, (height, width, channels) = made
    work = height * width * channels * word.kernel**2 * state.channels // word.groups * state.batch
    large = height * width * channels * state.batch > MOST_VALUES or state.work + work > MOST_WORK
    if min(height, width) < 1 or large:
        return
    if word.kind == "flatten" or (word.kind == "fc" and (state.height, state.width) != (1, 1)):
        state.flat = word.kind == "flatten"
    elif word.kind in ("conv", "fc"):
        state.flat = False
    state.height, state.width, state.channels = height, width, channels
    state.work += work
    state.words.append(word)


def _setting(random, letter, value, default):
    """A setting as it is written: often left out where it is the default."""
    return "" if value == default and random.random() < 0.8 else f"{letter}{value}"


def _sizes(random):
    kernel = int(random.choice([1, 2, 3, 3, 3, 3, 4, 5, 7]))
    dilation = int(random.choice([1, 1, 1, 1, 2, 3]))
    stride = int(random.choice([1, 1, 1, 1, 2, 3]))
    default = dilation * (kernel - 1) // 2
    padding = int(random.choice([default, default, default, 0, 1, random.integers(0, kernel + 2)]))
    return kernel, stride, padding, dilation, default


def _conv(random, state, *, depthwise=False):
    kernel, stride, padding, dilation, default = _sizes(random)
    channels = state.channels if depthwise else _channels(random)
    groups = 1
    if depthwise:
        if state.flat:
            return None
        groups = channels
    elif not state.flat and random.random() < 0.15:
        fits = [g for g in range(1, 17) if state.channels % g == 0 and channels % g == 0]
        groups = int(random.choice(fits))
    written = "dwconv" if depthwise else f"conv{channels}"
    dashed = random.random() < 0.3
    written += f"-{kernel}" if dashed else _setting(random, "k", kernel, 3)
    written += _setting(random, "s", stride, 1) + _setting(random, "p", padding, default)
    written += _setting(random, "d", dilation, 1)
    if not depthwise:
        written += _setting(random, "g", groups, 1)
    room = [n + 2 * padding - dilation * (kernel - 1) - 1 for n in (state.height, state.width)]
    word = Word(written, "conv", channels, kernel, stride, padding, dilation, groups)
    return word, (room[0] // stride + 1, room[1] // stride + 1, channels)


def _depthwise(random, state):
    return _conv(random, state, depthwise=True)


def _pool(random, state):
    window = int(random.choice([1, 2, 2, 2, 3, 3, 4, 5]))
    stride = int(random.choice([window, window, 1, 2, 3]))
    padding = int(random.choice([0, 0, window // 2]))
    average = random.random() < 0.4
    written = "avgpool" if average else "pool"
    written += "" if window == 2 and random.random() < 0.7 else str(window)
    written += _setting(random, "s", stride, window) + _setting(random, "p", padding, 0)
    sizes = [(n + 2 * padding - window) // stride + 1 for n in (state.height, state.width)]
    if state.flat and sizes != [1, 1]:
        return None
    kind = "avgpool" if average else "maxpool"
    return Word(written, kind, kernel=window, stride=stride, padding=padding), (*sizes, state.channels)


def _activation(random, state):
    kind = str(random.choice(["relu", "relu", "relu", "leaky", "sigmoid", "tanh", "silu", "gelu"]))
    slope = float(random.choice([0.01, 0.2]))
    written = "leaky0.2" if kind == "leaky" and slope == 0.2 else kind
    return Word(written, kind, number=slope), (state.height, state.width, state.channels)


def _norm(random, state):
    if state.batch == 1 or state.height * state.width * state.batch < 4:
        return None
    return Word("bn", "bn"), (state.height, state.width, state.channels)


def _gap(random, state):
    return Word("gap", "gap"), (1, 1, state.channels)


def _flatten(random, state):
    return Word("flatten", "flatten"), (1, 1, state.height * state.width * state.channels)


def _dropout(random, state):
    share = float(random.choice([0.5, 0.25]))
    written = "dropout" if share == 0.5 else "dropout0.25"
    return Word(written, "dropout", number=share), (state.height, state.width, state.channels)


def _full(random, state):
    channels = _channels(random)
    return Word(f"fc{channels}", "fc", channels), (1, 1, channels)
