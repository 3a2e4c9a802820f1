"""Machine code that comes with the package: compiled for many processors, used where it fits, only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import squares as driver

import cnncli
from cnncli.core import native
from cnncli.core.choices import TARGETS
from cnncli.core.platforms import PLATFORMS, fitting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="blocks are for Linux")
ROOT = Path(cnncli.__file__).parent.parent

BUILD = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(Path(driver.__file__).parent)!r}]
import squares
from cnncli.core import native
from cnncli.core.build_code import write_platform
from cnncli.core.platforms import PLATFORMS
native.LOOPS[squares.NAME] = squares.MODULE
write_platform(Path(sys.argv[1]), PLATFORMS[sys.argv[2]], sys.argv[3:])
"""
RUN = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(Path(driver.__file__).parent)!r}]
from cnncli.core import shipped
shipped.FOLDER = Path(sys.argv[1])
import squares
squares.main()
"""


def run(python, *words, cache, **variables):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CNNCLI_CACHE_DIR": str(cache), **variables}
    done = subprocess.run(
        [sys.executable, "-c", python, *map(str, words)], check=False, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def own_platform(target=None):
    """The platform that this processor fits, or fits when it is held to a target."""
    architecture, _, features, chosen = native.processor()
    return fitting(architecture, frozenset(features.split()), TARGETS[target] if target else chosen)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Code of a loop for each platform."""
    folder = tmp_path_factory.mktemp("code")
    for name in PLATFORMS:
        run(BUILD, folder, name, driver.NAME, "program", "pack", cache=folder / "none")
    assert [path.name for path in (folder / "none").iterdir()] == ["sources"]
    return folder


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_platform_gets_blocks_that_call_nothing_foreign(built, name):
    files = sorted((built / name).iterdir())
    assert [file.name.rpartition("-")[0] for file in files] == ["pack", "program", "squares"]
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o644
        head = file.read_bytes().split(b"cnncli-block-2\n")[1].split(b"\n")[0].decode().split()
        loop = file.name.rpartition("-")[0]
        assert [symbol for kind, symbol in zip(head[::3], head[1::3], strict=True) if kind == "entry"] == [
            f"cnncli_{loop}"
        ]
        calls = {symbol for kind, symbol in zip(head[::3], head[1::3], strict=True) if kind == "call"}
        assert calls <= {"memcpy", "memmove", "memset"}


@pytest.mark.parametrize("target", ["", "avx2", "sse"])
def test_code_that_fits_is_run_and_nothing_is_compiled_or_kept(built, tmp_path, target):
    if own_platform(target) is None:
        pytest.skip("no machine code for this processor")
    said = run(RUN, built, cache=tmp_path / "cache", CNNCLI_TARGET=target)
    assert said[1] == "loaded"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["sources"]


def spoilt(folder, built, change):
    """A copy of the code for this processor with its bytes changed, under a name changed."""
    platform = own_platform()
    if platform is None:
        pytest.skip("no machine code for this processor")
    (source,) = (built / platform.name).glob("squares-*.o")
    (folder / platform.name).mkdir(parents=True)
    name, content = change(source.name, source.read_bytes())
    (folder / platform.name / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda name, content: (name.replace("-", "-0"), content),  # of other sources
        lambda name, content: (name, content[:-1] + bytes([content[-1] ^ 1])),
        lambda name, content: (name, content[:-1]),
        lambda name, content: (name, b""),
    ],
    ids=["of other sources", "damaged", "cut short", "empty"],
)
def test_other_code_is_not_run_but_compiled(built, tmp_path, change):
    folder = spoilt(tmp_path / "code", built, change)
    said = run(RUN, folder, cache=tmp_path / "cache")
    assert said[1] == "compiled"
    assert list((tmp_path / "cache" / "native").glob("squares-*.o"))


def test_code_of_another_loop_under_its_name_is_not_run(built, tmp_path):
    (other,) = (built / own_platform().name).glob("pack-*.o")
    folder = spoilt(tmp_path / "code", built, lambda name, content: (name, other.read_bytes()))
    assert run(RUN, folder, cache=tmp_path / "cache")[1] == "compiled"


NO_COMPILER = f"""
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None
sys.path[:0] = [{str(ROOT)!r}]
from cnncli.__main__ import main
sys.argv[1:] = ["convolve", {str(ROOT / "samples" / "coins.png")!r}, "-k", "sobel", "-o", sys.argv[1]]
sys.exit(main())
"""


def test_without_code_and_compiler_the_error_says_what_to_install(tmp_path):
    env = {**os.environ, "CNNCLI_CACHE_DIR": str(tmp_path / "cache")}
    out = tmp_path / "edges.png"
    done = subprocess.run(
        [sys.executable, "-c", NO_COMPILER, str(out)], check=False, env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "llvmlite is not installed, and cnncli came without machine code for this processor" in done.stderr
    assert "pip install numba" in done.stderr
    assert not out.exists()


# Which processor fits

ZEN4 = PLATFORMS["x86-64-v4"].features | {"avx512_vnni", "sse2"}
HASWELL = PLATFORMS["x86-64-v3"].features | {"sse2"}


@pytest.mark.parametrize(
    ("architecture", "features", "target", "expected"),
    [
        ("x86_64", ZEN4, "avx512", "x86-64-v4"),
        ("x86_64", ZEN4, "avx2", "x86-64-v3"),  # held to it
        ("x86_64", ZEN4 - {"avx512cd"}, "avx512", None),  # has vectors of 512 bits, but not all of the level
        ("x86_64", HASWELL, "avx2", "x86-64-v3"),
        ("x86_64", HASWELL - {"movbe"}, "avx2", None),
        ("x86_64", HASWELL, "neon", None),
        ("x86_64", frozenset({"sse2"}), "sse", None),
        ("aarch64", frozenset({"fp", "asimd", "crc32"}), "neon", "aarch64"),
        ("aarch64", frozenset({"fp"}), "neon", None),
        ("arm64", frozenset({"fp", "asimd"}), "neon", None),  # macOS, whose convention differs
        ("riscv64", frozenset(), "sse", None),
    ],
)
def test_the_platform_of_a_processor(architecture, features, target, expected):
    found = fitting(architecture, features, TARGETS[target])
    assert (found and found.name) == expected


def test_none_fits_another_system(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert fitting("x86_64", ZEN4, TARGETS["avx512"]) is None
