"""Pages that would be higher than viewers open: fewer tiles of a layer, then fewer layers, said on them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from cnncli.views.sections import Page, Section

HIGHEST = 15_000  # pixels of a picture; WebP and many viewers end at 16,384
_WHERE = "-o page.html shows all"

Measure = Callable[[Section], int]


def fit_page(page: Page, room: int, measure: Measure) -> Page:
    """Cut a page's sections so that they fit.

    Parameters
    ----------
    page : Page
        All of it.
    room : int
        Pixels that all sections together may be high.
    measure : function
        The height of a section, with what stands between it and the next.

    Returns
    -------
    Page
        The same where all of it fits.
    """
    heights = [measure(section) for section in page.sections]
    if sum(heights) <= room:
        return page
    most = _level(heights, room)
    sections = [fit_section(section, most, measure) for section in page.sections]
    kept: list[Section] = []
    used = 0
    for section in sections:
        used += measure(section)
        if used > room and kept:
            break
        kept.append(section)
    left = len(sections) - len(kept)
    words = f" {left} more layers do not fit on one picture: {_WHERE}." if left else ""
    return replace(page, sections=tuple(kept), note=page.note + words)


def fit_section(section: Section, room: int, measure: Measure) -> Section:
    """Leave out a section's last tiles, which are its weakest, until it fits into ``room`` pixels."""
    tiles = section.tiles
    if measure(section) <= room or len(tiles) < 2:
        return section

    def cut(count: int) -> Section:
        words = f"{len(tiles) - count:,} weaker ones do not fit on one picture: {_WHERE}"
        note = "; ".join(text for text in (section.note, words) if text)
        return replace(section, tiles=tiles[:count], note=note)

    fewest, most = 1, len(tiles) - 1
    while fewest < most:  # by halves: each try lays the section out
        tried = (fewest + most + 1) // 2
        if measure(cut(tried)) <= room:
            fewest = tried
        else:
            most = tried - 1
    return cut(fewest)


def _level(heights: Sequence[int], room: int) -> int:
    """The height to which the highest sections are cut, so that all of them fit: at least a share each."""
    rest, left = room, sorted(heights)
    for i, height in enumerate(left):
        share = rest // (len(left) - i)
        if height > share:
            return share
        rest -= height
    return room
