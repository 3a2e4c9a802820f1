"""Sound files of every format that is read, small, from which damaged ones are made."""

import atexit
import contextlib
import gzip
import io
import shutil
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, PngImagePlugin

SAMPLES = Path(__file__).parent.parent.parent / "samples"
_EXIF = Image.Exif()
_EXIF[0x0112] = 6
_EXIF[0x010E] = "a description"
_EXIF[0x011A] = 72.0


def _array(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def _image(mode: str = "RGB", size: tuple[int, int] = (19, 13), seed: int = 0) -> Image.Image:
    channels = {"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4}.get(mode)
    if mode == "I;16":
        return Image.fromarray(_array((size[1], size[0]), seed).astype(np.uint16) * 257)
    if mode in ("1", "P"):
        return _image("L", size, seed).convert(mode)
    return Image.fromarray(
        _array((size[1], size[0], *([channels] if channels else [])), seed),
        mode=None if channels in (None, 3) else mode,
    )


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def _frames(format: str, **options: object) -> bytes:
    first, *rest = [
        _image("RGB", seed=number).convert("P" if format == "GIF" else "RGB") for number in range(3)
    ]
    return _saved(first, format, save_all=True, append_images=rest, duration=80, loop=2, **options)


def _png() -> list[bytes]:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "some text", zip=True)
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    text.add(b"gAMA", struct.pack(">I", 45455))
    return [
        _saved(_image(), "PNG", exif=_EXIF, dpi=(72, 72), pnginfo=text),
        *(_saved(_image(mode), "PNG") for mode in ("L", "1", "P", "LA", "RGBA", "I;16")),
        _frames("PNG"),
    ]


def _tiff() -> list[bytes]:
    plain = [_saved(_image(mode), "TIFF") for mode in ("L", "1", "RGB", "RGBA", "CMYK", "I;16")]
    packed = [
        _saved(_image(), "TIFF", compression=each)
        for each in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    ]
    floats = _saved(Image.fromarray(_array((13, 19)).astype(np.float32) / 255), "TIFF")
    return [*plain, *packed, floats, _frames("TIFF"), _saved(_image(), "TIFF", exif=_EXIF, big_tiff=True)]


def _pnm() -> list[bytes]:
    pixels = _array((3, 5))
    return [
        *(_saved(_image(mode), "PPM") for mode in ("1", "L", "RGB", "I;16")),
        b"P1\n# a comment\n3 2\n1 0 1\n0 1 0\n",
        b"P2 5 3 255\n" + b" ".join(str(v).encode() for v in pixels.ravel()) + b"\n",
        b"P3\n1 2\n1023\n5 6 7 1000 1023 0\n",
        b"P7\nWIDTH 5\nHEIGHT 3\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n" + pixels.tobytes(),
        b"Pf\n3 2\n-1.0\n" + np.arange(6, dtype="<f4").tobytes(),
    ]


def _npy() -> list[bytes]:
    def saved(array: np.ndarray) -> bytes:
        out = io.BytesIO()
        np.save(out, array)
        return out.getvalue()

    return [
        saved(_array((9, 7))),
        saved(_array((9, 7, 3)).astype(np.float64)),
        saved(np.asfortranarray(_array((9, 7, 4)))),
    ]


def _npz() -> list[bytes]:
    def saved(**arrays: np.ndarray) -> bytes:
        out = io.BytesIO()
        np.savez_compressed(out, **arrays)
        return out.getvalue()

    x, y = _array((30, 8, 8)), np.arange(30) % 3
    return [
        saved(x=x, y=y),
        saved(x_train=x / 255, y_train=y, x_test=x[:9] / 255, y_test=y[:9]),
        saved(images=_array((30, 8, 8, 3)), labels=np.array(["a", "b", "c"])[y]),
    ]


def _csv() -> list[bytes]:
    x, y = _array((30, 16)), np.arange(30) % 3
    head = "label," + ",".join(f"pixel{k}" for k in range(16)) + "\n"
    pixels = head + "".join(f"{k}," + ",".join(map(str, row)) + "\n" for k, row in zip(y, x, strict=True))
    names = sorted(path.name for path in (SAMPLES / "digits").glob("*.png"))
    paths = "path,label,split\n" + "".join(f"{SAMPLES}/digits/{name},{name[0]},train\n" for name in names)
    return [
        pixels.encode(),
        paths.encode(),
        paths.replace(",", ";").encode("utf-8-sig"),
        pixels.replace(",", ";").encode(),
    ]


def _idx() -> list[bytes]:
    x = _array((30, 8, 8))
    plain = struct.pack(">I3I", 0x0803, *x.shape) + x.tobytes()
    return [plain, gzip.compress(plain)]


def _safetensors() -> list[bytes]:
    return [
        (SAMPLES / "digits.safetensors").read_bytes(),
        (finished_run() / "best.safetensors").read_bytes(),  # which holds its layers
    ]


def _kernel() -> list[bytes]:
    return [
        b"0 -1 0\n-1 5 -1\n0 -1 0\n",
        b"# a comment\n1,2,1\n2,4,2\n1,2,1\n",
        b"1;2,5;1\n0;0;0\n-1;-2,5;-1\n",
        b"[[0, -1, 0], [-1, 5, -1], [0, -1, 0]]",
        b'{"weights": [[1, 2], [3, 4]], "anchor": [1, 0]}',
    ]


def _config() -> list[bytes]:
    return [(finished_run() / "config.json").read_bytes()]


def _state() -> list[bytes]:
    return [(finished_run() / "state.safetensors").read_bytes()]


@cache
def finished_run() -> Path:
    """The folder of a run that has come to its end, of a few tiny images."""
    from cnncli.cli.run import run

    folder = Path(tempfile.mkdtemp(prefix="cnncli-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    x, y = _array((24, 4, 4)), np.arange(24) % 2
    np.savez(folder / "data.npz", x=x, y=y)
    options = ("--model", "conv2 gap fc", "--epochs", "1", "--batch-size", "8", "--threads", "1", "--quiet")
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):  # which the folder's name is written to
        code = run(["train", str(folder / "data.npz"), *options, "-o", str(folder / "run")])
    if code:
        raise RuntimeError("the run that is to be damaged did not end well")
    return folder / "run"


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "png": _png,
    "jpg": lambda: [
        _saved(_image(), "JPEG", exif=_EXIF, comment=b"a comment"),
        _saved(_image("L", (40, 30)), "JPEG", progressive=True),
        _saved(_image("CMYK"), "JPEG"),
        _saved(_image(), "JPEG", restart_marker_rows=1),
    ],
    "tif": _tiff,
    "gif": lambda: [_saved(_image("P"), "GIF"), _frames("GIF"), _frames("GIF", disposal=2, transparency=3)],
    "webp": lambda: [
        _saved(_image(), "WEBP", exif=_EXIF),
        _saved(_image("RGBA"), "WEBP", lossless=True),
        _frames("WEBP"),
    ],
    "bmp": lambda: [_saved(_image(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")],
    "pnm": _pnm,
    "avif": lambda: [_saved(_image(), "AVIF", exif=_EXIF), _frames("AVIF")],
    "npy": _npy,
    "npz": _npz,
    "safetensors": _safetensors,
    "kernel": _kernel,
    "csv": _csv,
    "idx": _idx,
    "config": _config,
    "state": _state,
}


@cache
def seeds(format: str) -> tuple[bytes, ...]:
    """The sound files of a format."""
    return tuple(SEEDS[format]())


def pick(format: str, random: Random) -> bytes:
    """One of them."""
    return random.choice(seeds(format))
