"""From a Python function to object code: Numba writes the IR, LLVM's passes run once, on the whole.

Imported only where something has to be compiled, because it imports Numba. Numba's own optimising
is switched off: it would work on each helper, then on the whole, and unroll loops whose vectors are
already explicit, which takes twice the time for three times the code.
"""

import importlib
import os
import re
from types import ModuleType

import llvmlite.binding as llvm

_chosen = os.environ.get("NUMBA_OPT")
os.environ["NUMBA_OPT"] = "0"
try:
    import numba
    from numba import types
finally:
    del os.environ["NUMBA_OPT"]
    if _chosen is not None:
        os.environ["NUMBA_OPT"] = _chosen

# What object code may call besides itself: found in every process, with or without Numba.
ALLOWED_CALLS = frozenset({"memcpy", "memmove", "memset"})


def compile_loop(module_name: str, symbol: str, machine: llvm.TargetMachine) -> bytes:
    """Compile the function ``loop`` of a module.

    Parameters
    ----------
    module_name : str
        A module with a function ``loop(job, scratch, lo, hi)`` and its record type ``JOB``.
    symbol : str
        Name of the function in the object code.
    machine : llvm.TargetMachine
        The processor to compile for.

    Returns
    -------
    bytes
        Object code whose only outside calls are in `ALLOWED_CALLS`.
    """
    code: bytes = machine.emit_object(optimised(importlib.import_module(module_name), symbol, machine))
    return code


def optimised(module: ModuleType, symbol: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """The optimised IR of a module's ``loop``, checked to need nothing but itself and libc.

    Raises
    ------
    RuntimeError
        If the loop allocates, raises or calls out: a fault of the loop, not of a user.
    """
    job = types.CPointer(numba.from_dtype(module.JOB))  # type: ignore[no-untyped-call]
    signature = types.void(job, types.intp, types.intp, types.intp)
    compiled = numba.cfunc(signature, error_model="numpy")(module.loop)
    ir = compiled.inspect_llvm().replace(compiled.native_name, symbol)
    # Only the entry stays visible, so that helpers which never fail lose their error paths.
    ir = re.sub(
        rf"^define (?:linkonce_odr )?(?=.*@)(?!.*@{symbol}\()", "define internal ", ir, flags=re.MULTILINE
    )
    parsed = llvm.parse_assembly(ir)
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.slp_vectorization = tuning.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(parsed, passes)
    foreign = {f.name for f in parsed.functions if f.is_declaration and not f.name.startswith("llvm.")}
    if foreign - ALLOWED_CALLS:
        calls = ", ".join(sorted(foreign - ALLOWED_CALLS))
        raise RuntimeError(f"{symbol} calls {calls}: a native function may not raise or allocate")
    return parsed
