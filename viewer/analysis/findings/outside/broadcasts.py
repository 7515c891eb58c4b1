"""Tasks that write to one connection after the other, of which one has no room for long."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.room import DRAIN, SEND, is_for_room
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.waits import longest_slices
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT
from viewer.trace.reader import number_of
from viewer.trace.sites import is_library, place_of
from viewer.words import code

_MS = 1_000_000
# At one line a task waits for room in several connections, half a second for one of them, and
# three times as long as for each other one: at once for half of that, or between waits for
# others. Whoever writes to one connection alone has nothing else to do, several that are
# equally slow are a slow network, and who sends a long file to one and then to the next one
# waits for each as long as that takes.
_LOST_NS = 500 * _MS
_TIMES = 3
_LEAST_NS = _MS
_MOST = 5_000  # awaits that are looked at, the longest ones
_STEP = (
    "Whoever comes after it gets nothing meanwhile. Write to each in a task of its own (with "
    "a queue for each), give that a time-out, and drop a client that does not read."
)


def slow_reader_of_several(facts: Facts) -> Iterator[Finding]:
    """Of all to whom a task writes in turn, one does not read."""
    model, slices = facts.model, facts.model.trace.slices
    if not mentioned(model, DRAIN, SEND.removeprefix(s.AWAIT_PREFIX)):
        return
    by_line = defaultdict[tuple[int, str], list[int]](list)
    for i in longest_slices(facts, (AWAIT,), _LEAST_NS, _MOST):
        if model.owners.owner[i] >= 0 and is_for_room(facts, i):
            by_line[model.owners.owner[i], facts.awaited(i)[1]].append(i)
    for (task, site), awaits in by_line.items():
        ns, by_connection = Counter[int](), defaultdict[int, list[int]](list)
        for i in awaits:
            connection = number_of(model.trace.args(slices.event[i]), s.ARG_LOCK, -1)
            ns[connection] += _ns(facts, i)
            by_connection[connection].append(i)
        if len(ns) < 2 or -1 in ns:
            continue
        (slowest, lost), (_, second), *_ = ns.most_common()
        own = by_connection.pop(slowest)
        others = [i for each in by_connection.values() for i in each]
        is_in_turn = any(min(own) < i < max(own) for i in others)
        is_at_once = max(_ns(facts, i) for i in own) * 2 >= lost
        if lost >= max(_LOST_NS, second * _TIMES) and (is_in_turn or is_at_once):
            yield _finding(facts, task, site, own, len(ns), ns.total() - lost)


def _ns(facts: Facts, i: int) -> int:
    slices = facts.model.trace.slices
    return slices.end_ns[i] - slices.start_ns[i]


def _finding(
    facts: Facts, task: int, site: str, awaits: list[int], connections: int, others_ns: int
) -> Finding:
    worst, lost = max(awaits, key=lambda i: _ns(facts, i)), sum(_ns(facts, i) for i in awaits)
    start, ns = facts.model.trace.slices.start_ns[worst], _ns(facts, worst)
    text = (
        f"Slow client: {code(name_of(facts.model, ('task', task)))}{place_in(site)} waited "
        f"{duration(lost)} in `{_called(facts, worst)}`, the longest {duration(ns)} "
        f"({at(facts, start)}), until one of {connections} connections to which it writes in "
        f"turn had room; the others took {duration(others_ns)} in all."
    )
    evidence = facts.evidence(("task", task), start, ns, site)
    return Finding("slow client", lost, text, evidence, _STEP)


def _called(facts: Facts, i: int) -> str:
    """`drain`: what the program called."""
    called = "drain"
    for frame in facts.model.trace.text_of_slice(i, s.ARG_STACK).split("\n"):
        if not is_library(frame):
            break
        called = place_of(frame).function.rpartition(".")[2]
    return called
