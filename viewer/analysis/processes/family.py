"""Who is who among the processes of a trace: names, parents, begin and end.

A process is known by its number in the trace. Its pid may come again: the kernel uses pids
again, and a process that becomes another program keeps its own.
"""

import signal
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from itertools import accumulate, compress, repeat
from operator import attrgetter, eq
from os.path import basename
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.processes.notes import notes
from viewer.analysis.states import numbers
from viewer.trace.columns import Column, records
from viewer.trace.flows import Flows
from viewer.trace.model import Model
from viewer.trace.told import Told
from viewer.words import stems

_STARTS = (s.FORK, s.SPAWN, s.EXEC)
_OPTIONS_WITH_MODULE = ("-m",)
_START, _TIME = attrgetter("start_ns"), attrgetter("time_ns")
# Who is ended by these could give back what it had; a pool ends its workers so.
ORDERLY = (signal.SIGTERM, signal.SIGINT)


class Start(NamedTuple):
    """How a process began, as its parent saw it; `thread` is -1 and `site` "" if unknown. Its
    pid there is another one than its own in another namespace of pids; -1 if not forked.
    """

    parent: int
    thread: int
    time_ns: int
    site: str
    pid: int = -1


class Ended(NamedTuple):
    """What the parent was told of a child's end: an exit code or a signal, else None."""

    thread: int
    time_ns: int
    status: int | None
    signal: int | None


class Member(NamedTuple):
    """A process. `name` is different from all others'; `main` is its first thread, or -1."""

    process: int
    pid: int
    name: str
    program: str
    origin: str
    main: int
    start_ns: int  # of its recording
    end_ns: int
    start: Start | None
    reaper: int  # the process that is told of its end; -1 unknown
    told: Ended | None
    said: Ended | None = None  # its own last word, if it ended itself and that is known

    @property
    def ns(self) -> int:
        """How long its recording lasts."""
        return self.end_ns - self.start_ns

    @property
    def ended(self) -> Ended | None:
        """How, as its parent was told, else as it said itself."""
        return self.told or self.said

    @property
    def parent(self) -> int:
        return self.start.parent if self.start is not None else -1

    @property
    def killed_by(self) -> int:
        """The signal that ended it, if it had no time to give anything back; 0 else."""
        how = self.told.signal if self.told is not None else None
        return how if how is not None and how not in ORDERLY else 0


class Family:
    """The recorded processes of a trace."""

    def __init__(self, model: Model) -> None:
        self.model = model
        trace, starts, told = model.trace, _Starts(model), _Ends(model)
        begun = Told(trace, trace.begins)
        programs, origins = begun.texts(s.ARG_ARGV), begun.texts(s.ARG_ORIGIN)
        names, main = _names(model, programs, origins), _main_threads(model)
        said = _said(model, main)
        order = sorted(trace.recorded, key=lambda i: trace.processes[i].start_ns)
        began, reapers, ends = list[Start | None](), dict[int, int](), list[Ended | None]()
        for i in order:
            process, start = trace.processes[i], starts.of(i)
            parent = start.parent if start else -1
            # What became another program keeps its pid, and the one that waits for it.
            is_exec = parent in reapers and trace.processes[parent].pid == process.pid
            reapers[i] = reaper = reapers[parent] if is_exec else parent
            pid = start.pid if start and start.pid >= 0 and not is_exec else process.pid
            is_told = not process.replaced_by
            ends.append(told.of(reaper, pid, process.start_ns) if is_told else None)
            began.append(start)
        processes = [*map(trace.processes.__getitem__, order)]
        members = records(
            Member,
            order,
            [process.pid for process in processes],
            map(names.__getitem__, order),
            map(programs.__getitem__, order),
            map(origins.__getitem__, order),
            map(main.get, order, repeat(-1)),
            [process.start_ns for process in processes],
            [process.end_ns for process in processes],
            began,
            reapers.values(),
            ends,
            map(said.__getitem__, order),
        )
        self.members = dict(zip(order, members, strict=True))

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's family, made on its first use."""
        return model.derive(cls, lambda: cls(model))

    def name(self, process: int) -> str:
        """What text calls a process; "" where the trace has only one."""
        member = self.members.get(process)
        return member.name if member is not None and len(self.members) > 1 else ""

    @cached_property
    def alike(self) -> list[list[Member]]:
        """Those of one parent that run the same program, and are called alike."""
        groups = defaultdict[tuple[int, str, str], list[Member]](list)
        children = [one for one in self.members.values() if one.parent >= 0]
        names = stems([one.name for one in children]) if children else []
        for member, name in zip(children, names, strict=True):
            groups[member.parent, member.program, name].append(member)
        return [*groups.values()]

    def killed_before(self, time_ns: int) -> Member | None:
        """The last process that had been killed by then."""
        dead = [one for one in self.members.values() if one.killed_by]
        dead = [one for one in dead if one.end_ns <= time_ns]
        return max(dead, key=lambda one: one.end_ns, default=None)

    @cached_property
    def _by_pid(self) -> dict[int, list[Member]]:
        """In order of begin."""
        found: dict[int, list[Member]] = defaultdict(list)
        for member in self.members.values():
            found[member.pid].append(member)
            if member.start is not None and member.start.pid not in (-1, member.pid):
                found[member.start.pid].append(member)
        return found

    def at(self, pid: int, time_ns: int) -> int:
        """The process that had the pid at that time; -1 none."""
        mine = self._by_pid.get(pid, [])
        began = bisect_right(mine, time_ns, key=_START)
        return mine[max(began - 1, 0)].process if mine else -1

    def at_once(self, processes: Iterable[int]) -> int:
        """The most of these that lived at the same time: workers are replaced."""
        known = [self.members[process] for process in processes if process in self.members]
        changes = [(member.start_ns, 1) for member in known]
        changes += [(member.end_ns, -1) for member in known]
        return max(accumulate(change for _, change in sorted(changes)), default=0)

    def became(self, process: int) -> int:
        """The program that it became by exec; -1 none, or none that is recorded."""
        one = self.members[process]
        later = (other for other in self._by_pid[one.pid] if other.parent == process)
        return next((other.process for other in later), -1)

    def child(self, process: int, pid: int, time_ns: int) -> int:
        """The latest process of that pid which began before then, below `process`; -1 none."""
        mine = self._by_pid.get(pid, [])
        for i in range(bisect_right(mine, time_ns, key=_START) - 1, -1, -1):
            if mine[i].process != process and mine[i].reaper in (process, -1):
                return mine[i].process
        return -1


class _Starts:
    """How each process was started: by the arrow into it, else by what the pids say."""

    def __init__(self, model: Model) -> None:
        self.model = model
        trace, events = model.trace, model.trace.events
        flows, noted = Flows(events), trace.instants(events.name, *_STARTS)
        pids, starts = self._read(noted)
        made = dict(zip(noted, starts, strict=True))
        self.by_arrow: dict[int, Start] = {}
        self.by_pid: dict[int, list[Start]] = defaultdict(list)
        begun = trace.instants(events.name, s.PROCESS_STARTED)
        for event, cause in flows.all_causes(begun):
            process = trace.track_process[events.track[event]]
            start = made[cause] if cause in made else self._read(numbers((cause,)))[1][0]
            self.by_arrow.setdefault(process, start)
        for pid, start in zip(pids, starts, strict=True):
            if pid is not None:
                self.by_pid[pid].append(start)

    def _read(self, noted: Column) -> tuple[list[int | None], list[Start]]:
        """The pids that events of parents tell, and what else they do."""
        trace, take = self.model.trace, self.model.trace.engine.take
        told, tracks = Told(trace, noted), take(trace.events.track, noted, -1)
        pids, names = told.whole(s.ARG_CHILD), take(trace.events.name, noted, -1)
        fork = trace.symbol(s.FORK)  # else it may be a shell's
        forked = (
            pid if pid and name == fork else -1 for pid, name in zip(pids, names, strict=True)
        )
        return pids, records(
            Start,
            take(trace.track_process, tracks, -1),
            take(self.model.threads.of_track, tracks, -1),
            take(trace.events.time_ns, noted, -1),
            told.texts(s.ARG_SITE),
            forked,
        )

    def of(self, process: int) -> Start | None:
        one = self.model.trace.processes[process]
        if process in self.by_arrow:
            return self.by_arrow[process]
        earlier = [start for start in self.by_pid.get(one.pid, ()) if start.parent != process]
        before = [start for start in earlier if start.time_ns <= one.start_ns]
        if before or earlier:  # fork's own note may be later than the child's first event
            return max(before, key=_TIME) if before else min(earlier, key=_TIME)
        parent = self._by_parent_pid(process)
        return Start(parent, -1, one.start_ns, "") if parent >= 0 else None

    def _by_parent_pid(self, process: int) -> int:
        """The process that lived under the parent's pid when this one began."""
        processes = self.model.trace.processes
        one = processes[process]
        alive = [
            i
            for i in self._of_pid.get(one.recording.get(s.ARG_PARENT_PID), ())
            if i != process and processes[i].start_ns <= one.start_ns
        ]
        return max(alive, key=lambda i: processes[i].start_ns, default=-1)

    @cached_property
    def _of_pid(self) -> dict[object, list[int]]:
        """The recorded processes by their pid."""
        found, trace = defaultdict[object, list[int]](list), self.model.trace
        for i in trace.recorded:
            found[trace.processes[i].pid].append(i)
        return found


class _Ends:
    """The ends of children that their parents were told of."""

    def __init__(self, model: Model) -> None:
        noted, told = notes(model, s.CHILD_ENDED)
        hows = zip(noted, told.whole(s.ARG_STATUS), told.whole(s.ARG_SIGNAL), strict=True)
        self._of = defaultdict[tuple[int, int], list[Ended]](list)  # in order of time
        for note, *how in hows:
            self._of[note.process, note.pid].append(Ended(note.thread, note.time_ns, *how))

    def of(self, parent: int, pid: int, since_ns: int) -> Ended | None:
        """The first of a child of that pid from then on."""
        ends = self._of.get((parent, pid), ())
        at = bisect_left(ends, since_ns, key=_TIME)
        return ends[at] if at < len(ends) else None


def _said(model: Model, main: dict[int, int]) -> list[Ended | None]:
    """By process what its recording's end says; None: how it ended is unknown."""
    told = Told(model.trace, model.trace.ends)
    hows = zip(told.whole(s.ARG_STATUS), told.whole(s.ARG_SIGNAL), strict=True)
    return [
        None if how == (None, None) else Ended(main.get(i, -1), process.end_ns, *how)
        for i, (process, how) in enumerate(zip(model.trace.processes, hows, strict=True))
    ]


def _main_threads(model: Model) -> dict[int, int]:
    """By process its first thread, as the kernel has it; else the one with the first state."""
    threads, of, engine = model.threads, model.thread_process, model.trace.engine
    nothing = memoryview(bytes(8 * len(of))).cast("q")
    first_of = engine.spans(nothing, of, len(model.trace.processes)).first
    found = {process: thread for process, thread in enumerate(first_of) if thread >= 0}
    firsts = map(eq, threads.tids, threads.pids)
    return found | {of[i]: i for i in compress(range(len(of)), firsts)}


def _names(model: Model, argvs: list[str], origins: list[str]) -> dict[int, str]:
    """By process a name of its own: what the program calls it, else its program or number."""
    given = {
        remark.process: str(remark.args.get(s.ARG_NAME, ""))
        for remark in model.remarks.named(s.PROCESS_NAMED)
    }
    trace, counts, names = model.trace, Counter[str](), dict[int, str]()
    processes, programs = trace.processes, {argv: program_of(argv) for argv in {*argvs}}
    recorded = sorted(trace.recorded, key=lambda i: processes[i].start_ns)
    parents = Told(trace, trace.begins).whole(s.ARG_PARENT_PID)
    first = programs[argvs[recorded[0]]]
    for i in recorded:
        program, name = programs[argvs[i]], given.get(i, "")
        if not name:
            became = origins[i] == "exec"
            is_child = parents[i] is not None and program == first and not became
            name = "child" if is_child else program or "process"
            counts[name] += 1
            name = f"{name} {counts[name]}" if is_child else name
        names[i] = name
    if len({*names.values()}) == len(names):
        return names
    times = Counter(names.values())
    named = {
        i: f"{name} ({processes[i].pid})" if times[name] > 1 else name
        for i, name in names.items()
    }
    times = Counter(named.values())
    return {i: f"{name} #{i}" if times[name] > 1 else name for i, name in named.items()}


def program_of(argv: str) -> str:
    """The program of a command line: its file's name, or its module."""
    words = argv.split()
    if len(words) > 1 and words[0] in _OPTIONS_WITH_MODULE:
        return words[1]
    return basename(words[0]) if words else ""
