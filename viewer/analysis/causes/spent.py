"""What the time until the program's end went to: the pieces of the path to it, summed."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from viewer.analysis.causes.awaited import Awaits
from viewer.analysis.causes.path import RunPath
from viewer.analysis.causes.samples import Hot, Samples, own_of
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Windows, parts, windows_of
from viewer.analysis.profiles.profile import Place
from viewer.analysis.states import call_of, wait_of
from viewer.trace.columns import (
    CONTINUES,
    GIL_WAIT,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    SLEEP,
    STATE_MASK,
    THREAD_RUNNING,
)
from viewer.trace.model import Model

ASLEEP = "asleep"
OFF_CPU_TIME = "time off the CPU"
_COMPUTING, _WAITING = "computing", "waiting in"
_STATES = {
    THREAD_RUNNING: _COMPUTING,
    NATIVE: f"{_COMPUTING} without the GIL",
    PREEMPTED: OFF_CPU_TIME,
    OFF_CPU: OFF_CPU_TIME,
    GIL_WAIT: "waiting for the GIL",
}
_COLLECTING = "collecting garbage"
_START = "/tracer/launch.py:"  # what the recorder imports is not the program's
_MOST_ROWS = 100_000  # of States: summing more of them takes longer than it tells
_COUNTED = 3  # of what took most: how often it was done
_MOST_THREADS = 500
_SAMPLES = 10  # fewer prove nothing
_QUIET = 10  # a tenth of the time at most

type _Did = tuple[str, str, str]  # as in Spent


class Calls(NamedTuple):
    """How many calls are on the path, and how long one took as a rule, and the longest; `who`
    is the thread or coroutine, if it is one. `is_quiet` if it slept while hardly any other
    thread computed. `children` are the processes for whose end it waited."""

    times: int
    usual_ns: int
    who: str
    is_quiet: bool
    children: tuple[str, ...] = ()
    longest_ns: int = 0  # 0 unknown


class Spent(NamedTuple):
    """`call` is "" where the thread waited for nothing, but did what `did` says."""

    ns: int
    did: str
    call: str
    site: str
    calls: Calls | None = None  # of those that took most
    hot: Hot | None = None  # where it computed


class _Sums:
    """The path's time by what was done, and the keys of the ledger for it."""

    def __init__(self, model: Model) -> None:
        self.model, self.ledger, self.path = model, Ledger.of(model), RunPath.of(model)
        self.total, self.keys = Counter[_Did](), defaultdict[_Did, set[int]](set)
        tasks, threads = Awaits(model), self.path.windows
        of_none = windows_of([])
        self.windows = {
            thread: tasks.windows(thread, threads.get(thread, of_none))
            for thread in {*threads, *tasks.ran}
        }
        self.awaits = {one[:3]: one for one in tasks.all}
        for did, one in self.awaits.items():
            self.total[did] += one.ns
        for thread, windows in self.windows.items():
            for did, ns in self._did(thread, windows):
                self.total[did] += ns
            for key, collecting in parts(self.ledger.collecting.carve(thread, windows)):
                for did, ns in self._did(thread, collecting) if key >= 0 else ():
                    if did[0].startswith(_COMPUTING):
                        self.total[did] -= ns
                        self.total[_COLLECTING, "", ""] += ns
        self._leave_out_waking()

    def _leave_out_waking(self) -> None:
        """Whoever was woken waits for nothing but the kernel any more, until he runs."""
        table = self.model.states
        for row, followed in self.path.followed.items():
            if table.state[row] & STATE_MASK in (LOCK_WAIT, IDLE_WAIT):
                did = _WAITING, *wait_of(self.model, row)
                woken = table.end_ns[row] - table.start_ns[row] - followed.ns
                ns = min(woken, self.total[did])
                self.total[did] -= ns
                self.total[OFF_CPU_TIME, "", ""] += ns

    def _did(self, thread: int, windows: Windows) -> Iterator[tuple[_Did, int]]:
        table, model = self.model.states, self.model
        carved = self.ledger.did(thread, windows)
        for key, ns in zip(carved.key, carved.total, strict=True):
            row = self.ledger.row_that_did(key)
            state = table.state[row] & STATE_MASK if row >= 0 else -1
            if state in (IO, SLEEP):
                call, site = call_of(model, table.row[row])
                if _START in site:
                    continue
                did = ASLEEP if state == SLEEP else "in", call, site
            elif state in (LOCK_WAIT, IDLE_WAIT):
                did = _WAITING, *wait_of(model, row)
            elif state in _STATES:
                did = _STATES[state], "", ""
            else:
                continue
            self.keys[did].add(key)
            yield did, ns

    def calls(self, did: _Did) -> Calls | None:
        """None where the trace has no begin of such a call."""
        if (one := self.awaits.get(did)) is not None:
            return Calls(one.times, one.usual_ns, one.who, is_quiet=False)
        table = self.model.states
        rows = [row for row in self.ledger.rows_that_did(self.keys[did]) if self._counts(row)]
        if not rows:
            return None
        threads = {table.who[row] for row in rows}
        took = sorted(table.busy_end_ns[row] - table.start_ns[row] for row in rows)
        is_quiet = did[0] == ASLEEP and len(rows) > 1 and self._is_quiet(rows)
        who = self.model.thread_names[threads.pop()] if len(threads) == 1 else ""
        ended = self.path.elsewhere.child_of_row
        children = dict.fromkeys(ended[row].name for row in rows if row in ended)
        usual_ns = took[len(took) // 2]
        return Calls(len(rows), usual_ns, who, is_quiet, tuple(children), took[-1])

    def _counts(self, row: int) -> bool:
        """Whether a call begins with this row, and is on the path for a while."""
        table = self.model.states
        windows = self.windows.get(table.who[row])
        if windows is None or table.state[row] & CONTINUES:
            return False
        at = bisect_right(windows.until_ns, table.start_ns[row])
        return at < len(windows) and windows.from_ns[at] < table.busy_end_ns[row]

    def hot(self) -> Hot | None:
        """The function of the program in which the path computed; None: several."""
        samples, seen = Samples(self.model), Counter[tuple[Place, ...]]()
        for thread, windows in self.path.windows.items():
            seen += samples.seen(thread, windows)
        return own_of(seen) if seen.total() >= _SAMPLES else None

    def _is_quiet(self, rows: list[int]) -> bool:
        table, times, until = self.model.states, list[tuple[int, int]](), 0
        if len(self.model.threads) > _MOST_THREADS:
            return False
        for row in rows:
            if table.start_ns[row] >= until:
                until = table.end_ns[row]
                times.append((table.start_ns[row], until))
        windows, slept = windows_of(times), {table.who[row] for row in rows}
        others = [one for one in range(len(self.model.threads)) if one not in slept]
        busy = sum(
            ns
            for thread in others
            for did, ns in self._did(thread, windows)
            if did[0].startswith(_COMPUTING)
        )
        return bool(others) and busy * _QUIET <= windows.ns


def spent(model: Model) -> tuple[Spent, ...]:
    """What the path went to, the most first; empty of a trace without one, or a large one.

    While the first thread ran main tasks, their path counts instead of its own."""
    if len(model.states.state) > _MOST_ROWS:
        return ()
    sums = _Sums(model)
    found = sorted((Spent(ns, *did) for did, ns in sums.total.items() if ns > 0), key=_rank)
    most = [one for one in found if one.call][:_COUNTED]
    more = {one: one._replace(calls=sums.calls(one[1:4])) for one in most}
    computed = next((one for one in found[:_COUNTED] if one.did.startswith(_COMPUTING)), None)
    if computed is not None:
        more[computed] = computed._replace(hot=sums.hot())
    return tuple(more.get(one, one) for one in found)


def _rank(one: Spent) -> tuple[int, _Did]:
    return -one.ns, one[1:4]
