"""How help reads: words, numbers and matrices stay whole, summaries are not cut, examples end it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

_NARROWEST, _WIDEST = 40, 100
_COLUMN = 24  # of options: the most that their descriptions are indented
# What is not torn apart: a matrix in quotes, a default in brackets, a word.
_PIECE = re.compile(r"\(?(?<!\w)'[^']+'\S*|\[default: [^\]]+\]\S*|\S+")


class Command(TyperCommand):
    """A command whose help ends with examples."""

    def get_help(self, ctx: Any) -> str:
        """The page, without a line end."""
        return _page(self, ctx, self.name or "", sections(self, ctx))


class Group(TyperGroup):
    """All of cnncli: its help lists the commands, each with its whole summary."""

    def get_help(self, ctx: Any) -> str:
        """The page, without a line end."""
        commands = [(name, summary(command)) for name, command in self.commands.items()]
        return _page(self, ctx, "", [*sections(self, ctx), ("Commands", commands)])


def summary(command: Any) -> str:
    """The first paragraph of what a command says about itself."""
    return " ".join((command.help or "").partition("\n\n")[0].split())


def sections(command: Any, context: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """Arguments and options of a command, as they are written, each with what it means."""
    found: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            found[f"{parameter.param_type_name.capitalize()}s"].append(record)
    return [(heading, rows) for heading, rows in found.items() if rows]


def fill(text: str, width: int) -> Iterator[str]:
    """Lines of text of at most a width, unless a piece that stays whole is longer.

    Parameters
    ----------
    text : str
        Paragraphs between empty lines.
    width : int
        Columns.

    Yields
    ------
    str
    """
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        line = ""
        for piece in _pieces(paragraph, width):
            if line and len(line) + 1 + len(piece) > width:
                yield line
                line = piece
            else:
                line = f"{line} {piece}".lstrip()
        yield line


def _pieces(text: str, width: int) -> Iterator[str]:
    for match in _PIECE.finditer(text):
        yield from [match[0]] if len(match[0]) <= width else match[0].split()


def _page(command: Any, ctx: Any, name: str, parts: Sequence[tuple[str, list[tuple[str, str]]]]) -> str:
    from shutil import get_terminal_size

    from cnncli.cli.examples import EXAMPLES

    width = max(min(get_terminal_size().columns, _WIDEST) - 2, _NARROWEST)
    usage = " ".join(piece.strip("{}") for piece in command.collect_usage_pieces(ctx))
    lines = [f"Usage: {ctx.command_path} {usage}", ""]
    lines += [f"  {line}".rstrip() for line in fill(command.help or "", width - 2)]
    for heading, rows in parts:
        lines += ["", f"{heading}:", *_rows(rows, width)]
    lines += ["", "Examples:"]
    for example in EXAMPLES[name]:
        lines += [f"  {example.line}", *(f"      {line}" for line in fill(example.meaning, width - 6))]
    return "\n".join(lines)


def _rows(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Two columns; a long entry of the first has a line to itself."""
    column = min(max(len(first) for first, _ in rows) + 4, _COLUMN + 4, width // 2)
    for first, second in rows:
        start = f"  {first}"
        lines = list(fill(second, width - column))
        if len(start) > column - 2:
            yield start
            start = ""
        yield f"{start:{column}}{lines[0]}".rstrip()
        yield from (f"{'':{column}}{line}" for line in lines[1:])
