"""The exceptions a user may see: one line each, saying what, which, why and what next.

TracerError
├── TraceFileError     the trace cannot be read, or the output cannot be written
└── LaunchError        the program to trace cannot be started
"""


class TracerError(Exception):
    """Base of every refusal; `str(error)` is the whole line shown to the user."""

    exit_code = 1


class TraceFileError(TracerError):
    """A trace file that cannot be read or written."""


class LaunchError(TracerError):
    """A program that cannot be started under the recorder."""
