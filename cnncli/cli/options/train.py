"""What can be said after ``cnncli train``."""

from cnncli.cli.options.model import Command, Option
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

COMMAND = Command(
    help="Train a network on folders or tables of images, or on tables of texts.\n\n"
    "Checkpoints, learning curves and misclassified images are written to a folder.",
    options=(
        DATASET,
        Option(
            "model",
            ("--model", "-m"),
            str,
            "compact, lenet5, resnet18 or another of the README's models, or layers: 'conv32 relu "
            "conv64 relu pool fc128 relu dropout0.5 fc'; textcnn for texts.  [default: auto, by the data]",
            metavar="MODEL",
        ),
        Option(
            "output",
            ("--output", "-o"),
            str,
            "Folder to write to.  [default: runs/DATASET-MODEL]",
            metavar="RUN",
        ),
        Option(
            "epochs",
            ("--epochs",),
            int,
            "Passes over the training data.  [default: 18 to 100, by the number of images]",
            metavar="N",
        ),
        Option(
            "batch_size",
            ("--batch-size", "-b"),
            int,
            "Images per step.  [default: 8 to 64, by their number]",
            metavar="N",
        ),
        Option(
            "lr",
            ("--lr",),
            float,
            "Highest learning rate.  [default: by the optimiser and the batch size]",
            metavar="RATE",
        ),
        Option(
            "opt",
            ("--opt",),
            str,
            "Optimiser: adamw, adam, sgd or rmsprop.  [default: adamw]",
            metavar="NAME",
        ),
        Option(
            "sched",
            ("--sched",),
            str,
            "Schedule of the learning rate: constant, step, cosine or one-cycle; with parameters:"
            " cosine:warmup=2 (epochs), step:at=0.5/0.75,gamma=0.1.  [default: one-cycle]",
            metavar="NAME",
        ),
        Option(
            "weight_decay",
            ("--weight-decay",),
            float,
            "Weight decay, of all but biases and normalisation layers.  [default: by the optimiser]",
            metavar="D",
        ),
        Option(
            "momentum",
            ("--momentum",),
            float,
            "Momentum of sgd (Nesterov) and rmsprop.  [default: 0.9]",
            metavar="M",
        ),
        Option(
            "smoothing",
            ("--smoothing",),
            float,
            "Label smoothing: the share of each target that is spread over all classes.  [default: 0.05]",
            metavar="S",
        ),
        Option(
            "augment",
            ("--augment",),
            str,
            "Augmentation: auto, none, or a list such as shift=2,rotate=10,flip (pixels, "
            "degrees); others: vflip, rot90, scale=0.1, shear=5, crop=4, erase, color=0.2, mixup=0.2.  "
            "[default: auto]",
            metavar="HOW",
        ),
        Option(
            "seed",
            ("--seed",),
            int,
            "Seed of all random numbers: the same seed gives the same bits.  [default: 0]",
            metavar="N",
        ),
        Option(
            "val_split",
            ("--val-split",),
            float,
            "Share of the training images to set aside for validation.  [default: 0.1]",
            metavar="S",
        ),
        Option(
            "patience",
            ("--patience",),
            int,
            "Stop after N epochs in a row without a higher validation accuracy.",
            metavar="N",
        ),
        Option(
            "class_weights",
            ("--class-weights",),
            bool,
            "Weight the loss so that every class counts alike, however few images it has.",
        ),
        Option(
            "ema",
            ("--ema",),
            float,
            "Keep an exponential moving average of the weights, with decay D such as 0.99.",
            metavar="D",
        ),
        Option(
            "clip",
            ("--clip",),
            float,
            "Clip the norm of the gradient at N.",
            metavar="N",
        ),
        Option(
            "init",
            ("--init",),
            str,
            "Start from a checkpoint, imagenet, or weights of torchvision or timm for the network -m names; "
            "the head keeps the weights of classes with the same names.",
            metavar="FILE",
        ),
        Option(
            "freeze",
            ("--freeze",),
            bool,
            "With --init: train the head only.",
        ),
        Option(
            "vectors",
            ("--vectors",),
            str,
            "For texts: vectors of words to start from, as word2vec or GloVe write them as text, also .gz.",
            metavar="FILE",
        ),
        Option(
            "resume",
            ("--resume",),
            str,
            "Continue a run that was stopped; needs no DATASET. --epochs N makes it longer: "
            "epochs planned before keep their learning rates, further ones have those of a run of"
            " N epochs.",
            metavar="RUN",
        ),
        Option(
            "data",
            ("--data",),
            str,
            "With --resume: where the run's images are now.",
            metavar="PATH",
        ),
        Option(
            "find_lr",
            ("--find-lr",),
            bool,
            "Search for a good learning rate, print it and draw the losses; train nothing.",
        ),
        Option(
            "dry_run",
            ("--dry-run",),
            bool,
            "Print what would be trained; train and write nothing.",
        ),
        Option(
            "size",
            ("--size",),
            str,
            "Resize the images, in pixels.  [default: their own size if small and all alike, else 64]",
            metavar="N|WxH",
        ),
        Option(
            "fit",
            ("--fit",),
            str,
            "Images of another aspect ratio: crop, pad with black, or stretch.  [default: crop]",
            metavar="HOW",
        ),
        SPLITS,
        LABEL_COLUMN,
        PATH_COLUMN,
        TEXT_COLUMN,
        OFFLINE,
        MAX_PIXELS,
        Option(
            "json",
            ("--json",),
            bool,
            "Print one JSON object at the end.",
        ),
        QUIET,
        THREADS,
        DEBUG,
    ),
)
