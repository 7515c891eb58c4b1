"""The recorder: runs inside the traced program, on the standard library and its C core."""

__version__ = "0.1.0"
