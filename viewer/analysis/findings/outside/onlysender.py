"""The only task that sends to the clients of a server, and stands at one that does not read,
while all others always had room."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.room import is_for_room
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.outside.broadcasts import slow_reader_of_several
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import longest_slices
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT

_MS = 1_000_000
# Half a second at once: a slow network makes room sooner. Three connections or more are there
# meanwhile, each with a task of its own, which waits for what its client says; who sends is
# none of these, and no other task of its function sends there.
_LONG_NS = 500 * _MS
_CLIENTS = 3
_MOST = 2_000


def stands_at_one_client(facts: Facts) -> Iterator[Finding]:
    """A long wait for room in the buffer of one client, by a task that serves all."""
    trace, owned, waits = facts.model.trace, facts.model.owners, LongWaits.of(facts)
    slices, by_line = trace.slices, defaultdict[tuple[int, str], list[int]](list)
    every = longest_slices(facts, (AWAIT,), _LONG_NS, _MOST)
    for i in every:
        task = owned.owner[i]
        if task >= 0 and is_for_room(facts, i):
            by_line[owned.task_group[task], facts.awaited(i)[1]].append(i)
    told = {one.evidence.site for one in slow_reader_of_several(facts)} if by_line else set()
    for (group, site), found in by_line.items():
        if site in told or len({owned.owner[i] for i in found}) > 1:
            continue
        worst = max(found, key=lambda i: slices.end_ns[i] - slices.start_ns[i])
        who: Who = ("task", owned.owner[worst])
        start, end = slices.start_ns[worst], slices.end_ns[worst]
        clients = {
            task
            for i in every
            if (task := owned.owner[i]) >= 0
            and owned.task_parent[task] < 0
            and owned.task_group[task] != group
            and owned.task_process[task] == waits.process(who)
            and slices.start_ns[i] <= start
            and slices.end_ns[i] >= end
            and _is_for_client(facts, i)
        }
        if len(clients) < _CLIENTS or len({owned.task_group[task] for task in clients}) > 1:
            continue
        lost = sum(slices.end_ns[i] - slices.start_ns[i] for i in found)
        serving: list[Who] = [("task", task) for task in clients]
        text = (
            f"Slow client: {users(facts.model, [who])}{place_in(site)} waited for a client "
            f"that does not read what is sent to it: {plural(len(found), 'wait')}, "
            f"{in_total(facts, lost, end - start, start)}. No other task sends there, and "
            f"{users(facts.model, serving)} have connections: all of them get nothing "
            f"meanwhile. Give each client a queue and a task that sends, send to all at once "
            f"(`asyncio.gather`) with a time-out, and close those that do not keep up."
        )
        yield Finding("slow client", lost, text, facts.evidence(who, start, end - start, site))


def _is_for_client(facts: Facts, i: int) -> bool:
    what = facts.awaited(i)[0].removeprefix(s.AWAIT_PREFIX)
    return waited_for(what) in (For.CALLERS, For.OUTSIDE) and not is_for_room(facts, i)
