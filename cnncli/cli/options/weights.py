"""What can be said after ``cnncli weights``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import DEBUG, JSON_OBJECT, QUIET, NetworkSettings


@command(
    "Turn weights of torchvision or timm, or a model of ONNX, into a checkpoint.\n\n"
    "Every command takes it with -m, and needs to be told no more. Without -o, only say whether the weights "
    "fit their network, and how pictures are prepared for them."
)
class Settings(NetworkSettings):
    """What was said after ``cnncli weights``."""

    weights: str = argument(
        "A .safetensors, a folder of model.safetensors and config.json, or a model of ONNX (.onnx).",
        metavar="FILE|FOLDER",
        required=True,
    )
    model: str | None = option(
        "--model",
        "-m",
        help="Their network: resnet18 or another of cnncli models.  [default: as config.json says]",
        metavar="MODEL",
    )
    output: str | None = option("--output", "-o", help="Write a checkpoint.", metavar="CHECKPOINT")
    json: bool = JSON_OBJECT
    quiet: bool = QUIET
    debug: bool = DEBUG
