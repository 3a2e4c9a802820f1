"""Without -m, predict answers each picture by the network that ships and suits it, and says which."""

import csv
import io

import pytest

from cnncli.cli.row_writers import Row, Table
from cnncli.data.shipped import sample_path
from cnncli.tasks.classification import LikeliestClasses, Prediction

DIGITS = [str(sample_path(f"digits/{digit}.png")) for digit in (3, 7)]
PHOTOGRAPHS = [str(sample_path(name)) for name in ("chelsea.png", "camera.png")]


def test_each_picture_is_answered_as_by_its_network_alone(run):
    mixed = [DIGITS[0], PHOTOGRAPHS[0], DIGITS[1], PHOTOGRAPHS[1]]
    done = run("predict", *mixed, "--json")
    assert done.code == 0
    assert [each.pop("model") for each in done.results] == ["digits", "imagenet"] * 2
    asked = [run("predict", *paths, "-m", name, "--json").results for name, paths in NAMED]
    for result in (each for pair in asked for each in pair):
        assert "model" not in result
    found = [{name: each[name] for name in each if name != "model"} for each in done.results]
    assert found == [asked[0][0], asked[1][0], asked[0][1], asked[1][1]]
    models, conversions = done.err.splitlines()
    assert models == (
        "note: classified by digits: 2 small gray pictures; by imagenet, for photographs: 2 others; "
        "-m takes one network for all"
    )
    assert "of 4 pictures 2 were resized" in conversions


NAMED = (("digits", DIGITS), ("imagenet", PHOTOGRAPHS))


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (DIGITS[:1], "digits, the network for small"),
        (PHOTOGRAPHS[:1], "imagenet, the network for photographs"),
    ],
)
def test_which_network_answered_is_said(run, paths, said):
    assert run("predict", *paths).err.startswith(f"note: classified by {said}")
    assert run("predict", *paths, "-q").err == ""


@pytest.mark.parametrize("paths", [(DIGITS[0], PHOTOGRAPHS[0]), (PHOTOGRAPHS[0], DIGITS[0])])
def test_columns_are_for_both_networks(run, paths):
    rows = list(csv.DictReader(io.StringIO(run("predict", *paths, "--csv", "--top", "12").out.decode())))
    by_input = {row["input"]: row for row in rows}
    assert by_input[DIGITS[0]]["label"] == "3"
    assert by_input[DIGITS[0]]["label_12"] == ""
    assert by_input[PHOTOGRAPHS[0]]["label"] == "tiger cat"
    assert by_input[PHOTOGRAPHS[0]]["label_12"]
    assert all(row["error"] == "" for row in rows)


def test_without_a_picture_there_are_columns(run):
    done = run("predict", "missing.png", "--csv")
    assert done.lines[0] == "input,label,probability,label_2,probability_2,label_3,probability_3,error"
    assert done.code == 1


def test_a_longer_label_than_its_column_is_whole():
    table = Table(["a.png"], tuple("0123456789"), columns=60, styled=False)
    line = table.line(
        Row("a.png", LikeliestClasses([Prediction("tiger cat", 0.5), Prediction("tabby", 0.4)]))
    )
    assert line.split()[:4] == ["a.png", "tiger", "cat", "50.00%"]
    assert len(line) <= 60
