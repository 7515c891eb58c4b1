"""Threads that wait for what only they, or those who wait for them, could bring about."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.databases import LockErrors, evidence, sqlite_calls
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import Call, server_calls
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.connections import SERVING, is_own, servers
from viewer.analysis.resources.waits import GETS, Wait
from viewer.analysis.states import stack_of
from viewer.trace.columns import IDLE_WAIT, IO, LOOP_TASK, STATE_MASK
from viewer.trace.sites import function_of, is_library, own_frames, place_of
from viewer.words import code

# Only a time-out or the end of the program ends such a wait. It must have lost half a second.
# By function that waits: the one that must return first, and what that means.
_LOOPS = {"BaseServer.shutdown": "BaseServer.serve_forever"}
_JOIN = "Queue.join"
_MOST = 5_000  # states of a thread that are looked at


def own_end(facts: Facts) -> Iterator[Finding]:
    """A wait for the end of what the waiter is in the middle of."""
    waits = LongWaits.of(facts)
    for wait in waits.all:
        if not wait.failed or wait.ns < LOST_NS or wait.slice in waits.told:
            continue
        said = _loop(wait) or _item(facts, wait)
        if not said:
            continue
        waits.told.add(wait.slice)
        who = code(name_of(facts.model, wait.who))
        text = (
            f"Deadlock {at(facts, wait.start_ns)}, for {duration(wait.ns)}: {who}"
            f"{place_in(wait.site)} {said}"
        )
        about = frozenset((wait.site,))
        yield Finding("deadlock", wait.ns, text, waits.evidence(wait), about=about)


def _loop(wait: Wait) -> str:
    """`waits in … for the end of …, in which it is itself`."""
    functions = [place_of(frame).function for frame in wait.stack]
    for inner, outer in _LOOPS.items():
        if inner in functions and outer in functions[functions.index(inner) :]:
            return (
                f"waits in `{inner}` for the end of `{outer}`, which is its own caller and so "
                f"cannot end. Call `{inner.rpartition('.')[2]}` from another thread."
            )
    return ""


def _item(facts: Facts, wait: Wait) -> str:
    """A worker joins a queue in the middle of an item."""
    kind, thread = wait.who
    if wait.name != _JOIN or kind != "thread":
        return ""
    took = _gets_in(facts, thread, wait)
    if not took:
        return ""
    return (
        f"waits in `{_JOIN}` in the middle of an item that it took in `Queue.get`"
        f"{place_in(took)}: if it is the same queue, that item is never done, and the join "
        f"never ends. Call `task_done` first, or join from a thread that takes nothing."
    )


def _gets_in(facts: Facts, thread: int, wait: Wait) -> str:
    """The line of a function that the waiter is in, at which it got an item from a queue."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    callers = own_frames(wait.stack)
    inside = {function_of(frame) for frame in callers}
    for row in reversed(rows.of(thread)[-_MOST:]):
        if table.start_ns[row] >= wait.start_ns or table.state[row] & STATE_MASK != IDLE_WAIT:
            continue
        name, site = facts.wait(row)
        if name in GETS and function_of(site) in inside:
            return site
    return ""


# An answer of the own process takes as long as its work takes; half a second is worth a look.


def waits_for_itself(facts: Facts) -> Iterator[Finding]:
    """The only thread of a process that serves waits for an answer of this process."""
    model, table = facts.model, facts.model.states
    own = [row for row in facts.rows_of((IO,), LOST_NS) if is_own(facts, row)]
    if not own:
        return
    serving = servers(facts)
    told = set[tuple[int, str]]()
    for row in own:
        thread = table.who[row]
        process = model.thread_process[thread]
        others = {one for one in serving if model.thread_process[one] == process} - {thread}
        name, site = facts.call(table.row[row])
        if thread not in serving or others or (thread, site) in told:
            continue
        in_loop = facts.on_loop_at(thread, table.start_ns[row]) >= 0
        stack = stack_of(facts.model, row)
        if not in_loop and not any(function in stack for function in SERVING):
            continue
        told.add((thread, site))
        LongWaits.of(facts).told.add(table.slice[row])
        ns = facts.row_ns(row)
        what = (
            "Await an asynchronous client, or run the call in a thread"
            if in_loop
            else "Call the function itself, or serve with more threads"
        )
        text = (
            f"Deadlock {at(facts, table.start_ns[row])}, for {duration(ns)}: "
            f"{code(model.thread_names[thread])} waits for itself in `{name}`"
            f"{place_in(site)}: "
            f"the other end of the connection is in its own process, where no other thread "
            f"serves. {what}."
        )
        yield Finding("deadlock", ns, text, facts.evidence_of(row))


# Half a second; both began at the same time, and the client's wait ended with the server's.
_TOGETHER_NS = 50 * MS
_CALLS = 1_000  # that are looked at
# Whoever reads a response has sent its request; whoever serves it should not read then.
_READS = " HTTPResponse."
_BEGINS = " HTTPResponse.begin"  # nothing of it has come yet
_SERVES = " BaseHTTPRequestHandler.handle_one_request"
_RECEIVES = ("recv", "recv_into")


def both_wait(facts: Facts) -> Iterator[Finding]:
    """A client reads the rest of a response, while the server reads the next request."""
    table, model = facts.model.states, facts.model
    rows = [*facts.rows_of((IO,), LOST_NS)][:_CALLS]
    rows = [row for row in rows if facts.call(table.row[row])[0].endswith(_RECEIVES)]
    # A handler that reads a response is a client itself: of whom, others tell.
    stacks = {row: stack_of(model, row) for row in rows}
    serving = [
        row for row, stack in stacks.items() if _SERVES in stack and _READS not in stack
    ]
    for row, stack in stacks.items() if serving else ():
        if _READS not in stack or not is_own(facts, row):
            continue
        start, end = table.start_ns[row], table.end_ns[row]
        for other in serving:
            if _BEGINS in stack and is_library(facts.call(table.row[other])[1]):
                continue  # that server may be busy with another client
            ends = 0 <= end - table.end_ns[other] <= _TOGETHER_NS
            met = end - max(table.start_ns[other], start)
            is_here = (
                model.thread_process[table.who[other]] == model.thread_process[table.who[row]]
            )
            if ends and is_here and covers(met, end - start):
                yield _both(facts, row, other)
                break


def _both(facts: Facts, row: int, other: int) -> Finding:
    table, names = facts.model.states, facts.model.thread_names
    start, ns = table.start_ns[row], facts.row_ns(row)
    (name, site), (theirs, where) = (facts.call(table.row[one]) for one in (row, other))
    own = "" if is_library(where) else place_in(where)
    what, step = (
        ("the rest of the request", "Send as much as `Content-Length` says")
        if own
        else (
            "the next request",
            "Send a `Content-Length` with the response, or close the connection after it "
            "(`Connection: close`)",
        )
    )
    text = (
        f"Deadlock {at(facts, start)}, for {duration(ns)}: {code(names[table.who[row]])}"
        f"{place_in(site)} waits in `{name}` for the rest of a response, while "
        f"{code(names[table.who[other]])}{own}, which serves it, waits in `{theirs}` for "
        f"{what}, until one of them gave up. {step}."
    )
    return Finding("deadlock", ns, text, facts.evidence_of(row))


# Half a second, until the database gave up: the exception says that it was for a lock, and
# comes at once. Whoever keeps a transaction open goes on with it afterwards.
_THEN_NS = 50 * MS
_ENDS = ("commit", "rollback", "__exit__")


class _Asked(NamedTuple):
    """A call of the database in a step of a task."""

    task: int
    call: Call


def locked_by_its_loop(facts: Facts) -> Iterator[Finding]:
    """A step of a loop waits in a query for what a transaction of another of its tasks has
    locked: that one goes on only when the step is over."""
    raised = LockErrors.of(facts) if facts.ledger.lane_of_thread else []
    if not raised:
        return
    for calls in (server_calls(facts), sqlite_calls(facts)):
        for thread in facts.ledger.lane_of_thread:
            own = _in_steps(facts, thread, calls.get(("thread", thread), []))
            by_line = defaultdict[str, list[tuple[_Asked, set[int], str]]](list)
            for n, one in enumerate(own):
                how = _how_it_failed(raised, one)
                if how and (keepers := _keepers(own, n)):
                    by_line[one.call.site].append((one, keepers, how))
            for found in by_line.values():
                yield _locked(facts, found)


def _in_steps(facts: Facts, thread: int, calls: list[Call]) -> list[_Asked]:
    """The calls that tasks make in their steps, where one is long enough."""
    owned, found = facts.model.owners, list[_Asked]()
    for call in calls if any(call.ns >= LOST_NS for call in calls) else ():
        step = facts.on_loop_at(thread, call.start_ns)
        if step >= 0 and owned.kind[step] == LOOP_TASK:
            found.append(_Asked(owned.owner[step], call))
    return found


def _how_it_failed(raised: list[tuple[int, Who, str]], asked: _Asked) -> str:
    """The exception in which the call of a task ended; "" none."""
    end_ns, whose = asked.call.end_ns, ("task", asked.task)
    if asked.call.ns < LOST_NS:
        return ""
    return next(
        (
            how
            for at_ns, who, how in raised
            if who == whose and 0 <= at_ns - end_ns <= _THEN_NS
        ),
        "",
    )


def _keepers(own: list[_Asked], n: int) -> set[int]:
    """The other tasks that have begun a transaction before a call and go on with it after."""
    before, after = dict[int, Call](), dict[int, Call]()
    for task, call in own[:n]:
        before[task] = call
    for task, call in reversed(own[n + 1 :]):
        after[task] = call
    return {
        task
        for task, call in before.items()
        if task != own[n].task
        and not (call.ends or call.is_closing or call.is_opening)
        and not call.name.endswith(_ENDS)
        and task in after
        and not after[task].is_opening
    }


def _locked(facts: Facts, found: list[tuple[_Asked, set[int], str]]) -> Finding:
    (task, worst), keepers, how = max(found, key=lambda one: one[0].call.ns)
    whos: list[Who] = [("task", one) for one in sorted(keepers)]
    what, where = _awaited_at(facts, min(keepers), worst.start_ns)
    nouns, lost = facts.model.nouns_for([task]), sum(one.call.ns for one, _, _ in found)
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, for {duration(worst.ns)}: "
        f"{code(name_of(facts.model, ('task', task)))}{place_in(worst.site)} blocks its "
        f"{nouns.loop} in `{worst.name}` for what a transaction of {users(facts.model, whos)} "
        f"has locked, until it gave up ({how}). That transaction was open{what}{where}, "
        f"and cannot go on before the {nouns.loop} does. "
        f"{plural(len(found), 'wait')}, {duration(lost)} in all. Commit before "
        f"awaiting anything else, and use a driver that lets the {nouns.loop} go on."
    )
    return Finding("deadlock", lost, text, evidence(facts, worst))


def _awaited_at(facts: Facts, task: int, time_ns: int) -> tuple[str, str]:
    """` over `sleep`` and ` in `notify` (app.py:9)`: the last await of a task."""
    starts = facts.model.trace.slices.start_ns
    last = max(
        (i for i in facts.awaits_of_task(task) if starts[i] <= time_ns),
        key=starts.__getitem__,
        default=-1,
    )
    what = facts.what(last) if last >= 0 else ""
    return (f" over `{what}`", place_in(facts.awaited(last)[1])) if what else ("", "")
