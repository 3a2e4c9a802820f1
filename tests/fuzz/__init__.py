"""Damaged and hostile files, thousands of them: ``python -m tests.fuzz --files 3000``."""
