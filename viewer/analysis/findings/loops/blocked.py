"""What keeps a loop besides its own steps: signal handlers, and a reactor's own calls."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import (
    COMPUTING,
    LOST_NS,
    NOT_ITS_FAULT,
    Facts,
    Finding,
    Split,
)
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.words import at, did, sampled, waited
from viewer.analysis.findings.servers.overdue import overdue
from viewer.analysis.handlers import Handler, handlers_in_polls
from viewer.analysis.ledger.resource import window
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import place_of
from viewer.words import code

# As for steps: 20 ms three times, or 100 ms once, while tasks that slept were due for 20 ms.
_LONG_NS, _OFTEN, _ONCE_NS = 20 * MS, 3, 100 * MS
_LATE_NS = 20 * MS


def interrupted_loop(facts: Facts) -> Iterator[Finding]:
    """A handler that `signal.signal` has set blocks, in the thread of a loop."""
    by_site = defaultdict[tuple[int, str], list[Handler]](list)
    for one in handlers_in_polls(facts.model):
        if one.ns >= _LONG_NS:
            by_site[one.loop, one.site].append(one)
    for (loop, site), times in by_site.items():
        worst = max(times, key=lambda one: one.ns)
        ns = worst.ns
        late = [overdue(facts, loop, one.start_ns, one.end_ns) for one in times]
        lost = sum(one.ns for one in late)
        if lost < _LATE_NS or (len(times) < _OFTEN and ns < _ONCE_NS):
            continue
        nouns = facts.model.nouns_on(loop)
        did = mostly(
            facts, [(("thread", one.thread), one.start_ns, one.end_ns) for one in times]
        )
        tasks = max(one.tasks for one in late)
        total = sum(one.ns for one in times)
        text = (
            f"{code(place_of(site).function, site)}, the handler of a signal, blocks the "
            f"{nouns.loop} for up to {duration(ns)} ({at(facts, worst.start_ns)}); "
            f"{plural(len(times), 'time')}, {duration(total)} in total"
            f"{f', {did.text}' if did.text else ''}; "
            f"{waited(nouns, tasks, lost, late[0].how)}."
        )
        evidence = facts.evidence(("thread", worst.thread), worst.start_ns, ns, site)
        step = (
            "Let it only set a flag, or use `loop.add_signal_handler` and run what is slow in "
            "a thread."
        )
        yield Finding("loop blocked", lost, text, evidence, step, behind=did.behind)


_TWISTED = "/twisted/internet/"
_POLLS = ("epoll.poll", "poll.poll", "select.select")
# A tenth of a second is noticed; in all it is half a second. The reactor does not say who was
# ready meanwhile. Short looks for events are not in the trace: then it was busy all the same.
_NOTICED_NS = 100 * MS
_LEAST = 5  # looks for events
_NEXT = "Run it in a thread (`deferToThread`), or do a part of it at a time."


def blocked_reactor(facts: Facts) -> Iterator[Finding]:
    """A thread that runs a reactor, of which the recorder knows the coroutines alone."""
    if not mentioned(facts.model, _TWISTED):
        return
    loops = zip(facts.ledger.thread_of_loop, facts.model.loops, strict=True)
    others = {thread for thread, loop in loops if loop.kind != s.TRACK_TWISTED_PREFIX}
    for thread, looks in _looks(facts).items():
        if len(looks) < _LEAST or thread in others:
            continue
        whole = Split()
        found = list[tuple[int, int, int]]()  # begin, end, without what others did
        for (_, since), (until, _) in pairwise(looks):
            if until - since < _NOTICED_NS:
                continue
            split = facts.split(thread, window(since, until))
            own = sum(split.states.values()) - split.of(NOT_ITS_FAULT)
            if own >= _NOTICED_NS:
                found.append((since, until, own))
                whole.add(split)
        lost = sum(own for _, _, own in found)
        if lost >= LOST_NS * facts.patience:
            yield _finding(facts, thread, found, whole, lost)


def _looks(facts: Facts) -> dict[int, list[tuple[int, int]]]:
    """By thread the (begin, end) of its looks for events, in order of time."""
    table, known = facts.model.states, dict[int, bool]()
    found = defaultdict[int, list[tuple[int, int]]](list)
    for row in facts.rows_of((IO,), 0):
        call = table.row[row]
        if call not in known:
            is_poll = facts.call(call)[0].endswith(_POLLS)
            stack = stack_of(facts.model, row) if is_poll else ""
            known[call] = _TWISTED in stack
        if known[call]:
            found[table.who[row]].append((table.start_ns[row], table.end_ns[row]))
    for looks in found.values():
        looks.sort()
    return found


def _finding(
    facts: Facts, thread: int, found: list[tuple[int, int, int]], whole: Split, lost: int
) -> Finding:
    model = facts.model
    since, until, longest = max(found, key=lambda one: one[2])
    (call, _), *_ = (*whole.calls.most_common(1), (-1, 0))
    where, site = "", facts.call(call)[1] if call >= 0 else ""
    if whole.of(COMPUTING) * 2 > lost:
        intervals = [(begin, end) for begin, end, _ in found]
        places, samples = hot(
            facts.hot_places, facts.stacks(model.threads[thread].tid, intervals)
        )
        where, site = sampled(places, samples), places[0].site if places else ""
    activity = did(facts, whole, where)
    text = (
        f"The reactor of {code(model.thread_names[thread])} is blocked for up to "
        f"{duration(longest)} ({at(facts, since)}); {plural(len(found), 'time')} it looked "
        f"for no event for {duration(_NOTICED_NS)} or more, {duration(lost)} in total"
    )
    text += f"; it spends {activity}." if activity else "."
    evidence = facts.evidence(("thread", thread), since, until - since, site)
    return Finding("loop blocked", lost, text, evidence, _NEXT)
