"""Random networks of the whole grammar against PyTorch in float64: ``python -m tests.nn.differential``."""
