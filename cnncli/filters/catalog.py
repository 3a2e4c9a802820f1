"""The named kernels: a name and the entry that describes and builds it."""

from cnncli.filters import derivatives, smoothing
from cnncli.filters.entry import Entry

CATALOG: dict[str, Entry] = {
    "box": smoothing.BOX,
    "gaussian": smoothing.GAUSSIAN,
    "sobel": derivatives.SOBEL,
}

ALIASES: dict[str, str] = {
    "blur": "box",
    "mean": "box",
    "gauss": "gaussian",
}
