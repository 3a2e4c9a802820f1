"""Records that native loops read: addresses, sizes and parameters of a job.

Legend: a *source* is an image in memory, rows of interleaved samples; the *output* likewise.
Work is divided into *tiles* of the output. For each tile the source rows it needs are loaded as
float32 into scratch, with the border filled in, filtered there, and stored as the output's type.

All coordinates are in pixels, pitches of images in bytes, pitches of scratch rows in floats.
"""

import functools
import struct

import numpy as np
from numpy.typing import NDArray

ELEMENT_TYPES = {np.dtype(np.uint8): 0, np.dtype(np.uint16): 1, np.dtype(np.float32): 2}
STREAMED = 3  # out_type of float32 in an output too large for the caches
RGBX = 4  # src_type or out_type of RGBX: 8-bit colour with four bytes per pixel

TILES = [
    # source
    ("src", "i8"),
    ("src_type", "i8"),  # a value of ELEMENT_TYPES, or RGBX
    ("src_pitch", "i8"),
    ("src_rows", "i8"),
    ("reads_in_place", "i8"),  # 1: rows that touch no border are not copied to scratch
    ("gray", "i8"),  # 1: the source has 3 channels, combined into one by these weights
    ("red", "f4"),
    ("green", "f4"),
    ("blue", "f4"),
    ("channels", "i8"),  # in scratch and output, interleaved
    ("xmap", "i8"),  # address of intp: the source column of each column of the padded image, -1: fill
    ("ymap", "i8"),  # likewise for rows
    ("inner_lo", "i8"),  # from this padded column …
    ("inner_hi", "i8"),  # … up to this one, xmap increases by 1
    ("fill", "f4"),
    # output
    ("out", "i8"),
    ("out_type", "i8"),  # a value of ELEMENT_TYPES, STREAMED or RGBX
    ("out_pitch", "i8"),
    ("out_width", "i8"),
    ("out_height", "i8"),
    ("stride_x", "i8"),
    ("stride_y", "i8"),
    ("absolute", "i8"),  # 1: |value| …
    ("scale", "f4"),  # … times scale …
    ("bias", "f4"),  # … plus bias, then clamped to the type
    # tiles
    ("tiles_x", "i8"),
    ("lead", "i8"),  # width of the first tile in each row of the output …
    ("tile_width", "i8"),  # … and of the others, except the last
    ("tile_height", "i8"),
    ("extent_x", "i8"),  # padded columns under the kernel, dilation included
    ("extent_y", "i8"),
    ("pitch", "i8"),  # of the loaded rows in scratch
]

_TAPS = [
    ("tap_count", "i8"),
    ("tap_offsets", "i8"),  # address of intp: byte offset in scratch from the output pixel's first cell
    ("tap_weights", "i8"),  # address of float32, one for each sum
]

# One kernel. The target computes several output rows at once that share loads: a tap has a weight for each
# of them, and belongs to the stretch of those that it contributes to.
_ROWS = [
    *_TAPS,
    ("tap_ends", "i8"),  # address of intp: the end of each stretch of taps
    ("shares_rows", "i8"),  # 1: rows share loads, 0: one pass per output row
    ("stores_chunks", "i8"),  # 1: sums of whole chunks are stored directly to the output
]
# A row of taps, for each rank if there are several, then one column of taps over all of them.
_FACTORS = [
    *_ROWS,
    ("row_count", "i8"),  # taps of each rank's row
    ("row_offsets", "i8"),
    ("row_weights", "i8"),
    ("kept_rows", "i8"),  # in scratch of one rank
]
# For bytes, the taps are pairs of an offset and a weight.
DIRECT = np.dtype(
    [
        *TILES,
        *_ROWS,
        ("source_offsets", "i8"),  # as tap_offsets, in the source
        ("as_bytes", "i8"),  # 1: scale and bias keep integers integers
    ],
    align=True,
)

# One kernel over bytes, in 16-bit integers by pairs of rows: output samples are sums of weights in units of
# 2^-shift. Where their error leaves the nearest integer open, the sum is taken as `DIRECT` takes it. Loaded
# rows lie in a *ring* of as many pairs as output rows that are computed together read, and beside it the
# extremes of each pair.
DIRECT_PAIRS = np.dtype(
    [
        *TILES,
        ("ring", "i8"),  # pairs of rows in scratch
        ("tap_count", "i8"),
        ("tap_ends", "i8"),  # address of intp: the end of each stretch of taps
        ("tap_offsets", "i8"),  # address of intp, (ring, taps): byte offset, by the place of the first pair
        ("tap_weights", "i8"),  # address of int32, (taps, rows): the weights of a pair
        ("shift", "i8"),
        ("start", "i8"),  # the bias and a half, in units of 2^-shift
        ("error", "i8"),  # of any sum, in the same units, and what the weights lack, in 2^-16 of them: …
        ("lean", "i8"),  # … half its sum, …
        ("spread", "i8"),  # … and half the sum of its magnitudes
        ("places", "i8"),  # address of intp: byte offset of each pair of the ring, twice over
        ("row_places", "i8"),  # the same of each row
        ("kernel_height", "i8"),
        ("blocks", "i8"),  # of four cells, that hold a row of a sample's cells …
        ("weights", "i8"),  # … and address of float32, (height, 4 * blocks): their weights
        ("most_doubtful", "i8"),  # samples: a thread that meets more gives up
    ],
    align=True,
)

# Several kernels over the same pixels, two per pass (the weights of a tap), combined into one response.
# `rectified`: magnitudes are compared. `angles`: address of float32, one for each kernel.
# `floor`: a response below it is rounding noise, which has no direction.
RESPONSES = np.dtype(
    [
        *TILES,
        *_TAPS,
        ("kernels", "i8"),
        ("combine", "i8"),
        ("rectified", "i8"),
        ("angles", "i8"),
        ("floor", "f4"),
    ],
    align=True,
)
COMBINE = {"energy": 0, "angle": 1, "max": 2, "direction": 3}

# Sums of rank-1 kernels: a row of taps for each rank, then one column of taps over all of them.
SEPARABLE = np.dtype(
    [
        *TILES,
        *_FACTORS,
        ("rank", "i8"),
        ("plane", "i8"),  # floats in the scratch of one rank
    ],
    align=True,
)

# Bytes under a symmetric row of taps, then a column of them, in integers: a weight of 16 bits for each two
# bytes as far from the middle, and sums over 2^row_shift, from -2^15 up, as pairs of rows in a *ring*; output
# samples, less 128, are their sums in units of 2^-shift. Where their error leaves the nearest integer
# open, the sum is taken as `SEPARABLE` takes it.
FACTOR_CHAINS = 4  # rows of a single sample that are summed at once
SEPARABLE_BYTES = np.dtype(
    [
        *TILES,
        ("slots", "i8"),  # two weights each
        (
            "slot_offsets",
            "i8",
        ),  # address of intp, (slots, 4): bytes from the first cell, those of a weight together
        ("slot_weights", "i8"),  # address of int16, (slots, 2)
        ("row_start", "i8"),
        ("row_shift", "i8"),
        ("pairs", "i8"),  # of rows, in the ring
        ("places", "i8"),  # address of intp: byte offset of each pair of the ring, twice over
        ("pair_weights", "i8"),  # address of int16, (pairs, 2 output rows, 2)
        ("shift", "i8"),
        ("start", "i8"),  # the bias, a half and the middle, in units of 2^-shift
        ("error", "i8"),  # as in `DIRECT_PAIRS`, of weights that are products
        ("lean", "i8"),
        ("spread", "i8"),
        ("columns", "i8"),  # address of float32: the column, with zeros to a multiple of `FACTOR_CHAINS` …
        ("rows", "i8"),  # … and the row
        ("blocks", "i8"),  # of eight bytes, that hold the row's cells
        ("most_doubtful", "i8"),  # samples: a thread that meets more gives up
    ],
    align=True,
)

# All weights equal, and folded into the scale.
BOX = np.dtype([*TILES, ("box_width", "i8"), ("box_height", "i8"), ("loaded_rows", "i8")], align=True)

# A large kernel by Fourier transforms of overlapping tiles of rows x columns loaded pixels. Two planes,
# each one channel of a tile, are the real and the imaginary part of one transform.
FFT = np.dtype(
    [
        *TILES,
        ("prepares", "i8"),  # 1: the source is the kernel, and only its spectrum is computed
        ("rows", "i8"),  # loaded: powers of two, 16 or more
        ("columns", "i8"),
        ("padded_width", "i8"),
        ("padded_height", "i8"),
        ("tile_count", "i8"),
        ("group", "i8"),  # tiles processed together, so that their planes form pairs: an item of the job
        ("kept", "i8"),  # strips that hold results
        # scratch: offsets and sizes of its parts in bytes, after the header with the planes' offsets
        ("line_at", "i8"),  # a row as loaded or to be stored
        ("rows_at", "i8"),  # four rows of each plane …
        ("row_bytes", "i8"),  # … and what each takes
        ("buffer_at", "i8"),  # transposed rows
        ("strips_at", "i8"),  # the transforms
        ("strip_bytes", "i8"),
        ("pair_bytes", "i8"),
        # transforms
        ("turns", "i8"),  # address of float32: twiddle factors of the first pass over columns
        ("column_passes", "i8"),  # the passes after it: their number …
        ("column_plan", "i8"),  # … and address of intp: radix, gap, blocks, address of the factors, of each
        ("row_passes", "i8"),  # passes over rows before the last, which is merged with the product
        ("row_plan", "i8"),
        ("spectrum", "i8"),  # address of float32: the kernel's, points in the order of access
        ("kernel_sum", "f4"),
        # bounds on rounding errors of small outputs
        ("checks", "i8"),  # 1: tiles with too large a range of values are skipped, …
        ("left_out", "i8"),  # … and 1 is written here: address of a byte for each tile
        ("peaks_at", "i8"),  # scratch: a row of largest magnitudes for each loaded row of `rows_at`
        ("block_rows", "i8"),  # every window contains a whole block; powers of two
        ("block_columns", "i8"),
        ("sampled_rows", "i8"),  # one of so many rows of a block is checked
        ("floor", "f4"),  # magnitude below which no higher accuracy is needed
        ("reach", "f8"),  # the largest sum of squares of a pair, over the square of a window's magnitude …
        ("dark_reach", "f8"),  # … or over that of the least value that is not 0, if then …
        ("dark", "f4"),  # … outputs below this times the root mean square become 0
    ],
    align=True,
)

# Medians by a network. A row in scratch, loaded or of a place, is `row_bytes` long.
MEDIAN = np.dtype(
    [
        *TILES,
        ("size", "i8"),  # side of the window
        ("row_bytes", "i8"),
        ("loaded_rows", "i8"),
        ("steps", "i8"),  # address of intp: a table of `networks.Steps`, for sizes that are not compiled
        ("step_count", "i8"),
        ("median", "i8"),  # the place of the result
    ],
    align=True,
)

# Medians of bytes by histograms of columns.
MEDIAN_HISTOGRAM = np.dtype(
    [
        *TILES,
        ("size", "i8"),
        ("row_bytes", "i8"),  # of a loaded row
        ("columns", "i8"),  # of a tile with its border
    ],
    align=True,
)

# Medians by ranks within a tile. Numbers of bytes are from the start of scratch.
MEDIAN_RANKS = np.dtype(
    [
        *TILES,
        ("size", "i8"),
        ("pairs", "i8"),  # keys and their positions, in 64 bits: all of a tile, and …
        ("other_pairs", "i8"),  # … again, for sorting
        ("bins", "i8"),
        ("ranks", "i8"),  # 32 bits for each value of the tile
        ("window", "i8"),  # a bit for each rank
        ("window_bytes", "i8"),
        ("answers", "i8"),  # rows of floats of all channels
    ],
    align=True,
)

# Medians weighted by the last channel, integers below 2^24 as floats, by ranks within a tile.
MEDIAN_WEIGHTED = np.dtype(
    [
        *TILES,
        ("size", "i8"),
        ("pairs", "i8"),  # as in MEDIAN_RANKS
        ("other_pairs", "i8"),
        ("bins", "i8"),
        ("ranks", "i8"),
        ("answers", "i8"),
        ("weights", "i8"),  # 32 bits for each pixel of the tile
        ("fine", "i8"),  # 64 bits for each rank: its weight if it is in the window
        ("coarse", "i8"),  # sums of 64 of them
        ("fine_bytes", "i8"),  # of both
    ],
    align=True,
)

# Smallest or largest values under a flat structuring element, a set of runs of pixels. A *slot* is a row of
# extremes of so many neighbours: 0 the loaded row, then temporary ones, then planes, which are kept for as
# many rows as the element is high. Offsets and lengths in bytes.
MORPHOLOGY = np.dtype(
    [
        *TILES,
        ("dilates", "i8"),  # 1: the largest, 0: the smallest
        ("height", "i8"),  # rows under the element
        ("temporary", "i8"),  # number of temporary slots
        ("planes", "i8"),
        ("stage_count", "i8"),
        ("stages", "i8"),  # address of intp: slot, length beyond the tile's, parts; slot and offset of each
        ("chord_count", "i8"),
        ("chords", "i8"),  # address of intp: plane, row and offset of each run
        ("blocks", "i8"),  # 1: a column of one plane, in blocks as tall as the element
        ("kept_rows", "i8"),  # of each plane
        ("row_bytes", "i8"),
        ("table_bytes", "i8"),
        ("direct", "i8"),  # 1: results are floats of the output as they are
        ("streams", "i8"),  # 1: stores bypass the caches
        ("minus", "i8"),  # 1: the base minus the result, 2: the result minus the base, 0: neither
        ("base", "i8"),  # address of rows as long as the output's, of the type that is compared
        ("base_pitch", "i8"),
    ],
    align=True,
)

# Ridges of the gradient magnitude of the image under a row of taps, then a column of them; a pixel above
# `low` is weak, above `high` strong.
RIDGES_RING = 8  # rows of each kind that are kept in scratch
RIDGES = np.dtype(
    [
        *TILES,
        *_FACTORS,
        ("low", "f4"),
        ("high", "f4"),
    ],
    align=True,
)

# A map of bytes, 0, 1 (weak) or 2 (strong), whose outermost pixels are 0. On return edges are above 2.
STRONG_RIDGE = 2
HYSTERESIS = np.dtype(
    [
        ("map", "i8"),
        ("words", "i8"),  # of 8 bytes, that hold all of it
        ("pitch", "i8"),  # bytes from row to row
        ("step", "i8"),  # bytes from pixel to pixel
        ("stack", "i8"),  # address of an intp for each pixel that is not 0
    ],
    align=True,
)

# Contrast limited adaptive histogram equalization of one channel: the table of each tile …
CLAHE_TABLES = np.dtype(
    [
        ("src", "i8"),
        ("src_type", "i8"),  # a value of ELEMENT_TYPES; floats are levels, NaN does not count
        ("src_pitch", "i8"),
        ("width", "i8"),  # columns of the source; tiles may reach beyond
        ("xmap", "i8"),  # address of intp: the source column of each column of the tiles
        ("ymap", "i8"),  # likewise for rows
        ("tile_width", "i8"),
        ("tile_height", "i8"),
        ("tiles_x", "i8"),
        ("levels", "i8"),  # 256 or 65536
        ("limit", "f8"),  # of a level's count, in means; 0: none
        ("tables", "i8"),  # address of uint16, (tiles, levels)
    ],
    align=True,
)
# … and its rows, each pixel mapped by the tables of the four tiles around it. Cells lie between the middles
# of tiles; one of bytes has a table of its own, in which the four are side by side in an integer.
CLAHE = np.dtype(
    [
        ("src", "i8"),
        ("src_type", "i8"),
        ("src_pitch", "i8"),
        ("out", "i8"),  # of the source's type
        ("out_pitch", "i8"),
        ("cells_x", "i8"),
        ("cell_ends", "i8"),  # address of intp: the column behind each cell
        ("cell_rows", "i8"),  # address of intp: the row of cells of each row
        ("right", "i8"),  # address of float32: share of the tiles to the right, of each column …
        ("left", "i8"),  # … and to the left
        ("lower", "i8"),  # address of float32: share of the lower tiles, of each row …
        ("upper", "i8"),  # … and of the upper
        ("levels", "i8"),
        ("tables", "i8"),  # address of uint32, (cells, 256), for bytes; else as above
        ("tiles_x", "i8"),
        ("tiles_y", "i8"),
    ],
    align=True,
)

# RGB of 8 or 16 bits, whose samples are dense, by the change of their luma, which is added and clipped.
LUMA_CHANGE = np.dtype(
    [
        ("src", "i8"),
        ("src_pitch", "i8"),
        ("out", "i8"),
        ("out_pitch", "i8"),
        ("before", "i8"),  # address of luma, dense, of the same type …
        ("after", "i8"),  # … and of what it becomes
        ("width", "i8"),
        ("type", "i8"),  # a value of ELEMENT_TYPES
    ],
    align=True,
)

# Two pictures of one size and type, compared in float64; their samples are dense, or RGBX.
DOUBLES = 16  # the code of float64, which only they may have
SIMILARITY = np.dtype(
    [
        ("x", "i8"),
        ("x_pitch", "i8"),
        ("y", "i8"),
        ("y_pitch", "i8"),
        ("type", "i8"),  # a value of ELEMENT_TYPES, RGBX or DOUBLES
        ("first_row", "i8"),  # that is at these addresses
        ("width", "i8"),
        ("height", "i8"),  # of the whole pictures
        ("channels", "i8"),
        ("alpha", "i8"),  # 1: the last channel is opacity, by which the others are weighted
        ("white", "f8"),
        ("top", "i8"),  # rows to compare: from this one …
        ("bottom", "i8"),  # … to before this one
        ("tiles_x", "i8"),
        ("tile_rows", "i8"),
        ("tile_columns", "i8"),
        ("pitch", "i8"),  # bytes of a row in scratch
        ("reach", "i8"),  # of windows, to each side
        ("taps", "i8"),  # address of their weights along a side, float64
        ("share", "f8"),  # by which weighted sums are means
        ("unbiased", "f8"),  # factor of covariances
        ("c1", "f8"),  # of the definition of SSIM
        ("c2", "f8"),
        ("out", "i8"),  # address of five float64 for each tile
    ],
    align=True,
)

# Two pictures of the same channels, pixel by pixel: in floats …
PAIRS = {
    "add": 0,
    "subtract": 1,
    "difference": 2,
    "darken": 3,
    "lighten": 4,
    "multiply": 5,
    "screen": 6,
    "blend": 7,
}
PAIR = np.dtype(
    [
        *TILES,
        ("other", "i8"),
        ("other_type", "i8"),  # a value of ELEMENT_TYPES
        ("other_pitch", "i8"),
        ("operation", "i8"),  # a value of PAIRS
        ("factor", "f4"),  # of the other's values, to have the unit of the first …
        ("white_share", "f4"),  # … and to be shares of its white
        ("share", "f4"),  # of the other in a blend
    ],
    align=True,
)
# … or in integers of one type, in rows whose samples are dense. Blends are for floats, and so are products of
# 16 bits.
PAIR_INTEGERS = np.dtype(
    [
        ("src", "i8"),
        ("src_pitch", "i8"),
        ("other", "i8"),
        ("other_pitch", "i8"),
        ("out", "i8"),
        ("out_pitch", "i8"),
        ("samples", "i8"),  # of a row
        ("type", "i8"),  # a value of ELEMENT_TYPES
        ("operation", "i8"),
    ],
    align=True,
)

# Rows whose samples are dense: levels that are counted or compared, and integers that a table replaces.
LEVELS = np.dtype(
    [
        ("src", "i8"),
        ("src_type", "i8"),  # a value of ELEMENT_TYPES
        ("src_pitch", "i8"),
        ("samples", "i8"),  # of a row
        ("out", "i8"),
        ("out_type", "i8"),  # a value of ELEMENT_TYPES
        ("out_pitch", "i8"),
        ("table", "i8"),  # address of entries of the output's type, one for each level
        ("streams", "i8"),  # 1: bytes bypass the caches
        ("found", "i8"),  # address of a number: 1 where there is nothing left to find
        ("low", "f8"),  # of floats: the first bin begins here, …
        ("gain", "f8"),  # … there are so many to a unit …
        ("entries", "i8"),  # … and so many altogether
    ],
    align=True,
)

# Values along a curve, in float64. What is no number stays so, but that a step makes it the least.
CURVES = {
    "line": 0,  # (x - low) * gain + offset, but not below `least` nor above `most`
    "step": 1,  # `most` above `low`, else `least`
    "power": 2,  # `most` times the share of it, to a power; 0 below 0
    "table": 3,  # the entry at (x - low) * gain, rounded down, or the nearest that there is
}
CURVE = np.dtype(
    [
        *TILES,
        ("form", "i8"),  # a value of CURVES
        ("direct", "i8"),  # 1: floats become floats, one for each
        ("low", "f8"),
        ("gain", "f8"),
        ("offset", "f8"),
        ("least", "f8"),
        ("most", "f8"),
        ("exponent", "f8"),
        ("table", "i8"),  # address of float32
        ("entries", "i8"),
    ],
    align=True,
)

# Pixels times a factor, compared with levels of their own less an offset: white where they are above.
ABOVE = np.dtype(
    [
        *TILES,
        ("levels", "i8"),  # address of rows as long as the output's
        ("levels_type", "i8"),  # a value of ELEMENT_TYPES
        ("levels_pitch", "i8"),
        ("factor", "f4"),
        ("offset", "f4"),
        ("white", "f4"),
    ],
    align=True,
)

# A job whose items threads share; all are integers.
SHARE = np.dtype(
    [
        ("function", "i8"),  # address of what processes items of …
        ("job", "i8"),  # … this job
        ("scratches", "i8"),  # address of an address for each thread
        ("workers", "i8"),  # threads of this call, the caller included
        ("count", "i8"),  # of items
        ("least", "i8"),  # items of a range, …
        ("divisor", "i8"),  # … or as many of those that are left, divided by this
        ("next", "i8"),  # address of a cache line: the first item that is not taken
        ("gate", "i8"),  # of two cache lines: the call's number or 0, threads inside
        ("patience", "i8"),  # polls until threads have left before the caller yields
        ("linger", "i8"),  # polls of the gate before a helper leaves after a call
    ],
    align=True,
)

# Pixels of so many bytes to other places; steps may be negative.
MOVES = np.dtype(
    [
        ("src", "i8"),  # the pixel that becomes the output's first …
        ("src_row", "i8"),  # … and bytes from one to that of the output's next row …
        ("src_column", "i8"),  # … and column
        ("out", "i8"),
        ("out_row", "i8"),
        ("out_column", "i8"),
        ("height", "i8"),
        ("width", "i8"),
        ("size", "i8"),  # bytes of a pixel, samples side by side
        ("streams", "i8"),  # 1: rows of 64 bytes or more, in their order or mirrored, bypass the caches
    ],
    align=True,
)
MOVED_ROWS = 64  # of the output: an item

# Threshold of a map of ridges.
MARKS = np.dtype([*TILES, ("level", "f4")], align=True)

# Sign changes of a response by more than `least`; values within `floor` of 0 count as 0.
SIGN_CHANGES = np.dtype([*TILES, ("floor", "f4"), ("least", "f4"), ("full", "f4")], align=True)

# Weights that fall with distance and with difference: 2 ** (falloff * difference^2 + exponent of the tap).
# Each channel has a plane of rows in scratch.
LEAST_EXPONENT = -126.0  # below it, 2 ** t is not a normal float32: such weights count as 0
BILATERAL = np.dtype(
    [
        *TILES,
        ("tap_count", "i8"),
        ("tap_offsets", "i8"),  # address of intp: byte offset in a plane from the window's first cell
        ("tap_exponents", "i8"),  # address of float32
        ("falloff", "f4"),
        ("center", "i8"),  # byte offset of the centre cell
        ("loaded_rows", "i8"),
        ("row_floats", "i8"),  # of a plane
        ("covered", "i8"),  # 1: the last channel is not a colour but a factor of each pixel's weight
        ("bounded", "i8"),  # 1: of gray, all exponents are above LEAST_EXPONENT
        (
            "wanted",
            "i8",
        ),  # address of a byte for each output pixel, or 0: only vectors that hold a 1 are done
    ],
    align=True,
)

# The same by a bilateral grid: axes of up to three colours, of rows and of columns; each cell holds weighted
# sums of colours, and the sum of weights last. Lengths are in floats.
BILATERAL_GRID = np.dtype(
    [
        *TILES,
        ("size", "i8"),
        ("colors", "i8"),  # 1 or 3
        ("bins", "i8"),  # address of three intp: cells of each colour's axis
        ("low", "i8"),  # address of three float32: the colours of the first cell
        ("bins_per_unit", "f4"),
        ("cells_per_pixel", "f4"),
        ("grid_rows", "i8"),
        ("row_floats", "i8"),  # with zeros on either side, as far as the taps reach
        ("grid_floats", "i8"),
        ("near_taps", "i8"),  # address of float32: the blur along rows and columns …
        ("near_reach", "i8"),
        ("like_taps", "i8"),  # … and along colours
        ("like_reach", "i8"),
        ("grids_at", "i8"),  # bytes in scratch: two grids
        ("weak", "f4"),  # where the total weight is less, the result is NaN
    ],
    align=True,
)

# Weighted sums of rows, then of columns, by tables: the size of a picture changes. Rows of the source are
# those of `ymap`, columns those of `xmap`; a tile is as high as a vector has lanes.
RESIZE = np.dtype(
    [
        *TILES,
        ("row_first", "i8"),  # address of intp: the first row that each output row is made of …
        ("row_ends", "i8"),  # … where its weights begin, and the end of all …
        ("row_weights", "i8"),  # … and of float32
        ("column_first", "i8"),
        ("column_ends", "i8"),
        ("column_weights", "i8"),
        ("sums_at", "i8"),  # bytes in scratch: sums of rows, …
        ("turned_at", "i8"),  # … the same, transposed, …
        ("found_at", "i8"),  # … sums of columns, …
        ("rows_at", "i8"),  # … and these as rows, which are …
        ("out_row", "i8"),  # … so many bytes long
    ],
    align=True,
)

# The same with few taps each, where a vector of samples of a row is made of as many neighbours in the source.
ENLARGED_TAPS = (1, 2, 4, 6)  # of a column, for which code is compiled
ENLARGED_VECTORS = 12  # of a row that are made at once: whole pixels of three channels
ENLARGE = np.dtype(
    [
        *TILES,
        ("row_first", "i8"),  # as above
        ("row_ends", "i8"),
        ("row_weights", "i8"),
        ("row_kept", "i8"),  # address of intp: the first row that this and later rows are made of
        ("kept_rows", "i8"),  # in scratch
        ("lefts", "i8"),  # address of intp: the first column under each tile …
        ("spans", "i8"),  # … and how many are
        ("taps", "i8"),  # of each column: one of ENLARGED_TAPS
        ("tile_vectors", "i8"),  # of a row of a tile, unless it is the last
        ("starts", "i8"),  # address of intp: bytes from the first column under a tile to each vector's …
        ("places", "i8"),  # … of int32: floats from there to each lane's first tap …
        ("weights", "i8"),  # … of float32: of each tap, 0 where there is none …
        ("plane", "i8"),  # … and bytes from one tap's to the next one's
    ],
    align=True,
)

# The same of bytes, where weights are integers: tiles of samples.
ENLARGED_BYTES_TAPS = 2
ENLARGED_FRACTION = 8  # bits of the products of both weights: sums of bytes fit 16
ENLARGED_PIECE = 16  # bytes of the source, of which half as many samples are made
ENLARGE_BYTES = np.dtype(
    [
        ("src", "i8"),
        ("src_pitch", "i8"),
        ("out", "i8"),
        ("out_pitch", "i8"),
        ("samples", "i8"),  # of a row of the output
        ("height", "i8"),
        ("tiles_x", "i8"),
        ("tile_samples", "i8"),
        ("starts", "i8"),  # address of intp: where pieces of a row of the source begin …
        ("places", "i8"),  # … of bytes: pairs within a piece, of a sample each …
        ("near", "i8"),  # … and of uint16: the weights of either
        ("far", "i8"),
        ("upper", "i8"),  # address of intp: the first row that each output row is made of …
        ("lower", "i8"),  # … the second or the same …
        ("row_weights", "i8"),  # … and the weights of both, of uint16
        ("opaque", "i4"),  # bits that are set in every four bytes of the output
        ("streams", "i8"),  # 1: whole vectors of the output bypass the caches
    ],
    align=True,
)

# Samples at places that a matrix says; between pixels by `taps` of them a side.
AFFINE = np.dtype(
    [
        *TILES,
        ("x0", "f8"),  # the place in the source of the first output pixel's middle …
        ("y0", "f8"),
        ("x_column", "f8"),  # … and the steps to the next column …
        ("y_column", "f8"),
        ("x_row", "f8"),  # … and row
        ("y_row", "f8"),
        ("src_width", "i8"),
        ("src_column", "i8"),  # bytes from pixel to pixel
        ("ahead", "i8"),  # bytes to the place of a pixel some rows further down in the result
        ("gathered_at", "i8"),  # bytes in scratch to copies of the pixels under a tile …
        ("gathered_pitch", "i8"),  # … and of a row of them; 0 where they are read in place
        ("taps", "i8"),  # 1: the nearest, 2: bilinear, 4: bicubic
    ],
    align=True,
)

# Conversion of rows between RGB and RGBX.
SPACING = np.dtype(
    [
        ("src", "i8"),
        ("src_pitch", "i8"),
        ("dst", "i8"),
        ("dst_pitch", "i8"),
        ("width", "i8"),
        ("rgbx", "i8"),  # 1: the output is RGBX
    ],
    align=True,
)


def filled(kind: np.dtype[np.void], **numbers: float) -> NDArray[np.void]:
    """Make a record of numbers, the others 0.

    A third of the time of one field after the other, 7 us, and less than that where what moves a picture has
    just moved Python out of the caches.
    """
    form, zeros = _form(kind)
    if not numbers.keys() <= zeros.keys():
        raise KeyError(f"{sorted(numbers.keys() - zeros.keys())} are no fields of {kind.names}")
    return np.frombuffer(bytearray(form.pack(*(zeros | numbers).values())), kind)


@functools.cache
def _form(kind: np.dtype[np.void]) -> tuple[struct.Struct, dict[str, int]]:
    """How the numbers of a record lie in memory, and zeros for each."""
    names = kind.names or ()
    codes = {"i8": "q", "f8": "d", "f4": "f", "i4": "i"}
    end = "0q" if kind.alignment == 8 else ""  # records end where another one could begin
    form = "".join(codes[kind[name].str[1:]] for name in names) + end
    return struct.Struct(form), dict.fromkeys(names, 0)
