"""Calls outside of Python that wait for the program itself."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace


def handshake(ns=700 * MS, caller="ssl.py:1418 SSLSocket.accept"):
    trace = TraceBuilder(argv="tls.py", signals=SIGNALS)
    acceptor = trace.thread("acceptor")
    stack = (
        "/usr/lib/python3.13/ssl.py:1372 SSLSocket.do_handshake\n"
        f"/usr/lib/python3.13/{caller}\n/app/tls.py:12 serve"
    )
    acceptor.io(0, "ssl.SSLSocket.do_handshake", site="/app/tls.py:12 serve", stack=stack)
    acceptor.native(ns).end(ns + MS)
    return trace.ended(ns + 2 * MS)


def test_a_handshake_in_accept(tmp_path):
    (found,) = find_in(tmp_path, handshake())
    assert found.finding == "handshake in accept"
    assert found.text.startswith(
        "Handshake in accept: `acceptor` in `serve` (tls.py:12) waited in `do_handshake` "
        "inside `accept`, 1 time, 700 ms (at 0): a client that sends nothing"
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="short"),
        pytest.param({"caller": "ssl.py:455 SSLContext.wrap_socket"}, id="in a thread"),
    ],
)
def test_other_handshakes(tmp_path, story):
    assert kinds(tmp_path, handshake(**story)) == []


CONNECTION = "/usr/lib/python3.13/multiprocessing/connection.py"


def listener(ns=700 * MS, inner="deliver_challenge", accepts="Listener.accept"):
    """A listener with a key reads the answer of a client that has connected."""
    trace = TraceBuilder(argv="pose.py", signals=SIGNALS)
    stack = (
        f"{CONNECTION}:395 Connection._recv\n{CONNECTION}:939 {inner}\n"
        f"{CONNECTION}:482 {accepts}\n/app/pose.py:14 serve"
    )
    publisher = trace.thread("publisher")
    publisher.io(0, "os.read", site="/app/pose.py:14 serve", stack=stack)
    publisher.native(ns).end(ns + MS)
    return trace.ended(ns + 2 * MS)


def test_a_key_in_accept(tmp_path):
    (found,) = find_in(tmp_path, listener())
    assert found.finding == "handshake in accept"
    assert found.text.startswith(
        "Handshake in accept: `publisher` in `serve` (pose.py:14) waited in the handshake of "
        "the `authkey` inside `Listener.accept`, 1 time, 700 ms (at 0): a client that sends "
        "nothing"
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="short"),
        pytest.param({"accepts": "Client"}, id="the other side"),
        pytest.param({"inner": "SocketListener.accept"}, id="no handshake"),
    ],
)
def test_other_reads_of_a_listener(tmp_path, story):
    assert kinds(tmp_path, listener(**story)) == []


WAIT = "/usr/lib/python3.13/subprocess.py:1274 Popen.wait\n/app/tool.py:7 run"


JOIN = "/usr/lib/python3.13/multiprocessing/popen_fork.py:40 Popen.wait\n/app/tool.py:7 run"


def child(read_bytes=300_000, waits_ns=800 * MS, wait=WAIT):
    trace = TraceBuilder(argv="tool.py", signals=SIGNALS)
    main = trace.thread("MainThread")
    main.io(0, "os.waitpid", site="/app/tool.py:7 run", stack=wait).native(waits_ns)
    main.io(waits_ns + MS, "io.BufferedReader.read", site="/app/tool.py:9 run",
            size_bytes=read_bytes)  # fmt: skip
    end = waits_ns + 2 * MS
    main.native(end).end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_full_pipe(tmp_path):
    (found,) = find_in(tmp_path, child())
    assert found.finding == "full pipe"
    assert found.text.startswith(
        "Full pipe: `MainThread` in `run` (tool.py:7) waited 800 ms in `Popen.wait` (at 0) "
        "for a child that could not go on"
    )
    assert found.text.endswith(
        "Call `communicate` instead of `wait`, or read the pipe in a thread."
    )


def test_a_full_pipe_of_a_queue_between_processes(tmp_path):
    """A process of multiprocessing has no `communicate`."""
    (found,) = find_in(tmp_path, child(wait=JOIN))
    assert "waited 800 ms in `Process.join` (at 0) for a child" in found.text
    assert found.text.endswith(
        "First take out everything that it puts into a queue or pipe, then join it."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"read_bytes": 60_000}, id="less than a pipe holds"),
        pytest.param({"waits_ns": 400 * MS}, id="short"),
    ],
)
def test_a_child_that_takes_its_time(tmp_path, story):
    assert kinds(tmp_path, child(**story)) == []


def task_and_child(
    read_bytes=70_000, waits_ns=900 * MS, quiet_ns=850 * MS, reader=False, fails_at=0
):
    """`convert` awaits a child to the end of the recording; the loop read its pipe before.
    Two tasks may read, one of which fails."""
    trace = TraceBuilder(argv="tool.py", signals=SIGNALS)
    thread = trace.thread("MainThread")
    loop = trace.loop(thread)
    convert = loop.task("convert", site="/app/tool.py:3 convert")
    convert.ready(0).running(MS).awaits(2 * MS, "subprocess", site="/app/tool.py:7 convert")
    loop.step(convert, MS, 2 * MS)
    end = 2 * MS + waits_ns
    if reader:
        task = loop.task("read", site="/app/tool.py:12 read", parent=convert.id)
        task.ready(MS).running(2 * MS).awaits(3 * MS, "socket", site="/app/tool.py:13 read")
        loop.step(task, 2 * MS, 3 * MS)
    if fails_at:
        task = loop.task("parse", site="/app/tool.py:16 parse", parent=convert.id)
        task.ready(MS).running(2 * MS).awaits(3 * MS, "socket", site="/app/tool.py:17 parse")
        task.ready(fails_at, waker="io").running(fails_at).done(
            fails_at + 1, "failed: KeyError"
        )
        loop.step(task, 2 * MS, 3 * MS)
        loop.step(task, fails_at, fails_at + 1)
    thread.running(0)
    thread.io(end - quiet_ns - MS, "os.read", size_bytes=read_bytes).running(end - quiet_ns)
    thread.io(end - quiet_ns + MS, "select.epoll.poll").running(end).end(end + MS)
    return trace


def test_a_stream_that_nobody_reads(tmp_path):
    (found,) = find_in(tmp_path, task_and_child())
    assert found.finding == "full pipe"
    assert found.text.startswith(
        "Full pipe: `convert` in `convert` (tool.py:7) waited 901 ms for a child (at 2.00 ms) "
        "whose output nobody read: asyncio stopped after 70.0 kB, and the child hung in a "
    )


def test_a_stream_whose_reader_failed(tmp_path):
    """The one that reads its errors goes on, and gets nothing."""
    found = find_in(tmp_path, task_and_child(reader=True, fails_at=60 * MS))
    assert found[0].finding == "full pipe"
    assert (
        "whose output nobody read. `parse`, which read it, failed (KeyError): asyncio stopped"
    ) in found[0].text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"read_bytes": 60_000}, id="less than a pipe holds"),
        pytest.param({"fails_at": 600 * MS, "reader": True}, id="it failed later"),
        pytest.param({"quiet_ns": 400 * MS}, id="it still reads"),
        pytest.param({"waits_ns": 450 * MS, "quiet_ns": 400 * MS}, id="short"),
        pytest.param({"reader": True}, id="a task reads"),
    ],
)
def test_a_task_whose_child_takes_its_time(tmp_path, story):
    assert "full pipe" not in kinds(tmp_path, task_and_child(**story))


def both_write(ns=800 * MS, child_writes=True, related=True):
    """The parent writes to a child that writes to the parent."""
    family = Family("/app/filter.py")
    main = family.first.thread("MainThread", 100).native(0)
    child = family.fork(main, MS, 101, name="sed")
    writer = main
    if not related:  # two children of one parent
        other = family.fork(main, MS, 102, name="awk")
        writer = family.main(other).native(2 * MS)
    thread, end = family.main(child), 10 * MS + ns
    thread.native(2 * MS)
    thread.io(9 * MS, "os.write" if child_writes else "os.read", site="/app/sed.py:3 out")
    writer.io(10 * MS, "io.BufferedWriter.write", site="/app/filter.py:8 run")
    writer.native(end).end(end + 3 * MS)
    thread.native(end + MS).end(end + 2 * MS)
    child.ended(end + 2 * MS)
    if not related:
        other.ended(end + 3 * MS)
        main.end(end + 3 * MS)
    family.first.ended(end + 4 * MS)
    return family


def found_in(tmp_path, family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def test_both_ends_write(tmp_path):
    (found,) = found_in(tmp_path, both_write())
    assert found.finding == "full pipe"
    assert found.text == (
        "In `filter.py`: Full pipe: `MainThread` in `run` (filter.py:8) hung in "
        "`io.BufferedWriter.write` for 800 ms (at 10.0 ms), while its child `sed` hung in "
        "`os.write`: each waits until the other one reads. Call `communicate`, or read in a "
        "thread of its own."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not for long"),
        pytest.param({"child_writes": False}, id="the child reads"),
        pytest.param({"related": False}, id="of two children"),
    ],
)
def test_who_does_not_block_the_other(tmp_path, story):
    assert [one.finding for one in found_in(tmp_path, both_write(**story))] == []


STREAMS = "/usr/lib/python3.13/asyncio/streams.py"
TO_THE_END = f"{STREAMS}:730 StreamReader.read\n{STREAMS}:723 StreamReader.read\n"


def reads_one(ns=800 * MS, child_writes=True, in_vain=True, stands_ns=800 * MS, timed_out=0):
    """A task reads a child's output until a time-out, while the child stands in a write."""
    family = Family("/app/convert.py")
    main = family.first.thread("MainThread", 100).running(0)
    loop = family.first.loop(main)
    child = family.fork(main, MS, 101, name="ffmpeg")
    thread, end = family.main(child).native(2 * MS), 10 * MS + ns
    task = loop.task("convert", site="/app/convert.py:15 convert").ready(0).running(3 * MS)
    read = "/app/convert.py:19 convert"
    task.awaits(4 * MS, "socket", site=read, acquired=not in_vain)
    loop.step(task, 3 * MS, 4 * MS)
    for n in range(timed_out):
        since, until = 4 * MS + n * MS // 2, end + n
        other = loop.task("convert", site="/app/convert.py:15 convert").ready(0)
        other.running(since).awaits(since + 1, "socket", site=read, stack=TO_THE_END + read)
        other.ready(until, waker="timer", via="Timeout._on_timeout")
        other.running(until).done(until + 1)
        loop.step(other, since, since + 1)
        loop.step(other, until, until + 1)
    thread.io(9 * MS, "os.write" if child_writes else "os.read", site="/app/ff.py:3 warn")
    thread.native(9 * MS + stands_ns).end(end + 2 * MS)
    child.ended(end + 2 * MS)
    if not in_vain:
        task.ready(end, waker="io").running(end).done(end + 1)
        loop.step(task, end, end + 1)
    main.end(end + 3 * MS)
    family.first.ended(end + 4 * MS)
    return family


def test_one_output_is_read_and_the_other_is_full(tmp_path):
    (found,) = found_in(tmp_path, reads_one())
    assert found.finding == "full pipe"
    assert found.text == (
        "In `convert.py`: Full pipe: `convert` in `convert` (convert.py:19) read one output "
        "of a child in vain for 810 ms (at 4.00 ms), while its child `ffmpeg` hung in "
        "`os.write` for 800 ms: it writes to a pipe that is full and that nobody reads, "
        "such as that of its other output. Call `communicate`, or read both at the same time."
    )


def test_it_is_told_once(tmp_path):
    found = found_in(tmp_path, reads_one(timed_out=2))
    assert [one.finding for one in found] == ["full pipe"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS, "stands_ns": 400 * MS}, id="not for long"),
        pytest.param({"child_writes": False}, id="the child reads"),
        pytest.param({"in_vain": False}, id="its output came"),
        pytest.param({"ns": 1800 * MS}, id="it wrote for a part of that"),
    ],
)
def test_a_child_that_does_something_else(tmp_path, story):
    found = found_in(tmp_path, reads_one(**story))
    assert "full pipe" not in [one.finding for one in found]


READS = (
    "/usr/lib/python3.13/socket.py:719 SocketIO.readinto\n"
    "/usr/lib/python3.13/http/server.py:404 BaseHTTPRequestHandler.handle_one_request\n"
    "/usr/lib/python3.13/socketserver.py:235 BaseServer.serve_forever"
)


def silent(ns=1_200 * MS, stack=READS):
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    server = trace.thread("server").native(0)
    server.io(MS, "socket.recv_into", site="/app/web.py:9 <module>", stack=stack)
    server.native(MS + ns).end(2 * MS + ns)
    return trace.ended(3 * MS + ns)


def test_a_client_that_says_nothing(tmp_path):
    (found,) = find_in(tmp_path, silent())
    assert found.finding == "slow client"
    assert found.text.startswith(
        "Slow client: `server`, the only thread of a server, waited in "
        "`socket.recv_into` for the request of a client that had connected and sent nothing, "
        "1 time, 1.20 s (at 1.00 ms)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not for long"),
        pytest.param({"stack": READS.replace("BaseServer", "Worker")}, id="one of many"),
        pytest.param(
            {"stack": READS.replace("handle_one_request", "do_GET")},
            id="a call of the handler",
        ),
    ],
)
def test_clients_that_disturb_nobody(tmp_path, story):
    assert kinds(tmp_path, silent(**story)) == []


def pieces(count=20, piece_ns=60 * MS, pause_ns=5 * MS):
    """Clients send their requests bit by bit."""
    trace = TraceBuilder(argv="web.py", signals=SIGNALS)
    server, at = trace.thread("server").native(0), MS
    for _ in range(count):
        server.io(at, "socket.recv", site="/app/web.py:9 upload", stack=READS)
        server.native(at + piece_ns)
        at += piece_ns + pause_ns
    server.end(at)
    return trace.ended(at + MS)


def test_requests_that_come_bit_by_bit(tmp_path):
    (found,) = find_in(tmp_path, pieces())
    assert found.finding == "slow client"
    assert found.text.startswith(
        "Slow client: `server` in `upload` (web.py:9), the only thread of a server, waited "
        "in `socket.recv` for the rest of requests that their clients send bit by bit, "
        "20 times, 1.20 s in total, the longest 60.0 ms (at 1.00 ms). Meanwhile it served "
        "nobody."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 8}, id="not for long"),
        pytest.param({"pause_ns": 300 * MS}, id="a small part of the time"),
        pytest.param({"piece_ns": 15 * MS, "count": 60}, id="each soon there"),
    ],
)
def test_requests_that_are_soon_there(tmp_path, story):
    assert kinds(tmp_path, pieces(**story)) == []
