"""Files of any content: written whole or not at all, locked, and named in messages."""
