"""Timers that pile up, and those that are cancelled for the next one again and again."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.interpreter.growth import Counts, counts_of, growing
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import mentioned
from viewer.words import code

# Five hundred timers more, and ten times as many as there are tasks and connections: one for
# each of these is as it must be.
_MANY = 500
_TIMES = 10
# A timer that is put off is meant to be, as after each key that is pressed. Those who wait for
# it here came one after the other and put it off; half a second of waiting is lost, somebody
# waits three times as long as the timer takes (as does who comes last), and five were
# cancelled meanwhile.
_AS_LONG = 3
_CANCELLED = 5
_SEVERAL = 3
_TOGETHER_NS = 5 * MS
_TIMER = " Timer.run"


class _Timers(NamedTuple):
    process: int
    loop: int
    function: str
    site: str


def timers_pile_up(facts: Facts) -> Iterator[Finding]:
    """The number of a loop's timers grows to the end of the recording."""
    for of, every in counts_of(facts, _tracks(facts, s.TIMERS_PENDING_PREFIX)).items():
        counts = growing(every, _MANY)
        others = (s.COUNTER_TASKS, s.COUNTER_FILES)
        if not counts or counts[-1][1] < _TIMES * _most(facts, of.process, others):
            continue
        (since, first), (until, last) = counts[0], counts[-1]
        text = (
            f"Timers pile up: {first:,} of {code(of.function)} waited in a loop "
            f"{at(facts, since)}, {last:,} after {duration(until - since)}, and the number "
            f"rose all the time. They are set{place_in(of.site)}. Cancel a timer when what it "
            f"guards is done (`TimerHandle.cancel`), or let one timer handle all of them."
        )
        pid = facts.model.pid(of.process)
        evidence = Evidence(since, until - since, "", site=of.site, pid=pid)
        yield Finding("timers pile up", until - since, text, evidence)


def _tracks(facts: Facts, prefix: str) -> dict[int, _Timers]:
    trace, found = facts.model.trace, dict[int, _Timers]()
    for n in trace.tracks.below(s.TRACK_QUEUES):
        name = trace.tracks[trace.events.uuids[n]].name
        if name.startswith(prefix):
            loop, function, site = (*name.removeprefix(prefix).split(" ", 2), "", "")[:3]
            number = int(loop) if loop.isdecimal() else 0
            found[n] = _Timers(trace.track_process[n], number, function, site)
    return found


def _most(facts: Facts, process: int, names: tuple[str, ...]) -> int:
    """The highest value of such counters of a process."""
    trace = facts.model.trace
    tracks = {
        n: n
        for name in names
        for n in trace.tracks.named(name)
        if trace.track_process[n] == process
    }
    every = counts_of(facts, tracks).values()
    return max((value for counts in every for _, value in counts), default=0)


# Each of threading's timers is a thread. Fifty that wait at once, more and more for as long as
# they are set, are there for nothing but the time.
_THREADS = 50


def timer_threads(facts: Facts) -> Iterator[Finding]:
    """The number of threads that only wait for a `threading.Timer` grows."""
    for site, every in _timer_waits(facts).items():
        timers = [wait for wait in every if not wait.is_open]  # the others never exit
        counts = growing(_alive(timers), _THREADS) if len(timers) > _THREADS else []
        if not counts:
            continue
        (since, first), (until, last) = counts[0], counts[-1]
        longest = max(timers, key=lambda wait: wait.ns)
        text = (
            f"Timers pile up: {plural(first, 'thread')} waited for a `threading.Timer` "
            f"{at(facts, since)}, {last:,} after {duration(until - since)}, and the number "
            f"rose all the time; each waits for up to {duration(longest.ns)}. They are "
            f"started{place_in(site)}. Cancel a timer when the next one replaces it "
            f"(`Timer.cancel`), or let one thread handle all of them."
        )
        evidence = LongWaits.of(facts).evidence(longest)
        yield Finding("timers pile up", until - since, text, evidence)


def _alive(timers: list[Wait]) -> Counts:
    """How many of them wait, until the last one begins to."""
    ends = sorted(wait.end_ns for wait in timers)
    starts = sorted(wait.start_ns for wait in timers)
    return [(at_ns, n + 1 - bisect_right(ends, at_ns)) for n, at_ns in enumerate(starts)]


def _timer_waits(facts: Facts) -> dict[str, list[Wait]]:
    """The waits of threading's timers, by the line that starts them."""
    found = defaultdict[str, list[Wait]](list)
    if mentioned(facts.model, _TIMER):
        for wait in LongWaits.of(facts).all:
            if any(frame.endswith(_TIMER) for frame in wait.stack):
                found[facts.started_at(wait.who[1])].append(wait)
    return found


def put_off_for_all(facts: Facts) -> Iterator[Finding]:
    """Many wait for what a timer does that each of them sets anew."""
    cancelled = counts_of(facts, _tracks(facts, s.TIMERS_CANCELLED_PREFIX))
    if not cancelled:
        return
    by_name = {(of.process, of.function): (of, counts) for of, counts in cancelled.items()}
    waits, lanes = LongWaits.of(facts), LongWaits.of(facts).tree.lanes
    found = defaultdict[tuple[int, str], list[Wait]](list)
    for wait in waits.all:
        kind, which = wait.who
        if kind != "task" or wait.failed:
            continue
        after = lanes.after_await(which, wait.slice)
        event = facts.model.trace.slices.event[after] if after >= 0 else -1
        via = facts.model.trace.args(event).get(s.ARG_VIA) if event >= 0 else None
        key = waits.process(wait.who), str(via)
        if key in by_name:
            found[key].append(wait)
    for key, those in found.items():
        of, counts = by_name[key]
        runs = [run for run in _runs(those) if _is_put_off(run, counts)]
        if runs:
            yield _finding(facts, waits, of, runs, counts)


def _runs(those: list[Wait]) -> Iterator[list[Wait]]:
    """The waits that one run of the function has ended, for each run."""
    those.sort(key=lambda wait: wait.end_ns)
    run = those[:1]
    for wait in those[1:]:
        if wait.end_ns - run[-1].end_ns > _TOGETHER_NS:
            yield run
            run = []
        run.append(wait)
    yield run


def _is_put_off(run: list[Wait], counts: Counts) -> bool:
    longest, shortest = max(wait.ns for wait in run), min(wait.ns for wait in run)
    return (
        len(run) >= _SEVERAL
        and longest >= shortest * _AS_LONG
        and _lost(run) >= LOST_NS
        and _cancelled(run, counts) >= _CANCELLED
        and _put_off_by(run, counts)
    )


def _lost(run: list[Wait]) -> int:
    shortest = min(wait.ns for wait in run)
    return sum(wait.ns - shortest for wait in run)


def _cancelled(run: list[Wait], counts: Counts) -> int:
    """How many timers were cancelled meanwhile, at least."""
    times = [at_ns for at_ns, _ in counts]
    begun = bisect_right(times, min(wait.start_ns for wait in run)) - 1
    ended = bisect_left(times, max(wait.end_ns for wait in run)) - 1
    before = counts[begun][1] if begun >= 0 else 0
    return counts[ended][1] - before if ended >= 0 else 0


def _put_off_by(run: list[Wait], counts: Counts) -> bool:
    """Whether those who wait put it off: at least at half of the moments that are known
    somebody began to. Else it may be there to act when nothing happens any more."""
    starts = sorted(wait.start_ns for wait in run)
    times = [at_ns for at_ns, _ in counts if starts[0] <= at_ns <= run[-1].end_ns]
    near = sum(
        bisect_left(starts, at_ns + _TOGETHER_NS) > bisect_left(starts, at_ns - _TOGETHER_NS)
        for at_ns in times
    )
    return near * 2 >= len(times)


def _finding(
    facts: Facts, waits: LongWaits, of: _Timers, runs: list[list[Wait]], counts: Counts
) -> Finding:
    run = max(runs, key=_lost)
    every = [wait for one in runs for wait in one]
    worst, last = max(run, key=lambda one: one.ns), min(run, key=lambda one: one.ns)
    waits.told.update(wait.slice for wait in every)
    text = (
        f"Missed wake-up: {users(facts.model, (wait.who for wait in every))}"
        f"{place_in(worst.site)} waited up to {duration(worst.ns)} "
        f"({at(facts, worst.start_ns)}) for what {code(of.function)} does, which a timer of "
        f"at most {duration(last.ns)} is to call: that was cancelled{place_in(of.site)} "
        f"{plural(_cancelled(run, counts), 'time')} or more meanwhile, each time for a new "
        f"one. Limit how long the timer can be put off."
    )
    lost = sum(map(_lost, runs))
    return Finding("missed wake-up", lost, text, waits.evidence(worst))


# A timer that is put off is meant to be, as after each key that is pressed. This waits half a
# second and three times as long as one timer takes, and five were cancelled meanwhile.
_PUT_TIMES = 3
_NEXT_NS = 100 * MS  # from the end of one to the start of the next


def put_off(facts: Facts) -> Iterator[Finding]:
    """Somebody waits for a timer before which others were cancelled, each for the next."""
    lasts = {
        chain[-1].who: (site, chain)
        for site, those in _timer_waits(facts).items()
        if site
        for chain in _chains(those)
        if len(chain) > _CANCELLED
    }
    waits = LongWaits.of(facts)
    for wait in waits.all if lasts else ():
        site, chain = lasts.get(wait.ender or wait.who, ("", []))
        if not chain or wait.who == chain[-1].who or wait.failed:
            continue
        lost = wait.end_ns - max(wait.start_ns, chain[0].start_ns) - chain[-1].ns
        if lost >= max(LOST_NS, chain[-1].ns * (_PUT_TIMES - 1)):
            waits.told.add(wait.slice)
            yield _put_off_finding(facts, waits, wait, lost, chain, site)


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


def _put_off_finding(
    facts: Facts, waits: LongWaits, wait: Wait, lost: int, chain: list[Wait], site: str
) -> Finding:
    text = (
        f"Missed wake-up: {code(name_of(facts.model, wait.who))}{place_in(wait.site)} waited "
        f"{duration(wait.ns)} ({at(facts, wait.start_ns)}) for what a `threading.Timer` of "
        f"{duration(chain[-1].ns)} does. {len(chain) - 1} timers before it, started"
        f"{place_in(site)}, were cancelled, each for the next one. "
        f"Limit how long the timer can be put off."
    )
    return Finding("missed wake-up", lost, text, waits.evidence(wait))
