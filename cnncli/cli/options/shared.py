"""Options that several commands have, each with one meaning."""

from cnncli.cli.options.model import Option

RECURSIVE = Option(
    "recursive",
    ("--recursive", "-r"),
    bool,
    "Read folders with all their subfolders.",
)
NULL = Option(
    "null",
    ("--null", "-0"),
    bool,
    "Names in --files-from end with NUL instead of newline, as find -print0 writes them.",
)
MAX_PIXELS = Option(
    "max_pixels",
    ("--max-pixels",),
    int,
    "Refuse larger images before decoding.  [default: 500 million]",
    metavar="N",
)
JSON = Option(
    "json",
    ("--json",),
    bool,
    "Print one JSON object per line, one for each result.",
)
QUIET = Option(
    "quiet",
    ("--quiet", "-q"),
    bool,
    "Print errors only: no warnings, no progress.",
)
THREADS = Option(
    "threads",
    ("--threads",),
    int,
    "Threads to use.  [default: all cores]",
    metavar="N",
)
DEBUG = Option(
    "debug",
    ("--debug",),
    bool,
    "Show a traceback when something fails.",
)
NETWORK = (
    "A .safetensors that cnncli train wrote, a run's folder, or a model that ships: digits, "
    "or imagenet for photographs; with --weights a network's name, such as resnet18."
)
MODEL = Option(
    "model",
    ("--model", "-m"),
    str,
    f"{NETWORK}  [default: digits]",
    metavar="CHECKPOINT",
)
DATASET = Option(
    "dataset",
    (),
    str,
    "mnist, fashion-mnist, cifar10 or movie-reviews; a folder of class folders or of IDX files; "
    "an .npz; a .csv or .tsv (path,label or text,label).",
    metavar="DATASET",
)
SPLITS = Option(
    "splits",
    ("--splits",),
    bool,
    "Folders called train, val and test, or a table's column, are splits; or they are "
    "classes (the column is ignored).  [default: splits where no other reading is "
    "possible]",
    off=("--no-splits",),
)
LABEL_COLUMN = Option(
    "label_column",
    ("--label-column",),
    str,
    "Of a table: the column with the class of each image or text, by name or number from 1.",
    metavar="COLUMN",
)
TEXT_COLUMN = Option(
    "text_column",
    ("--text-column",),
    str,
    "Of a table: the column with the texts, by name or number from 1.",
    metavar="COLUMN",
)
TEXT = Option(
    "text",
    ("--text",),
    list,
    "A text for a network that was trained on texts; may be given several times.",
    metavar="TEXT",
)
PATH_COLUMN = Option(
    "path_column",
    ("--path-column",),
    str,
    "Of a table: the column with the file of each image, by name or number from 1.",
    metavar="COLUMN",
)
OFFLINE = Option(
    "offline",
    ("--offline",),
    bool,
    "Download nothing.",
)
JSON_OBJECT = Option(
    "json",
    ("--json",),
    bool,
    "Print one JSON object.",
)
#: Of commands that take a network: weights from elsewhere in place of a checkpoint.
WEIGHTS = (
    Option(
        "weights",
        ("--weights",),
        str,
        "Weights of torchvision or timm for the network -m names: a .safetensors, or a folder of "
        "model.safetensors and config.json.",
        metavar="FILE|FOLDER",
    ),
    Option(
        "classes",
        ("--classes",),
        str,
        "Names of their classes: a name a line, or JSON; imagenet: the 1,000 of ImageNet.",
        metavar="FILE",
    ),
    Option(
        "mean",
        ("--mean",),
        str,
        "Mean of their training pictures, one or one for each channel, white being 1.  [default: as "
        "published, or config.json]",
        metavar="R,G,B",
    ),
    Option(
        "std",
        ("--std",),
        str,
        "Their standard deviation, as --mean.",
        metavar="R,G,B",
    ),
    Option(
        "resize",
        ("--resize",),
        int,
        "Resize the short side of pictures to N pixels for them.",
        metavar="N",
    ),
    Option(
        "crop",
        ("--crop",),
        int,
        "Cut N x N pixels out of the middle then: the input of the network.",
        metavar="N",
    ),
    Option(
        "interpolation",
        ("--interpolation",),
        str,
        "How to resize: bilinear, bicubic, lanczos or nearest.",
        metavar="HOW",
    ),
)
