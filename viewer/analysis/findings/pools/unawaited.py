"""Tasks that have a slot though whoever made them has given up on them."""

from bisect import bisect_left
from collections import defaultdict

from viewer.analysis.causes.part import GIVEN_UP
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.resource import Hold
from viewer.words import code, stem

# Half of those who had a slot; who made a task awaits it at once.
_JUST_NS = 5_000_000
_HALF = 2


def given_up_on(facts: Facts, holds: list[Hold]) -> str:
    """`8 of them had been given up by `save` in `save` (app.py:15) before: …`; "" else."""
    ledger = facts.ledger
    by_parent: dict[int, list[Hold]] = defaultdict(list)
    for hold in holds:
        kind, task = hold.who
        if kind == "task" and (parent := ledger.parent_of(task)) >= 0:
            by_parent[parent].append(hold)
    awaits = facts.awaits({*by_parent}) if by_parent else {}
    found: dict[tuple[str, str], set[Who]] = defaultdict(set)
    for parent, of in by_parent.items():
        for hold in of:
            if site := _gave_up_at(facts, hold, parent, awaits.get(parent, [])):
                found[stem(name_of(facts.model, ("task", parent))), site].add(hold.who)
    tasks = {hold.who for hold in holds}
    for (name, site), given_up in found.items():
        if len(given_up) * _HALF >= len(tasks):
            return (
                f"{users(facts.model, given_up)} went on though {code(name)}"
                f"{place_in(site)}, which had made them, had given up: cancel what nobody "
                f"waits for (no `shield`), or wait for longer. "
            )
    return ""


def _gave_up_at(facts: Facts, hold: Hold, parent: int, awaits: list[int]) -> str:
    """Where the maker of a task awaited it and gave up before its end; "" nowhere."""
    slices, waits = facts.model.trace.slices, LongWaits.of(facts)
    born = waits.begins_ns(hold.who)
    first = bisect_left(awaits, born, key=slices.start_ns.__getitem__)
    if first == len(awaits):
        return ""
    i = awaits[first]
    is_its = slices.start_ns[i] - born <= _JUST_NS and slices.end_ns[i] < hold.end_ns
    ended = waits.tree.ended_by(parent, i)
    is_given_up = ended.kind in GIVEN_UP or waits.timed_out(ended, parent, i)
    return facts.awaited(i)[1] if is_its and is_given_up else ""
