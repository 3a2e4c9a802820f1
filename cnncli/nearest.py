"""Layer 0: the one place that asks "Did you mean …?"."""

from collections.abc import Iterable, Mapping


def did_you_mean(
    word: str,
    known: Iterable[str],
    otherwise: str = "",
    *,
    form: str = "{}",
    instead: Mapping[str, str] | None = None,
) -> str:
    """Hint at the known word that a wrong one is nearest to.

    Parameters
    ----------
    word : str
        As the user wrote it; its case makes no difference.
    known : iterable of str
        Words that would have been right.
    otherwise : str
        What else can be done; it follows the question, or stands alone where no word is near.
    form : str
        How the word is shown, with ``{}`` for it.
    instead : mapping, optional
        What is shown for some of the words, such as the name that an alias stands for.

    Returns
    -------
    str
        ``Did you mean sobel? …``, or ``otherwise``.
    """
    from difflib import get_close_matches

    # A number is right or wrong, and no other is meant.
    by_folded = {each.casefold(): each for each in known if not (word.isdecimal() and each.isdecimal())}
    near = get_close_matches(word.strip().casefold(), by_folded, 1) or _ends_of(word, by_folded)
    if not near:
        return otherwise
    found = by_folded[near[0]]
    return meant(form.format((instead or {}).get(found, found)), otherwise)


def meant(words: str, otherwise: str = "") -> str:
    """The question about words that are certain to be right."""
    return f"Did you mean {words}? {otherwise}".rstrip()


def _ends_of(word: str, known: Iterable[str]) -> list[str]:
    """Words that were cut short, or have something added: ``rep`` and ``replicated`` for replicate."""
    folded = word.strip().casefold()
    if len(folded) <= _SHORT:
        return []
    return [
        each for each in known if len(each) > _SHORT and (each.startswith(folded) or folded.startswith(each))
    ]


_SHORT = 2  # letters with which too many words begin
