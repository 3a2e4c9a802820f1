"""What a run was asked for: validated once, kept in ``config.json``, the same again when it is resumed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

from cnncli.checked import Fields, MalformedError
from cnncli.data.augment import parse_augment
from cnncli.data.clips import LONGEST
from cnncli.data.layout import Layout
from cnncli.data.prepare import FITS, MAX_SIDE
from cnncli.errors import CnncliError
from cnncli.models.choice import check_model
from cnncli.nn import SGD, Adam, AdamW, Muon, Optimiser, RMSprop
from cnncli.tasks import FINDS_BOXES, WORDS
from cnncli.training.schedules import parse_schedule

# Options that runs of the first release lack.
_LATER = frozenset(
    (
        "splits",
        "label_column",
        "path_column",
        "text_column",
        "vectors",
        "size",
        "fit",
        "task",
        "record_features",
        "frames",
        "frame_step",
        "strict",
    )
)
_OPTIMISERS = ("sgd", "adam", "adamw", "rmsprop", "muon")
_RATES = {"sgd": 0.1, "adam": 0.002, "adamw": 0.005, "rmsprop": 0.001, "muon": 0.009}
_DECAYS = {"sgd": 5e-4, "adam": 0.0, "adamw": 0.05, "rmsprop": 0.0, "muon": 0.05}
_MOMENTA = {"sgd": 0.9, "rmsprop": 0.9, "muon": 0.95}
#: What a run without --epochs shows to the network, and the fewest and most epochs. Texts are learned by
#: heart sooner, and an image with a target for each pixel teaches more.
_SHOWN = {
    "images": (86_400, 18, 100),
    "texts": (48_000, 4, 30),
    "pixels": (39_000, 12, 100),
    "clips": (40_000, 10, 60),
    "boxes": (50_400, 20, 150),
    "box": (117_000, 20, 100),
}
#: Of the learning rate of images. What answers for many points has more to go by in a step, and such runs are
#: short: after 14,400 scenes of 64 pixels five times the rate has found 0.67 instead of 0.42 (mAP@.5) and
#: 0.56 instead of 0.48 (mean IoU). Weights to start from are not to be lost, and are trained slower.
_RATE_OF = {"texts": 0.2, "pixels": 5.0, **dict.fromkeys(FINDS_BOXES, 5.0)}
#: With Muon masks of scenes come to 88.4 % in 21 epochs, with 1.6 times this rate to 87.8 % (one run each).
_MUON_RATE_OF = {**_RATE_OF, "pixels": 3.15}
_BATCHES = {"pixels": 8, **dict.fromkeys(FINDS_BOXES, 16)}  # at most
_USUAL_OPTIMISER = "adamw"
#: Of some targets: masks of scenes are as good after 12 epochs with Muon as after 21 with AdamW, and boxes
#: have a mAP of 75.7 instead of 65.0 % after 8. With one box, what it is becomes surer (95.8 instead of
#: 94.4 % after 65 epochs), but where it is less (0.73 instead of 0.78 mean IoU).
_OPTIMISER_OF = dict.fromkeys(("pixels", "boxes"), "muon")
USUAL_SCHEDULE = "one-cycle"
#: Masks of scenes: mean IoU 87.5 % in both of two runs of 20 and 21 epochs, 86.9 to 87.4 % with one cycle.
_SCHEDULE_OF = {"pixels": "linear:warmup=1"}
_SMOOTHING = 0.05  # of the targets of images and texts; pixels have neighbours of other classes as it is
_STEPS = 20  # of an epoch that a run without --batch-size has, within these batches:
_SMALLEST_BATCH, _USUAL_BATCH = 8, 64


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a training run, under the names that users give them.

    Attributes
    ----------
    dataset, model : str
        As `load_dataset` and `architecture` take them.
    epochs : int or None
        None: by the number of images, 18 to 100.
    batch_size : int or None
        Images of a step. None: by the number of images, 8 to 64.
    lr : float or None
        Highest learning rate. None: what suits the optimiser, the batch and the network.
    opt : str or None
        ``sgd``, ``adam``, ``adamw``, ``rmsprop`` or ``muon``. None: what suits the targets.
    sched : str or None
        As `parse_schedule` takes it. None: what suits the targets.
    weight_decay : float or None
        Not applied to biases and norms. None: what suits the optimiser.
    momentum : float or None
        Of SGD (Nesterov's), RMSprop and Muon. None: what suits the optimiser.
    smoothing : float or None
        Share of each target spread over all classes. None: 0.05, and 0 where pixels are the targets.
    augment : str
        As `parse_augment` takes it.
    seed : int
        Of weights, order, augmentation and dropout.
    val_split : float
        Share of the training images for validation.
    patience : int or None
        Stop after so many epochs in a row without a higher validation accuracy.
    init : str or None
        Checkpoint to start from.
    freeze : bool
        Train the head only.
    class_weights : bool
        Every class counts alike, however many images it has.
    ema : float
        Decay of averaged weights; 0 for none.
    clip : float
        Limit of the gradient's norm; 0 for none.
    offline : bool
        Download nothing.
    splits, label_column, path_column, text_column
        As `Layout` has them.
    vectors : str or None
        File of the first vectors of words.
    size : str or None
        What images are brought to, ``N`` or ``WxH``. None: by the images.
    fit : str or None
        How images of other shapes are, of `FITS`. None: ``crop``, or as the checkpoint to start from has it.
    task : str or None
        What is to be learned of the data, a key of `tasks.WORDS`; None: what their targets say.
    frames, frame_step : int or None
        Of clips: how many frames are read at once, and from one of them to the next. None: by the clips.
    strict : bool
        Refuse data of which something cannot be used.
    record_features : bool
        Keep what the network has learned after every epoch.
    max_pixels : int or None
        Larger images are left out; None: `DEFAULT_MAX_PIXELS`.
    """

    dataset: str
    model: str = "auto"
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    opt: str | None = None
    sched: str | None = None
    weight_decay: float | None = None
    momentum: float | None = None
    smoothing: float | None = None
    augment: str = "auto"
    seed: int = 0
    val_split: float = 0.1
    patience: int | None = None
    init: str | None = None
    freeze: bool = False
    class_weights: bool = False
    ema: float = 0.0
    clip: float = 0.0
    offline: bool = False
    splits: bool | None = None
    label_column: str | None = None
    path_column: str | None = None
    text_column: str | None = None
    vectors: str | None = None
    size: str | None = None
    fit: str | None = None
    task: str | None = None
    strict: bool = False
    record_features: bool = False
    max_pixels: int | None = None
    frames: int | None = None
    frame_step: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of range, with the option's name."""
        _within("--epochs", self.epochs, 1, 1_000_000, whole=True)
        _within("--batch-size", self.batch_size, 1, 65_536, whole=True)
        _within("--lr", self.lr, 1e-12, 1e6)
        _within("--weight-decay", self.weight_decay, 0, 1e3)
        _within("--momentum", self.momentum, 0, 0.9999)
        _within("--smoothing", self.smoothing, 0, 0.99)
        _within("--seed", self.seed, 0, 2**63 - 1, whole=True)
        _within("--val-split", self.val_split, 0, 0.99)
        _within("--patience", self.patience, 1, 1_000_000, whole=True)
        _within("--ema", self.ema, 0, 0.999999)
        _within("--clip", self.clip, 0, 1e12)
        _within("--max-pixels", self.max_pixels, 1, 2**62, whole=True)
        _within("--frames", self.frames, 1, LONGEST, whole=True)
        _within("--frame-step", self.frame_step, 1, 100_000, whole=True)
        if self.opt is not None:
            _one_of("--opt", self.opt, _OPTIMISERS)
        if self.fit is not None:
            _one_of("--fit", self.fit, FITS)
        if self.task is not None:
            _one_of("--task", self.task, tuple(WORDS))
        parse_size(self.size)
        if self.sched is not None:
            parse_schedule(self.sched)
        parse_augment(self.augment)
        check_model(self.model)
        if self.freeze and self.init is None:
            raise CnncliError(
                "--freeze without --init; expected a checkpoint whose layers are kept",
                "Add --init FILE, or leave --freeze out.",
            )
        if self.patience is not None and self.val_split == 0:
            raise CnncliError(
                "--patience with --val-split 0; expected a validation split that it can watch",
                "Leave out one of the two.",
            )

    def settled(self, images: int, *, of: str = "images") -> "TrainOptions":
        """The same with a number for all that was left to choose.

        Parameters
        ----------
        images : int
            For training.
        of : str
            What there are targets for: ``images``, ``texts``, ``clips`` or ``pixels``.
        """
        seen, fewest, most = _SHOWN[of]
        by_images = min(most, max(fewest, -(-seen // max(1, images))))
        opt = self.opt or _OPTIMISER_OF.get(of, _USUAL_OPTIMISER)
        share = (_MUON_RATE_OF if opt == "muon" else _RATE_OF).get(of, 1.0)
        share = min(share, 1.0) if self.init else share
        batch = self.batch_size or min(usual_batch(images), _BATCHES.get(of, _USUAL_BATCH))
        return replace(
            self,
            opt=opt,
            sched=self.sched or _SCHEDULE_OF.get(of, USUAL_SCHEDULE),
            epochs=self.epochs or by_images,
            batch_size=batch,
            lr=self.lr or usual_rate(opt, min(batch, images), share),
            smoothing=self.smoothing if self.smoothing is not None else _SMOOTHING * (of != "pixels"),
            weight_decay=_DECAYS[opt] if self.weight_decay is None else self.weight_decay,
            momentum=_MOMENTA.get(opt) if self.momentum is None else self.momentum,
        )

    def at(self, **changes: Any) -> "TrainOptions":
        """The same with other values for some."""
        return replace(self, **changes)

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(H, W) of ``size``."""
        return parse_size(self.size)

    @property
    def command(self) -> str:
        """The command that repeats this run."""
        import shlex

        words = ["cnncli", "train", self.dataset]
        default = {each.name: each.default for each in fields(self)}
        for name, value in self.as_dict().items():
            if name == "dataset" or value == default[name]:
                continue
            flag = f"--{'no-' if value is False else ''}{name.replace('_', '-')}"
            words += (
                [flag]
                if isinstance(value, bool)
                else [flag, f"{value:g}" if isinstance(value, float) else str(value)]
            )
        return shlex.join(words)

    def optimiser(self) -> Optimiser:
        """The optimiser, of settled options."""
        decay, momentum = self.weight_decay or 0.0, self.momentum or 0.0
        if self.opt == "sgd":
            return SGD(momentum=momentum, nesterov=momentum > 0, weight_decay=decay)
        if self.opt == "rmsprop":
            return RMSprop(momentum=momentum, weight_decay=decay)
        if self.opt == "muon":
            return Muon(momentum=momentum, weight_decay=decay)
        kind = Adam if self.opt == "adam" else AdamW
        return kind(weight_decay=decay)

    @property
    def layout(self) -> Layout:
        """What the data set does not tell of itself."""
        return Layout(
            splits=self.splits,
            label_column=self.label_column,
            path_column=self.path_column,
            text_column=self.text_column,
        )

    def as_dict(self) -> dict[str, Any]:
        """For ``config.json``."""
        return asdict(self)

    @classmethod
    def from_fields(cls, given: Fields) -> "TrainOptions":
        """The reverse of `as_dict`, of JSON that may come from anywhere.

        Raises
        ------
        MalformedError
            For a value that is missing, of another type or out of range, and names that are unknown.
        """
        known = {each.name: each for each in fields(cls)}
        known = {name: each for name, each in known.items() if name in given or name not in _LATER}
        given.only(known.keys())
        values = given.raw()
        for name, each in known.items():
            if values[name] is None and isinstance(None, each.type):  # type: ignore[arg-type]
                continue
            values[name] = _READERS[_plain_type(each.type)](given, name)
        try:
            return cls(**values)
        except CnncliError as error:
            raise MalformedError(error.message) from error


def _plain_type(annotation: Any) -> type:
    """``int`` of ``int | None``."""
    kinds: tuple[type, ...] = get_args(annotation) or (annotation,)
    return next(each for each in kinds if each is not type(None))


_READERS: dict[type, Callable[[Fields, str], Any]] = {
    bool: Fields.flag,
    str: Fields.text,
    float: Fields.number,
    int: lambda given, name: given.whole(name, -(2**63), 2**63 - 1),
}


def parse_size(text: str | None, option: str = "--size") -> tuple[int, int] | None:
    """Read ``--size``, or another option of its kind: ``N`` for N x N pixels, or ``WxH``.

    Returns
    -------
    (H, W) or None

    Raises
    ------
    CnncliError
        Where it is neither, or a side is out of range.
    """
    import re

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})(?:\s*[x×X]\s*(\d{1,6}))?", text.strip(), re.ASCII)
    width, height = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise CnncliError(
            f"{option} is {text!r}; expected a side, or width x height, of 1 to {MAX_SIDE:,} pixels",
            f"Use {option} 64, or {option} 96x64.",
        )
    return height, width


def usual_batch(images: int) -> int:
    """The batch of a run of so many training images: a power of two, such that an epoch has 20 steps."""
    whole = max(_SMALLEST_BATCH, min(_USUAL_BATCH, images // _STEPS))
    return 1 << whole.bit_length() - 1


def usual_rate(opt: str | None, batch: int = _USUAL_BATCH, part: float = 1.0) -> float:
    """The learning rate that suits an optimiser (None: the usual one), or this part of it, to two digits.

    Of batches below 64 images, whose gradients are noisier, the share batch / 64 with SGD, and the root of
    that with the others.

    Source: Goyal et al., Accurate, large minibatch SGD, 2017; Malladi et al., On the SDEs and scaling rules
    for adaptive gradient algorithms, 2022.
    """
    share = min(1.0, batch / _USUAL_BATCH)
    opt = opt or _USUAL_OPTIMISER
    return float(f"{part * _RATES[opt] * (share if opt == 'sgd' else share**0.5):.2g}")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        from cnncli.nearest import did_you_mean

        raise CnncliError(
            f"{name} is {value!r}; expected {', '.join(known)}",
            did_you_mean(value, known, form=f"{name} {{}}") or f"Say {name} {known[0]}.",
        )


def _within(name: str, value: float | None, low: float, high: float, *, whole: bool = False) -> None:
    if value is not None and not low <= value <= high:  # NaN fails too
        kind = "a whole number, " if whole else ""
        least = low if low else 0
        raise CnncliError(
            f"{name} is {value:g}; expected {kind}{least:g} to {high:g}", f"Give {name} another value."
        )
