"""Waits that nobody ended any more, since the tasks that had ended such waits failed."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import plural
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import Wait

# Half a second was lost after all who had ended such waits had failed, one of them after
# having ended two or more: it served others, and was not a request that failed.
_LOST_NS = 500_000_000
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
                f"({', '.join(found.classes)}) {at(facts, found.last_ns)}. Mend that "
                f"exception, and let those who wait know when such a task ends."
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
    who = next(iter(served), None)
    if who is None or len(served) > 1 or served[who] < _OFTEN:
        return None
    last_ns = waits.ends_ns(who)
    vain = [
        wait for wait in every if wait.failed and not wait.cancelled and wait.end_ns > last_ns
    ]
    lost = sum(wait.end_ns - max(wait.start_ns, last_ns) for wait in vain)
    is_other = all(wait.who != who for wait in vain)
    is_idle = any(wait.is_open for wait in vain) or len({w.who for w in vain}) < len(vain)
    is_over = who[0] == "thread" or facts.ledger.how_it_ended(who[1]) == s.DONE
    is_long = any(wait.end_ns - max(wait.start_ns, last_ns) >= _UNTOLD_NS for wait in vain)
    if is_idle or not is_long or not is_other or not is_over:
        return None
    return _Failed(frozenset((who,)), (), last_ns, vain, lost)


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
    if lost < _LOST_NS or any(wait.who in ended for wait in vain):
        return None
    classes = {how.removeprefix(s.FAILED_PREFIX) for how in ended.values()}
    return _Failed(frozenset(ended), tuple(sorted(classes)), last_ns, vain, lost)
