"""Waits that ran into their time-out: for an end, an item or a result that never came."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.causes.path import RunPath
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.whom import why
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.processes.forked import left_in_parent, locked_at_fork
from viewer.analysis.findings.vain.endedservers import no_consumer
from viewer.analysis.findings.vain.gone import ANSWERS, RESULTS, gone, no_worker_left
from viewer.analysis.findings.vain.missed import CONDITIONS, WAKEABLE, missed, woke_another
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.pools import pool_of
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.cuts import Cuts
from viewer.analysis.resources.enders import Enders
from viewer.analysis.resources.given import EVENTS, ended_one, is_pause, taker
from viewer.analysis.resources.slots import looks
from viewer.analysis.resources.takers import is_further_on
from viewer.analysis.resources.waits import GETS, LOCKS, PUTS, Wait
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, NATIVE, STATE_MASK
from viewer.trace.sites import is_library
from viewer.words import code, stem

_BARRIER = "Barrier.wait"
# Such waits are for what must come; in vain they lost half a second, whatever they are for. A
# lock that is tried for less than a fifth of a second may be skipped on purpose.
_TRIED_NS = 200 * MS
_MUST_COME = ("Future.result", "futures.wait", "AsyncResult.get", "executor", *PUTS,
              "Queue.join", _BARRIER, "Thread.join", *LOCKS)  # fmt: skip
# Others may only pace a loop: they count for tasks, for the main thread, and for one for which
# the end of the program waits meanwhile, from a second on, where nothing ever came; three or
# more of them are somebody who looks again and again, unless each looked once and ended when
# it gave up: at the same thing, or, where a task failed meanwhile, each at a thing of its own.
_LOOKS = 3
_THEN_NS = 50 * MS
_PILE = 8  # threads that somebody waited for in vain, as with workers that never exit
_PACE_NS = 1_000 * MS
_MOST = 10_000  # states of a thread between two waits for a result
_BACK = 100  # states of a thread in which its last line is looked for
_FOR_MORE = (*GETS, "Condition.wait", "Condition")


def vain_findings(facts: Facts) -> Iterator[Finding]:
    """Missed wake-ups, joins of queues whose items were never done, waits that timed out."""
    waits = LongWaits.of(facts)
    if not any(wait.failed for wait in waits.all):
        return
    yield from missed(facts, waits)
    yield from woke_another(facts, waits)
    yield from _never_done(facts, waits)
    yield from no_consumer(facts, waits)
    yield from _timed_out(facts, waits)


# Items that were never done ------------------------------------------------------------------


def _never_done(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Queue.join waits, though all who get from queues have nothing to do."""
    for wait in waits.all:
        if wait.name != "Queue.join" or not wait.failed or wait.cancelled:
            continue
        if wait.ns < LOST_NS or wait.slice in waits.told:
            continue
        idle = [
            other
            for other in waits.overlapping(wait)
            if other.name == "Queue.get" and other.covers(wait)
        ]
        if not idle:
            continue
        waits.told.add(wait.slice)
        one = idle[0]
        who = users(facts.model, (other.who for other in idle))
        text = (
            f"Waited in vain: {code(name_of(facts.model, wait.who))}{place_in(wait.site)} "
            f"waited {duration(wait.ns)} in `Queue.join` ({at(facts, wait.start_ns)}), though "
            f"{who}{place_in(one.site)} had nothing to do in `Queue.get` for most of it: some "
            f"items were never marked as done. Call `task_done` for each item, in a `finally`."
        )
        yield Finding("wait in vain", wait.ns, text, waits.evidence(wait))


# Waits that timed out ------------------------------------------------------------------------


def _timed_out(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Long waits at one line that all timed out."""
    enders = Enders.of(waits)
    alike: dict[tuple[str, str], list[Wait]] = defaultdict(list)
    for wait in waits.all:
        if wait.name in _MUST_COME or wait.name in WAKEABLE:
            alike[wait.name, wait.site].append(wait)
    for (name, site), every in alike.items():
        found = looks(every) if name in CONDITIONS else every
        found = without_handlers(facts, found) if name in RESULTS else found
        vain = [w for w in found if w.failed and not w.is_open and w.slice not in waits.told]
        if name in LOCKS:
            vain = [wait for wait in vain if wait.ns >= _TRIED_NS]
        if vain and name == _BARRIER:  # one that gives up ends all
            vain = found
        lost = sum(wait.ns for wait in vain)
        if not vain or any(wait.cancelled for wait in found) or pool_of(name, vain[0].stack):
            continue
        if name in _MUST_COME:
            is_all = name == _BARRIER or all(w.failed for w in found)
            if lost < LOST_NS or not (is_all or no_worker_left(facts, vain[0])):
                continue
        elif not _is_missing(facts, found, lost):
            continue
        worst = max(vain, key=lambda wait: wait.ns)
        if (piled := _left_alone(facts, waits, vain)) is not None:
            yield piled
            continue
        if name not in LOCKS and (left := left_in_parent(facts, vain)) is not None:
            yield left
            continue
        blocked = enders.whom(worst)
        if blocked is None and name in LOCKS and (forked := locked_at_fork(facts, vain)):
            yield forked
            continue
        who = users(facts.model, (wait.who for wait in vain))
        text = (
            f"Waited in vain: {who}{place_in(site)} gave up {plural(len(vain), 'wait')} in "
            f"`{name}`, {in_total(facts, lost, worst.ns, worst.start_ns)}"
        )
        if blocked is not None:
            text += f"; the longest was {why(facts, worst, blocked)}"
            times = [(who, worst.start_ns, worst.end_ns) for who in blocked.by[:4]]
            is_over = blocked.failed_ns >= 0
            did = "" if is_over else doing(facts, times, name_of(facts.model, worst.who))
            text += f", which spent {did}" if did else ""
            text += (
                _last_seen(facts, blocked.by[0], worst.end_ns) if len(blocked.by) == 1 else ""
            )
        else:
            text += gone(facts, found, worst) or (
                _nobody(facts, vain, every)
                + _failures(facts, vain)
                + _idle_again(facts, worst)
            )
        text += ". Look at what should have ended it, and whether it was ever started."
        yield Finding("wait in vain", lost, text, waits.evidence(worst))


def _last_seen(facts: Facts, who: Who, end_ns: int) -> str:
    """` after a call in `fetch` (app.py:9)`: where a thread was in the user's code before it
    began a call that is not over, which has no line."""
    kind, which = who
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    if kind != "thread":
        return ""
    before = rows.begun(which, 0, end_ns)[-_BACK:]
    if not before or table.state[rows.row[before[-1]]] & STATE_MASK not in (IO, NATIVE):
        return ""
    for place in reversed(before):
        row = rows.row[place]
        is_call = table.state[row] & STATE_MASK == IO
        site = facts.call(table.row[row])[1] if is_call else ""
        if site and not is_library(site):
            return "" if place == before[-1] else f" after a call{place_in(site)}"
    return ""


def _left_alone(facts: Facts, waits: LongWaits, vain: list[Wait]) -> Finding | None:
    """Threads that were joined in vain, with time-outs, and are there after the last."""
    if vain[0].name != "Thread.join" or len(vain) < _PILE:
        return None
    last = max(vain, key=lambda wait: wait.end_ns)
    whom = Enders.of(waits).whom
    joined = {who for wait in vain if (b := whom(wait)) is not None for who in b.by}
    alive = {who for who in joined if waits.ends_ns(who) >= last.end_ns}
    if len(alive) < _PILE:
        return None
    did = doing(facts, [(who, last.start_ns, last.end_ns) for who in alive])
    lives = sum(last.end_ns - facts.model.states.first_ns[which] for _, which in alive)
    text = (
        f"Threads pile up: {code(name_of(facts.model, last.who))}{place_in(last.site)} waited "
        f"for one thread after the other, gave up {plural(len(vain), 'wait')} in "
        f"`Thread.join`, and {users(facts.model, alive)} are still alive"
        f"{f'; during the last wait they spent {did}' if did else ''}. "
        f"A thread cannot be stopped from outside: give what it does a time-out of its own."
    )
    about = frozenset(stem(name_of(facts.model, who)) for who in alive)
    return Finding("workers never exit", lives, text, waits.evidence(last), about=about)


def _is_missing(facts: Facts, found: list[Wait], lost: int) -> bool:
    """Whether waits that may pace a loop are for something that never came."""
    if lost < _PACE_NS:
        return False
    if any(not wait.failed for wait in found):
        return _some_never_came(facts, found)
    if found[0].name in GETS or any(wait.is_open for wait in found):
        return False
    is_one = len(found) == 1 and found[0].who[0] == "task"
    if is_one and not (
        _failed(facts, found)
        or _cut_short(facts, found)
        or ended_one(LongWaits.of(facts), found[0])
    ):
        return False  # until a time is over, as a program runs, or for what comes seldom
    if len(found) >= _LOOKS and not _gave_up_together(facts, found):
        return False
    if len(found) < _LOOKS and all(is_pause(LongWaits.of(facts), wait) for wait in found):
        return False
    return all(wait.who[0] == "task" or _holds_up_the_end(facts, wait) for wait in found)


def _holds_up_the_end(facts: Facts, wait: Wait) -> bool:
    """Whether it is the main thread's, or the end of the program waited for that thread."""
    path = RunPath.of(facts.model)
    return LongWaits.of(facts).is_main(wait.who) or covers(
        path.ns_of(wait.who[1], wait.start_ns, wait.end_ns), wait.ns
    )


def _some_never_came(facts: Facts, found: list[Wait]) -> bool:
    """Whether the futures that were set took half as long at most, and whoever gave up had
    waited once, and ended. Of threads that wait for an answer each time, whether the last ones
    never came."""
    vain, waits = [wait for wait in found if wait.failed], LongWaits.of(facts)
    longest = max(wait.ns for wait in found if not wait.failed)
    if found[0].who[0] == "thread":
        last = {wait.who: wait for wait in found}
        return (
            len(found) - len(vain) >= ANSWERS
            and all(last[wait.who] is wait and waits.is_for_one(wait) for wait in vain)
            and all(wait.ender is not None for wait in found if not wait.failed)
            and min(wait.ns for wait in vain) >= 2 * longest
        )
    return (
        found[0].name == "future"
        and len(vain) > 1
        and len({wait.who for wait in found}) == len(found)
        and min(wait.ns for wait in vain) >= 2 * longest
        and all(waits.ends_ns(wait.who) - wait.end_ns <= _THEN_NS for wait in vain)
    )


def _gave_up_together(facts: Facts, found: list[Wait]) -> bool:
    """Whether each waited once, for one thing or as a task failed, and ended as it gave up."""
    waits = LongWaits.of(facts)
    once = len({wait.who for wait in found}) == len(found)
    same = len({wait.lock for wait in found}) == 1 and found[0].lock >= 0
    return (
        once
        and all(waits.ends_ns(wait.who) - wait.end_ns <= _THEN_NS for wait in found)
        and (same or bool(_failures(facts, found)))
    )


def _failures(facts: Facts, found: list[Wait]) -> str:
    """`; `worker` failed meanwhile (KeyError)`: tasks that ended so while all waited; or those
    whose await further on in the same function was cut short."""
    if any(wait.who[0] != "task" for wait in found):
        return ""
    if cut := _cut_short(facts, found):
        where, were = place_in(min(cut.values())), "was" if len(cut) == 1 else "were"
        return f"; {users(facts.model, cut)}, further on there{where}, {were} cut short"
    if len(found) < _LOOKS:
        return ""
    failed = _failed(facts, found)
    if not failed:
        return ""
    how = {facts.ledger.how_it_ended(task).removeprefix(s.FAILED_PREFIX) for _, task in failed}
    return f"; {users(facts.model, failed)} failed meanwhile ({', '.join(sorted(how)[:2])})"


def _failed(facts: Facts, found: list[Wait]) -> set[Who]:
    """Other tasks that ended with an exception while all of these waited."""
    waits, owned = LongWaits.of(facts), facts.model.owners
    since = max(wait.start_ns for wait in found)
    until = min(wait.end_ns for wait in found) - _THEN_NS
    processes, waiting = {waits.process(wait.who) for wait in found}, {w.who for w in found}
    failed: set[Who] = {
        ("task", task)
        for task, process in enumerate(owned.task_process)
        if process in processes
        and since <= waits.ends_ns(("task", task)) <= until
        and facts.ledger.how_it_ended(task).startswith(s.FAILED_PREFIX)
    }
    return failed - waiting


def _cut_short(facts: Facts, found: list[Wait]) -> dict[Who, str]:
    """The tasks that got past the line at which all of these wait, and that a cut of an await
    behind it ended meanwhile: what they were to do is never done. And the lines of these."""
    waits, cut_at = LongWaits.of(facts), dict[Who, str]()
    since = max(wait.start_ns for wait in found)
    until = min(wait.end_ns for wait in found) - _THEN_NS
    for cut in Cuts.of(waits).all if found[0].who[0] == "task" else ():
        who: Who = ("task", cut.task)
        is_then = since <= cut.end_ns <= until
        if (
            is_then
            and waits.ends_ns(who) - cut.end_ns <= _THEN_NS
            and is_further_on(found[0].site, tuple(facts.stack(cut.i).split("\n")))
        ):
            cut_at[who] = facts.awaited(cut.i)[1]
    return cut_at


def _idle_again(facts: Facts, wait: Wait) -> str:
    """`: `db`, which it had woken just before, went back …`; "" where there is none."""
    is_asked = wait.name in EVENTS and wait.who[0] == "thread"
    idle = taker(LongWaits.of(facts), wait) if is_asked else None
    if idle is None or idle.name not in _FOR_MORE:
        return ""
    return (
        f": {code(name_of(facts.model, idle.who))}, which it had woken just before, went back "
        f"to wait for more in `{idle.name}`{place_in(idle.site)}, so what it did with that "
        f"never told the waiter"
    )


def _nobody(facts: Facts, vain: list[Wait], every: list[Wait]) -> str:
    """Nobody ended a wait, or only so that its waiter waited again at once."""
    begun = {wait.slice: wait.start_ns for wait in every}
    woken = sum(begun[wait.slice] != wait.start_ns for wait in vain)
    if not woken:
        ended = f"; nothing ended {'it' if len(vain) == 1 else 'any of them'}"
        return ended + _no_taker(LongWaits.of(facts), vain)
    return f"; {woken} of them had been woken meanwhile and waited again at once"


def _no_taker(waits: LongWaits, vain: list[Wait]) -> str:
    """That no other task is there that could take something out of a full queue."""
    worst = max(vain, key=lambda wait: wait.ns)
    if worst.name not in PUTS or worst.who[0] != "task":
        return ""
    full = {one.who for one in waits.overlapping(worst) if one.name in PUTS and one.failed}
    if waits.free_meanwhile(worst, full):
        return ""
    return ", and nobody else was there who could take something out"


def without_handlers(facts: Facts, waits: list[Wait]) -> list[Wait]:
    """Waits for results of which the pieces before and after a signal handler are one."""
    found = list[Wait]()
    for wait in waits:
        before = found[-1] if found else None
        is_same = before is not None and (before.who, before.lock) == (wait.who, wait.lock)
        if before is not None and is_same and _runs_inside(facts, before, wait):
            found[-1] = wait._replace(start_ns=before.start_ns)
        else:
            found.append(wait)
    return found


def _runs_inside(facts: Facts, before: Wait, wait: Wait) -> bool:
    """Whether something ran between two waits that was called while the first one waited."""
    if wait.name not in RESULTS or wait.who[0] != "thread":
        return False
    rows, inner = facts.ledger.rows_of_threads, "\n" + "\n".join(before.stack)
    between = rows.begun(wait.who[1], before.end_ns, wait.start_ns)[:_MOST]
    return any(inner in stack_of(facts.model, rows.row[n]) for n in between)
