"""A server with a process for each connection that has as many as it may have."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.itself import is_own
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import having, mentioned, stack_of
from viewer.trace.columns import IO
from viewer.words import code

_MS = 1_000_000
# As with other pools, half a second must be lost, in waits after which the server takes the
# next connection at once: so somebody waited for that.
_LOST_NS = 500 * _MS
_LONG_NS = 10 * _MS
_NEXT_NS = 100 * _MS
_MOST = 2_000  # calls that are looked at, the longest ones
_LOOKS = 100  # waits of one server that are compared with children and clients
_FEWEST = 2  # children
_COLLECTS, _CLOSES = " ForkingMixIn.collect_children", " ForkingMixIn.server_close"
_WAITPID = "os.waitpid"


def forking_server_full(facts: Facts) -> Iterator[Finding]:
    """`ForkingMixIn` has `max_children` children, and waits for one before it accepts."""
    model, table = facts.model, facts.model.states
    if not mentioned(model, _COLLECTS):
        return
    is_wait = memoryview(
        having(model, table.call_name, lambda name: name.endswith(_WAITPID), (_WAITPID,))
    )
    by_thread = defaultdict[int, list[int]](list)
    rows = longest_rows(facts, (IO,), _LONG_NS, _MOST)
    for row in model.trace.engine.pick(rows, table.row, is_wait):
        stack = stack_of(model, row)
        if _COLLECTS in stack and _CLOSES not in stack:
            by_thread[table.who[row]].append(row)
    for thread, waits in by_thread.items():
        children = forked_by(facts, thread)
        starts = sorted(one.start.time_ns for one in children if one.start is not None)
        waits = [
            row
            for row in waits
            if (n := bisect_left(starts, table.end_ns[row])) < len(starts)
            and starts[n] - table.end_ns[row] <= _NEXT_NS
        ]
        lost = facts.total_ns(waits)
        if lost >= _LOST_NS:
            yield from _finding(facts, thread, children, waits, lost)


def forked_by(facts: Facts, thread: int) -> list[Member]:
    """The processes that a thread has forked."""
    return [
        one
        for one in Family.of(facts.model).members.values()
        if one.start is not None and one.start.thread == thread
    ]


def _finding(
    facts: Facts, thread: int, children: list[Member], waits: list[int], lost: int
) -> Iterator[Finding]:
    model, table = facts.model, facts.model.states
    times, slots = list[tuple[Who, int, int]](), 0
    for row in sorted(waits, key=lambda row: table.start_ns[row] - table.end_ns[row])[:_LOOKS]:
        start, end = table.start_ns[row], table.end_ns[row]
        alive = [one for one in children if one.start_ns < end and one.end_ns > start]
        slots = max(slots, len(alive))
        times += [
            (("thread", one.main), max(start, one.start_ns), min(end, one.end_ns))
            for one in alive
            if one.main >= 0
        ]
    if slots < _FEWEST:
        return
    did = mostly(facts, times)
    worst = facts.longest(waits)
    start, ns = table.start_ns[worst], facts.row_ns(worst)
    name = code(model.thread_names[thread])
    text = (
        f"Pool exhausted: {name} has {slots} children, as many as it may have, and waits for "
        f"the end of one before it takes the next connection: {plural(len(waits), 'wait')}, "
        f"{in_total(facts, lost, ns, start)}"
        f"{f'. Its children spent {did.text}' if did.text else ''}"
        f"{_clients(facts, thread, waits)}. Raise `max_children`, or do what is slow "
        f"elsewhere."
    )
    evidence = facts.evidence(("thread", thread), start, ns, did.behind)
    yield Finding("pool exhausted", lost, text, evidence, behind=did.behind)


def _clients(facts: Facts, thread: int, waits: list[int]) -> str:
    """Those of the same process that wait meanwhile for an answer."""
    model, table = facts.model, facts.model.states
    windows = [(table.start_ns[row], table.end_ns[row]) for row in waits[:_LOOKS]]
    asked = [
        row
        for row in longest_rows(facts, (IO,), _LONG_NS, _MOST)
        if table.who[row] != thread
        and is_own(facts, row)
        and any(table.start_ns[row] < end and table.end_ns[row] > at for at, end in windows)
    ]
    if not asked:
        return ""
    worst = facts.longest(asked)
    clients = users(model, {("thread", table.who[row]) for row in asked})
    longest = duration(facts.row_ns(worst))
    where = place_in(facts.call(table.row[worst])[1])
    return f". {clients}{where} waited for an answer meanwhile, up to {longest}"
