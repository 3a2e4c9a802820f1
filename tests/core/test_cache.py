"""Kept files: where they are, who may read them, and what is not trusted."""

import os
import stat
from pathlib import Path

import pytest

from cnncli.core import cache

PAYLOADS = [b"", b"\0", b"code", bytes(range(256)) * 999]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CNNCLI_CACHE_DIR": "/somewhere", "XDG_CACHE_HOME": "/xdg"}, "/somewhere"),
        ({"CNNCLI_CACHE_DIR": "relative"}, "relative"),
        ({"CNNCLI_CACHE_DIR": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/cnncli"),
        ({"XDG_CACHE_HOME": "relative is not allowed", "HOME": "/home/x"}, "/home/x/.cache/cnncli"),
        ({"XDG_CACHE_HOME": "", "HOME": "/home/x"}, "/home/x/.cache/cnncli"),
    ],
)
def test_cache_folder(monkeypatch, variables, expected):
    for name in ("CNNCLI_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.cache_folder() == Path(expected)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_kept_is_read_again(tmp_path, payload):
    path = tmp_path / "a" / "b" / "kept.o"
    assert cache.keep(path, payload)
    assert cache.read_cached(path) == payload
    assert path.stat().st_mode == stat.S_IFREG | 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_keeping_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "kept.o"
    for payload in PAYLOADS:
        assert cache.keep(path, payload)
    assert cache.read_cached(path) == PAYLOADS[-1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_keeps_the_file_that_it_opened(tmp_path):
    path = tmp_path / "kept.o"
    cache.keep(path, b"old" * 9999)
    with path.open("rb") as file:
        cache.keep(path, b"new")
        assert file.read().endswith(b"old" * 9999)


def test_every_cut_and_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "kept.o"
    cache.keep(path, b"payload")
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at])
        assert cache.read_cached(path) is None
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert cache.read_cached(path) is None
    path.write_bytes(whole + b"\0")
    assert cache.read_cached(path) is None
    path.write_bytes(whole)
    assert cache.read_cached(path) == b"payload"


def test_a_file_stands_in_for_no_other(tmp_path):
    cache.keep(tmp_path / "one.o", b"payload")
    (tmp_path / "one.o").rename(tmp_path / "two.o")
    assert cache.read_cached(tmp_path / "two.o") is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_file_that_others_may_write_is_not_trusted(tmp_path, mode):
    path = tmp_path / "kept.o"
    cache.keep(path, b"payload")
    path.chmod(mode)
    assert cache.read_cached(path) is None
    path.chmod(0o644)
    assert cache.read_cached(path) == b"payload"


def test_a_file_of_another_user_is_not_trusted(tmp_path):
    path = tmp_path / "kept.o"
    cache.keep(path, b"payload")
    own = path.stat()
    assert cache._trusted(own)
    foreign = list(own)
    foreign[stat.ST_UID] = os.getuid() + 1
    assert not cache._trusted(os.stat_result(foreign))


@pytest.mark.parametrize("missing", ["kept.o", "no/folder/kept.o"])
def test_a_missing_file_is_absent(tmp_path, missing):
    assert cache.read_cached(tmp_path / missing) is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    assert not cache.keep(tmp_path / "file" / "kept.o", b"payload")
    (tmp_path / "kept.o" / "inside").mkdir(parents=True)
    assert not cache.keep(tmp_path / "kept.o", b"payload")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "kept.o"]


LOCKED = """
import sys
from pathlib import Path
from cnncli.core import cache

with cache.compiling(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_the_lock_is_free_when_its_holder_is_gone(tmp_path, python):
    for _ in range(2):
        assert python(LOCKED, tmp_path / "kept.o", input="").stdout == "locked\n"
    with cache.compiling(tmp_path / "kept.o"):
        assert (tmp_path / "kept.lock").stat().st_mode & 0o777 == 0o600


def test_without_a_lock_it_does_not_wait(tmp_path):
    (tmp_path / "file").write_text("")
    with cache.compiling(tmp_path / "file" / "kept.o"):
        assert not cache.keep(tmp_path / "file" / "kept.o", b"")


def test_a_fault_while_compiling_frees_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), cache.compiling(tmp_path / "kept.o"):
        raise ZeroDivisionError
    with cache.compiling(tmp_path / "kept.o"):
        pass


def test_what_killed_processes_left_goes_when_something_is_kept(tmp_path):
    (tmp_path / ".cnncli-01234567.tmp").write_bytes(b"half")
    assert cache.keep(tmp_path / "kept.o", b"payload")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.o"]
