"""What can be said after ``cnncli compare``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import DEBUG, JSON, MAX_PIXELS, QUIET, RECURSIVE, THREADS


@command(
    "Say how alike two pictures are: MSE, PSNR, SSIM, and where they differ.\n\n"
    "Of two folders, pictures of the same name are compared. With --min and --max the exit code is 1 where a "
    "number lies beyond."
)
class Settings:
    """What was said after ``cnncli compare``."""

    first: str = argument("A picture, - for standard input, or a folder.", metavar="A", required=True)
    second: str = argument("The picture or folder to compare it with.", metavar="B", required=True)
    output: str | None = option(
        "--output",
        "-o",
        help=(
            "Write the absolute difference, the largest in white; to .npy A - B. Of two folders, a folder. "
            "term shows it in "
            "the terminal."
        ),
        metavar="OUT",
    )
    scale: float | None = option(
        "--scale",
        help="Multiply the difference by S instead.  [default: so that it reaches white]",
        metavar="S",
    )
    low: list[str] | None = option(
        "--min",
        help="Exit with 1 if a number is less: ssim=0.95, psnr=40. May be given several times.",
        metavar="METRIC=V",
    )
    high: list[str] | None = option(
        "--max",
        help="Exit with 1 if a number is more: mse, mae, largest (in units of the image), differing=1%.",
        metavar="METRIC=V",
    )
    gray: bool = option("--gray", help="Compare the luma of colours, also with a gray picture.")
    window: str = option(
        "--window",
        help="Of SSIM: uniform (7x7, as scikit-image's) or gaussian (sigma 1.5, as published).",
        metavar="HOW",
        default="uniform",
    )
    recursive: bool = RECURSIVE
    max_pixels: int | None = MAX_PIXELS
    json: bool = JSON
    quiet: bool = QUIET
    threads: int | None = THREADS
    debug: bool = DEBUG
