"""What tasks and threads ask for again and again, with a pause in between."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from tracer import schema as s
from tracer.units import MS
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.resource import Claim, Hold, Known, Resource, size_of
from viewer.analysis.resources.waits import Waits
from viewer.analysis.states import stack_of
from viewer.trace.columns import SLEEP
from viewer.trace.sites import own_frames, place_of

# Three or more sleep three times or more in one helper, at a line at which nobody does
# anything else: they ask for something.
_WHO, _TIMES = 3, 3
_NEXT_NS = 5 * MS  # from one pause to the next: a question is quick
_MOST = 20_000
_SLEEP = f"{s.AWAIT_PREFIX}{s.SLEEP}"

type _Stack = tuple[str, ...]


def polled(
    waits: Waits, least_ns: int, is_told: Callable[[_Stack], object]
) -> Iterator[Resource]:
    """By line, where so much was lost; stacks that `is_told` are told otherwise."""
    for asked in _asked(waits, is_told).values():
        claims = [claim for claim in asked if claim.looks >= _TIMES]
        lost = sum(claim.ns for claim in claims)
        if lost < least_ns or len({claim.who for claim in claims}) < _WHO:
            continue
        holds = _holds(waits, claims, claims)
        # Whoever sleeps there once or twice may have asked as well: then it had none.
        if (size := size_of(claims, holds)) and size_of(claims, _holds(waits, claims, asked)):
            had = [hold for hold in holds if hold.start_ns <= claims[-1].end_ns]
            yield Resource(Known.ENDS, claims, had, size)


def _asked(waits: Waits, is_told: Callable[[_Stack], object]) -> dict[str, list[Claim]]:
    """By line, in order of begin: pauses of one, one after the other."""
    pauses: dict[tuple[str, Who], list[tuple[int, int]]] = defaultdict(list)
    for who, stack, start_ns, end_ns in (*_of_tasks(waits), *_of_threads(waits)):
        if (site := _helper(stack)) and not is_told(tuple(stack.split("\n"))):
            pauses[site, who].append((start_ns, end_ns))
    found: dict[str, list[Claim]] = defaultdict(list)
    for (site, who), times in pauses.items():
        since = 0
        for n, (last_ns, end_ns) in enumerate(times):
            is_last = n + 1 == len(times) or times[n + 1][0] - end_ns > _NEXT_NS
            if is_last:
                start_ns, looks = times[since][0], n + 1 - since
                found[site].append(Claim(who, start_ns, end_ns, site, last_ns, looks))
                since = n + 1
    for claims in found.values():
        claims.sort(key=lambda claim: claim.start_ns)
    return found


def _of_tasks(waits: Waits) -> Iterator[tuple[Who, str, int, int]]:
    trace, owner = waits.model.trace, waits.model.owners.owner
    is_there = trace.awaiting(_SLEEP.__eq__)
    rows = awaits_of(waits.reading, _SLEEP) if is_there else []
    for i in rows if len(rows) <= _MOST else ():
        stack = waits.reading.stack(i)
        yield ("task", owner[i]), stack, trace.slices.start_ns[i], trace.slices.end_ns[i]


def _of_threads(waits: Waits) -> Iterator[tuple[Who, str, int, int]]:
    table = waits.model.states
    rows = waits.reading.rows_of((SLEEP,), 0)
    for row in rows if len(rows) <= _MOST else ():
        stack = stack_of(waits.model, row)
        yield ("thread", table.who[row]), stack, table.start_ns[row], table.end_ns[row]


def _helper(stack: str) -> str:
    """The innermost line of the program, if another function of it called that."""
    own = own_frames(stack.split("\n"))
    if len(own) < 2 or place_of(own[1]).function == "<module>":
        return ""
    return own[0]


def _holds(waits: Waits, claims: list[Claim], questions: list[Claim]) -> list[Hold]:
    """The times of all that are like those who ask, in which they do not: from the end of
    their questions, or their begin, to the next question, or their end."""
    model = waits.model
    groups = {waits.kind(claim.who) for claim in claims}
    process = {waits.process(claim.who) for claim in claims}
    asked: dict[Who, list[Claim]] = defaultdict(list)
    for claim in questions:
        asked[claim.who].append(claim)
    every: list[Who] = [("task", task) for task in range(len(model.owners.task_id))]
    every += [("thread", thread) for thread in range(len(model.threads))]
    found = []
    for who in every:
        if waits.process(who) not in process or waits.kind(who) not in groups:
            continue
        since = waits.begins_ns(who)
        for claim in asked[who]:
            found.append(Hold(who, since, claim.start_ns))
            since = claim.end_ns
        found.append(Hold(who, since, waits.ends_ns(who)))
    return [hold for hold in found if hold.ns > MS]
