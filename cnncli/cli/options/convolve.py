"""What can be said after ``cnncli convolve``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import (
    DEBUG,
    JSON,
    MAX_PIXELS,
    NULL,
    QUIET,
    RECURSIVE,
    SCHEDULER,
    SCHEDULER_FILE,
    SKIP_EXISTING,
    THREADS,
)


@command("Filter images with edge, blur and custom kernels.")
class Settings:
    """What was said after ``cnncli convolve``."""

    inputs: list[str] | None = argument(
        "Files, folders (their images), or - for standard input, which is also read when no "
        "INPUT is given and it is a pipe.",
        metavar="[INPUT]...",
    )
    kernel: list[str] | None = option(
        "--kernel",
        "-k",
        help=(
            "A name with parameters (gaussian:sigma=2), a matrix ('0 -1 0; -1 5 -1; 0 -1 0'), "
            "ImageMagick's '3x3: 0,-1,0 …', a file (.txt .csv .json .npy or an image), or arithmetic with "
            "kernels ('gaussian:3 - gaussian:1', '2*sobel_x', 'rot90(…)'). Some take a second picture "
            "(difference:other.png, blend:0.3:other.png). Several are applied one after another. See: cnncli "
            "kernels."
        ),
        metavar="SPEC",
    )
    output: str | None = option(
        "--output",
        "-o",
        help=(
            "A file, a folder, a template such as 'out/{stem}-{kernel}{ext}', - for stdout, or term to show "
            "it in the terminal.  "
            "Fields: {stem} {kernel} {ext} {name} {parent}, {n:03} counts, {width} {height} of the result; "
            "{kernel} is sobel-x for sobel:x.  [default: {stem}-{kernel}{ext} beside each input; standard "
            "output for a pipe]"
        ),
        metavar="OUT",
    )
    recursive: bool = RECURSIVE
    files_from: str | None = option(
        "--files-from", help="Read the names of inputs from a file, one per line; - is stdin.", metavar="FILE"
    )
    null: bool = NULL
    in_place: bool = option("--in-place", help="Overwrite each input with its result.")
    skip_existing: bool = SKIP_EXISTING
    montage: str | None = option(
        "--montage",
        help=(
            "Also show all results on one sheet, in the order of the inputs, with their names: a file (.png "
            ".jpg …), or term."
        ),
        metavar="FILE",
    )
    columns: int | None = option(
        "--columns", help="Pictures in a row of --montage.  [default: by their number]", metavar="N"
    )
    thumbnail: int | None = option(
        "--thumbnail",
        help="Pixels of the longer side of pictures in --montage.  [default: 208, or fewer for many]",
        metavar="N",
    )
    correlate: bool = option("--correlate", help="Leave a matrix unflipped (cross-correlation).")
    border: str = option(
        "--border",
        help=(
            "Pixels beyond the edges: replicate, reflect, reflect101, wrap or constant[:V]; V in "
            "units of the image."
        ),
        metavar="MODE",
        default="reflect101",
    )
    mode: str = option(
        "--mode",
        help="Size of the result: same, valid (kernel inside the image) or full (kernel touching it).",
        metavar="MODE",
        default="same",
    )
    stride: str = option(
        "--stride", help="Compute every N-th pixel only, in x and y.", metavar="N[,N]", default="1"
    )
    dilation: int = option(
        "--dilation", help="Spacing of the kernel's cells, in pixels.", metavar="N", default=1
    )
    anchor: str | None = option(
        "--anchor",
        help=(
            "Column and row, from 0, of the kernel's cell that lies on the output pixel.  "
            "[default: the middle]"
        ),
        metavar="X,Y",
    )
    repeat: int = option("--repeat", help="Apply the kernels N times in a row.", metavar="N", default=1)
    normalize: str | None = option(
        "--normalize",
        help=(
            "Divide kernels by their sum, by the sum of magnitudes (abs), auto (sum, or for a sum"
            " of 0 the positive part), or none.  [default: none; named kernels carry their scale]"
        ),
        metavar="HOW",
    )
    scale: float = option("--scale", help="Multiply the response by S.", metavar="S", default=1.0)
    bias: str = option(
        "--bias",
        help="Add B to the response, in units of the image, or as a share of full scale: 50%.",
        metavar="B",
        default="0",
    )
    range_: str | None = option(
        "--range",
        help=(
            "How responses become pixels: clip; abs; offset (half the response around mid-gray); "
            "stretch (smallest black, largest white); none.  [default: offset for signed "
            "responses, else clip; none for .npy]"
        ),
        metavar="HOW",
    )
    gray: bool | None = option(
        "--gray",
        help="Filter the luma, or each colour channel.  [default: luma for edges, else the channels]",
        off=("--color",),
    )
    linear: bool = option("--linear", help="Filter linear light instead of sRGB values.")
    roi: str | None = option(
        "--roi",
        help="Write this part of the result only; in pixels, also as ImageMagick's WxH+X+Y.",
        metavar="X,Y,W,H",
    )
    inside: bool = option("--inside", help="With --roi: filter that part only, and write the whole image.")
    mask: str | None = option(
        "--mask",
        help=(
            "A gray image of the same size: filter where it is white, keep pixels where it is "
            "black, mix where it is gray."
        ),
        metavar="FILE",
    )
    channels: str | None = option(
        "--channels",
        help=(
            "Filter these channels, each by itself, and keep the others: letters of rgba (r, rg, a), or "
            "numbers from 1 (1,3).  [default: all]"
        ),
        metavar="NAMES",
    )
    bits: int | None = option(
        "--bits", help="Bits per sample: 8, 16 or 32 (float).  [default: those of the input]", metavar="N"
    )
    format_: str | None = option(
        "--format",
        help="Format of the output: png, jpeg, tiff, npy …  [default: by its suffix]",
        metavar="NAME",
    )
    quality: int | None = option("--quality", help="JPEG/WebP quality, 1 to 100.", metavar="N")
    compress: bool = option("--compress", help="Write smaller files, which takes longer.")
    strip: bool = option(
        "--strip",
        help="Write the pixels alone: no EXIF, XMP, IPTC, colour profile, resolution, location or text.",
    )
    max_pixels: int | None = MAX_PIXELS
    explain: str | None = option(
        "--explain",
        help=(
            "Also show how the kernel works on this image: a picture (.png), an animation (.gif), or a "
            "page to explore (.html), which takes several images."
        ),
        metavar="FILE",
    )
    json: bool = JSON
    quiet: bool = QUIET
    threads: int | None = THREADS
    scheduler: str | None = SCHEDULER
    scheduler_file: str | None = SCHEDULER_FILE
    debug: bool = DEBUG
