"""What blocks a loop, and what only looks like it."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.finding import MS, SIGNALS, Service, find_in, kinds
from tracer import schema as s

CALL = "/app/service.py:11 hog"
TAKEN = "/app/service.py:40 load"


def steps(
    count,
    ns,
    inside=None,
    others_wait=True,
    victims=1,
    signals=SIGNALS,
    kind=s.TRACK_LOOP_PREFIX,
):
    """`count` long steps; `inside(thread, start, end)` is what the thread does in each."""
    service = Service(victims, signals, kind)
    for n in range(count):
        if n:
            service.rest(n * 2_000 * MS)
        start = service.step(ns, others_wait=others_wait)
        if inside is not None:
            inside(service.thread, start, start + ns)
            service.thread.running(start + ns)
    return service


def sleeps(thread, start, end):
    thread.sleep(start + 1, site=CALL)


def test_three_long_steps_block(tmp_path):
    """30 ms of computing, three times, with five tasks ready: with place and numbers."""
    service = steps(4, 30 * MS, victims=5)
    (found,) = find_in(tmp_path, service.end())
    assert found.finding == "loop blocked"
    # In the first step all five wait from its begin, later from 1 ms after it.
    assert found.severity_ns == 5 * (30 + 3 * 29) * MS
    assert found.text == (
        "`hog` (service.py:10) blocks the event loop for up to 30.0 ms (at 0); 4 of its steps "
        "took more than 20.0 ms while others waited, 120 ms in total; it spends 100 % of "
        "that time computing; up "
        "to 5 ready tasks waited behind it, 585 ms summed over all of them."
    )
    assert (found.evidence.start_ns, found.evidence.duration_ns) == (1_000_000_000, 30 * MS)
    assert (found.evidence.task, found.evidence.tid) == (service.hog.id, service.thread.tid)
    assert found.evidence.site == "/app/service.py:10 hog"


@pytest.mark.parametrize(
    ("kind", "task", "loop", "thread", "pause"),
    [
        (s.TRACK_LOOP_PREFIX, "task", "event loop", "await asyncio.to_thread(", "awaits"),
        (s.TRACK_GREENLETS_PREFIX, "greenlet", "hub", ".threadpool.", "`gevent.sleep(0)`"),
        (s.TRACK_TRIO_PREFIX, "trio task", "event loop", "await trio.to_thread.run", "awaits"),
    ],
)
@pytest.mark.parametrize("is_alone", [True, False])
def test_every_kind_of_loop_has_its_words(tmp_path, kind, task, loop, thread, pause, is_alone):
    """gevent's users read of greenlets and their hub, trio's of trio tasks, also where another
    thread has a loop of another kind."""
    service = Service(2, kind=kind)
    if not is_alone:
        other = s.TRACK_TRIO_PREFIX if kind != s.TRACK_TRIO_PREFIX else s.TRACK_LOOP_PREFIX
        control = service.trace.loop(service.trace.thread("control"), other)
        serve = control.task("serve", site="/app/control.py:3 serve").ready(0).running(1_000)
        control.step(serve, 1_000, 2_000)
        serve.done(2_000)
    service.step(30 * MS)
    service.rest(2_000 * MS)
    service.step(300 * MS)
    (found,) = find_in(tmp_path, service.end())
    assert f"blocks the {loop} for up to 300 ms" in found.text
    assert f"up to 2 ready {task}s waited behind it" in found.text
    assert f"in pieces with {pause} between" in found.next_step
    service = Service(2, kind=kind)
    start = service.step(300 * MS)
    sleeps(service.thread, start, start + 300 * MS)
    service.thread.running(start + 300 * MS)
    (found,) = find_in(tmp_path, service.end())
    assert thread in found.next_step


def test_blocking_call_is_named(tmp_path):
    """For a step that sleeps, the finding names the call and its line."""
    (found,) = find_in(tmp_path, steps(3, 30 * MS, sleeps).end())
    assert found.finding == "loop blocked"
    assert "99 % of that time in `sleep` (service.py:11)" in found.text


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (s.TRACK_LOOP_PREFIX, "await asyncio.to_thread"),
        (s.TRACK_GREENLETS_PREFIX, "gevent.monkey.patch_all"),
        (s.TRACK_TRIO_PREFIX, "await trio.to_thread.run_sync"),
    ],
)
def test_every_kind_of_loop_has_threads(tmp_path, kind, step):
    (found,) = find_in(tmp_path, steps(3, 30 * MS, sleeps, kind=kind).end())
    assert step in found.next_step


def test_what_most_of_the_steps_do(tmp_path):
    """The longest step computes, the others sleep: the text says where most time went."""
    service = steps(1, 60 * MS)
    for n in range(1, 6):
        service.rest(n * 2_000 * MS)
        start = service.step(50 * MS)
        sleeps(service.thread, start, start + 50 * MS)
        service.thread.running(start + 50 * MS)
    (found,) = find_in(tmp_path, service.end())
    assert "for up to 60.0 ms (at 0); 6 of its steps" in found.text
    where = "81 % of that time in `sleep` (service.py:11), 19 % computing;"
    assert f"310 ms in total; it spends {where}" in found.text


@pytest.mark.parametrize(
    ("ns", "imported", "found"),
    [
        (900 * MS, 6, []),
        (400 * MS, 4, ["loop blocked"]),
        (1_100 * MS, 9, ["task never yields"]),
    ],
)
def test_an_import_happens_once(tmp_path, ns, imported, found):
    """A first request may import what it needs, up to a second."""
    service = steps(1, ns)
    top, machinery = (
        ("handler", "/app/app.py", 3),
        ("exec", "<frozen importlib._bootstrap>", 9),
    )
    samples = SampleBuilder(service.trace)
    samples.add(
        service.thread, 10 * MS, top, machinery, ("<module>", "a.py", 5), times=imported
    )
    samples.add(service.thread, 50 * MS, top, ("parse", "/app/a.py", 5), times=10 - imported)
    assert kinds(tmp_path, service.end()) == found


def test_where_it_computes(tmp_path):
    """CPU samples say where, and that they are samples."""
    service = steps(1, 150 * MS)
    top = ("main", "/app/service.py", 30)
    samples = SampleBuilder(service.trace)
    samples.add(service.thread, 10 * MS, top, ("parse", "/app/text.py", 5), times=9)
    service.rest(200 * MS)
    samples.add(service.thread, 151 * MS, top, ("idle", "/app/text.py", 50), times=90)
    (found,) = find_in(tmp_path, service.end())
    assert "computing in `parse` (text.py:5, 100 % of 9 CPU samples)" in found.text


def test_where_a_library_computes(tmp_path):
    """Who started the loop does not compute, though it is the program's own code."""
    service = steps(1, 150 * MS)
    library = "/venv/lib/python3.13/site-packages"
    loop = ("Handle._run", "/usr/lib/python3.13/asyncio/events.py", 89)
    stack = (("<module>", "/app/service.py", 30), loop, ("serve", f"{library}/web/app.py", 7))
    SampleBuilder(service.trace).add(service.thread, 10 * MS, *stack, times=9)
    (found,) = find_in(tmp_path, service.end())
    assert "computing in `web.app.serve` (web/app.py:7, 100 % of 9 CPU" in found.text


def preempted(thread, start, end):
    thread.preempted(start + 5 * MS, holding_gil=True)


def off_cpu(thread, start, end):
    thread.off_cpu(start + 5 * MS, holding_gil=True)


def gil_wait(thread, start, end):
    thread.gil_wait(start + 5 * MS)


@pytest.mark.parametrize(
    ("count", "ns", "inside", "others_wait"),
    [
        pytest.param(2, 30 * MS, None, True, id="twice may be chance"),
        pytest.param(9, 15 * MS, None, True, id="short"),
        pytest.param(9, 30 * MS, None, False, id="nobody waits"),
        pytest.param(9, 30 * MS, preempted, True, id="preempted"),
        pytest.param(9, 30 * MS, off_cpu, True, id="off the CPU"),
        pytest.param(9, 30 * MS, gil_wait, True, id="another thread has the GIL"),
    ],
)
def test_not_blocked(tmp_path, count, ns, inside, others_wait):
    """Chance, the kernel and other threads are not the task's fault."""
    service = steps(count, ns, inside, others_wait)
    assert kinds(tmp_path, service.end()) == []


def test_collections_are_not_the_task(tmp_path):
    """A step that is long by a collection alone is none of its own."""
    service = Service()
    for n in range(4):
        if n:
            service.rest(n * 2_000 * MS)
        start = service.step(30 * MS)
        service.trace.gc(start + MS, start + 12 * MS, service.thread.tid)
    assert kinds(tmp_path, service.end()) == []


@pytest.mark.parametrize(("ms", "expected"), [(40, []), (90, ["loop blocked"])])
def test_without_kernel_data(tmp_path, ms, expected):
    """Where preemption cannot be seen it takes four times as much."""
    service = steps(5, ms * MS, signals="tasks,gc,gil,locks,io")
    assert kinds(tmp_path, service.end()) == expected


def test_slow_disk(tmp_path):
    """A call that usually returns at once takes 30 ms three times."""
    service = Service()
    for n in range(20):
        if n:
            service.rest(n * 50 * MS)
        ns = 30 * MS if n % 6 == 3 else 20_000
        start = service.step(ns + MS)
        service.thread.io(start + 1_000, "io.open", site=CALL).running(start + 1_000 + ns)
    assert kinds(tmp_path, service.end()) == []


def starts_of_processes(quickest_ns):
    """Steps that start processes, which mostly wait for a processor."""
    service = Service()
    for n in range(10):
        if n:
            service.rest(n * 50 * MS)
        ns = 30 * MS if n else quickest_ns
        start = service.step(ns + MS)
        service.thread.io(start + 1_000, "subprocess.fork_exec", site=CALL)
        service.thread.running(start + 1_000 + ns)
    return service.end()


def test_a_process_that_gets_no_processor(tmp_path):
    """Its start took no time when it got one; what takes long each time is slow itself."""
    assert kinds(tmp_path, starts_of_processes(MS // 2)) == []
    assert kinds(tmp_path, starts_of_processes(25 * MS)) == ["loop blocked"]


def test_never_yields(tmp_path):
    """A second of computing without an await is reported as such."""
    (found,) = find_in(tmp_path, steps(1, 1_500 * MS).end())
    assert found.finding == "task never yields"
    assert (
        "never yields: it ran for 1.50 s (at 0) without giving the loop a turn" in found.text
    )
    (found,) = find_in(tmp_path, steps(1, 900 * MS).end())
    assert found.finding == "loop blocked"


def test_starting_a_thread_is_no_fault(tmp_path):
    """The new thread answers late when others have the CPU or the GIL."""

    def starts(thread, start, end):
        thread.lock_wait(start + 1, "Thread.start", lock=5, site=CALL)

    assert kinds(tmp_path, steps(4, 200 * MS, starts).end()) == []


def test_a_wait_for_a_lock_or_a_result_is_named(tmp_path):
    """For a step that waits, the finding names what for and the line, as `why` does."""

    def waits(thread, start, end):
        thread.lock_wait(start + 1, "Future.result", lock=5, site=CALL)

    (found,) = find_in(tmp_path, steps(3, 30 * MS, waits).end())
    assert "99 % of that time waiting in `Future.result` (service.py:11)" in found.text

    def wants(thread, start, end):
        thread.lock_wait(start + 1, "Lock", lock=6, owner=thread, site=CALL)

    (found,) = find_in(tmp_path, steps(3, 30 * MS, wants).end())
    assert "99 % of that time waiting for a `Lock` (service.py:11)" in found.text


def test_who_has_the_lock_that_a_step_waits_for_is_named(tmp_path):
    def wants(thread, start, end):
        importer = thread.trace.thread("importer").native(start)
        lock = thread.trace.lock("Lock", TAKEN)
        lock.hold(start, end, importer, TAKEN)
        thread.lock_wait(start + 1, "Lock", lock=lock, owner=importer, site=CALL)
        importer.end(end)

    (found,) = find_in(tmp_path, steps(1, 300 * MS, wants).end())
    assert "; `importer` (service.py:40) holds that lock meanwhile; " in found.text


ASYNCIO = "/usr/lib/python3.13/asyncio/selector_events.py:1067 _SelectorSocketTransport.write"
HTTP = "/usr/lib/python3.13/http/client.py:1055 HTTPConnection.send"


def sends(innermost, ns=30 * MS, rest_ns=0, victims=1):
    """Steps in which the loop's thread is in `socket.send` for long, since the CPU is busy."""
    service, site = Service(victims), "/app/service.py:12 hog"
    for n in range(6):
        if n:
            service.rest(n * 2_000 * MS)
        service.thread.io(
            service.now + 1, "socket.send", site=site, stack=f"{innermost}\n{site}"
        )
        service.thread.running(service.now + ns)
        service.step(ns + rest_ns)
    return service.end()


@pytest.mark.parametrize("ns", [12 * MS, 30 * MS])
def test_what_a_loop_sends_itself_blocks_nobody(tmp_path, ns):
    """Its sockets never block: the kernel was busy, or another program had the CPU."""
    assert kinds(tmp_path, sends(ASYNCIO, ns, victims=3)) == []


@pytest.mark.parametrize(
    ("ns", "kind"), [(12 * MS, "blocking call on the loop thread"), (30 * MS, "loop blocked")]
)
def test_what_somebody_else_sends_blocks_the_loop(tmp_path, ns, kind):
    assert kinds(tmp_path, sends(HTTP, ns, victims=3)) == [kind]


def test_what_a_loop_sends_itself_is_no_excuse_for_the_rest(tmp_path):
    (found,) = find_in(tmp_path, sends(ASYNCIO, 10 * MS, rest_ns=30 * MS))
    assert found.finding == "loop blocked"
    assert "blocks the event loop for up to 30.0 ms" in found.text
