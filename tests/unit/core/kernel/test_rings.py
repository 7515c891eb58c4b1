"""The kernel's rings, made by hand: how their records become one stream."""

import struct

import pytest

from tracer import _core

type Switch = tuple[int, int, int, int]  # tid, ns, state, records lost

ON, OFF, PREEMPTED, EXIT, LOST = range(1, 6)  # enum kernel_state
EVER = (1 << 64) - 1

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
    ring = b"".join(switch(A, 10 * i, 1 + i % 2) for i in range(4)) + task(TYPE_EXIT, A, 50)
    expected = [(A, 10 * i, 1 + i % 2, 0) for i in range(4)] + [(A, 50, EXIT, 0)]
    assert merged(ring, begin=begin) == expected


@pytest.mark.parametrize("step", [1, 3, 7, 100])
def test_small_steps_give_what_a_large_one_gives(step: int) -> None:
    """Also for records of the same time and around losses."""
    rings = (
        b"".join(switch(A, ns, 1 + ns % 2) for ns in range(0, 40, 2)) + lost(4, 60),
        b"".join(switch(B, ns, 1 + ns % 2) for ns in range(60)),
        switch(A, 6, OFF) + lost(2, 9) + switch(B, 9, ON) + task(TYPE_EXIT, B, 58),
    )
    whole = merged(*rings)
    assert merged(*rings, untils=tuple(range(0, 60 + step, step))) == whole
    assert len(whole) == 20 + 1 + 60 + 4
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
