"""Locks that are used as signals: a thread takes one and waits for it until another comes.

Worker threads of trio, gevent and others sleep so. Nobody holds such a lock against anybody.
"""

from array import array
from collections.abc import Container
from itertools import compress
from operator import eq

from tracer import schema as s
from viewer.trace.columns import FAILED, HOLD, IDLE_WAIT, LOCK_WAIT, STATE_MASK, Column, States
from viewer.trace.reader import Trace
from viewer.trace.sites import is_library, place_of
from viewer.trace.tracks import Threads

_WAITS = bytes(int(state & STATE_MASK == LOCK_WAIT) for state in range(256))
_OF_LOCKS = bytes(int(state & STATE_MASK in (LOCK_WAIT, HOLD)) for state in range(256))


def without_signals(
    trace: Trace,
    states: States,
    threads: Threads,
    thread_process: Column,
    loop_threads: Container[tuple[int, int]],
) -> States:
    """The states; waits for signals are idle waits, and nobody holds what these wait for.

    `loop_threads` are (process, tid). What such a thread took in a step of a task, or another
    thread in a job, is still that task's in the next step or job: it is no signal.
    """
    own = _waits_for_own(trace, states, threads, thread_process)
    if own:
        workers = {trace.events.track[i] for i in trace.instants(trace.events.name, s.RUN)}
        uuids = {trace.events.uuids[track] for track in workers}
        own = [
            row
            for row in own
            if threads.uuids[who := states.who[row]] not in uuids
            and (thread_process[who], threads.tids[who]) not in loop_threads
        ]
    signals = _signals(trace, states, threads, own) if own else set()
    if not signals:
        return states
    state, owner = bytearray(states.state), array("i", states.owner)
    of_locks = memoryview(bytes(states.state).translate(_OF_LOCKS))
    is_signal = memoryview(bytes(lock in signals for lock in range(len(states.lock_id))))
    rows = trace.engine.longer(states.start_ns, states.end_ns, of_locks, 0)
    for row in trace.engine.pick(rows, states.row, is_signal):
        if state[row] & STATE_MASK == HOLD:
            state[row] = 0
        else:
            state[row], owner[row] = state[row] & ~STATE_MASK | IDLE_WAIT, -1
    return states._replace(state=memoryview(bytes(state)), owner=memoryview(owner))


def _waits_for_own(
    trace: Trace, states: States, threads: Threads, thread_process: Column
) -> list[int]:
    """The rows of waits of threads for locks that they have themselves."""
    engine, everyone = trace.engine, trace.engine.upto(0, len(threads))
    waits = memoryview(bytes(states.state).translate(_WAITS))
    by_who = engine.group_keys(waits, states.who, everyone, 1)
    pairs = engine.pairs(by_who, states.owner)
    who = engine.take(states.who, pairs.head, -1).tolist()
    owners = engine.take(states.owner, pairs.head, -1)
    ids = engine.take(states.owner_id, owners, -1).tolist()
    same = map(eq, ids, map(threads.tids.__getitem__, who))
    own = {
        number
        for number in compress(range(len(who)), same)
        if (owner := owners[number]) >= 0
        and not states.owner_is_task[owner]
        and states.owner_process[owner] == thread_process[who[number]]
    }
    return [row for row, number in enumerate(pairs.number) if number in own] if own else []


def _signals(trace: Trace, states: States, threads: Threads, own: list[int]) -> set[int]:
    """The locks among these that are signals.

    One that its holder got after all was given to it by another thread, and one that a
    library's thread waits for, with nobody's code around it, makes nobody wait. Else each
    wait must be in the very call that acquired the lock: where a function has called another
    one that wants the lock too, and where the main thread waits to the end, it is a deadlock.
    """
    given: set[int] = set()
    refused: set[int] = set()
    for row in own:
        lock, i, who = states.row[row], states.slice[row], states.who[row]
        if lock in given:
            continue
        text, is_open = trace.text_of_slice(i, s.ARG_STACK), trace.slices.unfinished[i]
        stack, is_main = text.split("\n"), threads.tids[who] == threads.pids[who]
        is_librarys = bool(text) and all(map(is_library, stack)) and not is_main
        if is_librarys or not (is_open or states.state[row] & FAILED):
            given.add(lock)
        elif (is_open and is_main) or _is_inside(trace, states, row, stack):
            refused.add(lock)
    return given | {states.row[row] for row in own} - refused


def _is_inside(trace: Trace, states: States, wait: int, stack: list[str]) -> bool:
    """Whether the function that acquired the lock has called the one that waits for it; True
    where that is unknown."""
    took = place_of(trace.text(states.owner_site[states.owner[wait]]))._replace(line=0)
    if len(stack) < 2 or not took.path or s.FRAME_TRUNCATED in stack:
        return True
    return any(place_of(frame)._replace(line=0) == took for frame in stack[1:])
