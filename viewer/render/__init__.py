"""The forms of output, one per file."""
