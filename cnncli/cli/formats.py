"""``cnncli formats``: which image formats are read and written, at which depths, with which metadata."""

from collections.abc import Iterator
from typing import Any

from cnncli.checked import as_json
from cnncli.cli.exit_codes import DONE
from cnncli.cli.help_pages import fill
from cnncli.cli.messages import console_of_stdout
from cnncli.cli.options.formats import Settings
from cnncli.cli.streams import write_line
from cnncli.images.foreign import NOT_READ
from cnncli.images.formats import FORMATS, READ, SUFFIXES
from cnncli.images.metadata_fitting import KEEPS

_DEPTHS = {8: "8", 16: "16", 32: "float"}


def run(settings: Settings) -> int:
    """Print the formats and return the exit code.

    The settings ``debug``, ``quiet`` and ``threads`` are taken as by other commands; they change nothing.
    """
    if settings.json:
        for each in (*known_formats(), *unread_formats()):
            write_line(as_json(each))
    else:
        _render()
    return DONE


def known_formats() -> Iterator[dict[str, Any]]:
    """Describe the formats that are read, most of which are written too.

    Yields
    ------
    dict
        format, suffixes, read and write (bits of a sample; 32 is float), opacity (in files that are read),
        frames ("animation", "pages", "first" where the first picture of several is read, or None), and
        metadata that is kept on writing.
    """
    for name, reads in READ.items():
        writes = FORMATS.get(name)
        yield {
            "format": name,
            "suffixes": list(reads.suffixes),
            "read": list(reads.depths),
            "write": list(writes.depths) if writes else [],
            "write_suffixes": [suffix for suffix, format in SUFFIXES.items() if format == name],
            "opacity": reads.alpha,
            "frames": reads.frames or None,
            "metadata": sorted((word.removeprefix("the ") for word in KEEPS.get(name, ())), key=str.lower),
        }


def unread_formats() -> Iterator[dict[str, Any]]:
    """Describe formats that are known and not read: format, suffixes, and what would read them."""
    for name, suffixes, tool in NOT_READ:
        yield {"format": name, "suffixes": list(suffixes), "read": [], "write": [], "needs": tool}


def _render() -> None:
    """A table that fits 60 columns, then what takes whole lines."""
    from rich import box
    from rich.table import Table

    console = console_of_stdout()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    # Wide enough for the longest word of each column.
    for heading, width in (
        ("format", 8),
        ("suffixes", 8),
        ("read", 6),
        ("written", 7),
        ("opacity", 7),
        ("frames", 9),
    ):
        table.add_column(heading, min_width=width, overflow="fold")
    for each in known_formats():
        table.add_row(
            each["format"],
            " ".join(each["suffixes"]),
            _bits(each["read"]),
            _bits(each["write"]),
            "yes" if each["opacity"] else "",
            each["frames"] or "",
        )
    console.print(table)
    lines = [
        "Numbers are bits per sample. TIFF and .npy hold any number of channels. "
        "Images with opacity are written on white where a format has none."
    ]
    kept = [
        f"  {each['format']}: {', '.join(each['metadata'])}" for each in known_formats() if each["metadata"]
    ]
    lines += ["", "Metadata kept, by format:", *kept, "", "Not read, and what converts it:"]
    lines += [
        f"  {each['format']} ({' '.join(each['suffixes'])}): {each['needs']}" for each in unread_formats()
    ]
    for line in lines:
        # Lines that go on are indented under the first.
        first, *others = list(fill(line, console.width - 4)) or [""]
        indent = "  " if line.startswith("  ") else ""
        console.print("\n".join([indent + first, *(f"{indent}  {other}" for other in others)]), markup=False)


def _bits(depths: list[int]) -> str:
    return ", ".join(_DEPTHS[bits] for bits in depths)
