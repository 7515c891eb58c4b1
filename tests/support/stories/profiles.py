"""A trace with every kind of wait, for profiles: two threads, three tasks, all by hand."""

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.waits import MS
from tracer import schema as s

TAKE = "/app/pool.py:12 Pool.take"
SERVE = "/app/serve.py:30 serve"
STACK = f"{TAKE}\n{SERVE}"


def waits() -> TraceBuilder:
    """Thread `a` waits for `b`'s lock (5 ms, then 7 ms, known at the end), for a queue, for a
    socket and for the clock; task `client` awaits a lock and a socket."""
    trace = TraceBuilder(pid=700, signals="tasks,gc,gil,io")
    # Lanes with gaps are legal where the recorder gave the signal up.
    trace.instant(trace.tracer, 0, s.HOOK_DISABLED, s.CAT_TRACER, hook="gil", reason="?")
    a, b = trace.thread("a"), trace.thread("b")
    owner: dict[str, Arg] = {
        "owner": b.tid,
        "owner_name": "b",
        "owner_site": "/app/hog.py:4 hog",
    }
    trace.begin(
        a.track, 1 * MS, "lock wait: Lock", s.CAT_LOCK, stack=STACK, site=TAKE, **owner
    )
    trace.end(a.track, 6 * MS)
    trace.begin(a.track, 10 * MS, "lock wait: Lock", s.CAT_LOCK, site=TAKE)
    trace.end(a.track, 17 * MS).args = {"acquired": True, "stack": STACK, **owner}
    trace.begin(a.track, 20 * MS, "lock wait: Queue.get", s.CAT_LOCK, stack=SERVE)
    trace.end(a.track, 22 * MS)
    trace.begin(a.track, 30 * MS, "io: socket.recv", s.CAT_IO, stack=SERVE, fd=7)
    trace.end(a.track, 31 * MS).args = {"bytes": 10}
    trace.begin(a.track, 40 * MS, "sleep", s.CAT_SLEEP, site=SERVE)
    trace.end(a.track, 43 * MS)
    trace.begin(b.track, 1 * MS, "GIL wait", s.CAT_GIL, holder=a.tid)
    trace.end(b.track, 2 * MS)
    trace.begin(b.track, 50 * MS, "lock wait: RLock", s.CAT_LOCK, site=SERVE)
    trace.end(b.track, 51 * MS)
    trace.gc(60 * MS, 64 * MS, b.tid, 2, 5)
    main = trace.thread("MainThread")
    loop = trace.loop(main)
    server = loop.task("serve", name="server", site="/app/serve.py:9 serve")
    client = loop.task("client", site="/app/client.py:3 client", parent=1)
    server.ready(70 * MS).running(70 * MS)
    client.ready(71 * MS)
    server.awaits(72 * MS, "sleep", site="/app/serve.py:11 serve")
    loop.step(server, 70 * MS, 72 * MS)
    client.running(72 * MS).awaits(73 * MS, "Lock", site="/app/pool.py:20 Pool.acquire")
    loop.step(client, 72 * MS, 73 * MS)
    server.ready(75 * MS, waker="timer").running(76 * MS)
    client.ready(77 * MS, by=server, via="Future.set_result")
    server.ready(79 * MS)
    loop.step(server, 76 * MS, 79 * MS)
    client.running(79 * MS).awaits(80 * MS, "socket", site="/app/client.py:8 client")
    loop.step(client, 79 * MS, 80 * MS)
    server.running(81 * MS).done(82 * MS)
    loop.step(server, 81 * MS, 82 * MS)
    client.ready(90 * MS, waker="io").running(90 * MS).done(91 * MS)
    loop.step(client, 90 * MS, 91 * MS)
    return trace.ended(100 * MS)
