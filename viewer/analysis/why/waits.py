"""What a wait is: of which kind, whose, for what, and how it ended."""

from enum import StrEnum
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.causes.tree import Tree
from viewer.analysis.states import stack_of, state_of_slice
from viewer.trace.columns import (
    AWAIT,
    CONTINUES,
    FAILED,
    GIL_WAIT,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    OFF_CPU,
    PREEMPTED,
    READY,
    SLEEP,
    STATE_MASK,
)
from viewer.trace.model import Model
from viewer.trace.sites import called


class What(StrEnum):
    """Kinds of waits."""

    READY = "ready"
    AWAIT = "await"
    GIL = "gil"
    LOCK = "lock"
    IDLE = "idle"  # a thread's wait for what nobody has: a queue, a condition, a result
    CALL = "call"  # a thread stands in a blocking call
    SLEEP = "sleep"
    PREEMPTED = "preempted"
    OFF_CPU = "off cpu"


STATES = {
    GIL_WAIT: What.GIL,
    LOCK_WAIT: What.LOCK,
    IDLE_WAIT: What.IDLE,
    IO: What.CALL,
    SLEEP: What.SLEEP,
    PREEMPTED: What.PREEMPTED,
    OFF_CPU: What.OFF_CPU,
}
# Calls, also those of a library that sleeps and looks, in which one waits for a child process.
CHILDREN = ("os.wait", "Popen.", "Process.join", "BaseProcess.join")
# What a call waited for need not have come from outside: a database inside the process, and
# locks between processes, which another one of this program may have held.
INSIDE = ("sqlite3.", "multiprocessing.SemLock.", "fcntl.flock", "fcntl.lockf")
# Calls that wait for nobody: the system, or the library, does what they are for.
AT_WORK = (
    "import machinery", "io.FileIO.truncate", "mmap.flush", "os.copy_file_range",
    "os.fdatasync", "os.fsync", "os.ftruncate", "os.getrandom", "os.link", "os.listdir",
    "os.lstat", "os.mkdir", "os.posix_fa", "os.pread", "os.pwrite", "os.remove", "os.rename",
    "os.replace", "os.rmdir", "os.scandir", "os.stat", "os.symlink", "os.unlink",
    "ssl.SSLContext.", "subprocess.fork_exec",
)  # fmt: skip
_OF_TASKS = (What.READY, What.AWAIT)


class Wait(NamedTuple):
    """One wait. `row` is a slice of the trace for READY and AWAIT, else a row of States.

    Times are those of the trace's clock, as in the columns.
    """

    what: What
    row: int
    start_ns: int
    end_ns: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def of_task(self) -> bool:
        return self.what in _OF_TASKS


def wait_of_slice(model: Model, i: int) -> Wait | None:
    """The wait that a slice of the trace is; None of one that is none."""
    slices = model.trace.slices
    if model.owners.kind[i] in (READY, AWAIT):
        what = What.READY if model.owners.kind[i] == READY else What.AWAIT
        return Wait(what, i, slices.start_ns[i], slices.end_ns[i])
    row = state_of_slice(model, i)
    return wait_of_row(model, row) if row >= 0 else None


def wait_of_row(model: Model, row: int) -> Wait | None:
    """The wait that a row of States is; None of one that is none, or a task's."""
    table = model.states
    what = STATES.get(table.state[row] & STATE_MASK)
    return Wait(what, row, table.start_ns[row], table.end_ns[row]) if what else None


def subject(tree: Tree, wait: Wait) -> str:
    """What was waited for: an await's or a lock's kind, a call; "" of what has no name.

    A library that sleeps and looks, again and again, waits for what it was called for.
    """
    model, table = tree.model, tree.model.states
    if wait.what is What.AWAIT:
        return tree.lanes.name_of_slice(wait.row).removeprefix(s.AWAIT_PREFIX)
    if wait.what in (What.LOCK, What.IDLE):
        return tree.lanes.name_of(wait.row).removeprefix(s.LOCK_WAIT_PREFIX)
    if wait.what is What.CALL:
        name = model.trace.text(table.call_name[table.row[wait.row]])
        return name.removeprefix(s.IO_PREFIX)
    if wait.what is What.SLEEP:
        stack = stack_of(model, wait.row)
        return called(stack) or s.SLEEP
    return ""


def site(tree: Tree, wait: Wait) -> str:
    """Where it waited; "" of what has no place, or is not told."""
    model, table = tree.model, tree.model.states
    if wait.what is What.AWAIT:
        return tree.lanes.site_of_await(wait.row)
    if wait.what is What.READY:
        return ""
    if wait.what in (What.CALL, What.SLEEP):
        return model.trace.text(table.call_site[table.row[wait.row]])
    return model.trace.text(table.site[wait.row])


def is_over(model: Model, wait: Wait) -> bool:
    """False of a wait that the trace's end cut."""
    if wait.of_task:
        return not model.trace.slices.unfinished[wait.row]
    process = model.thread_process[model.states.who[wait.row]]
    return process < 0 or wait.end_ns < model.trace.processes[process].end_ns


def acquired(tree: Tree, wait: Wait) -> bool:
    """A wait for a lock says so itself; an await that was cancelled was the task's last."""
    if wait.what is What.AWAIT:
        return not tree.is_in_vain(tree.model.owners.owner[wait.row], wait.row)
    is_wait = wait.what in (What.LOCK, What.IDLE)
    return not (is_wait and tree.model.states.state[wait.row] & FAILED)


def continues(model: Model, wait: Wait) -> bool:
    """Whether it is a further piece of a call that gave the GIL back several times."""
    return wait.what is What.CALL and bool(model.states.state[wait.row] & CONTINUES)
