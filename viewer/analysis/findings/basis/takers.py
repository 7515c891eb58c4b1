"""Who has the slots for which others wait in vain: as the trace says, or by what they did."""

import re
from collections.abc import Iterable, Iterator

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits, name_of
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.waits import Wait, longest_slices
from viewer.analysis.states import stack_of
from viewer.analysis.waited import package_of
from viewer.trace.columns import AWAIT, IO
from viewer.trace.sites import innermost, own_frames, place_of
from viewer.words import code

_TASK = re.compile(r"\((\d+)\)(?:, |$)")
_WITH_ONE = ("query ", "command ", "response ", "body ", "message ")  # with a connection
_NOT_YET = ("connect (asyncpg)",)  # its pool connects before anybody asks for one
_ANY_DRIVER = "sqlalchemy"  # its pool has the connections of another package
_OF_DRIVERS = ("query ", "executor (aiosqlite)")
_JUST_NS = 50_000_000
_OF_GREENLETS = "pool slot"  # in gevent's `Pool`, each of which is a greenlet
_MANY = 8  # more who used a pool than that may all have given back
_NETWORK = ("socket.", "ssl.", "select.", "send", "recv", "poll", "connect")
_MOST_AWAITS = 2_000  # of tasks that may be further on, the longest ones
_IN_VAIN = (s.CANCELLED, s.FAILED_PREFIX)
_AFTER_NS = 1_000_000_000  # a task that was cancelled longer ago is not to blame


def said(facts: Facts, waits: Iterable[Wait]) -> set[Who]:
    """The tasks that had the slots when these waits began, where the trace says so."""
    found = set[Who]()
    for wait in waits:
        trace = facts.model.trace
        held = str(trace.args(trace.slices.event[wait.slice]).get(s.ARG_HOLDERS, ""))
        process = LongWaits.of(facts).process(wait.who)
        tasks = (facts.ledger.task_of(process, int(id_)) for id_ in _TASK.findall(held))
        found |= {("task", task) for task in tasks if task >= 0}
    return found


def parents(facts: Facts, waits: list[Wait]) -> set[Who]:
    """The creators of tasks that wait, if they run the same function and wait for these.

    Whoever is further in a function has passed the line at which the others wait.
    """
    owned, ledger, found = facts.model.owners, facts.ledger, set[Who]()
    waiting = {wait.who for wait in waits}
    for wait in waits:
        kind, task = wait.who
        if kind != "task":
            return set()
        parent = ledger.task_of(owned.task_process[task], owned.task_parent[task])
        is_same = parent >= 0 and owned.task_group[parent] == owned.task_group[task]
        lives = is_same and LongWaits.of(facts).ends_ns(("task", parent)) >= wait.end_ns
        if not lives or ("task", parent) in waiting:
            return set()
        found.add(("task", parent))
    return found


def used_last(facts: Facts, waits: list[Wait]) -> set[Who]:
    """Those who used a library's pool before all who wait for it in vain did, if few did."""
    package = package_of(waits[0].name)
    before = min(wait.start_ns for wait in waits)
    own = {wait.who for wait in waits}
    asked, made = askers(facts, package, before)
    if any(kind == "task" for kind, _ in own):  # tasks share theirs with tasks alone
        asked = {who: ns for who, ns in asked.items() if who[0] == "task"}
    asked = {who: ns for who, ns in asked.items() if who not in own}
    return _suspects(facts, waits, asked, made - own)


def used_at(facts: Facts, waits: list[Wait], users: set[Who]) -> str:
    """The line at which these tasks used a library's pool last before others waited for it in
    vain; "" where these are several."""
    package, before = package_of(waits[0].name), min(wait.start_ns for wait in waits)
    last = dict[Who, str]()
    for i in awaits_of(facts, s.AWAIT_PREFIX) if package else ():
        what, site = facts.awaited(i)
        who: Who = ("task", facts.model.owners.owner[i])
        is_before = facts.model.trace.slices.start_ns[i] < before
        if is_before and who in users and is_talk(what.removeprefix(s.AWAIT_PREFIX), package):
            last[who] = site
    sites = set(last.values())
    return sites.pop() if len(sites) == 1 and len(last) == len(users) else ""


def are_all(facts: Facts, waits: list[Wait]) -> bool:
    """Whether all who asked the server before are among those who wait, and some are."""
    before, own = min(wait.start_ns for wait in waits), {wait.who for wait in waits}
    asked, _ = askers(facts, package_of(waits[0].name), before)
    return bool(asked) and asked.keys() <= own


def askers(facts: Facts, package: str, before: int) -> tuple[dict[Who, int], set[Who]]:
    """Who asked the server by way of a package before a time, and when they did last; who only
    did something else."""
    model, asked = facts.model, dict[Who, int]()
    for who, _, start_ns, _ in used(facts, package, before):
        asked[who] = max(start_ns, asked.get(who, 0))
    made = set[Who]()
    for i in awaits_of(facts, s.AWAIT_PREFIX) if package else ():
        what = facts.model.trace.text(model.owners.code[i]).removeprefix(s.AWAIT_PREFIX)
        start_ns = model.trace.slices.start_ns[i]
        if start_ns < before:
            who = ("task", model.owners.owner[i])
            if is_talk(what, package):
                asked[who] = max(start_ns, asked.get(who, 0))
            elif package_of(what) == family(package) and what not in _NOT_YET:
                made.add(who)
    return asked, made


def _suspects(
    facts: Facts, waits: list[Wait], asked: dict[Who, int], made: set[Who]
) -> set[Who]:
    """Of those who asked the server, who need a connection for it, the ones that still lived
    when the waits were over, as many as there are connections, the last ones to ask; else
    those that failed or were cancelled; else all, with those who made the pool. None, if they
    are many: they may all have given back."""
    ends, last = LongWaits.of(facts).ends_ns, max(wait.end_ns for wait in waits)
    alive = [who for who in asked if ends(who) >= last - _JUST_NS]
    alive.sort(key=lambda who: (-asked[who], who))
    failed = {
        who for who in asked
        if who[0] == "task" and facts.ledger.how_it_ended(who[1]).startswith(_IN_VAIN)
    }  # fmt: skip
    found = {*alive[: size(facts, waits[0]) or None]} or failed or asked.keys() | made
    return found if len(found) <= _MANY else set()


def family(package: str) -> str:
    """The package that talks to the server, by that of the pool: psycopg of psycopg_pool."""
    return package.removesuffix("_pool")


def is_talk(what: str, package: str) -> bool:
    """Whether such a wait is for a server, by way of a connection of the package's pool."""
    if package == _ANY_DRIVER:
        return what.startswith(_OF_DRIVERS)
    if not what.startswith(_WITH_ONE):
        return False
    return package_of(what) == family(package)


def nobody_else(waits: LongWaits, vain: list[Wait]) -> set[Who]:
    """Greenlets that wait in vain for a place in a pool of greenlets, where all others only
    wait for the end of some: nobody else can have the places."""
    worst = max(vain, key=lambda wait: wait.ns)
    if any(wait.name != _OF_GREENLETS for wait in vain):
        return set()
    waiting = {wait.who for wait in vain}
    return waiting if not waits.free_meanwhile(worst, waiting) else set()


def further_in(waits: LongWaits, vain: list[Wait]) -> tuple[set[Who], str]:
    """The tasks that wait in vain in what a function called behind the line at which others
    wait for the same: they have got there what these wait for. And that line. All other tasks
    only wait for the end of some, so nobody else has one."""
    lines = {place_of(wait.site)._replace(line=0): wait.site for wait in vain}
    found, taken_at = set[Who](), ""
    for wait in vain:
        for frame in own_frames(wait.stack)[1:]:
            site = lines.get(place_of(frame)._replace(line=0), "")
            if wait.who[0] == "task" and site and place_of(frame).line > place_of(site).line:
                found.add(wait.who)
                taken_at = site
    worst = max(vain, key=lambda wait: wait.ns)
    if not found or waits.free_meanwhile(worst, {wait.who for wait in vain}):
        return set(), ""
    return found, taken_at


def nested(facts: Facts, waits: list[Wait]) -> dict[Who, str]:
    """The threads that wait, and the line where each used the pool before, if that is in a
    function that goes on around its wait: then they have what they wait for. {} where others
    may have it."""
    waiting, found = {wait.who: wait for wait in waits}, dict[Who, str]()
    others = set[Who]()
    last_ns = max(wait.start_ns for wait in waits)
    for who, site, at_ns, _ in used(facts, package_of(waits[0].name), last_ns):
        if who not in waiting:
            others.add(who)
        elif at_ns < waiting[who].start_ns:
            found[who] = site
    for who, wait in waiting.items():
        functions = [place_of(frame).function for frame in own_frames(wait.stack)]
        if who not in found or place_of(found[who]).function not in functions[1:]:
            return {}
    return found if not others or 0 < size(facts, waits[0]) <= len(found) else {}


def size(facts: Facts, wait: Wait) -> int:
    """The pool's number of slots, as the library said; 0: it did not."""
    trace = facts.model.trace
    ends = (trace.slices.event[wait.slice], trace.slices.end_event[wait.slice])
    said = (trace.args(end).get(s.ARG_SLOTS, 0) for end in ends if end >= 0)
    return max(map(int, said), default=0)


def used(facts: Facts, package: str, before: int) -> Iterator[tuple[Who, str, int, int]]:
    """Which threads talked to a server by way of a package: at which line of the user's, from
    when to when."""
    model, table = facts.model, facts.model.states
    part = f"-packages/{family(package)}/"
    if not package:
        return
    for row in facts.rows_of((IO,), 0):
        name = facts.call(table.row[row])[0]
        if table.start_ns[row] < before and name.startswith(_NETWORK):
            frames = stack_of(model, row).split("\n")
            site = innermost(frames)
            is_its = any(part in frame for frame in frames)
            if site and is_its and facts.on_loop_at(table.who[row], table.start_ns[row]) < 0:
                times = table.start_ns[row], table.end_ns[row]
                yield ("thread", table.who[row]), site, *times


def have(facts: Facts, wait: Wait) -> set[Who]:
    """The tasks that probably have the slots for which a task waits: as the trace says, or
    those that used the library's connections before, and still live."""
    found = said(facts, [wait])
    package = package_of(wait.name)
    if found or not package or wait.who[0] != "task":
        return found
    waits, model = LongWaits.of(facts), facts.model
    for name in _WITH_ONE:
        for i in awaits_of(facts, f"{s.AWAIT_PREFIX}{name}({family(package)})"):
            who: Who = ("task", model.owners.owner[i])
            before = model.trace.slices.end_ns[i] <= wait.start_ns
            if before and who != wait.who and waits.ends_ns(who) >= wait.end_ns - _JUST_NS:
                found.add(who)
    return found


def passed(facts: Facts, wait: Wait) -> set[Who]:
    """Those that meanwhile wait for something else further on in the function in which one
    waits: they have got there what it waits for, and may have it still."""
    others = ((one, one.stack) for one in LongWaits.of(facts).overlapping(wait))
    return {
        one.who
        for one, stack in others
        if one.who != wait.who
        and _is_during(wait, one.start_ns, one.end_ns)
        and _is_further_on(wait, stack)
    }


def passed_and_await(facts: Facts, wait: Wait) -> set[Who]:
    """The same, whatever those tasks await: a socket, a time, or other tasks."""
    trace, owner, found = facts.model.trace, facts.model.owners.owner, set[Who]()
    process = LongWaits.of(facts).process(wait.who)
    for i in longest_slices(facts, (AWAIT,), wait.ns * 8 // 10, _MOST_AWAITS):
        who: Who = ("task", owner[i])
        is_other = owner[i] >= 0 and who != wait.who
        if is_other and _is_during(wait, trace.slices.start_ns[i], trace.slices.end_ns[i]):
            stack = tuple(trace.text_of_slice(i, s.ARG_STACK).split("\n"))
            if LongWaits.of(facts).process(who) == process and _is_further_on(wait, stack):
                found.add(who)
    return found


def _is_during(wait: Wait, start_ns: int, end_ns: int) -> bool:
    met = min(end_ns, wait.end_ns) - max(start_ns, wait.start_ns)
    return met * 10 >= wait.ns * 8


def _is_further_on(wait: Wait, stack: tuple[str, ...]) -> bool:
    """Whether a stack has the function in which somebody waits, at a later line."""
    here = place_of(wait.site)
    places = map(place_of, own_frames(stack))
    return bool(here.function) and any(
        at._replace(line=here.line) == here and at.line > here.line for at in places
    )


def cancelled_before(facts: Facts, waits: list[Wait]) -> str:
    """` `refresh` was cancelled before`: who may have had it; "" where nobody was, or many."""
    model, until = facts.model, max(wait.start_ns for wait in waits)
    own, found = {wait.who for wait in waits}, set[str]()
    for task in range(len(model.owners.task_id)):
        who: Who = ("task", task)
        end = LongWaits.of(facts).ends_ns(who)
        is_near = until - _AFTER_NS <= end <= until + _AFTER_NS and who not in own
        if is_near and facts.ledger.how_it_ended(task) == s.CANCELLED:
            found.add(code(name_of(model, who)))
    return " and ".join(sorted(found)) if 0 < len(found) <= 2 else ""
