"""The validator passes good traces and names each rule that is broken."""

import pytest

from tests.support.builder.encoding import Event
from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import message, number, varint
from tests.support.stories.waits import blocked_loop, every_trace, killed, lanes
from tests.support.validator.rules import validate
from tracer import schema as s


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_good_traces_pass(name, data):
    """Every shared trace is valid, however it is written."""
    assert validate(data).events > 0


def test_summary():
    """The summary has each task's states, in order, and its end."""
    summary = validate(blocked_loop().data())
    handler = summary.tasks[100, 3]
    assert (handler.name, handler.coro, handler.end) == ("Task-3", "handler", "done")
    assert handler.states == ["ready", "running", "await sleep", "ready", "running"]
    assert (summary.flows, summary.unfinished, summary.processes) == (3, 0, (100,))


def test_large_trace_passes(tmp_path):
    """What the generator of large traces writes is valid."""
    from tests.support.stories.large import write_large

    made = write_large(tmp_path / "x", 10_000)
    summary = validate((tmp_path / "x").read_bytes())
    assert summary.events == made
    assert summary.chunks > 1


def test_cut_by_a_kill():
    """Half a packet at the end of a trace without end is legal."""
    whole = validate(killed().data())
    assert validate(killed().data()[:-1]).events == whole.events - 1


def test_cut_between_two_packets_of_an_instant():
    """Killed between a task's `running` and the step of its loop, a trace is still valid."""
    trace, loop, task = story()
    other = loop.task("g", site="g.py:1 g").ready(0).running(1)
    loop.step(other, 1, 50)
    other.awaits(50, "sleep")
    task.ready(10).running(60)
    assert validate(trace.data()).unfinished == 2
    trace.begin(loop.running, 70, "f", s.CAT_LOOP, task=task.id)
    with pytest.raises(AssertionError, match="running of a task and step of its loop differ"):
        validate(trace.data())


def story():
    """A trace with one task, not yet started."""
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    return trace, loop, loop.task("f", site="f.py:1 f")


def end_without_begin():
    trace, loop, _ = story()
    trace.end(loop.running, 10)
    return trace.ended(20).data()


def gap():
    trace, loop, task = story()
    task.ready(0)
    trace.end(task.track, 10)
    task.state = None
    trace.begin(task.track, 15, s.RUNNING, s.CAT_TASK)
    loop.step(task, 15, 20)
    trace.end(task.track, 20)
    return trace.ended(30).data()


def await_to_running():
    trace, loop, task = story()
    task.ready(0).running(10).awaits(20, "sleep").running(30).done(40)
    loop.step(task, 10, 20)
    loop.step(task, 30, 40)
    return trace.ended(50).data()


def done_while_ready():
    trace, _, task = story()
    task.ready(0).done(10)
    return trace.ended(20).data()


def done_twice():
    trace, loop, task = story()
    task.ready(0).running(1).done(10)
    loop.step(task, 1, 10)
    trace.instant(task.track, 10, s.DONE, s.CAT_TASK)
    return trace.ended(20).data()


def state_inside_state():
    trace, _, task = story()
    task.ready(0)
    trace.begin(task.track, 5, s.RUNNING, s.CAT_TASK)
    return trace.ended(20).data()


def no_head_args():
    trace, _, task = story()
    trace.begin(task.track, 5, s.READY, s.CAT_TASK, task=1, name="Task-1", site="f.py:1 f")
    return trace.ended(20).data()


def id_twice():
    trace, loop, task = story()
    other = loop.task("g", site="g.py:1 g")
    other.id = task.id
    task.ready(0)
    other.ready(1)
    return trace.ended(20).data()


def step_elsewhere():
    trace, loop, task = story()
    task.ready(0).running(10).done(20)
    loop.step(task, 10, 19)
    return trace.ended(30).data()


def step_of_nobody():
    trace, loop, task = story()
    task.id = 77
    loop.step(task, 10, 19)
    return trace.ended(30).data()


def flow_without_target():
    trace, _, task = story()
    task.ready(0)
    trace.events[-1].flows.append(9)
    return trace.ended(20).data()


def flow_twice():
    trace, _, task = story()
    task.ready(0)
    trace.events[-1].flows += [9, 9]
    return trace.ended(20).data()


def flow_backwards():
    trace, loop, task = story()
    task.ready(0)
    trace.events[-1].ends_flows.append(9)
    loop.task("g", site="g.py:1 g").ready(5)
    trace.events[-1].flows.append(9)
    return trace.ended(20).data()


def no_recording():
    trace = TraceBuilder(recording=False)
    trace.instant(trace.tracer, 0, s.NOTE, s.CAT_TRACER)
    return trace.data()


def not_last():
    trace, _, task = story()
    trace.ended(10)
    task.ready(20)
    return trace.data()


def undescribed():
    trace, _, task = story()
    task.ready(0)
    uuid = number(s.TRACK_UUID, task.track)
    return trace.ended(10).data().replace(uuid, number(s.TRACK_UUID, task.track + 500))


def no_chunk_head():
    return b"".join(blocked_loop().chunks()[0][1:])


def lost_chunk_head():
    trace = blocked_loop()
    chunks = [b"".join(chunk) for chunk in trace.chunks(chunk_events=20)]
    chunks[1] = b"".join(trace.chunks(chunk_events=20)[1][1:])
    # Only the iids of the first chunk are left, and one of them now means something else.
    extra = message(2, number(1, 1) + message(2, b"other"))
    sequence = number(s.PACKET_SEQUENCE_ID, trace.sequence_id + 1)
    bad = message(1, sequence + message(s.PACKET_INTERNED_DATA, extra + extra[:-1] + b"?"))
    return chunks[0] + bad + chunks[1]


def unknown_iid():
    trace = blocked_loop()
    sequence = number(s.PACKET_SEQUENCE_ID, trace.sequence_id + 1)
    event = number(s.EVENT_TYPE, s.TYPE_INSTANT) + number(s.EVENT_NAME_IID, 999)
    return trace.data() + message(1, sequence + message(s.PACKET_TRACK_EVENT, event))


def torn():
    return blocked_loop().data() + b"\x0a\x20half"


def float_counter():
    trace, loop, _ = story()
    trace.add(Event(5, s.TYPE_COUNTER, loop.queue))
    return trace.ended(20).data()


def unknown_category():
    trace, loop, _ = story()
    trace.instant(loop.running, 5, "x", "mystery")
    return trace.ended(20).data()


def lifetime_inside():
    trace = TraceBuilder()
    loop = trace.loop(trace.thread("MainThread"))
    lane = loop.lane("f")
    for at in (0, 10):
        loop.task_on_lane(lane, "f", site="f.py:1 f").ready(at)
    return trace.ended(20).data()


def unclean_bytes():
    return lanes().data() + varint(5 << 3 | 2) + b"\x00"


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (end_without_begin, "an end without a begin"),
        (gap, "a gap between 'ready'"),
        (await_to_running, "'running' after 'await '"),
        (done_while_ready, "'done' after 'ready'"),
        (done_twice, "no task ends its last state when this comes"),
        (state_inside_state, "a state inside a state"),
        (no_head_args, "first slice, no coro"),
        (id_twice, "task id 1 used twice"),
        (step_elsewhere, "running of a task and step of its loop differ"),
        (step_of_nobody, "a step of unknown task 77"),
        (flow_without_target, "flow 9 has only one end"),
        (flow_twice, "flow 9 twice"),
        (flow_backwards, "flow 9: "),
        (no_recording, "not 'recording'"),
        (not_last, "'recording ended' is not the last event"),
        (undescribed, "not described"),
        (no_chunk_head, "the first packet is not a chunk head"),
        (lost_chunk_head, "in one chunk"),
        (unknown_iid, "name iid 999 not interned in its chunk"),
        (torn, "6 bytes of half a packet after"),
        (float_counter, "a counter without int value"),
        (unknown_category, "unknown category 'mystery'"),
        (lifetime_inside, "a lifetime inside another slice"),
        (unclean_bytes, "not a packet"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_rule_is_named(broken, rule):
    """Each rule, broken once, is the one named."""
    data = broken()
    with pytest.raises(AssertionError, match=rule):
        validate(data)


@pytest.mark.parametrize(
    ("name", "args", "why"),
    [
        (s.FORK, {}, "a fork without pid"),
        (s.FORK, {s.ARG_CHILD: 7, s.ARG_COMMAND: "git"}, "a fork with a command"),
        (s.SPAWN, {s.ARG_CHILD: 0}, "no pid"),
        (s.SPAWN, {s.ARG_CHILD: 100}, "its own child"),
    ],
)
def test_children(name, args, why):
    """A child process has what its kind has, and another pid than its parent."""
    trace = TraceBuilder()
    thread = trace.thread("MainThread")
    thread.fork(1, 200, "a.py:1 f").spawn(2, 0, "sh -c true", "a.py:2 f")
    assert validate(trace.data()).names[s.SPAWN] == 1
    trace.instant(thread.track, 5, name, s.CAT_THREAD, **args)
    with pytest.raises(AssertionError, match=why):
        validate(trace.data())
