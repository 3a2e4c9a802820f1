"""Man pages, made from what ``--help`` is made of.

``python -m cnncli.cli.manual FOLDER`` writes all of them; building a wheel does so too (``hatch_build.py``).
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnncli import __version__
from cnncli.cli.examples import EXAMPLES
from cnncli.cli.help_pages import sections, summary

_STATUS = (
    ("0", "All is done."),
    ("1", "Some input failed; the others are done."),
    ("2", "The command itself is wrong; nothing was started."),
    ("130", "Interrupted."),
    ("141", "The reader of the output is gone."),
    ("143", "Terminated."),
)
_ENVIRONMENT = (
    ("NO_COLOR", "If set, nothing is coloured."),
    ("COLUMNS", "Width of tables and help, in place of the terminal's."),
    ("CNNCLI_CACHE_DIR", "Folder of compiled code, in place of ~/.cache/cnncli."),
)


def write_pages(folder: Path, date: str) -> list[Path]:
    """Write the man pages of cnncli and of all its commands.

    Parameters
    ----------
    folder : Path
        Exists.
    date : str
        Of the pages, as in 2026-01-31.

    Returns
    -------
    list of Path
        The files.
    """
    written = []
    for name, text in pages(date).items():
        written.append(folder / f"{name}.1")
        written[-1].write_text(text, encoding="utf-8")
    return written


def pages(date: str) -> dict[str, str]:
    """The man pages by their names: ``cnncli``, ``cnncli-convolve`` and so on."""
    from typer.main import get_command

    from cnncli.cli.app import app

    group: Any = get_command(app)
    root = group.make_context("cnncli", [], resilient_parsing=True)
    found = {"cnncli": _page(group, root, date)}
    for name, command in group.commands.items():
        context = type(root)(command, info_name=name, parent=root)
        found[f"cnncli-{name}"] = _page(command, context, date)
    return found


def _page(command: Any, context: Any, date: str) -> str:
    names = [f"cnncli-{each}" for each in EXAMPLES if each]
    name = context.command_path.replace(" ", "-")
    short = summary(command).rstrip(".")
    lines = [
        f'.TH "{_escaped(name.upper())}" 1 "{date}" "cnncli {__version__}" "User Commands"',
        ".nh",  # no hyphens that a reader would copy
        ".ad l",
        ".SH NAME",
        f"{_escaped(name)} \\- {_escaped(short[0].lower() + short[1:])}",
        ".SH SYNOPSIS",
        f"\\fB{_escaped(context.command_path)}\\fR "
        + _escaped(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraphs(command.help),
    ]
    for heading, rows in sections(command, context):
        lines += [f".SH {heading.upper()}", *_list(rows)]
    if name == "cnncli":
        lines += [
            ".SH COMMANDS",
            *_list([(f"cnncli {key}", summary(one)) for key, one in command.commands.items()]),
        ]
    lines += [".SH EXAMPLES"]
    for number, example in enumerate(EXAMPLES["" if name == "cnncli" else context.info_name]):
        lines += [".PP"] if number else []
        lines += [_text(example.meaning), ".PP", ".in +4", ".nf", _text(example.line), ".fi", ".in -4"]
    lines += [".SH EXIT STATUS", *_list(_STATUS), ".SH ENVIRONMENT", *_list(_ENVIRONMENT)]
    others = ["cnncli", *names]
    others.remove(name)
    lines += [
        ".SH SEE ALSO",
        ",\n".join(f".BR {_escaped(each)} (1)" for each in others).replace(" (1),", " (1),"),
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _list(rows: Any) -> Iterator[str]:
    for first, second in rows:
        yield ".TP"
        # Words of options are bold; what they take is in italics.
        parts = re.split(r"(, | / | )", first)
        yield "".join(_styled(part) for part in parts)
        yield _text(" ".join(second.split()))


def _styled(part: str) -> str:
    if part in (", ", " / ", " "):
        return part
    bold = part.startswith("-") or part.islower() or part.isdigit() or "_" in part
    return f"\\fB{_escaped(part)}\\fR" if bold else f"\\fI{_escaped(part)}\\fR"


def _text(text: str) -> str:
    """A line of text; a full stop or quote at its start would be a request to troff."""
    whole = re.sub(r"(?<!\w)'[^']{1,40}'", lambda match: match[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    escaped = _escaped(whole)
    return f"\\&{escaped}" if escaped.startswith((".", "'", "\\(aq")) else escaped


def _escaped(text: str) -> str:
    """Letters that troff gives a meaning or another shape: minus signs, quotes, backslashes."""
    signs = {
        "\\": "\\e",
        "-": "\\-",
        "'": "\\(aq",
        "`": "\\(ga",
        "^": "\\(ha",
        "~": "\\(ti",
        "…": "...",
        "\N{NO-BREAK SPACE}": "\\ ",
    }
    return "".join(signs.get(letter, letter) for letter in text)


if __name__ == "__main__":
    from datetime import date

    write_pages(Path(sys.argv[1]), date.today().isoformat())
