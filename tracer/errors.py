"""The exceptions a user may see: one line each that says what, which, why and what next.

TracerError
├── UsageError               the command line makes no sense
├── NotInTraceError          the trace has nothing that matches
├── TraceFileError           the trace cannot be read, or the output cannot be written
│   └── BusyTraceError       … because another recording writes to it
├── FinderError              a part of the findings could not be looked for
└── LaunchError              the program to trace cannot be started
    └── MissingProgramError  … because there is no such file
"""


class TracerError(Exception):
    """The base of all refusals; `str(error)` is the whole line that the user sees."""

    exit_code = 1


class UsageError(TracerError):
    """A command line that makes no sense."""

    exit_code = 2


class NotInTraceError(TracerError):
    """The trace does not have the requested task, region, function or moment."""


class TraceFileError(TracerError):
    """A trace file that cannot be read or written."""


class BusyTraceError(TraceFileError):
    """A trace file that another recording is writing."""


class FinderError(TracerError):
    """A fault of ours: the output is complete but for some of the findings."""


class LaunchError(TracerError):
    """A program that cannot be started under the recorder."""


class MissingProgramError(LaunchError):
    """A program that does not exist; the exit code is python's own."""

    exit_code = 2
