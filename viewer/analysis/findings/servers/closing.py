"""What is closed and waits for its threads or children first: servers of the standard library
for those they still serve, a listener of `logging` for what is still in its queue."""

from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import having, mentioned, stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import innermost, place_of
from viewer.words import code

# Who stops a server notices half a second.
_LONG_NS = 500_000_000
_MOST = 1_000  # calls that are looked at
_THREADS = " ThreadingMixIn.server_close"
_LISTENER = " QueueListener.stop"
_CHILDREN = " ForkingMixIn.server_close"
_WAITPID = "os.waitpid"
_NEXT_REQUEST = " BaseHTTPRequestHandler.handle_one_request"
_REQUESTS, _RECORDS = "requests that are not over", "the records that are still in its queue"
_FEWER = "Log less, or with handlers that do not wait."
_STEP = (
    "Give connections a time-out (`timeout` of the handler), or do not wait for them: "
    "`daemon_threads = True`, as `ThreadingHTTPServer` has it, or `block_on_close = False`."
)


def slow_close(facts: Facts) -> Iterator[Finding]:
    """`server_close` joins threads or children that serve clients which do not go."""
    if mentioned(facts.model, _THREADS, _LISTENER):
        waits = LongWaits.of(facts)
        for wait in waits.all:
            closers = (_THREADS, _LISTENER)
            if wait.ns >= _LONG_NS and any(one.endswith(closers) for one in wait.stack):
                yield _of_thread(facts, waits, wait)
    if mentioned(facts.model, _CHILDREN):
        yield from _of_children(facts)


def _of_thread(facts: Facts, waits: LongWaits, wait: Wait) -> Finding:
    waits.told.add(wait.slice)
    kind, thread = wait.ender or ("", -1)
    meanwhile = ""
    if kind == "thread":
        did = doing(facts, [(("thread", thread), wait.start_ns, wait.end_ns)])
        meanwhile = f": {code(facts.model.thread_names[thread])}, {did}" if did else ""
        if _waits_for_request(facts, thread, wait):
            meanwhile += ", for another request of a client that has kept its connection"
    return _told(facts, wait.who[1], wait.start_ns, wait.end_ns, wait.stack, meanwhile)


def _waits_for_request(facts: Facts, thread: int, wait: Wait) -> bool:
    """Whether a thread of the server has nothing to do for most of a wait."""
    rows = facts.ledger.rows_of_threads
    for n in range(rows.offset[thread], rows.offset[thread + 1]):
        met = min(rows.end_ns[n], wait.end_ns) - max(rows.start_ns[n], wait.start_ns)
        if met * 2 > wait.ns and _NEXT_REQUEST in stack_of(facts.model, rows.row[n]):
            return True
    return False


def _of_children(facts: Facts) -> Iterator[Finding]:
    model, table = facts.model, facts.model.states
    waits = having(model, table.call_name, lambda name: name.endswith(_WAITPID), (_WAITPID,))
    rows = model.trace.engine.pick(
        facts.rows_of((IO,), _LONG_NS), table.row, memoryview(waits)
    )
    for row in rows[:_MOST]:
        stack = tuple(stack_of(model, row).split("\n"))
        if not any(frame.endswith(_CHILDREN) for frame in stack):
            continue
        start, end, thread = table.start_ns[row], table.busy_end_ns[row], table.who[row]
        times = [
            (("thread", one.main), start, end)
            for one in Family.of(model).members.values()
            if one.parent == model.thread_process[thread]
            and one.main >= 0
            and one.start_ns < end
            and one.end_ns > start
        ]
        did = doing(facts, times)
        yield _told(facts, thread, start, end, stack, f": its children, {did}" if did else "")


def _told(
    facts: Facts, thread: int, start: int, end: int, stack: tuple[str, ...], meanwhile: str
) -> Finding:
    closers = (_THREADS, _CHILDREN, _LISTENER)
    closes = next((n for n, one in enumerate(stack) if one.endswith(closers)), 0)
    is_server = not stack[closes].endswith(_LISTENER)
    site = innermost(stack[closes:])
    closer = place_of(stack[closes]).function
    text = (
        f"Slow end: {code(name_of(facts.model, ('thread', thread)))}{place_in(site)} waits "
        f"{duration(end - start)} ({at(facts, start)}) in `{closer}` for "
        f"{_REQUESTS if is_server else _RECORDS}{meanwhile}."
    )
    evidence = facts.evidence(("thread", thread), start, end - start, site)
    return Finding("slow end", end - start, text, evidence, _STEP if is_server else _FEWER)
