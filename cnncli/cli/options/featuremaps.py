"""What can be said after ``cnncli featuremaps``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import DEBUG, JSON_OBJECT, MAX_PIXELS, OFFLINE, QUIET, THREADS, NetworkSettings


@command(
    "Draw the feature maps of a network for an image, or what words do in one for texts.\n\n"
    "Or the kernels that its layers have learned (--view filters).",
    after="text",
)
class Settings(NetworkSettings):
    """What was said after ``cnncli featuremaps``."""

    inputs: list[str] | None = argument(
        "An image or a text, or - for standard input; for an .html page also several images; of --view "
        "history a run.",
        metavar="[INPUT]...",
    )
    text: str | None = option(
        "--text", help="A text, in place of INPUT, for a network that was trained on texts.", metavar="TEXT"
    )
    layer: list[str] | None = option(
        "--layer",
        help=(
            "Draw all of this layer: its name, its number (1 the first, -1 the last) or a pattern such as "
            "'layer1.*'; may be given several times.  [default: one for each stage]"
        ),
        metavar="LAYER",
    )
    all: bool = option("--all", help="Draw every layer, not one for each stage.")
    view: list[str] | None = option(
        "--view",
        help=(
            "maps: feature maps of the layers; filters: the learned kernels; backprop: gradients of the "
            "loss at each stage; patches: parts of the images "
            "in --data that excite a unit most; maximize: inputs made to excite a unit; what speaks for a "
            "class: gradcam, saliency, smoothgrad, guided, integrated, occlusion; sanity: whether these "
            "change while layers lose what they have learned; history: how a run with --record-features "
            "learned, INPUT being its folder.  Several with commas, or given several times.  "
            "[default: maps]"
        ),
        metavar="WHAT",
    )
    unit: list[str] | None = option(
        "--unit",
        help=(
            "Of patches and maximize: these units of each layer, by number from 0, or classes by name; "
            "several with commas.  [default: the first ones]"
        ),
        metavar="N",
    )
    target: list[str] | None = option(
        "--target",
        help=(
            "Of attributions: the class, by name or number; given several times, side by side with one "
            "scale. Of a network that finds boxes: its surest one; of masks: the pixels seen as that class.  "
            "[default: the predicted class]"
        ),
        metavar="CLASS",
    )
    region: str | None = option(
        "--region",
        help=(
            "Of attributions: what the network says there, in pixels of INPUT: the box that overlaps most, "
            "or the class of most pixels that is not class 0."
        ),
        metavar="X,Y,W,H",
    )
    baseline: str = option(
        "--baseline",
        help=(
            "Of integrated and occlusion: what stands for nothing to see, the mean colour of the training "
            "images or the image blurred: mean, blur."
        ),
        metavar="WHAT",
        default="mean",
    )
    data: str | None = option(
        "--data",
        help="Of patches: a folder of images, or a data set as for train, to look through.",
        metavar="FOLDER|DATASET",
    )
    offline: bool = OFFLINE
    seed: int = option(
        "--seed", help="Of maximize, smoothgrad and sanity: seed of what is random.", metavar="N", default=0
    )
    explain: str | None = option(
        "--explain",
        help=(
            "Work out one value of a convolution in numbers: patch, kernels of the strongest channels, "
            "products, sum, bias, batch norm, ReLU, pooling; LAYER as for --layer.  [default: the unit that "
            "responds most]"
        ),
        metavar="LAYER[:UNIT]",
    )
    at: str | None = option(
        "--at",
        help="With --explain: column and row in the layer's map.  [default: where it responds most]",
        metavar="X,Y",
    )
    output: str | None = option(
        "--output",
        "-o",
        help=(
            "A .png (of history and --explain also a .gif), a folder of pictures, - for stdout, term to "
            "show it in the terminal, or an .html "
            "page: one file to explore in a browser, offline, in which maps and filters are computed anew "
            "for what you draw.  [default: featuremaps/{stem}-maps.png, -2.png where another page has that "
            "name]"
        ),
        metavar="OUT",
    )
    raw: str | None = option(
        "--raw",
        help="Also write the arrays: to a folder, one .npy per layer, or to an .npz.",
        metavar="DIR|FILE",
    )
    max_pixels: int | None = MAX_PIXELS
    json: bool = JSON_OBJECT
    quiet: bool = QUIET
    threads: int | None = THREADS
    debug: bool = DEBUG
