"""The validator's rules for a program's own events, each broken once."""

from collections.abc import Callable

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.stories.user import MS, UserTrack, operation, operations, requests
from tests.support.validator.rules import validate
from tracer import schema as s


def test_summary() -> None:
    """Whose each region is, with the arguments of both its ends."""
    user = validate(requests().data(chunk_events=4)).user
    assert [(r.name, r.task, r.tid, r.depth) for r in user.regions] == [
        ("request", 1, 0, 0),
        ("request", 2, 0, 0),
        ("parse", 0, 1101, 0),
        ("parse", 0, 1101, 1),
        ("load", 0, 1101, 0),
        ("pack", 0, 1101, 1),
        ("pack", 0, 1101, 0),
    ]
    assert user.regions[1].args == {
        "number": 2,
        s.ARG_OPERATION: 2,
        s.ARG_EXCEPTION: "ConnectionResetError",
    }
    assert [(log.name, log.task) for log in user.logs] == [("halfway", 1)]
    assert [each.args for each in user.operations.values()] == [
        {s.ARG_OPERATION: 1, "customer": "ada"},
        {s.ARG_OPERATION: 2},
    ]
    assert user.counters == {"open orders": [1, 2.5, 2**64 - 1, 0]}


def on_a_thread() -> UserTrack:
    trace = TraceBuilder(signals="tasks,gc")
    return UserTrack(trace.thread("MainThread"))


def on_a_task() -> UserTrack:
    """Of a task that runs from 10 to 20 and ends at 50; its region lasts from 15 to 16."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    task = loop.task("main", site="app.py:1 main").ready(0).running(10).awaits(20, "sleep")
    task.ready(30).running(40).done(50)
    loop.step(task, 10, 20)
    loop.step(task, 40, 50)
    user = UserTrack(task)
    user.region(15, 16, "good")
    return user


def without_a_track() -> TraceBuilder:
    user = on_a_thread()
    user.trace.begin(user.trace.tracer, 5, "region", s.CAT_USER)
    user.trace.end(user.trace.tracer, 6)
    return user.trace


def below_the_process() -> TraceBuilder:
    trace = TraceBuilder()
    track = trace.track(s.TRACK_USER)
    trace.begin(track, 5, "region", s.CAT_USER)
    return trace


def something_else() -> TraceBuilder:
    user = on_a_thread()
    user.trace.begin(user.track, 5, "GC gen0", s.CAT_GC)
    return user.trace


def while_it_waits() -> TraceBuilder:
    user = on_a_task()
    user.region(25, 26, "late")
    return user.trace


def log_while_it_waits() -> TraceBuilder:
    user = on_a_task()
    user.log(25, "late")
    return user.trace


def longer_than_its_task() -> TraceBuilder:
    user = on_a_task()
    user.region(45, 55, "long")
    return user.trace


def open_after_its_task() -> TraceBuilder:
    user = on_a_task()
    user.begin(45, "open")
    return user.trace


def continues_nothing() -> TraceBuilder:
    user = on_a_thread()
    user.region(5, 9, "a")
    user.region(10, 11, "a", continues=True)
    return user.trace


def continues_another() -> TraceBuilder:
    user = on_a_thread()
    user.region(5, 9, "a")
    user.region(9, 11, "b", continues=True)
    return user.trace


def unknown_operation() -> TraceBuilder:
    user = on_a_thread()
    user.region(5, 9, "a", operation=7)
    return user.trace


def later_operation() -> TraceBuilder:
    user = on_a_thread()
    user.log(5, "early", operation=7)
    operation(user.trace, operations(user.trace), 6, 7, "order", 7)
    return user.trace


def operation_elsewhere() -> TraceBuilder:
    trace = TraceBuilder()
    trace.begin(trace.tracer, 5, "order", s.CAT_OPERATION, operation=1)
    return trace


def region_among_operations() -> TraceBuilder:
    trace = TraceBuilder()
    lane = operation(trace, operations(trace), 5, 9, "order", 1)
    trace.begin(lane, 10, "loop", s.CAT_LOOP)
    return trace


def operations_nested() -> TraceBuilder:
    trace = TraceBuilder()
    lane = operation(trace, operations(trace), 5, 9, "order", 1)
    trace.begin(lane, 6, "order", s.CAT_OPERATION, operation=2)
    trace.end(lane, 7)
    return trace


def numberless_operation() -> TraceBuilder:
    trace = TraceBuilder()
    lane = trace.track("order", parent=operations(trace))
    trace.begin(lane, 5, "order", s.CAT_OPERATION)
    return trace


def operation_twice() -> TraceBuilder:
    trace = TraceBuilder()
    group = operations(trace)
    for at in (5, 6):
        operation(trace, group, at, 9, "order", 1)
    return trace


def unknown_parent() -> TraceBuilder:
    trace = TraceBuilder()
    operation(trace, operations(trace), 5, 9, "order", 1, parent=3)
    return trace


def instant_counter() -> TraceBuilder:
    trace = TraceBuilder()
    track = trace.track("load", parent=trace.track(s.TRACK_USER_COUNTERS))
    trace.instant(track, 5, "load", s.CAT_TRACER)
    return trace


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (without_a_track, "not on a user track"),
        (below_the_process, "below neither a thread nor a task"),
        (something_else, "no region on a user track"),
        (while_it_waits, "its task does not run"),
        (log_while_it_waits, "its task does not run"),
        (longer_than_its_task, "longer than its task"),
        (open_after_its_task, "open, though its task has ended"),
        (continues_nothing, "nothing that it continues"),
        (continues_another, "nothing that it continues"),
        (unknown_operation, "operation 7 is unknown"),
        (later_operation, "operation 7 begins later"),
        (operation_elsewhere, "not below Operations"),
        (region_among_operations, "no operation"),
        (operations_nested, "an operation inside another slice"),
        (numberless_operation, "an operation without number"),
        (operation_twice, "operation 1 begins twice"),
        (unknown_parent, "operation 3 is unknown"),
        (instant_counter, "no counter"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_rule_is_named(broken: Callable[[], TraceBuilder], rule: str) -> None:
    """Each rule, broken once, is the one named."""
    with pytest.raises(AssertionError, match=rule):
        validate(broken().data())


def test_good_ones_pass() -> None:
    """What the broken ones are made of is valid."""
    assert [r.name for r in validate(on_a_task().trace.data()).user.regions] == ["good"]


def test_drops_excuse() -> None:
    """Where events were dropped, an operation's begin may be among them."""
    user = on_a_thread()
    user.region(5, 9, "a", operation=7)
    user.trace.instant(
        user.trace.tracer, 10, s.EVENTS_DROPPED, s.CAT_TRACER,
        count=1, since_ns=user.trace.start_ns + MS,
    )  # fmt: skip
    assert len(validate(user.trace.data()).user.regions) == 1
