"""Large synthetic traces, written fast: a server whose handlers share one loop."""

import random
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tests.support.builder.encoding import chunk_head
from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import fixed64, message, number, text
from tracer import schema as s

_LANES = 200
_STEPS_PER_TASK = 20
_CHUNK_STEPS = 2_000
_NAMES = [s.READY, s.RUNNING, "await sleep", "await Lock", "await Queue.get", "handler"]
_NAMES += ["fetch", s.SELECT]
_CATEGORIES = [s.CAT_TASK, s.CAT_LIFETIME, s.CAT_LOOP]
_ARGS = [s.ARG_TASK, s.ARG_NAME, s.ARG_CORO, s.ARG_SITE, s.ARG_WAKER_TASK]
_STRINGS = ["handler", "fetch", "server.py:20 handler", "server.py:31 fetch"]
_IIDS = {
    table: {name: iid for iid, name in enumerate(names, 1)}
    for table, names in (
        (s.INTERNED_EVENT_NAMES, _NAMES),
        (s.INTERNED_CATEGORIES, _CATEGORIES),
        (s.INTERNED_ANNOTATION_NAMES, _ARGS),
        (s.INTERNED_ANNOTATION_STRINGS, _STRINGS),
    )
}


def write_large(path: Path, events: int) -> int:
    """Writes a trace of about `events` events, always the same, and returns how many exactly.

    200 tasks at a time on merged lanes, each 20 steps long; every step is a slice of the loop
    and three state changes of the task; one ready in three names its waker, with a flow.
    """
    trace = TraceBuilder(argv="server.py --port 8000")
    loop = trace.loop(trace.thread("MainThread"))
    lanes = [loop.lane(_STRINGS[i % 2]) for i in range(_LANES)]
    sequence = number(s.PACKET_SEQUENCE_ID, trace.sequence_id + 1)
    chunk = _chunk_start(trace)
    stamp = [number(s.PACKET_TIMESTAMP, delta) for delta in range(1 << 12)]
    choose = random.Random(1)

    def packet(delta: int, body: bytes) -> bytes:
        inner = b"%b%b\x5a%c%b" % (stamp[delta], sequence, len(body), body)
        return b"\x0a%c%b" % (len(inner), inner)

    track = [number(s.EVENT_TRACK_UUID, lane) for lane in lanes]
    end = number(s.EVENT_TYPE, s.TYPE_SLICE_END)
    ends = [end + uuid for uuid in track]
    ready = [_begin(s.READY, s.CAT_TASK) + uuid for uuid in track]
    running = [_begin(s.RUNNING, s.CAT_TASK) + uuid for uuid in track]
    awaits = [[_begin(name, s.CAT_TASK) + uuid for uuid in track] for name in _NAMES[2:5]]
    step = [
        _begin(coro, s.CAT_LOOP) + number(s.EVENT_TRACK_UUID, loop.running)
        for coro in _STRINGS[:2]
    ]
    step_end = end + number(s.EVENT_TRACK_UUID, loop.running)
    task_of, steps_of, next_task = [0] * _LANES, [0] * _LANES, 1
    wakes: deque[tuple[int, int]] = deque()
    # What waits for the loop; everyone else is asleep and woken in this order.
    asleep = list(range(_LANES))
    now = trace.start_ns
    made = 1
    with path.open("wb") as file:
        file.write(trace.data())
        total_steps = 0
        while made < events:
            out = []
            head, asleep = asleep[: choose.randrange(20, 60)], asleep
            asleep = asleep[len(head) :]
            for lane in head:
                if total_steps % _CHUNK_STEPS == 0:
                    out.append(chunk(now))
                total_steps += 1
                body = ready[lane]
                if steps_of[lane] == 0:
                    task_of[lane], next_task = next_task, next_task + 1
                    out.append(packet(400, _lifetime(task_of[lane], lane % 2) + track[lane]))
                else:
                    out.append(packet(400, ends[lane]))
                    if wakes:
                        waker, flow = wakes.popleft()
                        body += _arg(s.ARG_WAKER_TASK, waker)
                        body += fixed64(s.EVENT_TERMINATING_FLOW_IDS, flow)
                out.append(packet(0, body))
                now += 400
                made += 2
            for lane in head:
                run = running[lane]
                if lane % 3 == 0:
                    wakes.append((task_of[lane], next(trace.flow_ids)))
                    run += fixed64(s.EVENT_FLOW_IDS, wakes[-1][1])
                args = _arg(s.ARG_TASK, task_of[lane])
                gap, took = choose.randrange(2000), choose.randrange(4000)
                out.append(packet(gap, step[lane % 2] + args))
                out.append(packet(0, ends[lane]))
                out.append(packet(0, run))
                out.append(packet(took, ends[lane]))
                made += 4
                steps_of[lane] += 1
                if steps_of[lane] == _STEPS_PER_TASK:
                    steps_of[lane] = 0
                    out.append(packet(0, ends[lane]))
                else:
                    out.append(packet(0, awaits[lane % 3][lane]))
                made += 1
                out.append(packet(0, step_end))
                made += 1
                now += gap + took
            asleep += head
            file.write(b"".join(out))
        for lane, (waker, flow) in zip(
            [i for i in asleep if steps_of[i]], wakes, strict=False
        ):
            body = ready[lane] + _arg(s.ARG_WAKER_TASK, waker)
            body += fixed64(s.EVENT_TERMINATING_FLOW_IDS, flow)
            file.write(packet(0, ends[lane]) + packet(0, body))
            made += 2
        last = number(s.EVENT_TYPE, s.TYPE_INSTANT) + text(s.EVENT_NAME, s.RECORDING_ENDED)
        last += text(s.EVENT_CATEGORIES, s.CAT_TRACER)
        file.write(packet(0, last + number(s.EVENT_TRACK_UUID, trace.tracer)))
        made += 1
    return made


def _chunk_start(trace: TraceBuilder) -> Callable[[int], bytes]:
    """Makes the packets that begin a chunk at a time."""
    sequence = number(s.PACKET_SEQUENCE_ID, trace.sequence_id + 1)
    interned = b"".join(
        message(table, number(s.INTERNED_IID, iid) + text(s.INTERNED_NAME, name))
        for table, names in _IIDS.items()
        for name, iid in names.items()
    )
    names = message(s.PACKET_INTERNED_DATA, interned)
    owner = number(s.PACKET_SEQUENCE_ID, trace.sequence_id)
    described = b"".join(
        message(s.TRACE_PACKET, owner + message(s.PACKET_TRACK_DESCRIPTOR, body))
        for body in trace.descriptors.values()
    )

    def start(now: int) -> bytes:
        head = chunk_head(now, trace.tracer) + sequence + names
        return message(s.TRACE_PACKET, head) + described

    return start


def _begin(name: str, category: str) -> bytes:
    return (
        number(s.EVENT_TYPE, s.TYPE_SLICE_BEGIN)
        + number(s.EVENT_NAME_IID, _IIDS[s.INTERNED_EVENT_NAMES][name])
        + number(s.EVENT_CATEGORY_IIDS, _IIDS[s.INTERNED_CATEGORIES][category])
    )


def _arg(name: str, value: int | str) -> bytes:
    body = number(s.ANNOTATION_NAME_IID, _IIDS[s.INTERNED_ANNOTATION_NAMES][name])
    if isinstance(value, int):
        return message(s.EVENT_ANNOTATIONS, body + number(s.ANNOTATION_UINT, value))
    iid = _IIDS[s.INTERNED_ANNOTATION_STRINGS][value]
    return message(s.EVENT_ANNOTATIONS, body + number(s.ANNOTATION_STRING_IID, iid))


def _lifetime(task: int, which: int) -> bytes:
    coro, site = _STRINGS[which], _STRINGS[2 + which]
    body = number(s.EVENT_TYPE, s.TYPE_SLICE_BEGIN) + text(s.EVENT_NAME, f"Task-{task}")
    iid = _IIDS[s.INTERNED_CATEGORIES][s.CAT_LIFETIME]
    name = number(s.ANNOTATION_NAME_IID, _IIDS[s.INTERNED_ANNOTATION_NAMES][s.ARG_NAME])
    name += text(s.ANNOTATION_STRING, f"Task-{task}")
    return (
        body
        + number(s.EVENT_CATEGORY_IIDS, iid)
        + _arg(s.ARG_TASK, task)
        + message(s.EVENT_ANNOTATIONS, name)
        + _arg(s.ARG_CORO, coro)
        + _arg(s.ARG_SITE, site)
    )
