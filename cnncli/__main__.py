"""``python -m cnncli`` and the ``cnncli`` command."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from cnncli.cli.run import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
