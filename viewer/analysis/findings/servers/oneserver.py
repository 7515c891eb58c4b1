"""Servers of one thread: clients in the same process wait for each other's requests."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.itself import is_own, servers
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.servers.forkingserver import forked_by
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import windows_of
from viewer.analysis.regions import merged
from viewer.analysis.resources.waits import longest_rows
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# As with other pools, half a second must be lost: what clients waited beside the one that was
# served meanwhile. Shorter waits are no queue, and lose little beside the others.
_LOST_NS = 500 * _MS
_LONG_NS = 20 * _MS
_FEWEST = 2  # clients
_MOST = 2_000  # calls that are looked at, the longest ones

type _Times = list[tuple[int, int]]


def one_server(facts: Facts) -> Iterator[Finding]:
    """The only thread that serves works on one request, and other clients wait for it."""
    model, table = facts.model, facts.model.states
    rows: dict[tuple[int, str], list[int]] = defaultdict(list)
    if model.trace.symbol(s.ARG_OWN_PEER) < 0:
        return  # no call is known to be for this process
    for row in longest_rows(facts, (IO,), _LONG_NS, _MOST):
        if is_own(facts, row):
            thread = table.who[row]
            rows[model.thread_process[thread], facts.call(table.row[row])[1]].append(row)
    rows = {
        where: found
        for where, found in rows.items()
        if facts.total_ns(found) >= _LOST_NS
        and len({table.who[row] for row in found}) >= _FEWEST
    }
    if not rows:
        return
    serving = servers(facts)
    for (process, site), found in rows.items():
        here = [thread for thread in serving if model.thread_process[thread] == process]
        if len(here) != 1 or here[0] in facts.ledger.lane_of_thread:
            continue
        if forked_by(facts, here[0]):
            continue  # its children serve
        found = [row for row in found if table.who[row] != here[0]]
        times = sorted((table.start_ns[row], table.end_ns[row]) for row in found)
        waited = merged(times)
        covered = sum(end - start for start, end in waited)
        lost = sum(end - start for start, end in times) - covered
        clients: set[Who] = {("thread", table.who[row]) for row in found}
        if lost < _LOST_NS or len(clients) < _FEWEST:
            continue
        if _idle_ns(facts, here[0], waited) * 2 > covered:
            continue  # others answer
        server: Who = ("thread", here[0])
        did = mostly(facts, [(server, start, end) for start, end in waited])
        if not did.behind or is_library(did.behind):
            continue  # it only hands connections to others
        worst = facts.longest(found)
        start, ns = table.start_ns[worst], facts.row_ns(worst)
        text = (
            f"Pool exhausted: {code(model.thread_names[here[0]])} is the only thread that "
            f"serves, one request after the other. {users(model, clients)}{place_in(site)} "
            f"waited for it: {plural(len(found), 'wait')}, the longest {duration(ns)} "
            f"({at(facts, start)}); {duration(lost)} of that in total while it served "
            f"another, {did.text}. Serve with more threads (`ThreadingHTTPServer`, "
            f"`ThreadingMixIn`), or do what is slow elsewhere."
        )
        evidence = facts.evidence(("thread", table.who[worst]), start, ns, site)
        yield Finding("pool exhausted", lost, text, evidence, behind=did.behind)


def _idle_ns(facts: Facts, thread: int, times: _Times) -> int:
    """How long the server itself waited for connections meanwhile."""
    calls = facts.split(thread, windows_of(times)).calls
    return sum(
        ns
        for call, ns in calls.items()
        if (name := facts.call(call)[0]).endswith("accept") or name.startswith("select.")
    )
