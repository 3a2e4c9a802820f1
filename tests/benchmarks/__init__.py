"""How fast cnncli is beside its peers: ``python -m tests.benchmarks`` prints the table."""
