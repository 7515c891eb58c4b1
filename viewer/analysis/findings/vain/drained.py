"""Tasks that wait at a stream until they give up: in `drain`, since nobody reads at the other
end, or in `read`, since the other side does not close the connection."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import plural
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.outside.outside import other_stream
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.waits import longest_slices
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT
from viewer.trace.sites import place_of

_MS = 1_000_000
# Half a second was lost at one line, where each wait of a tenth of that ended so: a reader
# that is only slow would have made room.
_LONG_NS = 50 * _MS
_LOST_NS = 500 * _MS
_MOST = 2_000


class _Kind(NamedTuple):
    """A wait in whose stack this is; `reads`: the other side may read, too."""

    mark: str
    name: str
    why: str
    reads: bool = False


_KINDS = (
    _Kind("._drain_helper", "drain",
          "nobody read at the other end meanwhile. Whoever is there may stand in a write, "
          "too: read while you write (of a child with `communicate`)."),
    # `read` calls itself, where it has no number.
    _Kind("StreamReader.read|StreamReader.read", "StreamReader.read",
          "without a number it reads until the other side closes, and that did not{others}. "
          "Read a line or a number of bytes, or have the other side close (`write_eof`).",
          True),
)  # fmt: skip
_READS = " StreamReader."


def nobody_reads(facts: Facts) -> Iterator[Finding]:
    """Long waits at a socket or pipe, all of which were given up."""
    for kind in _KINDS:
        if mentioned(facts.model, kind.mark.partition("|")[0]):
            yield from _given_up(facts, kind)


def _is_of(kind: _Kind, stack: str) -> bool:
    functions = "|".join(place_of(frame).function for frame in stack.split("\n"))
    return kind.mark in (functions if "|" in kind.mark else stack)


def _given_up(facts: Facts, kind: _Kind) -> Iterator[Finding]:
    trace, waits = facts.model.trace, LongWaits.of(facts)
    slices, owner = trace.slices, facts.model.owners.owner
    by_line: dict[str, list[int]] = defaultdict(list)
    for i in longest_slices(facts, (AWAIT,), _LONG_NS, _MOST):
        if owner[i] >= 0 and _is_of(kind, facts.stack(i)):
            by_line[facts.awaited(i)[1]].append(i)
    for site, found in by_line.items():
        lost = facts.slices_ns(found)
        if lost < _LOST_NS or not all(_is_given_up(waits, kind, owner[i], i) for i in found):
            continue
        # A child that stands in a write to its other output is a finding of its own.
        if kind.reads and any(site == one.evidence.site for one in other_stream(facts)):
            continue
        worst = facts.longest_slice(found)
        longest = facts.slice_ns(worst)
        who: list[Who] = [("task", owner[i]) for i in found]
        text = (
            f"Waited in vain: {users(facts.model, who)}{place_in(site)} gave up "
            f"{plural(len(found), 'wait')} in `{kind.name}`, "
            f"{in_total(facts, lost, longest, slices.start_ns[worst])}: "
            f"{kind.why.format(others=_others(facts, worst) if kind.reads else '')}"
        )
        evidence = facts.evidence(
            who[found.index(worst)], slices.start_ns[worst], longest, site
        )
        yield Finding("wait in vain", lost, text, evidence)


def _others(facts: Facts, worst: int) -> str:
    """`; `handle` waits meanwhile …`: the tasks that read from a stream all the time, if these
    are of one kind; one of them may be the other side."""
    trace, owned = facts.model.trace, facts.model.owners
    slices = trace.slices
    start, end = slices.start_ns[worst], slices.end_ns[worst]
    here = facts.awaited(worst)[1]  # who reads there, too, is in the same place
    found = {
        (owned.owner[i], facts.awaited(i)[1])
        for i in longest_slices(facts, (AWAIT,), _LONG_NS, _MOST)
        if owned.owner[i] not in (-1, owned.owner[worst])
        and facts.awaited(i)[1] != here
        and covers(min(slices.end_ns[i], end) - max(slices.start_ns[i], start), end - start)
        and _READS in facts.stack(i)
    }
    if len({site for _, site in found}) != 1:
        return ""
    whos: set[Who] = {("task", task) for task, _ in found}
    site = next(iter(found))[1]
    verb = "waits" if len(whos) == 1 else "wait"
    return f": {users(facts.model, whos)}{place_in(site)} {verb} for more meanwhile"


def _is_given_up(waits: LongWaits, kind: _Kind, task: int, i: int) -> bool:
    """Who reads may do so for ever, until it is cancelled when the program ends."""
    ended = waits.tree.ended_by(task, i)
    gives_up = (Kind.TIMEOUT,) if kind.reads else GIVEN_UP
    return ended.kind in gives_up or waits.timed_out(ended, task, i)
