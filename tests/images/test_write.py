"""Images are written whole or not at all, wherever they go."""

import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from image_samples import pixels

from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture
from cnncli.images.write import write_picture

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


def test_an_image_need_not_outlast_a_loss_of_power(tmp_path, synced):
    write_picture(PICTURE, tmp_path / "out.png")
    assert synced == []
