"""How an image is cut into tiles."""

import itertools

import numpy as np
import pytest

from cnncli.core import jobs
from cnncli.core.native import processor
from cnncli.core.tiling import Surface, lay_out


def laid_out(width, height, channels=1, stride=(1, 1), extent=(3, 3), dtype=np.uint8, xmap=None, **fields):
    span = (width - 1) * stride[0] + extent[0]
    surface = Surface(
        src=np.zeros((5, span, channels), dtype),
        out=np.zeros((height, width, channels), np.float32),
        xmap=np.arange(span) if xmap is None else xmap,
        ymap=np.zeros((height - 1) * stride[1] + extent[1], np.intp),
        stride=stride,
        **fields,
    )
    return lay_out(jobs.DIRECT, surface, extent=extent)


SIZES = [(1, 1), (7, 3), (959, 31), (960, 32), (961, 33), (2000, 65), (1, 3000)]
EXTENTS = [(1, 1), (3, 3), (31, 5), (5, 31), (301, 301), (3001, 1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("extent", EXTENTS)
@pytest.mark.parametrize(("channels", "stride"), [(1, (1, 1)), (3, (1, 1)), (4, (3, 2)), (1, (2000, 7))])
def test_tiles_cover_the_output_and_rows_have_room(size, extent, channels, stride):
    width, height = size
    job = laid_out(width, height, channels, stride, extent)
    record = job.record[0]
    tile_width, tile_height = int(record["tile_width"]), int(record["tile_height"])
    across, down = -(-width // tile_width), -(-height // tile_height)
    assert record["tiles_x"] == across
    assert job.count == across * down
    assert (across - 1) * tile_width < width
    assert (down - 1) * tile_height < height
    loaded = (tile_width - 1) * stride[0] + extent[0]
    assert job.pitch >= loaded * channels + processor()[3].tap_chunk(2)
    assert job.pitch % 16 == 0
    assert job.pitch % 1024
    assert job.loaded_rows >= (tile_height - 1) * stride[1] + extent[1]


def test_scratch_is_bounded_where_the_kernel_allows_it():
    for channels, stride, extent in itertools.product((1, 2, 3, 4), ((1, 1), (2, 2)), ((3, 3), (31, 31))):
        job = laid_out(6000, 4000, channels, stride, extent)
        assert job.loaded_rows * job.pitch * 4 <= 1024 * 1024


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_record_says_what_the_surface_says(dtype):
    job = laid_out(40, 30, 3, (2, 3), (5, 4), dtype, fill=7.5, absolute=True, scale=0.25, bias=-1, luma=None)
    record, surface = job.record[0], job.surface
    expected = {
        "src": surface.src.ctypes.data,
        "src_type": jobs.ELEMENT_TYPES[np.dtype(dtype)],
        "src_pitch": surface.src.strides[0],
        "gray": 0,
        "channels": 3,
        "out": surface.out.ctypes.data,
        "out_type": 2,
        "out_pitch": 40 * 3 * 4,
        "out_width": 40,
        "out_height": 30,
        "stride_x": 2,
        "stride_y": 3,
        "absolute": 1,
        "scale": 0.25,
        "bias": -1,
        "fill": 7.5,
        "extent_x": 5,
        "extent_y": 4,
    }
    assert {name: record[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("xmap", "inner"),
    [
        ([0, 1, 2, 3], (0, 4)),
        ([1, 0, 1, 2, 3, 2], (1, 5)),
        ([-1, -1, 0, 1, 2, -1], (2, 5)),
        ([-1, -1, -1], None),
        ([0, 0, 0], (0, 1)),
        ([3, 2, 1, 0], (0, 1)),
        ([2, 3, 0, 1, 2, 3, 0, 1], (2, 6)),
        ([0], (0, 1)),
        ([-1], None),
        ([-1, -1, 5, 6], (2, 4)),
    ],
)
def test_the_inner_stretch_counts_up_by_one(xmap, inner):
    record = laid_out(len(xmap), 1, extent=(1, 1), xmap=np.array(xmap, np.intp)).record[0]
    lo, hi = int(record["inner_lo"]), int(record["inner_hi"])
    if inner is None:
        assert lo == hi
    else:
        assert (lo, hi) == inner


@pytest.mark.parametrize(
    ("dtype", "megabytes", "streams"), [(np.float32, 31, 0), (np.float32, 32, 1), (np.uint8, 64, 0)]
)
def test_floats_of_a_large_output_go_past_the_caches(dtype, megabytes, streams):
    out = np.lib.stride_tricks.as_strided(
        np.zeros(1, dtype), (1, (megabytes << 20) // dtype().itemsize, 1), (0, 0, 0)
    )
    surface = Surface(
        src=np.zeros((1, 1, 1), dtype),
        out=out,
        xmap=np.zeros(out.shape[1], np.intp),
        ymap=np.zeros(1, np.intp),
    )
    out_type = lay_out(jobs.DIRECT, surface, extent=(1, 1)).record["out_type"][0]
    assert (out_type == jobs.STREAMED) == streams
