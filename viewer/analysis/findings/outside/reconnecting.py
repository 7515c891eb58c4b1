"""Tasks that connect again as soon as a connection has ended, and ask for nothing."""

from collections.abc import Iterator
from itertools import pairwise

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.reading import awaits_of
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# A hundred connections, one in 10 ms, for half a second: nobody pauses, and none of them
# lasts. Whoever asks for something pays for new connections instead.
_TIMES = 100
_EACH_NS = 10 * _MS
_LEAST_NS = 500 * _MS
_AWAITED = f"{s.AWAIT_PREFIX}connect ("
_ASKED = tuple(
    f"{s.AWAIT_PREFIX}{what} (" for what in ("response", "query", "command", "send")
)


def connects_at_once(facts: Facts) -> Iterator[Finding]:
    """A connection after the other, each of which ends at once."""
    slices, owner = facts.model.trace.slices, facts.model.owners.owner
    connecting = awaits_of(facts, _AWAITED)
    if len(connecting) < _TIMES:
        return
    of = {*connecting}
    for task, awaits in facts.awaits({owner[i] for i in connecting}).items():
        begins = [
            later
            for before, later in pairwise((-1, *awaits))
            if later in of and before not in of
        ]
        if len(begins) < _TIMES:
            continue
        start, end = slices.start_ns[begins[0]], slices.end_ns[awaits[-1]]
        site = facts.awaited(begins[0])[1]
        is_often = _LEAST_NS <= slices.start_ns[begins[-1]] - start <= len(begins) * _EACH_NS
        asks = any(facts.awaited(i)[0].startswith(_ASKED) for i in awaits)
        if is_often and not asks and not is_library(site):
            yield _finding(facts, task, site, len(begins), start, end)


def about(site: str) -> frozenset[str]:
    """What this and another finding tell of the connections that are opened at a line."""
    return frozenset((f"connects {site}",))


def _finding(facts: Facts, task: int, site: str, times: int, start: int, end: int) -> Finding:
    text = (
        f"{code(name_of(facts.model, ('task', task)))} polls{place_in(site)}: it connects "
        f"{times:,} times in {duration(end - start)} ({at(facts, start)}), again as soon as a "
        f"connection has ended, one every {duration((end - start) // times)} on average. If "
        f"the other side ends them, wait before the next attempt, longer each time; else keep "
        f"one and use it again."
    )
    evidence = facts.evidence(("task", task), start, end - start, site)
    return Finding("busy loop", end - start, text, evidence, about=about(site))
