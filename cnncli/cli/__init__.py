"""Layer 7: thin Typer commands that parse, call and render."""
