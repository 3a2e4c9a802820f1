"""Run one linear filter over a surface by a given plan: fill in the job and call the core.

These functions return the number of clipped values for an integer output; for a float output, a number
above 0 if any value is not finite, else 0.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import jobs, native
from cnncli.core.choices import BOX_TILE_ROWS, COLOR_SAMPLES, MOST_WIDENED, TILE_ROWS, TILE_SAMPLES
from cnncli.core.heap import aligned_empty
from cnncli.core.native import processor
from cnncli.core.tiling import HEADER_BYTES, Surface, TileJob, is_rgbx, lay_out, sliding_tiles
from cnncli.filters.mapping import Mapping, to_pixels
from cnncli.filters.model import Floats, Weights
from cnncli.filters.rgbx import run_on_rgb
from cnncli.records import replace

if TYPE_CHECKING:
    from cnncli.filters.fixed_point import FixedPoint

MAX_HALVINGS = 8  # doublings tried to make weights integers, less one
PIECE_BYTES = 512  # of the table in ``core/loops/byte_sums.py``
MAX_FACTOR = 64  # tried to make the weights of a bank integers
NOISE = 1e-6  # of the largest response: float32 rounding error in flat areas


def run_direct(weights: Weights, surface: Surface, *, dilation: int, threads: int) -> int:
    """Direct convolution: sum over the weights that are not zero.

    Parameters
    ----------
    weights : ndarray, shape (kh, kw)
        As applied to the image, not flipped.
    surface : Surface
        Source and output.
    dilation : int
        Pixels from one cell to the next.
    threads : int
        Threads to use.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    kh, kw = weights.shape
    extent = ((kw - 1) * dilation + 1, (kh - 1) * dilation + 1)
    numbers = integer_weights(weights, surface)
    if numbers is not None:

        def run_bytes(rgb: Surface) -> int:
            return _run_direct_bytes(*numbers, rgb, extent, dilation=dilation, threads=threads)

        return run_on_rgb(run_bytes, surface, threads=threads)
    if dilation == 1 and _stays_bytes(surface):
        from cnncli.filters.fixed_point import fixed_point

        fixed = fixed_point(weights, surface)
        if fixed is not None:
            found = _run_direct_pairs(fixed, weights, surface, threads=threads)
            if found is not None:
                return found

    def run(*, sharing: bool) -> int:
        job = _float_job(surface, extent)
        rows, _, columns = _set_row_taps(job, weights[None], dilation, sharing=sharing)
        offsets = dilation * (rows * surface.src.strides[0] + 4 * columns * surface.channels)
        job.point("source_offsets", offsets.astype(np.intp))
        return _run("direct", job, threads, rows=processor()[3].tap_rows + rows_read(job))

    clipped = run(sharing=True)
    if clipped and _has_gaps(weights) and not _is_finite(surface):
        return run(sharing=False)
    return clipped


def _float_job(surface: Surface, extent: tuple[int, int]) -> TileJob:
    return lay_out(
        jobs.DIRECT,
        surface,
        extent=extent,
        tile_samples=_tile_samples(surface),
        in_place=np.float32,
        unit=_row_chunk(),
    )


def _has_gaps(weights: Weights) -> bool:
    """Whether rows that share a load may multiply it by a weight of 0: what is not finite becomes NaN."""
    some = weights != 0
    return bool((some.any(axis=0) & ~some.all(axis=0)).any())


def _is_finite(surface: Surface) -> bool:
    """Whether all values that a window can read are finite."""
    return bool(np.isfinite(surface.src).all() and np.isfinite(surface.fill))


def _tile_samples(surface: Surface) -> int:
    """Samples of a row of a tile, at most, where each output is summed at once."""
    return TILE_SAMPLES if surface.channels == 1 else COLOR_SAMPLES


def _row_chunk() -> int:
    """Floats of each row that a loop processes at once, of rows that share their loads."""
    target = processor()[3]
    return target.tap_chunk(target.tap_rows)


def integer_weights(weights: Weights, surface: Surface) -> tuple[NDArray[np.intp], int] | None:
    """Weights as integers and the power of two to divide them by, for sums of bytes.

    None if a sum with the bias could exceed 16 bits, or if not all samples are bytes.
    """
    if not reads_bytes(surface):
        return None
    if not _are_integers(weights * 2.0 ** (MAX_HALVINGS - 1)):
        return None
    exponent = next(each for each in range(MAX_HALVINGS) if _are_integers(weights * 2.0**each))
    numbers = weights * 2.0**exponent
    largest = 255 * np.abs(numbers).sum() + abs(surface.bias)
    return (numbers.astype(np.intp), exponent) if largest < 2**15 else None


def _are_integers(numbers: Weights) -> bool:
    return bool((numbers == np.rint(numbers)).all())


def reads_bytes(surface: Surface) -> bool:
    """Whether all samples of a window are bytes, including those beyond the border."""
    whole_fill = float(surface.fill).is_integer() and 0 <= surface.fill <= 255
    return surface.src.dtype == np.uint8 and surface.luma is None and whole_fill


def _run_direct_bytes(
    numbers: NDArray[np.intp],
    exponent: int,
    surface: Surface,
    extent: tuple[int, int],
    *,
    dilation: int,
    threads: int,
) -> int:
    """`run_direct` in integers."""
    job = lay_out(jobs.DIRECT, surface, extent=extent, tile_samples=_tile_samples(surface), in_place=np.uint8)
    rows, columns = np.nonzero(numbers)
    if not len(rows):
        rows, columns = np.zeros((2, 1), np.intp)
    for name, pitch in (("tap_offsets", job.pitch), ("source_offsets", surface.src.strides[0])):
        offsets = dilation * (rows * pitch + columns * surface.channels)
        job.point(name, np.stack([offsets, numbers[rows, columns]], axis=1).astype(np.intp))
    scale = surface.scale / 2**exponent
    job.record["tap_count"] = len(rows)
    job.record["scale"] = scale
    job.record["as_bytes"] = surface.out.dtype == np.uint8 and scale == 1 and float(surface.bias).is_integer()
    return _run("direct_bytes", job, threads, rows=1 + -(-job.loaded_rows // 4))


def _stays_bytes(surface: Surface) -> bool:
    """Whether all samples, of windows and of the output, are bytes, for sums that are scaled and rounded."""
    close = not (is_rgbx(surface.src) or is_rgbx(surface.out))  # a fourth sample costs what integers save
    plain = surface.stride == (1, 1) and not surface.absolute
    return reads_bytes(surface) and surface.out.dtype == np.uint8 and plain and close


def _run_direct_pairs(fixed: "FixedPoint", weights: Weights, surface: Surface, *, threads: int) -> int | None:
    """`run_direct` in 16-bit integers; None where too many sums are close to a half."""
    from cnncli.filters.fixed_point import gave_up, most_open

    kh, kw = weights.shape
    target = processor()[3]
    job = lay_out(
        jobs.DIRECT_PAIRS,
        surface,
        extent=(kw, kh),
        slides=sliding_tiles(threads),
        unit=_row_chunk(),
    )
    record = job.record
    pairs = (kh + 2) // 2
    ring = pairs + target.tap_rows // 2 - 1
    record["ring"] = ring
    places = np.tile(4 * job.pitch * np.arange(ring), 2).astype(np.intp)
    job.point("places", places)
    job.point("row_places", (places[:, None] + [0, 2]).ravel())
    _set_pair_taps(job, fixed.weights, pairs, ring)
    for name in ("shift", "start", "error", "lean", "spread"):
        record[name] = getattr(fixed, name)
    record["kernel_height"] = kh
    record["blocks"] = blocks = -(-((kw - 1) * surface.channels + 1) // 4)
    spaced = np.zeros((kh, max(4 * blocks, kw * surface.channels)), np.float32)
    spaced[:, : kw * surface.channels : surface.channels] = weights
    job.point("weights", np.ascontiguousarray(spaced[:, : 4 * blocks]))
    record["most_doubtful"] = most_open(surface)
    open_bytes = 25 * target.tap_rows * job.pitch + 24 * target.lanes  # of the list of all samples
    scratches = native.run(
        "direct_pairs",
        job.record,
        job.count,
        threads=threads,
        scratch_bytes=HEADER_BYTES + 4 * (2 + -(-3 * ring // 2)) * job.pitch + open_bytes,
    )
    return None if gave_up(scratches, surface) else clipped_in(scratches)


def _set_pair_taps(job: TileJob, numbers: NDArray[np.int16], pairs: int, ring: int) -> None:
    """Set the taps of pairs of rows: a weight for each row of output rows that are computed together."""
    target, channels = processor()[3], job.surface.channels
    rows = target.tap_rows
    kh, kw = numbers.shape
    table = np.zeros((rows, 2 * ring, kw), np.int16)
    for each in range(rows):
        table[each, each : each + kh] = numbers
    weights = _paired(table).transpose(1, 2, 0)
    places, columns = np.nonzero(weights.any(axis=-1))
    stretches = {members: number for number, members in enumerate(target.pair_stretches)}
    first, last = np.maximum(places - pairs + 1, 0), np.minimum(places, rows // 2 - 1)
    within = [stretches[members] for members in zip(first.tolist(), last.tolist(), strict=True)]
    turned = (places + np.arange(ring)[:, None]) % ring
    job.record["tap_count"] = len(places)
    job.point("tap_ends", np.searchsorted(within, np.arange(len(stretches)), side="right"))
    job.point("tap_offsets", (4 * (turned * job.pitch + columns * channels)).astype(np.intp))
    job.point("tap_weights", np.ascontiguousarray(weights[places, columns]))


def _paired(numbers: NDArray[np.int16]) -> NDArray[np.int32]:
    """Two of 16 bits, of the second last axis, as one of 32."""
    pairs = numbers.reshape(*numbers.shape[:-2], -1, 2, numbers.shape[-1])
    return np.ascontiguousarray(np.moveaxis(pairs, -2, -1)).view(np.int32)[..., 0]


def run_separable(columns: Weights, rows: Weights, surface: Surface, *, dilation: int, threads: int) -> int:
    """Separable convolution: a sum, over ranks, of columns times rows.

    Parameters
    ----------
    columns, rows : ndarray, shapes (rank, kh) and (rank, kw)
        weights = columns.T @ rows, as applied to the image.
    surface, dilation, threads
        As in `run_direct`.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    rank, kh = columns.shape
    kw = rows.shape[1]
    if rank == dilation == 1 and _stays_bytes(surface):
        from cnncli.filters.fixed_factors import run_fixed_factors

        if run_fixed_factors(columns[0], rows[0], surface, threads=threads):
            return 0
    extent = ((kw - 1) * dilation + 1, (kh - 1) * dilation + 1)
    job = lay_out(
        jobs.SEPARABLE,
        surface,
        extent=extent,
        row_bytes_factor=rank,
        slides=sliding_tiles(threads),
        in_place=np.float32,
    )
    room = rows_read(job)
    job.record["rank"], job.record["plane"] = rank, room * job.pitch
    set_factors(job, columns, rows, dilation=dilation, plane=room * job.pitch)
    return _run("separable", job, threads, rows=processor()[3].tap_rows + 1 + rank * room)


def set_factors(job: TileJob, columns: Weights, rows: Weights, *, dilation: int = 1, plane: int = 0) -> None:
    """Set the columns and rows of `run_separable`, in any job with fields for them."""
    job.record["kept_rows"] = job.loaded_rows
    along = [4 * x * dilation * job.surface.channels for x in range(rows.shape[1])]
    job.record["row_count"] = rows.shape[1]
    job.point("row_offsets", np.array(along * len(rows), np.intp))
    job.point("row_weights", np.ascontiguousarray(rows.ravel(), np.float32))
    _set_row_taps(job, columns[:, :, None], dilation, plane=plane)


def rows_read(job: TileJob) -> int:
    """Rows in scratch: the loaded ones, and those read for output rows beyond the tile."""
    return job.loaded_rows + processor()[3].tap_rows - 1


def run_box(shape: tuple[int, ...], weight: float, surface: Surface, *, threads: int) -> int:
    """Box filter: a sum over a rectangle of ``shape`` (height, width), times ``weight``; see `run_direct`."""
    name = box_loop(shape, surface)
    if name == "box":
        return _run_box(name, shape, weight, surface, threads)
    return run_on_rgb(lambda rgb: _run_box(name, shape, weight, rgb, threads), surface, threads=threads)


def box_rows(shape: tuple[int, ...], surface: Surface) -> int:
    """Rows of an output that share running sums of floats; sums of bytes are exact wherever they begin."""
    name = box_loop(shape, surface)
    return int(_box_job(name, shape, surface).record["tile_height"][0]) if name == "box" else 1


def _box_job(name: str, shape: tuple[int, ...], surface: Surface) -> TileJob:
    of_bytes = name != "box"
    return lay_out(
        jobs.BOX,
        surface,
        extent=(shape[1], shape[0]),
        tile_rows=BOX_TILE_ROWS if of_bytes else TILE_ROWS,
        in_place=np.uint8 if of_bytes else None,
    )


def _run_box(name: str, shape: tuple[int, ...], weight: float, surface: Surface, threads: int) -> int:
    height, width = shape
    of_bytes = name != "box"
    job = _box_job(name, shape, surface)
    job.record["box_width"], job.record["box_height"] = width, height
    job.record["loaded_rows"] = job.loaded_rows
    job.record["scale"] *= np.float32(abs(weight) if surface.absolute else weight)  # |sum| comes first
    if not of_bytes:
        return _run(name, job, threads, rows=job.loaded_rows + 3)
    # A row of floats, a table of pieces, loaded rows of bytes and one of zeros, a row of sums per level.
    rows = 1 + -(-(job.loaded_rows + 1) // 4) + width.bit_length()
    return _run(name, job, threads, rows=rows + -(-PIECE_BYTES // (4 * job.pitch)))


def box_loop(shape: tuple[int, ...], surface: Surface) -> str:
    """The native function for a box: in integers if its sums of bytes are exact."""
    if not reads_bytes(surface):
        return "box"
    height, width = shape
    largest = 255 * height * width
    if largest < 2**16:
        return "box_bytes"
    columns = (2**16 - 1) // (255 * height)  # whose sums fit 16 bits
    if columns and width >> (columns.bit_length() - 1) <= MOST_WIDENED:
        return "box_bytes_mixed"
    return "box_bytes_wide" if largest < 2**31 else "box"


def run_responses(
    kernels: Sequence[Weights],
    surface: Surface,
    *,
    combine: str,
    dilation: int,
    threads: int,
    rectified: bool = False,
    angles: Sequence[float] = (),
) -> int:
    """Several kernels in one pass, and the combination of their responses.

    Parameters
    ----------
    kernels : sequence of ndarray, each (kh, kw)
        As applied to the image.
    surface, dilation, threads
        As in `run_direct`.
    combine : str
        A key of ``jobs.COMBINE``. ``max`` is never below 0; ``angle`` and ``direction`` are 0 where all
        responses are within rounding noise.
    rectified : bool
        Whether ``max`` and ``direction`` compare magnitudes, so that responses of either sign count.
    angles : sequence of float
        Values of ``direction``, one for each kernel.

    Returns
    -------
    int
        Values that the output's type clipped.
    """
    kh, kw = kernels[0].shape
    extent = ((kw - 1) * dilation + 1, (kh - 1) * dilation + 1)
    job = lay_out(jobs.RESPONSES, surface, extent=extent, tile_samples=_tile_samples(surface))
    if combine == "direction":
        kernels = integer_kernels(kernels)
    even = [*kernels, np.zeros((kh, kw))] if len(kernels) % 2 else list(kernels)
    _set_taps(job, np.stack(even), dilation)
    job.record["kernels"], job.record["combine"] = len(kernels), jobs.COMBINE[combine]
    job.record["rectified"] = rectified
    job.record["floor"] = noise_floor(kernels, surface.full_scale)
    job.point("angles", np.array(angles or [0.0] * len(kernels), np.float32))
    # Responses of all kernels for one chunk, as a number of rows of scratch.
    room = -(-len(even) * processor()[3].tap_chunk(2) // job.pitch)
    return _run("responses", job, threads, rows=job.loaded_rows + 2 + room)


def noise_floor(kernels: Sequence[Weights], white: float) -> np.float32:
    """The response of the largest kernel below which there is nothing but rounding, as in flat areas."""
    return np.float32(NOISE * max(float(np.abs(weights).sum()) for weights in kernels) * white)


def integer_kernels(kernels: Sequence[Weights]) -> Sequence[Weights]:
    """Kernels scaled by a common factor to integer weights, if a small factor does so.

    Sums of integer samples are then exact, so that among equally strong directions the first always wins,
    at any depth of the image.
    """
    for factor in range(1, MAX_FACTOR + 1):
        numbers = [np.rint(factor * weights) for weights in kernels]
        if all(np.allclose(factor * w, n, rtol=0, atol=1e-9) for w, n in zip(kernels, numbers, strict=True)):
            return numbers
    return kernels


def _set_row_taps(
    job: TileJob, kernels: Weights, dilation: int, *, plane: int = 0, sharing: bool = True
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Set the taps of a sum over kernels (count, kh, kw), each over its own plane of rows, for `jobs._ROWS`.

    Every output sample sums its taps in the same order, rows first, in each of the rows that share their
    loads, where ``sharing`` allows it: then 0 times what another row reads is added. Returns the row, kernel
    and column of each tap.
    """
    surface, target = job.surface, processor()[3]
    step = target.tap_rows if sharing and dilation == 1 and surface.stride[1] == 1 else 1
    by_row = kernels.transpose(1, 0, 2)
    height = len(by_row)
    weights = np.zeros((height + step - 1, *by_row.shape[1:], target.tap_rows))
    for each in range(step):
        weights[each : each + height, ..., each] = by_row
    present = np.asarray(weights.any(axis=-1))
    if not present.any():
        present[0, 0, 0] = True
    rows, numbers, columns = np.nonzero(present)
    offsets = 4 * (numbers * plane + dilation * (rows * job.pitch + columns * surface.channels))
    stretches = {members: number for number, members in enumerate(target.stretches)}
    first, last = np.maximum(rows - height + 1, 0), np.minimum(rows, step - 1)
    within = [stretches[members] for members in zip(first.tolist(), last.tolist(), strict=True)]
    if step == 1:
        within = [0] * len(rows)
    job.record["tap_count"] = len(rows)
    job.record["shares_rows"] = step > 1
    job.record["stores_chunks"] = step > 1 and surface.stride[0] == 1 and _row_chunk() % surface.channels == 0
    job.point("tap_ends", np.searchsorted(within, np.arange(len(stretches)), side="right"))
    job.point("tap_offsets", offsets.astype(np.intp))
    job.point("tap_weights", np.ascontiguousarray(weights[present], np.float32))
    return rows, numbers, columns


def _set_taps(job: TileJob, kernels: Weights, dilation: int) -> None:
    """Set taps where any of the kernels (count, kh, kw) has a weight; weights in pairs of kernels."""
    cells = np.argwhere(kernels.any(axis=0))
    if not len(cells):
        cells = np.zeros((1, 2), np.intp)
    rows, columns = cells.T
    offsets = 4 * dilation * (rows * job.pitch + columns * job.surface.channels)
    weights = kernels[:, rows, columns].reshape(-1, 2, len(cells)).transpose(0, 2, 1)
    job.record["tap_count"] = len(cells)
    job.point("tap_offsets", offsets.astype(np.intp))
    job.point("tap_weights", np.ascontiguousarray(weights, np.float32))


def unmapped(surface: Surface) -> Surface:
    """The same surface with a float32 output of its own that holds responses, not mapped to pixels."""
    out = aligned_empty(surface.out.shape, np.float32)
    return replace(surface, out=out, absolute=False, scale=1.0, bias=0.0)


def dense(surface: Surface, extent: tuple[int, ...]) -> Surface:
    """As `unmapped`, without stride, of a window of ``extent`` (width, height)."""
    out = aligned_empty(dense_shape(surface, extent), np.float32)
    return replace(surface, out=out, stride=(1, 1), absolute=False, scale=1.0, bias=0.0)


def dense_shape(surface: Surface, extent: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels of an output without stride, of a window of ``extent`` (width, height)."""
    x, y = extent
    return surface.ymap.size - y + 1, surface.xmap.size - x + 1, surface.channels


def store_responses(responses: Floats, surface: Surface) -> int:
    """Map responses, which are overwritten, to the output of a surface; the number of clipped values."""
    mapping = Mapping(absolute=surface.absolute, scale=surface.scale, bias=surface.bias)
    surface.out[:], clipped = to_pixels(responses, mapping, surface.out.dtype)
    return clipped + (surface.out.dtype == np.float32 and not np.isfinite(surface.out).all())


def clipped_in(scratches: Sequence[NDArray[np.uint8]]) -> int:
    """The sum of the counts of clipped values that threads have left in their scratch memory."""
    return sum(int(scratch[:8].view(np.int64)[0]) for scratch in scratches)


def _run(name: str, job: TileJob, threads: int, *, rows: int) -> int:
    """Run a job with scratch memory for ``rows``; the clipped values of all threads."""
    scratches = native.run(
        name, job.record, job.count, threads=threads, scratch_bytes=HEADER_BYTES + 4 * rows * job.pitch
    )
    return clipped_in(scratches)
