"""The formats of other tools, one per file."""
