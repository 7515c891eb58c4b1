"""Event loops that a signal handler interrupts in their poll, and keeps."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.words import at, waited
from viewer.analysis.findings.servers.overdue import overdue
from viewer.analysis.handlers import Handler, handlers_in_polls
from viewer.trace.sites import place_of
from viewer.words import code

_MS = 1_000_000
# As for steps: 20 ms three times, or 100 ms once, while tasks that slept were due for 20 ms.
_LONG_NS, _OFTEN, _ONCE_NS = 20 * _MS, 3, 100 * _MS
_LATE_NS = 20 * _MS


def interrupted_loop(facts: Facts) -> Iterator[Finding]:
    """A handler that `signal.signal` has set blocks, in the thread of a loop."""
    by_site = defaultdict[tuple[int, str], list[Handler]](list)
    for one in handlers_in_polls(facts.model):
        if one.end_ns - one.start_ns >= _LONG_NS:
            by_site[one.loop, one.site].append(one)
    for (loop, site), times in by_site.items():
        worst = max(times, key=lambda one: one.end_ns - one.start_ns)
        ns = worst.end_ns - worst.start_ns
        late = [overdue(facts, loop, one.start_ns, one.end_ns) for one in times]
        lost = sum(one.ns for one in late)
        if lost < _LATE_NS or (len(times) < _OFTEN and ns < _ONCE_NS):
            continue
        nouns = facts.model.nouns_on(loop)
        did = mostly(
            facts, [(("thread", one.thread), one.start_ns, one.end_ns) for one in times]
        )
        tasks = max(one.tasks for one in late)
        total = sum(one.end_ns - one.start_ns for one in times)
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
