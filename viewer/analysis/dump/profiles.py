"""Profiles of threads and tasks: those of a moment, and where threads were created."""

from tracer import schema as s
from viewer.analysis.dump.entry import Entry, What
from viewer.analysis.dump.groups import state_of
from viewer.analysis.dump.moment import dump
from viewer.analysis.profiles.cpu import Labels, Runners
from viewer.analysis.profiles.profile import Place, Profile, Sample, Sums, place_of, places_of
from viewer.analysis.profiles.within import EVERYWHERE, During, Everywhere, Within
from viewer.trace.flows import Flows
from viewer.trace.model import Model

UNKNOWN_STACK = Place("[stack unknown]")
_BEFORE = Place("[before the recording]")


def goroutine_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """All threads and tasks of a moment, as far as they are there then."""
    at_ns = model.end_ns if where.at_ns is None else where.at_ns
    found = dump(model, at_ns)
    sums, runners = Sums(), Runners(model)
    for entry in found.entries:
        pid = model.pid(entry.process)
        is_there = (
            where.has(pid, entry.number, at_ns)
            if entry.what is What.THREAD
            else bool(where.task(entry.index, at_ns, at_ns))
        )
        if is_there:
            sums.add(frames_of(entry), _labels(model, runners, entry), 1)
    return _counted("goroutine", sums, found.remarks)


def frames_of(entry: Entry) -> tuple[Place, ...]:
    """Its frames; where they are unknown, what is known below them."""
    if entry.frames:
        return entry.frames
    return (UNKNOWN_STACK, place_of(entry.site)) if entry.site else (UNKNOWN_STACK,)


def _labels(model: Model, runners: Runners, entry: Entry) -> Labels:
    labels: Labels = {"kind": entry.what.value, "state": state_of(entry)}
    labels |= runners.processes.get(model.pid(entry.process), {})
    return labels | {"coroutine": entry.function} if entry.what is What.TASK else labels


def threadcreate_profile(model: Model, where: Everywhere = EVERYWHERE) -> Profile:
    """The threads of the recording, by the stack that started each."""
    sums, trace = Sums(), model.trace
    threads = {track.uuid: track for track in model.threads}
    flows, created = Flows(trace.events), set()
    for event in trace.instants(trace.events.name, s.THREAD_START):
        starter = threads.get(trace.events.uuids[trace.events.track[event]])
        begun = [flows.other_end(flow, is_end) for flow, is_end in flows.at(event)]
        created |= {trace.events.uuids[trace.events.track[at]] for at in begun if at >= 0}
        if starter is None or max(begun, default=-1) < 0:
            continue  # the system refused it, or it never ran
        if where.has(starter.pid, starter.tid, trace.events.time_ns[event]):
            stack = trace.args(event).get(s.ARG_STACK)
            frames = places_of(stack) if isinstance(stack, str) else ()
            sums.add(frames or (UNKNOWN_STACK,), {}, 1)
    if not isinstance(where, Within | During):
        for _ in threads.keys() - created:
            sums.add((_BEFORE,), {}, 1)
    return _counted("threadcreate", sums, ())


def _counted(name: str, sums: Sums, comments: tuple[str, ...]) -> Profile:
    samples = tuple(
        Sample(sample.frames, sample.values[:1], sample.labels) for sample in sums.samples()
    )
    return Profile(((name, "count"),), samples, (name, "count", 1), comments=comments)
