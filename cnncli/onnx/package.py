"""The package ``onnx``, which an extra brings."""

from typing import Any

from cnncli.errors import CnncliError


def onnx_package(what: str) -> Any:
    """The package onnx, with its helpers.

    Parameters
    ----------
    what : str
        What it is needed for: ``read`` or ``write``.

    Raises
    ------
    CnncliError
        Where it is not installed.
    """
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise CnncliError(
            f"the package onnx is not installed; expected it to {what} ONNX models",
            "Install it with pip install 'cnncli[onnx]'.",
        ) from error
    return onnx
