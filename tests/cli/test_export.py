"""``cnncli export``: what is written, said and refused."""

import json

import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def test_a_model_is_compared_and_written(run, tmp_path):
    done = run("export", "digits", "--verify", "--json")
    about = json.loads(done.out)
    assert (about["output"], about["opset"]) == ("digits.onnx", 17)
    assert about["difference"] < 5e-6
    model = onnx.load(tmp_path / "digits.onnx")
    onnx.checker.check_model(model)
    assert model.ir_version <= 9
    assert run("export", "digits.safetensors", "-o", "again.onnx").code == 2


def test_standard_output_takes_a_model(run):
    done = run("export", "digits", "-o", "-")
    assert onnx.load_from_string(done.out).producer_name == "cnncli"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["digits", "--opset", "30"], "--opset is 30; expected 13 to 20"),
        (["digits", "--with-preprocessing"], "prepared as digits are"),
        (["nowhere.safetensors"], "no such file"),
    ],
)
def test_what_cannot_be_exported_leaves_no_file(run, tmp_path, words, told):
    done = run("export", *words)
    assert done.code == 2
    assert told in done.err
    assert list(tmp_path.iterdir()) == []
