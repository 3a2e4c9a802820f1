"""What can be said after ``cnncli draw``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import DEBUG, JSON, QUIET, THREADS, FormSettings


@command(
    "Draw a network: its layers, their shapes, and how they are connected.\n\n"
    "The figure fits on a page of A4. Blocks that are alike are drawn once, with the number of times, and "
    "their insides beside the network.",
    after="style",
)
class Settings(FormSettings):
    """What was said after ``cnncli draw``."""

    model: str = argument(
        "The network: a name, with options if it has any (vgg16:width=0.5); layers, as train takes "
        "them; a checkpoint, a run's folder, or one that ships, such as digits or imagenet.",
        metavar="MODEL",
        required=True,
    )
    output: str | None = option(
        "--output",
        "-o",
        help="File to write: .svg, .png or .pdf (which needs fpdf2); with --animate .gif, .png or .apng; "
        "- for SVG or GIF on standard output; term to show it in the terminal; or, of a trained network, an "
        ".html page to explore in a "
        "browser.  [default: MODEL.svg or MODEL.gif]",
        metavar="FILE",
    )
    style: str = option(
        "--style",
        help="blocks: feature maps as boxes, their sides to scale; flow: cards from top to bottom, with "
        "the names of the layers.",
        metavar="STYLE",
        default="blocks",
    )
    image: str | None = option(
        "--image",
        help="A picture that goes in: its maps are drawn on the layers, and the answer at the end.",
        metavar="FILE",
    )
    backprop: bool = option(
        "--backprop",
        help="Also draw the way back: what each layer does with the gradient of the loss, and how large it "
        "is for --image or an example of its own.",
    )
    target: str | None = option(
        "--target",
        help="With --backprop: the true class of the picture.  [default: the predicted one; of a network "
        "that is not trained the first]",
        metavar="CLASS",
    )
    animate: bool = option(
        "--animate",
        help="Let the signal run forward and, with --backprop, back: a .gif, or an animated .png or .apng.",
    )
    all: bool = option("--all", help="Draw all layers of all blocks in their places, on a page of A4 to A1.")
    json: bool = JSON
    quiet: bool = QUIET
    threads: int | None = THREADS
    debug: bool = DEBUG
