"""Folders on three Dask workers: the files, lines and exit codes of one machine, whoever dies."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

distributed = pytest.importorskip("distributed")

from cnncli.cli.cluster import connection  # noqa: E402
from cnncli.cli.cluster.bands import BandsElsewhere  # noqa: E402
from cnncli.cli.cluster.places import Marker, Seen, check_folder, check_input, renamed  # noqa: E402
from cnncli.errors import CnncliError  # noqa: E402
from tests.cli.small_networks import save_dense, save_seeded  # noqa: E402
from tests.conftest import ROOT  # noqa: E402

SLOW = ("-k", "median:15", "-k", "gaussian:5")


def process(folder, *words, code="from distributed.cli.{0} import main; main()"):
    """A scheduler or a worker."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code.format(words[0]), *words[1:], "--no-dashboard"],
        cwd=folder,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class Machines:
    """A scheduler, which is no part of the tests' folder, and workers that come and go."""

    def __init__(self, folder):
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = process(
            folder, "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", self.file
        )
        self.workers = []
        until(self.file.exists)
        self.address = json.loads(self.file.read_text())["address"]

    def add(self, count, code="from distributed.cli.{0} import main; main()"):
        words = (
            "dask_worker",
            self.address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--local-directory",
            self.folder,
        )
        self.workers += [process(self.folder, *words, code=code) for _ in range(count)]
        with distributed.Client(self.address, set_as_default=False) as client:
            until(lambda: len(client.nthreads()) == len(self.workers))

    def remove(self, worker, number=signal.SIGTERM):
        self.workers.remove(worker)
        worker.send_signal(number)
        worker.wait(20)

    def end(self):
        for each in [*self.workers, self.scheduler]:
            each.kill()
            each.wait()


def until(done, seconds=40):
    """Wait for something."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def machines(tmp_path_factory, native_cache):
    found = Machines(tmp_path_factory.mktemp("machines"))
    try:
        found.add(3)
        yield found
    finally:
        found.end()


@pytest.fixture
def album(tmp_path, rng):
    """Make a folder of small pictures, of several sizes."""

    def make(count, size=(20, 30), folder="in"):
        (tmp_path / folder).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (size[0] + number % 5, size[1], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"p{number:04}.png", compress_level=0)

    return make


def contents(folder):
    return {each.name: each.read_bytes() for each in sorted(folder.iterdir())}


def told(done):
    """Lines without what differs from run to run."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in done.results]


# The same as on one machine


def test_files_lines_notes_and_code_are_those_of_one_machine(run, album, machines, tmp_path):
    album(170)
    (tmp_path / "in" / "p0007.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((9, 9), np.uint16) + 700).save(tmp_path / "in" / "deep.tif")
    words = ("convolve", "in", "gone.png", "-k", "1 0; 0 -1", "--format", "jpeg", "--json")
    here = run(*words, "-o", "out/")
    found = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    there = run(*words, "-o", "out/", "--scheduler-file", machines.file)
    assert (there.code, there.err) == (here.code, here.err) == (1, here.err)
    assert "error: cannot read gone.png: no such file" in there.err
    assert "note: out/deep-" in there.err
    assert told(there) == told(here)
    assert contents(tmp_path / "out") == found
    assert len(found) == 170


def test_streams_and_devices_are_done_here(run, album, machines, tmp_path):
    album(2)
    names = ("in/p0000.png", "in/p0001.png")
    there = run("convolve", names[0], "-k", "sobel", "-o", "-", "--scheduler", machines.address)
    assert there.out == run("convolve", names[0], "-k", "sobel", "-o", "-").out
    data = (tmp_path / names[0]).read_bytes()
    words = ("convolve", "-", names[1], "-k", "sobel", "-o", "{stem}-e.png", "--scheduler", machines.address)
    assert run(*words, stdin=data).lines == ["stdin-e.png", "p0001-e.png"]
    assert (tmp_path / "stdin-e.png").exists()


def test_workers_read_and_write_addresses(run, album, machines, tmp_path):
    album(2)
    words = (f"file://{tmp_path}/in", "memory://gone.png", "-k", "sobel", "-o", f"file://{tmp_path}/out/")
    done = run("convolve", *words, "--scheduler", machines.address)
    assert done.lines == [f"file://{tmp_path}/out/p000{number}-sobel.png" for number in (0, 1)]
    assert "cannot read memory://gone.png: no such file" in done.err
    assert len(contents(tmp_path / "out")) == 2


def test_a_worker_is_named_by_dask_s_variable(run, album, machines, monkeypatch, tmp_path):
    album(3)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", machines.address)
    assert run("convolve", "in", "-k", "sobel", "-o", "out/").code == 0
    assert len(contents(tmp_path / "out")) == 3
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "")
    assert run("convolve", "in", "-k", "sobel", "-o", "out/").code == 0


def test_dask_is_not_imported_without_a_scheduler(python, album, tmp_path):
    album(1)
    code = """
import sys
from cnncli.cli.run import run
assert run(sys.argv[1:]) == 0
assert not {"distributed", "dask", "tornado", "cnncli.cli.cluster"} & {*sys.modules}
"""
    python(code, "convolve", tmp_path / "in", "-k", "sobel", "-o", tmp_path / "out.png")


@pytest.mark.parametrize("model", ["net.safetensors", None])
def test_predictions_are_those_of_one_machine(run, album, machines, tmp_path, model):
    album(60, (12, 10))
    save_seeded(tmp_path / "net.safetensors")
    (tmp_path / "in" / "p0003.png").write_bytes(b"no picture")
    words = ("predict", "in", "gone.png", "--json", *(("-m", model) if model else ()))
    here, there = run(*words), run(*words, "--scheduler", machines.address)
    assert (there.code, there.out, there.err) == (here.code, here.out, here.err)
    assert here.code == 1
    assert len(here.lines) == 61


def test_masks_are_those_of_one_machine(run, album, machines, tmp_path):
    album(12)
    save_dense(tmp_path / "net.safetensors")
    words = ("predict", "in", "-m", "net.safetensors", "--masks", "m/", "-o", "o/", "--json")
    here = run(*words)
    found = [contents(tmp_path / each) for each in "mo"]
    for each in "mo":
        shutil.rmtree(tmp_path / each)
    there = run(*words, "--scheduler", machines.address)
    assert (there.code, there.out) == (here.code, here.out)
    assert [contents(tmp_path / each) for each in "mo"] == found
    assert len(found[0]) == 12


def test_a_gallery_is_that_of_one_machine(run, album, machines, tmp_path):
    album(60, (28, 28))
    shutil.copy(tmp_path / "in" / "p0001.png", tmp_path / "in" / "q.png")
    for each in (tmp_path / "in").iterdir():
        os.utime(each, (10**9, 10**9))  # a file that has just been changed is read again
    words = ("search", "index", "in", "-m", "digits")
    assert run(*words, "-o", "a").code == 0
    there = run(*words, "-o", "b", "--scheduler", machines.address, "--json")
    (line,) = there.results
    assert (line["images"], line["embedded"], line["known"]) == (61, 60, 1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    again = run(*words, "-o", "b", "--scheduler", machines.address, "--json")
    assert again.results[0]["unchanged"] == 61


# Bands of one picture


@pytest.mark.parametrize(
    ("name", "words", "shared"),
    [
        ("a.pgm", ("-k", "laplacian", "--range", "stretch"), 1),
        ("a.npy", ("-k", "box:31", "--stride", "3"), 1),
        ("small.pgm", ("-k", "sobel"), 0),
    ],
)
def test_bands_of_a_large_picture_are_shared(run, machines, tmp_path, monkeypatch, name, words, shared):
    side = 8200 if name != "small.pgm" else 90
    pixels = np.add.outer(np.arange(side) ** 2 // 7, np.arange(side) * 3).astype(np.uint8)
    if name.endswith("npy"):
        np.save(tmp_path / name, pixels)
    else:
        (tmp_path / name).write_bytes(b"P5\n%d %d\n255\n" % (side, side) + pixels.tobytes())
    begun = []
    bands = BandsElsewhere.__call__
    monkeypatch.setattr(
        BandsElsewhere, "__call__", lambda *given: begun.append(len(given[3])) or bands(*given)
    )
    here = run("convolve", name, *words, "-o", "here.pgm", "--json")
    there = run("convolve", name, *words, "-o", "there.pgm", "--json", "--scheduler", machines.address)
    assert (here.code, there.code, there.err) == (0, 0, here.err)
    assert (tmp_path / "here.pgm").read_bytes() == (tmp_path / "there.pgm").read_bytes()
    assert [row | {"output": ""} for row in told(there)] == [row | {"output": ""} for row in told(here)]
    assert (len(begun) > 0) == bool(shared)
    assert all(count > 3 for count in begun) or "--stride" in words


def test_a_damaged_large_picture_is_told_as_by_one_machine(run, machines, tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5\n9000 9000\n255\n" + bytes(70_000_000))
    here = run("convolve", "a.pgm", "-k", "sobel", "-o", "b.pgm")
    there = run("convolve", "a.pgm", "-k", "sobel", "-o", "b.pgm", "--scheduler", machines.address)
    assert (there.code, there.err) == (here.code, here.err)
    assert here.code == 1
    assert not (tmp_path / "b.pgm").exists()


# Who dies


def test_a_worker_that_is_killed_loses_and_doubles_nothing(start, run, album, machines, tmp_path):
    album(240, (60, 80))
    here = run("convolve", "in", *SLOW, "-o", "here/")
    process = start("convolve", "in", *SLOW, "-o", "there/", "--json", "--scheduler", machines.address)
    until(lambda: (tmp_path / "there").exists() and len([*(tmp_path / "there").iterdir()]) > 12)
    before = {each.name: each.stat() for each in (tmp_path / "there").glob("*.png")}
    machines.remove(machines.workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=90)
    machines.add(1)
    assert (process.returncode, err) == (0, b"")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["input"] for row in rows] == [f"in/p{number:04}.png" for number in range(240)]
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    for name, status in before.items():  # what stood there was not written again
        now = (tmp_path / "there" / name).stat()
        assert (now.st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert here.code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nobody_works_on_for_a_command_that_is_gone(start, album, machines, tmp_path, number):
    album(240, (150, 200))
    process = start("convolve", "in", *SLOW, "-o", "out/", "--scheduler", machines.address)
    folder = tmp_path / "out"
    until(lambda: folder.exists() and len([*folder.iterdir()]) > 4)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert process.returncode == 130
        done = int(re.fullmatch(r"interrupted: (\d+) of 240 images are done\n", err.decode())[1])
        assert len(out.splitlines()) == done
        assert {*out.decode().split()} == {f"out/{each.name}" for each in folder.iterdir()}
    else:
        time.sleep(1)
    left = contents(folder)
    time.sleep(1)
    assert contents(folder) == left
    assert len(left) < 200


# What cannot be


def test_a_scheduler_that_does_not_answer_is_named(run, album, monkeypatch, two_lines):
    album(2)
    monkeypatch.setattr(connection, "PATIENCE", 1)
    done = run("convolve", "in", "-k", "sobel", "-o", "o/", "--scheduler", "tcp://127.0.0.1:9")
    assert "no Dask scheduler answers at tcp://127.0.0.1:9 within 1 seconds" in two_lines(done, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scheduler", "nonsense"), "--scheduler is 'nonsense'; expected an address"),
        (("--scheduler-file", "gone.json"), "--scheduler-file gone.json says no address"),
        (("--scheduler", "tcp://a:1", "--scheduler-file", "b"), "are both given"),
        (("--scheduler", "tcp://a:1", "--threads", "2"), "--threads is 2 with a Dask scheduler"),
        (("--scheduler", "tcp://a:1", "--explain", "e.png"), "--explain is given with a Dask scheduler"),
    ],
)
def test_options_that_do_not_fit_are_refused(run, album, two_lines, words, said):
    album(1)
    assert said in two_lines(run("convolve", "in/p0000.png", "-k", "sobel", "-o", "o.png", *words), 2)


def test_inputs_are_not_replaced_on_a_cluster(run, album, machines, two_lines, tmp_path):
    album(1)
    done = run("convolve", "in", "-k", "sobel", "--in-place", "--scheduler", machines.address)
    assert "--in-place is given with a Dask scheduler" in two_lines(done, 2)


def test_texts_are_not_sent(run, machines, two_lines):
    done = run("predict", "--text", "good", "--scheduler", machines.address)
    assert "a Dask scheduler is named for texts; expected images" in two_lines(done, 2)


def test_options_of_a_cluster_are_for_index(run, two_lines):
    done = run("search", "query", "a.png", "-g", "g", "--scheduler", "tcp://a:1")
    assert "--scheduler is given for query; expected it for index" in two_lines(done, 2)


@pytest.mark.parametrize(("answer", "said"), [("'0.0.9'", "has cnncli 0.0.9"), ("1 / 0", "has no cnncli")])
def test_a_worker_with_another_cnncli_is_named(run, album, machines, two_lines, answer, said):
    album(2)
    code = (
        "import importlib.metadata as m; known = m.version; "
        f"m.version = lambda name: {answer} if name == 'cnncli' else known(name); "
        "from distributed.cli.{0} import main; main()"
    )
    machines.add(1, code)
    try:
        done = run("convolve", "in", "-k", "sobel", "-o", "o/", "--scheduler", machines.address)
    finally:
        machines.remove(machines.workers[-1])
    assert said in two_lines(done, 2)


def test_files_that_a_worker_does_not_see_are_named_each(run, album, machines, tmp_path):
    """A worker with an empty folder, and one with other files, in place of the pictures."""
    album(3)
    code = """
import ctypes, pathlib, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x00020000) or libc.mount(b"none", b"/", None, 1 << 18 | 1 << 14, None):
    sys.exit(3)
if libc.mount(b"none", sys.argv.pop(1).encode(), b"tmpfs", 0, None):
    sys.exit(3)
from distributed.cli.{0} import main
main()
"""
    allowed = subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0
    if not allowed:
        pytest.skip("no mounts of one's own here")
    other = Machines(tmp_path)
    try:
        words = ("--nthreads", "1", "--no-nanny", "--local-directory", machines.folder)
        other.workers.append(
            process(machines.folder, "dask_worker", tmp_path / "in", other.address, *words, code=code)
        )
        done = run("convolve", "in", "-k", "sobel", "-o", "o/", "--json", "--scheduler", other.address)
    finally:
        other.end()
    assert done.code == 1
    assert [row["input"] for row in done.results] == [f"in/p000{number}.png" for number in range(3)]
    for number, row in enumerate(done.results):
        expected = rf"the worker tcp://\S+ does not see in/p000{number}.png; expected a shared file system"
        assert re.fullmatch(expected, row["error"])
    assert done.err.count("hint: Put the files on a file system that all machines share") == 3
    assert contents(tmp_path / "o") == {}


def test_another_file_of_that_name_is_no_input_and_an_unmarked_folder_no_output(machines, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"abc")
    status = path.stat()
    with distributed.Client(machines.address, set_as_default=False) as client:

        def there(work, *given):
            return client.submit(work, *given, pure=False).result()

        there(check_input, str(path), Seen(3, status.st_mtime_ns))
        there(check_input, str(path), None)
        with pytest.raises(
            CnncliError, match=r"sees another file as .* of 3 bytes where this machine sees 4"
        ):
            there(check_input, str(path), Seen(4, status.st_mtime_ns))
        with pytest.raises(CnncliError, match="sees another file"):
            there(check_input, str(path), Seen(3, status.st_mtime_ns + 10**10))
        there(check_folder, Marker(str(path), b"abc"))
        for marker in (Marker(str(path), b"abd"), Marker(str(tmp_path / "gone"), b"abc")):
            with pytest.raises(CnncliError, match="does not see the folder"):
                there(check_folder, marker)


def test_names_in_messages_are_those_that_were_given():
    names = [("/data/a.png", "a.png"), ("/data/a.png-blur.png", "a.png-blur.png")]
    text = "note: /data/a.png-blur.png: /data/a.png"
    assert renamed(text, names) == "note: a.png-blur.png: a.png"


# What stands, names with sizes, and a montage


def test_what_stands_and_the_montage_are_those_of_one_machine(run, album, machines, tmp_path):
    album(12)
    for each in (tmp_path / "in").iterdir():
        os.utime(each, (1e9, 1e9))
    (tmp_path / "in" / "p0003.png").write_bytes(b"no picture")
    words = ("convolve", "in", "-k", "box:3", "-o", "out/{width}x{height}-{n:02}.png", "--skip-existing")
    words = (*words, "--json", "--montage", "sheet.png")
    assert run(*words).code == 1
    found = []
    for far in ((), ("--scheduler", machines.address)):
        for each in sorted((tmp_path / "out").iterdir())[::4]:
            each.unlink()
        done = run(*words, *far)
        found.append(
            (told(done), done.err, contents(tmp_path / "out"), (tmp_path / "sheet.png").read_bytes())
        )
    assert found[0] == found[1]
    assert "note: 8 of 12 outputs stand already" in found[1][1]
    assert [row["output"] for row in found[1][0] if "error" not in row][:2] == [
        "out/30x20-01.png",
        "out/30x21-02.png",
    ]


def test_masks_that_stand_are_left(run, album, machines, tmp_path):
    album(4)
    for each in (tmp_path / "in").iterdir():
        os.utime(each, (1e9, 1e9))
    save_dense(tmp_path / "net.safetensors")
    words = ("predict", "in", "-m", "net.safetensors", "--masks", "m/{width}-{n}.png", "--json")
    words = (*words, "--skip-existing", "--scheduler", machines.address)
    first = run(*words).results
    (tmp_path / first[2]["mask"]).unlink()
    done = run(*words)
    assert [row.get("skipped", False) for row in done.results] == [True, True, False, True]
    assert done.results[2] == first[2]
