"""Pools of processes that end while somebody waits for a result of theirs."""

from bisect import bisect_left

from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.jobs import Jobs
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, SLEEP, STATE_MASK
from viewer.words import code

RESULTS = ("AsyncResult.get", "IMapIterator.next")
_JOBS = (*RESULTS, "Future.result", "futures.wait")
_TERMINATES = " Pool._terminate_pool"
_MOST = 10_000  # states of a thread that are looked at


def ended_pool(facts: Facts, wait: Wait) -> str:
    """`; `stop` (app.py:9) had ended its pool (at 5 ms)`: then no result can come."""
    if wait.name not in RESULTS:
        return ""
    model, table, rows = facts.model, facts.model.states, facts.ledger.rows_of_threads
    process = LongWaits.of(facts).process(wait.who)
    for thread, of in enumerate(model.thread_process):
        low, high = rows.offset[thread], rows.offset[thread + 1]
        if of != process:
            continue
        until = bisect_left(rows.start_ns, wait.end_ns - wait.ns // 2, low, high)
        for row in rows.row[max(low, until - _MOST) : until]:
            is_call = table.state[row] & STATE_MASK in (IO, SLEEP)
            if is_call and _TERMINATES in stack_of(model, row):
                where = place_in(facts.call(table.row[row])[1])
                return (
                    f"; the pool had been terminated{where} ({at(facts, table.start_ns[row])})"
                )
    return ""


def no_worker_left(facts: Facts, wait: Wait) -> str:
    """`; `worker-2`, the last process of its pool, had ended (at 5 ms)`: children that had run
    jobs, none of which was there in the second half of a wait for a result."""
    if wait.name not in _JOBS:
        return ""
    process, worked = LongWaits.of(facts).process(wait.who), Jobs.of(facts.model).workers
    members = Family.of(facts.model).members.values()
    children = [one for one in members if one.parent == process and one.process in worked]
    last = max(children, key=lambda one: one.end_ns, default=None)
    if last is None or last.told is None or last.end_ns > wait.end_ns - wait.ns // 2:
        return ""
    return (
        f"; {code(last.name)}, the last process of its pool, had ended "
        f"({at(facts, last.end_ns)}), and no other one was started"
    )


def without_handlers(facts: Facts, waits: list[Wait]) -> list[Wait]:
    """Waits for results of which the pieces before and after a signal handler are one."""
    found = list[Wait]()
    for wait in waits:
        before = found[-1] if found else None
        is_same = before is not None and (before.who, before.lock) == (wait.who, wait.lock)
        if before is not None and is_same and _runs_inside(facts, before, wait):
            found[-1] = wait._replace(start_ns=before.start_ns)
        else:
            found.append(wait)
    return found


def _runs_inside(facts: Facts, before: Wait, wait: Wait) -> bool:
    """Whether something ran between two waits that was called while the first one waited."""
    if wait.name not in RESULTS or wait.who[0] != "thread":
        return False
    rows, which = facts.ledger.rows_of_threads, wait.who[1]
    low, high = rows.offset[which], rows.offset[which + 1]
    since = bisect_left(rows.start_ns, before.end_ns, low, high)
    until = bisect_left(rows.start_ns, wait.start_ns, low, min(high, since + _MOST))
    inner = "\n" + "\n".join(before.stack)
    return any(inner in stack_of(facts.model, row) for row in rows.row[since:until])
