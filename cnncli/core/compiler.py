"""From a Python function to object code: Numba emits the IR, and LLVM's passes run once, on all of it.

Imported only to compile, because it imports Numba. Numba itself would optimise and compile each helper, then
the whole, and unroll loops whose vectors are already explicit: twice the time for three times the code.
"""

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import llvmlite.binding as llvm

from cnncli import modules

_chosen = os.environ.get("NUMBA_OPT")
_yaml = sys.modules.get("yaml")
os.environ["NUMBA_OPT"] = "0"
# Without YAML, Numba ignores a .numba_config.yaml in the current folder, which anybody may have written.
sys.modules["yaml"] = None  # type: ignore[assignment]
try:
    import numba
    from numba import types
    from numba.core import config
    from numba.core.codegen import JITCodeLibrary
    from numba.core.registry import cpu_target

    config._config_fname = os.devnull  # as it is read again on every compilation
finally:
    del os.environ["NUMBA_OPT"]
    del sys.modules["yaml"]
    if _yaml is not None:
        sys.modules["yaml"] = _yaml
    if _chosen is not None:
        os.environ["NUMBA_OPT"] = _chosen

modules.quiet_logs()

# External functions that object code may call: available in every process, with or without Numba.
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
        Object code whose only external calls are in `ALLOWED_CALLS`.
    """
    code: bytes = machine.emit_object(optimised(importlib.import_module(module_name), symbol, machine))
    return code


class _Unfinished(JITCodeLibrary):
    """Functions that remain unoptimised IR."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_specific(self) -> None:
        pass

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()  # type: ignore[no-untyped-call]
        return 0


@contextlib.contextmanager
def _unfinished() -> Iterator[None]:
    """Let Numba emit only IR: it would compile every helper to machine code that is never called."""
    codegen = cpu_target.target_context.codegen()
    instead = {
        "_library_class": _Unfinished,
        "_add_module": lambda module: None,
        "set_env": lambda name, environment: None,
    }
    for name, value in instead.items():
        setattr(codegen, name, value)
    try:
        yield
    finally:
        for name in instead:
            delattr(codegen, name)


def optimised(module: ModuleType, symbol: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """The optimised IR of a module's ``loop``, checked to depend on nothing but libc.

    Raises
    ------
    RuntimeError
        If the loop allocates, raises or makes external calls: a bug of the loop, not a user's error.
    """
    job = types.CPointer(numba.from_dtype(module.JOB))  # type: ignore[no-untyped-call]
    signature = types.void(job, types.intp, types.intp, types.intp)
    with _unfinished():
        compiled = numba.cfunc(signature, error_model="numpy")(module.loop)
    ir = compiled.inspect_llvm().replace(compiled.native_name, symbol)
    # Only the entry point is exported, so that error paths of helpers that never fail are removed.
    ir = re.sub(
        rf"^define (?:linkonce_odr )?(?=.*@)(?!.*@{symbol}\()", "define internal ", ir, flags=re.MULTILINE
    )
    parsed = llvm.parse_assembly(ir)
    parsed.triple, parsed.data_layout = machine.triple, str(machine.target_data)
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.slp_vectorization = tuning.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(parsed, passes)
    foreign = {f.name for f in parsed.functions if f.is_declaration and not f.name.startswith("llvm.")}
    if foreign - ALLOWED_CALLS:
        calls = ", ".join(sorted(foreign - ALLOWED_CALLS))
        raise RuntimeError(f"{symbol} calls {calls}: a native function may not raise or allocate")
    return parsed
