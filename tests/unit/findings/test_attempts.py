"""Calls that fail and are made again, and those that a full pool turns away; pauses between
attempts."""

import pytest

from tests.support.builder.threads import Thread
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tests.support.models import model_of
from tracer import schema as s
from viewer.analysis.resources.failures import pauses
from viewer.analysis.resources.reading import Reading
from viewer.analysis.resources.waits import longest_rows
from viewer.trace.columns import IO

PACKAGE = "/usr/lib/python3/site-packages/store/client.py"
EXECUTE, POOL = f"{PACKAGE}:70 Store.execute", f"{PACKAGE}:30 Pool.get_connection"
READ, WRITE = "/app/app.py:20 reserve", "/app/app.py:25 reserve"
WORK = "/app/app.py:40 work"
FETCH, CACHED = "/app/app.py:9 slow_source", "/app/app.py:15 cached"
BELOW = "/app/app.py:17 cached"


def raises(thread: Thread, at: int, how: str | int, *stack: str, **more: int) -> None:
    """An exception, or a status of HTTP."""
    is_class = isinstance(how, str)
    name = s.RAISED if is_class else s.ERROR_RESPONSE
    key = s.ARG_EXCEPTION if is_class else s.ARG_STATUS
    args: dict[str, str | int] = {
        key: how,
        s.ARG_SITE: stack[0],
        s.ARG_STACK: "\n".join(stack),
    }
    thread.trace.instant(thread.track, at, name, s.CAT_THREAD, **args, **more)


def call(thread: Thread, at: int, line: str) -> None:
    thread.io(at, "socket.recv", site=line, stack=f"{EXECUTE}\n{line}\n{WORK}")


def attempts(
    fails=3,
    rounds=20,
    how="ConflictError",
    pause=0,
    ns=10 * MS,
    unseen=0,
    stack=(EXECUTE, WRITE, WORK),
    pieces=1,
):
    """Two threads read, compute and write: of a round all attempts but the last one fail."""
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    ends = 0
    for n in range(2):
        thread, at = trace.thread(f"worker-{n}").native(0), MS
        for _ in range(rounds):
            for attempt in range(fails + 1):
                call(thread, at, READ)
                thread.native(at + MS)
                for piece in range(pieces):
                    call(thread, at + ns - MS + piece * MS // pieces, WRITE)
                    thread.native(at + ns - MS + (piece + 1) * MS // pieces)
                at += ns
                if attempt < fails:
                    more = {s.ARG_OMITTED: unseen} if unseen else {}
                    raises(thread, at + 1, how, *stack, **more)
                    if pause:
                        thread.sleep(at + 2, site=WRITE).native(at + pause)
                        at += pause
                at += MS
        thread.end(at)
        ends = max(ends, at)
    return trace.ended(ends + MS)


def test_most_attempts_fail(tmp_path):
    (found,) = find_in(tmp_path, attempts())
    assert found.finding == "busy loop"
    assert found.text.startswith(
        "Busy loop: 2 threads `worker-N` in `reserve` (app.py:25) failed 120 times with "
        "`ConflictError`, raised in `Store.execute` (store/client.py:70), and tried again at "
        "once: 75 % of the attempts there failed, which took 1.20 s in total, "
    )
    assert found.severity_ns == 120 * (10 * MS + 1)


def test_a_call_in_pieces(tmp_path):
    """What follows elsewhere is the next attempt."""
    (found,) = find_in(tmp_path, attempts(pieces=2))
    assert "failed 120 times" in found.text
    assert "75 % of the attempts there failed" in found.text


def test_those_that_were_not_written(tmp_path):
    (found,) = find_in(tmp_path, attempts(unseen=2))
    assert "failed 360 times" in found.text


def test_with_pauses(tmp_path):
    (found,) = find_in(tmp_path, attempts(pause=2 * MS))
    assert found.finding == "retries"
    assert "tried again after a pause" in found.text


def test_answers_that_are_errors(tmp_path):
    """It is the answer that says so, at the line that asked."""
    (found,) = find_in(tmp_path, attempts(how=503, unseen=1))
    assert found.finding == "busy loop"
    assert found.text.startswith(
        "Busy loop: 2 threads `worker-N` in `reserve` (app.py:25) got `HTTP 503` 240 times, "
        "and tried again at once: 100 % of the attempts there failed, which took more than "
        "1.20 s in total, "
    )
    assert "Retry-After" in found.next_step


def test_answers_that_stay_as_they_are(tmp_path):
    (found,) = find_in(tmp_path, attempts(how=403, pause=2 * MS))
    assert found.finding == "retries"
    assert "asking again" in found.next_step


def test_what_is_not_there(tmp_path):
    """Look-ups that end with 404 cost little, or are few."""
    for healthy in ({"ns": 3 * MS}, {"fails": 1, "rounds": 9}):
        assert not find_in(tmp_path, attempts(how=404, **healthy))


@pytest.mark.parametrize("others", [("connect",), ("acquire", "acquire"), ("read the rest",)])
def test_pieces_of_one_answer(others, tmp_path):
    """At one line a library connects, locks and reads more, and not each time: an attempt ends
    with what it does before failures, also where none comes."""
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    thread, at = trace.thread("worker").native(0), MS
    for n in range(40):
        for piece in (*others, "read") if n % 3 == 0 else ("read",):
            stack = f"{PACKAGE}:9 {piece}\n{WRITE}\n{WORK}"
            thread.io(at, "socket.recv", site=WRITE, stack=stack).native(at + 20 * MS)
            at += 20 * MS
        if n % 4:
            raises(thread, at + 1, 429, WRITE, WORK)
        at += MS
    thread.end(at)
    found, *_ = find_in(tmp_path, trace.ended(at + MS))
    assert "got `HTTP 429` 30 times, and tried again at once: 75 % of the" in found.text


@pytest.mark.parametrize(
    "healthy",
    [
        {"fails": 0},
        {"fails": 1, "rounds": 9},  # bad luck
        {"ns": 3 * MS},  # they cost next to nothing
        {"how": "Empty"},
        {"how": "ReadTimeout"},
    ],
)
def test_few_that_cost_little_or_say_something_else(healthy, tmp_path):
    assert not {"busy loop", "retries"} & {*kinds(tmp_path, attempts(**healthy))}


def test_a_parser_of_its_own(tmp_path):
    """It reads and goes on: what fails is no call at a line that waits."""
    stack = ("/app/app.py:31 parse", "/app/app.py:26 reserve", WORK)
    assert not find_in(tmp_path, attempts(how="ParseError", stack=stack))


def turned_away(slots=2, callers=5, rounds=25, jitter=0, instead=50 * MS):
    """The first ones use the slots all the time, and the others get none."""
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    for n in range(callers):
        thread = trace.thread(f"http-{n}").native(0)
        if n < slots:
            for r in range(rounds):
                at = MS + r * 50 * MS
                call(thread, at, CACHED)
                # Those who leave early leave room.
                thread.native(at + 49 * MS - (jitter if n == 0 else 0))
        else:
            for r in range(rounds):
                at = (2 + n) * MS + r * 50 * MS + jitter
                thread.native(at)
                raises(thread, at, "MaxConnectionsError", POOL, EXECUTE, CACHED, WORK)
                if instead:
                    stack = f"{FETCH}\n{BELOW}\n{WORK}"
                    thread.io(at + 1, "socket.recv", site=FETCH, stack=stack)
        thread.native(60 * MS * rounds).end(60 * MS * rounds + MS)
    return trace.ended(60 * MS * rounds + 2 * MS)


def test_no_connection_is_free(tmp_path):
    (found,) = (f for f in find_in(tmp_path, turned_away()) if f.finding == "pool exhausted")
    assert found.text.startswith(
        "Pool exhausted: 3 threads `http-N` in `cached` (app.py:15) were turned away 75 times "
        "with `MaxConnectionsError`, raised in `Pool.get_connection` (store/client.py:30), "
        "while others used all 2 connections: none was free for 1.1"
    )
    assert "what they did instead took" in found.text


def test_there_is_only_one(tmp_path):
    found = find_in(tmp_path, turned_away(slots=1))
    assert any("while others used the only connection: none" in one.text for one in found)


def test_they_fail_at_once_and_do_nothing_instead(tmp_path):
    (found,) = (
        f for f in find_in(tmp_path, turned_away(instead=0)) if f.finding == "pool exhausted"
    )
    assert "instead" not in found.text


@pytest.mark.parametrize(
    "healthy",
    [
        {"rounds": 6},  # bad luck
        {"jitter": 45 * MS},  # they fail while a slot is free, too
    ],
)
def test_not_for_a_limit(healthy, tmp_path):
    assert "pool exhausted" not in kinds(tmp_path, turned_away(**healthy))


def test_an_await_that_is_a_pause():
    """A library's may be named after what it was called for."""
    assert pauses(f"/usr/lib/python3/asyncio/tasks.py:700 sleep\n{EXECUTE}\n{WRITE}")
    assert not pauses(f"{EXECUTE}\n{WRITE}")


CALL = "/app/shop.py:9 reserve"
PACKAGES = "/venv/lib/python3.13/site-packages"
URLLIB3 = f"{PACKAGES}/urllib3/util/retry.py:383 Retry._sleep_backoff\n{CALL}"
BOTO = f"{PACKAGES}/botocore/retries/standard.py:9 Handler.wait\n{CALL}"
OWN = "/app/shop.py:30 call_with_retries\n/app/shop.py:9 reserve"
SLEEP = "/usr/lib/python3.13/asyncio/tasks.py:718 sleep"
PACED = f"{CALL}\n{PACKAGES}/tenacity/__init__.py:9 Retrying.__call__\n/app/shop.py:3 main"


def pausing(count=4, ns=200 * MS, works_ns=50 * MS, stack=URLLIB3, threads=2):
    trace, at = TraceBuilder(argv="shop.py", signals=SIGNALS), 0
    for n in range(threads):
        thread, at = trace.thread(f"order-{n}").native(0), MS
        for _ in range(count):
            thread.io(at, "socket.recv_into", site=CALL).native(at + works_ns)
            at += works_ns + 1
            site = stack.split("\n")[0] if stack == OWN else CALL
            thread.enter(at, s.SLEEP, s.CAT_SLEEP, {s.ARG_SITE: site, s.ARG_STACK: stack})
            thread.native(at + ns)
            at += ns + 1
        thread.end(at)
    return trace.ended(at + MS)


def test_a_library_sleeps_between_attempts(tmp_path):
    (found,) = find_in(tmp_path, pausing())
    assert (found.finding, found.severity_ns) == ("retries", 1600 * MS)
    assert found.text == (
        "Retries: 2 threads `order-N` in `reserve` (shop.py:9, via `Retry._sleep_backoff`) "
        "paused between attempts in `Retry._sleep_backoff` (urllib3/util/retry.py:383): 8 "
        "pauses, 1.60 s in total, 80 % of their time until then, the longest 200 ms (at "
        "51.0 ms). What is called fails again and again, and the caller waits."
    )
    assert found.evidence.site.startswith(CALL)


def test_other_libraries(tmp_path):
    assert kinds(tmp_path, pausing(stack=BOTO)) == ["retries"]


def test_of_an_own_function_only_the_name_is_known(tmp_path):
    (found,) = find_in(tmp_path, pausing(stack=OWN))
    assert found.text.endswith(
        " (at 51.0 ms). By its name, `call_with_retries` tries again, and its caller waits."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 1, "ns": 700 * MS}, id="one each"),
        pytest.param({"ns": 120 * MS}, id="little"),
        pytest.param({"works_ns": 450 * MS}, id="beside much work"),
        pytest.param({"threads": 1, "ns": 1_200 * MS}, id="one, which gets through"),
        pytest.param({"stack": CALL}, id="another pause"),
        pytest.param({"stack": PACED}, id="the function that is tried pauses itself"),
    ],
)
def test_pauses_that_are_none(tmp_path, story):
    assert "retries" not in kinds(tmp_path, pausing(**story))


def test_one_alone_for_long(tmp_path):
    assert kinds(tmp_path, pausing(threads=1, ns=1_300 * MS)) == ["retries"]


@pytest.mark.parametrize("what", ["sleep", "connect (redis)"])
def test_tasks_between_attempts(tmp_path, what):
    trace = TraceBuilder(argv="shop.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, at = trace.loop(thread), MS
    both = [loop.task("order", site="/app/shop.py:3 order").ready(0) for _ in range(2)]
    for turn in range(4):
        for task in both:
            task.running(at)
            if turn == 3:
                task.done(at + 1)
            else:
                task.awaits(at + 1, what, site=CALL, stack=f"{SLEEP}\n{URLLIB3}")
            loop.step(task, at, at + 1)
            at += MS
        at += 400 * MS
        for task in both if turn < 3 else ():
            task.ready(at, waker="timer")
    thread.end(at + MS)
    (found,) = find_in(tmp_path, trace.ended(at + 2 * MS))
    assert found.finding == "retries"
    assert found.text.startswith("Retries: 2 tasks `order` in `reserve` (shop.py:9")


def test_of_too_many_calls_the_longest_are_looked_at(tmp_path):
    trace = TraceBuilder(argv="app.py", signals=SIGNALS)
    thread = trace.thread("worker").native(0)
    for n in range(3):
        at = n * 100 * MS
        thread.io(at, "socket.recv", site=WORK).native(at + (1 + 20 * n) * MS)
    reading = Reading(model_of(tmp_path, trace.ended(500 * MS)))
    (found,) = longest_rows(reading, (IO,), 0, 1)
    assert reading.row_ns(found) == 41 * MS
