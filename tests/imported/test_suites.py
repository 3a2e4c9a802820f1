"""Models that nobody here wrote: the cases, converted PyTorch models and light graphs of the onnx wheel."""

import collections
import warnings
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from light import LIGHT, compared  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from runner import answers  # noqa: E402

from cnncli.errors import CnncliError  # noqa: E402
from cnncli.onnx.families import OPERATORS  # noqa: E402

DATA = Path(onnx.__file__).parent / "backend/test/data"
#: Of the issue: those that real exporters write for convolutional networks.
ASKED = (
    *(
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Conv",
    ),
    *(
        "ConvTranspose",
        "Div",
        "Dropout",
        "Erf",
        "Flatten",
        "Gather",
        "Gemm",
        "GlobalAveragePool",
        "HardSigmoid",
    ),
    *("HardSwish", "Identity", "LRN", "LeakyRelu", "MatMul", "MaxPool", "Mul", "Pad", "ReduceMean", "Relu"),
    *("Reshape", "Resize", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Sub", "Sum", "Tanh"),
    *("Transpose", "Unsqueeze"),
)
NOT_TENSORS = {"test_identity_sequence", "test_identity_opt"}
#: They need the memory of more digits than float32 has, or powers of numbers by one another.
NOT_OURS = {
    "test_operator_add_broadcast",
    "test_operator_add_size1_broadcast",
    "test_operator_add_size1_right_broadcast",
    "test_operator_add_size1_singleton_broadcast",
    "test_operator_addconstant",
    "test_operator_pow",
}


def agree(got, wanted, rtol, atol):
    """Whether outputs are those that are expected, with their shapes."""
    for found, expected in zip(got, wanted, strict=False):
        theirs = numpy_helper.to_array(expected) if hasattr(expected, "data_type") else np.asarray(expected)
        ours = np.asarray(found)
        assert ours.shape == theirs.shape
        if theirs.dtype.kind == "f":
            np.testing.assert_allclose(ours.astype(np.float64), theirs.astype(np.float64), rtol, atol)
        else:
            assert ours.tobytes() == theirs.tobytes() or np.array_equal(ours, theirs)


def test_cases_of_the_operators():
    """As a network where there is an image; of what is left, all but sequences are constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the makers of the cases divide by 0 and overflow on purpose
        from onnx.backend.test.case.node import collect_testcases

        chosen = {
            case.name: case
            for case in collect_testcases(None)
            if case.model is not None and {node.op_type for node in case.model.graph.node} <= set(ASKED)
        }
        done, wrong = collections.Counter(), []
        for name, case in chosen.items():
            for inputs, outputs in case.data_sets:
                try:
                    got, how = answers(case.model, inputs)
                    agree(got, outputs, case.rtol, case.atol)
                    done[how] += 1
                except (AssertionError, CnncliError) as error:
                    wrong.append((name, str(error)[:200]))
    assert {name for name, _ in wrong} <= NOT_TENSORS, wrong
    assert done["whole"] + done["batch"] >= 250
    assert sum(done.values()) >= 440


def tensor(path):
    found = onnx.TensorProto()
    found.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(found)


@pytest.mark.parametrize(("kind", "networks"), [("pytorch-converted", 80), ("pytorch-operator", 27)])
def test_converted_models(kind, networks):
    done, wrong = collections.Counter(), {}
    for folder in sorted((DATA / kind).iterdir()):
        model = onnx.load(folder / "model.onnx")
        for case in folder.glob("test_data_set_*"):
            inputs, outputs = (
                [tensor(path) for path in sorted(case.glob(f"{name}_*.pb"))] for name in ("input", "output")
            )
            try:
                got, how = answers(model, inputs, folds=not any(each.dtype.kind == "f" for each in inputs))
                agree(got, outputs, 1e-3, 1e-7)
                done[how] += 1
            except (AssertionError, CnncliError, TypeError) as error:
                wrong[folder.name] = str(error)[:200]
    assert set(wrong) <= NOT_OURS, wrong
    assert done["whole"] + done["batch"] >= networks


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_light_graphs(name):
    """The others run by ``python -m tests.imported.light``."""
    assert name in LIGHT
    assert compared(name) < 5e-6


def test_the_issues_operators_are_known():
    constants = {"Constant", "ConstantOfShape"}  # which read no image
    assert set(ASKED) - constants <= set(OPERATORS)
