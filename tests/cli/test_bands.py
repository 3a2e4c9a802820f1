"""Large pictures are filtered in bands: the files, figures and notes are those of one piece."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from cnncli.filters import bands
from cnncli.images import large
from cnncli.images.encode import encode_picture
from cnncli.images.picture import GeoField, Metadata, Picture

PEAK = r"""
import re, sys
from pathlib import Path
from cnncli.cli.run import run
code = run(sys.argv[1:])
print(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""


def pnm(kind, pixels, top=None):
    height, width = pixels.shape[:2]
    top = np.iinfo(pixels.dtype).max if top is None else top
    return f"{kind}\n{width} {height}\n{top}\n".encode() + pixels.astype(f">u{pixels.itemsize}").tobytes()


def pam(pixels):
    height, width, channels = pixels.shape
    kind = {2: "GRAYSCALE_ALPHA", 4: "RGB_ALPHA"}[channels]
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {channels}\nMAXVAL 255\nTUPLTYPE {kind}\nENDHDR\n"
    return head.encode() + pixels.tobytes()


def pfm(pixels):
    height, width = pixels.shape[:2]
    return f"Pf\n{width} {height}\n-1\n".encode() + pixels[::-1].astype("<f4").tobytes()


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def samples(*shape, top=256, dtype=np.uint8, seed=5):
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


GEO = (
    GeoField(33550, 12, (0.5, 0.5, 0.0)),
    GeoField(33922, 12, (0.0, 0.0, 0.0, 7.0, 47.0, 0.0)),
    GeoField(34735, 3, (1, 1, 0, 1, 1024, 0, 1, 2)),
)
INPUTS = {
    "gray.pgm": pnm("P5", samples(90, 70)),
    "color.ppm": pnm("P6", samples(90, 70, 3)),
    "deep.ppm": pnm("P6", samples(90, 70, 3, top=65536, dtype=np.uint16)),
    "odd.pgm": pnm("P5", samples(90, 70, top=1001, dtype=np.uint16), top=1000),
    "bits.pbm": b"P4\n67 90\n" + samples(90, 9).tobytes(),
    "cover.pam": pam(samples(90, 70, 4)),
    "opaque.pam": pam(np.dstack([samples(90, 70, 3), np.full((90, 70), 255, np.uint8)])),
    "float.pfm": pfm(samples(90, 70) / 255),
    "beyond.pfm": pfm(samples(90, 70) * 1.0),
    "tail.pgm": pnm("P5", samples(90, 70)) + b"more",
    "array.npy": npy(samples(90, 70, 3)),
    "wide.npy": npy(samples(90, 70).astype(float)),
    "half.npy": npy((samples(90, 70, 2) / 255).astype(np.float16)),
    "flags.npy": npy(samples(90, 70) > 99),
    "seven.npy": npy(samples(90, 70, 7)),
    "color.png": encode_picture(Picture((samples(90, 70, 4),), alpha=True), "PNG"),
    "strips.tif": encode_picture(Picture((samples(90, 70, 4),), alpha=True), "TIFF"),
    "packed.tif": encode_picture(
        Picture((samples(900, 170, 3),), metadata=Metadata(dpi=(300.0, 300.0), geo=GEO)),
        "TIFF",
        compress=True,
    ),
}
COMMANDS = [
    ("gray.pgm", "out.pgm", "-k gaussian -k box:9 --repeat 2"),
    ("gray.pgm", "out.npy", "-k disk:radius=9 --border constant:7"),
    ("gray.pgm", "-", "-k sobel"),
    ("color.ppm", "out.ppm", "-k sharpen --linear"),
    ("color.ppm", "out.pam", "-k sobel --range stretch"),
    ("color.ppm", "out.ppm", "-k gaussian --roi 5,30,30,41 --mode full --stride 2,1"),
    ("deep.ppm", "out.ppm", "-k median:5"),
    ("deep.ppm", "out.ppm", "-k gaussian --bits 8"),
    ("odd.pgm", "out.pgm", "-k box:3 --bias 50%"),
    ("bits.pbm", "out.pgm", "-k gaussian"),
    ("bits.pbm", "out.pbm", "-k identity"),
    ("cover.pam", "out.pam", "-k gaussian"),
    ("cover.pam", "out.ppm", "-k unsharp"),
    ("opaque.pam", "out.pam", "-k box:5"),
    ("float.pfm", "out.npy", "-k gaussian"),
    ("beyond.pfm", "out.npy", "-k gaussian --range clip"),
    ("tail.pgm", "out.pgm", "-k prewitt"),
    ("array.npy", "out.npy", "-k laplacian"),
    ("array.npy", "out.ppm", "-k 0,-1,0;-1,4,-1;0,-1,0"),
    ("wide.npy", "out.pgm", "-k gaussian --range stretch"),
    ("half.npy", "out.npy", "-k gaussian"),
    ("flags.npy", "out.pgm", "-k emboss"),
    ("seven.npy", "out.npy", "-k gaussian"),
    ("gray.pgm", "out.tif", "-k gaussian"),
    ("deep.ppm", "out.tif", "-k sobel --compress"),
    ("strips.tif", "out.tif", "-k gaussian"),
    ("packed.tif", "out.tif", "-k box:5"),
    ("color.png", "out.png", "-k gaussian"),
    ("color.png", "out.tif", "-k sobel"),
    ("gray.pgm", "out.png", "-k box:3 --bits 16"),
    ("strips.tif", "-", "-k median:3 --range stretch"),
    ("strips.tif", "out.png", "-k gaussian -k resize:50% -k crop:20x30+5+9"),
    ("packed.tif", "out.tif", "-k flop -k resize:40%x130%:lanczos"),
]


@pytest.fixture
def in_bands(monkeypatch):
    """From now on all pictures are large, and bands have few rows."""

    def begin():
        monkeypatch.setattr(large, "LEAST_BYTES", 0)
        monkeypatch.setattr(bands, "BAND_BYTES", 1 << 14)

    return begin


def without_seconds(done):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in done.results]


def both(run, in_bands, tmp_path, name, out, words):
    """The same command in one piece and in bands: what each said and wrote."""
    (tmp_path / name).write_bytes(INPUTS[name])
    found = []
    for _ in range(2):
        done = run("convolve", name, *words.split(" "), "-o", out, "--json")
        assert done.code == 0, done.err
        file = done.out if out == "-" else (tmp_path / out).read_bytes()
        said = [line for line in done.err.splitlines() if line.startswith(("note:", "warning:"))]
        found.append((file, without_seconds(done) if out != "-" else None, said))
        in_bands()
    return found


@pytest.mark.parametrize(("name", "out", "words"), COMMANDS)
def test_files_are_those_of_one_piece(run, in_bands, tmp_path, monkeypatch, name, out, words):
    seen = []
    over = bands.BandedFilters.over
    monkeypatch.setattr(bands.BandedFilters, "over", lambda *a, **k: seen.append(1) or over(*a, **k))
    whole, banded = both(run, in_bands, tmp_path, name, out, words)
    assert banded == whole
    assert seen == [1]


@pytest.mark.parametrize(
    ("name", "words", "why"),
    [
        (
            "gray.pgm",
            "-k gaussian -o out.pgm --border wrap",
            "--border wrap joins its first rows to its last",
        ),
        ("gray.pgm", "-k canny -o out.pgm", "canny decides by pixels far away"),
        ("gray.pgm", "-k flip -o out.pgm", "flip begins with the last row"),
        ("gray.pgm", "-k rotate -o out.pgm", "rotate makes rows of columns"),
        ("gray.pgm", "-k rotate:3 -o out.pgm", "rotate makes each row of many others"),
        ("gray.pgm", "-k bilateral:sigma=20 -o out.pgm", "bilateral with so large a window sorts all"),
        ("cover.pam", "-k kuwahara -o out.pam", "kuwahara fills transparent pixels from all sides"),
        ("gray.pgm", "-k gaussian -o out.jpg", "JPEG is written in one piece"),
        (
            "gray.pgm",
            "-k gaussian -o out.pgm --roi 1,2,30,40 --inside",
            "--mask, --inside and --channels keep the rest",
        ),
        ("seven.npy", "-k kuwahara -o out.npy", "its 7 channels are filtered one by one"),
    ],
)
def test_what_needs_the_whole_picture_says_so(run, in_bands, tmp_path, name, words, why):
    (tmp_path / name).write_bytes(INPUTS[name])
    assert "in memory" not in run("convolve", name, *words.split()).err
    in_bands()
    done = run("convolve", name, *words.split())
    assert done.code == 0
    assert f"note: {name} lies in memory as a whole, 0 MB: {why}" in done.err


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("short.pgm", INPUTS["gray.pgm"][:-1], "truncated: 6299 bytes where its header needs 6300"),
        ("short.npy", INPUTS["array.npy"][:-1], "truncated"),
        ("vast.npy", npy(samples(2, 2)).replace(b"(2, 2), }         ", b"(1000000, 400), } "), "truncated"),
        ("vast.pgm", b"P5 999999 999999 255\n0", "at most 500,000,000 pixels are decoded"),
        ("high.pgm", pnm("P5", samples(90, 70), top=200), "it holds the sample 255; expected 0 to 200"),
    ],
)  # fmt: skip
def test_damaged_files_leave_nothing(run, in_bands, tmp_path, name, data, said):
    in_bands()
    (tmp_path / name).write_bytes(data)
    for out in ("out.npy", "-"):
        done = run("convolve", name, "-k", "gaussian", "-o", out)
        assert (done.code, done.out) == (1, b"")
        assert done.err.startswith(f"error: {name}")
        assert said in done.err
        assert len(done.err.splitlines()) == 2
        assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_picture_larger_than_the_memory_for_it(tmp_path):
    height, width = 3500, 20_000
    with (tmp_path / "in.pgm").open("wb") as file:
        file.write(f"P5\n{width} {height}\n255\n".encode())
        file.truncate(file.tell() + height * width)
    (tmp_path / "small.pgm").write_bytes(INPUTS["gray.pgm"])
    for name in ("small.pgm", "in.pgm"):  # the first one may have to compile
        command = ["convolve", name, "-k", "gaussian", "-o", "out.pgm"]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *command], cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert (tmp_path / "out.pgm").stat().st_size == (tmp_path / "in.pgm").stat().st_size
    assert int(done.stdout) < 200 << 10
