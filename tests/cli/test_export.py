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


@pytest.mark.parametrize(("roundings", "code"), [(8, 0), (0, 2)])
def test_a_network_may_differ_by_what_the_last_digit_of_its_input_makes(run, monkeypatch, roundings, code):
    from cnncli.cli import export

    monkeypatch.setattr(export, "MOST_APART", 1e-12)
    monkeypatch.setattr(export, "ROUNDINGS", roundings)
    done = run("export", "digits", "--verify")
    assert done.code == code
    said = (
        "rounding, and the last digit of its input moves them by" if code == 0 else "; expected at most 1e-12"
    )
    assert said in done.err


def test_the_last_digit_of_the_input_moves_a_product_by_its_own_share():
    """Through one fully connected layer, a float that moves by its last digit moves by 2^-24 to 2^-23."""
    from cnncli.models.choice import architecture
    from cnncli.nn import Network
    from cnncli.onnx.model import sensitivity
    from cnncli.tasks.classification import Classification
    from cnncli.tasks.preprocessing import Preprocessing
    from cnncli.training.checkpoint import Checkpoint

    made = architecture("flatten fc", (1, 1, 1), 2, of="images")
    pictures = Preprocessing((1, 1), 1, (0.0,), (1.0,))
    net = Checkpoint(Network(made.graph(), seed=1).export(), Classification(("a", "b")), pictures, made)
    assert 2**-25 < sensitivity(net) < 2**-22


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
