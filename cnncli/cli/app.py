"""The command line: what can be said. Each command imports its work only when it runs."""

from typing import Annotated, Any

import typer

from cnncli.cli.exit_codes import DONE, WRONG_USAGE, carry_out
from cnncli.cli.help import Command, Group
from cnncli.cli.messages import report

# The usage error of click, or of the copy of click that newer Typer carries.
WrongCommand: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="cnncli",
    cls=Group,
    help="Filter images from the shell, and train convolutional networks without a framework.",
    invoke_without_command=True,
    rich_markup_mode=None,  # plain help: importing Rich would take longer than all the rest
    pretty_exceptions_enable=False,  # Rich again; carry_out turns faults into two lines
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line, one for each result.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only: no warnings, no progress.")]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="Threads to use.  [default: all cores]")
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="CHECKPOINT",
        help="A .safetensors that cnncli train wrote, or a run's folder.  [default: the digit model "
        "that ships with cnncli]",
    ),
]
Splits = Annotated[
    bool | None,
    typer.Option(
        "--splits/--no-splits",
        help="Folders called train, val and test, or a table's column, are splits; or they are classes "
        "(the column is ignored).  [default: splits where no other reading is possible]",
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Of a table: the column with the class of each image, by name or number from 1.",
    ),
]
PathColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Of a table: the column with the file of each image, by name or number from 1."
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels", metavar="N", help="Refuse larger images before decoding.  [default: 500 million]"
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]


def _version(wanted: bool) -> None:
    if wanted:
        from cnncli import __version__

        print(f"cnncli {__version__}")
        raise typer.Exit


def _install_completion(wanted: bool) -> None:
    if wanted:
        from cnncli.cli.shell_setup import current_shell, install

        report(*install(current_shell()))
        raise typer.Exit


def _show_completion(wanted: bool) -> None:
    if wanted:
        from cnncli.cli.shell_setup import current_shell, script_of

        print(script_of(current_shell()), end="")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            callback=_install_completion,
            is_eager=True,
            help="Install Tab completion for this shell: bash, zsh or fish.",
        ),
    ] = False,
    show_completion: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            callback=_show_completion,
            is_eager=True,
            help="Print the completion script for this shell.",
        ),
    ] = False,
) -> int:
    """Filter images from the shell, and train convolutional networks without a framework."""
    if context.invoked_subcommand is not None:
        return DONE
    report(*context.get_help().splitlines())
    return WRONG_USAGE


@app.command(cls=Command)
def convolve(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="Files, folders (their images), or - for standard input, which is also read "
            "when no INPUT is given and it is a pipe.",
        ),
    ] = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel",
            "-k",
            metavar="SPEC",
            help="A name with parameters (gaussian:sigma=2), a matrix ('0 -1 0; -1 5 -1; 0 -1 0'), "
            "ImageMagick's '3x3: 0,-1,0 …', or a file (.txt .csv .json .npy or an image). "
            "Several are applied one after another. See: cnncli kernels.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A file, a folder, a template such as 'out/{stem}-{kernel}{ext}', or - for stdout.  "
            "Fields: {stem} {kernel} {ext} {name} {parent} {number:03}; {kernel} is sobel-x for sobel:x.  "
            "[default: {stem}-{kernel}{ext} beside each input; standard output for a pipe]",
        ),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Read folders with all their subfolders.")
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from",
            metavar="FILE",
            help="Read the names of inputs from a file, one per line; - is stdin.",
        ),
    ] = None,
    null: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            help="Names in --files-from end with NUL instead of newline, as find -print0 writes them.",
        ),
    ] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Overwrite each input with its result.")
    ] = False,
    correlate: Annotated[
        bool, typer.Option("--correlate", help="Leave a matrix unflipped (cross-correlation).")
    ] = False,
    border: Annotated[
        str,
        typer.Option(
            metavar="MODE",
            help="Pixels beyond the edges: replicate, reflect, reflect101, wrap or constant[:V]; V in units "
            "of the image.",
        ),
    ] = "reflect101",
    mode: Annotated[
        str,
        typer.Option(
            metavar="MODE",
            help="Size of the result: same, valid (kernel inside the image) or full (kernel touching it).",
        ),
    ] = "same",
    stride: Annotated[
        str, typer.Option(metavar="N[,N]", help="Compute every N-th pixel only, in x and y.")
    ] = "1",
    dilation: Annotated[int, typer.Option(metavar="N", help="Spacing of the kernel's cells, in pixels.")] = 1,
    anchor: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y",
            help="Column and row, from 0, of the kernel's cell that lies on the output pixel.  "
            "[default: the middle]",
        ),
    ] = None,
    repeat: Annotated[int, typer.Option(metavar="N", help="Apply the kernels N times in a row.")] = 1,
    normalize: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Divide kernels by their sum, by the sum of magnitudes (abs), auto (sum, or for a sum of 0 "
            "the positive part), or none.  [default: none; named kernels carry their scale]",
        ),
    ] = None,
    scale: Annotated[float, typer.Option(metavar="S", help="Multiply the response by S.")] = 1.0,
    bias: Annotated[
        str,
        typer.Option(
            metavar="B",
            help="Add B to the response, in units of the image, or as a share of full scale: 50%.",
        ),
    ] = "0",
    range_: Annotated[
        str | None,
        typer.Option(
            "--range",
            metavar="HOW",
            help="How responses become pixels: clip; abs; offset (half the response around mid-gray); "
            "stretch (smallest black, largest white); none.  [default: offset for signed responses, "
            "else clip; none for .npy]",
        ),
    ] = None,
    gray: Annotated[
        bool | None,
        typer.Option(
            "--gray/--color",
            help="Filter the luma, or each colour channel.  [default: luma for edges, else the channels]",
        ),
    ] = None,
    linear: Annotated[
        bool, typer.Option("--linear", help="Filter linear light instead of sRGB values.")
    ] = False,
    roi: Annotated[
        str | None, typer.Option(metavar="X,Y,W,H", help="Write this part of the result only; in pixels.")
    ] = None,
    inside: Annotated[
        bool, typer.Option("--inside", help="With --roi: filter that part only, and write the whole image.")
    ] = False,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A gray image of the same size: filter where it is white, keep pixels where it is black, "
            "mix where it is gray.",
        ),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Bits per sample: 8, 16 or 32 (float).  [default: those of the input]"
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Format of the output: png, jpeg, tiff, npy …  [default: by its suffix]",
        ),
    ] = None,
    quality: Annotated[int | None, typer.Option(metavar="N", help="JPEG/WebP quality, 1 to 100.")] = None,
    compress: Annotated[
        bool, typer.Option("--compress", help="Write smaller files, which takes longer.")
    ] = False,
    strip: Annotated[
        bool,
        typer.Option(
            "--strip",
            help="Write the pixels alone: no EXIF, XMP, IPTC, colour profile, resolution, location or text.",
        ),
    ] = False,
    max_pixels: MaxPixels = None,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Also draw how the kernel works on this image: a .png, or an animated .gif."
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    threads: Threads = None,
    debug: Debug = False,
) -> int:
    """Filter images with edge, blur and custom kernels."""
    given = dict(locals())
    from cnncli.cli.convolve import convolve_command

    return carry_out(lambda: convolve_command(**given), debug=debug)


@app.command(cls=Command)
def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="Files, folders (their images), or - for one image on standard input, which is also read "
            "when no INPUT is given and it is a pipe.",
        ),
    ] = None,
    model: Model = None,
    top: Annotated[
        int, typer.Option(metavar="K", help="Number of classes to print for each input, most probable first.")
    ] = 3,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values with a header.")] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Read folders with all their subfolders.")
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from",
            metavar="FILE",
            help="Read the names of inputs from a file, one per line; - is stdin, classified as they come.",
        ),
    ] = None,
    null: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            help="Names in --files-from end with NUL instead of newline, as find -print0 writes them.",
        ),
    ] = False,
    max_pixels: MaxPixels = None,
    json: Json = False,
    quiet: Quiet = False,
    threads: Threads = None,
    debug: Debug = False,
) -> int:
    """Classify images with a trained network: one result per line."""
    given = dict(locals())
    from cnncli.cli.predict import predict_command

    return carry_out(lambda: predict_command(**given), debug=debug)


@app.command(cls=Command)
def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="mnist, fashion-mnist or cifar10; a folder of class folders or of IDX files; "
            "an .npz; a .csv or .tsv (path,label).",
        ),
    ],
    model: Model = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Also write the confusion matrix, the reliability diagram and the misclassified images "
            "to a folder.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH",
            help="test, train or val: that split of the network's own run, or of other data that have "
            "splits; all: every image.  [default: test; all of other data without splits]",
        ),
    ] = None,
    splits: Splits = None,
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    offline: Annotated[bool, typer.Option("--offline", help="Download nothing.")] = False,
    max_pixels: MaxPixels = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Quiet = False,
    threads: Threads = None,
    debug: Debug = False,
) -> int:
    """Measure the accuracy of a trained network.

    Also precision and recall of each class, calibration, and the confusion matrix.
    """
    given = dict(locals())
    from cnncli.cli.evaluate import evaluate_command

    return carry_out(lambda: evaluate_command(**given), debug=debug)


@app.command(cls=Command)
def featuremaps(
    input: Annotated[str, typer.Argument(metavar="INPUT", help="An image, or - for standard input.")],
    model: Model = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Draw all maps of this layer; may be given several times.  [default: every layer]",
        ),
    ] = None,
    view: Annotated[
        str,
        typer.Option(metavar="WHAT", help="maps: feature maps of the layers; filters: the learned kernels."),
    ] = "maps",
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A .png, a self-contained .html page, a folder of pictures, or - for stdout.  "
            "[default: featuremaps/{stem}-maps.png]",
        ),
    ] = None,
    raw: Annotated[
        str | None, typer.Option(metavar="DIR", help="Also write the arrays to a folder, one .npy per layer.")
    ] = None,
    max_pixels: MaxPixels = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Quiet = False,
    threads: Threads = None,
    debug: Debug = False,
) -> int:
    """Draw the feature maps of a network for an image.

    Or the kernels that its layers have learned (--view filters).
    """
    given = dict(locals())
    from cnncli.cli.featuremaps import featuremaps_command

    return carry_out(lambda: featuremaps_command(**given), debug=debug)


@app.command(cls=Command)
def kernels(
    spec: Annotated[
        str | None, typer.Argument(metavar="[SPEC]", help="Show one kernel: its name, or any SPEC.")
    ] = None,
    json: Json = False,
    debug: Debug = False,
    quiet: Quiet = False,
    threads: Threads = None,
) -> int:
    """List the named kernels, or show one of them.

    One is shown with its parameters, weights, sum, rank, plan, source and an example in numbers.
    """
    from cnncli.cli.exit_codes import UsageError
    from cnncli.errors import CnncliError

    def work() -> int:
        from cnncli.cli.kernels import kernels as show

        try:
            show(spec, json)
        except CnncliError as error:
            raise UsageError(error.message, error.hint) from error
        return 0

    return carry_out(work, debug=debug)


@app.command(cls=Command)
def formats(
    json: Json = False,
    debug: Debug = False,
    quiet: Quiet = False,
    threads: Threads = None,
) -> int:
    """List the image formats that are read and written.

    Also the bit depths that each of them holds, and the metadata that are kept.
    """

    def work() -> int:
        from cnncli.cli.formats import formats_command

        return formats_command(json=json)

    return carry_out(work, debug=debug)


@app.command(cls=Command)
def train(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help="mnist, fashion-mnist or cifar10; a folder of class folders or of IDX files; "
            "an .npz; a .csv or .tsv (path,label).",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="compact, lenet5, 2conv, vgg-small, resnet20, resnet18, or layers: "
            "'conv32 relu conv64 relu pool fc128 relu dropout0.5 fc'.  [default: auto, by the image size]",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="RUN", help="Folder to write to.  [default: runs/DATASET-MODEL]"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Passes over the training data.  [default: 18 to 100, by the number of images]"
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            "-b",
            metavar="N",
            help="Images per step.  [default: 8 to 64, by their number]",
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE", help="Highest learning rate.  [default: by the optimiser and the batch size]"
        ),
    ] = None,
    opt: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Optimiser: adamw, adam, sgd or rmsprop.  [default: adamw]"),
    ] = None,
    sched: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Schedule of the learning rate: constant, step, cosine or one-cycle; with parameters: "
            "cosine:warmup=2 (epochs), step:at=0.5/0.75,gamma=0.1.  "
            "[default: one-cycle]",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            metavar="D",
            help="Weight decay, of all but biases and normalisation layers.  [default: by the optimiser]",
        ),
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option(metavar="M", help="Momentum of sgd (Nesterov) and rmsprop.  [default: 0.9]"),
    ] = None,
    smoothing: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Label smoothing: the share of each target that is spread over all classes.  "
            "[default: 0.05]",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Augmentation: auto, none, or a list such as shift=2,rotate=10,flip (pixels, degrees); "
            "others: scale=0.1, shear=5, crop=4, erase, color=0.2, mixup=0.2.  [default: auto]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Seed of all random numbers: the same seed gives the same bits.  [default: 0]"
        ),
    ] = None,
    val_split: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Share of the training images to set aside for validation.  [default: 0.1]"
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(metavar="N", help="Stop after N epochs in a row without a higher validation accuracy."),
    ] = None,
    class_weights: Annotated[
        bool,
        typer.Option(
            "--class-weights",
            help="Weight the loss so that every class counts alike, however few images it has.",
        ),
    ] = False,
    ema: Annotated[
        float | None,
        typer.Option(
            metavar="D", help="Keep an exponential moving average of the weights, with decay D such as 0.99."
        ),
    ] = None,
    clip: Annotated[
        float | None, typer.Option(metavar="N", help="Clip the norm of the gradient at N.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Start from a checkpoint; the head keeps the weights of classes with the same names.",
        ),
    ] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="With --init: train the head only.")] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Continue a run that was stopped; needs no DATASET. --epochs N makes it longer: epochs "
            "planned before keep their learning rates, further ones have those of a run of N epochs.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="With --resume: where the run's images are now."),
    ] = None,
    find_lr: Annotated[
        bool,
        typer.Option(
            "--find-lr", help="Search for a good learning rate, print it and draw the losses; train nothing."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what would be trained; train and write nothing."),
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="N|WxH",
            help="Resize the images, in pixels.  [default: their own size if small and all alike, else 64]",
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Images of another aspect ratio: crop, pad with black, or stretch.  [default: crop]",
        ),
    ] = None,
    splits: Splits = None,
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    offline: Annotated[bool, typer.Option("--offline", help="Download nothing.")] = False,
    max_pixels: MaxPixels = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
    quiet: Quiet = False,
    threads: Threads = None,
    debug: Debug = False,
) -> int:
    """Train a network on folders or tables of images.

    Checkpoints, learning curves and misclassified images are written to a folder.
    """
    given = dict(locals())
    given.pop("debug")
    from cnncli.cli.train import train_command

    return carry_out(lambda: train_command(given), debug=debug)


@app.command(cls=Command)
def samples(
    folder: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="Folder to copy to; created if missing.")
    ] = "samples",
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, one for each file written.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Copy the sample images that ship with cnncli to a folder."""
    from cnncli.cli.samples import samples_command

    return carry_out(lambda: samples_command(folder, json=json, quiet=quiet), debug=debug)


@app.command(cls=Command)
def help(
    context: typer.Context,
    command: Annotated[
        str | None,
        typer.Argument(metavar="[COMMAND]", help="The command to explain.  [default: cnncli as a whole]"),
    ] = None,
    debug: Debug = False,
) -> int:
    """Show the help of a command, as COMMAND --help does."""
    from cnncli.cli.help import show_help

    return carry_out(lambda: show_help(context, command), debug=debug)
