"""The light graphs of the onnx wheel with seeded weights: the largest difference from ONNX Runtime.

``python -m tests.imported.light [NAME …]`` compares all of them, or those that are named.
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

try:
    from runner import HERE, network
except ImportError:
    from tests.imported.runner import HERE, network

from cnncli.onnx.read import model_of

FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"
LIGHT = sorted(path.stem.removeprefix("light_") for path in FOLDER.glob("*.onnx"))


def seeded(name):
    """A light graph, whose weights are all the same, with others; without the softmax at its end."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    graph, random = model.graph, np.random.default_rng(0)
    shapes = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    norms = {node.input[at] for node in graph.node if node.op_type == "BatchNormalization" for at in (1, 4)}
    kept = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(dim) for dim in shapes[node.input[0]])
        if len(shape) > 1:
            values = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        else:
            values = (
                random.uniform(0.5, 1.5, shape)
                if node.output[0] in norms
                else 0.1 * random.standard_normal(shape)
            )
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    if kept[-1].op_type == "Softmax":
        graph.output[0].name = kept.pop().input[0]
    del graph.node[:]
    graph.node.extend(kept)
    return model


def compared(name):
    """The largest difference of outputs, as a share of the largest output."""
    model = seeded(name)
    constants = {each.name for each in model.graph.initializer}
    (taken,) = (each for each in model.graph.input if each.name not in constants)
    dims = tuple(dim.dim_value for dim in taken.type.tensor_type.shape.dim)
    x = np.random.default_rng(1).standard_normal(dims).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it tells of every constant that nothing reads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    (wanted,) = session.run(None, {taken.name: x})
    (got,) = network(model_of(model, HERE), taken.name, x, dims)
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


if __name__ == "__main__":
    for each in sys.argv[1:] or LIGHT:
        start = time.perf_counter()
        print(
            f"{each:15} {compared(each):.2g} of the largest output, {time.perf_counter() - start:.1f} s",
            flush=True,
        )
