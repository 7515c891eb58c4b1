"""Tasks that wait in `drain` until they give up, since nobody reads at the other end."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.facts import Facts, Finding
from viewer.analysis.findings.waits import GIVEN_UP, LongWaits, longest_slices, place_in, users
from viewer.analysis.findings.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT

_MS = 1_000_000
# Half a second was lost at one line, where each wait of a tenth of that ended so: a reader
# that is only slow would have made room.
_LONG_NS = 50 * _MS
_LOST_NS = 500 * _MS
_MOST = 2_000
_DRAIN = "._drain_helper"


def nobody_reads(facts: Facts) -> Iterator[Finding]:
    """Long waits for room in a socket or pipe, all of which were given up."""
    if not mentioned(facts.model, _DRAIN):
        return
    trace, waits = facts.model.trace, LongWaits.of(facts)
    slices, owner = trace.slices, facts.model.owners.owner
    by_line: dict[str, list[int]] = defaultdict(list)
    for i in longest_slices(facts, (AWAIT,), _LONG_NS, _MOST):
        if owner[i] >= 0 and _DRAIN in trace.text_of_slice(i, s.ARG_STACK):
            by_line[facts.awaited(i)[1]].append(i)
    for site, found in by_line.items():
        lost = sum(slices.end_ns[i] - slices.start_ns[i] for i in found)
        if lost < _LOST_NS or not all(_is_given_up(waits, owner[i], i) for i in found):
            continue
        worst = max(found, key=lambda i: slices.end_ns[i] - slices.start_ns[i])
        longest = slices.end_ns[worst] - slices.start_ns[worst]
        who: list[Who] = [("task", owner[i]) for i in found]
        text = (
            f"Waited in vain: {users(facts.model, who)}{place_in(site)} gave up "
            f"{plural(len(found), 'wait')} in `drain`, {duration(lost)} in total, the longest "
            f"{duration(longest)} ({at(facts, slices.start_ns[worst])}): nobody read at the "
            f"other end meanwhile. Whoever is there may stand in a write, too: read while you "
            f"write (of a child with `communicate`)."
        )
        evidence = facts.evidence(
            who[found.index(worst)], slices.start_ns[worst], longest, site
        )
        yield Finding("wait in vain", lost, text, evidence)


def _is_given_up(waits: LongWaits, task: int, i: int) -> bool:
    ended = waits.tree.ended_by(task, i)
    return ended.kind in GIVEN_UP or waits.timed_out(ended, task, i)
