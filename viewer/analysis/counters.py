"""How much the counters of threads grew: their CPU time, their time without a CPU."""

from tracer import schema as s
from viewer.trace.model import Model


def counted(model: Model) -> dict[tuple[int, str], int]:
    """By (uuid of the thread's track, counter): how much it grew during the recording."""
    events, tracks = model.trace.events, model.trace.tracks
    wanted = {}
    for number in tracks.named(s.COUNTER_CPU, s.COUNTER_RUN_DELAY):
        track = tracks[events.uuids[number]]
        wanted[number] = (track.parent_uuid, track.name)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    if wanted:
        for event, value in zip(events.counter_event, events.counter_value, strict=True):
            number = events.track[event]
            if number in wanted:
                first.setdefault(number, value)
                last[number] = value
    return {wanted[number]: last[number] - first[number] for number in last}
