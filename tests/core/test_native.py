"""Native functions: kept, keyed, compiled once, and the same everywhere."""

import importlib
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import squares as driver
from squares import MODULE, NAME, right, squares

import cnncli
from cnncli.core import cache, linker, native

HERE = Path(__file__).parent
PACKAGE = Path(cnncli.__file__).parent


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache of its own, with nothing in it, and nothing loaded from elsewhere."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CNNCLI_CACHE_DIR", str(folder))
    monkeypatch.setitem(native.LOOPS, NAME, MODULE)
    native.forget()
    yield folder
    native.forget()


def kept_file(folder):
    (path,) = folder.glob("native/squares-*.o")
    return path


def start(folder, **options):
    """The driver in a process of its own."""
    variables = {**os.environ, "CNNCLI_CACHE_DIR": str(folder), "PYTHONPATH": str(PACKAGE.parent)}
    return subprocess.Popen(
        [sys.executable, driver.__file__], env=variables, text=True, stdout=subprocess.PIPE, **options
    )


# Running


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_every_item_is_done_once_whatever_the_threads(monkeypatch, count, threads):
    monkeypatch.setitem(native.LOOPS, NAME, MODULE)
    numbers, done = squares(count, threads=threads)
    assert right(numbers)
    assert sum(done) == count
    assert len(done) == max(1, min(threads, count))


def test_scratch_is_zeroed_and_starts_on_a_cache_line(monkeypatch):
    monkeypatch.setitem(native.LOOPS, NAME, MODULE)
    out = np.zeros(1, np.int64)
    job = np.zeros(1, np.dtype([("out", "i8"), ("seed", "i8")], align=True))
    job["out"] = out.ctypes.data
    (scratch,) = native.run(NAME, job, 1, threads=3, scratch_bytes=1000)
    assert scratch.size >= 1000
    assert scratch.ctypes.data % 64 == 0
    assert scratch[0] == 1
    assert not scratch[8:].any()


@pytest.mark.parametrize("name", sorted(native.LOOPS))
def test_every_loop_names_a_module_of_the_core(name):
    module = native.LOOPS[name]
    assert module.startswith("cnncli.core.loops.")
    assert (PACKAGE.parent / module.replace(".", "/")).with_suffix(".py").is_file()


# Keeping


def test_code_is_kept_private_and_loaded_again(empty_cache):
    assert right(squares()[0])
    path = kept_file(empty_cache)
    before = path.stat()
    assert before.st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    native.forget()
    assert right(squares()[0])
    assert kept_file(empty_cache).stat().st_mtime_ns == before.st_mtime_ns


def test_what_is_kept_is_loaded_without_numba_and_a_pipe_is_told_nothing(empty_cache):
    said = []
    for _ in range(2):
        with start(empty_cache, stderr=subprocess.PIPE) as process:
            said.append(process.communicate(timeout=60))
    (first, silence), (second, more_silence) = said
    assert silence == more_silence == ""
    total, word = first.split()
    assert word == "compiled"
    assert second.split() == [total, "loaded"]


def truncated(path):
    path.write_bytes(path.read_bytes()[:-40])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)


def of_another_version(path):
    path.write_bytes(path.read_bytes().replace(cache.MAGIC, b"cnncli-native-0\n"))


def emptied(path):
    path.write_bytes(b"")


def a_folder(path):
    path.unlink()
    (path / "inside").mkdir(parents=True)


def a_link(path):
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def writable_by_others(path):
    path.chmod(0o602)


def writable_by_the_group(path):
    path.chmod(0o660)


def of_another_loop(path):
    other = path.with_name("other.o")
    cache.keep(other, b"machine code of another loop")
    other.rename(path)


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        flipped,
        of_another_version,
        emptied,
        a_folder,
        a_link,
        a_pipe,
        writable_by_others,
        writable_by_the_group,
        of_another_loop,
    ],
)
def test_a_damaged_file_means_compiling_again(empty_cache, damage):
    squares()
    path = kept_file(empty_cache)
    code = cache.read_cached(path)
    damage(path)
    assert cache.read_cached(path) is None
    native.forget()
    assert right(squares()[0])
    if damage is not a_folder:
        assert cache.read_cached(path) == code
        assert path.stat(follow_symlinks=False).st_mode == 0o100600
    assert not list(path.parent.glob(".part-*"))


def a_file_in_its_place(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    return {"CNNCLI_CACHE_DIR": str(tmp_path / "file")}


def a_home_that_is_missing(tmp_path):
    return {"CNNCLI_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": "/proc/none/home"}


def a_home_that_is_read_only(tmp_path):
    (tmp_path / "home").mkdir(mode=0o500)
    return {"CNNCLI_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(tmp_path / "home")}


@pytest.mark.parametrize("place", [a_file_in_its_place, a_home_that_is_missing, a_home_that_is_read_only])
def test_without_a_cache_code_is_compiled_anew(tmp_path, monkeypatch, empty_cache, place):
    for name, value in place(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert right(squares()[0])
    assert not empty_cache.exists()


# Twenty at once


TWENTY = """
import os, squares

pipe = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        os.close(pipe[1])
        os.read(pipe[0], 1)  # returns when the parent lets all of them go
        squares.main()
        os._exit(0)
os.close(pipe[1])
states = [os.wait()[1] for _ in range(20)]
assert states == [0] * 20, states
"""


def test_of_twenty_processes_one_compiles_and_all_agree(python, empty_cache):
    done = python(TWENTY, path=[HERE], env={"OPENBLAS_NUM_THREADS": "1"})
    answers = [line.split() for line in done.stdout.splitlines()]
    assert len(answers) == 20
    assert len({total for total, _ in answers}) == 1
    assert sorted(word for _, word in answers) == ["compiled"] + ["loaded"] * 19
    names = sorted(path.suffix for path in (empty_cache / "native").iterdir())
    assert names == [".lock", ".o"]


# The line on the terminal


def test_a_terminal_is_told_while_code_is_compiled_and_not_after(empty_cache):
    master, slave = pty.openpty()
    said = []
    for _ in range(2):
        with start(empty_cache, stderr=slave) as process:
            process.communicate(timeout=60)
        os.write(slave, b"end")
        heard = b""
        while not heard.endswith(b"end"):
            heard += os.read(master, 4096)
        said.append(heard.decode())
    os.close(master)
    os.close(slave)
    assert said == ["compiling squares for this processor (once) …\r\nend", "end"]


# The key


KEY = """
import sys
from pathlib import Path

real = Path.read_text
fakes = dict(zip(["/proc/cpuinfo"], sys.argv[1:]))
Path.read_text = lambda path, *a, **k: fakes.get(str(path)) or real(path, *a, **k)
from cnncli.core import native
print(native._key())
"""


@pytest.fixture(scope="module")
def copied_package(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, root / "cnncli", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def key(python, root, *processor, **env):
    return python(KEY, *processor, root=root, env=env).stdout.strip()


def test_the_key_is_of_the_sources_of_the_core_alone(python, copied_package):
    plain = key(python, copied_package)
    assert len(plain) == 32
    assert key(python, copied_package) == plain
    for edited, changes in (
        ("core/loops/tile_io.py", True),
        ("core/simd.py", True),
        ("core/loops/direct.py", True),
        ("filters/execute.py", False),
    ):
        with (copied_package / "cnncli" / edited).open("a") as file:
            file.write("\n# An edit.\n")
        now = key(python, copied_package)
        assert (now != plain) is changes, edited
        plain = now


def test_an_edit_that_keeps_length_and_time_changes_the_key(python, copied_package):
    plain = key(python, copied_package)
    source = copied_package / "cnncli" / "core" / "simd.py"
    was, status = source.read_bytes(), source.stat()
    source.write_bytes(was[:-1] + b" ")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert source.stat().st_size == status.st_size
    assert key(python, copied_package) != plain
    source.write_bytes(was)
    assert key(python, copied_package) == plain


def test_the_key_is_the_same_where_nothing_can_be_kept(python, copied_package):
    plain = key(python, copied_package)
    assert key(python, copied_package, CNNCLI_CACHE_DIR="/dev/null/none") == plain


@pytest.mark.skipif(sys.platform != "linux", reason="the processor is read from /proc")
def test_the_key_is_of_the_processor_and_the_target(python, copied_package):
    one = "vendor_id : A\nmodel name : one\nflags : avx2 fma\n\n"
    keys = [
        key(python, copied_package, one),
        key(python, copied_package, one.replace("one", "another")),
        key(python, copied_package, one.replace("fma", "fma avx512f")),
        key(python, copied_package, one, CNNCLI_TARGET="neon"),
        key(python, copied_package, one, CNNCLI_TARGET="sse"),
    ]
    assert len(set(keys)) == len(keys)


# What machine code may do


@pytest.mark.parametrize(("fault", "named"), [("allocates", "NRT"), ("raises", ""), ("calls_out", "gamma")])
def test_a_loop_that_needs_more_than_itself_is_refused(fault, named):
    from cnncli.core.compiler import optimised

    faulty = importlib.import_module("faulty_loops")
    with pytest.raises(RuntimeError, match=f"faulty calls .*{named}"):
        optimised(faulty.module(getattr(faulty, fault)), "faulty", native._target_machine())


@pytest.mark.parametrize("name", ["box", "direct", "responses", "separable"])
def test_machine_code_calls_nothing_foreign(name):
    native.native_function(name)
    code = cache.read_cached(cache.cache_folder() / "native" / f"{name}-{native._key()}.o")
    if not code.startswith(linker.MAGIC):
        pytest.skip("kept as an object file, which LLVM links")
    words = code[len(linker.MAGIC) :].split(b"\n")[0].decode().split()
    named = list(zip(words[::3], words[1::3], strict=True))
    assert [symbol for kind, symbol in named if kind == "entry"] == [f"cnncli_{name}"]
    assert {symbol for kind, symbol in named if kind == "call"} <= {"memcpy", "memmove", "memset"}
