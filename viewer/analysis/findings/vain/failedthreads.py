"""Waits, and calls, for what a thread would have done that has failed."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, gave_up, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.vain.afterothers import is_result
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.given import EVENTS, started_for, was_woken
from viewer.analysis.resources.waits import GETS, LOCKS, Wait
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

# Half a second was lost in waits that were given up, or are not over, after a thread had
# failed that had ended such waits, or had fed those who had, who all wait for most of it, too.
_STEPS = 4  # from who waits to whom that one waits for, and so on
# Nobody ever ended such a wait: then it may be for a thread that failed shortly before it, or
# meanwhile. Whoever waits again and again looks after something else meanwhile.
_BEFORE_NS = 1_000 * MS
_FOR_ONE = (
    "Event", "Event.wait", "future", "Condition", "Condition.wait", "Barrier.wait",
    "AsyncResult.get", "Future.result", *GETS,
)  # fmt: skip
_PACES = ("Event", "Event.wait", "Condition", "Condition.wait")  # may only pace a loop: …
_AGAIN = 3  # … whoever waits there that often
_MOST = 2_000  # waits that are looked at, the longest ones


class _Vain(NamedTuple):
    """A wait, the threads without which nobody could end it, and those between the two."""

    wait: Wait
    failed: frozenset[int]
    between: tuple[Wait, ...]


def failed_thread(facts: Facts) -> Iterator[Finding]:
    """Waits that were in vain since a thread had failed."""
    if not facts.ledger.failures:
        return
    waits, search = LongWaits.of(facts), _Search(facts)
    by_failed: dict[frozenset[int], list[_Vain]] = defaultdict(list)
    for vain in search.vain():
        by_failed[vain.failed].append(vain)
    for failed, found in by_failed.items():
        lost = sum(map(search.lost_ns, found))
        if lost < LOST_NS:
            continue
        between = {wait.slice: wait for vain in found for wait in vain.between}
        waits.told.update(vain.wait.slice for vain in found)
        waits.told.update(between)
        # What the program itself waits for says more than a library's own thread.
        own = [vain for vain in found if not is_library(vain.wait.site)]
        worst = max(own or found, key=search.lost_ns).wait
        alike = [
            one.wait
            for one in found
            if (one.wait.name, one.wait.site) == (worst.name, worst.site)
        ]
        whos: list[Who] = [("thread", thread) for thread in failed]
        told = sum(search.lost_ns(vain) for vain in found if vain.wait in alike)
        text = (
            f"Waited in vain: "
            f"{users(facts.model, (wait.who for wait in alike))}{place_in(worst.site)} gave "
            f"up {plural(len(alike), 'wait')} in `{worst.name}`, "
            f"{in_total(facts, told, worst.ns, worst.start_ns)}: {users(facts.model, whos)} "
            f"{_how(facts, failed)}"
        )
        if between:
            text += (
                f", and {users(facts.model, (wait.who for wait in between.values()))}"
                f"{place_in(next(iter(between.values())).site)} waited for it since"
            )
        text += ". Fix that exception, and let those who wait know when such a thread ends."
        yield Finding("wait in vain", lost, text, waits.evidence(worst))


def _how(facts: Facts, failed: Iterable[int]) -> str:
    """`had failed (KeyError) in `read` (app.py:9) at 60.0 ms`: the first of these."""
    first = min(
        (facts.ledger.failures[thread] for thread in failed), key=lambda one: one.at_ns
    )
    return f"had failed ({first.exception}){place_in(first.site)} {at(facts, first.at_ns)}"


class _Search:
    """Finds for a wait the failed threads without which nobody could end it."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.failures = facts, facts.ledger.failures
        self.waits = LongWaits.of(facts)
        self.enders = Enders.of(self.waits)

    def vain(self) -> Iterator[_Vain]:
        first_ns = min(one.at_ns for one in self.failures.values())
        long = [
            wait
            for wait in self.waits.all
            if wait.failed
            and wait.slice not in self.waits.told
            and wait.end_ns > first_ns
            and wait.name not in LOCKS
            and not self._paces(wait)
        ]
        long.sort(key=lambda wait: -wait.ns)
        for wait in long[:_MOST]:
            between: list[Wait] = []
            failed = self._behind(wait, frozenset((wait.who,)), between, _STEPS)
            failed = failed or self._nobody(wait) or self._who_brings(wait)
            if failed:
                yield _Vain(wait, self._with_others(failed, wait), tuple(between))

    def _with_others(self, failed: set[int], wait: Wait) -> frozenset[int]:
        """And those that had failed at the same line."""
        lines = {self.failures[thread][1:] for thread in failed}
        others = {
            thread
            for thread, failure in self.failures.items()
            if failure[1:] in lines and failure.at_ns <= wait.end_ns - LOST_NS
        }
        return frozenset(failed | others)

    def _paces(self, wait: Wait) -> bool:
        return wait.name in _PACES and self._times[wait.name, wait.site, wait.who] >= _AGAIN

    @cached_property
    def _times(self) -> Counter[tuple[str, str, Who]]:
        return Counter((wait.name, wait.site, wait.who) for wait in self.waits.all)

    def lost_ns(self, vain: _Vain) -> int:
        """From the last failure on."""
        since = max(self.failures[thread].at_ns for thread in vain.failed)
        return max(vain.wait.end_ns - max(vain.wait.start_ns, since), 0)

    def _behind(
        self, wait: Wait, seen: frozenset[Who], between: list[Wait], steps: int
    ) -> set[int]:
        """The failed threads that had ended such waits, or for which all who had done so wait
        themselves; none where somebody else could have ended it."""
        enders = self.enders.of_queue(wait.lock) - seen if wait.lock >= 0 else frozenset()
        found = set[int]()
        for who in sorted(enders):
            kind, which = who
            failure = self.failures.get(which) if kind == "thread" else None
            if failure is not None and failure.at_ns < wait.end_ns:
                found.add(which)
                continue
            if self.waits.ends_ns(who) < wait.start_ns:
                continue
            other = self._waits_meanwhile(who, wait)
            if other is None or not steps:
                return set()
            behind = self._behind(other, seen | {who}, between, steps - 1)
            if not behind:
                return set()
            between.append(other)
            found |= behind
        return found

    def _waits_meanwhile(self, who: Who, wait: Wait) -> Wait | None:
        """The wait of somebody that lasts for most of another one."""
        waits = self._by_who.get(who, [])
        high = bisect_left(waits, wait.end_ns, key=lambda one: one.start_ns)
        for other in reversed(waits[:high]):
            if other.end_ns <= wait.start_ns:
                break
            if covers(other.met_ns(wait), wait.ns):
                return other
        return None

    @cached_property
    def _by_who(self) -> dict[Who, list[Wait]]:
        found: dict[Who, list[Wait]] = defaultdict(list)
        for wait in self.waits.all:
            found[wait.who].append(wait)
        return found

    def _nobody(self, wait: Wait) -> set[int]:
        """The threads that failed shortly before, or during, a wait that nobody ever ended."""
        if wait.name not in _FOR_ONE or wait.ns < LOST_NS or not self._is_once(wait):
            return set()
        process, of = self.waits.process(wait.who), self.facts.model.thread_process
        return {
            thread
            for thread, failure in self.failures.items()
            if of[thread] == process
            and wait.start_ns - _BEFORE_NS <= failure.at_ns <= wait.end_ns - LOST_NS
            and self._is_its(thread, wait)
        }

    def _who_brings(self, wait: Wait) -> set[int]:
        """The only thread that ever ended waits for results at that line, if it failed."""
        if not is_result(wait.name) or wait.ns < LOST_NS:
            return set()
        enders = self._brought[wait.name, wait.site]
        found = {
            which for kind, which in enders if kind == "thread" and which in self.failures
        }
        is_over = all(self.failures[thread].at_ns < wait.end_ns for thread in found)
        return found if is_over and len(enders) == len(found) == 1 else set()

    @cached_property
    def _brought(self) -> dict[tuple[str, str], set[Who]]:
        """By name and line of waits who ended them."""
        found: dict[tuple[str, str], set[Who]] = defaultdict(set)
        for wait in self.waits.all:
            if wait.ender is not None:
                found[wait.name, wait.site].add(wait.ender)
        return found

    def _is_its(self, thread: int, wait: Wait) -> bool:
        """Whether the main thread had given a thread something to do, else it may only pause;
        others have less to pause for."""
        if wait.name not in EVENTS or not self.waits.is_main(wait.who):
            return True
        until = self.failures[thread].at_ns
        return thread in started_for(self.waits, wait) or was_woken(
            self.waits, thread, until, wait
        )

    def _is_once(self, wait: Wait) -> bool:
        """Whether all who ever waited there did so once, and in vain."""
        return (wait.name, wait.site) not in self._more_than_once

    @cached_property
    def _more_than_once(self) -> set[tuple[str, str]]:
        """Names and lines of waits that somebody ended, or where somebody waited again."""
        ended = {(wait.name, wait.site) for wait in self.waits.all if not wait.failed}
        return ended | {
            (name, site) for (name, site, _), times in self._times.items() if times > 1
        }


# Half a second was lost. The trace does not say who is at the other end, so the times must:
# the thread that failed got on as the other began to wait, and failed at once; the other had
# waited there before, never for a tenth of this, or now waits until its time is over.
_AT_ONCE_NS = 5 * MS
_TIMES = 10
_MOST_FAILURES = 20  # failures that are looked at
_WAITS = ("poll", "select", "recv", "read")


class _Woken(NamedTuple):
    """A thread that got on at `since_ns` (the end of its last call) and then failed."""

    thread: int
    since_ns: int


def unanswered_call(facts: Facts) -> Iterator[Finding]:
    """A thread waits in a call since another one failed that it had just woken."""
    table, failures = facts.model.states, facts.ledger.failures
    if not 0 < len(failures) <= _MOST_FAILURES:
        return
    failed, told = list(_woken(facts)), set[int]()
    for row in facts.rows_of((IO,), LOST_NS) if failed else ():
        who, start = table.who[row], table.start_ns[row]
        name, site = facts.call(table.row[row])
        if who in failures or who in told or not _waits(name, site):
            continue
        for one in failed:
            process = facts.model.thread_process
            is_near = abs(start - one.since_ns) <= _AT_ONCE_NS
            if not is_near or process[who] != process[one.thread]:
                continue
            if oddity := _oddity(facts, row):
                told.add(who)
                yield _unanswered(facts, row, one.thread, oddity)
                break


def _waits(name: str, site: str) -> bool:
    return name.rpartition(".")[2].startswith(_WAITS) and bool(site) and not is_library(site)


def _woken(facts: Facts) -> Iterator[_Woken]:
    table, failures = facts.model.states, facts.ledger.failures
    last = dict.fromkeys(failures, 0)
    calls, take = _calls(facts, *failures), facts.model.trace.engine.take
    ends = take(table.end_ns, calls, 0)
    for who, end in zip(take(table.who, calls, -1), ends, strict=True):
        if last[who] < end <= failures[who].at_ns:
            last[who] = end
    for thread, since_ns in last.items():
        if failures[thread].at_ns - since_ns <= _AT_ONCE_NS:
            yield _Woken(thread, since_ns)


def _calls(facts: Facts, *threads: int) -> memoryview:
    """The rows of these threads' blocking calls."""
    of = memoryview(bytes(n in threads for n in range(len(facts.model.threads))))
    return facts.model.trace.engine.pick(facts.rows_of((IO,), 0), facts.model.states.who, of)


def _oddity(facts: Facts, row: int) -> str:
    """What shows that an answer should have come; "" nothing does."""
    if _answered(facts, row):
        return "where it had always got on soon"
    return "until its time ran out" if gave_up(facts, row) else ""


def _answered(facts: Facts, row: int) -> bool:
    """Whether the thread had waited there before, and soon got on each time."""
    table = facts.model.states
    before = [
        facts.row_ns(other)
        for other in _calls(facts, table.who[row])
        if table.row[other] == table.row[row] and table.end_ns[other] <= table.start_ns[row]
    ]
    whole = facts.row_ns(row)
    return bool(before) and max(before) * _TIMES < whole


def _unanswered(facts: Facts, row: int, failed: int, oddity: str) -> Finding:
    model, table, failure = facts.model, facts.model.states, facts.ledger.failures[failed]
    name, site = facts.call(table.row[row])
    who, start = table.who[row], table.start_ns[row]
    ns = table.end_ns[row] - start
    text = (
        f"Waited in vain: {code(model.thread_names[who])}{place_in(site)} waited "
        f"{duration(ns)} in `{name}` ({at(facts, start)}), {oddity}: "
        f"{code(model.thread_names[failed])}, which went on as that wait began, failed at "
        f"once ({failure.exception}){place_in(failure.site)}. "
        f"Send an answer even if a request fails."
    )
    return Finding("wait in vain", ns, text, facts.evidence_of(row))
