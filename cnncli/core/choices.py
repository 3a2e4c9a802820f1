"""Every number that was chosen for processors rather than by what is computed: by speed, on those named.

`TARGETS` has those that differ between instruction sets, the constants those for which one value was as fast
as any on all that were tried. Figures are from two cores of an AMD EPYC of a family each: Zen 3 (25, AVX2),
Zen 4 (family 25, model 17, AVX-512) or Zen 5 (family 26, model 2, AVX-512). None changes what is computed but
for rounding, within the bounds that filters and layers state.
"""

from cnncli.records import record


@record(kw_only=True)
class Target:
    """An instruction set: vector width, register tiles, and what else differs.

    Attributes
    ----------
    name : str
        ``avx512``, ``avx2``, ``neon`` or ``sse``.
    lanes : int
        float32 values in one vector.
    tap_rows : int
        Rows that the filter loops sum at once, so that they share their loads: as many as it takes for
        multiply-adds, not loads, to be the limit; a load that crosses cache lines counts twice. With 16
        lanes each unaligned load does: with 4 rows instead of 2, 7x7 on floats is 2.8 times as fast as
        OpenCV's, not 2.0 (Zen 5). With 8 lanes 7x7 on bytes takes 6.1, 6.2 and 9.0 ms with 2, 3 and 4.
    tap_vectors : int
        Vectors of one row that they keep as accumulators, for two rows at once: 2 * tap_vectors
        accumulators, tap_rows weights and 1 load must fit the vector registers.
    transforms : (float, float)
        How many times the time of direct convolution, by its model, transforms take, for integers and for
        floats, which wait for memory: more `tap_rows` make direct convolution cheaper, not transforms. They
        pay from 11x11 on bytes and 13x13 on floats with AVX-512, from 11x11 on both with AVX2, where 9x9 on
        bytes takes 7.0 ms directly and 7.8 by transforms (Zen 5). `SLOWER_TRANSFORMS` has those of others.
    gemm_rows : int
        Output pixels that the network convolution keeps as accumulators, for two vectors each.
    gemm_half_rows : int
        The same for the remainder after whole tiles: 16 channels fill 2 tiles of 8, not one of 26 rows;
        ResNet-20's step 131 to 125 ms (Zen 5).
    gemm_narrow_rows : int
        The same for one vector each: 13, the taps of 5x5 in two tiles. Addresses of 26 rows do not fit the
        general registers: with 12 LeNet-5's step on one thread takes 2.2 ms instead of 2.45 (Zen 5).
    search_queries : int
        Queries that four rows are multiplied with at once: 16 accumulators of 32 registers, 8 of 16.
    level : str
        The x86-64 level, as LLVM names processors, with the instructions of the family; empty elsewhere.
    """

    name: str
    lanes: int
    tap_rows: int
    tap_vectors: int
    transforms: tuple[float, float]
    gemm_rows: int
    gemm_half_rows: int
    gemm_narrow_rows: int
    search_queries: int
    level: str = ""

    def tap_chunk(self, sums: int) -> int:
        """Floats of a row that the filter loops process at a time, with ``sums`` sums at once."""
        return 2 * self.tap_vectors * self.lanes // sums

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """First and last of the `tap_rows` output rows that a row of source pixels contributes to, in order.

        Going down the source, output rows are added at the end and removed at the start; each gets its cells
        from the top of the kernel to the bottom.
        """
        return _stretches(self.tap_rows)

    @property
    def pair_stretches(self) -> list[tuple[int, int]]:
        """The same of pairs of output rows."""
        return _stretches(self.tap_rows // 2)


def _stretches(count: int) -> list[tuple[int, int]]:
    """Of so many rows, or pairs of rows, those that follow one another."""
    return [(first, last) for first in range(count) for last in range(first, count)]


# Registers: 32 of 512 bits, 16 of 256, 32 of 128, 16 of 128.
TARGETS = {
    "avx512": Target(
        name="avx512",
        lanes=16,
        tap_rows=4,
        tap_vectors=12,
        transforms=(1.4, 1.6),
        gemm_rows=14,
        gemm_half_rows=8,
        gemm_narrow_rows=12,
        search_queries=4,
        level="x86-64-v4",
    ),
    "avx2": Target(
        name="avx2",
        lanes=8,
        tap_rows=2,
        tap_vectors=6,
        transforms=(1.2, 1.15),
        gemm_rows=6,
        gemm_half_rows=4,
        gemm_narrow_rows=13,
        search_queries=2,
        level="x86-64-v3",
    ),
    "neon": Target(
        name="neon",
        lanes=4,
        tap_rows=2,
        tap_vectors=12,
        transforms=(1.0, 1.0),
        gemm_rows=8,
        gemm_half_rows=4,
        gemm_narrow_rows=13,
        search_queries=4,
    ),
    "sse": Target(
        name="sse",
        lanes=4,
        tap_rows=2,
        tap_vectors=6,
        transforms=(1.0, 1.0),
        gemm_rows=6,
        gemm_half_rows=4,
        gemm_narrow_rows=13,
        search_queries=4,
        level="x86-64-v2",
    ),
}

#: `Target.transforms` by target, and by vendor and family as Linux names them, where they take longer: with
#: AVX2 11x11 on floats takes 15.9 ms directly and 25.0 by transforms, in colour 45.8 and 64.5 (Zen 4; Zen 3,
#: of the same family, was not measured: its vectors are as wide, its L2 cache is smaller). 13x13 takes 21.3
#: and 24.9, in colour 62.5 and 64.2, and stays with transforms, of which 5 ms are checks for dark tiles.
SLOWER_TRANSFORMS = {("avx2", "AuthenticAMD 25"): (1.2, 1.6)}


def transforms_of(target: Target, model: str) -> tuple[float, float]:
    """`Target.transforms` for a processor, by its description from `native.processor`."""
    return SLOWER_TRANSFORMS.get((target.name, " ".join(model.split()[:2])), target.transforms)


#: Bytes of an output of floats from which stores bypass the caches: the size of most last-level caches. 3x3
#: on 11 megapixels of floats 4.2 to 3.3 ms, Laplacian in colour 10.4 to 8.3 (Zen 5).
STREAMED_BYTES = 32 << 20

#: Bytes of a row up to which the one after it is fetched while it is copied or mirrored: the first cache
#: holds two of the source and two of the output. 11 megapixels of bytes mirrored by a thread 0.45 to 0.35 ms
#: (Zen 4). Longer ones are mirrored with so many bytes ahead.
FETCHED_ROW, FETCHED_AHEAD = 8192, 2048

# Tiles of filters: loaded rows stay in the L2 cache, of which Zen 3 has 512 KB, others 1 MB and more.
TILE_SAMPLES = 960  # of a row, at most: 4 KB of float32; whole chunks of every target
#: The same of colours where rows are not summed first: Laplacian on bytes 2.63 to 2.31 ms, Sobel 7.26 to
#: 6.66, 3x3 on floats 6.31 to 5.90, with AVX2 0 to 4 % faster (Zen 5). Sums of pairs of bytes take 3 to 6 %
#: longer then, and a Gaussian on floats 5 %.
COLOR_SAMPLES = 1920
TILE_ROWS = 32
SCRATCH_BUDGET = 384 * 1024  # bytes of loaded rows
BOX_TILE_ROWS = 96  # for bytes: a quarter of the memory of floats, and fewer rows are summed twice
#: Parts of a row of a box whose sums of bytes fit 16 bits, one after the other, at most, for these to be
#: kept so and widened only to be added: 31x31 on 11 megapixels of gray 5.5 to 3.8 ms, in colour 15.3 to
#: 12.5; but 91x91, 45 parts, in colour 31.8 to 39.4 (Zen 4).
MOST_WIDENED = 12
SLIDING_EXTENTS = 16  # maximum height of a tile, in heights of the kernel, where rows are moved up
SLIDING_TILES, TILES_PER_THREAD = 32, 8  # minimum number of such tiles of an image: enough for all threads
MIN_ADVANCE = 32  # rows that such a tile processes before it moves rows up
MEDIAN_TILE_ROWS = 32
MEDIAN_ROW_BYTES = 2048  # of a tile's rows if a network of comparisons stores intermediate values …
MEDIAN_PLACES_BYTES = 96 * 1024  # … which take so many, of the L2 cache
MEDIAN_WIDE_ROW_BYTES = 8192  # if nothing else is stored: long rows suit the memory
HISTOGRAM_COLUMNS = 512  # of 544 bytes each, in the L2 cache
RANK_TILE = 64  # pixels on a side within which a large window's median is found by ranks
#: Largest sides of windows whose medians are found by networks, by bytes of an element: above it, histograms
#: and ranks are faster.
MAX_NETWORK_SIZE = {1: 11, 2: 13, 4: 9}
EXTREMES_ROWS_BYTES = 384 * 1024  # of the rows of a tile
EXTREMES_ROW_BYTES = 512, 16384  # of one, at least and at most
EXTREMES_TILES_PER_THREAD = 4
ENLARGED_ROWS = 64  # of a tile of a larger picture: the rows at its ends are loaded by its neighbours, too
#: Samples of such a row in bytes, whole vectors: 960 take up to a third longer, 3840 as long (Zen 5).
ENLARGED_BYTES_TILE = 1920
RESIZED_FLOATS = 6144  # of the rows of a tile's source and result together, in vectors of one lane
# Pictures turned by any angle: a row of a tile crosses rows of the source, of which the first cache holds
# what the next one needs; tiles are so high that they touch few pages for their pixels. No processor foresees
# where these lie: by 30 degrees 11 megapixels of floats in colour take 52 ms, fetched ahead 21 (Zen 5).
TURNED_COLUMNS, TURNED_ROWS = 256, 128  # a multiple of any vector
#: Of the pixels under a tile, at most, for them to be copied where rows share sets of the first cache: gray
#: bytes 10.4 to 8.6 ms, but gray floats, 290 KB, 8.9 to 10.3 (Zen 5).
TURNED_BYTES = 128 * 1024
TURNED_AHEAD = 8  # rows of the result whose pixels are fetched before they are needed, …
TURNED_APART = 4  # … of every fourth place: those between lie on the same lines or those beside

#: Source and output rows from the one in work to those that are prefetched: rows of a tile lie on different
#: pages, which the processor's own prefetching does not follow. 3x3 on bytes 7.9 to 6.5 ms (Zen 3, a thread).
ROWS_AHEAD = 2

# Sums of bytes in 16-bit integers (Zen 5, AVX2 alike): samples whose extremes are looked up together, of
# which fewer take longer to look up and more leave more sums open; the share of sums that weights may leave
# open, and that a thread may find open in a picture, where each takes as long as thirty that are not.
EXTREMES_SAMPLES = 96
OPEN_BY_WEIGHTS, OPEN_SHARE = 1 / 80, 1 / 64
# The same of separable blurs: the share that weights may leave open, above which floats are faster with
# AVX-512 (with AVX2 above 1/60); and samples, whole vectors of bytes, of which fewer take longer.
OPEN_BY_FACTORS, FACTOR_SAMPLES = 1 / 90, 320

# Costs of filters, in taps of direct convolution. A tap of a single sum is a load and a multiply-add, and
# unaligned loads that cross a cache line count twice; with several sums per load (rows in one pass, pairs of
# kernels) the multiply-adds are the limit.
LONE_TAP = 1.35
SHARED_TAP = 1.05
ADDITION = 1.5  # of running sums: load, load, add, store
# Of transforms, fitted to measurements on Zen 3 with one thread: seconds of direct convolution per
# multiply-add, nanoseconds per point of a tile …
DIRECT_SECONDS = 0.031e-9
PASS_COST = 0.06, 0.07  # … for each doubling of its points, and of those that are transformed back
POINT_COST, ROW_COST, TALL_COST = 0.4, 30.0, 0.6  # … for loading; for a row; in tiles taller than wide
UNCACHED_COST = 0.6  # … for each doubling above those that stay in an L2 cache of 512 KB:
CACHED_POINTS = 65536
MAX_TILE_SIDE = 1024  # unless the kernel needs more
#: Taps per multiply-add of a transform's cost, up to which parts that it leaves out are convolved directly.
DIRECT_TAPS = 3.0
# Of a bilateral grid, seconds with 16 lanes: per tap and float of the grid; per corner of a pixel that is
# splatted or sliced; per pixel of a window and colour, in the exact filter.
GRID_TAP, GRID_CORNER, EXACT_PIXEL = 1.2e-10, 2.5e-9, 8e-11
GRID_GAIN = 1.5  # minimum speedup for using one
GRID_MIN_SIGMA, GRID_MIN_SIZE = 15.0, 45  # pixels: below, the exact filter is as fast
# Windows of extremes: so many compared at once before one of so many times the width is made of them, and
# rows of a rectangle from which its columns are compared in blocks.
MOST_PARTS, WIDENING, TALL = 6, 4, 8

# Networks. What a tile's sum runs over fits the L1 cache of 32 KB, inputs processed together a part of L2.
PANEL_BYTES = 32 * 1024  # weights of a part of a sum
IMAGE_BYTES = 192 * 1024  # inputs processed together
PIXEL_TILES = 7  # register tiles processed together, at least, so that the last one wastes little
LINE_PIXELS = 128  # of a gradient processed together, in the L1 cache
SUM_PIXELS = 128  # the same of depthwise layers: a line of them for each kernel row
#: That far apart, two pixels share a set of the L1 cache, and are copied side by side first, for `MIN_BLOCKS`
#: of outputs and `MIN_INPUTS` of a part of a sum: layers of 1024 channels do 51 to 56 G multiply-adds/s on a
#: core instead of 40 to 42 (Zen 4).
SETS_BYTES, MIN_BLOCKS, MIN_INPUTS = 4096, 4, 64
#: Bytes of weights that are fetched while they arrive, for one sample: 20 to 40 GB/s at 100 to 200 ns.
WEIGHTS_AHEAD = 4096
UNROLLED = 4  # steps of a sum in one turn of its loop, so that addresses of rows are loaded once for several
PAIR_ROWS = 13  # of the tile of pairs: more addresses do not fit the general registers
DEPTHWISE_PIXELS = 7  # accumulators; with weights of a kernel row and an input they fit 16 registers
SCATTER_STORE_STEPS = 6  # loading and storing a tile takes as long as this many steps of its sum
SCATTER_GAIN = 1.25  # at least, in steps

# Winograd or direct: the transforms cost more than they save below these …
WINOGRAD_MIN_CHANNELS, WINOGRAD_MIN_OUTPUTS = 8, 16
WINOGRAD_MIN_USED = 0.6  # fraction of the tiles' outputs that exist
WINOGRAD_TRANSFORMS = 1.25  # time of the whole over that of its multiply-adds, at least
SMALL_WEIGHTS = 1 << 16  # input times output channels, whose transformed weights stay in the caches …
WINOGRAD_MIN_TILES = 8  # … and tiles per read of larger ones
WINOGRAD_TILES, WINOGRAD_MOST_TILES = 48, 64  # processed together, at most, with small weights and large
WINOGRAD_TURN_ROWS = 4  # rows of a register tile that take as long as another turn of tiles
WINOGRAD_FEW_TILES = 2  # register tiles of a sample, up to which threads share outputs, not lines
WINOGRAD_SUM_TILES = 64  # over which a register tile of the weights' gradient sums

# Threads or not, and how they share work.
#: Multiply-adds of a network from which threads share the work on one image, about 0.1 ms: two convolutions
#: on one digit 0.093 to 0.083 ms (Zen 5).
MIN_SHARED_WORK = 10_000_000
#: Bytes that are only moved or compared, for each thread: 25 us within the last-level cache, where calling a
#: helper that waits takes 3 us and waking one that sleeps 10. A crop of 5.6 MB to and fro 0.074 to 0.059 ms,
#: 11 megapixels of bytes inverted 0.31 to 0.17 (Zen 5).
MOVED_BYTES = 2 << 20
MIN_PART_WORK = 300_000  # multiply-adds of a thread's part of a layer that outweigh a join, of 1 to 2 us
VALUE_WORK = 10  # multiply-adds that take as long as reading and writing a value
MIN_LINES = 4  # lines of an image for each thread, below which they share its channels
DENSE_PARTS = 4  # of a fully connected layer for each thread: memory may serve one faster than another
MIN_BATCH_VALUES = 200_000  # of pictures that are made for training, below which starting threads costs more
PIECE_ROWS, PACK_FLOATS, FINAL_TASKS = 256, 1 << 14, 64  # of parameters in one task; tasks of a whole batch
LARGE_GRADIENT = 1 << 20  # bytes from which a barrier pays, so that layers share the memory
RANGE_DIVISOR = 3  # a thread takes its part of the remaining work, divided by this: small ranges at the end
MIN_RANGES = 24  # per thread, if all had the smallest size
SPIN_POLLS = 20_000  # of a shared counter, a fraction of a millisecond, before a thread yields
#: Polls for the next step, some 130 us (Zen 5) or 200 (Zen 4), before a helper goes to sleep: one image after
#: the other through two convolutions 79 to 56 us, ResNet-20 165 to 145 (Zen 5). What has just moved a picture
#: has moved Python out of the caches, which takes 100 us to the next call then, and waking a helper takes
#: 150: 11 megapixels of bytes upside down 0.51 to 0.36 ms (Zen 4).
LINGER_POLLS = 8_000

# Exact search. For few queries one row at a time is read: four are four streams for the prefetchers, 26 GB/s
# instead of 33 (Zen 4). Hardware stops prefetching at the end of each page of 4 KB.
SEARCH_FEW = 4  # queries
SEARCH_NEAR, SEARCH_AHEAD = 1 << 10, 1 << 14  # bytes fetched ahead of one row, and of four
SEARCH_QUERIES, SEARCH_BLOCK = 64, 64  # of a reading; rows of an item: together they fit into the L2 cache

# Pictures mapped or compared a part at a time, so that what lies between stays in the L2 cache.
MAPPED_SAMPLES = 1 << 17
PAIRED_BYTES = 1 << 19
COMPARED_ROWS, COMPARED_COLUMNS, COMPARED_SAMPLES = 32, 32, 512  # of a tile; as many columns at least
EDGES_BYTES = 1 << 20
SUMMED_BYTES = 1 << 20  # in float64
