"""Time limits: calls that one ended in vain, and work that ends so again and again, since its
time is too short."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.findings.outside.reconnects import about
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.pools import pool_of
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.cuts import By, Cut, Cuts
from viewer.analysis.resources.failures import Failures
from viewer.analysis.states import begins_call, stack_of
from viewer.analysis.waited import For, waited_for
from viewer.trace.columns import AWAIT, IDLE_WAIT, IO, LOCK_WAIT, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, own_frames, place_of
from viewer.words import code

# Half a second was lost, a tenth at a time at least: shorter ones only look whether there is
# something.
_LONG_NS = 100 * MS
# Who makes the same call again, without a new connection, only looks whether something has
# come. Who is asked waits for clients, who need not say anything.
_CONNECTS = ("connect", "connect_ex", "getaddrinfo", "handshake")
_MOST = 1_000  # states of a thread in which its next call is looked for
_ASKED = ("accept", "recvfrom", "recvfrom_into")
_SERVES = ("/socketserver.py:", "/http/server.py:", "/gunicorn/", "/waitress/")
_READS = ("recv", "recv_into", "read")
_SENDS = ("send", "sendall", "sendmsg", "sendto", "write")
_LIMITS = ("TimeoutError", "timeout", "WantReadError")
_NO_NAME = "gaierror"
# Functions of clients that wait for what others send when they like.
_COMES = ("pop", "xread", "get_message", "listen", "consume", "receive")


class _Cut(NamedTuple):
    thread: int
    row: int
    start_ns: int
    ns: int
    site: str
    called: str  # the library's function that the program called there; "" none
    how: str  # the exception


def cut_short(facts: Facts) -> Iterator[Finding]:
    """Calls of a line that were all given up because of a time limit."""
    model = facts.model
    if model.trace.symbol(s.ARG_EXCEPTION) < 0:
        return
    table, told = model.states, LongWaits.of(facts).told
    rows = facts.rows_of((IO,), _LONG_NS)
    asked = {table.who[row] for row in rows if facts.call(table.row[row])[0].endswith(_ASKED)}
    cuts = [cut for row in rows if (cut := _cut(facts, row, asked)) is not None]
    looking = {(one.thread, table.row[one.row]) for one in cuts if _looks(facts, one.row)}
    alike = defaultdict[tuple[str, str, str], list[_Cut]](list)
    for one in cuts:
        name = facts.call(table.row[one.row])[0]
        is_told = table.slice[one.row] in told
        if not is_told and (one.thread, table.row[one.row]) not in looking:
            alike[one.site, name, one.how].append(one)
    for (site, name, how), every in alike.items():
        if sum(one.ns for one in every) >= LOST_NS:
            told.update(table.slice[one.row] for one in every)
            yield _finding(facts, site, name, how, every)


def _cut(facts: Facts, row: int, asked: set[int]) -> _Cut | None:
    model, table = facts.model, facts.model.states
    how = model.trace.text_of_slice(table.slice[row], s.ARG_EXCEPTION)
    thread, site = table.who[row], facts.call(table.row[row])[1]
    starter, _ = facts.ledger.starters.get(thread, (-1, -1))
    if how not in (*_LIMITS, _NO_NAME) or thread in asked or starter in asked:
        return None
    stack = stack_of(model, row)
    if is_library(site) or any(part in stack for part in _SERVES):
        return None
    called, start = _called(stack), table.start_ns[row]
    return _Cut(thread, row, start, table.end_ns[row] - start, site, called, how)


def _looks(facts: Facts, row: int) -> bool:
    """Whether its thread makes the same call again, and has not connected anew before."""
    table, of = facts.model.states, facts.ledger.rows_of_threads
    thread, end = table.who[row], table.end_ns[row]
    for place in of.begun(thread, end)[:_MOST]:
        after = of.row[place]
        if begins_call(table.state[after]):
            if table.row[after] == table.row[row]:
                return True
            if facts.call(table.row[after])[0].endswith(_CONNECTS):
                return False
    return False


def _other_side(facts: Facts, cut: _Cut) -> str:
    """`; `server` waited in `recv` …`: the only other one that reads from a socket all the
    time, in another process of the program."""
    model, table = facts.model, facts.model.states
    end, process = cut.start_ns + cut.ns, model.thread_process[cut.thread]
    reads = [
        row
        for row in facts.rows_of((IO,), _LONG_NS)
        if model.thread_process[table.who[row]] != process
        and facts.call(table.row[row])[0].rpartition(".")[2] in _READS
        and covers(
            min(end, table.end_ns[row]) - max(cut.start_ns, table.start_ns[row]), cut.ns
        )
    ]
    if len(reads) != 1:
        return ""
    name, site = facts.call(table.row[reads[0]])
    member = Family.of(model).name(model.thread_process[table.who[reads[0]]])
    return f", where {code(member)}{place_in(site)} itself waited in `{name}` for more"


def _finding(facts: Facts, site: str, name: str, how: str, every: list[_Cut]) -> Finding:
    worst, lost = max(every, key=lambda one: one.ns), sum(one.ns for one in every)
    within = f", in `{worst.called}`" if worst.called else ""
    is_name = how == _NO_NAME
    is_send = name.rpartition(".")[2] in _SENDS
    why = "no name server knew or answered" if is_name else "nothing came from the other side"
    why = "the other side did not read" if is_send else why
    other = "" if is_name or is_send else _other_side(facts, worst)
    what = (
        "that name and the name servers" if is_name else "what the other side does meanwhile"
    )
    step = f"Look at {what}; a shorter time limit loses less."
    if any(part in worst.called.rpartition(".")[2] for part in _COMES):
        step = (
            f"`{worst.called}` waits for what comes at any time: give it a shorter time-out "
            f"than the connection has, or raise that one, so that none is lost or made anew."
        )
    if other:
        step = "Each waits for the other: compare how much is sent with how much is read."
    text = (
        f"Waited in vain: {users(facts.model, (('thread', one.thread) for one in every))}"
        f"{place_in(site)} gave up {plural(len(every), 'wait')} in `{name}`{within}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}: {why}{other} ({how}). {step}"
    )
    evidence = facts.evidence_of(worst.row)
    return Finding("wait in vain", lost, text, evidence, about=about(site))


# A library has a time limit of its own for what it waits for inside a call of the program:
# half a second in all, a fifth at a time, in two calls. Between two such waits it only looks.
_ITS_LIMIT = ("Timeout", "TimedOut", "TimeLimit")
_GIVEN = ("TimeoutError", "Timeout")  # by the program, with the call
_INSTALLED = "-packages/"
_EACH_NS = 200 * MS
_CALLS = 2
_LOOKS_NS = 50 * MS
_MOST_LIMITS = 1_000  # exceptions at a line
_WAITING = (IO, SLEEP, LOCK_WAIT, IDLE_WAIT)


class _Call(NamedTuple):
    """A call of the program, in which a library's thread waited until it gave up."""

    who: Who
    start_ns: int
    ns: int
    row: int  # the longest of its waits


def library_gave_up(facts: Facts) -> Iterator[Finding]:
    """Calls of a line in which a library waited until its own time limit."""
    failures, told = Failures.of(facts), LongWaits.of(facts).told
    for (site, how), which in failures.by_line.items():
        if how in _GIVEN or not any(part in how for part in _ITS_LIMIT):
            continue
        found, raised, last_ns = list[_Call](), "", dict[Who, int]()
        for one in failures.told(which[:_MOST_LIMITS]):
            since_ns, last_ns[one.who] = last_ns.get(one.who, 0), one.at_ns
            call = (
                _waited(facts, one.who, site, since_ns, one.at_ns)
                if _INSTALLED in one.raised
                else None
            )
            if call is not None and facts.model.states.slice[call.row] not in told:
                found.append(call)
                raised = one.raised
        lost = sum(call.ns for call in found)
        if len(found) >= _CALLS and lost >= LOST_NS:
            yield _given_up(facts, site, f"`{how}`{place_in(raised)}", found, lost)


def _waited(facts: Facts, who: Who, site: str, since_ns: int, until_ns: int) -> _Call | None:
    """The waits of a thread at a line of the program, one after the other until a moment; not
    of one that waits for what others send when they like."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    kind, thread = who
    if kind != "thread":
        return None
    since, ns, longest = until_ns, 0, -1
    begun = rows.begun(thread, since_ns, until_ns)
    for n in reversed(begun[-_MOST:]):
        row = rows.row[n]
        if table.state[row] & STATE_MASK in _WAITING:
            if facts.site_of(row) != site or since - table.end_ns[row] > _LOOKS_NS:
                break
            since, ns = table.start_ns[row], ns + facts.row_ns(row)
            longest = (
                row if longest < 0 or facts.row_ns(row) > facts.row_ns(longest) else longest
            )
    if ns < _EACH_NS:
        return None
    stack = stack_of(facts.model, longest)
    if any(part in _called(stack) for part in _COMES):
        return None
    is_wait = table.state[longest] & STATE_MASK in (LOCK_WAIT, IDLE_WAIT)
    if is_wait and pool_of(facts.wait(longest)[0], (*stack.split("\n"),)):
        return None
    return _Call(who, since, ns, longest)


def _called(stack: str) -> str:
    """The library's function that the program called; "" none."""
    frames = stack.split("\n")
    own = next((n for n, frame in enumerate(frames) if not is_library(frame)), 0)
    return place_of(frames[own - 1]).function if own else ""


def _given_up(facts: Facts, site: str, how: str, found: list[_Call], lost: int) -> Finding:
    worst, table = max(found, key=lambda call: call.ns), facts.model.states
    called = _called(stack_of(facts.model, worst.row))
    text = (
        f"Waited in vain: {users(facts.model, (call.who for call in found))}{place_in(site)} "
        f"gave up {plural(len(found), 'call')} of {code(called)}, "
        f"{in_total(facts, lost, worst.ns, worst.start_ns)}: what it waited for did not come "
        f"before the library's own time limit ({how}). Look whether the other side is there; "
        f"while it is known not to be, fail at once, or with a shorter limit."
    )
    evidence = facts.evidence(worst.who, worst.start_ns, worst.ns, site)
    LongWaits.of(facts).told.update(table.slice[call.row] for call in found)
    return Finding("wait in vain", lost, text, evidence, about=about(site))


# Three times, at three different moments, and three quarters of a second in all: who asks two
# and takes the first answer cuts one short each time, but has the other; who ends his helpers
# cuts them short once.
_TIMES = 3
_MOMENT_NS = 20 * MS
_LOST_NS = 750 * MS
# It was a time limit: half were cut short within a seventh of the time that a quarter did not
# reach, and a fifth at most sooner.
_QUARTER, _SOONER = 4, 5
_ABOUT = 7
_LAST_NS = 5 * MS  # from its end to that of the task
# Tasks that await much more often at one line go round, until they are told to end.
_ROUNDS = 10
_MOST_TASKS = 2_000  # tasks
_NEAR = 12  # states before the end of a task
# Those are told of by no_answer.
_ANSWERS = tuple(
    f"{s.AWAIT_PREFIX}{what} (" for what in ("response", "query", "command", "connect", "DNS")
)
_ANSWER_NS = 500 * MS
# Of redis a command may be one that waits for a job (BLPOP); psycopg waits in pieces.
_IDLE = ("socket", "command (", "query (psycopg", "signal", "sleep_forever")


class _Given(NamedTuple):
    """A piece of work that was cut short at `end_ns`, and how long it had had."""

    cut: Cut
    ns: int


def time_outs(facts: Facts) -> Iterator[Finding]:
    """Tasks, or calls in one, that end by force each time, and do not come to their end."""
    by_line = defaultdict[tuple[str, str], list[Cut]](list)
    for cut in Cuts.of(LongWaits.of(facts)).all:
        what, site = facts.awaited(cut.i)
        if cut.by is not By.PROGRAM and _is_work(what.removeprefix(s.AWAIT_PREFIX)):
            by_line[what, site].append(cut)
    for (what, site), found in by_line.items():
        if len(found) >= _TIMES and not _is_told(what, found):
            yield from _of_line(facts, what, site, found)


def _is_work(what: str) -> bool:
    """Whoever waits for others, or for who comes when he likes, may wait for a moment only.
    Of waits for a slot other findings tell."""
    is_known = waited_for(what) in (For.CLOCK, For.OUTSIDE, For.CHILD)
    return (is_known or what.startswith("executor")) and not what.startswith(_IDLE)


def _is_told(what: str, found: list[Cut]) -> bool:
    return what.startswith(_ANSWERS) and all(cut.ns >= _ANSWER_NS for cut in found)


def _of_line(facts: Facts, what: str, site: str, found: list[Cut]) -> Iterator[Finding]:
    waits, owned = LongWaits.of(facts), facts.model.owners
    ends = [cut for cut in found if waits.ends_ns(("task", cut.task)) <= cut.end_ns + _LAST_NS]
    if len(ends) * 2 >= len(found):
        groups = {owned.task_group[cut.task] for cut in ends}
        every = [task for task, group in enumerate(owned.task_group) if group in groups]
        attempts = len(every)
        given = [*_ended(facts, every[:_MOST_TASKS], what, site)]
        rounds = sum(len(facts.awaits_at(one.cut.task, what, site)) for one in given)
    else:
        given = [_Given(cut, cut.ns) for cut in found if cut.by is By.TIMER]
        attempts = _attempts(facts, what, site, [one.cut for one in given])
        rounds = 0
    lost = sum(one.ns for one in given)
    if len(given) < _TIMES or lost < _LOST_NS or len(given) * 2 < attempts:
        return
    if rounds > _ROUNDS * len(given) or not _is_limit(given) or _moments(given) < _TIMES:
        return
    yield _too_short(facts, what, site, given, attempts)


def _ended(facts: Facts, tasks: list[int], what: str, site: str) -> Iterator[_Given]:
    """Those of these tasks that ended as their last such await was cut short."""
    waits, kind = LongWaits.of(facts), facts.model.owners.kind
    for task in tasks:
        rows = reversed(facts.ledger.rows_of_tasks.of(task)[-_NEAR:])
        last = (i for i in rows if kind[i] == AWAIT and facts.awaited(i) == (what, site))
        cut = next((Cuts.of(waits).cut(task, i) for i in last), None)
        if cut is None or cut.by is By.PROGRAM:
            continue
        if waits.ends_ns(("task", task)) <= cut.end_ns + _LAST_NS:
            yield _Given(cut, cut.end_ns - waits.begins_ns(("task", task)))


def _attempts(facts: Facts, what: str, site: str, found: list[Cut]) -> int:
    """How often these tasks awaited what was cut short. A library awaits several things in one
    call, such as the reset of a connection."""
    stack_of = LongWaits.of(facts).reading.stack
    stacks = {stack_of(cut.i) for cut in found}
    return sum(
        stack_of(i) in stacks
        for task in {cut.task for cut in found}
        for i in facts.awaits_at(task, what, site)
    )


def _is_limit(given: list[_Given]) -> bool:
    """Whether most ended after about the same time; a busy machine is late with some."""
    times = sorted(one.ns for one in given)
    limit = times[len(times) // _QUARTER]
    sooner = sum((limit - ns) * _ABOUT > limit for ns in times)
    about = sum(abs(ns - limit) * _ABOUT <= limit for ns in times)
    return sooner * _SOONER <= len(times) and about * 2 >= len(times)


def _moments(given: list[_Given]) -> int:
    ends = sorted(one.cut.end_ns for one in given)
    return 1 + sum(b - a > _MOMENT_NS for a, b in pairwise(ends))


def _too_short(
    facts: Facts, what: str, site: str, given: list[_Given], attempts: int
) -> Finding:
    worst, lost = max(given, key=lambda one: one.ns), sum(one.ns for one in given)
    usual = sorted(one.ns for one in given)[len(given) // 2]
    whos: list[Who] = [("task", one.cut.task) for one in given]
    stack = facts.stack(worst.cut.i).split("\n")
    frames = own_frames(stack)
    outer = next(
        (f for f in frames[1:] if place_of(f).function != place_of(site).function), ""
    )
    text = (
        f"Time-outs: {users(facts.model, whos)}{place_in(outer)} had about {duration(usual)} "
        f"for what takes longer. In {len(given):,} of {plural(attempts, 'attempt')} the time "
        f"ran out in `{what.removeprefix(s.AWAIT_PREFIX)}`{place_in(site)} (first "
        f"{at(facts, min(one.cut.end_ns for one in given))}): {duration(lost)} were lost."
    )
    step = (
        "Raise the time limit, or make what it waits for faster. What is asked again after a "
        "time-out begins anew and adds to the load."
    )
    start = worst.cut.end_ns - worst.ns
    evidence = facts.evidence(("task", worst.cut.task), start, worst.ns, site)
    return Finding("time-outs", lost, text, evidence, step, behind=site)
