"""What can be said after ``cnncli convolve``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import DEBUG, JSON, MAX_PIXELS, NULL, QUIET, RECURSIVE, THREADS

COMMAND = Command(
    help="Filter images with edge, blur and custom kernels.",
    options=(
        Option(
            "inputs",
            (),
            list,
            "Files, folders (their images), or - for standard input, which is also read when no "
            "INPUT is given and it is a pipe.",
            metavar="[INPUT]...",
        ),
        Option(
            "kernel",
            ("--kernel", "-k"),
            list,
            "A name with parameters (gaussian:sigma=2), a matrix ('0 -1 0; -1 5 -1; 0 -1 0'), "
            "ImageMagick's '3x3: 0,-1,0 …', or a file (.txt .csv .json .npy or an image). Several"
            " are applied one after another. See: cnncli kernels.",
            metavar="SPEC",
        ),
        Option(
            "output",
            ("--output", "-o"),
            str,
            "A file, a folder, a template such as 'out/{stem}-{kernel}{ext}', or - for stdout.  "
            "Fields: {stem} {kernel} {ext} {name} {parent} {number:03}; {kernel} is sobel-x for "
            "sobel:x.  [default: {stem}-{kernel}{ext} beside each input; standard output for a "
            "pipe]",
            metavar="OUT",
        ),
        RECURSIVE,
        Option(
            "files_from",
            ("--files-from",),
            str,
            "Read the names of inputs from a file, one per line; - is stdin.",
            metavar="FILE",
        ),
        NULL,
        Option(
            "in_place",
            ("--in-place",),
            bool,
            "Overwrite each input with its result.",
        ),
        Option(
            "correlate",
            ("--correlate",),
            bool,
            "Leave a matrix unflipped (cross-correlation).",
        ),
        Option(
            "border",
            ("--border",),
            str,
            "Pixels beyond the edges: replicate, reflect, reflect101, wrap or constant[:V]; V in "
            "units of the image.",
            metavar="MODE",
            default="reflect101",
        ),
        Option(
            "mode",
            ("--mode",),
            str,
            "Size of the result: same, valid (kernel inside the image) or full (kernel touching it).",
            metavar="MODE",
            default="same",
        ),
        Option(
            "stride",
            ("--stride",),
            str,
            "Compute every N-th pixel only, in x and y.",
            metavar="N[,N]",
            default="1",
        ),
        Option(
            "dilation",
            ("--dilation",),
            int,
            "Spacing of the kernel's cells, in pixels.",
            metavar="N",
            default=1,
        ),
        Option(
            "anchor",
            ("--anchor",),
            str,
            "Column and row, from 0, of the kernel's cell that lies on the output pixel.  "
            "[default: the middle]",
            metavar="X,Y",
        ),
        Option(
            "repeat",
            ("--repeat",),
            int,
            "Apply the kernels N times in a row.",
            metavar="N",
            default=1,
        ),
        Option(
            "normalize",
            ("--normalize",),
            str,
            "Divide kernels by their sum, by the sum of magnitudes (abs), auto (sum, or for a sum"
            " of 0 the positive part), or none.  [default: none; named kernels carry their scale]",
            metavar="HOW",
        ),
        Option(
            "scale",
            ("--scale",),
            float,
            "Multiply the response by S.",
            metavar="S",
            default=1.0,
        ),
        Option(
            "bias",
            ("--bias",),
            str,
            "Add B to the response, in units of the image, or as a share of full scale: 50%.",
            metavar="B",
            default="0",
        ),
        Option(
            "range_",
            ("--range",),
            str,
            "How responses become pixels: clip; abs; offset (half the response around mid-gray); "
            "stretch (smallest black, largest white); none.  [default: offset for signed "
            "responses, else clip; none for .npy]",
            metavar="HOW",
        ),
        Option(
            "gray",
            ("--gray",),
            bool,
            "Filter the luma, or each colour channel.  [default: luma for edges, else the channels]",
            off=("--color",),
        ),
        Option(
            "linear",
            ("--linear",),
            bool,
            "Filter linear light instead of sRGB values.",
        ),
        Option(
            "roi",
            ("--roi",),
            str,
            "Write this part of the result only; in pixels.",
            metavar="X,Y,W,H",
        ),
        Option(
            "inside",
            ("--inside",),
            bool,
            "With --roi: filter that part only, and write the whole image.",
        ),
        Option(
            "mask",
            ("--mask",),
            str,
            "A gray image of the same size: filter where it is white, keep pixels where it is "
            "black, mix where it is gray.",
            metavar="FILE",
        ),
        Option(
            "bits",
            ("--bits",),
            int,
            "Bits per sample: 8, 16 or 32 (float).  [default: those of the input]",
            metavar="N",
        ),
        Option(
            "format_",
            ("--format",),
            str,
            "Format of the output: png, jpeg, tiff, npy …  [default: by its suffix]",
            metavar="NAME",
        ),
        Option(
            "quality",
            ("--quality",),
            int,
            "JPEG/WebP quality, 1 to 100.",
            metavar="N",
        ),
        Option(
            "compress",
            ("--compress",),
            bool,
            "Write smaller files, which takes longer.",
        ),
        Option(
            "strip",
            ("--strip",),
            bool,
            "Write the pixels alone: no EXIF, XMP, IPTC, colour profile, resolution, location or text.",
        ),
        MAX_PIXELS,
        Option(
            "explain",
            ("--explain",),
            str,
            "Also draw how the kernel works on this image: a .png, or an animated .gif.",
            metavar="FILE",
        ),
        JSON,
        QUIET,
        THREADS,
        DEBUG,
    ),
)
