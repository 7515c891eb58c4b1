"""Tasks that stay in a clean-up long after their time limit was over, whoever set it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import duration, plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.cuts import By, Cut, Cuts
from viewer.trace.columns import AWAIT
from viewer.trace.sites import own_frames, place_of

_MS = 1_000_000
# A second in all, a quarter of a second each, and twice the time that there was.
_LOST_NS = 1_000 * _MS
_LONG_NS = 250 * _MS
_MOST_OF = 2
_SEVERAL = 2  # tasks; of one, another phase of its work may begin
_JUST_NS = 5 * _MS
_NEAR = 8  # slices from one await to the next
_DEEP = 2  # frames: the function that awaits, and its caller


class _Late(NamedTuple):
    """A task's last await (slice), after one that was cut short."""

    cut: Cut
    i: int


def overstayed(facts: Facts) -> Iterator[Finding]:
    """Tasks whose time limit is over, and whose next and last await, in another function that
    the same one calls, lasts much longer than that."""
    waits = LongWaits.of(facts)
    found = defaultdict[tuple[str, str], list[_Late]](list)
    for cut in Cuts.of(waits).all:
        last = _last_after(facts, waits, cut) if cut.by is By.TIMER else -1
        if last >= 0 and (caller := _same_caller(facts, cut.i, last)):
            found[caller, facts.awaited(last)[1]].append(_Late(cut, last))
    for (caller, where), every in found.items():
        lost = facts.slices_ns(one.i for one in every)
        if len(every) >= _SEVERAL and lost >= _LOST_NS:
            yield _finding(facts, caller, where, every, lost)


def _last_after(facts: Facts, waits: LongWaits, cut: Cut) -> int:
    """The await with which a task ends that follows a cut at once; -1 when there is none, or
    it is short beside the time there was."""
    slices, kind = facts.model.trace.slices, facts.model.owners.kind
    rows = waits.tree.lanes.rows_of_task(cut.task)
    later = [i for i in rows[bisect_left(rows, cut.i) + 1 :][:_NEAR] if kind[i] == AWAIT]
    if len(later) != 1 or slices.start_ns[later[0]] - cut.end_ns > _JUST_NS:
        return -1
    ns = facts.slice_ns(later[0])
    is_last = waits.ends_ns(("task", cut.task)) <= slices.end_ns[later[0]] + _JUST_NS
    return later[0] if is_last and ns >= max(_MOST_OF * cut.ns, _LONG_NS) else -1


def _same_caller(facts: Facts, cut: int, last: int) -> str:
    """The frame of the program that called the functions of two awaits; "" if none did both,
    or it was one function."""
    stacks = (facts.stack(i).split("\n") for i in (cut, last))
    before, after = map(own_frames, stacks)
    if len(before) < _DEEP or len(before) != len(after):
        return ""
    (inner, caller), (then, again) = (map(place_of, one[:_DEEP]) for one in (before, after))
    differs = inner.function != then.function and caller.line != again.line
    is_same = caller.function == again.function and before[_DEEP:] == after[_DEEP:]
    return after[1] if differs and is_same else ""


def _finding(facts: Facts, caller: str, where: str, every: list[_Late], lost: int) -> Finding:
    worst = max(every, key=lambda one: facts.slice_ns(one.i))
    ns, start = facts.slice_ns(worst.i), facts.model.trace.slices.start_ns[worst.i]
    whos: list[Who] = [("task", one.cut.task) for one in every]
    what = facts.what(worst.i)
    cut = facts.awaited(worst.cut.i)[1]
    text = (
        f"Waited in vain: the time of {users(facts.model, whos)}{place_in(caller)} was over "
        f"after {duration(worst.cut.ns)}{place_in(cut)}. Then they waited in "
        f"`{what}`{place_in(where)} until they ended, and no time limit cut that short: "
        f"{plural(len(every), 'wait')}, {in_total(facts, lost, ns, start)}. Give what is done "
        f"after a time-out (a clean-up, a second attempt) a time limit of its own."
    )
    LongWaits.of(facts).told.update(one.i for one in every)
    evidence = facts.evidence(("task", worst.cut.task), start, ns, where)
    return Finding("wait in vain", lost, text, evidence)
