"""Files are written whole or not at all, wherever they go."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link.png", tmp_path / "there" / "target.png"
    link.symlink_to(target)
    for content in (b"first", b"second"):  # the target is new, then there
        write_atomic(link, content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert names(tmp_path / "there") == ["target.png"]


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(CnncliError, match="symbolic links run in a circle"):
        write_atomic(tmp_path / "a", b"x")
    assert (tmp_path / "a").is_symlink()


LIMITED = """
import resource, sys
from pathlib import Path
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomic(Path(sys.argv[1]), bytes(5000))
except CnncliError as error:
    print(error.message)
"""


def test_a_file_that_grows_too_large_leaves_the_old_one(tmp_path):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
    out = tmp_path / "out.png"
    out.write_bytes(b"old")
    ran = subprocess.run([sys.executable, "-c", LIMITED, out], capture_output=True, text=True, check=True)
    assert "the file would be larger than this system allows" in ran.stdout
    assert out.read_bytes() == b"old"
    assert names(tmp_path) == ["out.png"]


STREAMED = """
from pathlib import Path
from cnncli.files.atomic import write_atomic
for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
    write_atomic(Path(name), b"more")
"""


def test_standard_output_is_appended_to_and_not_replaced(tmp_path):
    out = tmp_path / "log"
    out.write_bytes(b"old,")
    number = out.stat().st_ino
    with out.open("ab") as stream:
        subprocess.run([sys.executable, "-c", STREAMED], stdout=stream, check=True)
    assert out.read_bytes() == b"old,moremoremore"
    assert out.stat().st_ino == number


def test_a_reader_that_is_gone_is_told_apart():
    read, write = os.pipe()
    os.close(read)
    try:
        with pytest.raises(BrokenPipeError) as caught:
            write_atomic(Path(f"/dev/fd/{write}"), b"x")
    finally:
        os.close(write)
    assert caught.value.errno == errno.EPIPE


INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path
from cnncli.files.atomic import write_atomic
threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        write_atomic(Path(sys.argv[1]), bytes(50_000_000))
except KeyboardInterrupt:
    sys.exit(7)
"""


def test_an_interrupted_write_leaves_a_whole_file(tmp_path):
    out = tmp_path / "out.png"
    out.write_bytes(bytes(50_000_000))
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED, out], check=False)
    assert ran.returncode == 7
    assert names(tmp_path) == ["out.png"]
    assert out.stat().st_size == 50_000_000


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="handles have names in /proc only")
@pytest.mark.parametrize("old", [False, True])
def test_a_durable_file_and_then_its_name_are_brought_to_the_disk(tmp_path, synced, old):
    """Its bytes before it has its name, then the folder with the name in it."""
    out = tmp_path / "state.bin"
    if old:
        out.write_bytes(b"before")
    write_atomic(out, bytes(1234), durable=True)
    (first, size), (second, inside) = synced
    assert first.parent == second == tmp_path
    assert first.name != out.name
    assert size == 1234
    assert inside == [out.name]


def test_a_draft_is_taken_away_where_standard_input_is_closed(tmp_path):
    """Its handle is 0 then, which is as good as any other."""
    code = (
        "import os; from pathlib import Path; os.close(0)\n"
        "from cnncli.files.atomic import drafted\n"
        "try:\n"
        "    with drafted(Path('o.bin'), b'content'):\n"
        "        raise KeyError\n"
        "except KeyError:\n"
        "    print(os.listdir())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
