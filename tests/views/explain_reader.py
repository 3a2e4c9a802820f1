"""Reads a worked window as a person with a pencil does: from the numbers that are printed, and no others."""

import re

import numpy as np
import pytest

from cnncli.views.explain.grids import cell_texts

NUMBER = r"−?\d+(?:\.\d+)?"
WORDS = (
    "products, the largest first",
    "whole run",
    "weighted by opacity",
    "number ",
    "smallest",
    "largest",
    "neighbours along",
    "no edge",
    "an edge",
    "a strong edge",
    "a weak edge",
    "non-maximum",
    "the sign changes",
    "squares",
    "half a turn is white",
)


def value(s):
    return float(s.replace("−", "-"))


def unit(s):
    """Half of the last digit of a printed number: what rounding may have changed."""
    return 0.5 * 10.0 ** -len(s.partition(".")[2]) + 1e-9


def agrees(printed, worked):
    assert abs(value(printed) - worked) <= unit(printed) + 1e-12 * abs(worked), (printed, worked)


def plain(line):
    return line.replace("\u00a0", " ")


def read_branch(working, branch, cell):
    """Work a branch out; returns its last number as printed and how many equations were checked."""
    steps, checked = dict(branch.steps), 0
    lines = [plain(line) for line in branch.lines]
    texts = [cell_texts(g, cell)[0] for g in (working.patch, steps["×"], steps["="])]
    patch, kernel, products = ([text for row in rows for text in row] for rows in texts)
    if patch and kernel and products:
        for p, w, q in zip(patch, kernel, products, strict=True):
            agrees(q, value(p) * value(w))
            checked += 1
    left, _, total = lines[0].rpartition(" = ")
    if "×" in left:
        p, w = left.split(" × ")
        agrees(total, value(p) * value(w))
    elif "…" not in left:
        terms = re.findall(r"[+−]? ?\d+(?:\.\d+)?", left)
        agrees(total, sum(value(t.replace(" ", "").replace("+", "")) for t in terms))
        checked += 1
    elif products:
        agrees(total, sum(value(q) for q in products))
        checked += 1
    last = total
    for line in lines[1:]:
        if "÷" in line:
            over, under, last = re.fullmatch(f"({NUMBER}) ÷ (\\d+) = ({NUMBER})", line).groups()
            assert over == total
            agrees(last, value(over) / value(under))
            checked += 1
        else:
            assert "products, the largest first" in line
    return last, checked


def rounding(working):
    """The most by which rounding patch, weights and products may have changed what comes of them."""
    bound = 0.0
    for branch in working.branches:
        steps = dict(branch.steps)
        if "=" not in steps:
            continue
        grids = (working.patch, steps["×"], steps["="])
        halves = [
            0.0 if np.array_equal(g.values, g.printed) and g.trim else 0.5 * 10.0**-g.decimals for g in grids
        ]
        p, w = np.abs(working.patch.values).sum(), np.abs(steps["×"].values).sum()
        total = p * halves[1] + w * halves[0] + grids[2].values.size * halves[2]
        divisor = int(grids[1].caption.rpartition(" × ")[2]) if " × " in grids[1].caption else 1
        bound += total / divisor
    return bound


def read_lines(working, ends):
    """Follow the lines from the branches' last numbers to the pixel; returns how many were checked."""
    now, checked = ends[-1] if ends else working.patch.texts[0][0], 0
    known, factor, before = {}, 1.0, 0.0
    for line in map(plain, working.lines):
        if m := re.fullmatch(f"dx = ({NUMBER})(?:, dy = ({NUMBER}))?", line):
            known["dx"], known["dy"] = m[1], m[2]
            assert m[2] or m[1] == ends[0]
        elif m := re.fullmatch(f"dy = ({NUMBER})", line):
            known["dy"] = m[1]
            assert m[1] == ends[1]
        elif m := re.fullmatch(rf"(?:magnitude )?√\(dx² \+ dy²\) = ({NUMBER})", line):
            now = m[1]
            agrees(now, float(np.hypot(value(known["dx"]), value(known["dy"]))))
        elif m := re.fullmatch(rf"direction = atan2\(dy, dx\) = ({NUMBER})°", line):
            now = m[1]
            if value(now) or np.hypot(value(known["dx"]), value(known["dy"])) > 0.5:
                agrees(now, float(np.degrees(np.arctan2(value(known["dy"]), value(known["dx"])))))
        elif m := re.fullmatch(f"its direction = ({NUMBER})°", line):
            now = m[1]
        elif m := re.fullmatch(f"strongest of \\d+: ({NUMBER})", line):
            assert m[1].lstrip("−") == now.lstrip("−") or value(m[1]) == 0
            now = m[1]
        elif m := re.fullmatch(f"from unrounded numbers: ({NUMBER})°?", line):
            assert abs(value(m[1]) - value(now)) <= factor * (rounding(working) + before) + unit(now) + unit(
                m[1]
            )
            now = m[1]
        elif m := re.fullmatch(f"without its sign: ({NUMBER})", line):
            assert value(m[1]) == -value(now)
            now = m[1]
        elif m := re.fullmatch(f"the weights add up to ({NUMBER})", line):
            weights = dict(working.branches[0].steps)["×"]
            if max(weights.values.shape) <= 7:
                agrees(m[1], weights.printed.sum())
            known["mass"] = m[1]
        elif m := re.fullmatch(f"({NUMBER}) ÷ ({NUMBER}) = ({NUMBER})", line):
            assert m[1] == now
            assert m[2] == known.pop("mass", m[2])
            now = m[3]
            factor = 1 / value(m[2])
            agrees(now, value(m[1]) / value(m[2]))
        elif m := re.fullmatch(f"as .*: ({NUMBER})", line):
            now = m[1]
        elif m := re.fullmatch(
            f"({NUMBER})(?: ([×÷]) ({NUMBER}))?(?: ([+−]) ({NUMBER}))? = ({NUMBER})", line
        ):
            assert m[1] == now
            x, before = value(m[1]), unit(m[1])
            if m[2]:
                factor = value(m[3]) if m[2] == "×" else 1 / value(m[3])
                x *= factor
            if m[4]:
                x += value(m[5]) * (1 if m[4] == "+" else -1)
            now = m[6]
            agrees(now, x)
        elif m := re.fullmatch(r"(round|round half to even|clip to 0\.\.255) → (\d+)", line):
            assert value(m[2]) == working.pixel == np.clip(np.rint(value(now)), 0, 255)
            assert m[1].startswith("clip") == (not 0 <= round(value(now)) <= 255)
            now = m[2]
        elif m := re.fullmatch(f"(top|bottom) (left|right): mean ({NUMBER}), variance (.*)", line):
            printed, half = working.patch.printed, working.patch.values.shape[0] // 2
            rows = slice(None, half + 1) if m[1] == "top" else slice(half, None)
            corner = printed[rows, slice(None, half + 1) if m[2] == "left" else slice(half, None)]
            rounded = np.abs(printed - working.patch.values).max()  # of a printed pixel
            assert value(m[3]) == pytest.approx(corner.mean(), rel=1e-5, abs=2 * rounded)
            span = 2 * np.ptp(corner) * rounded + rounded**2
            parts = [float(part) for part in m[4].partition(" = ")[0].split(" + ")]
            own = parts[len(parts) // 2]  # of red, green and blue, green
            assert own == pytest.approx(corner.var(), rel=1e-5, abs=2 * span + 1e-9)
            total = float(m[4].rpartition(" = ")[2])
            assert total == pytest.approx(sum(parts), rel=1e-5)
            known[f"{m[1]} {m[2]}"] = (total, m[3])
        elif m := re.fullmatch(f"least variance: (.*), mean ({NUMBER})", line):
            least, now = known[m[1]]
            assert least == min(known[each][0] for each in known if " " in each)
            assert now == m[2]
        elif m := re.fullmatch(f"(smallest|largest) of ([^…]*): ({NUMBER})", line):
            seen = [value(each) for each in m[2].split()]
            now = m[3]
            assert value(now) == (min(seen) if m[1] == "smallest" else max(seen))
            known[m[1]] = now
        elif m := re.fullmatch(f"the difference: ({NUMBER}) - ({NUMBER}) = ({NUMBER})", line):
            assert now in (m[1], m[2])
            assert known.get("smallest", m[2]) in (m[1], m[2])
            now = m[3]
            agrees(now, value(m[1]) - value(m[2]))
        elif m := re.fullmatch(f"a change of ({NUMBER}), threshold ({NUMBER}): (.*)", line):
            assert (value(m[1]) < value(m[2])) == (m[3] == "the pixel stays")
            if m[3] == "the pixel stays":
                x, y = working.patch.marked
                now = working.patch.texts[y][x]
        else:
            assert any(word in line for word in WORDS), line
            found = re.findall(NUMBER, line)
            now = found[-1] if found else now
            continue
        checked += 1
    return now, checked


def read(working, cell):
    """Work a whole window out; returns how many equations were checked."""
    read_of = [read_branch(working, b, cell) for b in working.branches if "=" in dict(b.steps)]
    now, checked = read_lines(working, [last for last, _ in read_of])
    return now, checked + sum(n for _, n in read_of)
