"""The table of classes as text, for terminals of any width."""

import numpy as np
import pytest

from cnncli.tasks.class_evaluation import ClassEvaluation
from cnncli.tasks.class_report import report_lines

CLASSES = ("ant", "bee", "a dragonfly from the north of Canada")


@pytest.fixture
def lines(rng):
    """``lines(columns)``: the table of three classes of 30, 20 and 10 images."""
    outputs = rng.standard_normal((60, 3)).astype(np.float32)
    evaluation = ClassEvaluation(np.arange(60), np.repeat([0, 1, 2], [30, 20, 10]), outputs, CLASSES)

    def table(columns):
        found = report_lines(evaluation, columns)
        return found[1 : found.index("")]

    return table


@pytest.mark.parametrize("columns", [40, 45, 50, 54, 60, 80, 120])
def test_a_class_has_one_row_that_fits(lines, columns):
    table = lines(columns)
    assert len(table) == 1 + 3 + 2
    assert max(map(len, table)) <= columns
    assert len({len(line) for line in table}) == 1  # columns stand below their headings


def test_what_gives_way_to_narrow_terminals(lines):
    assert lines(80)[1].split()[4:] == ["30"]
    assert all(share.endswith("%") and len(share.split(".")[1]) == 3 for share in lines(80)[1].split()[1:4])
    assert lines(48)[1].split()[4:] == ["30"]
    assert all(len(share.split(".")[1]) == 2 for share in lines(48)[1].split()[1:4])
    assert lines(40)[0].split() == ["class", "precision", "recall", "F1"]
    assert lines(40)[4].startswith("macro mean ")
    assert lines(120)[3].startswith("a dragonfly from the no… ")
