"""What can be said after ``cnncli`` itself."""

from cnncli.cli.options.model import Command, Option

COMMAND = Command(
    help="Filter images from the shell, and train convolutional networks without a framework.",
    options=(
        Option(
            "version",
            ("--version",),
            bool,
            "Print the version.",
        ),
        Option(
            "install_completion",
            ("--install-completion",),
            bool,
            "Install Tab completion for this shell: bash, zsh or fish.",
        ),
        Option(
            "show_completion",
            ("--show-completion",),
            bool,
            "Print the completion script for this shell.",
        ),
    ),
)
