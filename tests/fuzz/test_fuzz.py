"""The judge of damaged files itself: what it must find, it finds, and its files are the same every time."""

import json
from random import Random

import pytest

from cnncli.cli.run import run
from tests.fuzz.judge import FORMATS, faults, make, verdict
from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seeds

FILES = [name for name in FORMATS if name not in ("config", "state")]


@pytest.mark.parametrize("format", FILES)
def test_seeds_are_sound(format, tmp_path):
    """What is damaged is a file that is read when it is not: otherwise nothing behind the door is tried."""
    for number, data in enumerate(seeds(format)):
        place = tmp_path / str(number)
        place.mkdir()
        case = make(0, 0, place, format=format, data=data)
        command = case.command
        if command[0] == "convolve" and command[1] == str(case.path):
            # To TIFF, which holds pages and frames of every depth.
            command = (*command[:2], "-k", "identity", "-o", str(place / "sound.tif"))
        assert run(command) == 0, (number, command)


@pytest.mark.parametrize("format", FORMATS)
def test_damage_depends_on_the_number_alone(format):
    data = seeds(format)[0]
    first, second = (mutated(data, format, Random("5/7")) for _ in range(2))
    assert first == second
    assert any(mutated(data, format, Random(str(number))) != data for number in range(9))


@pytest.mark.parametrize("number", range(len(FORMATS)))
def test_a_damaged_file_of_each_format(number, tmp_path):
    assert faults(make(1, number, tmp_path)) == []


ERROR = "error: x.png is damaged\nhint: Copy it again.\n"


@pytest.mark.parametrize(
    ("code", "out", "said", "written", "found"),
    [
        (0, b'{"a": 1}\n', "", True, None),
        (1, b"", ERROR, False, None),
        (1, b"", "error: internal error (KeyError: 'x')\nhint: report\n", False, "internal error"),
        (1, b"", "Traceback (most recent call last):", False, "internal error"),
        (1, b"", "", False, "no error of two lines"),
        (1, b"", ERROR, True, "left an output"),
        (0, b'{"a": NaN}\n', "", True, "NaN in JSON"),
        (0, b"{\n", "", True, "not JSON"),
        (-11, b"", ERROR, False, "exit code -11"),
        (1, b"", ERROR + "\x1b]0;title\x07", False, "control characters"),
        (1, b"", ERROR + "x" * 5000, False, "characters of messages"),
    ],
)
def test_the_verdict(code, out, said, written, found):
    problems = verdict(code, out, said, written=written)
    assert json.dumps(problems).find(found or "") >= 0
    assert bool(problems) == (found is not None)
