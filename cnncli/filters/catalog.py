"""The named kernels, each with the entry that describes and builds it."""

from cnncli.filters.entry import Entry
from cnncli.filters.named import MODULES, entry_of

CATALOG: dict[str, Entry] = {name: entry_of(name) for name in MODULES}
