"""That peers do what they are told: each is asked for the instructions that it uses."""

import json

import pytest

from cnncli.core.native import processor

from .held import VARIABLES

pytestmark = pytest.mark.skipif(
    "avx512f" not in processor()[2].split(), reason="this processor has nothing that could be held back"
)
ASK = """
import importlib, json
told = {}
from cnncli.core.native import processor
told["cnncli"] = processor()[3].name
from numpy._core import _multiarray_umath as numpy
told["numpy"] = [name for name in numpy.__cpu_dispatch__ if numpy.__cpu_features__[name]]
for name in ("cv2", "torch"):
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue
    if name == "cv2":
        AVX512F, AVX512_SKX = 13, 256
        told[name] = [module.checkHardwareSupport(each) for each in (AVX512F, AVX512_SKX)]
        told["ipp"] = module.ipp.getIppVersion()
    else:
        told[name] = module.backends.cpu.get_cpu_capability()
print(json.dumps(told))
"""


def test_nobody_uses_more_than_avx2(python):
    told = json.loads(python(ASK, env=VARIABLES["avx2"]).stdout)
    assert told["cnncli"] == "avx2"
    assert told["numpy"] == ["X86_V3"]
    assert told.get("cv2", [False]) == [False] * len(told.get("cv2", [False]))
    assert "AVX2" in told.get("ipp", "AVX2")
    assert told.get("torch", "AVX2") == "AVX2"


def test_the_benchmarks_say_to_what_they_are_held(python):
    arguments = ["--isa", "avx2", "--only", "kernel 3x3, u8 gray", "--list"]
    run = "import runpy; runpy.run_module('tests.benchmarks', run_name='__main__', alter_sys=True)"
    done = python(run, *arguments)
    assert "instructions avx2" in done.stderr
