"""Blocking calls of the standard library, by the names that programmers know."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

# As in enum call_class of core/ring/records.h.
IO, SLEEP, LOCK = 1, 2, 3

# Modules whose calls are no I/O: the wait's name, and its class.
OTHERS = {"time": ("sleep", SLEEP), "_imp": ("lock wait: import lock", LOCK)}

# As in enum moved of core/signals/calls/calls.c; the functions whose result is the number of
# bytes they moved, and the one that takes text for an output.
UNKNOWN, BYTES, TEXT = 0, 1, 2
PRINTS = "TextIOWrapper.write"
COUNTED = (
    "recv", "recv_into", "send", "sendto", "read", "readinto",
    "readinto1", "read1", "readall", "write", "pread", "pwrite",
    "readv", "writev", "preadv", "pwritev", "sendfile", "copy_file_range",
    "splice",
)  # fmt: skip

# C module -> the name that its users know, and what blocks in it.
CALLS: "dict[str, tuple[str, str]]" = {
    "time": ("time", "sleep"),
    "_imp": ("", "acquire_lock"),
    "_socket": (
        "socket",
        "socket.recv socket.recv_into socket.recvfrom socket.recvfrom_into socket.recvmsg"
        " socket.recvmsg_into socket.send socket.sendall socket.sendto socket.sendmsg"
        " socket._accept socket.connect socket.connect_ex getaddrinfo getnameinfo"
        " gethostbyname gethostbyname_ex gethostbyaddr",
    ),
    "select": ("select", "select poll().poll epoll.poll"),
    "_io": (
        "io",
        "open FileIO.read FileIO.readall FileIO.readinto FileIO.write FileIO.truncate"
        " FileIO.close BufferedReader.read BufferedReader.read1 BufferedReader.readinto"
        " BufferedReader.readinto1 BufferedReader.readline BufferedReader.peek"
        " BufferedWriter.write BufferedWriter.flush BufferedWriter.close"
        " BufferedRandom.read BufferedRandom.write BufferedRandom.flush"
        " BufferedReader.close TextIOWrapper.read TextIOWrapper.readline TextIOWrapper.write"
        " TextIOWrapper.flush TextIOWrapper.close",
    ),
    "posix": (
        "os",
        "read write pread pwrite readv writev preadv pwritev sendfile copy_file_range splice"
        " open close fsync fdatasync ftruncate lockf waitpid wait wait3 wait4 waitid system"
        " posix_spawn posix_spawnp listdir scandir stat lstat rename replace unlink remove"
        " mkdir rmdir link symlink getrandom posix_fallocate posix_fadvise openpty",
    ),
    "_posixsubprocess": ("subprocess", "fork_exec"),
    "_ssl": (
        "ssl",
        "_SSLSocket.read _SSLSocket.write _SSLSocket.do_handshake _SSLSocket.shutdown"
        " _SSLContext.load_verify_locations _SSLContext.set_default_verify_paths",
    ),
    "_sqlite3": (
        "sqlite3",
        "connect Connection.execute Connection.executemany Connection.executescript"
        " Connection.commit Connection.rollback Connection.backup Connection.close"
        " Cursor.execute Cursor.executemany Cursor.executescript Cursor.fetchone"
        " Cursor.fetchmany Cursor.fetchall",
    ),
    "fcntl": ("fcntl", "fcntl flock lockf ioctl"),
    "signal": ("signal", "pause sigwaitinfo sigtimedwait"),
    "_signal": ("signal", "pause sigwaitinfo sigtimedwait"),
    "_multiprocessing": ("multiprocessing", "SemLock.acquire SemLock.__enter__"),
    "mmap": ("mmap", "mmap.flush"),
    "termios": ("termios", "tcdrain"),
}
SHOWN = {"_SSLSocket": "SSLSocket", "_SSLContext": "SSLContext", "_accept": "accept"}


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Names the calls of every loaded module, and of the others when they are loaded."""
    for module in CALLS:
        tool.after_import(module, lambda module=module: _watch(core, module))  # type: ignore[misc]
    tool.learn_calls()
    return lambda: core.unwatch_calls()


def _watch(core: "ModuleType", name: str) -> None:
    module, (shown, paths) = sys.modules[name], CALLS[name]
    for path in paths.split():
        found = _find(module, path)
        if found is None:
            continue
        last = path.rpartition(".")[2]
        parts = path.replace("()", "").split(".")
        title = ".".join((shown, *(SHOWN.get(part, part) for part in parts)))
        if path.startswith("socket.") or path.startswith("mmap."):
            title = title.partition(".")[2]
        wait, call_class = OTHERS.get(name, (f"io: {title}", IO))
        moves = TEXT if path == PRINTS else BYTES if last in COUNTED else UNKNOWN
        core.watch_call(found, wait, call_class, moves)


def _find(module: "ModuleType", path: str) -> object:
    """The unbound method of a class; None where this version does not have it.

    `poll()` stands for the class of what `poll` returns.
    """
    owner: object = module
    for part in path.split("."):
        if part.endswith("()"):
            make = getattr(owner, part.removesuffix("()"), None)
            owner = type(make()) if callable(make) else None
        elif isinstance(owner, type):
            owner = vars(owner).get(part)
        else:
            owner = getattr(owner, part, None)
    return owner
