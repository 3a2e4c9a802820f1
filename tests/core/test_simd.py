"""Vectors of every width give the same answers, and become the instructions that they are meant for."""

import re
from pathlib import Path

import numpy as np
import pytest
from widths import save

from cnncli.core.native import processor

HERE = Path(__file__).parent

# argv: a file for the answers, the loops to run, a triple and the processors to compile for.
# Prints the assembly of sums for each of those processors.
RUN = """
import sys
import llvmlite.binding as llvm
import sums_loop
import widths
from cnncli.core import native
from cnncli.core.compiler import optimised

path, ways, triple, *processors = sys.argv[1:]
widths.save(path, ways.split())
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
module = optimised(sums_loop, "sums", native._target_machine())
for cpu in processors:
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    lines = [line for line in str(module).splitlines() if not line.startswith("target ")]
    lines[1:1] = [f'target triple = "{triple}"', f'target datalayout = "{machine.target_data}"']
    print(machine.emit_assembly(llvm.parse_assembly("\\n".join(lines))))
"""
X86 = ("x86_64-unknown-linux-gnu",)


@pytest.fixture
def forced(python, tmp_path):
    """Run loops with a target forced, compare with this process's, and cross-compile sums."""

    def run(target, ways, *cross):
        paths = [HERE, HERE.parent / "filters"]
        env = {"CNNCLI_TARGET": target}
        done = python(RUN, tmp_path / "forced.npz", ways, *cross, path=paths, env=env)
        save(tmp_path / "own.npz", ways.split())
        with np.load(tmp_path / "forced.npz") as forced, np.load(tmp_path / "own.npz") as own:
            assert forced.files == own.files
            for name in forced.files:
                agree(forced[name].astype(float), own[name].astype(float), whole=own[name].dtype == np.uint8)
        return done.stdout.splitlines()

    return run


def agree(forced, own, *, whole):
    """Within 1e-5, but for the few whole numbers that were next to the middle between two."""
    difference, bound = np.abs(forced - own), 1e-5 * np.abs(own).max()
    assert difference.max() <= (1 if whole else bound)
    assert (difference > bound).mean() < 1e-3


def test_sixteen_lanes(forced):
    assembly = forced("avx512", "direct", *X86, "x86-64-v4", "skylake-avx512")
    sums = [line for line in assembly if "vfmadd" in line]
    # Of each processor: 24 vectors of one sum (or 12 by two ways at least), 12 of two; 6 of four rows, in all
    # companies of neighbours.
    assert sum("zmm" in line for line in sums) >= 2 * (24 + 24 + 6 * (4 * 1 + 3 * 2 + 2 * 3 + 1 * 4))
    assert not any("ymm" in line for line in sums)
    joins = sum("vperm" in line and "2ps" in line for line in assembly)
    assert joins == (2 * 12 if "avx512f" in processor()[2].split() else 0)


def test_four_lanes_of_neon(forced):
    assembly = forced("neon", "box", "aarch64-linux-gnu", "generic")
    assert sum("\tfmla\tv" in line and ".4s" in line for line in assembly) >= 48


def test_four_lanes_of_sse_on_processors_without_fused_sums(forced):
    assembly = "\n".join(forced("sse", "separable", *X86, "x86-64"))
    assert "mulps" in assembly
    assert "addps" in assembly
    assert "fmaf" not in assembly


def test_the_width_is_the_targets():
    from cnncli.core import simd

    assert processor()[3].lanes == simd.LANES
    assert simd.VECTOR_BYTES == 4 * simd.LANES


EMIT = """
import importlib, sys
from cnncli.core import native
from cnncli.core.compiler import optimised
for name in sys.argv[1:]:
    module = importlib.import_module("cnncli.core.loops." + name)
    print(native._target_machine().emit_assembly(optimised(module, "loop", native._target_machine())))
"""
LATER = {  # what only later processors know: registers, masks, broadcasts in an operand, instructions
    "avx2": r"zmm|[xy]mm(1[6-9]|2\d|3[01])|%k[0-7]|\{1to\d",
    "sse": r"[yz]mm|\tv[a-z]+(ps|pd|ss|sd|dqu|dq)\b",
}


@pytest.mark.skipif("avx512f" not in processor()[2].split(), reason="what is forced here is this processor's")
@pytest.mark.parametrize("target", LATER)
def test_a_forced_target_has_the_instructions_of_its_family(python, target):
    assembly = python(EMIT, "conv_forward", "median_u8", "reduce", env={"CNNCLI_TARGET": target}).stdout
    assert ("vfmadd" in assembly) == (target == "avx2")
    assert not re.search(LATER[target], assembly)
