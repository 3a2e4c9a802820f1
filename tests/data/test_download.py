import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from data_helpers import QUICK, remote, send

from cnncli.data import download
from cnncli.data.download import fetch_all
from cnncli.errors import CnncliError
from cnncli.files import locks

BODY = np.random.default_rng(0).bytes(300_000)
ROOT = Path(__file__).resolve().parents[2]


def fetch(folder, *remotes, report=None):
    return fetch_all(remotes, folder, what="the file", report=report, timeouts=QUICK)


def test_whole_file_arrives_once(server, tmp_path):
    server.behave["/a"] = lambda handler: send(handler, BODY)
    told = []
    wanted = remote(BODY, server.url("/a"))
    (path,) = fetch(tmp_path / "deep" / "er", wanted, report=lambda *each: told.append(each))
    assert path.read_bytes() == BODY
    assert told[-1] == ("downloading file.bin", len(BODY), len(BODY))
    assert fetch(tmp_path / "deep" / "er", wanted) == [path]
    assert len(server.requests) == 1
    assert {each.name for each in path.parent.iterdir()} == {"file.bin", ".file.bin.lock"}


def test_broken_off_is_resumed_where_it_ended(server, tmp_path):
    server.behave["/a"] = lambda handler: send(handler, BODY, only=90_000)
    (path,) = fetch(tmp_path, remote(BODY, server.url("/a")))
    assert path.read_bytes() == BODY
    ranges = [asked for _, asked in server.requests]
    assert ranges == [None, "bytes=90000-", "bytes=180000-", "bytes=270000-"]


def test_broken_off_without_ranges_goes_to_the_next_mirror(server, tmp_path):
    server.behave["/bad"] = lambda handler: send(handler, BODY, ranges=False, only=90_000)
    server.behave["/good"] = lambda handler: send(handler, BODY)
    (path,) = fetch(tmp_path, remote(BODY, server.url("/bad"), server.url("/good")))
    assert path.read_bytes() == BODY
    assert server.requests[-1] == ("/good", "bytes=90000-")


@pytest.mark.parametrize("promise", [len(BODY) + 1000, len(BODY) - 1000])
def test_lie_about_the_length(server, tmp_path, promise):
    def behave(handler):
        at = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        send(handler, BODY, promise=promise - at, only=max(0, promise - at))

    server.behave["/liar"] = behave
    server.behave["/good"] = lambda handler: send(handler, BODY)
    (path,) = fetch(tmp_path, remote(BODY, server.url("/liar"), server.url("/good")))
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (bytes(len(BODY)), "gave other bytes than expected"),
        (BODY + b"more", "gave more than the expected 300,000 bytes"),
        (BODY[:-5], "holds no more than 299,995 of 300,000 bytes"),
    ],
)
def test_wrong_bytes_are_never_kept(server, tmp_path, wrong, said):
    server.behave["/a"] = lambda handler: send(handler, wrong)
    with pytest.raises(CnncliError, match=said):
        fetch(tmp_path, remote(BODY, server.url("/a")))
    assert not (tmp_path / "file.bin").exists()


@pytest.mark.parametrize("status", [404, 403, 500])
def test_refusals_are_named_and_the_next_mirror_tried(server, tmp_path, status):
    server.behave["/no"] = lambda handler: handler.send_error(status)
    server.behave["/yes"] = lambda handler: send(handler, BODY)
    with pytest.raises(CnncliError, match=f"answered {status}"):
        fetch(tmp_path, remote(BODY, server.url("/no")))
    (path,) = fetch(tmp_path, remote(BODY, server.url("/no"), server.url("/yes")))
    assert path.read_bytes() == BODY
    assert [asked for asked, _ in server.requests] == ["/no", "/no", "/yes"]


def test_silence_ends_and_the_rest_is_fetched(server, tmp_path):
    def behave(handler):
        if handler.headers.get("Range"):
            send(handler, BODY)
        else:
            send(handler, BODY, only=50_000)
            handler.wfile.flush()
            time.sleep(1.0)

    server.behave["/slow"] = behave
    (path,) = fetch(tmp_path, remote(BODY, server.url("/slow")))
    assert path.read_bytes() == BODY
    (first, start), (second, resumed) = server.requests
    assert first == second == "/slow"
    assert start is None
    assert 50_000 - 16_384 < int(resumed[6:-1]) <= 50_000


def test_bad_leftover_is_thrown_away(server, tmp_path):
    (tmp_path / ".file.bin.part").write_bytes(bytes(1234))
    server.behave["/a"] = lambda handler: send(handler, BODY)
    (path,) = fetch(tmp_path, remote(BODY, server.url("/a")))
    assert path.read_bytes() == BODY
    assert [asked for _, asked in server.requests] == ["bytes=1234-", None]


def test_leftover_longer_than_the_file(server, tmp_path):
    (tmp_path / ".file.bin.part").write_bytes(bytes(len(BODY) + 1))
    server.behave["/a"] = lambda handler: send(handler, BODY)
    (path,) = fetch(tmp_path, remote(BODY, server.url("/a")))
    assert path.read_bytes() == BODY
    assert [asked for _, asked in server.requests] == [None], "all of it, in one request"


def test_nobody_answers(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(CnncliError, match=rf"none of 127.0.0.1:{port} can be reached") as caught:
        fetch(tmp_path, remote(BODY, f"http://127.0.0.1:{port}/a"))
    assert "file.bin" in caught.value.hint


def test_folder_that_is_a_file(server, tmp_path):
    (tmp_path / "data").write_text("")
    server.behave["/a"] = lambda handler: send(handler, BODY)
    with pytest.raises(CnncliError, match="cannot write to") as caught:
        fetch(tmp_path / "data", remote(BODY, server.url("/a")))
    assert "CNNCLI_DATA_DIR" in caught.value.hint


def child(server, folder):
    code = (
        "import sys; from pathlib import Path\n"
        "from data_helpers import QUICK, remote\n"
        "from test_download import BODY, fetch_all\n"
        "fetch_all((remote(BODY, sys.argv[1]),), Path(sys.argv[2]), what='it', timeouts=QUICK)\n"
    )
    arguments = [sys.executable, "-c", code, server.url("/a"), str(folder)]
    return subprocess.Popen(
        arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}
    )


def test_two_processes_share_one_download(server, tmp_path):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        handler.end_headers()
        for at in range(0, len(BODY), 30_000):
            handler.wfile.write(BODY[at : at + 30_000])
            time.sleep(0.05)

    server.behave["/a"] = drip
    children = [child(server, tmp_path) for _ in range(2)]
    assert [each.wait(60) for each in children] == [0, 0]
    assert (tmp_path / "file.bin").read_bytes() == BODY
    assert len(server.requests) == 1


def test_killed_download_goes_on(server, tmp_path):
    def stop_in_the_middle(handler):
        send(handler, BODY, only=120_000)
        handler.wfile.flush()
        time.sleep(0.3)

    server.behave["/a"] = stop_in_the_middle
    process = child(server, tmp_path)
    part = tmp_path / ".file.bin.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "file.bin").exists()
    have = part.stat().st_size
    assert 0 < have < len(BODY)
    server.behave["/a"] = lambda handler: send(handler, BODY)
    before = len(server.requests)
    (path,) = fetch(tmp_path, remote(BODY, server.url("/a")))
    assert path.read_bytes() == BODY
    assert server.requests[before:] == [("/a", f"bytes={have}-")]


def test_remnants_of_killed_processes_go_when_they_are_old(server, tmp_path):
    kept = ("tmp.npz", "tmpabcd_12", "photo")
    for name in ("tmpzyxw_987", "tmpabcd_123", *kept):
        (tmp_path / name).touch()
    long_ago = time.time() - 2 * 86_400
    os.utime(tmp_path / "tmpabcd_123", (long_ago, long_ago))
    os.utime(tmp_path / "photo", (long_ago, long_ago))
    server.behave["/a"] = lambda handler: send(handler, BODY)
    fetch(tmp_path, remote(BODY, server.url("/a")))
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert names == {"file.bin", "tmpzyxw_987", *kept}


HOLDER = """
import sys, time
from pathlib import Path
from cnncli.files.locks import held
with held(Path(sys.argv[1]), "waits", limit=9):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_stopped_process_is_not_waited_for_without_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_STOPPED", 0.2)
    monkeypatch.setattr(locks, "_SOON", 0.05)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / ".file.bin.lock"], cwd=ROOT, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(CnncliError, match=f"process {holder.pid} downloads file.bin and has not got on"):
            fetch(tmp_path, remote(BODY, server.url("/a")))
        holder.kill()
