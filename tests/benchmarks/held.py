"""Every entrant held to the instructions of an older processor, so that a server measures what a laptop does.

Libraries choose their code by the processor when they are loaded: so everything is said in the environment,
before any of them is imported.
"""

import os
import sys

# Who cannot be held: ONNX Runtime, usearch and vips choose for themselves and have no switch.
FREE = ("ONNX Runtime", "usearch", "vips")
VARIABLES = {
    "avx2": {
        "CNNCLI_TARGET": "avx2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Haswell",
        "OPENCV_CPU_DISABLE": "AVX512F,AVX512-COMMON,AVX512-SKX,AVX512-CNL,AVX512-CLX,AVX512-ICL",
        "OPENCV_IPP": "avx2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "FAISS_OPT_LEVEL": "avx2",
    }
}


def hold(isa: str) -> None:
    """Start this Python anew with everybody held to an instruction set, unless they are already."""
    if any(os.environ.get(name) != value for name, value in VARIABLES[isa].items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **VARIABLES[isa]})


def held() -> str:
    """The instruction set to which everybody is held; empty where nobody is."""
    for isa, variables in VARIABLES.items():
        if all(os.environ.get(name) == value for name, value in variables.items()):
            return isa
    return ""
