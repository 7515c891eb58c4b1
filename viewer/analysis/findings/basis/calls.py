"""Blocking calls: which of a loop's are to blame for the time they take; how much one read."""

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.states import begins_call, marks, stack_of
from viewer.trace.columns import CONTINUES
from viewer.trace.processes import number_of
from viewer.trace.sites import imports, place_of

_QUICK_NS = 1_000_000
_FILES = ("os.", "io.", "open", "mmap")
_CERTIFICATES = (
    "ssl.SSLContext.set_default_verify_paths",
    "ssl.SSLContext.load_verify_locations",
)
_CLIENTS = ("accept", "select", "poll", "epoll_wait")
_OF_PEERS = ("socket.recv", "socket.accept", "socket.connect", "ssl.")


def long_calls(facts: Facts, at_least_ns: int) -> memoryview:
    """Rows at which calls begin that took so long by themselves: without what the kernel or
    the wait for the GIL took in between."""
    table = facts.model.states
    begins = marks(facts.model, begins_call)
    longer = facts.model.trace.engine.longer
    return longer(table.start_ns, table.busy_end_ns, begins, at_least_ns)


def pieces(facts: Facts, row: int) -> list[tuple[int, int]]:
    """When the call that begins at a row went on by itself."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    found, left = list[tuple[int, int]](), table.busy_end_ns[row] - table.start_ns[row]
    for at in rows.begun(table.who[row], table.start_ns[row]):
        if left <= 0:
            break
        if table.state[one := rows.row[at]] & CONTINUES or one == row:
            found.append((table.start_ns[one], table.end_ns[one]))
            left -= facts.row_ns(one)
    return found


def is_import(facts: Facts, thread: int, start_ns: int, end_ns: int) -> bool:
    """Whether the step mostly imports modules, by its CPU samples."""
    if thread < 0:
        return False
    stacks = facts.stacks(facts.model.threads[thread].tid, [(start_ns, end_ns)])
    return sum(facts.importing[stack] for stack in stacks) * 2 > len(stacks)


def is_of_file(facts: Facts, call: int) -> bool:
    """Whether a call reads a file; a quick one is subtracted already."""
    return not is_quick(facts, call) and facts.call(call)[0].startswith(_FILES)


def is_quick(facts: Facts, call: int) -> bool:
    """Whether the call usually returns at once: a long one is the disk's or the kernel's. One
    that begins a process lasts until that one has had a processor: the quickest tells. How
    long a peer takes depends on what it was asked. A loop's own sockets never block."""
    if call in facts.of_transports:
        return True
    if facts.call(call)[0].startswith(_OF_PEERS):
        return False
    return facts.quickest_start_ns.get(call, facts.usual_call_ns[call]) < _QUICK_NS


def asks_for_clients(facts: Facts, call: int) -> bool:
    """Whether a server waits for clients in it."""
    return facts.call(call)[0].endswith(_CLIENTS)


def is_set_up(facts: Facts, call: int) -> bool:
    """Whether it loads the certificates, and was made once, for a client that stays."""
    if facts.call(call)[0] not in _CERTIFICATES:
        return False
    calls = facts.model.states.row
    return sum(calls[row] == call for row in long_calls(facts, _QUICK_NS)) == 1


def is_of_import(facts: Facts, call: int, row: int) -> bool:
    """Whether an import reads a file, which happens once."""
    if not facts.call(call)[0].startswith(_FILES):
        return False
    stack = stack_of(facts.model, row)
    return any(imports(place_of(frame).path) for frame in stack.split("\n"))


def size_read(facts: Facts, row: int) -> int:
    """How many bytes a call read; -1 where that is unknown, as in a piece of a call."""
    end = facts.model.trace.slices.end_event[facts.model.states.slice[row]]
    return number_of(facts.model.trace.args(end), s.ARG_BYTES, -1) if end >= 0 else -1
