"""Whole commands as their users type them, each timed as a process: start, read, filter, write.

Every program has its own default settings: its own threads, its own compression of PNG.
"""

import functools
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cnncli.core.threads import available_cores

from . import peers
from .filters import HEIGHT, WIDTH, difference, weights_of_any_kernel
from .limits import limit_of_command
from .model import Case, Contest, Cost, Goal, Limit
from .pictures import photograph, save
from .timing import Launcher

GROUP = "command"
ONE_PNG, ONE_JPEG, MANY = Goal(1 / 1.5, 0.2), Goal(1), Goal(2)
COMPARED = Goal(1)
HELP, FIRST_EVER = Goal(seconds=0.15), Goal(seconds=5)
ROOT = Path(__file__).parents[2]
WEIGHTS = weights_of_any_kernel(5)
Argv = list[str | Path]


@dataclass(frozen=True)
class Work:
    """One piece of work in the words of every program; ``None`` where a program has no such filter.

    Attributes
    ----------
    kernel : str
        Our SPEC.
    imagemagick, graphicsmagick : tuple of str
        Options between input and output.
    vips : callable
        ``vips(source, target, folder)`` gives the arguments.
    opencv : str
        Python that turns ``image`` into ``result``; ``flags`` says how the image is read.
    comparable : bool
        Whether OpenCV's result is the same within a level.
    """

    kernel: str
    imagemagick: tuple[str, ...]
    graphicsmagick: tuple[str, ...]
    vips: Callable[[Path | str, Path | str, Path], Argv]
    opencv: str
    flags: str = "IMREAD_COLOR"
    comparable: bool = True


def _vips_mask(folder: Path) -> Path:
    path = folder / "kernel.mat"
    rows = [" ".join(f"{weight:.9g}" for weight in row) for row in WEIGHTS]
    path.write_text("5 5\n" + "\n".join(rows) + "\n")
    return path


def _written(row_end: str, separator: str) -> str:
    return row_end.join(separator.join(f"{weight:.9g}" for weight in row) for row in WEIGHTS)


WORKS = {
    # Programs without Sobel's magnitude of their own have `-edge`, which is what their users type.
    "sobel": Work(
        "sobel",
        ("-colorspace", "gray", "-edge", "1"),
        ("-colorspace", "gray", "-edge", "1"),
        lambda source, target, _: ["sobel", source, target],
        "x = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=0.25)\n"
        "y = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=0.25)\n"
        "result = cv2.convertScaleAbs(cv2.magnitude(x, y))",
        flags="IMREAD_GRAYSCALE",
    ),
    "kernel 5x5": Work(
        _written("; ", " "),
        ("-morphology", "Convolve", "5x5: " + _written(" ", ",")),
        ("-convolve", _written(",", ",")),
        lambda source, target, folder: ["conv", source, target, _vips_mask(folder)],
        f"result = cv2.filter2D(image, -1, np.float32({WEIGHTS[::-1, ::-1].round(9).tolist()}))",
    ),
    "gaussian": Work(
        "gaussian:sigma=2",
        ("-blur", "0x2"),
        ("-blur", "0x2"),
        lambda source, target, _: ["gaussblur", source, target, "2"],
        "result = cv2.GaussianBlur(image, (17, 17), 2)",
    ),
}


def cases(folder: Path, launcher: Launcher, *, photographs: int) -> Iterator[Case]:
    """All rows about whole commands.

    Parameters
    ----------
    folder : Path
        An empty folder to work in.
    launcher : Launcher
        Runs the commands.
    photographs : int
        How many there are in the row about many.
    """
    for name, work in WORKS.items():
        prepare = functools.partial(_one, work, folder, launcher, "one.png", (640, 427))
        yield Case(GROUP, "one 640x427 PNG", name, ONE_PNG, prepare)
    for name, work in WORKS.items():
        prepare = functools.partial(_one, work, folder, launcher, "large.jpg", (WIDTH, HEIGHT))
        yield Case(GROUP, "one 11 MP JPEG", name, ONE_JPEG, prepare)
    for name in ("sobel", "gaussian"):
        prepare = functools.partial(_many, WORKS[name], folder, launcher, photographs)
        yield Case(GROUP, f"{photographs} photographs (1024x683 JPEG)", name, MANY, prepare)
    for name, size in (("one.png", (640, 427)), ("large.jpg", (WIDTH, HEIGHT))):
        prepare = functools.partial(_comparison, folder, launcher, name, size)
        yield Case(GROUP, f"compare two pictures of {size[0]}x{size[1]}", "SSIM and PSNR", COMPARED, prepare)
    yield Case(GROUP, "cnncli --help", "", HELP, functools.partial(_help, launcher))
    yield Case(GROUP, "first command ever", "sobel", FIRST_EVER, functools.partial(_first, folder, launcher))


def _source(folder: Path, name: str, size: tuple[int, int]) -> Path:
    path = folder / name
    if not path.exists():
        save(photograph(*size, 3, seed=7), path)
    return path


def _one(work: Work, folder: Path, launcher: Launcher, name: str, size: tuple[int, int]) -> Contest:
    source = _source(folder, name, size)

    def target(program: str) -> Path:
        return folder / f"{program}{source.suffix}"

    commands: dict[str, Argv | None] = {
        "ImageMagick": _between(
            peers.imagemagick("convert"), source, work.imagemagick, target("ImageMagick")
        ),
        "GraphicsMagick": _between(
            peers.graphicsmagick("convert"), source, work.graphicsmagick, target("GraphicsMagick")
        ),
        "vips": [peers.vips(), *work.vips(source, target("vips"), folder)] if peers.vips() else None,
        "OpenCV script": _opencv_script(work, [source], target("OpenCV")),
    }
    ours = [*peers.cnncli(), "convolve", source, "-k", work.kernel, "-o", target("cnncli")]

    def compare() -> Mapping[str, str]:
        if commands["OpenCV script"] is None or source.suffix != ".png":
            return {}
        return {"OpenCV script": difference(_pixels(target("cnncli")), _pixels(target("OpenCV")))}

    return _race(launcher, ours, commands, compare, _limit(launcher, [source], target("cnncli")))


def _many(work: Work, folder: Path, launcher: Launcher, count: int) -> Contest:
    inputs = folder / "photographs"
    inputs.mkdir(exist_ok=True)
    for number in range(count):
        _source(inputs, f"{number:03}.jpg", (1024, 683)) if number == 0 else _variation(inputs, number)
    sources = sorted(inputs.glob("*.jpg"))[:count]
    targets = {name: folder / f"many-{name}" for name in ("cnncli", "im", "gm", "vips", "opencv")}
    for target in targets.values():
        target.mkdir(exist_ok=True)
    magick, vips = peers.imagemagick("mogrify"), peers.vips()
    loop = None
    if vips:
        words = work.vips("$f", f"{targets['vips']}/${{f##*/}}", folder)
        loop = f'for f in "$@"; do {vips} ' + " ".join(f'"{word}"' for word in words) + " || exit; done"
    commands: dict[str, Argv | None] = {
        "ImageMagick": [*magick, "-path", targets["im"], *work.imagemagick, *sources] if magick else None,
        "GraphicsMagick": _graphicsmagick_many(work, inputs, sources, targets["gm"]),
        "vips": ["sh", "-c", loop, "sh", *sources] if loop else None,
        "OpenCV script": _opencv_script(work, sources, targets["opencv"]),
    }
    ours = [*peers.cnncli(), "convolve", *sources, "-k", work.kernel, "-o", targets["cnncli"]]
    return _race(launcher, ours, commands, dict, _limit(launcher, sources, targets["cnncli"]))


def _graphicsmagick_many(work: Work, inputs: Path, sources: list[Path], target: Path) -> Argv | None:
    """Run among the photographs, as it puts the whole of a name below its output folder."""
    program = peers.graphicsmagick("mogrify")
    if program is None:
        return None
    names = [source.name for source in sources]
    there = ["sh", "-c", f'cd "{inputs}" && exec "$@"', "sh"]
    return [*there, *program, "-output-directory", target, *work.graphicsmagick, *names]


def _variation(folder: Path, number: int) -> None:
    """Another photograph, by moving and dimming the first."""
    path = folder / f"{number:03}.jpg"
    if path.exists():
        return
    first = photograph_of_many()
    moved = np.roll(first, (17 * number, 31 * number), axis=(0, 1))
    save((moved * (1 - number % 10 / 40)).astype(np.uint8), path)


@functools.cache
def photograph_of_many() -> np.ndarray:
    """What the many are made from."""
    return photograph(1024, 683, 3, seed=7)


def _between(
    program: tuple[str, ...] | None, source: Path, options: tuple[str, ...], target: Path
) -> Argv | None:
    return [*program, source, *options, target] if program else None


def _opencv_script(work: Work, sources: list[Path], target: Path) -> Argv | None:
    """A script as its users write it; a folder as the target gets a file for each source."""
    if peers.opencv(0) is None:
        return None
    script = f"""
import os, sys
import cv2
import numpy as np
*sources, target = sys.argv[1:]
for source in sources:
    image = cv2.imread(source, cv2.{work.flags})
    {work.opencv.replace(chr(10), chr(10) + "    ")}
    cv2.imwrite(os.path.join(target, os.path.basename(source)) if os.path.isdir(target) else target, result)
"""
    return [sys.executable, "-c", script, *sources, target]


def _race(
    launcher: Launcher,
    ours: Argv,
    commands: Mapping[str, Argv | None],
    compare: Callable[[], Mapping[str, str]],
    limit: Callable[[], Limit],
) -> Contest:
    return Contest(
        _measure(launcher, ours),
        {name: _measure(launcher, argv) for name, argv in commands.items() if argv is not None},
        compare,
        tuple(name for name, argv in commands.items() if argv is None),
        limit,
    )


def _limit(launcher: Launcher, sources: list[Path], target: Path) -> Callable[[], Limit]:
    """Of a command that wrote a file, or a folder of them, with as many threads as there are cores."""

    def limit() -> Limit:
        written = sorted(target.iterdir()) if target.is_dir() else [target]
        return limit_of_command(launcher, available_cores(), sources, written)

    return limit


def _measure(launcher: Launcher, argv: Argv, env: Mapping[str, str] | None = None) -> Callable[[], Cost]:
    return lambda: launcher.cost(argv, cwd=ROOT, env=env)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


_BY_SKIMAGE = """
import sys
import numpy as np
from PIL import Image
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
one, other = (np.asarray(Image.open(path)) for path in sys.argv[1:])
mean_squared_error(one, other), peak_signal_noise_ratio(one, other)
structural_similarity(one, other, channel_axis=2)
"""


def _comparison(folder: Path, launcher: Launcher, name: str, size: tuple[int, int]) -> Contest:
    """Two photographs, against what gives SSIM, too: ImageMagick 6 does not."""
    source = _source(folder, name, size)
    other = source.with_stem(f"{source.stem}-other")
    if not other.exists():
        save(photograph(*size, 3, seed=8), other)
    script: Argv = [sys.executable, "-c", _BY_SKIMAGE, source, other]
    commands = {"scikit-image script": script if peers.skimage() else None}
    ours: Argv = [*peers.cnncli(), "compare", source, other, "--json"]
    return _race(launcher, ours, commands, dict, functools.partial(limit_of_command, launcher, 1))


def _help(launcher: Launcher) -> Contest:
    return Contest(
        _measure(launcher, [*peers.cnncli(), "--help"]),
        {},
        limit=functools.partial(limit_of_command, launcher, 1),
    )


def _first(folder: Path, launcher: Launcher) -> Contest:
    """With an empty folder for compiled code each time."""
    source = _source(folder, "one.png", (640, 427))
    argv = [*peers.cnncli(), "convolve", source, "-k", "sobel", "-o", folder / "first.png"]

    def measure() -> Cost:
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            return launcher.cost(argv, cwd=ROOT, env={"CNNCLI_CACHE_DIR": empty})

    return Contest(measure, {})
