"""Servers whose threads are all taken while clients of the same program wait."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SOCKETSERVER = "/usr/lib/python3.13/socketserver.py:235 BaseServer.serve_forever"
WAITRESS = (
    "/venv/lib/python3.13/site-packages/waitress/task.py:84 "
    "ThreadedTaskDispatcher.handler_thread"
)
REPORT, CLIENT = "/app/web.py:9 report", "/app/web.py:16 client"


def sleeps(thread, at, stack):
    return thread.enter(at, "sleep", "sleep", {"site": REPORT, "stack": stack})


def service(
    threads=1, clients=3, job_ns=200 * MS, serves=SOCKETSERVER, own_peer=True, late_ns=0
):
    """Clients ask again and again; each request needs so long, and waits until the threads
    have answered those before it. `late_ns`: from the end of the work to the answer."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    servers = [trace.thread(f"http-{n}").native(0) for n in range(threads)]
    callers = [trace.thread(f"client-{n}").native(0) for n in range(clients)]
    end = 12 * job_ns + late_ns
    for n, thread in enumerate(servers):
        for at in range(MS + n * 1000, end - late_ns, job_ns):
            sleeps(thread, at, f"{REPORT}\n{serves}").native(at + job_ns - MS)
    turn = job_ns * max(clients // threads, 1)
    for n, thread in enumerate(callers):
        first = job_ns * (n // threads + 1) if threads < clients else job_ns
        for at in range(first, end - turn, turn):
            thread.io(
                at + late_ns, "socket.recv", site=CLIENT, stack=CLIENT, own_peer=own_peer
            )
            thread.native(at + turn - MS // 2 + late_ns)
    for thread in (*servers, *callers):
        thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_server_with_one_thread(tmp_path):
    (found,) = find_in(tmp_path, service())
    assert found.finding == "pool exhausted"
    assert found.text.startswith(
        "Pool exhausted: `http-0` serves one request at a time and is busy with `report` "
        "(web.py:9), 100 % of that time asleep in `report` (web.py:9). Meanwhile 3 threads "
        "`client-N` in `client` (web.py:16) waited for their turn: 8 requests, "
    )
    assert found.evidence.site == CLIENT


def in_a_queue(own_peer):
    """Two threads of waitress take requests from the queue into which its loop puts them."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    loop = trace.thread("waitress-main").native(0)
    workers = [trace.thread(f"waitress-{n}").native(0) for n in range(2)]
    callers = [trace.thread(f"client-{n}").native(0) for n in range(6)]
    job_ns = 200 * MS
    for turn in range(3):
        for n in range(6):
            at = turn * 3 * job_ns + (n * 10 + 1) * MS
            asked, begins = loop.submits(at), (turn * 3 + n // 2) * job_ns + 70 * MS + n
            loop.io(at + 1, "select.select").native(at + 9 * MS)
            call = {"site": CLIENT, "stack": CLIENT, "own_peer": own_peer}
            callers[n].io(at - MS // 2, "socket.recv", **call)
            worker = workers[n % 2]
            worker.runs(begins, "service", WAITRESS, by=asked)
            sleeps(worker, begins + 10, f"{REPORT}\n{WAITRESS}")
            worker.native(begins + job_ns - MS)
            callers[n].native(begins + job_ns - MS // 2)
    for thread in (loop, *workers, *callers):
        thread.end(10 * job_ns)
    return trace.ended(11 * job_ns)


def test_a_server_with_a_queue_is_told_once(tmp_path):
    """By its clients where these are seen, else by the calls in the queue."""
    (found,) = find_in(tmp_path, in_a_queue(own_peer=True))
    assert found.finding == "pool exhausted"
    assert "Meanwhile 6 threads `client-N` in `client` (web.py:16) waited" in found.text
    (found,) = find_in(tmp_path, in_a_queue(own_peer=False))
    assert found.finding == "thread-pool starvation"


def test_a_server_with_two_threads(tmp_path):
    (found,) = find_in(tmp_path, service(threads=2, clients=6, serves=WAITRESS))
    assert found.finding == "pool exhausted"
    assert found.text.startswith(
        "Pool exhausted: all 2 threads of the server are busy with `report` (web.py:9), "
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"clients": 1}, id="nobody else asks"),
        pytest.param({"threads": 3, "serves": WAITRESS}, id="a thread for each"),
        pytest.param({"own_peer": False}, id="they ask another process"),
        pytest.param({"job_ns": 10 * MS}, id="little is lost"),
        pytest.param({"serves": "/app/own.py:3 loop"}, id="no server"),
        pytest.param({"late_ns": 60 * MS}, id="another server answers"),
    ],
)
def test_servers_that_keep_up(tmp_path, story):
    assert kinds(tmp_path, service(**story)) == []
