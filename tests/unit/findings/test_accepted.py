"""Servers too busy to accept: connections from outside stood in the socket's queue."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, Service, find_in, kinds
from tracer import schema as s
from viewer.analysis.findings import Evidence, Finding
from viewer.analysis.findings.basis.order import in_order

REPORT = "/app/web.py:9 report"
CLIENT = "/app/web.py:16 client"
SERVES = f"{REPORT}\n/usr/lib/python3.13/socketserver.py:235 BaseServer.serve_forever"
LIB = "/usr/lib/python3.13"
SERVER = "/venv/lib/python3.13/site-packages/gunicorn/workers/sync.py:27 SyncWorker.accept"
LIBRARY = "/venv/lib/python3.13/site-packages/gunicorn/workers/sync.py:120 SyncWorker.run"


def service(threads=1, job_ns=200 * MS, waits=2, *, idle=True, works="sleep", count=6,
            late_ns=0, sends=""):  # fmt: skip
    """Workers that serve one request after the other; each request had waited for `waits`
    jobs. `idle`: they had waited for connections before; the last one not until `late_ns`."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    sampled = SampleBuilder(trace) if works == "computes" else None
    made = [trace.thread(f"worker-{n}") for n in range(threads)]
    begins = 1_000 * MS
    for thread in made:
        if sends:
            thread.native(0).io(2 * MS, "socket.sendall", site=REPORT, stack=sends)
            accepts = f"{LIB}/socket.py:295 socket.accept\n{SERVER}"
            thread.io(950 * MS, "socket.accept", site=LIBRARY, stack=accepts)
        elif idle:
            thread.native(0)
            asks_ns = max(late_ns, MS) if thread is made[-1] else MS
            thread.io(asks_ns, "select.select", site=LIBRARY, stack=LIBRARY)
        else:
            thread.native(0)
        for n in range(count):
            at = begins + n * job_ns
            if works == "sleep":
                thread.native(at)
                thread.enter(at + 1000, "sleep", "sleep", {"site": REPORT, "stack": REPORT})
            elif works == "poll":
                thread.io(at, "select.select", site=LIBRARY, stack=LIBRARY)
            elif works == "start":
                thread.lock_wait(at, "Thread.start", lock=5, site=LIBRARY)
            elif sampled is not None:
                thread.running(at)
                sampled.add(thread, at + 10 * MS, "main", ("total", "/app/web.py", 4))
                thread.preempted(at + job_ns * 3 // 10)
            else:
                thread.enter(at, "preempted", "thread", {})
            thread.native(at + job_ns - 1000)
            since = trace.start_ns + max(at + job_ns - waits * job_ns, 0)
            trace.instant(
                thread.track, at + job_ns, s.ACCEPTED_LATE, s.CAT_THREAD,
                since_ns=since, port=8000,
            )  # fmt: skip
        thread.native(begins + count * job_ns).end(begins + count * job_ns + MS)
    return trace.ended(begins + count * job_ns + 2 * MS)


def test_the_only_worker(tmp_path):
    (found,) = find_in(tmp_path, service())
    assert found.finding == "pool exhausted"
    assert found.severity_ns == 6 * 400 * MS
    assert found.text == (
        "Pool exhausted: connections to port 8000 waited until somebody accepted them: 6 "
        "connections, 2.40 s in total, the longest 400 ms (at 800 ms). Meanwhile `worker-0`, "
        "the only thread that accepts there, was busy: 92 % of that time asleep in `report` "
        "(web.py:9). Serve with more workers or threads, or make `report` shorter."
    )
    assert found.evidence.site == found.behind == REPORT


def test_several_workers(tmp_path):
    (found,) = find_in(tmp_path, service(threads=3))
    assert "18 connections, 7.20 s in total" in found.text
    assert (
        "the 3 workers that accept there, one request at a time each, were busy" in found.text
    )


@pytest.mark.parametrize(
    ("starts_ms", "lost"),
    [(700, 2 * 2_400), (900, 2 * 2_400 - 100), (990, 2 * 2_400 - 190)],
)
def test_a_worker_that_starts_late(tmp_path, starts_ms, lost):
    """Connections came while the other one served already: what they waited from its start
    on is time in which both were busy."""
    (found,) = find_in(tmp_path, service(threads=2, late_ns=starts_ms * MS))
    assert found.severity_ns == lost * MS


@pytest.mark.parametrize(
    ("sends", "lost"),
    [
        pytest.param(SERVER, 2_400, id="an answer"),
        pytest.param("/app/db.py:3 connect", 2_000, id="something else"),
    ],
)
def test_a_worker_that_answered_before(tmp_path, sends, lost):
    """It got its first connections at once, so it never waited for any."""
    (found,) = find_in(tmp_path, service(sends=f"{LIB}/socket.py:5 send\n{sends}"))
    assert found.severity_ns == lost * MS


def test_workers_that_compute(tmp_path):
    """What the kernel gave to others meanwhile does not count."""
    (found,) = find_in(tmp_path, service(works="computes"))
    assert 0.38 < found.severity_ns / (6 * 400 * MS) < 0.41  # the first ones saw it idle
    assert (
        "was busy: 77 % of that time computing in `total` (web.py:4, 100 % of 11 CPU samples)"
        in found.text
    )
    assert "(not counted: 1.54 s preempted by the kernel)" in found.text
    assert found.text.endswith("Serve with more workers or threads, or make `total` shorter.")


def test_a_client_that_says_nothing_comes_first(tmp_path):
    """A line in library code alone is none to make shorter."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    lib = "/usr/lib/python3.13"
    reads = f"{lib}/socket.py:719 SocketIO.readinto"
    accepts = (
        f"{lib}/selectors.py:398 select\n{lib}/socketserver.py:235 BaseServer.serve_forever"
    )
    stack = (
        f"{reads}\n{lib}/http/server.py:410 BaseHTTPRequestHandler.handle_one_request\n"
        f"{lib}/socketserver.py:235 BaseServer.serve_forever"
    )
    server = trace.thread("http").native(0)
    server.io(MS, "select.select", site=accepts.split("\n")[0], stack=accepts)
    server.native(100 * MS).io(101 * MS, "socket.recv_into", site=reads, stack=stack)
    server.native(1_300 * MS)
    for n in range(3):
        trace.instant(
            server.track, (1_301 + n) * MS, s.ACCEPTED_LATE, s.CAT_THREAD,
            since_ns=trace.start_ns + 110 * MS, port=8000,
        )  # fmt: skip
    server.end(1_310 * MS)
    first, second = find_in(tmp_path, trace.ended(1_311 * MS))
    assert (first.finding, second.finding) == ("slow client", "pool exhausted")
    assert second.text.endswith("Serve with more workers or threads.")


def test_a_slow_client_is_why_a_server_has_no_time():
    """Also where both are told of one line; who has a pool's slots is told there itself."""
    evidence = Evidence(0, MS, "worker-0", site=REPORT)
    pool = Finding("pool exhausted", 3_000 * MS, "", evidence, behind=REPORT)
    client = Finding("slow client", 1_200 * MS, "", evidence)
    assert in_order([pool, client]) == [client, pool]
    assert in_order([pool, client._replace(finding="lock convoy")])[0] == pool


def workers_that_lock(late_ns, name="worker-1"):
    """Two workers: one sleeps in a transaction, the other, or whoever `name` is, waits for it,
    and twelve connections stand in the queue for `late_ns` each."""
    execute, begin = "sqlite3.Connection.execute", "/app/web.py:8 report"
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    keeps, waits = trace.thread("worker-0"), trace.thread(name)
    for thread in (keeps, waits):
        thread.native(0).io(MS, "select.select", site=LIBRARY, stack=LIBRARY)
    keeps.io(999 * MS, execute, site="/app/web.py:7 report").native(1_000 * MS)
    keeps.enter(1_001 * MS, "sleep", "sleep", {"site": REPORT, "stack": REPORT})
    keeps.io(1_800 * MS, execute, site="/app/web.py:10 report").native(1_801 * MS)
    waits.io(1_010 * MS, execute, site=begin, stack=begin).native(1_801 * MS)
    for n in range(12):
        trace.instant(
            keeps.track, (1_802 + n) * MS, s.ACCEPTED_LATE, s.CAT_THREAD,
            since_ns=trace.start_ns + (1_802 + n) * MS - late_ns, port=8000,
        )  # fmt: skip
    for thread in (keeps, waits):
        thread.end(1_900 * MS)
    return trace.ended(1_901 * MS)


def test_what_keeps_the_workers_comes_first(tmp_path):
    """The connections lost more; that the database was locked is why."""
    found = find_in(tmp_path, workers_that_lock(late_ns=520 * MS))
    assert [one.finding for one in found] == ["database locked", "pool exhausted"]
    assert found[0].severity_ns * 7 < found[1].severity_ns


def test_whose_database_is_locked_serves_nobody(tmp_path):
    story = workers_that_lock(late_ns=520 * MS, name="importer")
    assert kinds(tmp_path, story) == ["pool exhausted", "database locked"]


def test_what_came_while_the_server_started_does_not_count(tmp_path):
    """It never waited for connections before: the first ones tell when it began to serve."""
    (found,) = find_in(tmp_path, service(idle=False))
    assert "4 connections, 1.60 s in total" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"job_ns": 40 * MS}, id="they waited for less than a tenth of a second"),
        pytest.param({"job_ns": 50 * MS, "waits": 3, "count": 3}, id="little is lost"),
        pytest.param({"job_ns": 450 * MS, "waits": 1, "count": 2}, id="two, for a moment"),
        pytest.param({"job_ns": 20 * MS, "waits": 8, "threads": 3}, id="a burst"),
        pytest.param({"works": "poll"}, id="the server was idle"),
        pytest.param({"works": "preempted"}, id="it had no processor"),
        pytest.param({"works": "start"}, id="a thread that it started had no processor"),
    ],
)
def test_servers_that_are_not_to_blame(tmp_path, story):
    assert "pool exhausted" not in kinds(tmp_path, service(**story))


def test_two_that_waited_long(tmp_path):
    (found,) = find_in(tmp_path, service(job_ns=800 * MS, waits=1, count=2))
    assert "2 connections, 1.60 s in total" in found.text


def test_clients_in_the_same_program_say_more(tmp_path):
    """Their waits are known, and who they are: that is told instead."""
    trace, end = TraceBuilder(argv="web.py", signals=SIGNALS), 3_000 * MS
    server = trace.thread("http").native(0)
    server.io(MS, "socket.accept", site=REPORT, stack=SERVES).native(200 * MS)
    for n in range(12):
        at = (200 + n * 200) * MS
        server.enter(at + 1000, "sleep", "sleep", {"site": REPORT, "stack": SERVES})
        server.native(at + 199 * MS)
        trace.instant(
            server.track, at + 200 * MS - 1000, s.ACCEPTED_LATE, s.CAT_THREAD,
            since_ns=trace.start_ns + at - 200 * MS, port=8000,
        )  # fmt: skip
    for n in range(3):
        client = trace.thread(f"client-{n}").native(0)
        for at in range(200 * MS, 2_400 * MS, 600 * MS):
            client.io(at, "socket.recv", site=CLIENT, stack=CLIENT, own_peer=True)
            client.native(at + 599 * MS)
        client.end(end)
    server.end(end)
    (found,) = find_in(tmp_path, trace.ended(end + MS))
    assert "3 threads `client-N` in `client` (web.py:16) waited for it" in found.text


def blocked_once(step_ns=700 * MS, connections=4, since_ns=100 * MS):
    """A loop is blocked once, nobody is ready, and connections come meanwhile."""
    service = Service()
    service.step(5 * MS, others_wait=False)
    service.rest(200 * MS)
    start = service.step(step_ns, others_wait=False)
    for n in range(connections):
        service.trace.instant(
            service.thread.track, start + step_ns + (n + 1) * 1000, s.ACCEPTED_LATE,
            s.CAT_THREAD, since_ns=service.trace.start_ns + start + since_ns, port=8000,
        )  # fmt: skip
    return service.end()


def test_connections_behind_a_blocked_loop(tmp_path):
    (found,) = find_in(tmp_path, blocked_once())
    assert found.finding == "loop blocked"
    assert found.severity_ns == 4 * 600 * MS
    assert found.text.endswith(
        "; up to 4 new connections waited until it was over, 2.40 s summed over all of them."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"connections": 0}, id="nobody came"),
        pytest.param({"since_ns": 600 * MS}, id="little is lost"),
        pytest.param({"step_ns": 90 * MS, "since_ns": 0, "connections": 5}, id="a short step"),
        pytest.param({"since_ns": 800 * MS}, id="they came when it was over"),
    ],
)
def test_loops_that_kept_no_connection(tmp_path, story):
    assert kinds(tmp_path, blocked_once(**story)) == []
