"""Locks that threads and tasks of the program poll: in redis, in a file, in diskcache."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.databases import evidence
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.queries import Call, calls_of
from viewer.analysis.findings.basis.waits import LongWaits, inside, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, processes
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.takers import is_further_on
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import IO, SLEEP
from viewer.trace.sites import innermost, own_frames, place_of
from viewer.words import code

# The pauses between attempts cost half a second in all.
# Part of a file's path, and what such a lock is called.
_FILE = "file lock"
_LOCKS = (
    ("/redis/lock.py", "redis lock"),
    ("/redis/asyncio/lock.py", "redis lock"),
    ("/diskcache/recipes.py", "diskcache lock"),
    ("/filelock/", _FILE),
    ("/portalocker/", _FILE),
    ("/fasteners/", _FILE),
)
_POLLS = f"{s.AWAIT_PREFIX}lock ("
_ANSWERS = f"{s.AWAIT_PREFIX}command ("


def polled_lock(facts: Facts) -> Iterator[Finding]:
    """Somebody asks for a lock again and again, since another one has it for long."""
    by_lock = defaultdict[tuple[str, str], list[Call]](list)
    holds = defaultdict[str, list[Call]](list)
    kept: list[Call] = []  # by whoever took a lock and did not give it back
    for calls in _calls(facts).values():
        since: dict[str, int] = {}
        last: Call | None = None
        for call in sorted(calls, key=lambda call: call.start_ns):
            last = call
            if call.is_opening:  # between attempts
                by_lock[call.name, call.site].append(call)
            elif call.ends:
                start_ns = since.pop(call.name, 0)
                if start_ns:
                    holds[call.name].append(Call(call.who, start_ns, call.start_ns, "", ""))
            else:
                since[call.name] = call.end_ns
        if last is not None and not last.is_opening and not last.ends:
            kept.append(last)
    for (lock, site), polls in by_lock.items():
        lost = sum(poll.ns for poll in polls)
        if lost >= LOST_NS:
            left = _left(facts, polls, kept, holds[lock])
            yield left or _finding(facts, lock, site, polls, holds[lock], lost)


def _finding(
    facts: Facts, lock: str, site: str, polls: list[Call], holds: list[Call], lost: int
) -> Finding:
    first = min(polls, key=lambda poll: poll.start_ns)
    of = {LongWaits.of(facts).process(poll.who) for poll in polls}
    who = users(facts.model, (poll.who for poll in polls))
    who = processes(facts, of) if len(of) > 1 else who
    did = doing(facts, [(hold.who, hold.start_ns, hold.end_ns) for hold in holds])
    text = (
        f"Lock convoy: {who} poll{'' if ' and ' in who or who[0].isdigit() else 's'} a {lock}"
        f"{place_in(site)}: {plural(len(polls), 'pause')} between attempts, "
        f"{duration(lost)} in total ({at(facts, first.start_ns)})"
    )
    if holds:
        mean = sum(hold.ns for hold in holds) // len(holds)
        text += (
            f". It is held for {duration(mean)} on average"
            f"{f', {did}' if did else ''}, by {users(facts.model, (h.who for h in holds))}"
        )
    elif past := _past(facts, site, polls):
        had, did = _taker(facts, past[0][0], first.who), doing(facts, past)
        text += (
            f". {had} was further on in {code(place_of(site).function)} meanwhile"
            f"{f', {did}' if did else ''}: it holds the lock"
        )
    elif lock == _FILE:
        text += ". Nobody in the trace holds it for long: another program may hold it"
        if caller := _own_caller(facts, polls):
            name = code(place_of(caller).function, caller)
            text += f", or {name}, which called that, has it, by a lock object of its own"
    less = (
        "if it is held for less than a pause, poll more often (`poll_interval` of filelock)"
        if lock == _FILE
        else "lock less per key"
    )
    text += f". Do the slow part outside the lock, or {less}."
    about = {inside(name_of(facts.model, poll.who), poll.site) for poll in polls}
    return Finding("lock convoy", lost, text, evidence(facts, first), about=frozenset(about))


def _own_caller(facts: Facts, polls: list[Call]) -> str:
    """The line of the program that called the function which asks, where nobody else of the
    trace ever asked for such a lock: it may have the lock itself. "" it is not known."""
    if len(facts.model.trace.processes) > 1 or len({poll.who for poll in polls}) > 1:
        return ""
    (kind, thread), since = polls[0].who, polls[0].start_ns
    rows = facts.ledger.rows_of_threads
    begun = rows.begun(thread, since, since + 1) if kind == "thread" else range(0)
    own = own_frames(stack_of(facts.model, rows.row[begun[0]]).split("\n")) if begun else []
    return own[1] if len(own) > 1 and place_of(own[1]).function != "<module>" else ""


def _past(facts: Facts, site: str, polls: list[Call]) -> list[tuple[Who, int, int]]:
    """The calls of the only one who is further on in the function that asks for the lock,
    nearly all the time in which others ask."""
    start = min(poll.start_ns for poll in polls)
    end, table = max(poll.end_ns for poll in polls), facts.model.states
    calls = defaultdict[Who, list[tuple[Who, int, int]]](list)
    for row in facts.rows_of((IO, SLEEP), 0):
        who, since, until = ("thread", table.who[row]), table.start_ns[row], table.end_ns[row]
        if since >= end or until <= start:
            continue
        stack = stack_of(facts.model, row) or facts.call(table.row[row])[1]
        if is_further_on(site, tuple(stack.split("\n"))):
            calls[who].append((who, max(since, start), min(until, end)))
    most = [
        own for own in calls.values() if covers(sum(to - at for _, at, to in own), end - start)
    ]
    return most[0] if len(most) == 1 else []


def _left(
    facts: Facts, polls: list[Call], kept: list[Call], holds: list[Call]
) -> Finding | None:
    """Others ask in vain, after somebody had taken the lock and ended without giving it back:
    until its own time is over."""
    ends_ns = LongWaits.of(facts).ends_ns
    for took in sorted(kept, key=lambda call: call.end_ns):
        if any(hold.start_ns <= took.end_ns <= hold.end_ns for hold in holds):
            continue  # another one had it: this one gave up
        end_ns = ends_ns(took.who)
        after = [poll for poll in polls if poll.start_ns >= took.end_ns]
        until = min((hold.start_ns for hold in holds if hold.start_ns > end_ns), default=0)
        vain = [poll for poll in after if not until or poll.start_ns < until]
        # At another line it is the same lock where nobody else had one of the kind since.
        is_its = took.name == polls[0].name and (took.site == polls[0].site or not holds)
        lost = sum(poll.ns for poll in vain if poll.end_ns > end_ns)
        order = sorted(vain, key=lambda poll: poll.start_ns)
        first, last = (order[0], order[-1]) if order else (took, took)
        if not is_its or lost < LOST_NS or last.end_ns - end_ns < LOST_NS:
            continue
        who = users(facts.model, (poll.who for poll in vain))
        text = (
            f"Slots never returned: {_taker(facts, took.who, polls[0].who)} took a "
            f"{took.name}{place_in(took.site)} ({at(facts, took.start_ns)}), and ended "
            f"without giving it back. {who} polled it for {duration(last.end_ns - end_ns)} "
            f"after that, {duration(lost)} in total, until its own time ran out or they "
            f"gave up. Use `with`, or release it in a `finally`."
        )
        return Finding("slots never returned", lost, text, evidence(facts, first))
    return None


def _taker(facts: Facts, who: Who, waiter: Who) -> str:
    """Its name; of one in another process, that of the process."""
    waits, members = LongWaits.of(facts), Family.of(facts.model).members
    process = waits.process(who)
    is_other = process != waits.process(waiter) and process in members
    return code(members[process].name if is_other else name_of(facts.model, who))


def _calls(facts: Facts) -> dict[Who, list[Call]]:
    """By thread or task what it did in the code of such a lock: pauses (`is_opening`),
    questions, and the calls that give it back (`ends`)."""
    model, table = facts.model, facts.model.states
    found = defaultdict[Who, list[Call]](list)
    if not mentioned(facts.model, *(part for part, _ in _LOCKS)):
        return found
    calls = calls_of(facts, (IO, SLEEP))
    awaits = [(prefix, i) for prefix in (_POLLS, _ANSWERS) for i in awaits_of(facts, prefix)]
    for row in calls:
        stack = stack_of(model, row)
        is_tasks = facts.on_loop_at(table.who[row], table.start_ns[row]) >= 0
        if not is_tasks and (of := known_lock(stack)) is not None:
            lock, site, gives_back = of
            who: Who = ("thread", table.who[row])
            is_pause = facts.call(table.row[row])[0] == s.SLEEP
            start, end = table.start_ns[row], table.end_ns[row]
            found[who].append(Call(who, start, end, lock, site, is_pause, gives_back))
    for prefix, i in awaits:
        of = known_lock(facts.stack(i))
        if of is not None:
            lock, site, gives_back = of
            who = ("task", model.owners.owner[i])
            start, end = model.trace.slices.start_ns[i], model.trace.slices.end_ns[i]
            is_pause = prefix == _POLLS
            found[who].append(Call(who, start, end, lock, site, is_pause, gives_back))
    return found


@lru_cache(maxsize=4096)
def known_lock(stack: str) -> tuple[str, str, bool] | None:
    """Of a stack in the code of such a lock: its name, the user's line, and whether it gives
    the lock back."""
    frames = stack.split("\n")
    for n, frame in enumerate(frames):
        for part, name in _LOCKS:
            if part in frame:
                user = innermost(frames[n:])
                gives_back = any(
                    "release" in place_of(f).function for f in frames[n:] if part in f
                )
                return name, user, gives_back
    return None
