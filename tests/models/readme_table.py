"""The README's table of networks: the columns that the code says are written by it, others are kept.

``python -m tests.models.readme_table`` renews them in place. A column of other numbers, such as a measured
accuracy, is added to the README by hand; a row keeps its cells as long as the network keeps its name.
"""

from pathlib import Path

from cnncli.models.catalog import MODELS
from cnncli.models.choice import build
from cnncli.models.summary import summary
from cnncli.text import amount
from tests.models.published import OURS

README = Path(__file__).parents[2] / "README.md"
MARK = "<!-- networks: python -m tests.models.readme_table -->\n"
ROWS = [
    form
    for name in MODELS
    for form in (
        name,
        *(f"{name}:{option}" for option, limits in MODELS[name].options.items() if limits is None),
    )
]
#: Where the same network has the same names and shapes, and what it is called there.
PEERS = {"tv": "torchvision", "timm": "timm"}


def networks():
    """The rows by name: each a dict of its cells by their headings."""
    return {f"`{name}`": _cells(name) for name in ROWS}


def _cells(name):
    model = MODELS[name.partition(":")[0]]
    shape, classes = model.usual
    table = summary(build(name, shape, classes))
    field = table.receptive_field
    return {
        "paper": f"{_authors(model.paper)} {model.year}" if model.paper else "",
        "image, classes": f"{'x'.join(map(str, shape))}, {classes:,}",
        "parameters": f"{table.parameters:,}",
        "multiply-adds": amount(table.multiply_adds),
        "receptive field": "" if model.words else "all" if field is None else "x".join(map(str, field)),
        "names of": _peer(name),
    }


def _authors(paper):
    """The authors of a reference, at most two of them."""
    first = paper.partition(", ")[0]
    return first if " and " in first or "et al." in first else f"{first} et al."


def _peer(name):
    for key, (ours, *_) in OURS.items():
        package, _, theirs = key.partition("/")
        if ours == name and package in PEERS:
            return f"{PEERS[package]} `{theirs.partition('(')[0]}`"
    number = name.removeprefix("efficientnet-lite")
    return f"timm `tf_efficientnet_lite{number}`" if number != name else ""


def renewed(readme):
    """The README with the columns that the code says, and all others as they are."""
    before, mark, rest = readme.partition(MARK)
    assert mark, "the README has no mark of the table"
    table, blank, after = rest.partition("\n\n")
    heading, _, *lines = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    )
    kept = {line[0]: dict(zip(heading, line, strict=True)) for line in lines}
    known = networks()
    rows = {name: {**kept.get(name, {}), **cells} for name, cells in known.items()}
    first, *others = heading
    columns = [*others, *(name for name in known["`lenet5`"] if name not in others)]
    cells = [[first, *columns], ["---"] * (1 + len(columns))]
    cells += [[name, *(row.get(column, "") for column in columns)] for name, row in rows.items()]
    return before + mark + "\n".join(f"| {' | '.join(row)} |" for row in cells) + blank + after


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
