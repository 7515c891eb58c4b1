"""Whom each thread and task of a moment waits for."""

from collections import defaultdict

from tracer import schema as s
from viewer.analysis.dump.covering import Covering
from viewer.analysis.dump.entry import Behind, Entry, How, What
from viewer.analysis.locks import ENDS
from viewer.trace.columns import AWAIT
from viewer.trace.processes import Arg

_JOINED = tuple(s.LOCK_WAIT_PREFIX + end for end in ENDS)
_TASKS = (s.AWAIT_TASK_PREFIX, s.AWAIT_GREENLET_PREFIX)


def resolved(covering: Covering, found: list[tuple[Entry, int]]) -> tuple[Entry, ...]:
    """The entries, each with whom it waits for, as far as the trace says so."""
    waits = _Waits(covering, [entry for entry, _ in found])
    entries = [waits.told(entry, i) for entry, i in found]
    # What a thread waits for in a task's step, the task waits for.
    return tuple(
        entry._replace(lock=entries[entry.runs_on].lock, behind=entries[entry.runs_on].behind)
        if entry.runs_on >= 0
        else entry
        for entry in entries
    )


class _Waits:
    def __init__(self, covering: Covering, entries: list[Entry]) -> None:
        self.covering, self.model = covering, covering.model
        self.index: dict[tuple[int, What, int], int] = {}
        self.named: dict[tuple[int, str], list[int]] = defaultdict(list)
        for n, entry in enumerate(entries):
            self.index[entry.process, entry.what, entry.number] = n
            if entry.what is What.TASK:
                self.named[entry.process, entry.name].append(n)
        self.entries = entries

    def told(self, entry: Entry, i: int) -> Entry:
        """The entry, with its lock and whom it waits for; `i`: the slice of its state."""
        if i < 0:
            return entry
        event, end = self.covering.slice_event(i), self.model.trace.slices.end_event[i]
        args = self.model.trace.args(event)
        if end >= 0:
            # A wait that was shown while it lasted says only at its end what it was for.
            args = self.model.trace.args(end) | args
        lock = args.get(s.ARG_LOCK)
        number = lock if isinstance(lock, int) else -1
        return entry._replace(lock=number, behind=self._behind(entry, i, number, args))

    def _behind(self, entry: Entry, i: int, lock: int, args: dict[str, Arg]) -> Behind | None:
        name, process = self.covering.name(i), entry.process
        if self.model.owners.kind[i] == AWAIT and name.startswith(_TASKS):
            return self._awaited(process, name)
        if name == s.GIL_WAIT:
            return self._holder_of_gil(process, args)
        hold = self.covering.holds.get((process, lock))
        if hold is not None:
            event = self.covering.slice_event(hold)
            of = self.model.trace.args(event)
            site = str(of.get(s.ARG_SITE, ""))
            return self._owner(process, of, How.HOLDS, self.covering.name(hold), site)
        how = How.AWAITED if name in _JOINED else How.HELD
        if s.ARG_HOLDERS in args:
            return Behind(how, What.TASK, str(args[s.ARG_HOLDERS]), -1)
        owner = str(args.get(s.ARG_OWNER_NAME, ""))
        return self._owner(process, args, how, owner, str(args.get(s.ARG_OWNER_SITE, "")))

    def _awaited(self, process: int, name: str) -> Behind:
        """A task's name, and which task that is if only one has it."""
        prefix = next(prefix for prefix in _TASKS if name.startswith(prefix))
        called = name.removeprefix(prefix)
        having = self.named[process, called]
        return Behind(How.AWAITED, What.TASK, called, having[0] if len(having) == 1 else -1)

    def _holder_of_gil(self, process: int, args: dict[str, Arg]) -> Behind | None:
        model = self.model
        for thread, i in self.covering.threads.items():
            if model.thread_process[thread] != process:
                continue
            event = self.covering.slice_event(i)
            if self.covering.name(i) == s.RUNNING or model.trace.args(event).get(
                s.ARG_HOLDING_GIL
            ):
                return self._known(process, What.THREAD, model.threads[thread].tid, How.HOLDS)
        holder = args.get(s.ARG_HOLDER)
        if not isinstance(holder, int):
            return None
        return self._known(
            process, What.THREAD, holder, How.HELD, str(args.get(s.ARG_HOLDER_NAME, ""))
        )

    def _owner(
        self, process: int, args: dict[str, Arg], how: How, name: str, site: str
    ) -> Behind | None:
        for key, what in ((s.ARG_OWNER_TASK, What.TASK), (s.ARG_OWNER, What.THREAD)):
            number = args.get(key)
            if isinstance(number, int):
                return self._known(process, what, number, how, name, site)
        return None

    def _known(
        self, process: int, what: What, number: int, how: How, name: str = "", site: str = ""
    ) -> Behind:
        index = self.index.get((process, what, number), -1)
        if index >= 0:
            name = self.entries[index].name
        return Behind(how, what, name or f"{what} {number}", index, site)
