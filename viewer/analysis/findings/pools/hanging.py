"""Threads that each wait for an answer that does not come, of which more and more are made."""

from collections.abc import Iterator

from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.pools.pools import one_by_one, started_at
from viewer.analysis.states import having
from viewer.trace.columns import IO, STATE_MASK
from viewer.words import code

# As of threads that poll: sixteen, made one by one, of which four in five are still there.
# Each has connected itself, so it waits for a server; who serves may have clients that stay.
_MANY = 16
_STAY = 4, 5
_LAST_NS = 500_000_000  # the last ones may have their answer soon
_FIRST = 200  # rows of a thread in which it connects
_READS = ("socket.recv", "socket.recv_into", "ssl.read", "ssl.recv")
_CONNECT = "socket.connect"


def readers_pile_up(facts: Facts) -> Iterator[Finding]:
    """Threads that are started one after the other, ask a server, and have no answer at the
    end of the program."""
    model, table = facts.model, facts.model.states
    if 1 not in having(model, table.call_name, lambda name: name.endswith(_CONNECT)):
        return
    ended = {model.pid(n): process.end_ns for n, process in enumerate(model.trace.processes)
             if process.recording_ended is not None}  # fmt: skip
    for (pid, name), threads in facts.pools.items():
        if len(threads) < _MANY or pid not in ended:
            continue
        found = {t: site for t in threads if (site := _connected_at(facts, t)) is not None}
        hanging = sorted(found, key=table.first_ns.__getitem__)
        if len(hanging) < _MANY or len(hanging) * _STAY[1] < len(threads) * _STAY[0]:
            continue
        starts = [table.first_ns[thread] for thread in hanging]
        whole = ended[pid] - model.trace.processes[model.thread_process[hanging[0]]].start_ns
        if starts[len(starts) // 2] > ended[pid] - _LAST_NS or not one_by_one(starts, whole):
            continue
        first = hanging[0]
        call = facts.call(table.row[_last(facts, first)])[0]
        text = (
            f"Threads pile up: {len(hanging)} threads {code(name)}{started_at(facts, first)} "
            f"were made one after the other and have not ended: each connected"
            f"{place_in(found[first])} and still waits in `{call}` for an answer. Give the "
            f"socket a time-out, or close it when nobody needs it any more."
        )
        evidence = facts.evidence(
            ("thread", first), starts[0], table.last_ns[first] - starts[0], found[first]
        )
        yield Finding("workers never exit", 0, text, evidence, about=frozenset((name,)))


def _last(facts: Facts, thread: int) -> int:
    """The last row of a thread; -1: it has none."""
    rows = facts.ledger.rows_of_threads.of(thread)
    return rows[-1] if len(rows) else -1


def _connected_at(facts: Facts, thread: int) -> str | None:
    """Where a thread connected that reads to the end; None where it does not."""
    table, slices = facts.model.states, facts.model.trace.slices
    last = _last(facts, thread)
    if last < 0 or table.state[last] & STATE_MASK != IO:
        return None
    if (
        not slices.unfinished[table.slice[last]]
        or facts.call(table.row[last])[0] not in _READS
    ):
        return None
    for row in facts.ledger.rows_of_threads.of(thread)[:_FIRST]:
        if table.state[row] & STATE_MASK == IO:
            name, site = facts.call(table.row[row])
            if name == _CONNECT:
                return site
    return None
