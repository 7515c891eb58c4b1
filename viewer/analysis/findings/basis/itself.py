"""Servers that wait for themselves: the thread that would answer is the one that asks."""

from collections import Counter
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# An answer of the own process takes as long as its work takes; half a second is worth a look.
_LONG_NS = 500 * _MS
_IDLE_NS = _MS
_SELECT = f"{s.IO_PREFIX}select."
_MOST = 1_000  # calls of a thread that are looked at
# A thread that serves is in one of these functions when nobody asks, and while it answers.
_SERVING = ("BaseServer.serve_forever", "BaseServer.handle_request", "SyncWorker.run")


def waits_for_itself(facts: Facts) -> Iterator[Finding]:
    """The only thread of a process that serves waits for an answer of this process."""
    model, table = facts.model, facts.model.states
    own = [row for row in facts.rows_of((IO,), _LONG_NS) if is_own(facts, row)]
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
        if not in_loop and not any(function in stack for function in _SERVING):
            continue
        told.add((thread, site))
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
        evidence = Evidence(
            table.start_ns[row], ns, model.thread_names[thread],
            tid=model.threads[thread].tid, site=site, pid=model.pid(process),
        )  # fmt: skip
        yield Finding("deadlock", ns, text, evidence)


def is_own(facts: Facts, row: int) -> bool:
    end = facts.model.trace.slices.end_event[facts.model.states.slice[row]]
    return end >= 0 and s.ARG_OWN_PEER in facts.model.trace.args(end)


def servers(facts: Facts) -> set[int]:
    """The threads that accept connections, or run a loop."""
    table, trace = facts.model.states, facts.model.trace
    found, looked_at = set(facts.ledger.lane_of_thread), Counter[int]()
    for row in facts.rows_of((IO,), _IDLE_NS):
        if table.who[row] in found or looked_at[table.who[row]] >= _MOST:
            continue
        looked_at[table.who[row]] += 1
        name = trace.text(table.call_name[table.row[row]])
        stack = stack_of(facts.model, row)
        # Where a `select` of the program comes before it, `accept` takes moments.
        selects = _SELECT in name and not is_library(facts.call(table.row[row])[1])
        is_serving = any(function in stack for function in _SERVING)
        if name.endswith("accept") or selects or is_serving:
            found.add(table.who[row])
    return found
