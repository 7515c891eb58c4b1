"""What the kernel itself reports about this process's threads."""

import gc
import hashlib
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.recordings import join_to_the_end, record_here
from tracer import _core
from tracer import schema as s

type Switch = tuple[int, int, int, int]  # tid, ns, state, records lost

ON, OFF, PREEMPTED, EXIT, LOST = range(1, 6)  # enum kernel_state
EVER = (1 << 64) - 1
# Before 3.15 CPython printed this warning even where a filter makes an error of it. The other
# thread is pytest's own watchdog.
may_fork = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@pytest.fixture
def switches() -> Iterator[Callable[[], list[Switch]]]:
    """The stream is on; calling it ends it and gives what came."""
    refused = _core.kernel_start(0)
    if refused:
        _core.kernel_feed(0, True)
        pytest.skip(refused)
    ended = False

    def end() -> list[Switch]:
        nonlocal ended
        ended = True
        return _core.kernel_feed(time.monotonic_ns(), True)

    yield end
    if not ended:
        end()


def of(found: list[Switch], tid: int) -> list[tuple[int, int]]:
    """(ns, state) of a thread, checked: on and off the CPU in turns, the exit last."""
    mine = [(ns, state) for t, ns, state, _ in found if t == tid]
    assert not any(state == LOST for _, _, state, _ in found)
    for (before_ns, before), (ns, state) in pairwise(mine):
        assert before_ns <= ns
        assert (before == ON) != (state == ON) or (before, state) == (ON, EXIT), mine
        assert before != EXIT, mine
    return mine


def test_a_thread_blocks_in_a_read(switches: Callable[[], list[Switch]]) -> None:
    """OFF when the pipe is empty, ON after the write."""
    reading, writing = os.pipe()
    read_ns: list[int] = []

    def read() -> None:
        read_ns.append(time.monotonic_ns())
        os.read(reading, 1)
        read_ns.append(time.monotonic_ns())

    thread = threading.Thread(target=read)
    thread.start()
    # The kernel says what system call a thread is in only once it has left the CPU.
    call = Path(f"/proc/self/task/{thread.native_id}/syscall")
    while call.read_text().split()[1:2] != [hex(reading)]:
        os.sched_yield()
    write_ns = time.monotonic_ns()
    os.write(writing, b"x")
    join_to_the_end(thread)
    os.close(reading)
    os.close(writing)
    assert thread.native_id
    mine = of(switches(), thread.native_id)
    began_ns, ended_ns = read_ns
    woken = next(i for i, (ns, _) in enumerate(mine) if ns >= write_ns)
    assert mine[woken - 1][1] == OFF
    assert began_ns <= mine[woken - 1][0]
    assert mine[woken][1] == ON
    assert mine[woken][0] <= ended_ns


class Burner(threading.Thread):
    """Computes on one CPU, mostly without the GIL, until it and its peer have been preempted.

    Before and after, `usage` has (time before, preempted, blocked, time after); `seen_ns` are
    moments at which it looked at the clock: then it was on the CPU.
    """

    ENOUGH = 3
    BLOCK = bytes(1 << 20)

    def __init__(self, cpu: int) -> None:
        super().__init__()
        self.cpu = cpu
        self.peer = self
        self.seen_ns: list[int] = []
        self.usage: list[tuple[int, int, int, int]] = []
        self.done = False

    def look(self) -> int:
        before_ns = time.monotonic_ns()
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        after_ns = time.monotonic_ns()
        self.seen_ns += before_ns, after_ns
        self.usage[1:] = [(before_ns, usage.ru_nivcsw, usage.ru_nvcsw, after_ns)]
        return usage.ru_nivcsw - self.usage[0][1]

    def run(self) -> None:
        os.sched_setaffinity(0, {self.cpu})
        self.look()
        while not (self.done and self.peer.done):
            hashlib.sha256(self.BLOCK)
            self.done |= self.look() >= self.ENOUGH


def test_two_threads_share_a_cpu(switches: Callable[[], list[Switch]]) -> None:
    """What must hold exactly: a CPU runs one thread at a time; a thread that looks at the
    clock is on it; and each switch away is one the kernel counts as (in)voluntary."""
    cpu = min(os.sched_getaffinity(0))
    pair = Burner(cpu), Burner(cpu)
    for burner, peer in (pair, pair[::-1]):
        burner.peer = peer
    for burner in pair:
        burner.start()
    for burner in pair:
        join_to_the_end(burner)
    found = switches()
    on: list[tuple[int, int, int]] = []
    for burner in pair:
        assert burner.native_id
        mine = of(found, burner.native_id)
        begin_ns, end_ns = burner.seen_ns[0], burner.seen_ns[-1]
        pieces = [
            (ns, next_ns)
            for (ns, state), (next_ns, _) in pairwise(mine)
            if state == ON and next_ns > begin_ns and ns < end_ns
        ]
        for seen_ns in burner.seen_ns:
            assert any(ns <= seen_ns <= next_ns for ns, next_ns in pieces), (seen_ns, mine)
        (a, preempted, blocked, b), (c, preempted_then, blocked_then, d) = burner.usage
        for state, counted in (
            (PREEMPTED, preempted_then - preempted),
            (OFF, blocked_then - blocked),
        ):
            times = [ns for ns, st in mine if st == state]
            assert sum(b <= ns <= c for ns in times) <= counted
            assert counted <= sum(a <= ns <= d for ns in times)
        assert [ns for ns, state in mine if state == PREEMPTED and a <= ns <= d]
        first_on = next(i for i, row in enumerate(pieces) if row[1] > begin_ns)
        on += [(*piece, burner.native_id) for piece in pieces[first_on:]]
    on.sort()
    for (_, end_ns, _), (begin_ns, _, _) in pairwise(on):
        assert end_ns <= begin_ns, "two threads on one CPU at once"


def test_new_threads_appear_and_go(switches: Callable[[], list[Switch]]) -> None:
    """A thread begins on a CPU and ends with its exit; so do the threads it starts."""
    inner = threading.Thread(target=lambda: None)

    def start_another() -> None:
        inner.start()
        join_to_the_end(inner)

    outer = threading.Thread(target=start_another)
    outer.start()
    join_to_the_end(outer)
    found = switches()
    for thread in (outer, inner):
        assert thread.native_id
        mine = of(found, thread.native_id)
        assert mine[0][1] == ON
        assert mine[-1][1] == EXIT


def test_threads_from_before(tmp_path: Path) -> None:
    """They are found; of the opening thread it is known that it was on a CPU."""
    waiting, go = threading.Event(), threading.Event()

    def wait() -> None:
        waiting.set()
        go.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    before_ns = time.monotonic_ns()
    refused = _core.kernel_start(0)
    after_ns = time.monotonic_ns()
    go.set()
    join_to_the_end(thread)
    found = _core.kernel_feed(time.monotonic_ns(), True)
    if refused:
        pytest.skip(refused)
    assert thread.native_id
    assert of(found, thread.native_id)[-1][1] == EXIT
    tid, ns, state, _ = found[0]
    assert (tid, state) == (threading.get_native_id(), ON)
    assert before_ns <= ns <= after_ns


@may_fork
def test_forked_children_are_not_told_of(switches: Callable[[], list[Switch]]) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert child not in {tid for tid, _, _, _ in switches()}


PERF, EVENTFD = "anon_inode:[perf_event]", "anon_inode:[eventfd]"


def descriptors(kind: str) -> list[int]:
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}") == kind:
                found.append(int(fd))
        except FileNotFoundError:  # the listing's own
            continue
    return found


def mapped_rings() -> int:
    return Path("/proc/self/maps").read_text().count(PERF)


@may_fork
def test_a_child_that_forks_out_of_a_recording(tmp_path: Path) -> None:
    """It has no ring to touch, no descriptor of the recording, and can record."""

    def run() -> None:
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
            return
        left = len(descriptors(PERF)) + mapped_rings() + len(_core.kernel_feed(EVER, False))
        refused = _core.kernel_start(0)
        told = {tid for tid, _, _, _ in _core.kernel_feed(EVER, True)}
        os._exit(left + (not refused and told != {os.getpid()}))

    record_here(run, tmp_path / "t.pftrace", follow=False)


def test_a_program_that_closes_every_descriptor(
    switches: Callable[[], list[Switch]],
) -> None:
    """The rings go on; what has taken the place of our descriptors is left alone."""
    taken = descriptors(PERF)
    assert taken
    mine = os.eventfd(5)
    for fd in taken:
        os.dup2(mine, fd)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    join_to_the_end(thread)
    found = switches()
    assert thread.native_id
    assert of(found, thread.native_id)[-1][1] == EXIT
    assert mapped_rings() == 0
    assert sorted(descriptors(EVENTFD)) == sorted([mine, *taken])
    for fd in taken:
        os.close(fd)
    assert os.eventfd_read(mine) == 5
    os.close(mine)


def test_closed_descriptors_of_older_threads_are_told_of(tmp_path: Path) -> None:
    """Their events end with the descriptor, and nothing else would say so."""
    waiting, go = threading.Event(), threading.Event()

    def wait() -> None:
        waiting.set()
        go.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    closed = []

    def run() -> None:
        closed.extend(descriptors(PERF))
        for fd in closed:
            os.close(fd)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Else the program could not close them: they would be in a table of the writer's own.
    below = 4096 if hard < 0 else min(4096, hard // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (below, hard))
    summary, _ = record_here(run, tmp_path / "t.pftrace", signals=("sched",))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    go.set()
    join_to_the_end(thread)
    if not closed:
        pytest.skip("no perf events here")
    assert summary.names[s.NOTE] == 1


def process_switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


@pytest.mark.parametrize(
    ("rounds_per_feed", "overflows"), [(8_000, True), (4_000, True), (200, False)]
)
def test_what_a_full_ring_loses_is_counted(rounds_per_feed: int, overflows: bool) -> None:
    """Kept and lost together are what the kernel has switched, whether the ring itself told of
    the loss or had no occasion to; read in time, it loses nothing."""
    ping, pong = os.pipe(), os.pipe()
    rounds = 8_000  # of four records or more on one CPU; its ring has room for 10,922
    cpus = os.sched_getaffinity(0)
    cpu = {min(cpus)}
    found: list[Switch] = []

    def echo() -> None:
        os.sched_setaffinity(0, cpu)
        for _ in range(rounds):
            os.read(ping[0], 1)
            os.write(pong[1], b"x")

    thread = threading.Thread(target=echo)
    outer = process_switches()
    refused = _core.kernel_start(0)
    inner = process_switches()
    thread.start()
    os.sched_setaffinity(0, cpu)
    for done in range(rounds):
        os.write(ping[1], b"x")
        os.read(pong[0], 1)
        if done % rounds_per_feed == rounds_per_feed - 1:
            found += _core.kernel_feed(time.monotonic_ns(), False)
    join_to_the_end(thread)
    os.sched_setaffinity(0, cpus)
    inner = process_switches() - inner
    found += _core.kernel_feed(time.monotonic_ns(), True)
    outer = process_switches() - outer
    for fd in (*ping, *pong):
        os.close(fd)
    if refused:
        pytest.skip(refused)
    losses = sum(count for _, _, state, count in found if state == LOST)
    kept = sum(state != LOST for _, _, state, _ in found)
    assert bool(losses) == overflows
    # Every switch away has one back. Beside them: the first state of the opener, the start and
    # exit of the thread, its first switch in and its last one out; and pytest's own thread.
    assert 2 * inner - 8 <= kept + losses <= 2 * outer + 8


def test_a_thousand_starts_leave_nothing() -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd")), mapped_rings()
    for _ in range(1000):
        refused = _core.kernel_start(0)
        _core.kernel_feed(time.monotonic_ns(), True)
        if refused:
            pytest.skip(refused)
    assert (len(os.listdir("/proc/self/fd")), mapped_rings()) == before


def test_one_at_a_time(switches: Callable[[], list[Switch]]) -> None:
    assert _core.kernel_start(0) == "they are recorded already"
    assert switches()
