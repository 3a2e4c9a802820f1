"""Machine code laid out by our own linker answers as LLVM's does; what it cannot lay out it leaves."""

import ctypes
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import squares
import squares_loop

from cnncli.core import linker, native

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="lays out ELF")


@pytest.fixture(scope="module")
def code():
    from cnncli.core.compiler import compile_loop

    return compile_loop(squares_loop.__name__, "cnncli_squares", native._target_machine())


def numbers(address):
    out, scratch = np.zeros(20, np.int64), np.zeros(8, np.int64)
    job = np.zeros(1, squares_loop.JOB)
    job["out"], job["seed"] = out.ctypes.data, 5
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_ssize_t] * 4)(address)
    function(job.ctypes.data, scratch.ctypes.data, 3, 17)
    assert scratch.tolist() == [14] + [0] * 7
    assert not out[:3].any()
    assert not out[17:].any()
    return out[3:17].tolist()


def test_both_ways_of_placing_answer_alike(code):
    expected = [i * i + 5 for i in range(3, 17)]
    assert numbers(native._load_by_llvm(code, squares.NAME)) == expected
    block = linker.link(code)
    if block is not None:  # x86
        assert numbers(linker.place(block)["cnncli_squares"]) == expected
        assert numbers(linker.place(block)["cnncli_squares"]) == expected


def test_placed_code_can_be_run_but_not_written(code):
    block = linker.link(code)
    if block is None:
        pytest.skip("not an object for x86")
    address = linker.place(block)["cnncli_squares"]
    spans = [line.split()[:2] for line in Path("/proc/self/maps").read_text().splitlines()]
    (rights,) = [
        rights
        for span, rights in spans
        if int(span.split("-")[0], 16) <= address < int(span.split("-")[1], 16)
    ]
    assert rights.startswith("r-x")


@pytest.mark.parametrize(
    "other", [b"", b"\x7fELF", b"\xcf\xfa\xed\xfe" + bytes(99), b"\x7fELF\x01\x01" + bytes(99)]
)
def test_objects_of_other_kinds_are_left(other):
    assert linker.link(other) is None


def test_objects_for_other_processors_are_left(code):
    assert linker.link(code[:18] + struct.pack("<H", 243) + code[20:]) is None  # RISC-V


# What GNU ld 2.40 makes of these instructions at these places: adrp x0; add x1, x0; ldr q2, x3 and w4, ldrh
# w5 and ldrb w6, [x0]; bl and b, forward and back; a word.
@pytest.mark.parametrize(
    ("relocation", "unresolved", "symbol", "place", "resolved"),
    [
        (275, 0x90000000, 0x15130, 0x0, 0xB00000A0),
        (277, 0x91000001, 0x15130, 0x4, 0x9104C001),
        (299, 0x3DC00002, 0x15130, 0x8, 0x3DC04C02),
        (286, 0xF9400003, 0x15130, 0xC, 0xF9409803),
        (285, 0xB9400004, 0x15130, 0x10, 0xB9413004),
        (284, 0x79400005, 0x15130, 0x14, 0x79426005),
        (278, 0x39400006, 0x15130, 0x18, 0x3944C006),
        (283, 0x94000000, 0x3120, 0x1C, 0x94000C41),
        (282, 0x14000000, 0x3120, 0x20, 0x14000C40),
        (283, 0x94000000, 0x0, 0x24, 0x97FFFFF7),
        (261, 0, 0x15130, 0x28, 0x15108),
    ],
)
def test_instructions_of_arm_refer_to_what_the_system_linker_lets_them(
    relocation, unresolved, symbol, place, resolved
):
    word = linker._MACHINES[183].patches[relocation](unresolved, symbol, place)
    assert word & 0xFFFFFFFF == resolved
