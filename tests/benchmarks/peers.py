"""The programs and libraries that cnncli is compared with: found, or reported as missing."""

import functools
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .held import FREE, held

LIBRARIES = {
    "OpenCV": ("opencv-python-headless", "opencv-python"),
    "scipy": ("scipy",),
    "numpy": ("numpy",),
    "Pillow": ("pillow",),
    "numba": ("numba",),
    "PyTorch": ("torch",),
    "ONNX Runtime": ("onnxruntime",),
    "faiss": ("faiss-cpu",),
    "usearch": ("usearch",),
    "scikit-image": ("scikit-image",),
}


def opencv(threads: int) -> Any:
    """OpenCV's module, told how many threads to use; None where it is not installed."""
    try:
        import cv2
    except ImportError:
        return None
    cv2.setNumThreads(threads)
    return cv2


def scipy_convolve(threads: int) -> Callable[[Any, Any], Any] | None:
    """``scipy.signal.fftconvolve`` of equal size over the first two axes, with so many threads."""
    try:
        import scipy.fft
        import scipy.signal
    except ImportError:
        return None

    def convolve(image: Any, kernel: Any) -> Any:
        with scipy.fft.set_workers(threads):
            return scipy.signal.fftconvolve(image, kernel, mode="same", axes=(0, 1))

    return convolve


def torch(threads: int | None = None) -> Any:
    """PyTorch's module, told how many threads to use; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    if threads is not None:
        torch.set_num_threads(threads)
    return torch


def faiss(threads: int) -> Any:
    """The module of faiss, told how many threads to use; None where it is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    faiss.omp_set_num_threads(threads)
    return faiss


def usearch() -> Any:
    """The module of usearch that searches; None where it is not installed."""
    try:
        import usearch.index
    except ImportError:
        return None
    return usearch.index


def skimage() -> bool:
    """Whether scikit-image is here."""
    return importlib.util.find_spec("skimage") is not None


@functools.cache
def onnx() -> Any:
    """The module that writes ONNX models; None where it is not installed."""
    try:
        import onnx
    except ImportError:
        return None
    return onnx


def onnxruntime(model: bytes | str | None, threads: int) -> Callable[[Any], Any] | None:
    """From images (N, C, H, W) to outputs, by ONNX Runtime; None where it or the model is missing.

    A model is its bytes, or the path of its file.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    if model is None:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


@functools.cache
def imagemagick(tool: str) -> tuple[str, ...] | None:
    """Command of an ImageMagick tool, ``convert`` or ``mogrify``; None where there is none.

    Other programs bear these names too, and scripts that only call it would be timed with it.
    """
    for name in ("magick", f"{tool}-im7.q16", f"{tool}-im6.q16", tool):
        for program in _on_path(name):
            if _is_script(program) or "ImageMagick" not in _output(program, "-version"):
                continue
            return (program, tool) if name == "magick" and tool != "convert" else (program,)
    return None


@functools.cache
def graphicsmagick(tool: str) -> tuple[str, ...] | None:
    """Command of a GraphicsMagick tool."""
    program = shutil.which("gm")
    return (program, tool) if program else None


@functools.cache
def vips() -> str | None:
    """Command of libvips."""
    return shutil.which("vips")


def _on_path(name: str) -> Iterator[str]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which(name, path=folder)
        if found:
            yield found


def _is_script(program: str) -> bool:
    with Path(program).open("rb") as file:
        return file.read(2) == b"#!"


def _output(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def versions() -> dict[str, str]:
    """Version of each peer, or ``missing``."""
    found = {name: _library(*packages) for name, packages in LIBRARIES.items()}
    for name, command, option in (
        ("ImageMagick", imagemagick("convert"), "-version"),
        ("GraphicsMagick", graphicsmagick("version"), ""),
        ("vips", (vips(),) if vips() else None, "--version"),
    ):
        if command is None:
            found[name] = "missing"
        else:
            words = _output(*command, *([option] if option else [])).split()
            found[name] = next(
                (word.removeprefix("vips-") for word in words if any(map(str.isdigit, word))), "?"
            )
    return found


def _library(*packages: str) -> str:
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "missing"


def machine(threads: int) -> dict[str, str]:
    """What the numbers were measured on."""
    isa = held()
    return {
        "processor": _processor(),
        **({"instructions": f"{isa} (not {', '.join(FREE)})"} if isa else {}),
        "cores": str(os.cpu_count()),
        "threads": str(threads),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def _processor() -> str:
    """The model that the system names, or what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cnncli() -> tuple[str, ...]:
    """The command that users type where it is installed beside this Python, else the module."""
    script = Path(sys.executable).with_name("cnncli")
    return (str(script),) if script.exists() else (sys.executable, "-m", "cnncli")
