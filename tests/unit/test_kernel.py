"""What the kernel did with the threads: the merged stream, and the counters in its place."""

import errno
import functools
import gc
import hashlib
import os
import resource
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.recordings import join_to_the_end, record_here
from tests.strict import read_strict
from tracer import _core, recorder
from tracer import schema as s
from tracer.hooks import sched
from viewer.reader import read_trace

type Switch = tuple[int, int, int, int]  # tid, ns, state, records lost

ON, OFF, PREEMPTED, EXIT, LOST = range(5)  # enum kernel_state
EVER = (1 << 64) - 1
REFUSALS = {
    errno.EPERM: "--cap-add PERFMON",
    errno.EACCES: "kernel.perf_event_paranoid <= 2",
    errno.ENOSYS: "the kernel does not provide them",
    errno.EMFILE: "ulimit -n",
    errno.ENOMEM: "ulimit -l",
    errno.E2BIG: "64 CPUs",
}

# --- rings by hand -----------------------------------------------------------------------

PID, ALIEN, A, B, OURS = 7, 99, 11, 12, 13  # A, B: the program's threads; OURS: the recorder's
TYPE_LOST, TYPE_EXIT, TYPE_FORK, TYPE_SWITCH = 2, 4, 7, 14  # linux/perf_event.h
MISC = {ON: 0, OFF: 1 << 13, PREEMPTED: 1 << 13 | 1 << 14}


def packed(type_: int, misc: int, body: bytes, pid: int, tid: int, ns: int) -> bytes:
    body += struct.pack("<IIQ", pid, tid, ns)
    return struct.pack("<IHH", type_, misc, 8 + len(body)) + body


def switch(tid: int, ns: int, state: int, pid: int = PID) -> bytes:
    return packed(TYPE_SWITCH, MISC[state], b"", pid, tid, ns)


def task(type_: int, tid: int, ns: int) -> bytes:
    """Its trailer names another thread: what it is about is in the body."""
    body = struct.pack("<IIIIQ", PID, 1, tid, A, ns)
    return packed(type_, 0, body, ALIEN, ALIEN, ns)


def lost(count: int, ns: int) -> bytes:
    return packed(TYPE_LOST, 0, struct.pack("<QQ", 1, count), PID, A, ns)


def merged(*rings: bytes, untils: tuple[int, ...] = (EVER,), begin: int = 0) -> list[Switch]:
    return _core.kernel_merge([(ring, begin) for ring in rings], list(untils), PID, OURS)


def test_rings_are_merged_by_time() -> None:
    """A thread that moves between CPUs is followed; what is not the program's is left out."""
    cpu0 = b"".join(
        (
            switch(A, 10, ON),
            switch(ALIEN, 11, ON, pid=ALIEN),
            switch(OURS, 12, ON),
            switch(A, 20, PREEMPTED),
            switch(B, 40, ON),
            task(TYPE_EXIT, B, 50),
        )
    )
    cpu1 = switch(B, 15, ON) + switch(B, 30, OFF) + task(TYPE_FORK, B, 31) + switch(A, 35, ON)
    assert merged(cpu0, cpu1) == [
        (A, 10, ON, 0),
        (B, 15, ON, 0),
        (A, 20, PREEMPTED, 0),
        (B, 30, OFF, 0),
        (A, 35, ON, 0),
        (B, 40, ON, 0),
        (B, 50, EXIT, 0),
    ]


@pytest.mark.parametrize("begin", range(0, 512, 8))
def test_records_wrap_around(begin: int) -> None:
    """Wherever the ring's bytes begin to be reused, also inside a record."""
    ring = b"".join(switch(A, 10 * i, i % 2) for i in range(4)) + task(TYPE_EXIT, A, 50)
    expected = [(A, 10 * i, i % 2, 0) for i in range(4)] + [(A, 50, EXIT, 0)]
    assert merged(ring, begin=begin) == expected


@pytest.mark.parametrize("step", [1, 3, 7, 100])
def test_small_steps_give_what_a_large_one_gives(step: int) -> None:
    """Also for records of the same time and around losses."""
    rings = (
        b"".join(switch(A, ns, ns % 2) for ns in range(0, 40, 2)) + lost(4, 60),
        b"".join(switch(B, ns, ns % 2) for ns in range(0, 60, 3)),
        switch(A, 6, OFF) + lost(2, 9) + switch(B, 9, ON) + task(TYPE_EXIT, B, 58),
    )
    whole = merged(*rings)
    assert merged(*rings, untils=tuple(range(0, 60 + step, step))) == whole
    assert len(whole) == 20 + 1 + 20 + 4
    assert [ns for _, ns, _, _ in whole] == sorted(ns for _, ns, _, _ in whole)


def test_records_after_the_asked_time_stay() -> None:
    ring = switch(A, 10, ON) + switch(A, 20, OFF) + switch(A, 30, ON)
    assert merged(ring, untils=(20,)) == [(A, 10, ON, 0), (A, 20, OFF, 0)]


def test_a_loss_is_told_where_it_began() -> None:
    """Not when there was room again: up to there the kernel's word is missing."""
    ring = switch(A, 10, ON) + lost(5, 90) + switch(A, 90, OFF)
    assert merged(ring, switch(B, 50, ON)) == [
        (A, 10, ON, 0),
        (0, 10, LOST, 5),
        (B, 50, ON, 0),
        (A, 90, OFF, 0),
    ]


def test_an_ignored_tid_is_free_again_after_its_exit() -> None:
    ring = switch(OURS, 10, ON) + task(TYPE_EXIT, OURS, 20) + switch(OURS, 30, ON)
    assert merged(ring) == [(OURS, 30, ON, 0)]


def test_time_never_runs_backwards() -> None:
    assert merged(switch(A, 20, ON) + switch(A, 19, OFF)) == [(A, 20, ON, 0), (A, 20, OFF, 0)]


@pytest.mark.parametrize("size", [0, 7, 4096])
def test_a_ring_somebody_wrote_into(size: int) -> None:
    """A length that cannot be ends the reading, not the writer."""
    garbage = struct.pack("<IHH", TYPE_SWITCH, 0, size)
    assert merged(switch(A, 10, ON) + garbage) == [(A, 10, ON, 0)]


# --- the kernel's own ---------------------------------------------------------------------


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
    """OFF when the pipe is empty, ON after the write. The reader has the GIL until it blocks,
    so its next voluntary switch is that of the read."""
    reading, writing = os.pipe()
    read_ns: list[int] = []
    voluntary: list[int] = []
    interval = sys.getswitchinterval()

    def read() -> None:
        voluntary.append(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw)
        read_ns.append(time.monotonic_ns())
        os.read(reading, 1)
        read_ns.append(time.monotonic_ns())

    def voluntary_switches() -> int:
        status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
        return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])

    thread = threading.Thread(target=read)
    sys.setswitchinterval(1000)
    try:
        thread.start()
        while not read_ns:
            os.sched_yield()
        while voluntary_switches() == voluntary[0]:
            os.sched_yield()
        write_ns = time.monotonic_ns()
        os.write(writing, b"x")
        join_to_the_end(thread)
    finally:
        sys.setswitchinterval(interval)
        os.close(reading)
        os.close(writing)
    assert thread.native_id
    mine = of(switches(), thread.native_id)
    began_ns, ended_ns = read_ns
    off = next(i for i, row in enumerate(mine) if row[0] >= began_ns and row[1] == OFF)
    assert began_ns <= mine[off][0]
    assert write_ns <= mine[off + 1][0] <= ended_ns
    assert mine[off + 1][1] == ON


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


def test_a_child_that_forks_out_of_a_recording(tmp_path: Path) -> None:
    """It has no ring to touch, no descriptor of ours, and can record by itself."""

    def run() -> None:
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
            return
        left = len(descriptors(PERF)) + mapped_rings() + len(_core.kernel_feed(EVER, False))
        refused = _core.kernel_start(0)
        told = {tid for tid, _, _, _ in _core.kernel_feed(EVER, True)}
        os._exit(left + (not refused and told != {os.getpid()}))

    record_here(run, tmp_path / "t.pftrace")


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

    summary, _ = record_here(run, tmp_path / "t.pftrace", signals=("sched",))
    go.set()
    join_to_the_end(thread)
    if not closed:
        pytest.skip("no perf events here")
    assert summary.names[s.NOTE] == 1


def process_switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


def test_what_a_full_ring_loses_is_counted() -> None:
    """Kept and lost together are what the kernel has switched."""
    ping, pong = os.pipe(), os.pipe()
    rounds = 40_000  # a ring has room for 10,922 switches

    def echo() -> None:
        for _ in range(rounds):
            os.read(ping[0], 1)
            os.write(pong[1], b"x")

    thread = threading.Thread(target=echo)
    outer = process_switches()
    refused = _core.kernel_start(0)
    inner = process_switches()
    thread.start()
    for _ in range(rounds):
        os.write(ping[1], b"x")
        os.read(pong[0], 1)
    join_to_the_end(thread)
    inner = process_switches() - inner
    found = _core.kernel_feed(time.monotonic_ns(), True)
    outer = process_switches() - outer
    for fd in (*ping, *pong):
        os.close(fd)
    if refused:
        pytest.skip(refused)
    losses = sum(count for _, _, state, count in found if state == LOST)
    kept = sum(state != LOST for _, _, state, _ in found)
    assert losses > 0, "the rings were to overflow"
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


# --- refused -------------------------------------------------------------------------------


def refuse(monkeypatch: pytest.MonkeyPatch, error: int = errno.EPERM) -> None:
    monkeypatch.setitem(recorder.SIGNALS, "sched", functools.partial(sched.arm, refusal=error))


@pytest.mark.parametrize(("error", "remedy"), REFUSALS.items(), ids=errno.errorcode.get)
def test_a_refusal_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, remedy: str
) -> None:
    refuse(monkeypatch, error)
    path = tmp_path / "t.pftrace"
    record_here(lambda: None, path, signals=("sched",))
    (said,) = [e for e in read_strict(path.read_bytes()).events if e.name == s.HOOK_DISABLED]
    assert said.args[s.ARG_HOOK] == "sched"
    reason = str(said.args[s.ARG_REASON])
    assert reason.startswith("counters only, no perf events: ")
    assert remedy in reason


def counters(path: Path) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """(ns, value) of every counter below a thread, by (tid, name)."""
    events = read_strict(path.read_bytes()).events
    tracks = read_trace(path).tracks  # after the events: the file may be growing
    found: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for event in events:
        track = tracks[event.track]
        parent = tracks.get(track.parent_uuid)
        if event.counter is not None and parent and parent.tid:
            found.setdefault((parent.tid, track.name), []).append(
                (event.time_ns, event.counter)
            )
    return found


def run_delay_ns() -> int:
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1])


def test_counters_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cumulative, never falling, and between what the thread itself read before and after."""
    refuse(monkeypatch)
    path = tmp_path / "t.pftrace"

    def read() -> tuple[int, int]:
        return time.thread_time_ns(), run_delay_ns()

    def compute() -> None:  # until told of twice; at the end of the recording once more
        while len(counters(path).get((threading.get_native_id(), s.COUNTER_CPU), ())) < 2:
            hashlib.sha256(Burner.BLOCK)

    before, before_ns = read(), time.monotonic_ns()
    record_here(compute, path)
    after, after_ns = read(), time.monotonic_ns()
    found = counters(path)
    for i, name in enumerate((s.COUNTER_CPU, s.COUNTER_RUN_DELAY)):
        rows = found[threading.get_native_id(), name]
        values = [before[i], *(value for _, value in rows), after[i]]
        assert values == sorted(values)
        times = [before_ns, *(ns for ns, _ in rows), after_ns]
        assert times == sorted(times)
        assert len({value for _, value in rows}) == len(rows), "told though unchanged"
    assert len(found[threading.get_native_id(), s.COUNTER_CPU]) > 2


def test_no_counters_with_perf_events(tmp_path: Path) -> None:
    path = tmp_path / "t.pftrace"
    summary, _ = record_here(lambda: None, path, signals=("sched",))
    if summary.names[s.HOOK_DISABLED]:
        pytest.skip("no perf events here")
    assert counters(path) == {}


def test_counters_of_at_most_256_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are not sampled, which is said once; every descriptor is given back."""
    refuse(monkeypatch)
    path = tmp_path / "t.pftrace"
    begin = _core.RECORD_KINDS["THREAD_BEGIN"]
    all_there, go = threading.Barrier(261), threading.Event()

    def work() -> None:
        _core.emit(1, begin, 0)
        all_there.wait()
        go.wait()

    threads = [threading.Thread(target=work) for _ in range(260)]
    before = len(os.listdir("/proc/self/fd"))

    def run() -> None:
        for thread in threads:
            thread.start()
        all_there.wait()

    summary, _ = record_here(run, path, signals=("sched",))
    go.set()
    for thread in threads:
        join_to_the_end(thread)
    assert len(os.listdir("/proc/self/fd")) == before
    assert len({tid for tid, _ in counters(path)}) == 256
    assert summary.names[s.NOTE] == 1


def test_counters_of_finished_threads_give_back_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch)
    begin = _core.RECORD_KINDS["THREAD_BEGIN"]
    before = len(os.listdir("/proc/self/fd"))

    def run() -> None:
        for _ in range(600):
            thread = threading.Thread(target=_core.emit, args=(1, begin, 0))
            thread.start()
            join_to_the_end(thread)

    record_here(run, tmp_path / "t.pftrace", signals=("sched",))
    assert len(os.listdir("/proc/self/fd")) == before
