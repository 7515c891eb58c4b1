"""Whoever would have ended a wait is gone: a pool or its workers, a child that ran jobs, those
who took items, the last thread of a class, or the one that answered all others."""

import signal

from tracer import schema as s
from viewer.analysis.endings import signal_name
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.processes.family import ORDERLY, Family
from viewer.analysis.processes.jobs import Jobs
from viewer.analysis.resources.queues import fed_by
from viewer.analysis.resources.waits import PUTS, Wait
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, SLEEP, STATE_MASK
from viewer.trace.sites import own_frames, place_of
from viewer.words import code

RESULTS = ("AsyncResult.get", "IMapIterator.next")
_JOBS = (*RESULTS, "Future.result", "futures.wait")
_TERMINATES = " Pool._terminate_pool"
_MOST = 10_000  # states of a thread that are looked at
_REPLACED = 8  # workers
_OF_WORKERS = (*_JOBS, "Queue.get")
_SOON = 10  # a tenth of a wait
_LOOKED = 100  # states of a thread in which its function is looked for
_MOST_ENDED = 1_000  # threads
_PLAIN = "<locals>"
_DONE = "Queue.join"
# A thread that was answered five times at a line knows what it may wait for.
ANSWERS = 5


def gone(facts: Facts, found: list[Wait], worst: Wait) -> str:
    """What became of those who would have ended a wait, of those that others of its line were
    ended by as well; "" where nobody is known to be gone."""
    return (
        _ended_pool(facts, worst)
        or _killed(facts, worst)
        or no_worker_left(facts, worst)
        or _ended_before(facts, worst)
        or _answered(facts, found, worst)
    )


def _ended_pool(facts: Facts, wait: Wait) -> str:
    """`; `stop` (app.py:9) had ended its pool (at 5 ms)`: then no result can come."""
    if wait.name not in RESULTS:
        return ""
    model, table, rows = facts.model, facts.model.states, facts.ledger.rows_of_threads
    process = LongWaits.of(facts).process(wait.who)
    for thread, of in enumerate(model.thread_process):
        if of != process:
            continue
        for n in rows.begun(thread, 0, wait.end_ns - wait.ns // 2)[-_MOST:]:
            row = rows.row[n]
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
    children = Family.of(facts.model).children(process)
    children = [one for one in children if one.process in worked]
    last = max(children, key=lambda one: one.end_ns, default=None)
    if last is None or last.told is None or last.end_ns > wait.end_ns - wait.ns // 2:
        return ""
    return (
        f"; {code(last.name)}, the last process of its pool, had ended "
        f"({at(facts, last.end_ns)}), and no other one was started"
    )


def _killed(facts: Facts, wait: Wait) -> str:
    """`; `Worker-1` was ended by SIGKILL at 5 ms`: whose work a wait for jobs may be for."""
    if wait.name not in _OF_WORKERS:
        return ""
    family, process = Family.of(facts.model), LongWaits.of(facts).process(wait.who)
    for member in family.children(process):
        told = member.told
        if told is None or told.signal is None:
            continue
        is_known = told.signal in signal.valid_signals() and told.signal not in ORDERLY
        if is_known and member.start_ns < wait.end_ns and told.time_ns < wait.end_ns:
            name = signal_name(told.signal)
            when = at(facts, member.end_ns)
            return f"; {code(member.name)} was killed by {name} {when}, and its job with it"
    return _replaced(facts, family, wait, process)


def _replaced(facts: Facts, family: Family, wait: Wait, process: int) -> str:
    """Workers that end again and again, soon after they began, and are replaced."""
    ended = [
        member
        for member in family.children(process)
        if wait.start_ns <= member.start_ns
        and member.told is not None
        and member.told.signal is None
        and member.told.time_ns < wait.end_ns
    ]
    if len(ended) < _REPLACED:
        return ""
    worked = Jobs.of(facts.model).workers
    if any(member.process in worked for member in ended):
        return ""
    told = ended[0].told
    status = f" with status {told.status}" if told is not None and told.status else ""
    return (
        f"; meanwhile {len(ended)} workers such as {code(ended[0].name)} began and ended"
        f"{status} before they had run a job, and were replaced: look at the pool's "
        f"`initializer`, and at what a worker imports"
    )


def _ended_before(facts: Facts, wait: Wait) -> str:
    """`; `worker`, which it created, had ended long before`; "" where that is unknown."""
    return _getters(facts, wait) or _worker(facts, wait) or _receivers(facts, wait)


def _getters(facts: Facts, wait: Wait) -> str:
    """`; `worker`, which it created, ended before`: whose work Queue.join waits for."""
    waits, (kind, task) = LongWaits.of(facts), wait.who
    if wait.name != _DONE or kind != "task":
        return ""
    children: list[Who] = [("task", child) for child in facts.ledger.children_of(task)]
    found = {child for child in children if waits.ends_ns(child) < wait.end_ns - LOST_NS}
    if not found:
        return ""
    return f"; {users(facts.model, found)}, created by it, had ended long before"


def _receivers(facts: Facts, wait: Wait) -> str:
    """`; `pump`, which had got what it sent, was cancelled (at 1.20 s)`: all who waited for
    items of whoever waits for room now, or until all are done, if they had ended as its wait
    began."""
    if wait.name not in (*PUTS, _DONE):
        return ""
    waits = LongWaits.of(facts)
    found = fed_by(waits, wait.who)
    ends_ns = [waits.ends_ns(who) for who in found]
    if not ends_ns or max(ends_ns) > wait.start_ns + wait.ns // _SOON:
        return ""
    hows = {facts.ledger.how_it_ended(which) for kind, which in found if kind == "task"}
    verb = "was" if len(found) == 1 else "were"
    how = f"{verb} cancelled" if hows == {s.CANCELLED} else "had ended"
    when = at(facts, max(ends_ns))
    return f"; {users(facts.model, found)}, which had got what it sent, {how} ({when})"


def _worker(facts: Facts, wait: Wait) -> str:
    """`; `exporter` had ended (at 12 ms), the last thread in `Exporter.run``: threads of the
    class whose method waits, none of which was there any more."""
    of = _class_of(wait.site)
    if wait.who[0] != "thread" or not of[1]:
        return ""
    waits, model, found = LongWaits.of(facts), facts.model, dict[int, str]()
    process = waits.process(wait.who)
    for thread in range(min(len(model.threads), _MOST_ENDED)):
        is_other = model.thread_process[thread] == process and ("thread", thread) != wait.who
        if is_other and _class_of(frame := _runs(facts, thread)) == of:
            found[thread] = frame
    until_ns = wait.end_ns - LOST_NS
    if not found or any(waits.ends_ns(("thread", one)) > until_ns for one in found):
        return ""
    last = max(found, key=lambda thread: waits.ends_ns(("thread", thread)))
    name, end_ns = model.thread_names[last], waits.ends_ns(("thread", last))
    return (
        f"; {code(name)} had ended ({at(facts, end_ns)}), the last thread in "
        f"{code(place_of(found[last]).function, found[last])}"
    )


def _class_of(site: str) -> tuple[str, str]:
    """The file and the class of a method; empty of another function."""
    place = place_of(site)
    name = place.function.rpartition(".")[0]
    return (place.path, name) if name and not name.endswith(_PLAIN) else ("", "")


def _runs(facts: Facts, thread: int) -> str:
    """The user's function that a thread was started with, by the stacks of what it did."""
    for row in facts.ledger.rows_of_threads.of(thread)[:_LOOKED]:
        if own := own_frames(stack_of(facts.model, row).split("\n")):
            return own[-1]
    return ""


def _answered(facts: Facts, found: list[Wait], worst: Wait) -> str:
    """`; `network`, which had ended 40 others, spent …`: the one thread that answers all."""
    ended = [wait.ender for wait in found if not wait.failed and wait.ender is not None]
    if len(ended) < ANSWERS or len(set(ended)) > 1 or worst.who[0] != "thread":
        return ""
    did = doing(facts, [(ended[0], worst.start_ns, worst.end_ns)])
    ends_ns = LongWaits.of(facts).ends_ns(ended[0])
    who = f"; {code(name_of(facts.model, ended[0]))}, which had ended {len(ended)} others,"
    if ends_ns <= worst.start_ns:
        return f"{who} had ended itself ({at(facts, ends_ns)})"
    return f"{who} spent {did}" if did else ""
