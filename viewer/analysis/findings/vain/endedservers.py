"""Waits that nobody ends any more, since all who had ended such waits have failed or ended."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.vain.abandoned import how_they_ended
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.waits import PUTS, Wait

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
    classes = {how.removeprefix(s.FAILED_PREFIX) for how in ended.values()}
    return _in_vain_since(waits, every, ended, tuple(sorted(classes)))


def _in_vain_since(
    waits: LongWaits, every: list[Wait], gone: Collection[Who], classes: tuple[str, ...] = ()
) -> _Failed | None:
    """What was waited in vain since all of these were gone; None if it is little, or they
    wait there themselves."""
    last_ns = max(map(waits.ends_ns, gone), default=0)
    vain = [wait for wait in every if wait.failed and wait.end_ns > last_ns]
    lost = sum(wait.end_ns - max(wait.start_ns, last_ns) for wait in vain)
    if not gone or lost < LOST_NS or any(wait.who in gone for wait in vain):
        return None
    return _Failed(frozenset(gone), classes, last_ns, vain, lost)


def no_consumer(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Producers wait for room in a queue whose consumers have all ended."""
    by_queue: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in PUTS and wait.lock >= 0 and wait.slice not in waits.told:
            by_queue[wait.lock].append(wait)
    known = Enders.of(waits)
    for queue, found in by_queue.items():
        enders = {wait.ender for wait in found if wait.ender is not None and not wait.failed}
        if not enders:  # those waits were short
            enders = {*known.of_queue(queue)} - {wait.who for wait in found}
        since = _in_vain_since(waits, found, enders)
        if since is None:
            continue
        vain, lost, gone_ns = since.vain, since.lost_ns, since.last_ns
        waits.told.update(wait.slice for wait in vain)
        worst = max(vain, key=lambda wait: wait.ns)
        text = (
            f"Waited in vain: "
            f"{users(facts.model, (wait.who for wait in vain))}{place_in(worst.site)} waited "
            f"for room in a queue: {plural(len(vain), 'wait')} in `{worst.name}`, "
            f"{in_total(facts, lost, worst.ns, worst.start_ns)}. Whoever had emptied it, "
            f"{users(facts.model, enders)}, had ended{how_they_ended(facts, enders)} "
            f"{at(facts, gone_ns)}. End the producers with their consumers: keep both in one "
            f"group, or give `put` a time-out."
        )
        yield Finding("wait in vain", lost, text, waits.evidence(worst))
