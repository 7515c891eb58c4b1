"""The processes of one run: the file that each writes, and how their files become one.

FILE is the first process's. Each child writes `FILE.d/PID-START.pftrace`, and when the first
process ends, the files of those that have ended are appended to FILE. Imports nothing that a
plain `python` has not loaded already.
"""

import os
import time

from tracer.output import discard, open_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

SUFFIX = ".pftrace"
PAGE = "family"  # the file in the folder that all of them map: see core/ring/family.c
MODULES = "modules."  # and what site/sitecustomize.py keeps there
MOST_BYTES = 1 << 62
MOST_FILES = 1024


class Family:
    """One process's place among the processes of a run."""

    __slots__ = (
        "began_ns",
        "children",
        "file",
        "identity",
        "is_first",
        "joined",
        "member",
        "most_bytes",
        "most_files",
        "number",
        "origin",
        "parent_pid",
        "pid",
        "problem",
        "renamed",
        "running",
    )

    def __init__(
        self, file: str, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES
    ) -> None:
        self.file, self.identity = file, _identity(file)
        self.most_bytes, self.most_files = most_bytes, most_files
        self.number = int.from_bytes(os.urandom(8), "little") | 1
        self.member = 0  # 0: the first process; another number, too, once it has become …
        self.is_first = True  # … another program by exec
        self.pid = os.getpid()
        self.parent_pid = 0
        self.origin = "run"
        self.began_ns = time.monotonic_ns()
        self.problem = ""  # why children are not followed
        self.renamed = ""  # at the end: what FILE is called now, if somebody renamed it
        self.joined = 0  # at the end: files that became part of FILE …
        self.children = 0  # … of how many other processes …
        self.running: list[str] = []  # … and those that are still being written

    @property
    def folder(self) -> str:
        return f"{self.file}.d"

    def follow(self, core: "ModuleType", follows: bool) -> None:
        """From now on children record themselves, or not."""
        folder = self.folder if follows else None
        core.follow_children(folder, self.file, self.most_bytes, self.most_files)

    def enter(self, core: "ModuleType", origin: str, parent_pid: int) -> "Family":
        """This process's place in the family of the one that started it."""
        mine = Family.__new__(Family)
        mine.file, mine.identity, mine.number = self.file, self.identity, self.number
        mine.most_bytes, mine.most_files = self.most_bytes, self.most_files
        mine.origin, mine.parent_pid, mine.is_first = origin, parent_pid, False
        mine.began_ns, mine.problem, mine.joined, mine.running = 0, "", 0, []
        mine.children, mine.pid, mine.renamed = 0, os.getpid(), ""
        mine.member = core.enter_family()
        return mine

    def rejoin(
        self, core: "ModuleType", number: int, began_ns: int, origin: str, parent_pid: int
    ) -> None:
        """This process's place, as one that is a new Python. Raises OSError."""
        core.rejoin_family(self.folder)
        self.number, self.began_ns = number, began_ns
        self.origin, self.parent_pid = origin, parent_pid
        self.is_first = False
        self.member = core.enter_family()

    def open(self, core: "ModuleType") -> tuple[str, int]:
        """A new file of this process in the folder."""
        path = f"{self.folder}/{os.getpid()}-{time.monotonic_ns()}{SUFFIX}"
        return path, open_trace(path, force=True, lock=core.lock_file)

    def clear(self, core: "ModuleType") -> None:
        """Removes what an earlier family has left behind, if nobody writes it any more."""
        self._visit(core, lambda path, _fd: discard(path), 0, self.began_ns)
        self.remove_empty()

    def end(self, core: "ModuleType", is_flight: bool) -> None:
        """At the end of the first process; in a flight recording nothing is joined."""
        if is_flight:
            self.remove_empty()
        else:
            self.join(core)

    def join(self, core: "ModuleType") -> None:
        """At the end of the first process: appends the files of those that have ended."""

        def append(path: str, fd: int) -> None:
            if os.fstat(fd).st_size:
                core.append_trace(file, fd)
                self.joined += 1
            discard(path)

        refused = ""
        self.renamed = self._find_renamed()
        try:
            file = os.open(self.renamed or self.file, os.O_WRONLY | os.O_CLOEXEC)
            try:
                if not core.lock_file(file):
                    self.problem = f"another recording goes into {self.file}"
                    return
                if _identity(file) == self.identity:
                    self.running = self._visit(core, append, self.began_ns, MOST_BYTES)
                    _, _, programs, _ = core.family_counts()
                    self.children = max(self.joined + len(self.running) - programs, 0)
                else:
                    refused = f"{self.file} is another file now"
            finally:
                os.close(file)
        except OSError as error:
            refused = f"cannot append to {self.file}: {error.strerror}"
        self.remove_empty()
        if refused and os.path.isdir(self.folder):  # else there was nothing to append
            self.problem = refused

    def _find_renamed(self) -> str:
        """The path of what was FILE, if it has another name in the same folder; "" else."""
        if self.identity is None or _identity(self.file) == self.identity:
            return ""
        try:
            with os.scandir(os.path.dirname(self.file) or ".") as entries:
                same = [entry.path for entry in entries if entry.inode() == self.identity[1]]
        except OSError:
            return ""
        return next((path for path in same if _identity(path) == self.identity), "")

    def _visit(
        self,
        core: "ModuleType",
        each: "Callable[[str, int], None]",
        from_ns: int,
        before_ns: int,
    ) -> list[str]:
        """Calls `each` with the path and a descriptor of the traces in the folder that began
        in this time and are complete. Returns the names of those that are still written."""
        written = []
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        for name in sorted(names, key=_start):
            if not from_ns <= _start(name) < before_ns:
                continue
            path = os.path.join(self.folder, name)
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:  # gone, or another user's
                continue
            try:
                if _is_complete(core, name, fd):
                    each(path, fd)
                else:
                    written.append(name)
            finally:
                os.close(fd)
        return written

    def remove_empty(self) -> None:
        """Removes the folder if it has no traces any more."""
        try:
            names = os.listdir(self.folder)
            if all(name == PAGE or name.startswith(MODULES) for name in names):
                for name in names:
                    discard(os.path.join(self.folder, name))
            os.rmdir(self.folder)
        except OSError:  # there is none, or it is not empty
            pass


def _identity(file: str | int) -> tuple[int, int] | None:
    """What tells a file from one that comes to have its name; None: there is none."""
    try:
        about = os.stat(file)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _is_complete(core: "ModuleType", name: str, fd: int) -> bool:
    """Whether nobody writes the file any more. While it is empty, its process may not have
    locked it yet, and must find it unlocked."""
    if os.fstat(fd).st_size:
        return core.lock_file(fd)  # type: ignore[no-any-return]
    return not os.path.exists(f"/proc/{name.partition('-')[0]}")


def _start(name: str) -> int:
    """When the recording of that name began; -1: it is something else."""
    pid, _, start = name.removesuffix(SUFFIX).partition("-")
    is_ours = name.endswith(SUFFIX) and pid.isdecimal() and start.isdecimal()
    return int(start) if is_ours else -1
