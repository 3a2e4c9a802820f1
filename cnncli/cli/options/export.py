"""What can be said after ``cnncli export``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import DEBUG, JSON_OBJECT, QUIET


@command(
    "Write a network as an ONNX model, which other tools run.\n\n"
    "Needs the package onnx: pip install 'cnncli[onnx]'. Classes and preprocessing are in the model's "
    "metadata.",
    after="verify",
)
class Settings:
    """What was said after ``cnncli export``."""

    model: str = argument(
        "A .safetensors that cnncli train or cnncli weights wrote, a run's folder, or a model that ships, "
        "such as digits or imagenet.",
        metavar="CHECKPOINT",
        required=True,
    )
    output: str | None = option(
        "--output",
        "-o",
        help="File to write; - for standard output.  [default: CHECKPOINT.onnx]",
        metavar="FILE",
    )
    opset: int = option(
        "--opset",
        help="Version of ONNX's operators: 13 to 20, so that older runtimes load it.",
        metavar="N",
        default=17,
    )
    with_preprocessing: bool = option(
        "--with-preprocessing",
        help="Let the model prepare pictures: it takes them as uint8 (N, H, W, C), of any size where weights "
        "say how to resize them, as imagenet's do, else of the network's.",
    )
    verify: bool = option(
        "--verify", help="Compare ONNX Runtime's outputs with ours before writing; needs onnxruntime."
    )
    json: bool = JSON_OBJECT
    quiet: bool = QUIET
    debug: bool = DEBUG
