"""Several kernels: drawn side by side, their responses as bars, the strongest multiplied out."""

from math import degrees
from typing import cast

import numpy as np

from cnncli.filters.kinds.bank import Bank
from cnncli.images.canvas import Box, Canvas
from cnncli.views.explain.arithmetic import Outcome, Result, angle_lines, noise, result, settled, weigh
from cnncli.views.explain.kernels import draw_many
from cnncli.views.explain.model import Explanation, Grid, Numbers, Place, number
from cnncli.views.explain.wording import rotated, scaled

_BARS = 24  # kernels that get a bar, the strongest of more


def caption(e: Explanation) -> str:
    """Say what becomes of the responses."""
    if _bank(e).output == "energy":
        return (
            f"All {len(e.stack)} are applied to the same window; the response is the root of the sum of "
            f"their squared responses.{rotated(e)}{scaled(e)}"
        )
    return (
        f"All {len(e.stack)}, one for each direction, are applied to the same window; the strongest "
        f"response is kept.{rotated(e)}{scaled(e)}"
    )


def draw(canvas: Canvas, room: Box, e: Explanation) -> int:
    """Draw the kernels, or some of many; return the y below them."""
    return draw_many(canvas, room, e.stack, names_of(_bank(e)))


def _bank(e: Explanation) -> Bank:
    return cast(Bank, e.filter)


def work_out(e: Explanation, patch: Grid, place: Place, cell: int) -> Outcome:
    """Sum up for every kernel, and multiply the strongest out."""
    f = _bank(e)
    responses = np.einsum("nij,ij->n", e.stack, patch.values)
    winner = _winner(e, f, responses, place)
    bars = _bars(f, responses, winner)
    branch, best = weigh(patch, e.stack[winner], f"kernel {names_of(f)[winner]}", cell)
    if f.output == "energy":
        total = float(np.sqrt((responses**2).sum()))
        line, found = f"√(sum of {len(responses)} squares) = ", result(total, total)
        return Outcome((branch,), (line + found.text,), found, bars)
    corrected, best = settled(best)
    if f.output == "direction":
        angle = 0.0 if abs(best.real) <= noise(e) else f.angles[winner]
        lines, found = angle_lines("its direction", angle, angle)
        strongest = f"strongest of {len(responses)}: {best.text}"
        return Outcome((branch,), (*corrected, strongest, *lines), found, bars)
    sign = np.sign(best.real) if _by_magnitude(f) else 1.0
    found = Result(max(sign * best.shown, 0.0), max(sign * best.real, 0.0), best.decimals)
    return Outcome((branch,), (*corrected, f"strongest of {len(responses)}: {found.text}"), found, bars)


def _by_magnitude(f: Bank) -> bool:
    return f.output in ("abs", "energy") or f.rectified


def _winner(e: Explanation, f: Bank, responses: Numbers, place: Place) -> int:
    """Return which kernel counts; of those that tie, the one that the run has taken."""
    ranked = np.nan_to_num(np.abs(responses) if _by_magnitude(f) else responses, nan=-np.inf)
    if f.output != "direction":
        return int(np.argmax(ranked))
    tied = np.flatnonzero(ranked >= ranked.max() - noise(e))
    ran = float(e.response[place[1], place[0]])
    return int(min(tied.tolist(), key=lambda i: abs(f.angles[i] - ran)))


def _bars(f: Bank, responses: Numbers, winner: int) -> tuple[tuple[str, float, bool], ...]:
    """Return the responses of a bank's kernels, of many the strongest, in their order."""
    strongest = np.argsort(-np.abs(np.nan_to_num(responses)), kind="stable")
    many = len(responses) > _BARS
    chosen = sorted({winner, *strongest[: _BARS - 1].tolist()}) if many else range(len(responses))
    names = names_of(f)
    return tuple((names[i], float(responses[i]), i == winner) for i in chosen)


def names_of(f: Bank) -> tuple[str, ...]:
    """Name a bank's kernels by their directions, or by number where those are not told apart."""
    names = tuple(f"{number(round(degrees(a)), 0)}°" for a in f.angles)
    return names if len(set(names)) == len(names) else tuple(f"#{i + 1}" for i in range(len(names)))
