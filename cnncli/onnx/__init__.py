"""Networks as ONNX models. It needs the package ``onnx``, of the extra of that name."""
