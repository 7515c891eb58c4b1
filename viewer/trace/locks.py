"""Whether somebody is writing a file: the recorder locks what it writes."""

import fcntl
import struct

# Bound to the opening of the file, not to the process; Linux has them.
_GET = getattr(fcntl, "F_OFD_GETLK", None)
_WAIT = getattr(fcntl, "F_OFD_SETLKW", None)
_FLOCK = struct.Struct("@hhqqi0q")  # type, whence, start, length (0: to the end), pid


def _read_lock() -> bytes:
    return _FLOCK.pack(fcntl.F_RDLCK, 0, 0, 0, 0)


def is_locked(fd: int) -> bool:
    """Whether a file is being written; asking changes nothing. False where nobody knows."""
    if _GET is None:
        return False
    try:
        found = fcntl.fcntl(fd, _GET, _read_lock())
    except OSError:
        return False
    return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)


def await_unlocked(fd: int) -> None:
    """Returns when nobody writes the file any more."""
    if _WAIT is not None:
        fcntl.fcntl(fd, _WAIT, _read_lock())
