"""``python -m cnncli`` and the ``cnncli`` command."""

import gc
import sys

# A start makes tens of thousands of objects that all stay, which the collector would go through again and
# again, and once more at the end: 60 of the 330 ms that a command on one small image took. What a long
# command leaves behind is still collected.
_ALLOCATIONS = 100_000


def main() -> None:
    """Run the command line and leave with its exit code."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        from cnncli.cli.run import prepare_process, run

        prepare_process()
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before, or after, anybody else could take care of it
        code = 130
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
