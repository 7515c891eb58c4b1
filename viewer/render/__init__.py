"""One output form per file."""
