"""Connects that are given up, or that the kernel has to try again."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

ASK = "/app/client.py:9 ask"
LIBRARY = "/venv/lib/python3.13/site-packages/lib/client.py:9 ask"


def given_up(times=4, connect_ms=200, then="socket.connect", site=ASK, uses=True, late=0):
    """A thread connects in vain, then does `then`, and then reads an answer; of the first
    `late` connects the machine tells it 8 ms later."""
    trace = TraceBuilder(argv="client.py", signals=SIGNALS)
    thread, at = trace.thread("MainThread").running(0), MS
    for n in range(times):
        at_last = at + (connect_ms + (8 if n < late else 0)) * MS
        thread.io(at, "socket.connect", site=site).running(at_last)
        at = at_last + MS
        if then == s.SLEEP:
            thread.sleep(at, site=site).running(at + MS)
        elif then:
            thread.io(at, then, site=site).running(at + MS)
        at += 2 * MS
        if uses:
            thread.io(at, "socket.recv", site=site).running(at + 5 * MS)
        at += 6 * MS
    thread.end(at)
    return trace.ended(at + MS)


def test_a_server_that_does_not_answer_is_asked_first(tmp_path):
    found = find_in(tmp_path, given_up())[0]
    assert (found.finding, found.severity_ns) == ("wait in vain", 800 * MS)
    assert found.text == (
        "Waited in vain: `MainThread` in `ask` (client.py:9) waited in `connect` for a server "
        "that did not answer, gave up, and then connected elsewhere at once: 4 times, mostly "
        "for 200 ms, 800 ms in total, the longest 200 ms (at 1.00 ms). "
        "Remember which server did not answer, and try it last for a while; or give the "
        "connect a shorter time-out."
    )


def test_a_server_that_is_down(tmp_path):
    found = find_in(tmp_path, given_up(then=s.SLEEP, uses=False))[0]
    assert "gave up, and tried again: 4 times" in found.text
    assert found.text.endswith("Check whether the server is up and at that address; pause "
                               "longer before each try.")  # fmt: skip


def test_a_busy_machine_is_late(tmp_path):
    assert find_in(tmp_path, given_up(times=6, late=3))[0].finding == "wait in vain"


@pytest.mark.parametrize(
    "given",
    [
        {"times": 6, "late": 5},  # all but one: no time-out
        {"times": 2, "connect_ms": 800},  # twice
        {"times": 7, "connect_ms": 100},  # less than three quarters of a second
        {"connect_ms": 213},  # no time-out: who connects next need not have given up
        {"then": "socket.send"},  # connected
        {"then": "", "uses": False},  # who knows
        {"site": LIBRARY},  # no line of the program
    ],
)
def test_connects_that_are_not_given_up(tmp_path, given):
    found = find_in(tmp_path, given_up(**given))
    assert "wait in vain" not in [one.finding for one in found]


def queued(count=3, ns=1_010 * MS, then="socket.sendall", own=True):
    """Threads connect to a socket of their own process, or of another one."""
    trace = TraceBuilder(argv="client.py", signals=SIGNALS)
    for n in range(count):
        thread = trace.thread(f"client-{n}").native(0)
        thread.io(MS, "socket.connect", site=ASK, own_peer=own).native(MS + ns)
        thread.io(2 * MS + ns, then, site=ASK).native(7 * MS + ns).end(8 * MS + ns)
    return trace.ended(9 * MS + ns)


@pytest.mark.parametrize("own", [True, False])
def test_the_kernel_asks_again(tmp_path, own):
    (found,) = find_in(tmp_path, queued(own=own))
    whose = "a socket of this very process" if own else "a server"
    why = "full" if own else "full, or packets were lost"
    assert (found.finding, found.severity_ns) == ("slow answer", 3_030 * MS)
    assert found.text == (
        f"Slow answer: 3 threads `client-N` in `ask` (client.py:9) waited to connect to "
        f"{whose} until the kernel tried again (after 1 s): 3 connections, 3.03 s in total, "
        f"the longest 1.01 s (at 1.00 ms); its queue of connections was {why}. Listen with a "
        "longer queue (`backlog`, `request_queue_size`), and accept in a thread that does "
        "nothing else."
    )


@pytest.mark.parametrize(
    "given",
    [{"count": 2}, {"ns": 700 * MS}, {"ns": 1_151 * MS}, {"then": "socket.close"}],
)
def test_connects_that_were_slow_for_another_reason(tmp_path, given):
    assert find_in(tmp_path, queued(**given)) == ()


EXPORT = "/venv/lib/python3.13/site-packages/exporter/http.py:234 export"


def refused(
    pause_ns=500 * MS, how="ConnectionRefusedError", last="", asleep=True, pauses_at=ASK,
    tries=2, by=EXPORT,
):  # fmt: skip
    """A library connects, pauses and connects again below one line; `last`: how the last
    connect failed."""
    trace = TraceBuilder(argv="client.py", signals=SIGNALS)
    thread, at = trace.thread("MainThread").native(0), MS
    event = trace.lock("Event.wait", pauses_at)
    for n in range(tries):
        failed = last if last and n == tries - 1 else how
        stack = f"{EXPORT}\n{ASK}"
        thread.io(at, "socket.connect", site=ASK, stack=stack, exception=failed)
        thread.native(at := at + MS)
        if n == tries - 1:
            break
        stack = f"{by}\n{pauses_at}"
        if asleep:
            said = {"site": pauses_at, "stack": stack}
            thread.enter(at + MS, s.SLEEP, s.CAT_SLEEP, said)
        else:
            thread.lock_wait(at + MS, "Event.wait", lock=event, site=by, stack=stack,
                             acquired=False)  # fmt: skip
        thread.native(at := at + MS + pause_ns)
        at += MS
    thread.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize("asleep", [True, False])
def test_a_library_tries_again_what_is_refused(tmp_path, asleep):
    (found,) = find_in(tmp_path, refused(asleep=asleep))
    assert (found.finding, found.severity_ns) == ("retries", 500 * MS)
    assert found.text == (
        "Retries: `MainThread` in `ask` (client.py:9, via `export`) paused between connects "
        "that were all refused: 1 pause, 500 ms (at 3.00 ms). The library tries again, and "
        "its caller waits."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"pause_ns": 490 * MS}, id="little"),
        pytest.param({"last": "BlockingIOError"}, id="it got through"),
        pytest.param({"pauses_at": "/app/client.py:14 loop"}, id="the program pauses"),
        pytest.param({"tries": 1}, id="once"),
        pytest.param({"how": "BlockingIOError"}, id="it is to come"),
    ],
)
def test_connects_that_nobody_pauses_for(tmp_path, story):
    assert find_in(tmp_path, refused(**story)) == ()
