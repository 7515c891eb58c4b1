"""Long waits as findings tell of them: in which words, and which ones are told already."""

from collections import Counter
from collections.abc import Iterable

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.facts import Evidence, Facts
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.resource import Claim
from viewer.analysis.resources.waits import Wait, Waits
from viewer.trace.columns import IO, STATE_MASK
from viewer.trace.model import Model
from viewer.trace.sites import own_frames, place_of
from viewer.words import code, shorten, stem

_NO_NAMES = ("Task-N", "#N")  # asyncio's and gevent's


class LongWaits(Waits):
    """The long waits of a model, and those of them that a finding has named."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self.facts = facts
        self.told = set[int]()  # slices

    def evidence(self, wait: Wait) -> Evidence:
        lock = self.model.states.lock_id[wait.lock] if wait.lock >= 0 else -1
        found = self.facts.evidence(wait.who, wait.start_ns, wait.ns, wait.site)
        return found._replace(lock=lock)


def name_of(model: Model, who: Who) -> str:
    """A thread's name; a task's own, or its coroutine where the library named the task."""
    kind, which = who
    if kind == "thread":
        return model.thread_names[which]
    name = model.task_name(which)
    return model.coroutine_of(which) if stem(name) in _NO_NAMES else name


def users(model: Model, whos: Iterable[Who]) -> str:
    """8 threads `req-N`; tasks by their coroutine."""
    known, found = set(whos), []
    for kind in ("thread", "task"):
        which = [who for who in known if who[0] == kind]
        stems = sorted({stem(name_of(model, who)) for who in which})
        noun = model.nouns_for(n for _, n in which).task if kind == "task" else kind
        if len(which) == 1:
            found.append(code(name_of(model, which[0])))
        elif which:
            said = " and ".join(f"`{shorten(name, 48)}`" for name in stems[:2])
            more = " and others" if len(stems) > 2 else ""
            found.append(f"{plural(len(which), noun)} {said}{more}")
    return " and ".join(found)


def gave_up(facts: Facts, row: int) -> bool:
    """Whether a wait for a descriptor ended by its time-out. One for none is a sleep."""
    table, trace = facts.model.states, facts.model.trace
    if table.state[row] & STATE_MASK != IO:
        return False
    begin = trace.slices.event[table.slice[row]]
    end = trace.slices.end_event[table.slice[row]]
    is_over = end >= 0 and bool(trace.args(end).get(s.ARG_TIMED_OUT))
    return is_over and s.ARG_FD in trace.args(begin)


def inside(name: str, site: str) -> str:
    """A thread or task in a function, as what a finding and another one tell of."""
    return f"{name} in {place_of(site).function}"


def place_in(site: str) -> str:
    """` in `write_log` (app.py:8)`: a function and its line; "" where there is none."""
    function = place_of(site).function
    return f" in {code(function, site)}" if function else ""


def around(wait: Wait) -> str:
    """The line of the program that called the function in which somebody waits."""
    frames = own_frames(wait.stack)
    return frames[1] if len(frames) > 1 else ""


def sites(waits: Iterable[Wait | Claim]) -> str:
    """Where most of the time was waited."""
    sums = Counter[str]()
    for wait in waits:
        sums[wait.site] += wait.ns
    site = max(sums, key=lambda site: (sums[site], site))
    function = site.rpartition(" ")[2]
    return code(function, site) if site else "unknown code"
