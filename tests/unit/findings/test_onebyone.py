"""Many short calls at one line, one after the other, for which the whole program waits."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

STORE, MAIN = "/app/keep.py:9 store", "/app/keep.py:20 main"
REDIS = "/venv/lib/python3.13/site-packages/redis/connection.py:5 Connection.read_response"
POP = "/venv/lib/python3.13/site-packages/redis/commands.py:7 ListCommands.blpop"


def stored(
    call="os.fsync",
    times=30,
    each_ns=20 * MS,
    pause_ns=2 * MS,
    stack=(STORE,),
    is_joined=True,
    others=0,
    own_peer=False,
    begin_ns=MS,
):
    """A thread calls the same at one line again and again. `main` joins it, or sleeps."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    writer = trace.thread("writer").native(0)
    at = begin_ns
    for _ in range(times):
        writer.io(at, call, site=STORE, stack="\n".join(stack), own_peer=own_peer)
        writer.native(at + each_ns)
        at += each_ns + pause_ns
    for n in range(others):
        other = trace.thread(f"other-{n}").native(0)
        other.io(MS, call, site=STORE, stack="\n".join(stack)).native(at).end(at)
    end = trace.lock("Thread.join", MAIN)
    if is_joined:
        main.lock_wait(MS, "Thread.join", lock=end, owner=writer, site=MAIN, stack=MAIN)
        writer.release(at, end, to=main)
    else:
        main.sleep(MS, site=MAIN)
    writer.end(at)
    main.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def test_a_sync_for_each_file(tmp_path):
    (found,) = find_in(tmp_path, stored())
    assert (found.finding, found.severity_ns) == ("awaits in turn", 600 * MS)
    assert found.text == (
        "Awaits in turn: `writer` in `store` (keep.py:9) waits in `os.fsync` 30 times, one "
        "call after the other (at 1.00 ms), usually for 20.0 ms. The end of the program "
        "waited 600 ms for these calls, 91 % of all that it waited for in that time. Each "
        "call waits for the disk: write many, then sync once, where all may be lost together."
    )
    assert found.evidence.site == STORE


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("sqlite3.Connection.commit", "commit once"),
        ("sqlite3.Cursor.execute", "One statement for all"),
        ("os.unlink", "Fewer, larger files"),
    ],
)
def test_what_else_takes_its_time(tmp_path, call, said):
    (found,) = find_in(tmp_path, stored(call))
    assert f"waits in `{call}` 30 times" in found.text
    assert said in found.text


ALCHEMY = "/venv/lib/python3.13/site-packages/sqlalchemy/engine/default.py:5 do_execute"


def test_a_query_for_each_row(tmp_path):
    """What the program does with the rows is half of it."""
    (found,) = find_in(tmp_path, stored("poll", stack=(ALCHEMY, STORE), pause_ns=18 * MS))
    assert "`store` (keep.py:9, via `do_execute`) waits for a query 30 times" in found.text
    assert found.text.endswith("one transaction around them, if they write.")


def test_the_rest_of_the_program_does_not_count(tmp_path):
    (found,) = find_in(tmp_path, stored(begin_ns=2_000 * MS))
    assert "waited 600 ms for these calls, 91 % of all that it waited for" in found.text


def test_answers_of_a_server(tmp_path):
    (found,) = find_in(tmp_path, stored("socket.recv", stack=(REDIS, STORE)))
    assert (
        "waits in `socket.recv` for answers 30 times, one call after the other" in found.text
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 19, "each_ns": 40 * MS}, id="now and then"),
        pytest.param({"each_ns": 16 * MS}, id="little is lost"),
        pytest.param({"pause_ns": 22 * MS}, id="the pauses last longer"),
        pytest.param({"is_joined": False}, id="nobody waits for it"),
        pytest.param({"call": "os.read"}, id="it may read what comes seldom"),
        pytest.param({"call": "socket.recv"}, id="the program itself may listen"),
        pytest.param({"call": "socket.recv", "stack": (REDIS, POP, STORE)}, id="it listens"),
        pytest.param({"call": "socket.recv", "stack": (REDIS, STORE), "pause_ns": 6 * MS},
                     id="answers are not nearly all"),
        pytest.param({"call": "socket.recv", "stack": (REDIS, STORE), "others": 11},
                     id="several threads ask already"),
        pytest.param({"call": "socket.recv", "stack": (REDIS, STORE), "own_peer": True},
                     id="the program itself answers"),
    ],
)  # fmt: skip
def test_calls_that_are_as_they_must_be(tmp_path, story):
    assert "awaits in turn" not in kinds(tmp_path, stored(**story))


LIB = "/usr/lib/python3.13/http/client.py"
HEADER = f"{LIB}:5 HTTPResponse.begin\n{LIB}:6 HTTPConnection.getresponse"
PART = f"{LIB}:7 HTTPResponse.read"
GET = "/venv/lib/python3.13/site-packages/requests/api.py:9 get"
LINES = "/venv/lib/python3.13/site-packages/requests/models.py:9 Response.iter_lines"


def received(headers=1, parts=20, calls=GET, size_bytes=20, last=None):
    """`main` waits 50 ms for each header, and for each part of the body of an answer. `last`
    is the stack of the last part, if it is another one."""
    trace = TraceBuilder(argv="get.py", signals=SIGNALS)
    main, at = trace.thread("MainThread").native(0), MS
    every = headers * parts + headers
    for part in range(every):
        inside = PART if part % (parts + 1) else HEADER
        stack = f"{inside}\n{calls}\n{STORE}"
        if part == every - 1 and last is not None:
            stack = last
        main.io(at, "socket.recv_into", site=STORE, stack=stack, size_bytes=size_bytes)
        main.native(at + 50 * MS)
        at += 51 * MS
    main.end(at)
    return trace.ended(at + MS)


def test_an_answer_that_comes_bit_by_bit(tmp_path):
    (found,) = find_in(tmp_path, received())
    assert (found.finding, found.severity_ns) == ("slow answer", 1_050 * MS)
    assert found.text.startswith(
        "Slow answer: `MainThread` in `store` (keep.py:9, via `get`) waits 21 times for the "
        "next part of an answer, which comes bit by bit (at 1.00 ms), usually for 50.0 ms. "
        "The end of the program waited 1.05 s for these calls"
    )
    assert "A time-out ends each of these reads" in found.text


LED = "/venv/lib/python3.13/site-packages/requests/sessions.py:5 resolve_redirects"


@pytest.mark.parametrize("led", [8, 7])
def test_answers_after_a_redirect(tmp_path, led):
    """A quarter of the answers, or less."""
    trace = TraceBuilder(argv="get.py", signals=SIGNALS)
    main, at = trace.thread("MainThread").native(0), MS
    for turn in range(32):
        stack = f"{HEADER}\n{f'{LED}\n' if turn < led else ''}{GET}\n{STORE}"
        main.io(at, "socket.recv_into", site=STORE, stack=stack).native(at + 50 * MS)
        at += 51 * MS
    main.end(at)
    (found,) = find_in(tmp_path, trace.ended(at + MS))
    said = (
        "8 of these answers came after a redirect: ask at once for the address that it leads"
    )
    assert (said in found.text) == (led == 8)


@pytest.mark.parametrize("parts", [4, 5])
def test_parts_of_several_answers(tmp_path, parts):
    """Four parts each are of answers that are asked for in turn."""
    (found,) = find_in(tmp_path, received(headers=5, parts=parts))
    assert found.finding == ("slow answer" if parts == 5 else "awaits in turn")


@pytest.mark.parametrize("headers", [1, 10])
def test_a_download(tmp_path, headers):
    """Its parts are as large as a packet: that takes as long as it must, but for the answers
    that are asked for in turn."""
    found = kinds(tmp_path, received(headers=headers, size_bytes=1_400))
    assert found == (["awaits in turn"] if headers == 10 else [])


@pytest.mark.parametrize("stack", ["", f"{PART}\n{GET}"])
def test_calls_without_a_line_of_the_program(tmp_path, stack):
    """One has no stack, or only frames of libraries; the others tell."""
    (found,) = find_in(tmp_path, received(last=stack))
    assert found.finding == "slow answer"


def test_the_program_takes_part_by_part(tmp_path):
    assert "slow answer" not in kinds(tmp_path, received(calls=LINES))


def served(queries, requests=20, others=False):
    """`main` asks its own server, whose thread makes queries for each request."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main, server = trace.thread("MainThread").native(0), trace.thread("server").native(0)
    other = trace.thread("other").native(0) if others else None
    server.io(MS, "select.poll.poll", site=MAIN)
    at, stack = 2 * MS, f"{ALCHEMY}\n{STORE}"
    for _ in range(requests):
        main.io(at, "socket.recv", site=MAIN, stack=MAIN, own_peer=True)
        server.native(at + MS)
        at += 2 * MS
        for _ in range(queries):
            server.io(at, "poll", site=STORE, stack=stack).native(at + 10 * MS)
            at += 11 * MS
        server.io(at, "select.poll.poll", site=MAIN)
        main.native(at + MS // 2)
        at += MS
    if other is not None:
        other.end(at)
    main.end(at)
    server.native(at).end(at)
    return trace.ended(at + MS)


def test_queries_of_each_request(tmp_path):
    (found,) = find_in(tmp_path, served(queries=6))
    assert "`server` in `store` (keep.py:9, via `do_execute`) waits for a query 120 times" in (
        found.text
    )


def test_one_query_of_each_request(tmp_path):
    assert kinds(tmp_path, served(queries=4, requests=30)) == []


def test_a_request_that_several_may_have_answered(tmp_path):
    assert kinds(tmp_path, served(queries=6, others=True)) == []


def requests(
    times=30, jobs=2, each_ns=10 * MS, pause_ns=15 * MS, stack=(ALCHEMY, STORE), call="poll"
):
    """A worker asks the database again and again for each request that it gets from a queue,
    while `main` sleeps. The requests come at once."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0).sleep(MS, site=MAIN)
    worker = trace.thread("worker").native(0)
    queue, at = trace.lock("Queue.get", MAIN), MS
    for _ in range(jobs):
        worker.lock_wait(at, "Queue.get", lock=queue, site=MAIN, acquired=False)
        at += MS
        worker.native(at)
        for _ in range(times):
            worker.io(at, call, site=STORE, stack="\n".join(stack)).native(at + each_ns)
            at += each_ns + pause_ns
    worker.end(at)
    main.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def test_queries_of_each_job(tmp_path):
    (found,) = find_in(tmp_path, requests())
    assert (found.finding, found.severity_ns) == ("awaits in turn", 600 * MS)
    assert found.text.startswith(
        "Awaits in turn: `worker` in `store` (keep.py:9, via `do_execute`) waits for a query "
        "30 times, one call after the other (at 2.00 ms), usually for 10.0 ms, before it "
        "looks for the next job. 2 jobs did so, 600 ms in all. One statement for all"
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 19, "jobs": 4}, id="few in each"),
        pytest.param({"times": 60, "jobs": 1}, id="one job"),
        pytest.param({"each_ns": 8 * MS}, id="little is lost"),
        pytest.param({"pause_ns": 21 * MS}, id="it has more to do with the answers"),
        pytest.param({"call": "os.fsync"}, id="for the disk"),
        pytest.param({"stack": (STORE,)}, id="nobody knows what it waits for"),
    ],
)
def test_what_workers_may_ask(tmp_path, story):
    assert "awaits in turn" not in kinds(tmp_path, requests(**story))
