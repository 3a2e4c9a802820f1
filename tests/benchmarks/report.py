"""The table: for people, for programs, and for the README."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from .model import SHARE, Cost, Measured, Row

MEGABYTE = 1 << 20


def line(row: Row) -> str:
    """A row as it is printed when it is done: what, ours, each peer with its ratio, goal and verdict."""
    parts = [f"{row.verdict:7} {row.case.name:48}"]
    if row.ours is None:
        return f"{parts[0]} {row.fault}"
    parts.append(f"ours {_cost(row.ours)}   goal {_goal(row)}   {row.repeats} repeats")
    if row.limit:
        parts.append(
            f"\n          limit {_seconds(row.limit.seconds)}: {row.limit.why}; ours {_share(row, row.ours)}"
        )
    for peer in sorted(row.peers, key=lambda peer: peer.ratio):
        spread = f"{peer.ratio:6.2f}x ({peer.low:.2f} to {peer.high:.2f})"
        limit = f"   {_share(row, peer.cost)}" if row.limit else ""
        difference = f"   {peer.difference}" if peer.difference else ""
        parts.append(f"\n          {peer.peer:16} {_cost(peer.cost)}   {spread}{limit}{difference}")
    parts += [f"\n          {name:16} missing" for name in row.missing]
    return " ".join(parts)


def summary(rows: Sequence[Row]) -> str:
    """How many goals are reached, and those that are not."""
    short = [row.case.name for row in rows if row.verdict != "ok"]
    lines = [f"{len(rows) - len(short)} of {len(rows)} goals reached"]
    return "\n".join([*lines, *(f"  not: {name}" for name in short)])


def as_json(rows: Sequence[Row], about: dict[str, dict[str, str]]) -> str:
    """Everything, as one object."""
    return json.dumps({**about, "rows": [_record(row) for row in rows]}, indent=1)


def _record(row: Row) -> dict[str, Any]:
    return {
        "group": row.case.group,
        "work": row.case.work,
        "variant": row.case.variant,
        "goal": asdict(row.case.goal),
        "reachable": asdict(row.goal),
        "limit": asdict(row.limit) if row.limit else None,
        "verdict": row.verdict,
        "ours": asdict(row.ours) if row.ours else None,
        "peers": [asdict(peer) for peer in row.peers],
        "missing": list(row.missing),
        "repeats": row.repeats,
        "fault": row.fault,
    }


def as_markdown(rows: Sequence[Row], about: dict[str, dict[str, str]]) -> str:
    """The README's tables: a line for each work; ratios to the peer that is hardest to beat."""
    facts = [f"{name} {value}" for part in about.values() for name, value in part.items()]
    text = [f"Measured on: {', '.join(facts)}."]
    for group in dict.fromkeys(row.case.group for row in rows):
        text += ["", *_table([row for row in rows if row.case.group == group])]
    return "\n".join(text)


def _table(rows: Sequence[Row]) -> Iterable[str]:
    variants = list(dict.fromkeys(row.case.variant for row in rows if row.case.variant)) or ["ours"]
    yield "| " + " | ".join([rows[0].case.group, *variants, "goal"]) + " |"
    yield "| --- |" + " --- |" * (len(variants) + 1)
    for work in dict.fromkeys(row.case.work for row in rows):
        cells = {row.case.variant or variants[0]: row for row in rows if row.case.work == work}
        goals = dict.fromkeys(_goal(cells[variant]) for variant in variants if variant in cells)
        shown = [_cell(cells[variant]) if variant in cells else "" for variant in variants]
        yield "| " + " | ".join([work, *shown, "; ".join(goals)]) + " |"


def _cell(row: Row) -> str:
    if row.ours is None:
        return "failed"
    own = _own(row, row.ours)
    if row.limit:
        own += f", {_share(row, row.ours)}"
    return f"{_ratio(row.fastest)} ({own})" if row.fastest else own


def _own(row: Row, cost: Cost) -> str:
    """What ours took, in the measure that the row is about."""
    if row.case.clock == "memory":
        return _megabytes(cost.memory or 0)
    return f"{row.case.images / cost.wall:,.0f}/s" if row.case.images else _seconds(cost.wall)


def _goal(row: Row) -> str:
    """The goal; where the limit is nearer, that, and how it comes about."""
    if row.goal == row.case.goal or row.limit is None:
        return str(row.case.goal)
    if row.goal.ratio == row.case.goal.ratio or row.fastest is None:
        return f"{row.goal} = {_seconds(row.limit.seconds)} / {SHARE}, not {row.case.goal}"
    times = f"{_seconds(row.fastest.cost.wall)} / {_seconds(row.limit.seconds)}"
    return f"{row.goal} = {SHARE} * {times}, not {row.case.goal}"


def _share(row: Row, cost: Cost) -> str:
    return f"{row.share(cost):.0%}"


def _ratio(peer: Measured) -> str:
    name = f" {peer.peer}" if peer.peer != "OpenCV" else ""
    return f"{peer.ratio:.1f}x{name}"


def _cost(cost: Cost) -> str:
    text = f"{_seconds(cost.wall)}, cores {_seconds(cost.cpu)}"
    if cost.memory is not None:
        text += f", {_megabytes(cost.memory)}"
    return text


def _megabytes(memory: int) -> str:
    return f"{memory / MEGABYTE:.0f} MB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
