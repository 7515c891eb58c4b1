"""Records to the states of a thread, by hand: every corner stated exactly."""

import pytest

from tests.support.records import MAIN, OTHER, Script
from tests.support.validator.strict import Arg, read_strict
from tracer import _core
from tracer import schema as s

READ = _core.intern("io: os.read", "")[0]
FSYNC = _core.intern("io: fsync", "")[0]
LOCK_WAIT = _core.intern("lock wait: Lock", "")[0]
IO, LOCK = 1, 3

type State = tuple[str, int, int | None]


def lane(
    script: Script, tid: int = MAIN, *, is_killed: bool = False
) -> tuple[list[State], list[dict[str, Arg]]]:
    """(name, begin, end) of the thread's states, and the arguments of each."""
    trace = read_strict(script.data(is_killed=is_killed))
    (track,) = (uuid for uuid, t in trace.tracks.items() if t.tid == tid)
    states: list[State] = []
    args: list[dict[str, Arg]] = []
    depth = 0
    for event in sorted(trace.events, key=lambda e: e.time_ns):
        if event.track != track:
            continue
        if event.type == s.TYPE_SLICE_BEGIN:
            depth += 1
            if depth == 1:
                states.append((event.name, event.time_ns, None))
                args.append(event.args)
        elif event.type == s.TYPE_SLICE_END:
            depth -= 1
            if depth == 0:
                states[-1] = (*states[-1][:2], event.time_ns)
                args[-1] |= event.args
    return states, args


@pytest.fixture
def script() -> Script:
    """The main thread has the GIL from 2,000 on."""
    script = Script([])
    script.add(2_000, "TAKE")
    return script


def test_first_take(script: Script) -> None:
    assert lane(script)[0] == [(s.RUNNING, 2_000, None)]


def test_a_named_call(script: Script) -> None:
    """Running until the release, then the call, then the wait for the GIL, then running."""
    script.add(50_000, "CALL", READ, 4 + 1, 1, flag=IO)
    script.add(50_000, "TAKE", 0, 10_000, 40_000)
    script.add(50_100, "CALL_BYTES", b=77)
    states, args = lane(script)
    assert states == [
        (s.RUNNING, 2_000, 10_000),
        ("io: os.read", 10_000, 40_000),
        (s.GIL_WAIT, 40_000, 50_000),
        (s.RUNNING, 50_000, None),
    ]
    assert args[1] == {s.ARG_FD: 4, s.ARG_BYTES: 77}


def test_a_call_that_waited_for_its_own_process(script: Script) -> None:
    script.add(50_000, "CALL", READ, 4 + 1, 1, flag=IO)
    script.add(50_000, "TAKE", 0, 10_000, 40_000)
    script.add(50_100, "CALL_OWN_PEER")
    script.add(90_000, "CALL", READ, 4 + 1, 2, flag=IO)
    script.add(90_000, "TAKE", 0, 60_000, 0)
    states, args = lane(script)
    calls = [args[i] for i, state in enumerate(states) if state[0] == "io: os.read"]
    assert calls == [{s.ARG_FD: 4, s.ARG_OWN_PEER: True}, {s.ARG_FD: 4}]


TIMED_OUT = 1 << 30  # beside the descriptor


def test_a_call_whose_time_was_over(script: Script) -> None:
    script.add(50_000, "CALL", READ, 4 + 1 | TIMED_OUT, 1, flag=IO)
    script.add(50_000, "TAKE", 0, 10_000, 40_000)
    script.add(90_000, "CALL", READ, TIMED_OUT, 2, flag=IO)
    script.add(90_000, "TAKE", 0, 60_000, 0)
    script.add(130_000, "CALL", READ, 4 + 1, 3, flag=IO)
    script.add(130_000, "TAKE", 0, 100_000, 0)
    states, args = lane(script)
    calls = [args[i] for i, state in enumerate(states) if state[0] == "io: os.read"]
    assert calls == [
        {s.ARG_FD: 4, s.ARG_TIMED_OUT: True},
        {s.ARG_TIMED_OUT: True},
        {s.ARG_FD: 4},
    ]


def test_a_release_whose_wait_has_no_details_yet(script: Script) -> None:
    """Another may have had the GIL since: who is killed then leaves no two that have it."""
    script.add(50_000, "CALL", LOCK_WAIT, 0, 1, flag=LOCK)
    script.add(50_000, "TAKE", 0, 10_000, 40_000)
    assert lane(script, is_killed=True)[0] == [
        (s.RUNNING, 2_000, 10_000),
        ("lock wait: Lock", 10_000, None),
    ]
    assert lane(script)[0] == [
        (s.RUNNING, 2_000, 10_000),
        ("lock wait: Lock", 10_000, 40_000),
        (s.GIL_WAIT, 40_000, 50_000),
        (s.RUNNING, 50_000, None),
    ]


def test_no_wait_for_the_gil(script: Script) -> None:
    script.add(50_000, "CALL", READ, 0, 1, flag=IO)
    script.add(50_000, "TAKE", 0, 10_000, 0)
    assert [state[0] for state in lane(script)[0]] == [s.RUNNING, "io: os.read", s.RUNNING]


def test_pieces_of_one_call_say_so(script: Script) -> None:
    for call, at in ((1, 10_000), (1, 20_000), (2, 30_000)):
        script.add(at + 5_000, "CALL", READ, 0, call, flag=IO)
        script.add(at + 5_000, "TAKE", 0, at, 0)
    states, args = lane(script)
    pieces = [args[i] for i, state in enumerate(states) if state[0] == "io: os.read"]
    assert pieces == [{}, {s.ARG_CONTINUES: 1}, {}]


def test_calls_that_say_the_same(script: Script) -> None:
    """Each says its own: descriptor, bytes, and what it goes on with."""
    said = [(4, 1, 77), (4, 2, 0), (4, 2, 0), (5, 3, 0), (4, 4, 5)]
    for at, (fd, serial, transferred) in enumerate(said):
        at_ns = 10_000 * (at + 1)
        script.add(at_ns + 5_000, "CALL", READ, fd + 1, serial, flag=IO)
        script.add(at_ns + 5_000, "TAKE", 0, at_ns)
        if transferred:
            script.add(at_ns + 5_100, "CALL_BYTES", b=transferred)
    states, args = lane(script)
    assert states[1::2] == [
        ("io: os.read", 10_000 * at, 10_000 * at + 5_000) for at in range(1, 6)
    ]
    assert all(name == s.RUNNING for name, _, _ in states[::2])
    assert args[1::2] == [
        {s.ARG_FD: 4, s.ARG_BYTES: 77},
        {s.ARG_FD: 4},
        {s.ARG_FD: 4, s.ARG_CONTINUES: 1},
        {s.ARG_FD: 5},
        {s.ARG_FD: 4, s.ARG_BYTES: 5},
    ]


def test_released_without_a_call_is_unexplained(script: Script) -> None:
    """Without the io signal nothing says that the thread did not block."""
    script.add(50_000, "TAKE", 0, 10_000, 0)
    assert lane(script)[0][1] == (s.OFF_CPU, 10_000, 50_000)


def test_a_forced_release_is_a_wait(script: Script) -> None:
    """It waits from the moment it gave the GIL, and for the thread that took it then."""
    script.add(10_500, "TAKE", tid=OTHER)
    script.add(50_000, "TAKE", 0, 10_000, 10_000)
    states, args = lane(script)
    assert states[1] == (s.GIL_WAIT, 10_000, 50_000)
    assert args[1] == {s.ARG_HOLDER: OTHER, s.ARG_HOLDER_NAME: f"thread {OTHER}"}


def test_who_had_the_gil_when_the_wait_began() -> None:
    script = Script([])
    script.add(2_000, "TAKE")
    script.add(30_000, "TAKE", 0, 0, 8_000, tid=OTHER)
    states, args = lane(script, OTHER)
    assert states == [(s.GIL_WAIT, 8_000, 30_000), (s.RUNNING, 30_000, None)]
    assert args[0] == {s.ARG_HOLDER: MAIN, s.ARG_HOLDER_NAME: "MainThread"}


def test_a_call_with_the_gil(script: Script) -> None:
    script.add(40_000, "HELD_CALL", FSYNC, 10_000, 3 + 1, flag=IO)
    states, args = lane(script)
    assert states == [
        (s.RUNNING, 2_000, 10_000),
        ("io: fsync", 10_000, 40_000),
        (s.RUNNING, 40_000, None),
    ]
    assert args[1] == {s.ARG_FD: 3, s.ARG_HOLDING_GIL: 1}


def test_a_collection_is_cut_where_the_state_changes(script: Script) -> None:
    """A finalizer that blocks: the collection goes on, in three pieces."""
    script.add(5_000, "GC_BEGIN", 2)
    script.add(50_000, "CALL", READ, 0, 1, flag=IO)
    script.add(50_000, "TAKE", 0, 10_000, 0)
    script.add(60_000, "GC_END", 2, 9, 0)
    assert sorted(row[1:] for row in script.slices() if row[0] == "gc:GC gen2") == [
        (5_000, 10_000),
        (5_000, 60_000),  # on the GC track, whole
        (10_000, 50_000),
        (50_000, 60_000),
    ]
    assert [state[:2] for state in lane(script)[0]] == [
        (s.RUNNING, 2_000),
        ("io: os.read", 10_000),
        (s.RUNNING, 50_000),
    ]


def test_a_collection_that_was_called_for(script: Script) -> None:
    """On the thread and on the GC track; the next one is the interpreter's own."""
    script.add(5_000, "GC_BEGIN", 2, flag=1)
    script.add(6_000, "GC_END", 2, 9, 0)
    script.add(7_000, "GC_BEGIN", 0)
    script.add(8_000, "GC_END", 0, 0, 0)
    events = read_strict(script.data()).events
    begun = sorted((e for e in events if e.name.startswith("GC gen")), key=lambda e: e.time_ns)
    assert [(e.name, e.args.get(s.ARG_EXPLICIT)) for e in begun] == [
        ("GC gen2", 1),
        ("GC gen2", 1),
        ("GC gen0", None),
        ("GC gen0", None),
    ]


def test_exit_ends_the_lane(script: Script) -> None:
    script.add(90_000, "THREAD_EXIT", b=80_000)
    assert lane(script)[0] == [(s.RUNNING, 2_000, 80_000), (s.OFF_CPU, 80_000, 90_000)]


def test_a_gap_ends_the_lane(script: Script) -> None:
    """What comes after a loss begins with the next take."""
    script.add(60_000, "GAP", 0, 12, 30_000)
    script.add(90_000, "TAKE", 0, 70_000, 80_000)
    assert lane(script)[0] == [
        (s.RUNNING, 2_000, 30_000),
        (s.OFF_CPU, 70_000, 80_000),
        (s.GIL_WAIT, 80_000, 90_000),
        (s.RUNNING, 90_000, None),
    ]


def test_two_holders_end_the_signal(script: Script) -> None:
    """The main thread gave the GIL after another had taken it: nothing of it is believed."""
    script.add(10_000, "TAKE", tid=OTHER)
    script.add(50_000, "TAKE", 0, 20_000, 40_000)
    script.add(60_000, "TAKE", 0, 55_000, 0, tid=OTHER)
    trace = read_strict(script.data())
    (disabled,) = (e for e in trace.events if e.name == s.HOOK_DISABLED)
    assert disabled.args[s.ARG_HOOK] == "gil"
    assert lane(script)[0] == [(s.RUNNING, 2_000, 10_000)]
    assert lane(script, OTHER)[0] == [(s.RUNNING, 10_000, 50_000)]


def test_without_the_gil_only_the_calls_are_known() -> None:
    script = Script([])
    for at in (10_000, 70_000):
        script.add(at + 30_000, "CALL", READ, 0, at, flag=IO)
        script.add(at + 30_000, "TAKE", 0, at, 0, flag=1)
    assert lane(script)[0] == [
        ("io: os.read", 10_000, 40_000),
        ("io: os.read", 70_000, 100_000),
    ]


def test_attached() -> None:
    """Without a GIL: attached but for calls, two threads at once."""
    script = Script([])
    script.add(2_000, "TAKE", flag=2)
    script.add(3_000, "TAKE", flag=2, tid=OTHER)
    script.add(90_000, "CALL", READ, 4 + 1, 1, flag=IO)
    script.add(90_000, "TAKE", 0, 40_000, flag=2)
    states, args = lane(script)
    assert states == [
        (s.ATTACHED, 2_000, 40_000),
        ("io: os.read", 40_000, 90_000),
        (s.ATTACHED, 90_000, None),
    ]
    assert args[1][s.ARG_FD] == 4
    assert lane(script, OTHER)[0] == [(s.ATTACHED, 3_000, None)]


ON, OFF, PREEMPTED = 1, 2, 3  # enum kernel_state
SHORT, LONG = 999_999, 1_000_000


@pytest.mark.parametrize("held", [True, False], ids=["with the GIL", "without it"])
def test_what_the_kernel_took_is_no_time_of_the_call(script: Script, held: bool) -> None:
    """A millisecond or more; less of it, or being blocked for less, is the call's."""
    script.add(at := 10_000, "CALL")  # with the next record the take before it is written
    for state, ns in ((PREEMPTED, SHORT), (OFF, LONG), (PREEMPTED, LONG), (PREEMPTED, LONG)):
        script.add(at := at + 5_000, "KERNEL", flag=state)
        script.add(at := at + ns, "KERNEL", flag=ON)
    end = at + 5_000
    if held:
        script.add(end, "HELD_CALL", READ, 10_000, 3 + 1, flag=IO)
    else:
        script.add(end, "CALL", READ, 3 + 1, 1, flag=IO)
        script.add(end, "TAKE", 0, 10_000, 0)
        script.add(end + 100, "CALL_BYTES", b=77)
    states, args = lane(script)
    assert states == [
        (s.RUNNING, 2_000, 10_000),
        ("io: os.read", 10_000, (taken := 25_000 + SHORT + LONG)),
        (s.PREEMPTED, taken, taken + LONG),
        ("io: os.read", taken + LONG, taken + LONG + 5_000),
        (s.PREEMPTED, taken + LONG + 5_000, end - 5_000),
        ("io: os.read", end - 5_000, end),
        (s.RUNNING, end, None),
    ]
    assert [s.ARG_CONTINUES in piece for piece in args[1:6:2]] == [False, True, True]
    assert all(piece[s.ARG_FD] == 3 for piece in args[1:6:2])
    assert [piece.get(s.ARG_BYTES) for piece in args[1:6:2]] == [
        None,
        None,
        None if held else 77,
    ]
    assert args[2].get(s.ARG_HOLDING_GIL) == (1 if held else None)


@pytest.mark.parametrize(
    ("what", "kind", "blocked"),
    [
        pytest.param(LOCK_WAIT, LOCK, 0, id="a wait for a lock"),
        pytest.param(READ, IO, LONG, id="a call that mostly blocks"),
    ],
)
def test_one_slice(script: Script, what: int, kind: int, blocked: int) -> None:
    script.add(10_000, "CALL")
    script.add(20_000, "KERNEL", flag=PREEMPTED)
    script.add(20_000 + LONG, "KERNEL", flag=ON)
    script.add(30_000 + LONG, "KERNEL", flag=OFF)
    script.add(30_000 + LONG + blocked, "KERNEL", flag=ON)
    end = 50_000 + LONG + blocked
    script.add(end, "CALL", what, 0, 1, flag=kind)
    script.add(end, "TAKE", 0, 10_000, 0)
    assert len(lane(script)[0]) == 3
