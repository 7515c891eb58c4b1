"""Locks and permits between processes: of files, of `multiprocessing` and its managers."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.findings.basis.doing import doing, mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total, processes
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.resource import Hold, loads
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IO, LOCK_WAIT, SLEEP
from viewer.trace.sites import place_of
from viewer.words import code

# Taking a lock that is free takes microseconds. Half a second in all must have been lost.
_LONG_NS = 10 * MS
# Who had a lock between processes is not recorded. Whoever was blocked for four fifths of the
# wait for it, and went on a moment before the lock came free, may have had it.
_JUST_NS = 5 * MS
_CHILDREN = ("os.waitpid", "os.wait")
_NAMES = ("fcntl.flock", "fcntl.lockf", "os.lockf")
# `with lock`; who acquires without it may wait for a signal.
_BETWEEN = "SemLock.__enter__"
_LIBRARIES = ("/multiprocessing/", "/billiard/")  # their queues' own locks
# A lock of a manager: the wait is for the answer of the manager's process.
_READ, _OF_MANAGER = "os.read", " AcquirerProxy."


def file_lock(facts: Facts) -> Iterator[Finding]:
    """Long waits for a lock file, and what those did meanwhile who got it in between."""
    table = facts.model.states
    has_manager = mentioned(facts.model, _OF_MANAGER)
    names = (*_NAMES, _BETWEEN, *((_READ,) if has_manager else ()))
    by_site: dict[str, list[int]] = defaultdict(list)
    told = LongWaits.of(facts).told
    for row in facts.in_order(facts.calls_named(names, _LONG_NS)):
        if table.slice[row] in told:
            continue
        name, site = facts.call(table.row[row])
        if name.endswith(_BETWEEN) and is_of_library(facts, row):
            continue
        if name != _READ or _OF_MANAGER in stack_of(facts.model, row):
            by_site[site].append(row)
    for site, rows in by_site.items():
        if facts.total_ns(rows) >= LOST_NS:
            yield _finding(facts, site, rows)


def is_of_library(facts: Facts, row: int) -> bool:
    """Whether a queue or a condition of multiprocessing waits, not the user's `with`."""
    stack = stack_of(facts.model, row)
    frames = [place_of(frame) for frame in stack.split("\n")]
    outer = next((f for f in frames if not f.function.startswith("SemLock.")), None)
    if outer is None or not outer.path:  # it is unknown
        return True
    return any(library in outer.path for library in _LIBRARIES)


def _finding(facts: Facts, site: str, rows: list[int]) -> Finding:
    did = doing(facts, _holds(facts, rows))
    name = facts.call(facts.model.states.row[facts.longest(rows)])[0]
    what = "a lock of a manager" if name == _READ else "a lock file"
    what = "a lock between processes" if name.endswith(_BETWEEN) else what
    rest = _first(facts, rows)
    if did:
        rest += f". Whoever held it in between spent {did}"
    rest += ". Do the slow part without the lock, or have a lock for each job."
    about = frozenset(() if did else (site,))  # who blocks a loop there is told by the loop
    return _told(facts, "lock convoy", site, rows, what, rest)._replace(about=about)


def _told(
    facts: Facts, kind: str, site: str, rows: list[int], what: str, rest: str
) -> Finding:
    """Who waits there for what, how often and how long; then the rest."""
    table, worst = facts.model.states, facts.longest(rows)
    start, ns, lost = table.start_ns[worst], facts.row_ns(worst), facts.total_ns(rows)
    threads = {table.who[row] for row in rows}
    text = (
        f"{kind.capitalize()}: {waiting_for(facts, rows)} "
        f"{'waits' if len(threads) == 1 else 'wait'} in "
        f"`{facts.call(table.row[worst])[0]}`{place_in(site)} for {what}: "
        f"{plural(len(rows), 'wait')}, {in_total(facts, lost, ns, start)}{rest}"
    )
    of = {facts.model.thread_process[thread] for thread in threads}
    return Finding(kind, lost, text, facts.evidence_of(worst), processes=len(of))


def _holds(facts: Facts, rows: list[int]) -> list[tuple[Who, int, int]]:
    """Who got the lock had it until the next one who waited already got it."""
    table, found = facts.model.states, list[tuple[Who, int, int]]()
    in_order = sorted(rows, key=table.end_ns.__getitem__)
    for before, after in pairwise(in_order):
        if table.start_ns[after] < table.end_ns[before]:
            who: Who = ("thread", table.who[before])
            found.append((who, table.end_ns[before], table.end_ns[after]))
    return found


def _first(facts: Facts, rows: list[int]) -> str:
    """`. `reaper` held it, 98 % of that time asleep in …`: who had a lock file when those who
    wait came, as the kernel said; "" unknown, or one of them."""
    model, table = facts.model, facts.model.states
    first = min(rows, key=table.end_ns.__getitem__)
    end = model.trace.slices.end_event[table.slice[first]]
    said = model.trace.args(end) if end >= 0 else {}
    pid, process = said.get(s.ARG_LOCK_PID), model.thread_process[table.who[first]]
    if not isinstance(pid, int):
        return _went_on(facts, rows, first)
    if pid == model.pid(process):
        return ""
    family = Family.of(model)
    holder = family.members.get(family.at(pid, table.start_ns[first]))
    if holder is None:
        program = said.get(s.ARG_LOCK_PROGRAM)
        return f". Process {pid}{f', {code(str(program))},' if program else ''} held it"
    did = _did(facts, holder.main, first) if holder.main >= 0 else ""
    return f". {code(holder.name)} held it{f', {did}' if did else ''}"


def _went_on(facts: Facts, rows: list[int], first: int) -> str:
    """Of a lock whose holder nobody knows: the only other thread that was blocked all the time
    and went on just before the lock came free; "" none, or several."""
    table, waiting = facts.model.states, {*rows}
    start, end = table.start_ns[first], table.end_ns[first]
    if end - start < LOST_NS:
        return ""
    found = {
        table.who[row]
        for row in facts.rows_of((IO, SLEEP), (end - start) // 2)
        if row not in waiting
        and 0 <= end - table.end_ns[row] <= _JUST_NS
        and covers(end - max(start, table.start_ns[row]), end - start)
        and not facts.call(table.row[row])[0].endswith(_CHILDREN)
    }
    if len(found) != 1:
        return ""
    thread = found.pop()
    who = users(facts.model, [("thread", thread)])
    process = facts.model.thread_process[thread]
    if process != facts.model.thread_process[table.who[first]]:
        who = code(Family.of(facts.model).name(process))
    return f". {who} went on just before it came free, {_did(facts, thread, first)}"


def _did(facts: Facts, thread: int, wait: int) -> str:
    table = facts.model.states
    return doing(facts, [(("thread", thread), table.start_ns[wait], table.end_ns[wait])])


def waiting_for(facts: Facts, rows: list[int]) -> str:
    """The processes that wait, where there are several; else the threads."""
    model, table = facts.model, facts.model.states
    of = {model.thread_process[table.who[row]] for row in rows}
    if len(of) == 1:
        return users(model, (("thread", table.who[row]) for row in rows))
    return processes(facts, of)


# As with other pools, half a second must be lost. Who has a permit is not recorded: whoever is
# blocked in the function that acquires it, and does not wait there itself. While others wait,
# there must be such a one for four fifths of the time; else it may be a signal.
_MOST = 2_000  # calls that are looked at, the longest ones
_ACQUIRE, _ENTER = "SemLock.acquire", "SemLock.__enter__"


def permits_between_processes(facts: Facts) -> Iterator[Finding]:
    """Processes wait for a permit that others have while they are slow."""
    table, told = facts.model.states, LongWaits.of(facts).told
    by_site = defaultdict[str, list[int]](list)
    for row in facts.in_order(facts.calls_named((_ACQUIRE, _ENTER), _LONG_NS)):
        if table.slice[row] not in told and not is_of_library(facts, row):
            by_site[facts.call(table.row[row])[1]].append(row)
    for site, waits in by_site.items():
        if facts.total_ns(waits) < LOST_NS:
            continue
        inside = _inside(facts, site, {*waits})
        slots = _slots(facts, waits, inside)
        is_lock = facts.call(table.row[waits[0]])[0].endswith(_ENTER) and slots == 1
        if slots and not is_lock:
            told.update(table.slice[row] for row in waits)
            yield _of_permits(facts, site, waits, inside, slots)


def _inside(facts: Facts, site: str, waits: set[int]) -> list[Hold]:
    """The times in which somebody was blocked in the function of a line."""
    of = place_of(site)
    mark = f"{of.path}:"
    return [
        _hold(facts, row)
        for row in longest_rows(facts, (IO, SLEEP, LOCK_WAIT), _LONG_NS, _MOST)
        if row not in waits
        and any(
            frame.startswith(mark) and place_of(frame).function == of.function
            for frame in stack_of(facts.model, row).split("\n")
        )
    ]


def _hold(facts: Facts, row: int) -> Hold:
    table = facts.model.states
    return Hold(("thread", table.who[row]), table.start_ns[row], table.end_ns[row])


def _slots(facts: Facts, waits: list[int], inside: list[Hold]) -> int:
    """How many were inside at a time, mostly, while others waited; 0 where too often nobody
    was."""
    ns = Counter[int]()
    for load in loads(inside, (_hold(facts, row) for row in waits)):
        if load.waiting:
            ns[load.had] += load.ns
    if not covers(ns.total() - ns[0], ns.total()):
        return 0
    return max(ns, key=lambda count: (ns[count] if count else -1, count))


def _of_permits(
    facts: Facts, site: str, waits: list[int], inside: list[Hold], slots: int
) -> Finding:
    table = facts.model.states
    since, until = min(table.start_ns[r] for r in waits), max(table.end_ns[r] for r in waits)
    did = mostly(
        facts,
        [
            (one.who, max(one.start_ns, since), min(one.end_ns, until))
            for one in inside
            if one.start_ns < until and one.end_ns > since
        ],
    )
    what = f"one of {slots} permits" if slots > 1 else "a lock"
    rest = (
        f". Those who were past that line spent {did.text}. Give it back before doing "
        f"something else{', or raise their number' if slots > 1 else ''}."
    )
    kind = "pool exhausted" if slots > 1 else "lock convoy"
    found = _told(facts, kind, site, waits, f"{what} between processes", rest)
    return found._replace(behind=did.behind)
