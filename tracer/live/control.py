"""Where the control sockets are; the program's own socket.

Imports nothing that a plain `python` has not loaded already.
"""

import os
import stat

from tracer.errors import TracerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

SUFFIX = ".sock"


def folders() -> "Iterator[str]":
    """Where this user's sockets are: the best place first. A program may use any of them,
    since its environment may differ from that of who asks."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        yield os.path.join(runtime, "tracer")
    yield f"/tmp/tracer-{os.geteuid()}"


def open_folder(path: str) -> int:
    """A descriptor for a folder that this user alone can use.

    Raises OSError if there is none, TracerError if others have a hand in it.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags)
    about = os.fstat(fd)
    if about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return fd
    os.close(fd)
    raise TracerError(f"{path!r} is not this user's alone, so it is not used.")


def listen(core: "ModuleType", mode: str, file: str, argv: str, python: str) -> str:
    """Opens this process's socket. Returns why there is none; "" if there is one."""
    reasons = []
    name = f"{os.getpid()}{SUFFIX}"
    for path in folders():
        try:
            folder = _own_folder(path)
            core.control_open(folder, name, mode, file, argv, python)
        except (OSError, TracerError) as error:
            reasons.append(str(error))
        else:
            return ""
    return "; ".join(reasons)


def _own_folder(path: str) -> int:
    try:
        return open_folder(path)
    except FileNotFoundError:
        try:  # noqa: SIM105 - plain python has not loaded contextlib
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        return open_folder(path)
