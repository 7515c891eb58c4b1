"""Writers of streams that wait in `drain` until they give up."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

SENDS = "/app/peer.py:10 peer"
DRAIN = f"/usr/lib/python3.13/asyncio/streams.py:167 FlowControlMixin._drain_helper\n{SENDS}"


def peers(count=2, ns=600 * MS, via="Timeout._on_timeout", stack=DRAIN, quick_ns=0):
    """Tasks write and wait for room; `quick_ns`: one had room after that time before."""
    trace = TraceBuilder(argv="peer.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), ns + 200 * MS
    for n in range(count):
        task = loop.task("peer", site="/app/peer.py:5 peer").ready(n).running(n)
        at = n + 10
        if quick_ns and n == 0:
            task.awaits(at, "socket", site=SENDS, stack=stack)
            at += quick_ns
            task.ready(at, waker="io").running(at)
        task.awaits(at, "socket", site=SENDS, stack=stack)
        args = {"waker": "timer", "via": via} if via else {"waker": "io"}
        task.ready(at + ns, **args).running(at + ns).done(at + ns)
    thread.end(end)
    return trace.ended(end + MS)


def test_nobody_reads(tmp_path):
    (found,) = find_in(tmp_path, peers())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 2 tasks `peer` in `peer` (peer.py:10) gave up 2 waits in `drain`, "
        "1.20 s in total, the longest 600 ms (at 10 ns): nobody read at the other end "
        "meanwhile. The other end may hang in a write, too: read while you write (for a "
        "child, `communicate` does both)."
    )
    assert found.severity_ns == 1_200 * MS


def test_there_was_room_at_first(tmp_path):
    (found,) = find_in(tmp_path, peers(quick_ns=60 * MS))
    assert "gave up 2 waits in `drain`" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 240 * MS}, id="little is lost"),
        pytest.param({"via": ""}, id="there was room in the end"),
        pytest.param({"quick_ns": 130 * MS}, id="somebody reads slowly"),
        pytest.param({"stack": SENDS}, id="they read"),
    ],
)
def test_somebody_reads(tmp_path, story):
    assert kinds(tmp_path, peers(**story)) == []


STREAMS, ASK = "/usr/lib/python3.13/asyncio/streams.py", "/app/peer.py:20 ask"
TO_THE_END = f"{STREAMS}:730 StreamReader.read\n{STREAMS}:723 StreamReader.read\n{ASK}"
SOME = f"{STREAMS}:730 StreamReader.read\n{ASK}"
HANDLE = "/app/peer.py:9 handle"
LINE = f"{STREAMS}:562 StreamReader.readline\n{HANDLE}"


def asked(ns=700 * MS, via="Timeout._on_timeout", stack=TO_THE_END, other=LINE, waker="timer"):
    """A client reads until the end; the server waits for its next line."""
    trace = TraceBuilder(argv="peer.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), ns + 10 * MS
    handle = loop.task("handle", site=HANDLE).ready(0).running(0)
    handle.awaits(5, "socket", site=HANDLE, stack=other)
    task = loop.task("main", site="/app/peer.py:25 main").ready(6).running(6)
    task.awaits(10, "socket", site=ASK, stack=stack)
    args = {"waker": waker, "via": via} if via else {"waker": waker}
    if waker == "cancel":
        boss = loop.task("boss", site="/app/peer.py:30 boss").ready(7).running(9 + ns)
        task.ready(10 + ns, by=boss)
        boss.done(10 + ns)
        task.running(10 + ns).done(10 + ns, s.CANCELLED)
    else:
        task.ready(10 + ns, **args).running(10 + ns).done(10 + ns)
    handle.ready(end, waker="io").running(end).done(end)
    thread.end(end)
    return trace.ended(end + MS)


def test_read_until_the_end_of_a_connection_that_stays(tmp_path):
    (found,) = find_in(tmp_path, asked())
    assert (found.finding, found.severity_ns) == ("wait in vain", 700 * MS)
    assert found.text == (
        "Waited in vain: `main` in `ask` (peer.py:20) gave up 1 wait in `StreamReader.read`, "
        "700 ms (at 10 ns): without a number it reads until the "
        "other side closes, and that did not: `handle` in `handle` (peer.py:9) waits for more "
        "meanwhile. Read a line or a number of bytes, or have the other side close "
        "(`write_eof`)."
    )


def test_the_other_side_is_elsewhere(tmp_path):
    (found,) = find_in(tmp_path, asked(other=HANDLE))
    assert "and that did not. Read a line" in found.text


def test_who_reads_at_the_same_line_is_not_the_other_side(tmp_path):
    (found,) = find_in(tmp_path, peers(stack=TO_THE_END))
    assert "and that did not. Read a line" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="little is lost"),
        pytest.param({"via": "", "waker": "io"}, id="it ends"),
        pytest.param({"via": "", "waker": "cancel"}, id="it is cancelled when all ends"),
        pytest.param({"stack": SOME}, id="it reads what is there"),
    ],
)
def test_reads_that_end(tmp_path, story):
    assert kinds(tmp_path, asked(**story)) == []


def replaced(signal=9, children=2, dies_ns=50 * MS, begins_ns=0, does="_accept_connection2"):
    """Children accept connections; each kills itself, and the parent asks once more. One may
    begin after the first has ended."""
    family = Family("peer.py")
    main = family.first.thread("MainThread").native(0)
    last = 900 * MS
    for n in range(children + (begins_ns > 0)):
        at = MS + n if n < children else begins_ns
        child = family.fork(main, at, 200 + n, name=f"worker-{n}")
        thread = family.main(child).native(at)
        loop = child.loop(thread)
        task = loop.task(f"BaseSelectorEventLoop.{does}", site=f"{STREAMS}:9 accept")
        task.ready(at + 10).running(at + 11).done(at + 12)
        until = dies_ns + n * MS if n < children else last
        thread.end(until)
        child.ended(until, signal=signal) if n < children else child.ended(until)
    loop = family.first.loop(main)
    task = loop.task("main", site="/app/peer.py:25 main").ready(60 * MS).running(61 * MS)
    task.awaits(62 * MS, "socket", site=ASK, stack=TO_THE_END)
    task.ready(last, waker="timer", via="Timeout._on_timeout").running(last).done(last)
    main.end(last + MS)
    family.first.ended(last + 2 * MS)
    return family


def test_whoever_served_was_killed(tmp_path):
    (found,) = find_in(tmp_path, replaced())
    assert found.text == (
        "In `peer.py`: Waited in vain: `main` in `ask` (peer.py:20) gave up 1 wait in "
        "`StreamReader.read`, 838 ms (at 62.0 ms): `worker-0` and `worker-1`, which accepted "
        "connections, had ended by SIGKILL before (at 50.0 ms), and nobody began in their "
        "place. Watch them, and start new ones."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"begins_ns": 55 * MS}, id="another one began"),
        pytest.param({"dies_ns": 70 * MS}, id="they ended meanwhile"),
        pytest.param({"signal": 15}, id="they were asked to end"),
        pytest.param({"does": "sock_recv"}, id="they accepted nobody"),
    ],
)
def test_whoever_served_may_be_there(tmp_path, story):
    (found,) = find_in(tmp_path, replaced(**story))
    assert "and that did not. Read a line" in found.text
