"""Waits that nobody ends any more, since the tasks or threads that did it have failed."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.handed import EVENTS, started_for, was_woken
from viewer.analysis.resources.waits import GETS, LOCKS, Wait
from viewer.trace.sites import is_library

# Half a second was lost after all who had ended such waits had failed, one of them after
# having ended two or more: it served others, and was not a request that failed.
_SERVED = 2
# Where it just ended, a second at once, and it had served five: who waits for the next item
# with a time-out may find out that way that there is none, and looks again soon. Who waits
# there again, or still, is there for whatever comes: a service with nothing to do.
_OFTEN = 5
_UNTOLD_NS = 1_000_000_000


class _Failed(NamedTuple):
    """`who` ended such waits until they failed, with an exception of these classes; then
    `vain` waited, for `lost_ns` in all."""

    who: frozenset[Who]
    classes: tuple[str, ...]
    last_ns: int
    vain: list[Wait]
    lost_ns: int


def failed_server(facts: Facts) -> Iterator[Finding]:
    """Waits at one line that all were in vain since the task that had ended them failed."""
    waits = LongWaits.of(facts)
    if not any(wait.failed for wait in waits.all):
        return
    alike: dict[tuple[int, str, str], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        alike[waits.process(wait.who), wait.name, wait.site].append(wait)
    for (_, name, site), every in alike.items():
        new = [wait for wait in every if wait.slice not in waits.told]
        found = server_that_failed(facts, new) or _server_that_ended(facts, new)
        if found is None:
            continue
        waits.told.update(wait.slice for wait in found.vain)
        worst = max(found.vain, key=lambda wait: wait.ns)
        who = users(facts.model, found.who)
        text = (
            f"Waited in vain: "
            f"{users(facts.model, (wait.who for wait in found.vain))}{place_in(site)} waited "
            f"for `{name}`: {plural(len(found.vain), 'wait')}, "
            f"{in_total(facts, found.lost_ns, worst.ns, worst.start_ns)}. "
        )
        if found.classes:
            text += (
                f"{who}, which had ended such waits, failed "
                f"({', '.join(found.classes)}) {at(facts, found.last_ns)}. "
                f"Fix that exception, and let those who wait know when such a task ends."
            )
        else:
            text += (
                f"{who}, which alone had ended such waits, had ended "
                f"{at(facts, found.last_ns)}, and nobody did any more. Let those who wait "
                f"know when it ends: a last item that says so, or `Queue.shutdown`."
            )
        yield Finding("wait in vain", found.lost_ns, text, waits.evidence(worst))


def _server_that_ended(facts: Facts, every: list[Wait]) -> _Failed | None:
    """The one who had ended these waits, if it came to its end, and those who wait then were
    not told: their time-outs ended the waits, once for each."""
    waits = LongWaits.of(facts)
    served = Counter(w.ender for w in every if w.ender is not None and not w.failed)
    if not served or served.total() < _OFTEN:
        return None
    servers = _servers(every, served)
    vain = [
        wait
        for wait in every
        if wait.failed
        and not wait.cancelled
        and (who := servers.get(wait.who)) is not None
        and wait.end_ns > waits.ends_ns(who)
    ]
    times = [
        wait.end_ns - max(wait.start_ns, waits.ends_ns(servers[wait.who])) for wait in vain
    ]
    of_vain = {servers[wait.who] for wait in vain}
    is_other = not of_vain & {wait.who for wait in every}  # they take turns, as at a pool
    is_idle = any(wait.is_open for wait in vain) or len({w.who for w in vain}) < len(vain)
    is_over = all(
        who[0] == "thread" or facts.ledger.how_it_ended(who[1]) == s.DONE for who in of_vain
    )
    is_long = max(times, default=0) >= _UNTOLD_NS
    if is_idle or not is_long or not is_other or not is_over:
        return None
    last_ns = max(map(waits.ends_ns, of_vain))
    return _Failed(frozenset(of_vain), (), last_ns, vain, sum(times))


def _servers(every: list[Wait], served: Counter[Who]) -> dict[Who, Who]:
    """By who waits there who alone ended such waits: one for all, or one for each."""
    if len(served) == 1:
        (who,) = served
        return {wait.who: who for wait in every}
    enders = defaultdict[Who, set[Who]](set)
    for wait in every:
        if wait.ender is not None and not wait.failed:
            enders[wait.who].add(wait.ender)
    return {who: next(iter(of)) for who, of in enders.items() if len(of) == 1}


def server_that_failed(facts: Facts, every: list[Wait]) -> _Failed | None:
    """Who had ended these waits, if all of them failed, and then waits were in vain."""
    waits = LongWaits.of(facts)
    served = Counter(w.ender for w in every if w.ender is not None and not w.failed)
    if not served or max(served.values()) < _SERVED:
        return None
    ended = {
        who: facts.ledger.how_it_ended(who[1]) if who[0] == "task" else "" for who in served
    }
    if not all(how.startswith(s.FAILED_PREFIX) for how in ended.values()):
        return None
    last_ns = max(map(waits.ends_ns, ended))
    vain = [wait for wait in every if wait.failed and wait.end_ns > last_ns]
    lost = sum(wait.end_ns - max(wait.start_ns, last_ns) for wait in vain)
    if lost < LOST_NS or any(wait.who in ended for wait in vain):
        return None
    classes = {how.removeprefix(s.FAILED_PREFIX) for how in ended.values()}
    return _Failed(frozenset(ended), tuple(sorted(classes)), last_ns, vain, lost)


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
_MAIN = "MainThread"
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
            failed = failed or self._nobody(wait)
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

    def _is_its(self, thread: int, wait: Wait) -> bool:
        """Whether the main thread had given a thread something to do, else it may only pause;
        others have less to pause for."""
        if wait.name not in EVENTS or not self._is_main(wait.who):
            return True
        until = self.failures[thread].at_ns
        return thread in started_for(self.waits, wait) or was_woken(
            self.waits, thread, until, wait
        )

    def _is_main(self, who: Who) -> bool:
        kind, which = who
        return kind == "thread" and self.facts.model.threads[which].thread_name == _MAIN

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
