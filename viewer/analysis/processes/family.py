"""Who is who among the processes of a trace: names, parents, begin and end.

A process is known by its number in the trace. Its pid may come again: the kernel uses pids
again, and a process that becomes another program keeps its own.
"""

import signal
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import accumulate, compress
from operator import eq
from os.path import basename
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.analysis.ledger.rows import joined
from viewer.analysis.processes.ends import Ended, Ends
from viewer.analysis.processes.notes import Notes
from viewer.analysis.processes.starts import Start, starts
from viewer.analysis.states import every, numbers
from viewer.trace.columns import Column
from viewer.trace.model import Model
from viewer.trace.told import UNKNOWN, Told, known
from viewer.words import stems

_OPTIONS_WITH_MODULE = ("-m",)
_CHILD = "child"
# Who is ended by these could give back what it had; a pool ends its workers so.
ORDERLY = (signal.SIGTERM, signal.SIGINT)


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
    """The recorded processes of a trace. There may be one of each request: what is asked of
    all is asked of columns, which are by process."""

    def __init__(self, model: Model) -> None:
        self.model = model
        trace, take = model.trace, model.trace.engine.take
        self._of = trace.processes
        self.order = trace.processes.in_order  # those that are recorded, as they began
        self.starts, self._ends = starts(model), Ends(model)
        self.parent = take(self.starts.parent, self.starts.of, -1)
        self.main = _main_threads(model)
        begun, ended = (Told(trace, of) for of in (self._of.begin, self._of.end))
        self._said = (
            ended.numbers(s.ARG_STATUS, UNKNOWN),
            ended.numbers(s.ARG_SIGNAL, UNKNOWN),
        )
        self._argv, self._origin = begun.strings(s.ARG_ARGV), begun.strings(s.ARG_ORIGIN)
        self._programs = {argv: program_of(trace.text(argv)) for argv in {*self._argv}}
        self.reaper, known_as = self._known_to_parents()
        self._end = self._ends.first_of(self.order, self.reaper, known_as)
        self.names = self._named()
        self.members = _Members(self)

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's family, made on its first use."""
        return model.derive(cls, lambda: cls(model))

    @property
    def start_ns(self) -> Column:
        return self._of.start_ns

    @property
    def end_ns(self) -> Column:
        return self._of.end_ns

    @cached_property
    def ns(self) -> Column:
        """How long the recording of each lasts."""
        return self.model.trace.engine.between(self.start_ns, self.end_ns)

    @property
    def ended(self) -> Notes:
        """The ends of children that their parents were told of."""
        return self._ends.noted

    def member(self, i: int) -> "Member":
        """A recorded process."""
        text, of = self.model.trace.text, self._of
        status, ended_by = (known(column[i]) for column in self._said)
        is_said = status is not None or ended_by is not None
        return Member(
            i,
            of.pid[i],
            self.names[i],
            text(self._argv[i]),
            text(self._origin[i]),
            self.main[i],
            of.start_ns[i],
            of.end_ns[i],
            self._start(i),
            self.reaper[i],
            self._ends.told(self._end[i]) if self._end[i] >= 0 else None,
            Ended(self.main[i], of.end_ns[i], status, ended_by) if is_said else None,
        )

    def _start(self, i: int) -> Start | None:
        row, of = self.starts.of[i], self.starts
        if row < 0:
            return None
        site = self.model.trace.text(of.site[row])
        return Start(of.parent[row], of.thread[row], of.time_ns[row], site, of.pid[row])

    def _known_to_parents(self) -> tuple[Column, Column]:
        """By process the one that is told of its end, and by which pid that knows it. What
        became another program keeps its pid, and the one that waits for it."""
        take, pid, parent = self.model.trace.engine.take, self._of.pid, self.parent
        forked = take(self.starts.pid, self.starts.of, -1)
        known_as = self.model.trace.engine.either(forked, pid, -1)
        kept = {*compress(range(len(pid)), map(eq, take(pid, parent, 0), pid))}
        if not kept:
            return parent, known_as
        found, own, begun = array("i", parent), array("i", known_as), set[int]()
        for i in self.order:
            if i in kept and parent[i] in begun:
                found[i], own[i] = found[parent[i]], pid[i]
            begun.add(i)
        return memoryview(found), memoryview(own)

    def _named(self) -> list[str]:
        """By process a name of its own: what it is called, else its program or number."""
        trace, of, argv = self.model.trace, self._of, self._argv
        given = dict(self.model.remarks.texts(s.PROCESS_NAMED, s.ARG_NAME))
        parents = Told(trace, of.begin).numbers(s.ARG_PARENT_PID, UNKNOWN)
        became, names, children = trace.symbol(s.EXEC), [""] * len(of), 0
        first = self._programs[argv[of.first]]
        for i in self.order:
            name = given.get(i, "") if given else ""
            if not name:
                program = self._programs[argv[i]]
                is_child = program == first and self._origin[i] != became
                is_child = is_child and parents[i] != UNKNOWN
                name = _CHILD if is_child else program or "process"
                children += name == _CHILD
                name = f"{name} {children}" if is_child else name
            names[i] = name
        for form in (" ({pid})", " #{i}"):
            times = Counter(map(names.__getitem__, self.order))
            if len(times) == len(self.order):
                break
            for i in self.order:
                if times[names[i]] > 1:
                    names[i] += form.format(pid=of.pid[i], i=i)
        return names

    def name(self, process: int) -> str:
        """What text calls a process; "" where the trace has only one."""
        return self.names[process] if process >= 0 and len(self.order) > 1 else ""

    @cached_property
    def alike(self) -> list[list[int]]:
        """Those of one parent that run the same program, and are called alike."""
        groups = defaultdict[tuple[int, int, str], list[int]](list)
        children = [i for i in self.order if self.parent[i] >= 0]
        names = stems([*map(self.names.__getitem__, children)]) if children else []
        for i, name in zip(children, names, strict=True):
            groups[self.parent[i], self._argv[i], name].append(i)
        return [*groups.values()]

    @cached_property
    def below(self) -> Mapping[int, list[int]]:
        """By process those that it started."""
        found = defaultdict[int, list[int]](list)
        for i, parent in zip(
            self.order, map(self.parent.__getitem__, self.order), strict=True
        ):
            found[parent].append(i)
        return found

    def children(self, process: int) -> list[Member]:
        return [*map(self.members.__getitem__, self.below.get(process, ()))]

    @cached_property
    def failed(self) -> list[Member]:
        """Those that, as their parents were told, a signal or an error ended."""
        take = self.model.trace.engine.take
        told = (
            take(column, self._end, 0) for column in (self._ends.status, self._ends.signal)
        )
        codes = [*told]
        known = {code for column in codes for code in {*column}} - {0, UNKNOWN}
        if not known:
            return []
        return [
            self.members[i]
            for i in self.order
            if not known.isdisjoint((codes[0][i], codes[1][i]))
        ]

    def killed_before(self, time_ns: int) -> Member | None:
        """The last process that had been killed by then."""
        dead = [one for one in self.failed if one.killed_by and one.end_ns <= time_ns]
        return max(dead, key=lambda one: one.end_ns, default=None)

    @cached_property
    def _pids(self) -> tuple[Column, Column]:
        """The processes in order of begin, each with its pid; and again with the one by which
        its parent knows it, where that is another."""
        take = self.model.trace.engine.take
        own = take(self._of.pid, self.order, -1)
        forked = take(self.starts.pid, take(self.starts.of, self.order, -1), -1)
        if self.model.trace.engine.either(forked, own, -1) == own:
            return self.order, own
        found = array("i"), array("i")
        for i, *both in zip(self.order, own, forked, strict=True):
            for pid in {pid: None for pid in both if pid >= 0}:
                found[0].append(i)
                found[1].append(pid)
        return memoryview(found[0]), memoryview(found[1])

    @cached_property
    def _by_pid(self) -> Mapping[int, list[int]]:
        """In order of begin."""
        found = defaultdict[int, list[int]](list)
        for i, pid in zip(*self._pids, strict=True):
            found[pid].append(i)
        return found

    def at(self, pid: int, time_ns: int) -> int:
        """The process that had the pid at that time; -1 none."""
        mine = self._by_pid.get(pid, [])
        began = bisect_right(mine, time_ns, key=self.start_ns.__getitem__)
        return mine[max(began - 1, 0)] if mine else -1

    def at_once(self, processes: Iterable[int]) -> int:
        """The most of these that lived at the same time: workers are replaced."""
        known = [process for process in processes if process in self.members]
        changes = [(self.start_ns[i], 1) for i in known]
        changes += [(self.end_ns[i], -1) for i in known]
        return max(accumulate(change for _, change in sorted(changes)), default=0)

    def became(self, process: int) -> int:
        """The program that it became by exec; -1 none, or none that is recorded."""
        later = self._by_pid[self._of.pid[process]]
        return next((other for other in later if self.parent[other] == process), -1)

    def child(self, process: int, pid: int, time_ns: int) -> int:
        """The latest process of that pid which began before then, below `process`; -1 none.

        What has no known parent may be below any."""
        mine, start_ns = self._by_pid.get(pid, ()), self.start_ns.__getitem__
        for at in range(bisect_right(mine, time_ns, key=start_ns) - 1, -1, -1):
            if mine[at] != process and self.reaper[mine[at]] in (process, -1):
                return mine[at]
        return -1

    def children_at(self, parents: Column, pids: Column, times_ns: Column) -> Column:
        """`child` of each of very many, in order of time."""
        engine, (known, own) = self.model.trace.engine, self._pids
        above = engine.take(self.reaper, known, -1)
        of = engine.pairs(joined(own, pids), joined(above, parents))
        key, key_at = of.number[: len(own)], of.number[len(own) :]
        since = engine.take(self.start_ns, known, -1)
        rows = engine.latest(since, key, times_ns, key_at, len(of.head))
        found = engine.take(known, rows, -1)
        orphans = {pid for pid, parent in zip(own, above, strict=True) if parent < 0}
        if orphans.isdisjoint(pids) and not any(map(eq, found, parents)):
            return found
        return numbers(map(self.child, parents, pids, times_ns))


class _Members(Mapping[int, Member]):
    """The members of a family in order of their begin, each made when somebody asks for it."""

    def __init__(self, family: Family) -> None:
        self._family, self._made = family, dict[int, Member]()

    def __getitem__(self, process: int) -> Member:
        found = self._made.get(process)
        if found is None:
            if process not in self:
                raise KeyError(process)
            found = self._made[process] = self._family.member(process)
        return found

    def __contains__(self, process: object) -> bool:
        return process in self._known

    @cached_property
    def _known(self) -> set[int]:
        return {*self._family.order}

    def __iter__(self) -> Iterator[int]:
        return iter(self._family.order)

    def __len__(self) -> int:
        return len(self._family.order)


def _main_threads(model: Model) -> Column:
    """By process its first thread, as the kernel has it; else the one with the first state; -1
    none."""
    threads, of, engine = model.threads, model.thread_process, model.trace.engine
    nothing = memoryview(bytes(8 * len(of))).cast("q")
    firsts = memoryview(bytes(map(eq, threads.tids, threads.pids)))
    of_firsts = engine.group_keys(firsts, every(len(of)), of, 1)
    known, others = (
        engine.spans(nothing, key, len(model.trace.processes)) for key in (of_firsts, of)
    )
    return engine.either(known.last, others.first, -1)


def program_of(argv: str) -> str:
    """The program of a command line: its file's name, or its module."""
    words = argv.split()
    if len(words) > 1 and words[0] in _OPTIONS_WITH_MODULE:
        return words[1]
    return basename(words[0]) if words else ""
