"""Calls that a time limit ended, and work that is cut short each time after as long."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
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


TIMED = "/usr/lib/python3.13/asyncio/timeouts.py:129 Timeout._on_timeout"
CANCELS = "/usr/lib/python3.13/site-packages/rpc/server.py:9 Server.drop"
OWN = "/app/ask.py:30 first_of_two"
SLEEP = "/usr/lib/python3.13/asyncio/tasks.py:718 sleep"
CUT_IN = "/app/ask.py:3 slow\n/app/ask.py:8 ask"


def asks(
    given=(250,) * 4,
    what="sleep",
    waker="timer",
    stack=TIMED,
    answers=0,
    of=CUT_IN,
    other=CUT_IN,
):
    """Two tasks whose calls are cut short after so many ms; `answers` of them come, with
    `other` as their stack."""
    trace = TraceBuilder(argv="ask.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, at = trace.loop(thread), 0
    for n in range(2):
        at = n * MS
        task = loop.task("ask", site="/app/ask.py:5 ask").ready(at).running(at)
        for ms in given:
            task.awaits(at + MS, what, site="/app/ask.py:3 slow", stack=of)
            at += ms * MS
            task.ready(at, waker=waker, stack=stack).running(at)
            at += 5 * MS
        for _ in range(answers):
            task.awaits(at, what, site="/app/ask.py:3 slow", stack=other)
            task.ready(at + 10 * MS, waker="timer").running(at + 10 * MS)
            at += 11 * MS
        task.done(at + 30 * MS)
    thread.end(at + 40 * MS)
    return trace.ended(at + 41 * MS)


def rpcs(stack=CANCELS, lives=(300, 300, 310, 301), naps=1, by_io=False):
    """Tasks, one after the other, that are cancelled as they sleep."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, at = trace.loop(thread), 0
    main = loop.task("main", site="/app/rpc.py:40 main").ready(0).running(0)
    main.awaits(MS, "future", site="/app/rpc.py:41 main")
    for ms in lives:
        task = loop.task("flash", site="/app/rpc.py:9 flash").ready(at).running(at)
        for n in range(naps):
            task.awaits(at + n * ms * MS // naps + MS, "sleep", site="/app/rpc.py:6 load")
            end = at + (n + 1) * ms * MS // naps
            if n < naps - 1:
                task.ready(end, waker="timer").running(end)
        at += ms * MS
        main.ready(at - 1, waker="io").running(at - 1)
        if by_io:
            task.ready(at, waker="io", stack=stack)
        else:
            task.ready(at, by=main, stack=stack)
        main.awaits(at + 1, "future", site="/app/rpc.py:41 main")
        task.running(at + 2).done(at + MS)
        at += 40 * MS
    main.ready(at, waker="io").running(at).done(at + MS)
    thread.end(at + 2 * MS)
    return trace.ended(at + 3 * MS)


def test_calls_are_given_up_again_and_again(tmp_path):
    (found,) = find_in(tmp_path, asks())
    assert found.finding == "time-outs"
    assert found.text == (
        "Time-outs: 2 tasks `ask` in `ask` (ask.py:8) had about 249 ms for what takes longer. "
        "In 8 of 8 attempts the time ran out in `sleep` in `slow` (ask.py:3) (first at 250 "
        "ms): 1.99 s were lost."
    )
    assert found.evidence.site == "/app/ask.py:3 slow"


def test_what_a_library_awaits_besides_is_no_attempt(tmp_path):
    """As the reset of a connection, at the same line of the program."""
    reset = "/venv/lib/python3.13/site-packages/asyncpg/pool.py:9 Pool.release"
    (found,) = find_in(tmp_path, asks(answers=5, other=f"{reset}\n{CUT_IN}"))
    assert "In 8 of 8 attempts the time ran out" in found.text


def test_a_busy_machine_is_late_with_some(tmp_path):
    (found,) = find_in(tmp_path, rpcs(lives=(300, 420, 300, 301, 390)))
    assert "5 of 5 attempts" in found.text


@pytest.mark.parametrize("by_io", [False, True])
def test_a_library_cancels_what_takes_too_long(tmp_path, by_io):
    (found,) = find_in(tmp_path, rpcs(by_io=by_io))
    assert found.finding == "time-outs"
    assert "4 tasks `flash` had about 301 ms" in found.text
    assert "In 4 of 4 attempts the time ran out in `sleep` in `load` (rpc.py:6)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"given": (250,)}, id="twice"),
        pytest.param({"given": (90,) * 4}, id="little is lost"),
        pytest.param({"given": (120, 250, 400, 600)}, id="each after another time"),
        pytest.param({"answers": 6}, id="most are answered"),
        pytest.param({"what": "Queue.get"}, id="it waits for an item for a moment"),
        pytest.param({"what": "message (aiohttp)"}, id="it waits for a client for a moment"),
        pytest.param({"stack": "/app/ask.py:3 slow"}, id="the sleeps were over"),
        pytest.param(
            {"what": "connect (redis)", "of": f"{SLEEP}\n{CUT_IN}", "stack": ""},
            id="a pause of a library",
        ),
    ],
)
def test_no_time_outs(tmp_path, story):
    assert "time-outs" not in kinds(tmp_path, asks(**story))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"stack": OWN}, id="the program wants only the first answer"),
        pytest.param({"naps": 30}, id="it goes round until it is told to end"),
        pytest.param(
            {"lives": (300, 900, 100, 500)}, id="each lived as long as it was needed"
        ),
    ],
)
def test_no_time_outs_of_tasks(tmp_path, story):
    assert "time-outs" not in kinds(tmp_path, rpcs(**story))
