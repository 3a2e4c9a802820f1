"""Medians by networks, for one type of element: what the loops for bytes, words and floats share."""

from cnncli.core.choices import ROWS_AHEAD
from cnncli.core.loads import load_sample
from cnncli.core.loops.exchange import (
    KEY,
    compiled_network,
    exchange_rows,
    floats_to_keys,
    keys_to_floats,
    three_by_three,
)
from cnncli.core.loops.integers import copy_bytes
from cnncli.core.loops.tile_io import HEADER_BYTES, inline, load_row, store_row
from cnncli.core.simd import VECTOR_BYTES, load_i64, record
from cnncli.core.stores import store_sample


def network_loop(element, load, aim, store, *, fetches):
    """A native loop over elements of an IR type.

    ``load(job, padded_row, padded_column, pixels, dst)`` loads a row. ``aim(job, row, column, length,
    answer)`` returns the address for medians of ``length`` bytes: in the output, or ``answer`` in scratch.
    ``store(job, src, row, column, pixels, scratch)`` stores those in scratch. With ``fetches``, rows of
    elements are prefetched; ``load`` and ``store`` of floats do so themselves.
    """
    size_bytes = element.width // 8
    fetched = ROWS_AHEAD if fetches else 0
    three = three_by_three(element)
    five = compiled_network(5, element)
    exchange = exchange_rows(element)

    @inline
    def address(rows, places, row_bytes, step, entry):
        """Where a step's a or b is: its place, or row of the window, and its shift."""
        place = load_i64(entry)
        start = places + place * row_bytes if place >= 0 else rows - (place + 1) * row_bytes
        return start + load_i64(entry + 8) * step

    @inline
    def follow(job, rows, places, step, length):
        """Run all steps of the table; returns the address of the medians."""
        row_bytes = job.row_bytes
        entry = job.steps
        for _ in range(job.step_count):
            a = address(rows, places, row_bytes, step, entry)
            b = address(rows, places, row_bytes, step, entry + 16)
            least = load_i64(entry + 32)
            greatest = load_i64(entry + 40)
            exchange(
                a,
                b,
                length,
                places + least * row_bytes if least >= 0 else 0,
                places + greatest * row_bytes if greatest >= 0 else 0,
            )
            entry += 48
        return places + job.median * row_bytes

    def loop(job_pointer, scratch, lo, hi):
        """Tiles lo to hi."""
        job = record(job_pointer)
        size, row_bytes, stride_x, stride_y = job.size, job.row_bytes, job.stride_x, job.stride_y
        step = job.channels * size_bytes
        rows = scratch + HEADER_BYTES
        answer = rows + job.loaded_rows * row_bytes
        second = answer + row_bytes
        places = second + row_bytes
        for tile in range(lo, hi):
            tile_y = tile // job.tiles_x
            x0 = (tile - tile_y * job.tiles_x) * job.tile_width
            y0 = tile_y * job.tile_height
            width = min(job.tile_width, job.out_width - x0)
            height = min(job.tile_height, job.out_height - y0)
            pixels = (width - 1) * stride_x + 1
            have = 0
            y = 0
            while y < height:
                pair = size == 3 and stride_y == 1 and y + 1 < height
                while have < y * stride_y + size + (1 if pair else 0):
                    load(job, y0 * stride_y + have, x0 * stride_x, pixels + size - 1, rows + have * row_bytes)
                    have += 1
                first = rows + y * stride_y * row_bytes
                medians = aim(job, y0 + y, x0, pixels * step, answer)
                below = second
                if size == 3:
                    if pair:
                        below = aim(job, y0 + y + 1, x0, pixels * step, second)
                    near, near_pitch = first, row_bytes
                    if fetches:
                        near_pitch = job.src_pitch
                        near = job.src + load_i64(job.ymap + 8 * (y0 + have - 1)) * near_pitch + x0 * step
                    three(
                        first,
                        row_bytes,
                        step,
                        pixels * step,
                        medians,
                        below,
                        near + near_pitch,
                        near + 2 * near_pitch,
                        medians + fetched * job.out_pitch,
                        below + fetched * job.out_pitch,
                    )
                elif size == 5:
                    five(first, row_bytes, places, row_bytes, step, pixels * step, medians)
                else:
                    medians = follow(job, first, places, step, (pixels + size - 1) * step)
                store(job, medians, y0 + y, x0, width, scratch)
                if pair:
                    store(job, below, y0 + y + 1, x0, width, scratch)
                y += 2 if pair else 1

    return loop


def row_copier(size_bytes):
    """A `load_row` for integers that stay integers."""

    @inline
    def load(job, padded_row, padded_column, pixels, dst):
        step = job.channels * size_bytes
        source_row = load_i64(job.ymap + 8 * padded_row)
        row = job.src + source_row * job.src_pitch
        end = padded_column + pixels
        lo = min(max(job.inner_lo, padded_column), end)
        hi = min(max(job.inner_hi, lo), end)
        if source_row < 0:
            lo = hi = end
        if hi > lo:
            first = row + load_i64(job.xmap + 8 * lo) * step
            copy_bytes(dst + (lo - padded_column) * step, first, (hi - lo) * step)
        p = padded_column
        while p < end:
            if p == lo:
                p = hi
            if p < end:
                at = dst + (p - padded_column) * step
                column = load_i64(job.xmap + 8 * p)
                for channel in range(job.channels):
                    value = job.fill
                    if source_row >= 0 and column >= 0:
                        value = load_sample(row, column * job.channels + channel, job.src_type)
                    store_sample(at, channel, job.src_type, value)
            p += 1

    return load


def copying_loop(element):
    """A loop that reads and writes the same integer type, without range mapping or stride."""
    size_bytes = element.width // 8

    @inline
    def target(job, row, column):
        return job.out + row * job.out_pitch + column * job.channels * size_bytes

    @inline
    def aim(job, row, column, length, answer):
        return target(job, row, column) if length >= VECTOR_BYTES else answer

    @inline
    def store(job, src, row, column, pixels, scratch):
        dst = target(job, row, column)
        if src != dst:
            copy_bytes(dst, src, pixels * job.channels * size_bytes)

    return network_loop(element, row_copier(size_bytes), aim, store, fetches=True)


def floating_loop():
    """A loop for any types in memory, with luma, stride and range mapping, in float32."""

    @inline
    def load(job, padded_row, padded_column, pixels, dst):
        load_row(job, padded_row, padded_column, pixels, dst)
        floats_to_keys(dst, pixels * job.channels * 4)

    @inline
    def aim(job, row, column, length, answer):
        return answer

    @inline
    def store(job, src, row, column, pixels, scratch):
        keys_to_floats(src, ((pixels - 1) * job.stride_x + 1) * job.channels * 4)
        store_row(job, src, row, column, pixels, scratch)

    return network_loop(KEY, load, aim, store, fetches=False)
