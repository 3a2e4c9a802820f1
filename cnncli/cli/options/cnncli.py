"""What can be said after ``cnncli`` itself."""

from cnncli.cli.options.model import command, option


@command("Filter images from the shell, and train convolutional networks without a framework.")
class Settings:
    """What was said after ``cnncli`` itself."""

    version: bool = option("--version", help="Print the version.")
    install_completion: bool = option(
        "--install-completion", help="Install Tab completion for this shell: bash, zsh or fish."
    )
    show_completion: bool = option("--show-completion", help="Print the completion script for this shell.")
