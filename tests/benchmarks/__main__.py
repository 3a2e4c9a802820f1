"""``python -m tests.benchmarks``: measure, and print every row with its goal, reached or not."""

import argparse
import fnmatch
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cnncli.core.threads import thread_count

from . import cold, commands, filters, held, networks, peers, report, searching
from .model import Case, Row
from .timing import Launcher, measure_case

SECONDS, QUICK_SECONDS = 3.0, 0.4  # a row
QUICK_REPEATS = 3
PHOTOGRAPHS, QUICK_PHOTOGRAPHS = 200, 20


def main() -> int:
    """Run the benchmarks that were asked for; 1 if ours failed in any."""
    given = _parser().parse_args()
    if given.isa:
        held.hold(given.isa)
    threads = thread_count(given.threads)
    about = {"machine": peers.machine(threads), "versions": peers.versions()}
    for part in about.values():
        print(", ".join(f"{name} {value}" for name, value in part.items()), file=sys.stderr)
    rows = []
    with tempfile.TemporaryDirectory(prefix="cnncli-bench-") as folder, Launcher() as launcher:
        photographs = QUICK_PHOTOGRAPHS if given.quick else PHOTOGRAPHS
        everything = itertools.chain(
            filters.cases(threads),
            commands.cases(Path(folder), launcher, photographs=photographs),
            networks.cases(Path(folder), launcher, threads),
            cold.cases(Path(folder), launcher),
            searching.cases(Path(folder), threads),
        )
        for row in _measured(everything, given):
            rows.append(row)
            print(
                report.line(row), file=sys.stderr if given.json or given.markdown else sys.stdout, flush=True
            )
    if given.json:
        print(report.as_json(rows, about))
    elif given.list:
        return 0
    elif given.markdown:
        print(report.as_markdown(rows, about))
    else:
        print(report.summary(rows))
    return int(any(row.ours is None for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument(
        "--only", metavar="PATTERN", help="rows whose name holds this, such as 'kernel 3x3' or 'command*PNG'"
    )
    parser.add_argument("--quick", action="store_true", help="few repeats and few photographs")
    parser.add_argument(
        "--threads", type=int, help="for filters and networks, ours and the peers' (default: all cores)"
    )
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="what ratios compare: time passed, or time of the cores where others use them as well",
    )
    parser.add_argument(
        "--isa",
        choices=held.VARIABLES,
        help=f"hold ours and the peers to these instructions; {', '.join(held.FREE)} cannot be held",
    )
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print everything as JSON")
    shape.add_argument("--markdown", action="store_true", help="print the tables of the README")
    return parser


def _measured(cases: Iterator[Case], given: argparse.Namespace) -> Iterator[Row]:
    for case in cases:
        if given.only and not fnmatch.fnmatch(case.name.lower(), f"*{given.only.lower()}*"):
            continue
        if given.list:
            print(case.name)
            continue
        try:
            if given.quick:
                yield measure_case(case, seconds=QUICK_SECONDS, least=QUICK_REPEATS, clock=given.clock)
            else:
                yield measure_case(case, seconds=SECONDS, clock=given.clock)
        except Exception as fault:  # noqa: BLE001 - one row that fails must not lose the table
            yield Row(case, fault=f"{type(fault).__name__}: {fault}")


if __name__ == "__main__":
    sys.exit(main())
