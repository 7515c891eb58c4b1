"""The file of a recording: which existing files it may replace, and how it is opened."""

import os

from tracer.errors import TraceFileError

HEAD_BYTES = 4096


def is_trace(path: str) -> bool:
    """Whether a regular file is empty or begins as our traces do."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:
        return False
    return not head or (head[:1] == b"\n" and b"recording" in head and b"schema" in head)


def open_trace(path: str, *, force: bool) -> int:
    """A descriptor for a new, empty trace; the child of a fork-and-exec does not get it.

    Raises TraceFileError when the file cannot be written, or is not a trace and `force` is
    not set.
    """
    if not force and os.path.isfile(path) and not is_trace(path):
        raise TraceFileError(
            f"{path!r} exists and is not a trace. Choose another name, or pass force=True."
        )
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except OSError as error:
        raise TraceFileError(f"cannot write {path!r}: {error.strerror}.") from None
