"""Blocking calls on a loop's thread, in steps that are not long enough themselves."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.finding import MS, Service, find_in, kinds

CALL = "/app/service.py:11 hog"


def calls(count, ns, gap, others_wait=True, stack="", call="sqlite3.Connection.execute",
          taken_ns=0):  # fmt: skip
    """Steps of 15 ms in which a query blocks for a time, in which the kernel takes the
    processor after a millisecond."""
    service = Service()
    for n in range(count):
        if n:
            service.rest(n * gap)
        start = service.now
        service.thread.io(start + MS, call, site=CALL, stack=stack)
        if taken_ns:
            service.thread.preempted(start + 2 * MS, holding_gil=True)
            back = start + 2 * MS + taken_ns
            service.thread.io(back, call, site=CALL, stack=stack, continues=True)
        service.thread.running(start + MS + ns)
        service.step(15 * MS, others_wait=others_wait)
    return service.end()


def test_blocking_calls(tmp_path):
    """Many calls of 10 ms: each too short to be a blocked loop, together worth telling."""
    (found,) = find_in(tmp_path, calls(8, 10 * MS, 100 * MS))
    assert found.finding == "blocking call on the loop thread"
    assert found.severity_ns == (10 + 7 * 10) * MS
    assert found.text == (
        "`hog` (service.py:10) calls `sqlite3.Connection.execute` (service.py:11), which "
        "blocks the event loop: 8 times for more than 5.00 ms, 80.0 ms in total, the longest "
        "10.0 ms (at 1.00 ms); 1 ready task waited behind it, 80.0 ms in total."
    )


def test_what_the_kernel_took(tmp_path):
    """A call in pieces is as long as these are."""
    (found,) = find_in(tmp_path, calls(8, 12 * MS, 100 * MS, taken_ns=4 * MS))
    assert found.severity_ns == (8 + 7 * 8) * MS
    assert "8 times for more than 5.00 ms, 64.0 ms in total, the longest 8.00" in found.text
    assert kinds(tmp_path, calls(30, 12 * MS, 100 * MS, taken_ns=8 * MS)) == []


@pytest.mark.parametrize(
    ("count", "ns", "others_wait"),
    [
        pytest.param(4, 10 * MS, True, id="few"),
        pytest.param(30, 4 * MS, True, id="quick"),
        pytest.param(8, 10 * MS, False, id="nobody waits"),
    ],
)
def test_no_blocking_calls(tmp_path, count, ns, others_wait):
    """Few, quick or harmless calls are not reported."""
    assert kinds(tmp_path, calls(count, ns, 100 * MS, others_wait)) == []


@pytest.mark.parametrize(
    ("module", "found"),
    [
        pytest.param("asyncio/selector_events.py", [], id="asyncio's own socket"),
        pytest.param("socket.py:295 accept\n/asyncio/selector_events.py", [], id="its accept"),
        pytest.param(
            "connection.py:384 Connection._send\n/process.py:86 _ThreadWakeup.wakeup\n/x",
            [],
            id="the byte that wakes a pool of processes",
        ),
        pytest.param("socket.py", ["blocking call on the loop thread"], id="a socket"),
    ],
)
def test_a_socket_that_cannot_block(tmp_path, module, found):
    """The loop's own sockets do not block: the kernel lets whom a call wakes run first."""
    stack = f"/usr/lib/python3.13/{module}:1067 write\n{CALL}"
    assert kinds(tmp_path, calls(8, 10 * MS, 100 * MS, stack=stack)) == found


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        pytest.param("<frozen importlib._bootstrap>:488 _call", [], id="an import"),
        pytest.param("os.py:1 walk", ["blocking call on the loop thread"], id="the program"),
    ],
)
def test_files_of_an_import(tmp_path, frame, found):
    story = {"stack": f"{CALL}\n{frame}", "call": "os.listdir"}
    assert kinds(tmp_path, calls(8, 10 * MS, 100 * MS, **story)) == found


def test_waiting_in_select_is_idle(tmp_path):
    """The loop's own poll is a blocking call that nobody complains of."""
    service = Service()
    for n in range(1, 30):
        service.step(MS)
        service.rest(n * 100 * MS)
    assert kinds(tmp_path, service.end()) == []


def test_usually_quick_calls(tmp_path):
    """Three slow ones among a hundred quick ones are the disk's fault."""
    service = Service()
    for n in range(60):
        if n:
            service.rest(n * 50 * MS)
        start, ns = service.now, 14 * MS if n % 15 == 7 else 10_000
        service.thread.io(start + 1_000, "FileIO.write", site=CALL)
        service.thread.running(start + 1_000 + ns)
        service.step(15 * MS)
    assert kinds(tmp_path, service.end()) == []


@pytest.mark.parametrize(
    ("call", "found"),
    [("socket.recv", ["loop blocked"]), ("FileIO.read", [])],
)
def test_a_few_long_answers(tmp_path, call, found):
    """A peer takes as long as what it was asked needs; a disk that is slow now and then is
    nobody's fault."""
    service = Service()
    for n in range(60):
        if n:
            service.rest(n * 100 * MS)
        start, ns = service.now, 40 * MS if n % 15 == 7 else 10_000
        service.thread.io(start + 1_000, call, site=CALL)
        service.thread.running(start + 1_000 + ns)
        service.step(45 * MS if n % 15 == 7 else MS)
    assert kinds(tmp_path, service.end()) == found


@pytest.mark.parametrize(
    ("victims", "found"),
    [(1, []), (3, ["blocking call on the loop thread"])],
)
def test_a_single_call_while_the_program_begins(tmp_path, victims, found):
    """Once 150 ms in a step that imports: one who waits for it is no loss, three are."""
    service = Service(victims)
    service.thread.io(MS, "sqlite3.Connection.execute", site=CALL)
    service.thread.running(151 * MS)
    top = ("main", "/app/service.py", 30)
    stack = (("exec", "<frozen importlib._bootstrap>", 9), ("<module>", "a.py", 5))
    SampleBuilder(service.trace).add(service.thread, 10 * MS, top, *stack, times=9)
    service.step(160 * MS)
    assert kinds(tmp_path, service.end()) == found


@pytest.mark.parametrize(
    ("times", "ms", "found"),
    [(1, 80, []), (1, 130, []), (3, 80, ["loop blocked"]), (3, 120, ["loop blocked"])],
)
def test_certificates_that_are_loaded_once(tmp_path, times, ms, found):
    """A client that stays loads them once, in pieces where the kernel takes the processor; one
    for each request is a fault."""
    service = Service(victims=10)
    for n in range(times):
        if n:
            service.rest(n * 500 * MS)
        start = service.now
        call = "ssl.SSLContext.set_default_verify_paths"
        service.thread.io(start + MS, call, site=CALL).preempted(start + 20 * MS)
        service.thread.io(start + 25 * MS, call, site=CALL, continues=True)
        service.thread.running(start + (ms + 1) * MS)
        service.step((ms + 2) * MS)
    assert kinds(tmp_path, service.end()) == found
