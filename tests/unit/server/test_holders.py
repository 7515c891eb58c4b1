"""Who had the lock that a wait was for: first and last, and where it was released."""

import json

from tests.support.builder.trace import TraceBuilder
from tests.support.stories.waits import MS, async_lock, lock_convoy
from tracer import schema as s
from viewer.server.answers import Answers
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

ENDS = 101 * MS - (MS + MS // 2)
RELEASE = "/app/convoy.py:33 flush\n/app/convoy.py:50 main"


def waits_of(tmp_path, builder):
    """(waiter, start, told) of all waits for locks, in order of begin."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(builder.data())
    answers = Answers(build_model(read_trace(path)))
    told = [
        json.loads(answers.routes["api/slice"]({"group": "waits", "row": str(row)}).body)
        for row in answers.groups["waits"].lanes.row
    ]
    return sorted(told, key=lambda one: (one["start_ns"], one["whose"]))


def roles(wait):
    return [(one["who"], one["roles"]) for one in wait["holders"]]


def test_first_and_last_holder(tmp_path):
    """One had it all the time; given up; two after each other: each is shown as it was."""
    first, given_up, second = waits_of(tmp_path, lock_convoy())
    assert roles(first) == [("flush", ["began", "granted"])]
    assert roles(given_up) == [("flush", ["began", "gave_up"])]
    assert roles(second) == [("flush", ["began"]), ("worker-1", ["granted"])]
    hold = second["holders"][0]
    assert (hold["start_ns"], hold["ns"]) == (MS + MS // 2, 101 * MS - (MS + MS // 2))
    assert hold["site"] == "/app/convoy.py:30 flush"
    assert (hold["released"], hold["stack"]) == (True, [])


def test_stack_of_the_release(tmp_path):
    """What the END of the hold has, and not what the wait has."""
    builder = lock_convoy()
    hold = next(e for e in builder.events if e.args.get(s.ARG_SINCE_BEFORE))
    end = next(
        e for e in builder.events if e.track == hold.track and e.time_ns == hold.time_ns + ENDS
    )
    end.args[s.ARG_STACK] = RELEASE
    first = waits_of(tmp_path, builder)[0]
    assert first["holders"][0]["stack"] == RELEASE.splitlines()
    assert first["stack"] == []


def test_task_waits(tmp_path):
    """Tasks hold asyncio's locks; one wait is granted, the other is cancelled."""
    waits = [one for one in waits_of(tmp_path, async_lock()) if one["title"] != "Queue.get"]
    told = [roles(wait) for wait in waits if wait["holders"]]
    assert told == [
        [("Task-1", ["began", "granted"])],
        [("Task-1", ["began", "gave_up"])],
    ]


def test_unfinished(tmp_path):
    """A deadlock's locks are never given back."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    owner, waiter = trace.thread("owner"), trace.thread("waiter")
    lock = trace.lock("Lock", "/app/a.py:2 f")
    owner.native(0)
    trace.begin(
        lock.track, MS, "owner", s.CAT_HOLD,
        lock=lock.id, kind="Lock", owner=owner.tid, site="/app/a.py:1 g",
    )  # fmt: skip
    waiter.running(0).lock_wait(2 * MS, "Lock", lock=lock, owner=owner)
    trace.instant(trace.tracer, 9 * MS, s.RECORDING_ENDED, s.CAT_TRACER)
    (wait,) = waits_of(tmp_path, trace)
    assert roles(wait) == [("owner", ["began", "still"])]
    assert (wait["holders"][0]["released"], wait["holders"][0]["stack"]) == (False, [])


def test_unknown_owner(tmp_path):
    """Nobody is named for the begin when the lock was free then and the wait names nobody."""
    trace = TraceBuilder(signals="tasks,threads,gc,gil,locks,io")
    one, two = trace.thread("one"), trace.thread("two")
    lock = trace.lock("Lock", "/app/a.py:2 f")
    one.native(0)
    lock.hold(0, MS, one)
    lock.hold(4 * MS, 5 * MS, one)
    two.running(0).lock_wait(2 * MS, "Lock", lock=lock).running(5 * MS).end(6 * MS)
    one.end(6 * MS)
    (wait,) = waits_of(tmp_path, trace.ended(7 * MS))
    assert roles(wait) == [("one", ["granted"])]
