"""Timers that are cancelled for the next one again and again, while somebody waits for what
the last of them does."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import mentioned
from viewer.words import code

_MS = 1_000_000
# A timer that is put off is meant to be, as after each key that is pressed. This waits half a
# second and three times as long as one timer takes, and five were cancelled meanwhile.
_LOST_NS = 500 * _MS
_TIMES = 3
_CANCELLED = 5
_NEXT_NS = 100 * _MS  # from the end of one to the start of the next
_TIMER = " Timer.run"


def put_off(facts: Facts) -> Iterator[Finding]:
    """Somebody waits for a timer before which others were cancelled, each for the next."""
    if not mentioned(facts.model, _TIMER):
        return
    waits = LongWaits.of(facts)
    timers = defaultdict[str, list[Wait]](list)
    for wait in waits.all:
        if any(frame.endswith(_TIMER) for frame in wait.stack):
            timers[_started_at(facts, wait)].append(wait)
    lasts = {
        chain[-1].who: (site, chain)
        for site, those in timers.items()
        if site
        for chain in _chains(those)
        if len(chain) > _CANCELLED
    }
    for wait in waits.all:
        site, chain = lasts.get(wait.ender or wait.who, ("", []))
        if not chain or wait.who == chain[-1].who or wait.failed:
            continue
        lost = wait.end_ns - max(wait.start_ns, chain[0].start_ns) - chain[-1].ns
        if lost >= max(_LOST_NS, chain[-1].ns * (_TIMES - 1)):
            waits.told.add(wait.slice)
            yield _finding(facts, waits, wait, lost, chain, site)


def _started_at(facts: Facts, timer: Wait) -> str:
    _, event = facts.ledger.starters.get(timer.who[1], (-1, -1))
    return str(facts.model.trace.args(event).get(s.ARG_SITE, "")) if event >= 0 else ""


def _chains(timers: list[Wait]) -> Iterator[list[Wait]]:
    """Those that were cancelled one after the other, and the one that ran at last."""
    chain = list[Wait]()
    for timer in timers:
        if chain and abs(timer.start_ns - chain[-1].end_ns) > _NEXT_NS:
            chain = []
        chain.append(timer)
        if timer.failed:
            yield chain
            chain = []


def _finding(
    facts: Facts, waits: LongWaits, wait: Wait, lost: int, chain: list[Wait], site: str
) -> Finding:
    text = (
        f"Missed wake-up: {code(name_of(facts.model, wait.who))}{place_in(wait.site)} waited "
        f"{duration(wait.ns)} ({at(facts, wait.start_ns)}) for what a `threading.Timer` of "
        f"{duration(chain[-1].ns)} does. {len(chain) - 1} timers before it, started"
        f"{place_in(site)}, were cancelled, each for the next one. Set a moment after which "
        f"the timer is no longer put off."
    )
    return Finding("missed wake-up", lost, text, waits.evidence(wait))
