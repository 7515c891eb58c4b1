"""Pauses between attempts."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

CALL = "/app/shop.py:9 reserve"
PACKAGES = "/venv/lib/python3.13/site-packages"
URLLIB3 = f"{PACKAGES}/urllib3/util/retry.py:383 Retry._sleep_backoff\n{CALL}"
BOTO = f"{PACKAGES}/botocore/retries/standard.py:9 Handler.wait\n{CALL}"
OWN = "/app/shop.py:30 call_with_retries\n/app/shop.py:9 reserve"
SLEEP = "/usr/lib/python3.13/asyncio/tasks.py:718 sleep"
PACED = f"{CALL}\n{PACKAGES}/tenacity/__init__.py:9 Retrying.__call__\n/app/shop.py:3 main"


def pauses(count=4, ns=200 * MS, works_ns=50 * MS, stack=URLLIB3, threads=2):
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
    (found,) = find_in(tmp_path, pauses())
    assert (found.finding, found.severity_ns) == ("retries", 1600 * MS)
    assert found.text == (
        "Retries: 2 threads `order-N` in `reserve` (shop.py:9, via `Retry._sleep_backoff`) "
        "paused between attempts in `Retry._sleep_backoff` (urllib3/util/retry.py:383): 8 "
        "pauses, 1.60 s in total, 80 % of their time until then, the longest 200 ms (at "
        "51.0 ms). What is called fails again and again, and the caller waits."
    )
    assert found.evidence.site.startswith(CALL)


def test_other_libraries(tmp_path):
    assert kinds(tmp_path, pauses(stack=BOTO)) == ["retries"]


def test_of_an_own_function_only_the_name_is_known(tmp_path):
    (found,) = find_in(tmp_path, pauses(stack=OWN))
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
    assert "retries" not in kinds(tmp_path, pauses(**story))


def test_one_alone_for_long(tmp_path):
    assert kinds(tmp_path, pauses(threads=1, ns=1_300 * MS)) == ["retries"]


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
