"""Judge how commands take damaged files: no internal error, no hang, no more than 1.5 GiB, no half output.

python -m tests.fuzz --files 3000 --seed 0
"""

import argparse
import json
import queue
import shlex
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.judge import FORMATS, work

_AT_ONCE = 150  # files of a process: what one leaves behind is not another's for long
_LONGEST = 20.0  # seconds for a file


def main() -> int:
    """Run the command line; 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=3000, help="how many damaged files")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--format", choices=FORMATS, help="damage files of one format only")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--seconds", type=float, default=_LONGEST, help="most time for a file")
    parser.add_argument("--keep", type=Path, help="folder in which files with faults are kept")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.seed, range(given.first, given.first + given.files), given.keep, format=given.format)
        return 0
    last = given.first + given.files
    found: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="cnncli-fuzz-") as scratch,
        ThreadPoolExecutor(given.jobs) as pool,
    ):
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        chunks = [range(at, min(at + _AT_ONCE, last)) for at in range(given.first, last, _AT_ONCE)]
        for each in pool.map(lambda chunk: _judged(given, chunk, folder), chunks):
            found += each
    for line in found:
        print(line)
    print(f"{given.files - len(found):,} passed, {len(found):,} failed")
    return 1 if found else 0


def _judged(given: argparse.Namespace, numbers: range, folder: Path) -> list[str]:
    """Let processes of their own judge files; one that hangs or dies costs its file, not the others."""
    found, again = [], set()
    while numbers:
        process = _worker(given, numbers, folder)
        done, last, command, lines = None, None, [], queue.Queue()
        threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        why = ""
        while True:
            try:
                line = lines.get(timeout=given.seconds if last is not None and last != done else 120)
            except queue.Empty:
                why = f"no end after {given.seconds:g} s"
                process.kill()
                break
            if line is None:
                break
            message = json.loads(line)
            if "faults" in message:
                done = message["number"]
                found += [_named(done, fault, command) for fault in message["faults"][:1]]
            else:
                last, command = message["number"], message["command"]
        process.wait()
        raw = process.stderr.read().decode("utf-8", "replace") if process.stderr else ""
        raw = "".join(
            line for line in raw.splitlines(keepends=True) if not line.startswith("waiting for process")
        )
        if raw.strip():
            found.append(
                f"{numbers.start} to {last}: on standard error past the command's own: {raw[:300]!r}"
            )
        if last is None:
            return [*found, f"{numbers.start}: the process did not begin"]
        if (
            why and last not in again
        ):  # it may have waited for the compiler: once more, with what is kept by now
            again.add(last)
            numbers = range(last, numbers.stop)
            continue
        if last != done:
            found.append(_named(last, why or f"the process ended with {process.returncode}", command))
        elif last == numbers[-1]:
            return found
        numbers = range(last + 1, numbers.stop)
    return found


def _worker(given: argparse.Namespace, numbers: range, folder: Path) -> "subprocess.Popen[bytes]":
    more = ["--format", given.format] if given.format else []
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.fuzz", "--work", "--seed", str(given.seed), *more),
            *("--first", str(numbers.start), "--files", str(len(numbers)), "--keep", str(folder)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _read(process: "subprocess.Popen[bytes]", lines: "queue.Queue[bytes | None]") -> None:
    for line in process.stdout or ():
        lines.put(line)
    lines.put(None)


def _named(number: int, fault: str, command: list[str]) -> str:
    return f"{number}: {fault}\n    cnncli {shlex.join(command)[:400]}"


if __name__ == "__main__":
    sys.exit(main())
