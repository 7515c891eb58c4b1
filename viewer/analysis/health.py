"""How far the trace can be trusted: what was lost, what was off, what recording cost."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.children import Children, children
from viewer.analysis.endings import LOST, End, How, end_of, signal_name
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.rows import Later
from viewer.trace.model import Model
from viewer.trace.processes import Process
from viewer.trace.told import Told as Columns

# The signals that a recording can have.
_SIGNALS = ("tasks", "threads", "gc", "gil", "locks", "io", "sched", "cpu")
_FORKS = "forks"  # the note on forked children, which are told one by one

_LAUNCH_NS = 1_000_000_000  # from a fork to the program that it was for


class Health(NamedTuple):
    """Sums over all processes of the trace.

    `orphan_ends` are ends of slices whose begin is not in the trace. `late` records had their
    time moved to keep a track in order.
    """

    dropped_events: int
    lost_bytes: int
    disabled: tuple[tuple[str, str], ...]  # (hook, reason)
    overhead_ns: int
    late: int
    ends: Sequence[End]  # by process
    open: tuple[End, ...]  # those without an end of their own
    sampled: tuple[str, ...]
    signals: tuple[str, ...]
    off: tuple[str, ...]  # signals that were switched off
    notes: tuple[str, ...]
    children: tuple[Children, ...]  # processes that are not in the trace
    unread: tuple[str, ...]  # files of a folder that could not be read, and why
    unfinished_slices: int
    orphan_ends: int

    @property
    def ended(self) -> bool:
        return all(end.how is How.SNAPSHOT for end in self.open)


def health(model: Model) -> Health:
    return model.derive(Health, lambda: _health(model))


def _health(model: Model) -> Health:
    trace, family, started = model.trace, Family.of(model), children(model)
    ends = trace.processes.end
    told, ended = model.remarks.dropped_events(), Columns(trace, ends)
    summed = sum(ended.numbers(s.ARG_DROPPED, 0))
    begun = dict.fromkeys(Columns(trace, trace.processes.begin).texts(s.ARG_SIGNALS))
    signals = dict.fromkeys(
        signal.strip() for signals in begun for signal in signals.split(",")
    )
    return Health(
        # Both count the same drops; a killed program has no summary.
        dropped_events=max(told, summed),
        lost_bytes=model.trace.lost_bytes,
        disabled=tuple(
            (str(r.args.get(s.ARG_HOOK, "?")), str(r.args.get(s.ARG_REASON, "")))
            for r in model.remarks.named(s.HOOK_DISABLED)
        ),
        overhead_ns=sum(ended.numbers(s.ARG_OVERHEAD, 0)),
        late=sum(ended.numbers(s.ARG_LATE, 0)),
        ends=Later(lambda: [*map(partial(_end, family), trace.processes.recorded)]),
        open=tuple(_end(family, i) for i in trace.processes.recorded if ends[i] < 0),
        sampled=(),
        signals=tuple(signal for signal in signals if signal),
        off=tuple(signal for signal in _SIGNALS if signal not in signals),
        notes=tuple(
            str(r.args.get(s.ARG_REASON, r.args.get(s.ARG_NAME, "")))
            for r in model.remarks.named(s.NOTE)
            if not (started and r.args.get(s.ARG_HOOK) == _FORKS)
        ),
        children=started,
        unread=model.trace.unread,
        unfinished_slices=bytes(model.trace.slices.unfinished).count(1),
        orphan_ends=model.trace.slices.unmatched_ends,
    )


def _is_launch(process: Process, member: Member) -> bool:
    """Whether it was forked only to become another program, which cannot be recorded, as
    gevent's subprocess does: what did not fork is not missed either."""
    is_short = process.end_ns - process.start_ns <= _LAUNCH_NS
    return member.start is not None and is_short and not process.replaced_why


def _end(family: Family, number: int) -> End:
    """How a process ended; its parent may know which signal killed it."""
    process = family.model.trace.processes[number]
    found, member = end_of(process, process.live), family.members[number]
    if found.how is How.REPLACED and (
        family.became(member.process) >= 0 or _is_launch(process, member)
    ):
        return found._replace(text="")
    if found.how is not How.UNKNOWN or member.told is None or member.told.signal is None:
        return found
    name = signal_name(member.told.signal)
    who = f"{member.name} (pid {found.pid})"
    text = f"{who} was killed by {name}: {LOST}."
    return found._replace(text=text, killed=(who, name))
