"""``python -m cnncli`` and the ``cnncli`` command."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from cnncli.cli.run import prepare_process, run

        prepare_process()
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before, or after, anybody else could take care of it
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
