"""The exceptions a user may see: one line each that says what, which, why and what next.

TracerError
├── UsageError               the command line makes no sense
├── NotInTraceError          the trace has nothing of what is asked for
├── TraceFileError           the trace cannot be read, or the output cannot be written
│   └── BusyTraceError       … because another recording goes into it
└── LaunchError              the program to trace cannot be started
    └── MissingProgramError  … because there is no such file
"""


class TracerError(Exception):
    """Base of every refusal; `str(error)` is the whole line shown to the user."""

    exit_code = 1


class UsageError(TracerError):
    """A command line that makes no sense."""

    exit_code = 2


class NotInTraceError(TracerError):
    """What was asked for (a task, a region, a function, a moment) is not in the trace."""


class TraceFileError(TracerError):
    """A trace file that cannot be read or written."""


class BusyTraceError(TraceFileError):
    """A trace file that another recording is writing."""


class LaunchError(TracerError):
    """A program that cannot be started under the recorder."""


class MissingProgramError(LaunchError):
    """A program that does not exist; the exit code is python's own."""

    exit_code = 2
