"""What can be said after ``cnncli train``."""

from cnncli.cli.options.model import command, option
from cnncli.cli.options.shared import (
    DATASET,
    DEBUG,
    LABEL_COLUMN,
    MAX_PIXELS,
    OFFLINE,
    PATH_COLUMN,
    QUIET,
    SPLITS,
    TEXT_COLUMN,
    THREADS,
)


@command(
    "Train a network on folders or tables of images, on tables of texts, or on folders of clips.\n\n"
    "Checkpoints, learning curves and misclassified images are written to a folder."
)
class Settings:
    """What was said after ``cnncli train``."""

    dataset: str | None = DATASET
    model: str | None = option(
        "--model",
        "-m",
        help=(
            "compact, lenet5, resnet18 or another of the README's models, or layers: 'conv32 relu "
            "conv64 relu pool fc128 relu dropout0.5 fc'; textcnn for texts, clipcnn for clips.  "
            "[default: auto, by the data]"
        ),
        metavar="MODEL",
    )
    output: str | None = option(
        "--output", "-o", help="Folder to write to.  [default: runs/DATASET-MODEL]", metavar="RUN"
    )
    task: str | None = option(
        "--task",
        help=(
            "What to learn: classify (images or texts), segment, detect, localize, video.  "
            "[default: by the data]"
        ),
        metavar="WORD",
    )
    epochs: int | None = option(
        "--epochs",
        help="Passes over the training data.  [default: 18 to 100, by the number of images]",
        metavar="N",
    )
    batch_size: int | None = option(
        "--batch-size", "-b", help="Images per step.  [default: 8 to 64, by their number]", metavar="N"
    )
    lr: float | None = option(
        "--lr", help="Highest learning rate.  [default: by optimiser, batch size and network]", metavar="RATE"
    )
    opt: str | None = option(
        "--opt",
        help=(
            "Optimiser: adamw, adam, sgd, rmsprop, or muon, which is adamw but for convolutions."
            "  [default: adamw; muon for masks and detection]"
        ),
        metavar="NAME",
    )
    sched: str | None = option(
        "--sched",
        help=(
            "Schedule of the learning rate: constant, step, cosine, linear or one-cycle; with"
            " parameters: cosine:warmup=2 (epochs), step:at=0.5/0.75,gamma=0.1.  [default: one-cycle;"
            " linear:warmup=1 for masks]"
        ),
        metavar="NAME",
    )
    weight_decay: float | None = option(
        "--weight-decay",
        help="Weight decay, of all but biases and normalisation layers.  [default: by the optimiser]",
        metavar="D",
    )
    momentum: float | None = option(
        "--momentum",
        help="Momentum of sgd (Nesterov), rmsprop and muon.  [default: 0.9; 0.95 for muon]",
        metavar="M",
    )
    smoothing: float | None = option(
        "--smoothing",
        help=(
            "Label smoothing: the share of each target that is spread over all classes.  [default: 0.05; for "
            "masks 0]"
        ),
        metavar="S",
    )
    augment: str | None = option(
        "--augment",
        help=(
            "Augmentation: auto, none, or a list such as shift=2,rotate=10,flip (pixels, "
            "degrees); others: vflip, rot90, scale=0.1, shear=5, crop=4, erase, color=0.2, mixup=0.2.  "
            "[default: auto]"
        ),
        metavar="HOW",
    )
    seed: int | None = option(
        "--seed",
        help="Seed of all random numbers: the same seed gives the same bits.  [default: 0]",
        metavar="N",
    )
    val_split: float | None = option(
        "--val-split",
        help="Share of the training images to set aside for validation.  [default: 0.1]",
        metavar="S",
    )
    patience: int | None = option(
        "--patience", help="Stop after N epochs in a row without a higher validation accuracy.", metavar="N"
    )
    class_weights: bool = option(
        "--class-weights", help="Weight the loss so that every class counts alike, however few images it has."
    )
    ema: float | None = option(
        "--ema",
        help="Keep an exponential moving average of the weights, with decay D such as 0.99.",
        metavar="D",
    )
    clip: float | None = option("--clip", help="Clip the norm of the gradient at N.", metavar="N")
    init: str | None = option(
        "--init",
        help=(
            "Start from a checkpoint, imagenet, or weights of torchvision or timm for the network -m names; "
            "the head keeps the weights of classes with the same names."
        ),
        metavar="FILE",
    )
    freeze: bool = option("--freeze", help="With --init: train the head only.")
    vectors: str | None = option(
        "--vectors",
        help="For texts: vectors of words to start from, as word2vec or GloVe write them as text, also .gz.",
        metavar="FILE",
    )
    frames: int | None = option(
        "--frames", help="For clips: frames that the network reads at once.  [default: 8]", metavar="N"
    )
    frame_step: int | None = option(
        "--frame-step",
        help="For clips: from one of these frames to the next.  [default: so that they span a clip]",
        metavar="N",
    )
    strict: bool = option(
        "--strict", help="Refuse data of which something cannot be used, instead of leaving that out."
    )
    record_features: bool = option(
        "--record-features",
        help=(
            "After every epoch, keep the first kernels, some feature maps and the validation images as "
            "points, for featuremaps RUN --view history."
        ),
    )
    resume: str | None = option(
        "--resume",
        help=(
            "Continue a run that was stopped; needs no DATASET. --epochs N makes it longer: "
            "epochs planned before keep their learning rates, further ones have those of a run of"
            " N epochs."
        ),
        metavar="RUN",
    )
    data: str | None = option("--data", help="With --resume: where the run's images are now.", metavar="PATH")
    find_lr: bool = option(
        "--find-lr", help="Search for a good learning rate, print it and draw the losses; train nothing."
    )
    look: bool = option(
        "--look",
        help=(
            "Draw a page of samples with their classes or boxes, augmented as in training, to -o PAGE.png; "
            "train nothing.  [default: DATASET-look.png]"
        ),
    )
    dry_run: bool = option("--dry-run", help="Print what would be trained; train and write nothing.")
    size: str | None = option(
        "--size",
        help="Resize the images, in pixels.  [default: their own size if small and all alike, else 64]",
        metavar="N|WxH",
    )
    fit: str | None = option(
        "--fit",
        help="Images of another aspect ratio: crop, pad with black, or stretch.  [default: crop]",
        metavar="HOW",
    )
    splits: bool | None = SPLITS
    label_column: str | None = LABEL_COLUMN
    path_column: str | None = PATH_COLUMN
    text_column: str | None = TEXT_COLUMN
    offline: bool = OFFLINE
    max_pixels: int | None = MAX_PIXELS
    json: bool = option("--json", help="Print one JSON object at the end.")
    quiet: bool = QUIET
    threads: int | None = THREADS
    debug: bool = DEBUG
