"""Answers from outside that take much longer than usual."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

HTTP = "/usr/lib/python3.13/http/client.py"
FETCH = "/app/prices.py:9 fetch"
STACK = f"{HTTP}:292 HTTPResponse._read_status\n{HTTP}:331 HTTPResponse.begin\n{FETCH}"
PSYCOPG = "/venv/lib/python3.13/site-packages/psycopg/connection.py"
QUERY = f"{PSYCOPG}:495 Connection.wait\n{PSYCOPG}:302 Connection.execute\n{FETCH}"


def asks(
    stall_ns=800 * MS, threads=3, usual=15, usual_ns=5 * MS, apart_ns=MS, own_peer=False,
    call="socket.recv_into", stack=STACK,
):  # fmt: skip
    """Threads ask a server: most answers come soon, then one for each takes long."""
    trace = TraceBuilder(argv="prices.py", signals=SIGNALS)
    end = 0
    for n in range(threads):
        thread, at = trace.thread(f"worker-{n}").native(0), MS
        for _ in range(usual):
            thread.io(at, call, site=FETCH, stack=stack).native(at + usual_ns)
            at += usual_ns + MS
        stalled = stall_ns + n * apart_ns
        thread.io(at, call, site=FETCH, stack=stack, own_peer=own_peer)
        end = at + stalled
        thread.native(end)
        thread.end(end + 500 * MS)
    return trace.ended(end + 600 * MS)


def test_a_server_that_stands_still(tmp_path):
    (found,) = find_in(tmp_path, asks())
    assert found.finding == "slow answer"
    assert found.text == (
        "Slow answer: 3 threads `worker-N` in `fetch` (prices.py:9) waited 802 ms in "
        "`socket.recv_into` (at 91.0 ms), where the answer usually takes 5.00 ms: 3 such "
        "waits, 2.40 s in total. All of them ended within 2.00 ms: they waited for one thing."
    )
    assert found.next_step.startswith("Look at the other side")
    assert found.evidence.site == FETCH


def test_a_table_that_another_program_locks(tmp_path):
    (found,) = find_in(tmp_path, asks(call="poll", stack=QUERY))
    assert found.text.startswith(
        "Slow answer: 3 threads `worker-N` in `fetch` (prices.py:9, via `Connection.execute`) "
        "waited 802 ms in `query (psycopg)`"
    )
    assert "`pg_locks`" in found.next_step


def test_a_file_that_another_program_locks(tmp_path):
    (found,) = find_in(tmp_path, asks(call="sqlite3.Connection.execute", stack=FETCH))
    assert "in `sqlite3.Connection.execute` (at 91.0 ms), where" in found.text
    assert "another program that uses the file" in found.next_step


def test_threads_that_take_turns_at_a_file(tmp_path):
    """A call that gets through meanwhile shows that the file is not locked all the time."""
    story = {"call": "sqlite3.Connection.execute", "stack": FETCH, "apart_ns": 300 * MS}
    assert kinds(tmp_path, asks(**story)) == []


def test_waits_that_end_one_by_one(tmp_path):
    (found,) = find_in(tmp_path, asks(apart_ns=100 * MS, stall_ns=900 * MS))
    assert "they waited for one thing" not in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"stall_ns": 300 * MS}, id="little"),
        pytest.param({"apart_ns": 60 * MS}, id="none is very long, and each ends by itself"),
        pytest.param({"threads": 1}, id="less than a second in all"),
        pytest.param({"usual_ns": 100 * MS}, id="it often takes long"),
        pytest.param({"usual": 2}, id="the usual time is not known"),
        pytest.param({"own_peer": True}, id="a server of this process"),
        pytest.param({"stack": FETCH}, id="not known to be an answer"),
    ],
)
def test_other_waits(tmp_path, story):
    assert kinds(tmp_path, asks(**story)) == []


def awaits(what="response (aiohttp)", accepts=False, loops=1):
    """A task asks a server; once the answer takes long. The loop shows whom it serves."""
    trace = TraceBuilder(argv="prices.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    for n in range(loops - 1):
        trace.loop(trace.thread(f"other-{n}")).callback("Timer.run", "/app/t.py:1 r", 0, 9)
    task = loop.task("fetch", site="/app/prices.py:7 fetch").ready(0)
    if accepts:
        accept = "BaseSelectorEventLoop._accept_connection2"
        accepting = loop.task(accept, site="/lib/selector_events.py:1 a").ready(1)
        accepting.running(2).done(3)
        loop.step(accepting, 2, 3)
    at = 1_000
    for n in range(20):
        task.running(at).awaits(at + 1_000, what, site=FETCH)
        loop.step(task, at, at + 1_000)
        at += 1_200 * MS if n == 12 else 2 * MS
        reads = "_SelectorSocketTransport._read_ready"
        loop.callback(reads, "/lib/selector_events.py:9 r", at, at + 100)
        task.ready(at + 50)
        at += 1_000
    task.running(at).done(at + 10)
    loop.step(task, at, at + 10)
    return trace.ended(at + MS)


def test_an_answer_to_a_task(tmp_path):
    (found,) = find_in(tmp_path, awaits())
    assert found.text == (
        "Slow answer: `fetch` in `fetch` (prices.py:9) waited 1.20 s in `response (aiohttp)` "
        "(at 24.0 ms), where the answer usually takes 2.00 ms: 1 such wait, 1.20 s in total."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"accepts": True}, id="it may serve itself"),
        pytest.param({"loops": 2}, id="another loop may serve it"),
        pytest.param({"what": "command (redis)"}, id="a command that may wait"),
    ],
)
def test_answers_that_may_be_its_own(tmp_path, story):
    assert kinds(tmp_path, awaits(**story)) == []
