"""What NumPy and Pillow import without need: not imported by plain commands, whole for who asks."""

import numpy as np
import pytest
from PIL import Image

WITHOUT = """
import sys
from cnncli.cli.run import run
code = run(sys.argv[1:])
names = ("PIL.BmpImagePlugin", "PIL.GifImagePlugin", "numpy._typing", "ast",
    "inspect", "ipaddress", "linecache", "pickle", "platform", "textwrap", "PIL.ExifTags")
print("imported:", *(name for name in names if name in sys.modules))
sys.exit(code)
"""


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_plain_command_imports_none_of_it(python, tmp_path, suffix):
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(tmp_path / f"in.{suffix}")
    words = ("convolve", tmp_path / f"in.{suffix}", "-k", "sobel", "-o", tmp_path / f"out.{suffix}")
    python(WITHOUT, *words)  # compiles what is not compiled yet
    assert python(WITHOUT, *words).stdout.split("imported:")[1].split() == []


PUT_OFF = """
import sys
from cnncli.cli.late import put_off
with put_off():
    import numpy
    import PIL.Image
    import PIL.ImageFile
"""


def test_types_are_those_of_numpy(python):
    named = (
        "from numpy.typing import NDArray\nprint(repr(NDArray[numpy.uint8]), numpy.linalg._linalg.NDArray)"
    )
    late, usual = (python(start + named).stdout for start in (PUT_OFF, "import numpy\n"))
    assert late.replace("_Scalar", "") == usual.replace("_ScalarT", "")
    assert "ndarray" in late


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import numpy.typing as npt\nprint(npt.ArrayLike is sys.modules['numpy.typing'].ArrayLike)", "True"),
        ("print(numpy.typing.NBitBase.__name__)", "NBitBase"),
        ("import numpy._typing._array_like\nprint('ArrayLike' in vars(numpy._typing))", "True"),
        ("from numpy.typing import NDArray, DTypeLike\nprint('_typing' in vars(numpy))", "True"),
        ("import inspect\nprint(inspect.signature(lambda a, *, b=1: a))", "(a, *, b=1)"),
        ("import inspect\nprint(numpy._core.overrides.inspect.cleandoc(' a\\n  b') == 'a\\nb')", "True"),
        ("import dataclasses, pickle\nprint(pickle.loads(pickle.dumps(numpy.arange(3))))", "[0 1 2]"),
        ("from PIL import ExifTags\nprint(ExifTags.Base(274).name)", "Orientation"),
        ("print(PIL.Image.ExifTags.Base(274).name)", "Orientation"),
        ("print(PIL.ImageFile.ExifTags.IFD(34853).name)", "GPSInfo"),
        ("import urllib.parse\nprint(urllib.parse.urlsplit('http://[::1]/a').hostname)", "::1"),
        ("import traceback\nprint(traceback.format_list([('no', 1, 'f', None)])[0])", 'File "no", line 1'),
        ("import pathlib, platform\nprint(platform.system() == sys.platform.capitalize())", "True"),
    ],
)  # fmt: skip
def test_who_asks_for_more_gets_all(python, code, said):
    assert python(PUT_OFF + code).stdout.strip().startswith(said)


def test_what_stays_put_off_is_out_of_sight(python):
    code = """
from types import ModuleType
for name in ("ast", "inspect", "ipaddress", "linecache", "pickle", "platform", "textwrap", "PIL.ExifTags"):
    assert type(__import__(name, fromlist=["x"])) is ModuleType, name
"""
    python(PUT_OFF + code)


def test_several_threads_may_ask_at_once(python):
    code = """
import threading
from cnncli.cli import late
wrong = []
for _ in range(30):
    for name in ("numpy.typing", "numpy._typing", "textwrap", "PIL.ExifTags"):
        sys.modules.pop(name, None)
    with put_off():
        modules = [sys.modules[name] for name in ("numpy.typing", "textwrap", "PIL.ExifTags")]
    start = threading.Barrier(6)
    def ask(number):
        try:
            start.wait()
            for module in modules[number % 3 :] + modules:
                getattr(module, {"numpy.typing": "ArrayLike", "textwrap": "dedent", "PIL.ExifTags": "TAGS"}[module.__name__])
        except BaseException as error:
            wrong.append(repr(error))
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(wrong)
"""  # noqa: E501
    assert python(PUT_OFF + code).stdout.strip() == "[]"
