"""Build a release and install it as users do, with no network: ``python -m tests.release [FOLDER]``.

It builds the sdist and, from it, the wheel with machine code; collects what the wheel depends on; and
installs it into fresh virtual environments of the Pythons given, with pip, pipx and uvx, from these files
alone. There the first filter, prediction and training have to work without Numba, compile nothing, and give
the bytes that sources give.

Needs ``pip install '.[release]'``. The files stay in FOLDER (``dist``), to be published when all else passed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURE, DIGIT = ROOT / "samples" / "coins.png", ROOT / "samples" / "digits" / "7.png"
COMPILER = ("numba", "llvmlite")


def main() -> None:
    """Build, install, try; the first fault ends it with a traceback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("dist"))
    parser.add_argument("--python", action="append", help="an interpreter to install into (this one)")
    words = parser.parse_args()
    wheel = build(words.folder.resolve())
    with tempfile.TemporaryDirectory(prefix="cnncli-release-") as temporary:
        work = Path(temporary)
        expected = filtered([sys.executable, "-m", "cnncli"], work / "expected.png", os.environ)
        for python in words.python or [sys.executable]:
            files = collected(wheel, python, work / "files")
            try_pip(python, files, work / "pip", expected)
            try_pipx(python, files, work / "pipx", expected)
            try_uvx(python, files, work / "uvx", expected)
    print(f"{wheel.name} works, without compiling, as pip, pipx and uvx install it")


def build(folder: Path) -> Path:
    """The wheel, built from the sdist."""
    env = {**os.environ, "CNNCLI_MACHINE_CODE": "1"}
    shutil.rmtree(folder, ignore_errors=True)
    run([sys.executable, "-m", "build", "--outdir", folder, ROOT], env=env)
    (wheel,) = folder.glob("*.whl")
    (_,) = folder.glob("*.tar.gz")
    return wheel


def collected(wheel: Path, python: str, folder: Path) -> Path:
    """A folder with the wheel, and with all that it and the installers need."""
    run([python, "-m", "pip", "download", "-q", "-d", folder, wheel, "pip", "uv"])
    return folder


def try_pip(python: str, files: Path, folder: Path, expected: bytes) -> None:
    """A virtual environment, with and then without the compiler."""
    shutil.rmtree(folder, ignore_errors=True)
    run([python, "-m", "venv", folder])
    env = offline(files, folder)
    run([folder / "bin" / "pip", "install", "-q", "cnncli"], env=env)
    print(f"installed by pip: {size(folder)} MB", end="; ")
    run([folder / "bin" / "pip", "uninstall", "-q", "-y", *COMPILER], env=env)
    print(f"without {' and '.join(COMPILER)}: {size(folder)} MB")
    try_commands([folder / "bin" / "cnncli"], folder, env, expected)


def try_pipx(python: str, files: Path, folder: Path, expected: bytes) -> None:
    """An application of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    env = {**offline(files, folder), "PIPX_HOME": f"{folder}/home", "PIPX_BIN_DIR": f"{folder}/bin"}
    env["PIPX_MAN_DIR"] = f"{folder}/man"
    run([sys.executable, "-m", "pipx", "install", "--quiet", "--python", python, "cnncli"], env=env)
    try_commands([folder / "bin" / "cnncli"], folder, env, expected)


def try_uvx(python: str, files: Path, folder: Path, expected: bytes) -> None:
    """An environment for one command."""
    shutil.rmtree(folder, ignore_errors=True)
    env = {**offline(files, folder), "UV_CACHE_DIR": f"{folder}/uv", "UV_PYTHON": python}
    try_commands([sys.executable, "-m", "uv", "tool", "run", "cnncli"], folder, env, expected)


def try_commands(cnncli: Sequence[object], folder: Path, env: Mapping[str, str], expected: bytes) -> None:
    """The first filter, prediction and training, which leave no compiled code, but the sources' digest."""
    start = time.perf_counter()
    assert filtered(cnncli, folder / "edges.png", env) == expected, "another picture than from sources"
    print(f"first filter after {time.perf_counter() - start:.2f} s", end="; ")
    told = run([*cnncli, "predict", DIGIT], env=env).stdout
    assert told.split("\t")[1] == "7", told
    start = time.perf_counter()
    run([*cnncli, "train", "mnist", "--offline", "--epochs", "1", "-o", folder / "run"], env=env)
    print(f"first training, an epoch, in {time.perf_counter() - start:.2f} s")
    kept = {path.name for path in Path(env["CNNCLI_CACHE_DIR"]).iterdir()}
    assert kept == {"sources"}, f"something was compiled: {kept}"


def filtered(cnncli: Sequence[object], out: Path, env: Mapping[str, str]) -> bytes:
    """A picture's edges, as a file."""
    run([*cnncli, "convolve", PICTURE, "-k", "sobel", "-o", out], env=env)
    return out.read_bytes()


def offline(files: Path, folder: Path) -> dict[str, str]:
    """The environment of an installer that finds these files alone, and of a user without compiled code."""
    others = ("PIP_", "UV_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)} | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(files),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(files),
        "CNNCLI_CACHE_DIR": str(folder / "cache"),
    }


def size(folder: Path) -> int:
    """Megabytes of the files of an environment."""
    return round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6)


def run(words: Sequence[object], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that has to succeed; what it says is shown if it does not."""
    done = subprocess.run([*map(str, words)], check=False, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} failed:\n{done.stdout}{done.stderr}")
    return done


if __name__ == "__main__":
    main()
