"""redis runs one command at a time: a long one holds up all others that use the server."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.databases import evidence
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import Call
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at, middle
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IO

# A command that took a tenth of a second, as it mostly does at that line, and answers of
# others that came only when it was over, though they mostly take a fifth of that at most: half
# a second in all. Those that wait for something to come (BLPOP) hold up nobody.
_LONG_NS = 100 * MS
_TIMES = 5
_SOON_NS = 20 * MS
_OTHERS = 2
_FILES = "-packages/redis/"
_READS = "socket.recv"
_NO_COMMANDS = ("PubSub.", ".on_connect")  # for messages, and what a new connection says first
_COMMAND = f"{s.AWAIT_PREFIX}command (redis)"
_STEP = (
    "Let it do less at a time (`SCAN` instead of `KEYS`, `UNLINK`, shorter scripts), or ask a "
    "replica."
)


def held_up(facts: Facts) -> Iterator[Finding]:
    """Others wait for their answers until the long command of one of them is over."""
    if not mentioned(facts.model, _FILES):
        return
    calls = sorted(_commands(facts), key=lambda call: call.start_ns)
    by_site = defaultdict[str, list[Call]](list)
    for call in calls:
        by_site[call.site].append(call)
    usual = {site: middle(call.ns for call in own) for site, own in by_site.items()}
    ends = sorted(calls, key=lambda call: call.end_ns)
    for site, own in by_site.items():
        if usual[site] < _LONG_NS:
            continue
        behind = [
            (long, call)
            for long in own
            for call in _behind(long, ends)
            if usual[call.site] * _TIMES <= long.ns
        ]
        lost = sum(long.end_ns - max(call.start_ns, long.start_ns) for long, call in behind)
        if lost >= LOST_NS and len({call.who for _, call in behind}) >= _OTHERS:
            yield _finding(facts, behind, lost)


def _behind(long: Call, ends: list[Call]) -> Iterator[Call]:
    """The calls of others that began while it ran and ended as soon as it was over."""
    low = bisect_left(ends, long.end_ns, key=lambda call: call.end_ns)
    for call in ends[low:]:
        if call.end_ns > long.end_ns + _SOON_NS:
            break
        is_within = long.start_ns <= call.start_ns < long.end_ns
        if is_within and call.who != long.who and call.site != long.site:
            yield call


def _commands(facts: Facts) -> Iterator[Call]:
    """Of threads and tasks, those that were answered."""
    model, table = facts.model, facts.model.states
    for row in facts.rows_of((IO,), 0):
        name, site = facts.call(table.row[row])
        stack = stack_of(model, row)
        is_command = _FILES in stack and not any(part in stack for part in _NO_COMMANDS)
        if name.startswith(_READS) and is_command:
            who: Who = ("thread", table.who[row])
            yield Call(who, table.start_ns[row], table.end_ns[row], name, site)
    slices = model.trace.slices
    for i in awaits_of(facts, _COMMAND):
        who = ("task", model.owners.owner[i])
        yield Call(who, slices.start_ns[i], slices.end_ns[i], _COMMAND, facts.awaited(i)[1])


def _finding(facts: Facts, behind: list[tuple[Call, Call]], lost: int) -> Finding:
    commands = {long: None for long, _ in behind}
    worst = max(commands, key=lambda long: long.ns)
    late = max((call for _, call in behind), key=lambda call: call.ns)
    times = "" if len(commands) == 1 else f", {len(commands)} times"
    text = (
        f"Slow answer: redis answers one command after the other, and the one of "
        f"{users(facts.model, (long.who for long in commands))}{place_in(worst.site)} took "
        f"{duration(worst.ns)} ({at(facts, worst.start_ns)}){times}. Meanwhile "
        f"{users(facts.model, (call.who for _, call in behind))}{place_in(late.site)} waited: "
        f"{plural(len(behind), 'answer')}, {duration(lost)} in total, came only when it was "
        f"over."
    )
    return Finding("slow answer", lost, text, evidence(facts, worst), _STEP, behind=worst.site)
