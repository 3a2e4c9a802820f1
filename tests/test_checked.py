"""JSON from outside: only what was asked for comes in, and the first wrong value is named."""

import re

import pytest

from cnncli.checked import Fields, MalformedError, as_json, parse_json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1,]", "not JSON"),
        (b'"\xff"', "byte 2 is not UTF-8"),
        ("[" * 100_000, "nested"),
        ("[" * 65 + "]" * 65, "nested more than 64 deep"),
        ("1e999", "beyond the range"),
        ('{"a": [1, -1e999]}', "beyond the range"),
        ("9" * 5000, "thousands of digits"),
    ],
)
def test_what_is_no_json(text, message):
    with pytest.raises(MalformedError, match=message):
        parse_json(text)


def test_what_is():
    assert parse_json(b'{"a": [1, 2.5, "x", null, true], "b": NaN, "c": -Infinity}') == {
        "a": [1, 2.5, "x", None, True],
        "b": None,
        "c": None,
    }
    assert parse_json("[" * 64 + "]" * 64)


VALUES = {
    "n": 5, "x": 2.5, "t": "text", "f": False, "o": {"inner": [1, 2]}, "none": None, "l": ["a", "b"],
    "big": 10**400, "rows": [{"a": 1}, {"a": "b"}],
}  # fmt: skip


def test_values_of_the_right_kind():
    fields = Fields(VALUES)
    assert fields.whole("n", 0, 5) == 5
    assert fields.number("n") == 5.0
    assert fields.number("x", 2.5, 2.5) == 2.5
    assert fields.text("t") == "text"
    assert fields.flag("f") is False
    assert fields.fields("o").wholes("inner", 2, 1, 2) == (1, 2)
    assert fields.fields("o").numbers("inner", 2) == (1.0, 2.0)
    assert fields.optional_text("none") is None
    assert fields.optional_record("none") is None
    assert fields.record("o") == {"inner": [1, 2]}
    assert fields.texts("l") == ("a", "b")
    assert [row.raw() for row in fields.rows("rows")] == [{"a": 1}, {"a": "b"}]
    assert "n" in fields
    assert "m" not in fields


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda f: f.whole("m", 0, 9), "m is missing"),
        (lambda f: f.whole("n", 6, 9), "n is 5; expected a whole number from 6 to 9"),
        (lambda f: f.whole("f", 0, 9), "f is false; expected a whole number"),
        (lambda f: f.whole("x", 0, 9), "x is 2.5"),
        (lambda f: f.number("t"), 't is "text"; expected a number'),
        (lambda f: f.number("big"), "big is 1000"),
        (lambda f: f.number("x", 3, 4), "x is 2.5; expected a number from 3 to 4"),
        (lambda f: f.number("f"), "f is false"),
        (lambda f: f.text("none"), "none is null; expected text"),
        (lambda f: f.flag("n"), "n is 5; expected true or false"),
        (lambda f: f.fields("l"), "l is a list of 2; expected an object"),
        (lambda f: f.record("t"), "expected an object"),
        (lambda f: f.texts("o"), "o is an object of 1; expected a list"),
        (lambda f: f.fields("o").texts("inner"), "o.inner is 1; expected a list of texts"),
        (lambda f: f.fields("o").wholes("inner", 3, 0, 9), "o.inner has 2 values; expected 3"),
        (lambda f: f.rows("rows")[1].whole("a", 0, 1), 'rows[1].a is "b"'),
        (lambda f: f.only({"n"}), "unknown or missing"),
        (lambda f: Fields(["x"], "header"), "header is a list of 1"),
    ],
)
def test_the_first_wrong_value_is_named(ask, message):
    with pytest.raises(MalformedError, match=re.escape(message)):
        ask(Fields(VALUES))


def test_long_values_are_cut_in_messages():
    with pytest.raises(MalformedError) as caught:
        Fields({"n": "x" * 10_000}).whole("n", 0, 1)
    assert len(str(caught.value)) < 200


def test_numbers_that_are_none_are_written_as_null():
    value = {"a": [1.5, float("nan"), (float("inf"), {"b": -float("inf")})], "c": "Ä", "d": None, "e": 10**20}
    assert as_json(value) == '{"a":[1.5,null,[null,{"b":null}]],"c":"Ä","d":null,"e":100000000000000000000}'
