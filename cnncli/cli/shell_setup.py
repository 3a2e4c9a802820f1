"""``--install-completion`` and ``--show-completion``: scripts for bash, zsh and fish."""

import os
from pathlib import Path

from cnncli.cli.exit_codes import UsageError

#: The shells, and their scripts in the folder ``shells``.
SCRIPTS = {"bash": "cnncli.bash", "zsh": "_cnncli", "fish": "cnncli.fish"}


def script_of(shell: str) -> str:
    """The text of a shell's script."""
    return (Path(__file__).parent / "shells" / SCRIPTS[shell]).read_text(encoding="utf-8")


def current_shell() -> str:
    """The shell that runs this command.

    Raises
    ------
    UsageError
        Where it is none of `SCRIPTS`.
    """
    import shellingham

    try:
        shell = str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure:
        shell = Path(os.environ.get("SHELL", "")).name
    if shell not in SCRIPTS:
        raise UsageError(
            f"the shell is {shell or 'not known'!r}; expected one of {', '.join(SCRIPTS)}",
            "Run it from one of these shells.",
        )
    return shell


def install(shell: str) -> list[str]:
    """Write a shell's script to where the shell looks for it.

    Parameters
    ----------
    shell : str
        Of `SCRIPTS`.

    Returns
    -------
    list of str
        What was done, in lines for the user.
    """
    home = Path.home()
    place, startup, line = {
        "bash": (
            _folder("XDG_DATA_HOME", ".local/share") / "bash-completion/completions/cnncli",
            home / ".bashrc",
            "source '{}'",
        ),
        "zsh": (
            home / ".zfunc/_cnncli",
            home / ".zshrc",
            "fpath+=~/.zfunc; autoload -Uz compinit; compinit",
        ),
        "fish": (_folder("XDG_CONFIG_HOME", ".config") / "fish/completions/cnncli.fish", None, ""),
    }[shell]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(script_of(shell), encoding="utf-8")
    done = [f"completion for {shell} is in {place}"]
    if startup is not None:
        line = line.format(place)
        before = startup.read_text(encoding="utf-8") if startup.exists() else ""
        if line not in before.splitlines():
            with startup.open("a", encoding="utf-8") as file:
                file.write(f"{'' if before.endswith(chr(10)) or not before else chr(10)}{line}\n")
            done.append(f"{startup} loads it")
    return [*done, f"start {shell} again to use it"]


def _folder(variable: str, usual: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / usual)
