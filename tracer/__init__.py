"""The recorder: runs inside the traced program, imports only the standard library and its C core."""

__version__ = "0.1.0"
