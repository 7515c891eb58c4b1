"""Who has the slots for which others wait: as the trace says, or by what they did."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.talks import (
    WITH_ONE,
    askers,
    family,
    is_talk,
    of_pool,
    of_tasks,
    of_threads,
    uses,
)
from viewer.analysis.resources.waits import Wait, Waits, longest_slices
from viewer.analysis.waited import package_of
from viewer.trace.columns import AWAIT, READY
from viewer.trace.sites import is_later, own_frames, place_of

_TASK = re.compile(r"\((\d+)\)(?:, |$)")
_JUST_NS = 50_000_000
_OF_GREENLETS = "pool slot"  # in gevent's `Pool`, each of which is a greenlet
_MANY = 8  # more who used a pool than that may all have given back
_MOST_AWAITS = 2_000  # of tasks that may be further on, the longest ones
_IN_VAIN = (s.CANCELLED, s.FAILED_PREFIX)
_AFTER_NS = 1_000_000_000  # a task that was cancelled longer ago is not to blame
_MOST = 8, 10
_HALF = 2  # whoever talks to the server for half of a wait has a connection all the while
_LISTENS = "message "  # what a connection is for as long as nobody closes it


def said(waits: Waits, vain: Iterable[Wait]) -> set[Who]:
    """The tasks that had the slots when these waits began, where the trace says so."""
    found, trace, task_of = set[Who](), waits.model.trace, waits.reading.ledger.task_of
    for wait in vain:
        held = str(trace.args(trace.slices.event[wait.slice]).get(s.ARG_HOLDERS, ""))
        process = waits.process(wait.who)
        tasks = (task_of(process, int(id_)) for id_ in _TASK.findall(held))
        found |= {("task", task) for task in tasks if task >= 0}
    return found


def size(waits: Waits, wait: Wait) -> int:
    """The pool's number of slots, as the library said; 0: it did not."""
    trace = waits.model.trace
    ends = (trace.slices.event[wait.slice], trace.slices.end_event[wait.slice])
    told = (trace.args(end).get(s.ARG_SLOTS, 0) for end in ends if end >= 0)
    return max(map(int, told), default=0)


# By where they are --------------------------------------------------------------------------


def parents(waits: Waits, vain: list[Wait]) -> set[Who]:
    """Those who meanwhile await something further on in the function in which others wait:
    they have got what these wait for. None, unless each of them made one that waits."""
    parent_of, own = waits.reading.ledger.parent_of, {wait.who for wait in vain}
    made = {("task", parent_of(which)) for kind, which in own if kind == "task"}
    longest = dict[str, Wait]()
    for wait in vain:
        longest[wait.site] = max(wait, longest.get(wait.site, wait), key=lambda one: one.ns)
    there = {who for site, wait in longest.items() for who in inside(waits, wait, site)} - own
    return there if there <= made else set()


def nobody_else(waits: Waits, vain: list[Wait]) -> set[Who]:
    """Greenlets that wait in vain for a place in a pool of greenlets, where all others only
    wait for the end of some: nobody else can have the places."""
    worst = max(vain, key=lambda wait: wait.ns)
    if any(wait.name != _OF_GREENLETS for wait in vain):
        return set()
    waiting = {wait.who for wait in vain}
    return waiting if not waits.free_meanwhile(worst, waiting) else set()


def further_in(vain: list[Wait]) -> tuple[set[Who], str]:
    """The tasks that wait in vain in what a function called behind the line at which others
    wait for the same: they have got there what these wait for. And that line."""
    lines = {place_of(wait.site)._replace(line=0): wait.site for wait in vain}
    found, taken_at = set[Who](), ""
    for wait in vain:
        for frame in own_frames(wait.stack)[1:]:
            site = lines.get(place_of(frame)._replace(line=0), "")
            if wait.who[0] == "task" and site and place_of(frame).line > place_of(site).line:
                found.add(wait.who)
                taken_at = site
    return found, taken_at


def passed(waits: Waits, wait: Wait) -> set[Who]:
    """Those that meanwhile wait for something else further on in the function in which one
    waits: they have got there what it waits for, and may have it still."""
    return {
        one.who
        for one in waits.overlapping(wait)
        if one.who != wait.who
        and _is_during(wait, one.start_ns, one.end_ns)
        and is_further_on(wait.site, one.stack)
    }


def inside(waits: Waits, wait: Wait, taken_at: str) -> set[Who]:
    """The tasks that meanwhile await something, a socket, a time or other tasks, further on
    in the function in which one takes what is waited for."""
    trace, owner, found = waits.model.trace, waits.model.owners.owner, set[Who]()
    process, least_ns = waits.process(wait.who), wait.ns * _MOST[0] // _MOST[1]
    for i in longest_slices(waits.reading, (AWAIT,), least_ns, _MOST_AWAITS):
        who: Who = ("task", owner[i])
        is_other = owner[i] >= 0 and who != wait.who
        if is_other and _is_during(wait, trace.slices.start_ns[i], trace.slices.end_ns[i]):
            stack = tuple(waits.reading.stack(i).split("\n"))
            if waits.process(who) == process and is_further_on(taken_at, stack):
                found.add(who)
    return found


def on_its_loop(waits: Waits, wait: Wait) -> set[Who]:
    """The tasks of the loop that a thread blocks as it waits in a step, which await something
    further on in a function in which it waits, or are ready there: they have got past that
    line."""
    (kind, thread), reading = wait.who, waits.reading
    if kind != "thread" or reading.on_loop_at(thread, wait.start_ns) < 0:
        return set()
    stacks, kinds = dict[Who, tuple[str, ...]](), waits.model.owners.kind
    rows = reading.ledger.rows_of_tasks
    for who in waits.living(wait):
        low, high = rows.offset[who[1]], rows.offset[who[1] + 1]
        last = bisect_right(rows.start_ns, wait.start_ns, low, high) - 1
        if last > low and kinds[rows.row[last]] == READY:
            last -= 1
        i = rows.row[last] if last >= low else -1
        is_its = reading.ledger.thread_of_task(who[1]) == thread
        if i >= 0 and is_its and kinds[i] == AWAIT:
            stacks[who] = tuple(reading.stack(i).split("\n"))
    by_frame = (
        {who for who, stack in stacks.items() if is_further_on(frame, stack)}
        for frame in own_frames(wait.stack)
    )
    return next(filter(None, by_frame), set())


def _is_during(wait: Wait, start_ns: int, end_ns: int) -> bool:
    met = min(end_ns, wait.end_ns) - max(start_ns, wait.start_ns)
    return met * _MOST[1] >= wait.ns * _MOST[0]


def is_further_on(site: str, stack: tuple[str, ...]) -> bool:
    """Whether a stack has the function of a line, at a later one."""
    here = place_of(site)
    places = map(place_of, own_frames(stack))
    return bool(here.function) and any(is_later(at, here) for at in places)


# By what they talk to -----------------------------------------------------------------------


def _lines(vain: list[Wait]) -> set[str]:
    return {wait.site for wait in vain}


def used_last(waits: Waits, vain: list[Wait]) -> set[Who]:
    """Those who used a library's pool before all who wait for it in vain did, if few did."""
    before, own = min(wait.start_ns for wait in vain), {wait.who for wait in vain}
    asked, made = askers(waits, package_of(vain[0].name), before, _lines(vain))
    if any(kind == "task" for kind, _ in own):  # tasks share theirs with tasks alone
        asked = {who: ns for who, ns in asked.items() if who[0] == "task"}
    asked = {who: ns for who, ns in asked.items() if who not in own}
    return _suspects(waits, vain, asked, made - own)


def _suspects(
    waits: Waits, vain: list[Wait], asked: dict[Who, int], made: set[Who]
) -> set[Who]:
    """Of those who asked the server, who need a connection for it, the ones that still lived
    when the waits were over, as many as there are connections, the last ones to ask. The very
    last one has got the last connection: where it has ended, so may others have that kept
    one. Else those that failed or were cancelled; else all, with those who made the pool.
    None, if they are many: they may all have given back."""
    last, how_it_ended = max(w.end_ns for w in vain), waits.reading.ledger.how_it_ended
    recent = sorted(asked, key=lambda who: (-asked[who], who))
    alive = [who for who in recent if waits.ends_ns(who) >= last - _JUST_NS]
    slots = size(waits, vain[0])
    if 0 < slots <= _MANY and alive[:1] != recent[:1]:
        alive = recent
    failed = {
        who for who in asked if who[0] == "task" and how_it_ended(who[1]).startswith(_IN_VAIN)
    }
    found = {*alive[: slots or None]} or failed or asked.keys() | made
    return found if len(found) <= _MANY else set()


def used_at(waits: Waits, vain: list[Wait], users: set[Who]) -> str:
    """The line at which these used a library's pool last before others waited for it in vain;
    "" where these are several."""
    package, before = package_of(vain[0].name), min(wait.start_ns for wait in vain)
    used = uses(waits, package, before, _lines(vain)) if users else ()
    last = {use.who: use.site for use in used if use.who in users}
    sites = set(last.values())
    return sites.pop() if len(sites) == 1 and len(last) == len(users) else ""


def listeners(waits: Waits, vain: list[Wait]) -> dict[Who, str]:
    """The tasks that took messages before, each by way of a connection that is good for
    nothing else until it is closed, and the line where each did last; {} if these are fewer
    than half of the pool's."""
    package, before = package_of(vain[0].name), min(wait.start_ns for wait in vain)

    def is_its(what: str) -> bool:
        return what.startswith(_LISTENS) and package_of(what) == package

    uses = of_tasks(waits, before, is_its) if package else ()
    found = {use.who: use.site for use in uses}
    return found if 0 < size(waits, vain[0]) <= len(found) * _HALF else {}


def are_all(waits: Waits, vain: list[Wait]) -> bool:
    """Whether all who asked the server before are among those who wait, and some are."""
    before, own = min(wait.start_ns for wait in vain), {wait.who for wait in vain}
    asked, _ = askers(waits, package_of(vain[0].name), before, _lines(vain))
    return bool(asked) and asked.keys() <= own


def nested(waits: Waits, vain: list[Wait]) -> dict[Who, str]:
    """The threads that wait, and the line where each used the pool before, if that is in a
    function that goes on around its wait: then they have what they wait for. {} where others
    may have it."""
    waiting, found = {wait.who: wait for wait in vain}, dict[Who, str]()
    others = set[Who]()
    last_ns = max(wait.start_ns for wait in vain)
    for use in of_threads(waits, package_of(vain[0].name), last_ns):
        if use.who not in waiting:
            others.add(use.who)
        elif use.start_ns < waiting[use.who].start_ns:
            found[use.who] = use.site
    for who, wait in waiting.items():
        functions = [place_of(frame).function for frame in own_frames(wait.stack)]
        if who not in found or place_of(found[who]).function not in functions[1:]:
            return {}
    return found if not others or 0 < size(waits, vain[0]) <= len(found) else {}


def in_use(waits: Waits, wait: Wait) -> set[Who]:
    """Those who talked to the pool's server for at least half of a wait."""
    talked, process = Counter[Who](), waits.process(wait.who)
    for use in uses(waits, package_of(wait.name), wait.end_ns, [wait.site]):
        met = min(use.end_ns, wait.end_ns) - max(use.start_ns, wait.start_ns)
        talked[use.who] += max(met, 0)
    return {
        who
        for who, ns in talked.items()
        if ns * _HALF >= wait.ns and waits.process(who) == process
    }


def have(waits: Waits, wait: Wait) -> set[Who]:
    """The tasks that probably have the slots for which a task waits: as the trace says, or
    those that used the library's connections before, and still live in a function that did."""
    found = said(waits, [wait])
    if found or wait.who[0] != "task":
        return found
    package, used_in = package_of(wait.name), defaultdict[Who, set[str]](set)

    def is_talk(what: str) -> bool:
        return what.startswith(WITH_ONE) and package_of(what) == family(package)

    used = of_tasks(waits, wait.start_ns, is_talk) if package else ()
    for use in of_pool(used, [wait.site]):
        if (
            use.end_ns <= wait.start_ns
            and use.who != wait.who
            and waits.ends_ns(use.who) >= wait.end_ns - _JUST_NS
        ):
            used_in[use.who].add(place_of(use.site).function)
    return {
        who for who, functions in used_in.items() if not _is_out(waits, wait, who, functions)
    }


def _is_out(waits: Waits, wait: Wait, who: Who, functions: set[str]) -> bool:
    """Whether a task that awaits others meanwhile has left all these functions."""
    for one in waits.for_tasks:
        if one.who == who and _is_during(wait, one.start_ns, one.end_ns):
            inside = {place_of(frame).function for frame in own_frames(one.stack)}
            return not inside & functions
    return False


# By what they left --------------------------------------------------------------------------


def cut_short(waits: Waits, vain: list[Wait]) -> dict[Who, str]:
    """The tasks that were cancelled as they asked the pool's library for a connection, within
    a second before others waited in vain, and the line of it: the one that they were to get
    may be lost with them."""
    package, before = package_of(vain[0].name), min(wait.start_ns for wait in vain)
    how, found = waits.reading.ledger.how_it_ended, dict[Who, str]()

    def is_its(what: str) -> bool:
        return package_of(what) == package and not is_talk(what, package)

    for use in of_tasks(waits, before, is_its) if package else ():
        end_ns = waits.ends_ns(use.who)
        is_last = 0 <= end_ns - use.end_ns <= _JUST_NS
        if is_last and 0 <= before - end_ns <= _AFTER_NS and how(use.who[1]) == s.CANCELLED:
            found[use.who] = use.site
    return found


def cancelled_before(waits: Waits, vain: list[Wait]) -> set[Who]:
    """Tasks that were cancelled shortly before: they may have had it."""
    until, own = max(wait.start_ns for wait in vain), {wait.who for wait in vain}
    found = set[Who]()
    for task in range(len(waits.model.owners.task_id)):
        who: Who = ("task", task)
        is_near = until - _AFTER_NS <= waits.ends_ns(who) <= until + _AFTER_NS
        how = waits.reading.ledger.how_it_ended(task) if is_near and who not in own else ""
        if how == s.CANCELLED:
            found.add(who)
    return found
