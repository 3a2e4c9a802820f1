"""One helper asks "Did you mean …?"; nothing else does."""

import re
from pathlib import Path

import cnncli
from cnncli.nearest import did_you_mean, meant

PACKAGE = Path(cnncli.__file__).parent


def test_the_nearest_word_is_asked_about_and_what_else_to_do_follows():
    assert did_you_mean("gausian", ["sobel", "gaussian"]) == "Did you mean gaussian?"
    assert did_you_mean("SGDD", ["adam", "sgd"], "Leave it out.") == "Did you mean sgd? Leave it out."
    assert did_you_mean("valid", ["test", "val"], form="--split {}") == "Did you mean --split val?"


def test_words_cut_short_are_found():
    assert did_you_mean("mag", ["x", "y", "magnitude"]) == "Did you mean magnitude?"


def test_an_alias_is_shown_as_what_it_stands_for():
    assert did_you_mean("blurr", ["blur"], instead={"blur": "gaussian"}) == "Did you mean gaussian?"


def test_where_nothing_is_near_only_the_rest_is_said():
    assert did_you_mean("xyzzy", ["sobel"]) == ""
    assert did_you_mean("xyzzy", ["sobel"], "Say sobel.") == "Say sobel."
    assert did_you_mean("", ["sobel"]) == ""


def test_no_number_is_meant_by_another():
    assert did_you_mean("10", ["0", "1", "9", "100"], "Count from 0.") == "Count from 0."
    assert did_you_mean("conv10", ["conv1", "fc"]) == "Did you mean conv1?"


def test_what_is_certain():
    assert meant("-k gaussian:2", "List them.") == "Did you mean -k gaussian:2? List them."


def test_nothing_else_in_the_package_suggests():
    suggesting = re.compile(r"get_close_matches|did you mean", re.IGNORECASE)
    guilty = [path.name for path in PACKAGE.rglob("*.py") if suggesting.search(path.read_text())]
    assert guilty == ["nearest.py"]
