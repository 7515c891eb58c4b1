"""Facts that a random program logs about itself: plain data, as JSON, for the check."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Wait:
    """A thread waited, and was seen asleep: times are time.monotonic_ns().

    It began in asked_ns..seen_ns. If somebody ended it, that was in woke_ns..woken_ns, and the
    waiter went on before done_ns.
    """

    part: str
    name: str  # the slice's name: "lock wait: Lock", "io: os.read", "sleep"
    owner: int = 0  # tid that held the lock when the wait began; 0: no owner
    outcome: bool | None = None  # expected value of `acquired`; None: it has none
    waker: int = 0  # tid; 0: nobody, it timed out or was no lock
    is_cut: bool = False  # signals interrupt it: its pieces are not logged
    tid: int = 0
    ident: int = 0
    asked_ns: int = 0
    seen_ns: int = 0
    woke_ns: int = 0
    woken_ns: int = 0
    done_ns: int = 0


@dataclass(slots=True)
class Hold:
    """A thread held the lock of that wait all the time between."""

    part: str
    tid: int
    from_ns: int
    until_ns: int
    wait: int  # index into waits


@dataclass(slots=True)
class Await:
    """A task awaited that from asked_ns..woke_ns on; one of the wakers made it ready."""

    part: str
    task: str
    name: str  # the slice's name: "await Event"
    asked_ns: int = 0
    woke_ns: int = 0
    woken_ns: int = 0
    done_ns: int = 0
    waker_task: str = ""
    waker_thread: int = 0
    waker: str = ""  # "timer", "io"
    overdue: str = ""  # what the task itself queues where that timer is due before it is set
    owner_task: str = ""
    acquired: bool | None = None


@dataclass(slots=True)
class Task:
    """A task with that unique name."""

    part: str
    name: str
    parent: str  # the creator's name; "": none
    end: str  # "done", "cancelled", "failed: ValueError"; "": still pending
    eager: bool | None = False  # None: not logged
    creator: int = 0  # tid, where no task created it


@dataclass(slots=True)
class Said:
    """A region, or a log (`is_log`), with that unique name."""

    part: str
    name: str
    is_log: bool
    path: list[str]  # the regions around it, outermost first
    from_ns: int = 0
    until_ns: int = 0
    tid: int = 0  # on this thread's track, or
    task: str = ""  # on this task's; neither: not logged
    exception: str = ""


@dataclass(slots=True)
class Thread:
    """Started by that thread; `name` is the one it was given."""

    part: str
    tid: int
    name: str
    starter: int
    is_over: bool = True


@dataclass(slots=True)
class Collection:
    """gc.collect() on that thread."""

    part: str
    tid: int
    generation: int
    from_ns: int
    until_ns: int


@dataclass(slots=True)
class Facts:
    pid: int = 0
    waits: list[Wait] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    awaits: list[Await] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    collections: list[Collection] = field(default_factory=list)
    counters: dict[str, list[float]] = field(default_factory=dict)
    often: list[str] = field(default_factory=list)  # a log's name, once per time logged

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self)))


_ROWS = {
    "waits": Wait,
    "holds": Hold,
    "awaits": Await,
    "tasks": Task,
    "said": Said,
    "threads": Thread,
    "collections": Collection,
}


def read(path: Path) -> Facts:
    found = json.loads(path.read_text())
    for name, row in _ROWS.items():
        found[name] = [row(**each) for each in found[name]]
    return Facts(**found)
