"""One damaged file through one command, in this process, and what is wrong with how that ended."""

import io
import json
import os
import resource
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cnncli.cli.run import run
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import SAMPLES, SEEDS, finished_run, pick

FORMATS = tuple(SEEDS)
MOST_MEMORY = 3 << 29  # bytes: 1.5 GiB
_SUFFIXES = {
    "kernel": (".txt", ".csv", ".dat"),
    "idx": ("-images-idx3-ubyte", "-images.idx3-ubyte.gz"),
}
_OUTPUTS = ("png", "png", "jpg", "tif", "gif", "webp", "bmp", "avif", "npy", "pgm")
_TRAIN = (
    "--json",
    "--model",
    "conv2 gap fc",
    "--epochs",
    "1",
    "--batch-size",
    "16",
    "--threads",
    "1",
    "--offline",
)


@dataclass(frozen=True)
class Case:
    """A damaged file and the command that it is given to.

    Attributes
    ----------
    path : Path
        The file.
    command : tuple of str
        Arguments of ``cnncli``.
    output : Path
        What the command is to write, if all goes well.
    """

    path: Path
    command: tuple[str, ...]
    output: Path


def make(seed: int, number: int, folder: Path, *, format: str | None = None, data: bytes = b"") -> Case:
    """Write the damaged file of a number into a folder, always the same one; or ``data`` in its place."""
    random = Random(f"{seed}/{number}")
    kind = format or FORMATS[number % len(FORMATS)]
    data = data or mutated(pick(kind, random), kind, random)
    suffix = random.choice(_SUFFIXES.get(kind, (f".{kind}",)))
    if kind == "kernel" and data[:1] in (b"[", b"{"):
        suffix = ".json"
    path = folder / (f"train{suffix}" if kind == "idx" else f"damaged{suffix}")
    output = folder / "out"
    path.write_bytes(data)
    command, output = _command(kind, path, output, random)
    return Case(path, command, output)


def _command(kind: str, path: Path, output: Path, random: Random) -> tuple[tuple[str, ...], Path]:
    digit = str(SAMPLES / "digits" / "7.png")
    match kind:
        case "npz" | "csv":
            return ("train", str(path), *_TRAIN, "-o", str(output)), output / "best.safetensors"
        case "idx":
            data = bytes([0, 0, 8, 1, 0, 0, 0, 30]) + bytes(k % 3 for k in range(30))
            (
                path.parent
                / path.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
            ).write_bytes(data)
            return ("train", str(path.parent), *_TRAIN, "-o", str(output)), output / "best.safetensors"
        case "safetensors":
            target = output.with_suffix(".png")
            more = ("featuremaps", digit, "-o", str(target)) if random.random() < 0.1 else ("predict", digit)
            return (*more, "-m", str(path), "--json", "--threads", "1"), target
        case "kernel":
            target = output.with_suffix(".png")
            return ("convolve", digit, "-k", str(path), "-o", str(target), "--json"), target
        case "config" | "state":
            name = "config.json" if kind == "config" else "state.safetensors"
            shutil.copytree(finished_run(), output)
            shutil.copy(path, output / name)
            return ("train", "--resume", str(output), "--json", "--threads", "1"), output / "none"
        case _:
            target = output.with_suffix("." + random.choice(_OUTPUTS))
            if random.random() < 0.2:
                return ("predict", str(path), "--json", "--threads", "1", "--max-pixels", "50000000"), target
            more = ("--threads", "1", "--max-pixels", "50000000")
            return (
                "convolve",
                str(path),
                "-k",
                random.choice(("identity", "sobel")),
                "-o",
                str(target),
                "--json",
                *more,
            ), target


def faults(case: Case) -> list[str]:
    """Run the command; what is wrong with how it ended, nothing where all is well."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    before, peak = (sys.stdout, sys.stderr), _peak()
    sys.stdout, sys.stderr = out, err
    try:
        code = run(case.command)
        out.flush()
        err.flush()
    finally:
        sys.stdout, sys.stderr = before
    said = err.buffer.getvalue().decode("utf-8", "replace")
    found = verdict(code, out.buffer.getvalue(), said, written=case.output.exists())
    if peak < _peak() > MOST_MEMORY:  # it was this file that took more than any before
        found.append(f"{_peak() / 2**30:.1f} GiB of memory")
    return found


def _peak() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def verdict(code: int, out: bytes, said: str, *, written: bool) -> list[str]:
    """What is wrong with an exit code, what was printed, and whether the output is there."""
    found = []
    if code not in (0, 1, 2):
        found.append(f"exit code {code}")
    if "internal error" in said or "Traceback" in said:
        found.append(f"an internal error: {said[:300]}")
    if code and not ("error: " in said and "hint: " in said):
        found.append(f"no error of two lines: {said[:300]!r}")
    if code and written:
        found.append("a failed run left an output")
    if len(said) > 4000:
        found.append(f"{len(said):,} characters of messages")
    if any(ord(letter) < 32 and letter not in "\n" for letter in said):
        found.append("control characters in messages")
    for line in out.splitlines():
        try:
            json.loads(line, parse_constant=_refuse)
        except ValueError as error:
            found.append(f"not JSON: {error}: {line[:200]!r}")
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} in JSON")


def work(seed: int, numbers: range, folder: Path, *, format: str | None = None) -> None:
    """Judge many files, saying on standard output which is begun, and what was found."""
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    channel = os.dup(1)
    for number in numbers:
        place = folder / str(number)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        case = make(seed, number, place.resolve(), format=format)
        _tell(channel, {"number": number, "command": case.command})
        found = faults(case)
        _tell(channel, {"number": number, "faults": found})
        if not found:
            shutil.rmtree(place)


def _tell(channel: int, message: dict[str, object]) -> None:
    os.write(channel, json.dumps(message).encode() + b"\n")
