"""Callbacks that schedule themselves again and again instead of waiting to be woken."""

from collections.abc import Iterator, Sequence

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.words import at
from viewer.analysis.states import numbers
from viewer.trace.columns import LOOP_CALLBACK
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# As with tasks: passing the loop ten thousand times without a rest is polling, and so is
# asking every 2 ms for five hundred times. A callback that works takes longer.
_AGAIN = 10_000
_TINY_NS = 20_000
_POLLS = 500
_POLL_NS = 2 * _MS
_SMALL_NS = 100_000
# One chain of timers, not many: hardly any two are due at the same time.
_APART_NS = 400_000
_MOSTLY = 9, 10
_TIMER = "timer"
_MOST = 20  # callbacks that are looked at, the most frequent ones
_LOOKS = 200  # so many of them are looked at


def ticking_callbacks(facts: Facts) -> Iterator[Finding]:
    """Callbacks that `call_soon` or `call_later` runs again at once."""
    owned, engine = facts.model.owners, facts.model.trace.engine
    slices, every = facts.model.trace.slices, len(owned.call_name)
    if not every:
        return
    lanes = {lane: thread for thread, lane in facts.ledger.lane_of_thread.items()}
    keys = engine.group_keys(owned.kind, owned.owner, numbers(range(every)), LOOP_CALLBACK)
    stats = engine.grouped_stats(slices.start_ns, slices.end_ns, keys, every)
    text_of = facts.model.trace.text
    often = [
        callback
        for callback in range(every)
        if stats.count[callback] >= _POLLS
        and stats.p50[callback] <= _SMALL_NS
        and (site := text_of(owned.call_site[callback]))
        and not is_library(site)
    ]
    often.sort(key=lambda callback: -stats.count[callback])
    calls = facts.kinds((LOOP_CALLBACK,)) if often else memoryview(b"")
    runs = engine.longer(slices.start_ns, slices.end_ns, calls, 0) if often else calls
    for callback in often[:_MOST]:
        wanted = memoryview(bytes(int(i == callback) for i in range(every)))
        rows = engine.pick(runs, owned.owner, wanted)
        count, site = stats.count[callback], text_of(owned.call_site[callback])
        how = _how(facts, rows, stats.p50[callback])
        thread = lanes.get(facts.model.lane[rows[0]], -1)
        if not how or thread < 0:
            continue
        start, end = slices.start_ns[rows[0]], slices.end_ns[rows[-1]]
        name = text_of(owned.call_name[callback])
        text = (
            f"The callback {code(name, site)} polls: it schedules itself {how}, and the loop "
            f"ran it {count:,} times in {duration(end - start)} ({at(facts, start)}). An "
            f"event, a queue or `loop.call_soon_threadsafe` would wake it when there is "
            f"something to do."
        )
        evidence = facts.evidence(("thread", thread), start, end - start, site)
        yield Finding("busy loop", stats.total[callback], text, evidence)


def _how(facts: Facts, rows: Sequence[int], median_ns: int) -> str:
    """How a callback schedules itself, by its slices in order of time; "" if it does not."""
    starts, events = facts.model.trace.slices.start_ns, facts.model.trace.slices.event
    step = max(len(rows) // _LOOKS, 1)
    looked = [(rows[n - 1], rows[n]) for n in range(1, len(rows), step)]
    if len(rows) >= _AGAIN and median_ns <= _TINY_NS:
        itself = sum(_scheduled(facts, events[a], events[b]) for a, b in looked)
        if _mostly(itself, len(looked)):
            return "with `call_soon` each time"
    timers = sum(
        starts[b] - starts[a] >= _APART_NS and _by_timer(facts, events[b]) for a, b in looked
    )
    mean = (starts[rows[-1]] - starts[rows[0]]) // (len(rows) - 1)
    if mean <= _POLL_NS and _mostly(timers, len(looked)):
        return f"with `call_later`, every {duration(mean)}"
    return ""


def _scheduled(facts: Facts, by: int, event: int) -> bool:
    """Whether an arrow leads from one event to the other."""
    begun = {flow for flow, is_end in facts.ledger.flows.at(by) if not is_end}
    return any(is_end and flow in begun for flow, is_end in facts.ledger.flows.at(event))


def _by_timer(facts: Facts, event: int) -> bool:
    return facts.model.trace.args(event).get(s.ARG_WAKER) == _TIMER


def _mostly(part: int, whole: int) -> bool:
    return part * _MOSTLY[1] >= whole * _MOSTLY[0]
