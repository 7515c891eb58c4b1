"""Queues between processes whose reader is slower than those who put into them together."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator

from tracer.units import plural, share
from viewer.analysis.findings.basis.databases import calls_of
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total, processes
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.waits import longest_rows
from viewer.analysis.states import having, mentioned, stack_of
from viewer.trace.columns import IO
from viewer.words import code

_MS = 1_000_000
# A bounded queue is there to slow its producers down. So this is advice, and only where three
# processes or more, which one reader has to serve, wait for half of the time, half a second in
# all. Fewer are a pipeline.
_LONG_NS = 10 * _MS
_LOST_NS = 500 * _MS
_EACH = 3
_PART = 2
# Who takes from such a queue is recorded only where he waits for it. A slow one never does,
# but goes on a moment before room comes, as the last one: four fifths of the times, five at
# least, of one who does not go on so often that half of that would be chance.
_JUST_NS = 5 * _MS
_COVERED = 8, 10
_TIMES = 5
_ANY = 1 << 32  # more than the number of any thread
_MOST = 10_000  # blocked states that are looked at, the longest ones
_ACQUIRE = "SemLock.acquire"
_PUT = re.compile(r"\S*/multiprocess(?:ing)?/queues\.py:\d+ (?:Joinable)?Queue\.put(?:\n|$)")


def slow_reader(facts: Facts) -> Iterator[Finding]:
    """Several processes wait for room in a queue that one thread of another one empties."""
    model, table = facts.model, facts.model.states
    if not mentioned(model, "/queues.py:"):
        return
    named = having(model, table.call_name, lambda name: name.endswith(_ACQUIRE))
    if 1 not in named:
        return
    by_site = defaultdict[str, list[int]](list)
    for row in calls_of(facts, (IO,), memoryview(named), _LONG_NS):
        if _PUT.match(stack_of(model, row)):
            by_site[facts.call(table.row[row])[1]].append(row)
    for site, waits in by_site.items():
        of = {model.thread_process[table.who[row]] for row in waits}
        lost = sum(table.end_ns[row] - table.start_ns[row] for row in waits)
        since = min(table.start_ns[row] for row in waits)
        until = max(table.end_ns[row] for row in waits)
        if lost < _LOST_NS or len(of) < _EACH or lost * _PART < (until - since) * len(of):
            continue
        reader = _reader(facts, waits, of)
        if reader >= 0:
            LongWaits.of(facts).told.update(table.slice[row] for row in waits)
            yield _finding(facts, site, waits, reader, lost)


def _reader(facts: Facts, waits: list[int], of: set[int]) -> int:
    """The thread that was the last to go on before the waits ended; -1 none, or several."""
    model, table = facts.model, facts.model.states
    ends = sorted(table.end_ns[row] for row in waits)
    went_on = [
        (table.end_ns[row], table.who[row])
        for row in longest_rows(facts, BLOCKED, _JUST_NS, _MOST)
        if model.thread_process[table.who[row]] not in of
    ]
    went_on.sort()
    last = Counter[int]()
    for end in ends:
        time_ns, thread = (
            went_on[at - 1] if (at := bisect_right(went_on, (end, _ANY))) else (0, -1)
        )
        last[thread] += thread >= 0 and end - time_ns <= _JUST_NS
    thread, just = max(last.items(), key=lambda one: one[1])
    times = sum(who == thread for _, who in went_on)
    is_most = just >= _TIMES and just * _COVERED[1] >= len(ends) * _COVERED[0]
    is_chance = times * _JUST_NS * _PART > max(ends[-1] - ends[0], 1)
    return thread if is_most and not is_chance else -1


def _finding(facts: Facts, site: str, waits: list[int], reader: int, lost: int) -> Finding:
    model, table = facts.model, facts.model.states
    of = {model.thread_process[table.who[row]] for row in waits}
    since = min(table.start_ns[row] for row in waits)
    until = max(table.end_ns[row] for row in waits)
    did = mostly(facts, [(("thread", reader), since, until)])
    worst = max(waits, key=lambda row: table.end_ns[row] - table.start_ns[row])
    start, ns = table.start_ns[worst], table.end_ns[worst] - table.start_ns[worst]
    who = users(model, [("thread", reader)])
    who = f"{who} of {code(Family.of(model).name(model.thread_process[reader]))}"
    text = (
        f"Slow consumer: {processes(facts, of)} wait in `Queue.put`{place_in(site)} for room "
        f"in a queue between processes: {plural(len(waits), 'wait')}, "
        f"{in_total(facts, lost, ns, start)}, {share(lost, (until - since) * len(of))} of "
        f"their time. {who} goes on just before each ends, so most likely it empties the queue"
        f"{f', {did.text}' if did.text else ''}. Do that with several processes, or take "
        f"several items at once; else fewer of those who put are enough."
    )
    evidence = facts.evidence(("thread", table.who[worst]), start, ns, site)
    return Finding("slow consumer", lost, text, evidence, behind=did.behind, processes=len(of))
