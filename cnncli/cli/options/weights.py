"""What can be said after ``cnncli weights``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import DEBUG, JSON_OBJECT, MODEL, QUIET, WEIGHTS

COMMAND = Command(
    help="Turn weights of torchvision or timm into a checkpoint.\n\n"
    "Every command takes it with -m, and needs to be told no more. Without -o, only say whether the weights "
    "fit their network, and how pictures are prepared for them.",
    options=(
        Option(
            "weights",
            (),
            str,
            "A .safetensors, or a folder of model.safetensors and config.json.",
            metavar="FILE|FOLDER",
            required=True,
        ),
        MODEL._replace(
            help="Their network: resnet18 or another of cnncli models.  [default: as config.json says]",
            metavar="MODEL",
        ),
        Option("output", ("--output", "-o"), str, "Write a checkpoint.", metavar="CHECKPOINT"),
        *WEIGHTS[1:],
        JSON_OBJECT,
        QUIET,
        DEBUG,
    ),
)
