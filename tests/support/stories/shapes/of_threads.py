"""Shapes of threads and locks; each takes about how many events it is to have."""

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.shapes.sizes import MS, US, shaped
from tracer import schema as s


def many_locks(events: int) -> TraceBuilder:
    """Each lock is waited for once, and held once."""
    locks, trace = events // 10, shaped()
    a, b = trace.thread("a"), trace.thread("b")
    at = 0
    for n in range(locks):
        lock = trace.lock("Lock", f"/app/locks.py:{n + 1} work")
        a.running(at).sleep(at + US, site="/app/locks.py:9 work")
        b.native(at).lock_wait(at + 2 * US, "Lock", lock=lock, owner=a)
        lock.hold(at, at + 5 * US, a, site=f"/app/locks.py:{n + 1} work")
        a.running(at + 5 * US)
        b.native(at + 5 * US)
        at += 10 * US
    return trace.ended(at + MS)


def convoy(events: int) -> TraceBuilder:
    """Forty threads in line for one lock."""
    threads, trace = 40, shaped()
    turns = events // 9
    lock = trace.lock("Lock", "/app/convoy.py:3 work")
    line = [trace.thread(f"worker-{n}") for n in range(threads)]
    at = 0
    for worker in line[1:]:
        worker.lock_wait(at, "Lock", lock=lock, owner=line[0], site="/app/convoy.py:7 work")
    for turn in range(turns):
        worker, following = line[turn % threads], line[(turn + 1) % threads]
        lock.hold(at, at + 90 * US, worker, site="/app/convoy.py:7 work")
        worker.running(at)
        at += 90 * US
        worker.release(at, lock, to=following if turn + 1 < turns else None)
        worker.lock_wait(at, "Lock", lock=lock, owner=following, site="/app/convoy.py:7 work")
        at += 10 * US
    return trace.ended(at + MS)


def threads_at_once(events: int) -> TraceBuilder:
    """Very many threads that all want the GIL."""
    threads, trace = max(events // 14, 2), shaped()
    line = [trace.thread(f"worker-{n}").gil_wait(0) for n in range(threads)]
    at = 0
    for turn in range(3 * threads):
        worker = line[turn % threads]
        worker.running(at).gil_wait(at + 2 * MS, holder=line[(turn + 1) % threads])
        at += 2 * MS
    return trace.ended(at + MS)


def short_threads(events: int) -> TraceBuilder:
    """A thread per request, one after the other."""
    threads, trace = events // 10, shaped()
    lock = trace.lock("Lock", "/app/requests.py:3 serve")
    at = 0
    for n in range(threads):
        thread = trace.thread(f"Thread-{n} (serve)").running(at)
        thread.io(at + US, "socket.recv", site="/app/requests.py:9 serve")
        lock.hold(at + 3 * US, at + 4 * US, thread, site="/app/requests.py:10 serve")
        thread.running(at + 3 * US).end(at + 4 * US)
        at += 5 * US
    return trace.ended(at + MS)


def nested_waits(events: int) -> TraceBuilder:
    """Each thread waits for the lock of the next one, all at once."""
    trace = shaped()
    threads = [trace.thread(f"link-{n}").native(n) for n in range(events // 8)]
    end = len(threads) + 200 * MS
    for n, thread in enumerate(threads):
        lock = trace.lock("Lock", "/app/chain.py:3 take")
        following = threads[(n + 1) % len(threads)]
        lock.hold(n, end - n, following, site="/app/chain.py:5 take")
        thread.lock_wait(
            n + 1, "Lock", lock=lock, owner=following, site="/app/chain.py:6 take"
        )
    for n, thread in enumerate(threads):
        thread.native(end - n).end(end + 1)
    return trace.ended(end + MS)


def deep_stacks(events: int) -> TraceBuilder:
    """Every wait has another stack, a hundred frames deep."""
    trace = shaped()
    a, b = trace.thread("a"), trace.thread("b")
    lock = trace.lock("Lock", "/app/deep.py:1 f")
    below = "\n".join(f"/usr/lib/python3.13/lib.py:{n} g{n}" for n in range(99))
    at = 0
    for turn in range(events // 11):
        a.running(at)
        lock.hold(at, at + 50 * US, a, site="/app/deep.py:7 f")
        b.lock_wait(at, "Lock", lock=lock, owner=a, site="/app/deep.py:8 f")
        assert b.state is not None
        b.state.args[s.ARG_STACK] = f"/app/deep.py:{turn} f\n{below}"
        b.native(at + 50 * US)
        at += 60 * US
    return trace.ended(at + MS)


def samples(events: int) -> TraceBuilder:
    """CPU samples of deep stacks within very short waits."""
    trace = shaped()
    a, b = trace.thread("a").running(0), trace.thread("b").gil_wait(0)
    of = SampleBuilder(trace)
    at = 0
    for turn in range(events // 10):
        b.running(at).gil_wait(at + 10 * US, holder=a)
        a.gil_wait(at, holder=b).running(at + 10 * US)
        stack = [f"f{turn % 7}", *(f"g{n}" for n in range(turn % 20)), f"h{turn % 3}"]
        of.add(a, at + 15 * US, *stack)
        at += 20 * US
    return trace.ended(at + MS)


def dropped(events: int) -> TraceBuilder:
    """Events are dropped again and again while many locks are in use."""
    trace = shaped()
    a, b = trace.thread("a"), trace.thread("b")
    at = 0
    for n in range(events // 12):
        lock = trace.lock("Lock", f"/app/locks.py:{n + 1} work")
        a.running(at)
        lock.hold(at, at + 5 * US, a)
        b.lock_wait(at + US, "Lock", lock=lock, owner=a).native(at + 5 * US)
        trace.instant(
            trace.tracer, at + 4 * US, s.EVENTS_DROPPED, s.CAT_TRACER,
            count=1, since_ns=trace.start_ns + at + 3 * US,
        )  # fmt: skip
        at += 10 * US
    return trace.ended(at + MS)


def wakers(events: int) -> TraceBuilder:
    """Two threads hand a condition to and fro, with an arrow each time."""
    trace = shaped()
    a, b = trace.thread("a"), trace.thread("b")
    lock = trace.lock("Condition.wait", "/app/pp.py:3 play")
    at = 0
    turns = events // 8
    for turn in range(turns):
        one, other = (a, b) if turn % 2 else (b, a)
        one.running(at)
        other.lock_wait(at, "Condition.wait", lock=lock, site="/app/pp.py:4 play")
        one.release(at + 9 * US, lock, to=other if turn + 1 < turns else None)
        at += 10 * US
    return trace.ended(at + MS)


def deadlocks(events: int) -> TraceBuilder:
    """Pairs of threads that block each other, time out and try again."""
    trace = shaped()
    a, b = trace.thread("a").native(0), trace.thread("b").native(0)
    first, second = (trace.lock("Lock", f"/app/dead.py:{n} f") for n in (1, 2))
    at = MS
    for _ in range(events // 12):
        first.hold(at, at + 100 * MS, a)
        second.hold(at, at + 100 * MS, b)
        a.lock_wait(at + 1, "Lock", lock=second, owner=b, acquired=False)
        b.lock_wait(at + 2, "Lock", lock=first, owner=a, acquired=False)
        at += 100 * MS
        a.native(at)
        b.native(at)
        at += MS
    return trace.ended(at + MS)
