"""Files are written whole or not at all, wherever they go."""

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from image_samples import pixels

from cnncli.errors import CnncliError
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture
from cnncli.images.write import write_atomic, write_picture

PICTURE = Picture((pixels(3, "uint8"),))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_picture(PICTURE, tmp_path / "out.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o640
    assert names(tmp_path) == ["out.png"]
    np.testing.assert_array_equal(read_picture(tmp_path / "out.png").frames[0], PICTURE.frames[0])


def test_an_old_file_keeps_its_permissions(tmp_path):
    out = tmp_path / "out.png"
    out.write_bytes(b"old")
    out.chmod(0o604)
    write_picture(PICTURE, out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o604
    assert read_picture(out).format == "PNG"


def test_format_outranks_the_suffix(tmp_path):
    write_picture(PICTURE, tmp_path / "out.bin", format="jpg")
    assert read_picture(tmp_path / "out.bin").format == "JPEG"


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


def test_names_that_are_not_utf8_or_very_long(tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    write_picture(PICTURE, odd)
    assert read_picture(odd).format == "PNG"
    write_picture(PICTURE, tmp_path / ("n" * 251 + ".png"))
    with pytest.raises(CnncliError, match="its name is too long"):
        write_picture(PICTURE, tmp_path / ("n" * 252 + ".png"))
    with pytest.raises(CnncliError, match="cannot write"):
        write_atomic(Path("a\0b.png"), b"x")


def test_faults_of_the_path(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    for path, message in (
        (tmp_path / "missing" / "out.png", "its folder does not exist"),
        (tmp_path / "file" / "out.png", "a part of its path is a file"),
        (tmp_path / "folder.png", "it is a folder"),
    ):
        with pytest.raises(CnncliError, match=message) as caught:
            write_picture(PICTURE, path)
        assert caught.value.message.startswith(f"cannot write {path}")
    assert names(tmp_path) == ["file", "folder.png"]


def test_a_folder_that_may_not_be_written(tmp_path):
    out = tmp_path / "out.png"
    out.write_bytes(b"old")
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("permissions do not bind this user")
        for path in (out, tmp_path / "new.png"):
            with pytest.raises(CnncliError, match="permission denied"):
                write_picture(PICTURE, path)
    finally:
        tmp_path.chmod(0o700)
    assert out.read_bytes() == b"old"
    assert names(tmp_path) == ["out.png"]


def test_a_file_that_may_not_be_written(tmp_path):
    out = tmp_path / "out.png"
    out.write_bytes(b"old")
    out.chmod(0o400)
    if os.access(out, os.W_OK):
        pytest.skip("permissions do not bind this user")
    with pytest.raises(CnncliError, match="permission denied"):
        write_picture(PICTURE, out)
    assert out.read_bytes() == b"old"


def test_a_picture_that_the_format_cannot_hold_leaves_the_old_file(tmp_path):
    out = tmp_path / "out.jpg"
    out.write_bytes(b"old")
    with pytest.raises(CnncliError, match="16-bit"):
        write_picture(Picture((pixels(3, "uint16"),)), out)
    assert out.read_bytes() == b"old"
    assert names(tmp_path) == ["out.jpg"]


LIMITED = """
import resource, sys
from pathlib import Path
from cnncli.errors import CnncliError
from cnncli.images.write import write_atomic
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


def test_a_full_disk():
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(CnncliError, match="cannot write /dev/full: the disk is full"):
        write_picture(PICTURE, full, format="png")
    assert full.is_char_device()


def test_devices_and_pipes_are_written_directly(tmp_path):
    write_picture(PICTURE, Path(os.devnull), format="png")
    assert Path(os.devnull).is_char_device()
    pipe, read = tmp_path / "pipe.png", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_picture(PICTURE, pipe)
    reader.join()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    np.testing.assert_array_equal(read_picture(read[0]).frames[0], PICTURE.frames[0])


STREAMED = """
from pathlib import Path
from cnncli.images.write import write_atomic
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
from cnncli.images.write import write_atomic
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


@pytest.fixture
def synced(monkeypatch):
    """What the kernel was told to bring to the disk, in order, and what lay in the folder by then."""
    found = []
    real = os.fsync

    def spy(handle):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        found.append((path, path.stat().st_size if path.is_file() else names(path)))
        return real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    return found


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


def test_an_image_need_not_outlast_a_loss_of_power(tmp_path, synced):
    write_picture(PICTURE, tmp_path / "out.png")
    assert synced == []


def test_a_draft_is_taken_away_where_standard_input_is_closed(tmp_path):
    """Its handle is 0 then, which is as good as any other."""
    code = (
        "import os; from pathlib import Path; os.close(0)\n"
        "from cnncli.images.write import drafted\n"
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
