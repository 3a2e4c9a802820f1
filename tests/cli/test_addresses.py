"""Inputs and outputs at addresses: a file system in memory, and a server of HTTP on this machine."""

import io
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

from tests.cli.small_networks import save_dense, save_detector  # noqa: E402


@pytest.fixture
def memory():
    """A file system in memory, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


@pytest.fixture
def server():
    """A server that keeps what it is given, and its address."""
    kept = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = kept.get(self.path.partition("?")[0])
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data or b"")

        do_HEAD = do_GET  # noqa: N815

        def do_PUT(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            refused = self.path.startswith("/kept/")
            if not refused:
                kept[self.path] = data
            self.send_response(403 if refused else 201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}", kept
    found.shutdown()
    thread.join()
    found.server_close()


def png(rng, shape=(20, 30, 3)):
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def filtered(run, data):
    """What a picture becomes by way of standard input."""
    return run("convolve", "-", "-k", "sobel", "-o", "-", stdin=data).out


def test_a_folder_in_memory_is_filtered_into_another(run, memory, rng):
    pictures = {name: png(rng) for name in ("b.png", "a.png", "deep/c.png", ".hidden/d.png", "notes.txt")}
    for name, data in pictures.items():
        memory.pipe_file(f"/in/{name}", data)
    words = ("convolve", "memory://in", "-k", "sobel", "-o", "memory://out/")
    assert run(*words).lines == ["memory://out/a-sobel.png", "memory://out/b-sobel.png"]
    names = ["memory://out/a-sobel.png", "memory://out/b-sobel.png", "memory://out/deep/c-sobel.png"]
    assert run(*words, "-r").lines == names
    assert memory.find("/out") == ["/out/a-sobel.png", "/out/b-sobel.png", "/out/deep/c-sobel.png"]
    for name in ("a", "b", "deep/c"):
        assert memory.cat_file(f"/out/{name}-sobel.png") == filtered(run, pictures[f"{name}.png"])


def test_one_is_written_beside_itself_into_templates_and_files(run, memory, rng, tmp_path):
    data = png(rng)
    memory.pipe_file("/in/a.png", data)
    assert run("convolve", "memory://in/a.png", "-k", "sobel").lines == ["memory://in/a-sobel.png"]
    done = run("convolve", "memory://in/a.png", "-k", "sobel", "-o", "memory://{stem}/{number:02}{ext}")
    assert done.lines == ["memory://a/01.png"]
    assert run("convolve", "memory://in/a.png", "-k", "sobel", "-o", "here.png", "--json").code == 0
    assert run("convolve", "here.png", "-k", "sobel", "-o", "memory://x/there.tif").code == 0
    found = filtered(run, data)
    assert (tmp_path / "here.png").read_bytes() == found
    assert memory.cat_file("/in/a-sobel.png") == memory.cat_file("/a/01.png") == found
    assert Image.open(io.BytesIO(memory.cat_file("/x/there.tif"))).format == "TIFF"


def test_files_of_this_machine_have_addresses_too(run, rng, tmp_path):
    (tmp_path / "a.png").write_bytes(png(rng))
    source, target = (f"file://{tmp_path}/{name}" for name in ("a.png", "new/b.png"))
    assert run("convolve", source, "-k", "sobel", "-o", target).code == 0
    assert (tmp_path / "new/b.png").read_bytes() == filtered(run, (tmp_path / "a.png").read_bytes())


def test_a_server_is_read_and_written(run, server, rng):
    address, kept = server
    data = kept["/d/a.png"] = png(rng)
    done = run("convolve", f"{address}/d/a.png?sign=a/b.c", "-k", "sobel", "-o", f"{address}/new/")
    assert done.lines == [f"{address}/new/a-sobel.png"]
    assert kept["/new/a-sobel.png"] == filtered(run, data)


def test_predictions_are_those_of_files(run, server, memory, rng, tmp_path):
    address, kept = server
    kept["/7.png"] = data = png(rng, (28, 28))
    memory.pipe_file("/7.png", data)
    (tmp_path / "7.png").write_bytes(data)
    names = ("7.png", f"{address}/7.png", "memory://7.png")
    rows = run("predict", *names, "--json", "-m", "digits").results
    assert [row["input"] for row in rows] == [*names]
    assert rows[0] | {"input": ""} == rows[1] | {"input": ""} == rows[2] | {"input": ""}


def test_differences_are_read_and_written_there(run, server, memory, rng, tmp_path):
    address, kept = server
    first, second = png(rng), png(rng)
    kept["/a.png"] = first
    for folder, data in (("p", first), ("q", second)):
        memory.pipe_file(f"/{folder}/x.png", data)
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(data)
    here = run("compare", "p/x.png", "q/x.png", "-o", "here.png")
    for one, other in ((f"{address}/a.png", "q/x.png"), ("memory://p/x.png", "memory://q/x.png")):
        there = run("compare", one, other, "-o", "memory://d/there.png")
        assert (there.code, there.out) == (0, here.out)
        assert memory.cat_file("/d/there.png") == (tmp_path / "here.png").read_bytes()
    assert run("compare", "p", "q", "-o", "memory://d/e").code == 0
    assert memory.cat_file("/d/e/x.png") == (tmp_path / "here.png").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["here.png", "p", "q"]


def test_masks_are_written_there(run, memory, rng, tmp_path):
    save_dense(tmp_path / "net.safetensors")
    memory.pipe_file("/a.png", png(rng))
    words = ("predict", "memory://a.png", "-m", "net.safetensors", "--masks")
    assert run(*words, "memory://m/mask.png").code == 0
    assert run(*words, "m.png").code == 0
    assert memory.cat_file("/m/mask.png") == (tmp_path / "m.png").read_bytes()


def test_boxes_are_written_here(run, two_lines, rng, tmp_path):
    save_detector(tmp_path / "net.safetensors")
    (tmp_path / "a.png").write_bytes(png(rng))
    done = run("predict", "a.png", "-m", "net.safetensors", "-o", "memory://o/")
    assert "memory://o/ is an address; expected a path" in two_lines(done, 2)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("memory://gone.png",), 1, "cannot read memory://gone.png: no such file"),
        (("memory://gone",), 1, "cannot read memory://gone: no such file"),
        (("SERVER/gone.png", "-o", "x.png"), 1, "/gone.png: no such file"),
        (("http://127.0.0.1:9/a.png", "-o", "x.png"), 1, "cannot read http://127.0.0.1:9/a.png ("),
        (("nope://a/b.png",), 1, "cannot read nope://a/b.png (ValueError Protocol not known: nope)"),
        (("a.png", "-o", "SERVER/kept/b.png"), 1, "cannot write SERVER/kept/b.png ("),
        (("memory://a.png", "--in-place"), 2, "--in-place is given with memory://a.png"),
    ],
)
def test_what_does_not_go_is_named(run, server, memory, two_lines, rng, tmp_path, words, code, said):
    (tmp_path / "a.png").write_bytes(png(rng))
    memory.pipe_file("/a.png", png(rng))
    words, said = [word.replace("SERVER", server[0]) for word in words], said.replace("SERVER", server[0])
    assert said in two_lines(run("convolve", *words, "-k", "sobel"), code)
    assert not (tmp_path / "x.png").exists()


def test_an_empty_folder_and_damaged_files_are_told_beside_good_ones(run, memory, rng):
    memory.pipe_file("/in/a.png", b"no picture")
    memory.pipe_file("/in/b.png", png(rng))
    memory.pipe_file("/empty/a.txt", b"")
    done = run("convolve", "memory://in", "memory://empty", "-k", "sobel", "-o", "memory://out/", "--json")
    assert done.code == 1
    assert "memory://empty is a folder without images" in done.err
    assert "memory://in/a.png is not an image" in done.err
    assert [row.get("output") for row in done.results] == [None, None, "memory://out/b-sobel.png"]


def test_without_the_extra_it_says_what_to_install(python, tmp_path):
    code = """
import sys
sys.modules["fsspec"] = sys.modules["fsspec.core"] = None
from cnncli.cli.run import run
sys.exit(run(sys.argv[1:]))
"""
    done = python(code, "convolve", "s3://bucket/a.png", "-k", "sobel", "-o", tmp_path / "b.png", check=False)
    assert done.returncode == 1
    assert "s3://bucket/a.png is an address, for which fsspec is not installed" in done.stderr
    assert "hint: Install it with: pip install 'cnncli[cluster]'" in done.stderr


def test_a_path_with_a_scheme_is_a_path_where_it_exists(run, rng, tmp_path):
    (tmp_path / "odd:" / "in").mkdir(parents=True)
    (tmp_path / "odd:" / "in" / "a.png").write_bytes(png(rng))
    assert run("convolve", "odd://in/a.png", "-k", "sobel", "-o", "b.png").code == 0
