"""An ONNX model run by us: as a network where it is one, of the first real input; else as constants."""

from pathlib import Path

import numpy as np
from onnx import numpy_helper

from cnncli.errors import CnncliError
from cnncli.nn import Inference, Network
from cnncli.onnx.layout import placed, unplaced
from cnncli.onnx.read import model_of
from cnncli.onnx.translation import Translation, Value, usual
from cnncli.records import replace

HERE = Path("model.onnx")


def answers(proto, inputs, *, folds=True):
    """The outputs, and how they were computed: ``whole``, ``batch`` (sample by sample) or ``folded``."""
    model = model_of(proto, HERE)
    arrays = [
        numpy_helper.to_array(each) if hasattr(each, "data_type") else np.asarray(each) for each in inputs
    ]
    fed = dict(zip(model.inputs, arrays, strict=False))
    fits = all(_is_image(each) for each in fed.values() if each.dtype.kind == "f" and each.size and each.ndim)
    image = next((name for name, each in fed.items() if _is_image(each)), None) if fits else None
    first = None
    if image is not None:
        x = fed.pop(image)
        held = replace(model, constants={**model.constants, **fed})
        tries = [("whole", x[None], x.shape)]
        if len(x) > 1:
            tries.append(("batch", x[:, None], (1, *x.shape[1:])))
        for how, samples, dims in tries:
            try:
                return network(held, image, samples, dims, joined=how == "batch"), how
            except CnncliError as fault:
                first = first or fault
        fed[image] = x
    if not folds and first:
        raise first
    constant = Translation(
        replace(model, constants={**model.constants, **fed}), "", usual((1, 1, 1, 1), "input")
    )
    constant.run()
    return [constant.values[name] for name in model.outputs], "folded"


def _is_image(array):
    """Real numbers that float32 holds."""
    if array.dtype.kind != "f" or not array.ndim or not array.size:
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(array.astype(np.float32)).all())


def network(model, image, samples, dims, *, joined=False):
    """The outputs for each sample, as arrays of ONNX's dims; one after the other where they are joined."""
    taken = usual(dims, "input")
    t = Translation(model, image, taken)
    t.run()
    x = np.stack([placed(np.ascontiguousarray(each, np.float32), taken) for each in samples])
    values = [t.values[name] for name in model.outputs]
    computed = [each for each in values if isinstance(each, Value)]
    if not computed:
        raise CnncliError("it computes nothing of its image", "Fold it.")
    found = {}
    for value in computed:
        if value.node == "input":
            found[value.node] = x
        elif value.node not in found:
            found.update(run(t, value.node, x))
    results = []
    for value in values:
        if not isinstance(value, Value):
            results.append(value)
            continue
        each = [unplaced(one.reshape(value.shape), value) for one in found[value.node]]
        results.append(np.concatenate(each) if joined else each[0])
    return results


def run(t, node, x):
    graph = t.graph.pruned([node])
    net = Network(graph, scheme=None)
    net.load(t.arrays)
    return {node: Inference(net, len(x)).run(np.ascontiguousarray(x))}
