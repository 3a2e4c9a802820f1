import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from cnncli.cli import kernels as kernels_command
from cnncli.cli.kernels import (
    entry_json,
    rank_of,
    render_kernel,
    render_list,
    result_in_words,
    weight_rows,
)
from cnncli.cli.options.kernels import Settings
from cnncli.errors import CnncliError
from cnncli.filters.catalog import CATALOG
from cnncli.filters.spec import parse_spec


def kernels(spec, json):
    return kernels_command.run(Settings(spec=spec, json=json))


def written(render, *arguments, width=80):
    stream = io.StringIO()
    render(*arguments, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_list_names_every_kernel_and_parameter_in_80_columns():
    text = written(render_list)
    for entry in CATALOG.values():
        assert re.search(rf"^  {re.escape(entry.name)} ", text, re.MULTILINE)
    folded = " ".join(text.split())
    for entry in CATALOG.values():
        assert entry.summary in folded
        assert not entry.parameters or f"({', '.join(p.name for p in entry.parameters)})" in folded
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_one_kernel(name):
    text = written(render_kernel, parse_spec(name))
    entry, found = CATALOG[name], parse_spec(name)
    folded = " ".join(text.split())
    assert folded.startswith(f"{name}: {entry.summary} SPEC {found.spec} Result in ")
    assert f"Source {entry.source}" in folded
    assert f"Example {entry.example.spec}" in folded
    assert f": {entry.example.note}" in folded
    assert f"Try cnncli convolve photo.jpg -k {found.spec} -o out.png" in folded
    assert re.search(r"^Plan    \S", text, re.MULTILINE)
    assert "\x1b" not in text
    for parameter in entry.parameters:
        assert re.search(rf"^{parameter.name} ", text, re.MULTILINE)
    long = [line for line in text.splitlines() if len(line) > 80]
    # Only what cannot be broken: the command to copy and a SPEC without spaces.
    assert all(line.startswith("Try ") or " " not in line.strip() for line in long)


def test_weights_are_whole_numbers_with_a_scale():
    text = written(render_kernel, parse_spec("sobel"))
    assert "dx, as written for convolution: 1/4 ×\n     1  0 -1\n     2  0 -2\n     1  0 -1\n" in text
    assert "sum 0, sum of magnitudes 2, rank 1" in text


def test_a_matrix_has_no_source_but_a_rank():
    text = written(render_kernel, parse_spec("1 2; 3 4"))
    assert text.startswith("custom\nSPEC    1 2; 3 4\n")
    assert "sum 10, sum of magnitudes 10, rank 2" in text
    assert "Try     cnncli convolve photo.jpg -k '1 2; 3 4' -o out.png" in text
    assert "Source" not in text


def test_a_file_named_like_a_kernel_is_shown_as_a_file(tmp_path):
    (tmp_path / "sobel.txt").write_text("1 2")
    text = written(render_kernel, parse_spec(str(tmp_path / "sobel.txt")), width=500)
    assert text.startswith(f"sobel\nSPEC    {tmp_path}/sobel.txt\n")


def test_large_kernels_are_shown_by_their_middle():
    heading, rows = weight_rows(parse_spec("gaussian:9").weights)
    assert heading == "the middle 9x9 of 73x73"
    assert (len(rows), len(rows[0])) == (9, 9)
    centre = parse_spec("gaussian:9").weights[36, 36]
    assert float(rows[4][4]) == pytest.approx(centre, rel=0.05)


@pytest.mark.parametrize(
    "weights", [[[1e-9, 2e-9]], [[1e20, 3.3]], [[0, 0]], [[0.123456, -0.5]], [[1 / 3, 1 / 7]]]
)
def test_written_weights_read_back(weights):
    heading, rows = weight_rows(np.array(weights))
    scale = 1 / int(heading[2:-2]) if heading else 1
    back = np.array(rows, dtype=float) * scale
    np.testing.assert_allclose(back, weights, rtol=1e-2, atol=np.abs(weights).max() * 1e-4)
    assert not any(cell.startswith("-0.0000") for row in rows for cell in row)


@pytest.mark.parametrize(
    ("spec", "rank"),
    [
        ("0 0; 0 0", 0),
        ("gaussian:2", 1),
        ("laplacian", 2),
        ("1 0 0; 0 1 0; 0 0 1", 3),
        ("box:300", 1),
        ("log:40", 2),
    ],
)
def test_rank(spec, rank):
    assert rank_of(parse_spec(spec).weights) == rank


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_spelled_arithmetic_gives_the_example(name):
    example = CATALOG[name].example
    lines, value = parse_spec(example.spec).spell_out(example.patch)
    assert lines
    assert value == pytest.approx(example.expected, abs=6e-7)


@pytest.mark.parametrize("spec", ["sobel:angle", "roberts:angle", "kirsch:direction", "line:angle"])
def test_spelled_angles(spec):
    patch = [[0, 0, 1], [0, 0, 1], [0, 0, 1]] if "line" not in spec else [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    assert parse_spec(spec).spell_out(patch)[1] == pytest.approx(0)


def test_spelled_sum_can_be_checked_by_hand():
    lines, value = parse_spec("1 2; 3 4").spell_out([[0.5, 0.25, 1], [0, 0.5, 0.1], [0, 0, 0]])
    # Flipped: 4 3 over 2 1, its last cell but one on the middle pixel.
    assert lines == ["4×0.5 + 3×0.1 = 2.3"]
    assert value == pytest.approx(2.3)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gaussian", "in colour"),
        ("sobel", "in gray, from black up"),
        ("sobel:x", "in gray, around mid-gray"),
        ("sobel:angle", "in gray, a direction: mid-gray is 0, black -180 and white 180 degrees"),
    ],
)
def test_result_in_words(spec, words):
    assert result_in_words(parse_spec(spec)) == words


def test_json_list(capsys):
    kernels(None, True)
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [found["name"] for found in objects] == list(CATALOG)
    gaussian = next(found for found in objects if found["name"] == "gaussian")
    assert gaussian == entry_json(CATALOG["gaussian"])
    assert gaussian["parameters"][0]["name"] == "sigma"
    assert "blur" in gaussian["aliases"]


@pytest.mark.parametrize("spec", ["sobel", "kirsch", "median", "1 2; 3 4"])
def test_json_of_one(capsys, spec):
    kernels(spec, True)
    (line,) = capsys.readouterr().out.splitlines()
    found, filter = json.loads(line), parse_spec(spec)
    assert found["spec"] == filter.spec
    assert found["plan"]
    assert len(found["kernels"]) == len(filter.shown_weights())
    for shown, (_, weights) in zip(found["kernels"], filter.shown_weights(), strict=True):
        np.testing.assert_array_equal(shown["weights"], weights)
        assert shown["sum"] == pytest.approx(weights.sum())


def test_tables_go_to_stdout(capsys):
    kernels(None, False)
    listed = capsys.readouterr()
    assert "gaussian" in listed.out
    assert listed.err == ""
    kernels("gaussian", False)
    assert "SPEC    gaussian:sigma=1,size=9" in capsys.readouterr().out


def test_wrong_spec():
    with pytest.raises(CnncliError, match="unknown kernel 'soble'"):
        kernels("soble", False)


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        ("1 2 3; 0 -1 0.5; -1 -2 0", ["1 2 3", "0 -1 0.5", "-1 -2 0"]),
        ("0.25 0.5 0.25", ["0.25 0.5 0.25"]),
        ("0.125 -0.001", ["0.125 -0.001"]),
    ],
)
def test_a_matrix_is_shown_as_it_was_given(run, spec, rows):
    lines = run("kernels", spec).out.decode().splitlines()
    start = lines.index("Weights, as written for convolution") + 1
    assert [" ".join(line.split()) for line in lines[start : start + len(rows)]] == rows
