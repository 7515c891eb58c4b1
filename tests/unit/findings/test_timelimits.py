"""Calls that a time limit ended."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

ASK = "/app/backup.py:9 upload"
STACK = (
    "/usr/lib/python3.13/socket.py:719 SocketIO.readinto\n"
    f"/usr/lib/python3.13/ftplib.py:503 FTP.storbinary\n{ASK}"
)
LIBRARY = "/usr/lib/python3.13/ftplib.py:503 FTP.storbinary"
SERVES = f"/usr/lib/python3.13/http/server.py:404 BaseHTTPRequestHandler.handle\n{ASK}"


def given_up(
    ns=600 * MS, times=1, how="TimeoutError", name="socket.recv_into", stack=STACK,
    between="socket.connect", site=ASK, listens=False, own=False,
):  # fmt: skip
    """`backup` waits so many times for an answer; `main` started it, and may listen."""
    trace = TraceBuilder(argv="backup.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    started = trace.instant(main.track, 1, s.THREAD_START, s.CAT_THREAD)
    thread = trace.thread("backup")
    trace.arrow(started, trace.instant(thread.track, 2, s.THREAD_STARTED, s.CAT_THREAD))
    thread.native(2)
    at = MS
    for _ in range(times):
        thread.io(at, name, site=site, stack=stack, exception=how, own_peer=own)
        thread.running(at + ns)
        at += ns + MS
        if between:
            thread.io(at, between, site=ASK).running(at + MS)
        at += 2 * MS
    thread.end(at)
    if listens:
        main.io(MS, "socket.accept", site="/app/backup.py:3 serve")
    main.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def vain(tmp_path, trace):
    return [one for one in find_in(tmp_path, trace) if "gave up" in one.text]


def test_an_answer_that_never_comes(tmp_path):
    (found,) = vain(tmp_path, given_up())
    assert (found.finding, found.severity_ns) == ("wait in vain", 600 * MS)
    assert found.text == (
        "Waited in vain: `backup` in `upload` (backup.py:9) gave up 1 wait in "
        "`socket.recv_into`, in `FTP.storbinary`, 600 ms (at 1.00 ms): nothing came from the "
        "other side (TimeoutError). Look at what the other side does meanwhile; a shorter "
        "time limit loses less."
    )
    assert found.evidence.site == ASK


def test_each_time_with_a_new_connection(tmp_path):
    (found,) = vain(tmp_path, given_up(ns=200 * MS, times=3))
    assert "gave up 3 waits in `socket.recv_into`" in found.text


def test_a_name_that_nobody_knows(tmp_path):
    story = {"name": "socket.getaddrinfo", "how": "gaierror", "stack": ASK}
    (found,) = vain(tmp_path, given_up(**story))
    assert "in `socket.getaddrinfo`, 600 ms (at 1.00 ms): no name server knew" in found.text


def test_a_send_that_nobody_reads(tmp_path):
    (found,) = vain(tmp_path, given_up(name="socket.sendall"))
    assert "600 ms (at 1.00 ms): the other side did not read (TimeoutError)." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 490 * MS}, id="not long"),
        pytest.param({"ns": 90 * MS, "times": 8}, id="it only looks"),
        pytest.param({"how": ""}, id="something came"),
        pytest.param({"how": "ConnectionResetError"}, id="the other side went away"),
        pytest.param({"times": 2, "between": "socket.send"}, id="it looks again"),
        pytest.param({"listens": True}, id="a thread that serves a client"),
        pytest.param({"stack": SERVES}, id="a server that waits for a request"),
        pytest.param({"site": LIBRARY, "stack": LIBRARY}, id="of a library"),
    ],
)
def test_what_is_no_fault(tmp_path, story):
    assert vain(tmp_path, given_up(**story)) == []


@pytest.mark.parametrize(("others", "said"), [(1, True), (2, False)])
def test_the_other_side_waits_too(tmp_path, others, said):
    """Where only one other process reads all the time."""
    family, over = Family("client.py"), 700 * MS
    main = family.first.thread("MainThread").native(0)
    for n in range(others):
        server = family.fork(main, at=MS, pid=101 + n, name=f"server-{n}")
        thread = family.main(server).native(2 * MS)
        thread.io(5 * MS, "socket.recv", site="/app/client.py:4 read_all").native(over)
        thread.end(over + MS)
        server.ended(over + MS)
    main.io(10 * MS, "socket.recv", site=ASK, exception="TimeoutError").native(over)
    main.end(over + 5 * MS)
    family.first.ended(over + 6 * MS)
    found = find(Facts(build_model(read_trace(family.write(tmp_path)))))
    (text,) = [one.text for one in found if "gave up" in one.text]
    other = (
        ", where `server-0` in `read_all` (client.py:4) itself waited in `socket.recv` for "
        "more (TimeoutError). Each waits for the other: compare how much is sent with how "
        "much is read."
    )
    assert text.endswith(other) == said
