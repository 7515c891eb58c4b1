"""A trace in Chrome's JSON format, for tools without a newer one."""

import json
from collections import Counter
from collections.abc import Iterator

from tracer import schema as s
from viewer.analysis.processes.family import Family
from viewer.trace.model import Model
from viewer.trace.reader import double
from viewer.trace.tracks import Track

type Row = dict[str, object]

_US = 1_000
_MOST_PIDS = 1 << 22  # of Linux


def write_chrome(model: Model) -> bytes:
    """JSON, one event per line, times in µs. Tracks that are not threads get thread ids above
    all real ones."""
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in _rows(model))
    return f'{{"displayTimeUnit":"ns","traceEvents":[\n{rows}\n]}}\n'.encode()


def _rows(model: Model) -> Iterator[Row]:
    trace, events, slices = model.trace, model.trace.events, model.trace.slices
    pids = _pids(model)
    place = list(_places(model, pids))
    for number, (pid, tid) in enumerate(place):
        track = trace.tracks.get(events.uuids[number], Track(0))
        name = track.thread_name or track.name or "process"
        yield {
            "ph": "M",
            "name": "thread_name",
            "pid": pid,
            "tid": tid,
            "args": {"name": name},
        }
    family = Family.of(model)
    for number, process in enumerate(trace.processes):
        said = str(process.recording.get(s.ARG_ARGV, ""))
        name = family.name(number)
        said = f"{name}: {said}" if name and said else name or said
        yield {"ph": "M", "name": "process_name", "pid": pids[number], "args": {"name": said}}
    for i, event in enumerate(slices.event):
        row = _row(model, place, event, "X", slices.start_ns[i])
        yield row | {"dur": (slices.end_ns[i] - slices.start_ns[i]) / _US}
    for event in slices.instants:
        yield _row(model, place, event, "i", events.time_ns[event]) | {"s": "t"}
    for event, value, is_double in zip(
        events.counter_event, events.counter_value, events.counter_is_double, strict=True
    ):
        pid, tid = place[events.track[event]]
        track = trace.tracks.get(events.uuids[events.track[event]], Track(0))
        at = events.time_ns[event] / _US
        args = {"value": double(value) if is_double else value}
        yield {"ph": "C", "name": track.name, "pid": pid, "tid": tid, "ts": at, "args": args}
    for event, id_, is_end in zip(
        events.flow_event, events.flow_id, events.flow_end, strict=True
    ):
        row = _row(model, place, event, "f" if is_end else "s", events.time_ns[event])
        yield row | {"id": f"{id_:#x}", "args": {}} | ({"bp": "e"} if is_end else {})


def _row(model: Model, place: list[tuple[int, int]], event: int, ph: str, ns: int) -> Row:
    trace, events = model.trace, model.trace.events
    pid, tid = place[events.track[event]]
    return {
        "ph": ph,
        "name": trace.text(events.name[event]),
        "cat": trace.text(events.category[event]),
        "pid": pid,
        "tid": tid,
        "ts": ns / _US,
        "args": trace.args(event),
    }


def _pids(model: Model) -> list[int]:
    """By process its pid; where a pid came again, a number above all real ones."""
    seen, found = Counter[int](), []
    for pid in model.trace.processes.pid:
        found.append(pid + seen[pid] * _MOST_PIDS)
        seen[pid] += 1
    return found


def _places(model: Model, pids: list[int]) -> Iterator[tuple[int, int]]:
    """By track (pid, tid); lanes that are not threads are numbered above them."""
    trace = model.trace
    next_tid = max((track.tid for track in model.threads), default=0) + 1
    for number, uuid in enumerate(trace.events.uuids):
        process = trace.track_process[number]
        pid = pids[process] if process >= 0 else 0
        track = trace.tracks.get(uuid, Track(uuid))
        yield pid, track.tid or next_tid
        next_tid += not track.tid
