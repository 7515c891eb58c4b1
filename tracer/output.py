"""The file of a recording: what it may replace, how it is opened, the files beside it."""

import os
import stat

from tracer.errors import BusyTraceError, TraceFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES = 4096
GZIP_MAGIC = b"\x1f\x8b"
PROFILES = ("cpu", "wall")  # what `tracer run` writes beside the trace


def is_trace(path: str) -> bool:
    """Whether a regular file is empty or begins like a trace."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:
        return False
    return not head or (head[:1] == b"\n" and b"recording" in head and b"schema" in head)


def open_trace(path: str, *, force: bool, lock: "Callable[[int], bool]") -> int:
    """A descriptor for a trace, which the child of a fork-and-exec does not inherit. The file
    keeps its contents until the recording has begun.

    `lock` marks it as being recorded while the descriptor is open.

    Raises TraceFileError when the file cannot be written, or is not a trace and `force` is
    not set; BusyTraceError when another process is recording into it.
    """
    if not force and os.path.isfile(path) and not is_trace(path):
        raise TraceFileError(
            f"{path!r} exists and is not a trace. Choose another name, or pass force=True."
        )
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode) and not lock(fd):
            raise BusyTraceError(
                f"cannot write {path!r}: another process is recording into it. "
                "Choose another name, or stop that recording first."
            )
    except BaseException:
        os.close(fd)
        raise
    return fd


def cannot_write(path: str, error: OSError) -> TraceFileError:
    return TraceFileError(f"cannot write {path!r}: {error.strerror}.")


def profile_path(trace: str, type_: str) -> str:
    """Where a profile of the trace is written by default."""
    return f"{os.path.splitext(trace)[0]}.{type_}.pprof"


def is_replaceable(profile: str) -> bool:
    """Whether the file does not exist, or may be a profile."""
    if not os.path.lexists(profile):
        return True
    if not os.path.isfile(profile):
        return False
    try:
        with open(profile, "rb") as stream:
            return stream.read(2) in (b"", GZIP_MAGIC)
    except OSError:
        return False


def discard_profiles(trace: str) -> None:
    """Removes the profiles of a former trace: beside another one they would mislead."""
    for type_ in PROFILES:
        profile = profile_path(trace, type_)
        if os.path.exists(profile) and is_replaceable(profile):
            discard(profile)


def discard(path: str) -> None:
    try:  # noqa: SIM105 - plain python has not loaded contextlib
        os.unlink(path)
    except OSError:  # it stays: the directory is not writable
        pass
