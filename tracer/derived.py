"""The profiles beside a trace: a process that is left behind writes them when the program has
ended.

Imports nothing that a plain `python` has not loaded already.
"""

import os
import sys

from tracer import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Of larger traces only `tracer pprof` makes a profile: reading them takes a second or more.
PROFILED_BYTES = 256 << 20
DERIVE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from viewer.commands.profiles import derive_quietly; derive_quietly(*sys.argv[2:])"
)


class Profile:
    """A profile that is about to be written: a file of another name, locked meanwhile.

    Whoever looks for the profile finds the lock, and waits.
    """

    def __init__(self, type_: str, path: str, lock: "Callable[[int], bool]") -> None:
        self.type = type_
        self.path = path
        folder, name = os.path.split(path)
        self.partial = os.path.join(folder, f".{name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self.fd = os.open(self.partial, flags, 0o666)
        lock(self.fd)

    def drop(self) -> None:
        os.unlink(self.partial)
        os.close(self.fd)


def derive_profiles(
    trace: str,
    types: tuple[str, ...],
    lock: "Callable[[int], bool]",
    say: "Callable[[str], None]",
) -> None:
    """Leaves a process behind that writes these profiles beside the trace.

    The program has ended, and whoever waits for it must not wait for this. The process
    holds none of its files and prints nothing; it is in a session of its own, so that
    signals from the terminal do not reach it. `say` tells the user.
    """
    profiles: list[Profile] = []
    for type_ in types:
        path = output.profile_path(trace, type_)
        if not output.is_replaceable(path):
            say(f"no {type_} profile: {path} exists and is something else")
            continue
        try:
            profiles.append(Profile(type_, path, lock))
        except OSError as error:
            say(f"no {type_} profile: cannot write {path}: {error.strerror}")
    if not profiles:
        return
    # Their numbers there are above all numbers here: none is overwritten before it is copied.
    first = max(profile.fd for profile in profiles) + 1
    files: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_DUP2, profile.fd, first + i) for i, profile in enumerate(profiles)
    ]
    files += [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    root = __file__.rpartition("/")[0].rpartition("/")[0]
    command = [sys.executable, "-E", "-P", "-W", "ignore", "-c", DERIVE, root, trace]
    for i, profile in enumerate(profiles):
        command += [profile.type, str(first + i), profile.partial, profile.path]
    try:
        os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)
    except OSError:  # no process could be started: `tracer pprof` does the same
        for profile in profiles:
            profile.drop()
