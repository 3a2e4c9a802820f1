"""Filters in this process, on an 11-megapixel image in memory, against OpenCV and scipy.

Both sides get the same number of threads and write into memory that they have used before, which begins
on a cache line as both sides' own allocators have it: ours a prepared `Surface`, OpenCV a ``dst``. Ours
chooses its plan anew each time, as the command does; tables of levels stay, as for all pictures of a command.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from cnncli.core.heap import aligned_empty
from cnncli.core.tiling import Surface
from cnncli.filters.apply import Depth
from cnncli.filters.borders import Axis, Border, BorderMode
from cnncli.filters.kinds.bilateral import Bilateral
from cnncli.filters.kinds.canny import Canny
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.kinds.morphology import Morphology
from cnncli.filters.kinds.pair import Pair
from cnncli.filters.model import Filter, Move, View
from cnncli.filters.options import Options
from cnncli.filters.run import run_filter
from cnncli.filters.second import Second
from cnncli.filters.spec import parse_spec
from cnncli.records import replace

from . import amounts, peers
from .limits import limit_of
from .model import Case, Contest, Goal
from .pictures import photograph
from .timing import timed_block

WIDTH, HEIGHT = 4096, 2731
GROUP = "filter"
ANY_KERNEL, OWN_FUNCTION, LARGE = Goal(3), Goal(1.2), Goal(1.2)
MEMORY_BOUND = Goal(0.8)  # both sides wait for the same bytes
LEVEL = 1 / 255
VARIANTS = {
    "u8 gray": (np.uint8, 1),
    "u8 RGB": (np.uint8, 3),
    "f32 gray": (np.float32, 1),
    "f32 RGB": (np.float32, 3),
}
Array = NDArray[Any]


@dataclass(frozen=True)
class Match:
    """The same filter, ours and OpenCV's.

    Attributes
    ----------
    filter : Filter
        Ours.
    opencv : callable
        ``opencv(cv2, image, out)`` writes its answer to ``out``.
    out : dtype or None
        Of both answers; None: that of the image.
    scale, bias : float
        What our responses are multiplied by and added to, to be those of OpenCV.
    """

    filter: Filter
    opencv: Callable[[Any, Array, Array], object]
    out: type | None = None
    scale: float = 1.0
    bias: float = 0.0
    border: BorderMode = "reflect101"


def cases(threads: int) -> Iterator[Case]:
    """All rows about filters."""
    for size in (3, 5, 7, 11, 15, 21, 31):
        yield from _matched(f"any kernel {size}x{size}", ANY_KERNEL, _any_kernel(size), threads)
    for sigma in (1, 2, 5):
        yield from _matched(f"Gaussian, sigma {sigma}", OWN_FUNCTION, _gaussian(sigma), threads)
    for size in (5, 15, 31):
        yield from _matched(f"box {size}x{size}", OWN_FUNCTION, _box(size), threads)
    yield from _matched("Sobel, magnitude", OWN_FUNCTION, _sobel(), threads)
    yield from _matched("Sobel, magnitude to float", OWN_FUNCTION, _sobel_float(), threads, only="u8")
    yield from _matched("Sobel, one direction", OWN_FUNCTION, _sobel_x(), threads)
    yield from _matched("Laplacian", OWN_FUNCTION, _laplacian(), threads)
    for size in (3, 5, 9, 15):
        only = "u8" if size > 5 else ""  # OpenCV has no larger one of floats
        yield from _matched(f"median {size}x{size}", OWN_FUNCTION, _median(size), threads, only=only)
    for size in (3, 5, 15, 31):
        yield from _matched(f"erode {size}x{size}", OWN_FUNCTION, _morphology(f"erode:{size}"), threads)
    yield from _matched("dilate, disk of radius 5", OWN_FUNCTION, _morphology("dilate:disk:5"), threads)
    yield from _matched("open, 5x5", OWN_FUNCTION, _morphology("open:5"), threads)
    yield from _matched("tophat, disk of radius 15", OWN_FUNCTION, _morphology("tophat:disk:15"), threads)
    for work, spec, theirs, only in _levels():
        yield from _matched(work, OWN_FUNCTION, Match(parse_spec(spec), theirs), threads, only=only)
    yield from _matched("CLAHE", OWN_FUNCTION, _clahe(), threads, only="u8 gray")
    for operation in ("difference", "add", "multiply", "blend"):
        yield from _pairs(operation, threads)
    yield from _matched("bilateral 9x9", OWN_FUNCTION, _bilateral(9), threads)
    yield from _matched("Canny, sigma 1.4", OWN_FUNCTION, _canny(), threads, only="u8 gray")
    for work in (*GEOMETRY, *_IN_PILLOW):
        for variant in VARIANTS if work in GEOMETRY else ("u8 gray", "u8 RGB"):
            yield Case(
                GROUP, work, variant, OWN_FUNCTION, functools.partial(_geometry, work, variant, threads)
            )
    for size in (63, 127):
        for variant in VARIANTS:
            yield Case(
                GROUP,
                f"any kernel {size}x{size}",
                variant,
                LARGE,
                functools.partial(_large, size, variant, threads),
            )


def _resized(cv2: Any, image: Array, out: Array, way: str) -> None:
    cv2.resize(image, out.shape[1::-1], dst=out, interpolation=getattr(cv2, way))


def _turned(cv2: Any, image: Array, out: Array) -> None:
    """About the middle, on a canvas that holds all; OpenCV rounds places to a 32nd of a pixel."""
    turn = cv2.getRotationMatrix2D(((WIDTH - 1) / 2, (HEIGHT - 1) / 2), -30, 1)
    turn[:, 2] += (out.shape[1] - WIDTH) / 2, (out.shape[0] - HEIGHT) / 2
    cv2.warpAffine(image, turn, out.shape[1::-1], dst=out)


#: Our SPECs, OpenCV's functions, and whether both have to give the same.
GEOMETRY: dict[str, tuple[str, Callable[[Any, Array, Array], object], bool]] = {
    "resize to half, means": ("resize:50%:area", functools.partial(_resized, way="INTER_AREA"), True),
    "resize to double, bilinear": ("resize:200%", functools.partial(_resized, way="INTER_LINEAR"), True),
    "crop to half": (
        "crop:2048x1365+1024+683",
        lambda cv2, image, out: cv2.copyTo(image[683:2048, 1024:3072], None, out),
        True,
    ),
    "rotate by 90": ("rotate:90", lambda cv2, image, out: cv2.rotate(image, 0, dst=out), True),
    "rotate by 30": ("rotate:30", _turned, False),
    "flip": ("flip", lambda cv2, image, out: cv2.flip(image, 0, dst=out), True),
    "flop": ("flop", lambda cv2, image, out: cv2.flip(image, 1, dst=out), True),
}
_IN_PILLOW = {"resize to half, bilinear": "resize:50%"}


def _geometry(work: str, variant: str, threads: int) -> Contest:
    """Against OpenCV; antialiased bilinear, which it has not, against Pillow."""
    spec, function, same = GEOMETRY.get(work) or (_IN_PILLOW[work], None, True)
    source, filter = image(variant), parse_spec(spec)
    assert isinstance(filter, Move)
    shape = filter.result_shape((HEIGHT, WIDTH))
    surface = Surface(
        src=source,
        out=_zeros((*shape, source.shape[2]), source.dtype),
        xmap=np.arange(WIDTH),
        ymap=np.arange(HEIGHT),
    )
    view = View((HEIGHT, WIDTH), shape, (0, shape[0]), (0, shape[1]))
    ours = timed_block(lambda: filter.move(surface, view, threads=threads))
    limit = functools.partial(limit_of, amounts.of_filter(filter, source, surface.out), threads)
    answers: dict[str, Array] = {}
    if function is None:
        picture = Image.fromarray(source.squeeze())
        theirs = {
            "Pillow": timed_block(
                lambda: answers.update(
                    Pillow=np.asarray(picture.resize(shape[::-1], Image.Resampling.BILINEAR))
                )
            )
        }
    else:
        cv2 = peers.opencv(threads)
        if cv2 is None:
            return Contest(ours, {}, missing=("OpenCV",), limit=limit)
        out = _zeros(surface.out.shape, source.dtype)
        if same:
            answers["OpenCV"] = out
        theirs = {"OpenCV": timed_block(lambda: function(cv2, source, out))}
    return Contest(
        ours,
        theirs,
        lambda: {name: difference(surface.out, answer) for name, answer in answers.items()},
        limit=limit,
    )


def _matched(work: str, goal: Goal, match: Match, threads: int, *, only: str = "") -> Iterator[Case]:
    """A row for each variant whose name begins with ``only``."""
    for variant in VARIANTS:
        if variant.startswith(only):
            yield Case(GROUP, work, variant, goal, functools.partial(_contest, match, variant, threads))


@functools.cache
def image(variant: str) -> Array:
    """The picture that is filtered, shape (H, W, C); floats lie between 0 and 1."""
    dtype, channels = VARIANTS[variant]
    levels = photograph(WIDTH, HEIGHT, channels)
    pixels = _zeros(levels.shape, dtype)
    np.multiply(levels, np.float32(1 if dtype == np.uint8 else LEVEL), out=pixels, casting="unsafe")
    return pixels


def _zeros(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Memory that has been used."""
    pixels = aligned_empty(shape, dtype)
    pixels[...] = 0
    return pixels


def weights_of_any_kernel(size: int) -> NDArray[np.float64]:
    """Random weights of sum 1, of which a few are negative: nothing that could be factored."""
    weights = np.random.default_rng(size).uniform(-0.2, 1.0, (size, size))
    return np.asarray((weights / weights.sum()).astype(np.float32).astype(np.float64))


def _any_kernel(size: int) -> Match:
    weights = weights_of_any_kernel(size)

    def opencv(cv2: Any, image: Array, out: Array) -> None:
        cv2.filter2D(image, -1, weights.astype(np.float32), dst=out)

    return Match(_linear(weights), opencv)


def _linear(weights: NDArray[np.float64]) -> Linear:
    return Linear(name="any", spec="any", weights=weights, flips=True)


def _gaussian(sigma: int) -> Match:
    size = 6 * sigma + 1  # what OpenCV takes by itself for 8 bits

    def opencv(cv2: Any, image: Array, out: Array) -> None:
        cv2.GaussianBlur(image, (size, size), sigma, dst=out)

    return Match(parse_spec(f"gaussian:sigma={sigma},size={size}"), opencv)


def _box(size: int) -> Match:
    return Match(
        parse_spec(f"box:size={size}"), lambda cv2, image, out: cv2.blur(image, (size, size), dst=out)
    )


def _sobel() -> Match:
    """To the type of the image: for 8 bits OpenCV needs floats in between."""

    @functools.cache
    def parts(shape: tuple[int, ...]) -> list[Array]:
        return [np.empty(shape, np.float32) for _ in range(3)]

    def opencv(cv2: Any, image: Array, out: Array) -> None:
        dx, dy, magnitude = parts(out.shape)
        cv2.Sobel(image, cv2.CV_32F, 1, 0, dst=dx, scale=0.25)
        cv2.Sobel(image, cv2.CV_32F, 0, 1, dst=dy, scale=0.25)
        if out.dtype == np.float32:
            cv2.magnitude(dx, dy, magnitude=out)
        else:
            cv2.convertScaleAbs(cv2.magnitude(dx, dy, magnitude=magnitude), dst=out)

    return Match(_sobel_pair(), opencv)


def _sobel_float() -> Match:
    match = _sobel()
    return Match(match.filter, match.opencv, out=np.float32)


def _sobel_pair() -> Gradient:
    smooth, central = np.array([1.0, 2.0, 1.0]), np.array([1.0, 0.0, -1.0])
    dx = np.outer(smooth, central) / 4
    return Gradient(name="sobel", spec="sobel", dx=dx, dy=dx.T)


def _sobel_x() -> Match:
    """8 bits around mid-gray; floats as they are."""
    weights = _sobel_pair().dx

    def opencv(cv2: Any, image: Array, out: Array) -> None:
        delta = 128 if out.dtype == np.uint8 else 0
        cv2.Sobel(image, -1, 1, 0, dst=out, scale=0.125, delta=delta)

    return Match(Linear(name="sobel", spec="sobel:output=x", weights=weights), opencv, scale=0.5, bias=128)


def _laplacian() -> Match:
    return Match(
        parse_spec("laplacian"),
        lambda cv2, image, out: cv2.Laplacian(image, -1, dst=out, ksize=1),
    )


def _median(size: int) -> Match:
    return Match(
        parse_spec(f"median:size={size}"),
        lambda cv2, image, out: cv2.medianBlur(image, size, dst=out),
        border="replicate",
    )


def _morphology(spec: str) -> Match:
    """Beyond the edge lies what neither side counts."""
    filter = parse_spec(spec)
    assert isinstance(filter, Morphology)
    cells, kind = filter.cells.astype(np.uint8), f"MORPH_{filter.operation.upper()}"
    return Match(
        filter,
        lambda cv2, image, out: cv2.morphologyEx(image, getattr(cv2, kind), cells, dst=out),
    )


def _bilateral(size: int) -> Match:
    """OpenCV takes the pixels in a circle, and the colours' distance as the sum over channels."""
    sigma, share = 3.0, 0.1

    def opencv(cv2: Any, image: Array, out: Array) -> None:
        white = 255 if image.dtype == np.uint8 else 1
        cv2.bilateralFilter(image, size, share * white, sigma, dst=out)

    return Match(
        Bilateral(name="bilateral", spec="bilateral", size=size, sigma=sigma, sigma_color=share), opencv
    )


def _pairs(operation: str, threads: int) -> Iterator[Case]:
    """Two pictures of one type; the second one is the first upside down."""
    for variant in VARIANTS:
        yield Case(
            GROUP,
            f"{operation} of two pictures",
            variant,
            MEMORY_BOUND,
            functools.partial(_pair_contest, operation, variant, threads),
        )


def _pair_contest(operation: str, variant: str, threads: int) -> Contest:
    source = image(variant)
    other = np.ascontiguousarray(source[::-1])
    white = 255.0 if source.dtype == np.uint8 else 1.0
    built = parse_spec(f"{operation}:{'0.3:' if operation == 'blend' else ''}other")
    assert isinstance(built, Pair)
    second = Second("other", other, None, None, white)
    depth = Depth(source.dtype, white)
    filter = replace(built, second=second).for_source(Options(), depth)

    def opencv(cv2: Any, image: Array, out: Array) -> None:
        if operation == "difference":
            cv2.absdiff(image, other, dst=out)
        elif operation == "add":
            cv2.add(image, other, dst=out)
        elif operation == "multiply":
            cv2.multiply(image, other, scale=1 / white, dst=out)
        else:
            cv2.addWeighted(image, 0.7, other, 0.3, 0, dst=out)

    return _contest(Match(filter, opencv), variant, threads)


def _levels() -> Iterator[tuple[str, str, Callable[[Any, Array, Array], object], str]]:
    """Curves, and thresholds: the row, our words, OpenCV's function, and the variants that it has."""

    def white(image: Array) -> int:
        return 255 if image.dtype == np.uint8 else 1

    def otsu(cv2: Any, image: Array, out: Array) -> None:
        cv2.threshold(image, 0, 255, cv2.THRESH_OTSU, dst=out)

    def adaptive(cv2: Any, image: Array, out: Array) -> None:
        cv2.adaptiveThreshold(image, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 15, 0, dst=out)

    def half(cv2: Any, image: Array, out: Array) -> None:
        cv2.threshold(image, white(image) / 2, white(image), cv2.THRESH_BINARY, dst=out)

    def normalize(cv2: Any, image: Array, out: Array) -> None:
        cv2.normalize(image, out, 0, white(image), cv2.NORM_MINMAX)

    powers = np.rint(255 * (np.arange(256) / 255) ** 0.5).astype(np.uint8)
    yield "threshold, Otsu", "threshold:otsu", otsu, "u8 gray"
    yield "threshold, mean of 15x15", "threshold:adaptive:15", adaptive, "u8 gray"
    yield "threshold at half", "threshold:0.5", half, "u8 gray"
    yield "equalize", "equalize", lambda cv2, image, out: cv2.equalizeHist(image, dst=out), "u8 gray"
    yield "normalize", "normalize", normalize, ""
    yield "gamma 2", "gamma:2", lambda cv2, image, out: cv2.LUT(image, powers, dst=out), "u8"
    yield "invert", "invert", lambda cv2, image, out: cv2.bitwise_not(image, dst=out), "u8"


def _clahe() -> Match:
    return Match(
        parse_spec("clahe:clip=2,tiles=8"),
        lambda cv2, image, out: cv2.createCLAHE(2, (8, 8)).apply(image, dst=out),
    )


def _canny() -> Match:
    """Thresholds are shares of full scale; OpenCV's are in levels, before Sobel's division by 4."""
    sigma, low, high = 1.4, 0.03, 0.08
    smooth: dict[str, Array] = {}

    def opencv(cv2: Any, image: Array, out: Array) -> None:
        if not smooth:
            smooth["image"] = np.empty_like(image)
        cv2.GaussianBlur(image, (0, 0), sigma, dst=smooth["image"])
        cv2.Canny(smooth["image"], low * 4 * 255, high * 4 * 255, edges=out, L2gradient=True)

    return Match(Canny(name="canny", spec="canny", sigma=sigma, low=low, high=high), opencv)


def _contest(match: Match, variant: str, threads: int) -> Contest:
    source = image(variant)
    out = match.out or source.dtype
    bias = match.bias if out == np.uint8 else 0.0
    surface = surface_for(
        match.filter, source, np.dtype(out), border=match.border, scale=match.scale, bias=bias
    )
    ours = functools.partial(
        run_filter, match.filter, surface, Options(correlate=True, border=Border(match.border))
    )
    limit = functools.partial(limit_of, amounts.of_filter(match.filter, source, surface.out), threads)
    cv2 = peers.opencv(threads)
    if cv2 is None:
        return Contest(timed_block(lambda: ours(threads=threads)), {}, missing=("OpenCV",), limit=limit)
    theirs = _zeros(source.shape, surface.out.dtype)
    return Contest(
        timed_block(lambda: ours(threads=threads)),
        {"OpenCV": timed_block(lambda: match.opencv(cv2, source, theirs))},
        lambda: {"OpenCV": difference(surface.out, theirs)},
        limit=limit,
    )


def _large(size: int, variant: str, threads: int) -> Contest:
    """Against OpenCV's transform and scipy's; beyond the edge lies 0, which scipy has for free."""
    source = image(variant)
    weights = weights_of_any_kernel(size)
    filter = _linear(weights)
    surface = surface_for(filter, source, source.dtype, border="constant")
    options = Options(correlate=True, border=Border("constant"))
    entrants, answers, missing = {}, {}, []
    cv2 = peers.opencv(threads)
    if cv2 is None:
        missing.append("OpenCV")
    else:
        answers["OpenCV"] = _zeros(source.shape, source.dtype)
        kernel = weights.astype(np.float32)
        entrants["OpenCV"] = timed_block(
            lambda: cv2.filter2D(source, -1, kernel, dst=answers["OpenCV"], borderType=cv2.BORDER_CONSTANT)
        )
    transform = peers.scipy_convolve(threads)
    if transform is None:
        missing.append("scipy")
    elif source.dtype == np.float32:
        flipped = weights[::-1, ::-1, None].astype(np.float32)
        entrants["scipy"] = timed_block(lambda: answers.update(scipy=transform(source, flipped)))
    return Contest(
        timed_block(lambda: run_filter(filter, surface, options, threads=threads)),
        entrants,
        lambda: {name: difference(surface.out, answer) for name, answer in answers.items()},
        tuple(missing),
        functools.partial(limit_of, amounts.of_filter(filter, source, surface.out), threads),
    )


def surface_for(
    filter: Filter,
    source: Array,
    out: np.dtype[Any],
    *,
    border: BorderMode,
    scale: float = 1.0,
    bias: float = 0.0,
) -> Surface:
    """A surface over an image, with an output of the image's size."""
    width, height = _extent(filter)
    maps = [
        Axis(size, extent, extent // 2).input_map("same", border)[0]
        for size, extent in ((source.shape[1], width), (source.shape[0], height))
    ]
    return Surface(
        src=source,
        out=_zeros(source.shape, out),
        xmap=maps[0],
        ymap=maps[1],
        full_scale=255.0 if source.dtype == np.uint8 else 1.0,
        scale=scale,
        bias=bias,
    )


def _extent(filter: Filter) -> tuple[int, int]:
    """Pixels under a filter of odd sides."""
    if not filter.kernels:
        return 2 * filter.reach + 1, 2 * filter.reach + 1
    height, width = filter.kernels[0].shape
    return width, height


def difference(ours: Array, theirs: Array) -> str:
    """Where two answers are more than a level of 255 apart, in words; "" where they are nowhere."""
    level = 1.0 if ours.dtype == np.uint8 or float(np.max(theirs)) > 2 else LEVEL
    apart = np.abs(ours.astype(np.float32) - theirs.reshape(ours.shape).astype(np.float32))
    beyond = apart > 1.001 * level
    if not (beyond.any() or np.isnan(apart).any()):
        return ""
    return f"differs by up to {float(apart.max()) / level:.3g} levels, {beyond.mean():.2%} by more than 1"
