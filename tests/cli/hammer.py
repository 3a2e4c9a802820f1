"""Interrupt and terminate every command at random moments, and look at what is left.

    python tests/cli/hammer.py --count 1000             # of each command
    python tests/cli/hammer.py --count 50 convolve train --seed 3

A command may end with 130 or 143, or with 0 if it was done before it heard; silent or with a line on what
happened; and each file that it leaves is whole. Before the first line of cnncli is run, Python itself
answers a signal (counted as "python"). Exit code 1 if anything else was seen.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
NETWORK = "conv4 bn relu pool gap fc"
COMMANDS = {
    "convolve": ("convolve", "in/00.png", "-k", "gaussian:sigma=3", "-o", "out/one.png"),
    "batch": ("convolve", "in", "-k", "sobel", "-k", "gaussian:sigma=2", "-o", "out/"),
    "explain": ("convolve", "in/01.png", "-k", "sobel", "-o", "out/e.png", "--explain", "out/page.png"),
    "kernels": ("kernels", "gabor"),
    "predict": ("predict", "--files-from", "list", "--json"),
    "evaluate": ("evaluate", "bars.npz", "-m", "net", "-o", "out/judged"),
    "featuremaps": ("featuremaps", "in/00.png", "-o", "out/maps", "--raw", "out/raw"),
    "train": ("train", "bars.npz", "-m", NETWORK, "--epochs", "30", "-b", "8", "-o", "out/run"),
    "samples": ("samples", "out/samples"),
}
EARLY = 0.15  # seconds in which half of the signals come
PATIENCE = 20.0  # seconds after which a command is taken to hang
MARGIN = 0.25  # seconds in which a command that is done may come to its end


def prepared(folder, environment):
    """Pictures, a data set and a network to work on, and each command's time and warm code."""
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)).save(folder / f"in/{i:02}.png")
    names = [f"in/{i % 12:02}.png\n" for i in range(200)]
    (folder / "list").write_text("".join(names))
    bars = rng.integers(0, 60, (80, 8, 8)).astype(np.uint8)
    for i, image in enumerate(bars):
        (image if i % 2 else image.T)[3:5] += 150
    parts = {"train": slice(0, 60), "test": slice(60, 80)}
    arrays = {f"x_{name}": bars[part] for name, part in parts.items()}
    arrays |= {f"y_{name}": np.arange(80)[part] % 2 for name, part in parts.items()}
    np.savez(folder / "bars.npz", **arrays)
    script = folder / "cnncli"  # as pip makes it
    script.write_text(
        "import sys\nfrom cnncli.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
    )
    begin(*COMMANDS["train"][:-1], "net", "-q", folder=folder, environment=environment).communicate()


def begin(*arguments, folder, environment):
    """Start a command."""
    return subprocess.Popen(
        [sys.executable, folder / "cnncli", *arguments],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def faults_of(path):
    """What is wrong with a file that was left."""
    if path.name.startswith((".cnncli-", ".part-", "tmp")):
        return "a temporary file"
    if path.stat().st_size == 0:
        return "empty"
    try:
        match path.suffix:
            case ".png" | ".jpg" | ".gif":
                with Image.open(path) as image:
                    image.load()
            case ".safetensors":
                load_file(path)
            case ".json":
                json.loads(path.read_text())
            case ".jsonl":
                [json.loads(line) for line in path.read_text().splitlines()]
            case ".npy":
                np.load(path)
    except Exception as error:  # noqa: BLE001 - of any reader
        return f"{type(error).__name__}: {error}"
    return None


def strike(command, number, delay, folder, environment):
    """Start a command, send it a signal after a while; what happened in a word, and what is wrong with it."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    process = begin(*COMMANDS[command], folder=folder, environment=environment)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=delay)
    sent = time.monotonic()
    if process.poll() is not None:
        return "over", None if process.returncode == 0 else f"exit code {process.returncode}"
    process.send_signal(number)
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hung", f"it hangs {delay:.4f} s after its start"
    took, code, text = time.monotonic() - sent, process.returncode, stderr.decode()
    what, wrong = judged(command, number, code, took, text)
    if wrong is None and command == "predict":
        cut = [line for line in stdout.splitlines() if not line.endswith(b"}")]
        wrong = f"half a line: {cut}" if cut else None
    for path in (
        () if wrong else sorted(each for each in [*out.rglob("*"), *folder.glob("*")] if each.is_file())
    ):
        if fault := faults_of(path):
            wrong = f"{path.relative_to(folder)}: {fault}"
    if run_is_half(out / "run"):
        wrong = wrong or f"half a run: {sorted(path.name for path in (out / 'run').iterdir())}"
    return what, wrong and f"{delay:.4f} s: {wrong}"


def run_is_half(run):
    return run.exists() and not {"config.json", "state.safetensors"} <= {path.name for path in run.iterdir()}


def judged(command, number, code, took, text):
    """What an exit code and the words beside it mean, and what is wrong with them."""
    word = "interrupted" if number == signal.SIGINT else "terminated"
    if code == 0:
        return "done", f"the signal was swallowed ({took:.2f} s)" if took > MARGIN else None
    if code == -number or (code == 1 and text.rstrip(" :\n").endswith("KeyboardInterrupt")):
        begun = [line for line in text.splitlines() if "/cnncli/" in line and "in main" in line]
        return "python", f"inside cnncli: {text[-600:]}" if begun else None
    if code != 128 + number:
        return "other", f"exit code {code}: {text[-600:]}"
    lines = text.splitlines()
    said = [i for i, line in enumerate(lines) if line.startswith(word)]
    if "Traceback" in text or "error:" in text or (said and said != [len(lines) - 1]):
        return "words", f"it says {text[-600:]!r}"
    if not said and command != "train" and lines:
        return "words", f"it says {text!r}"
    return "stopped", None


def hammer(command, count, *, seed, folder, environment):
    """Strike a command so many times; what happened, and all that was wrong."""
    chance = random.Random(f"{command} {seed}")
    lasts = 0.0
    for _ in range(2):  # the first time, code is compiled
        shutil.rmtree(folder / "out", ignore_errors=True)
        (folder / "out").mkdir()
        begun = time.monotonic()
        process = begin(*COMMANDS[command], folder=folder, environment=environment)
        _, text = process.communicate()
        assert process.returncode == 0, text.decode()
        lasts = time.monotonic() - begun
    seen, wrong = Counter(), []
    for i in range(count):
        delay = chance.uniform(0, min(EARLY, lasts) if i % 2 else lasts)
        number = signal.SIGINT if i // 2 % 2 else signal.SIGTERM
        what, fault = strike(command, number, delay, folder, environment)
        seen[what] += 1
        if fault:
            wrong.append(f"{command}, {signal.Signals(number).name} after {fault}")
    return seen, wrong


def environment_of(folder):
    return {**os.environ, "PYTHONPATH": str(ROOT), "CNNCLI_CACHE_DIR": str(folder / "cache")}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(COMMANDS)}; by default all"
    )
    parser.add_argument("--count", type=int, default=100, help="signals to each command")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    failed = False
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, else, where a shell starts it with &
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_of(folder)
        prepared(folder, environment)
        for command in given.commands or COMMANDS:
            seen, wrong = hammer(
                command, given.count, seed=given.seed, folder=folder, environment=environment
            )
            print(f"{command:12} {', '.join(f'{n} {what}' for what, n in seen.most_common())}", flush=True)
            for line in wrong:
                print(f"    {line}", flush=True)
            failed = failed or bool(wrong)
        left = [path.name for path in (folder / "cache").rglob(".part-*")]
        print(f"left in the cache: {left}" if left else "nothing is left in the cache")
    return int(failed or bool(left))


if __name__ == "__main__":
    sys.exit(main())
