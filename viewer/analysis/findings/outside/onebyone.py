"""Many short calls at one line, one after the other, for which the whole program waits, or
somebody who gave a worker something to do, such as a request."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain, compress, islice, takewhile
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural, share
from viewer.analysis.causes.path import RunPath
from viewer.analysis.findings.basis.calls import size_read
from viewer.analysis.findings.basis.databases import is_locked
from viewer.analysis.findings.basis.facts import LOST_NS, NOT_ITS_FAULT, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at, names
from viewer.analysis.findings.outside.reconnects import is_connecting
from viewer.analysis.ledger.resource import window
from viewer.analysis.resources.connections import is_own
from viewer.analysis.states import at_least, begins_call, having, keys, stack_of
from viewer.trace.columns import IDLE_WAIT, IO, STATE_MASK, Column, Lanes
from viewer.trace.sites import innermost, is_library, place_of

# As advice: twenty calls, half a second in all, and half of what the end of the program waited
# for from the first to the last, so that it would have come that much sooner. What the kernel
# took does not count. Ten are enough for a second.
_TIMES = 20
_FEW, _MUCH_NS = 10, 1_000 * MS
_HALF = 1, 2
# Of what a worker does between two waits for work, a third is enough: whoever asks less often
# has less to do with the answers as well. Half a second is lost in all, in two such times.
_THIRD = 1, 3
_JOBS = 2
_EACH = 5  # calls for each request, or each other time that somebody waits for the thread
# An answer takes as long as somebody else needs for it: four fifths. Where a quarter of the
# calls are of others meanwhile, several ask already.
_MOSTLY = 8, 10
_DISK = (
    "Each call waits for the disk: write many, then sync once, where all may be lost together."
)
_TRANSACTION = (
    "Each such call ends a transaction, which waits for the disk: make many changes, then "
    "commit once (`executemany`, or one `with connection:` around the loop)."
)
_STATEMENTS = (
    "One statement for all of them (a join, `in (...)`, `executemany`) is quicker; so is one "
    "transaction around them, if they write."
)
_FILES = (
    "Fewer, larger files are quicker; so are several threads, if none depends on the one "
    "before."
)
_ANSWERS = (
    "Each waits for an answer before it asks again: ask for all in one request (a join, a "
    "pipeline), or from several threads, if none depends on the one before."
)
_DROPS = (
    "A time-out ends each of these reads, not all of them together: look at the clock between "
    "them (`stream=True`), and at the server, which sends so slowly."
)
_MOST = 3  # lines that are looked at
_SEVERAL = 4
_LOOKED_AT = 200  # answers: whether the program itself gives them
_DROP_BYTES = 1_000  # whoever has more to send fills a packet
_SQLITE = "sqlite3."
_STEPS = (
    (("os.fsync", "os.fdatasync", "fsync", "fdatasync", "os.sync", "mmap.mmap.flush"), _DISK),
    (("sqlite3.Connection.commit", "sqlite3.Connection.__exit__"), _TRANSACTION),
    ((_SQLITE,), _STATEMENTS),
    (("os.read", "os.write", "os.wait", "os.pread", "os.system", "os.popen"), ""),
    (("os.", "shutil."), _FILES),
    (("socket.recv", "ssl.SSLSocket.read", "_ssl.", "poll"), _ANSWERS),
)
_STARTS = tuple(start for starts, _ in _STEPS for start in starts)
_BEGINS = (" HTTPResponse.begin", " HTTPConnection.getresponse")  # the first of an answer
_REDIRECTS = ("resolve_redirects", ".redirect_request", ".http_error_30")
_DATABASES = (
    "/sqlalchemy/", "/django/db/", "/psycopg", "/pymysql/", "/MySQLdb/", "/pg8000/",
    "/pymongo/", "/peewee.py",
)  # fmt: skip
# A library's functions that wait for what others send when they like.
_LISTENS = (
    "listen", "get_message", "pubsub", "subscribe", "consum", "notif", "pop", "xread", "iter_",
    "stream", "serve", "accept", "poll_", "watch", "wait_for", "run_forever", "next",
)  # fmt: skip
_IS_IDLE = bytes(state & STATE_MASK == IDLE_WAIT for state in range(256))
# What it waits for there is told as *new connections*.
_CONNECTS = ("connect", "getconn", "checkout", "get_connection", "do_handshake")


class _Line(NamedTuple):
    """`what` is `for an answer`, or the function that is called."""

    what: str
    site: str
    step: str


class _Lines(NamedTuple):
    """Calls by their function and line, numbered together; -1 what is not looked at."""

    of_row: Column  # by row of States
    begun: Lanes  # by number: the rows that begin a call
    head: Column  # by number: a row of calls
    enough: frozenset[int]  # numbers of those that took half a second in all


def calls_one_by_one(facts: Facts) -> Iterator[Finding]:
    """The line whose calls are most of the path to the program's end, if there is one."""
    lines = _lines(facts)
    if lines is None:
        return
    found = chain(_on_the_path(facts, lines), _in_jobs(facts, lines))
    yield from islice((one for one in found if one is not None), 1)


def _on_the_path(facts: Facts, lines: _Lines) -> Iterator[Finding | None]:
    path, lost = RunPath.of(facts.model), Counter[int]()
    if path.ns < LOST_NS:
        return
    for thread, windows in path.windows.items():
        carved = facts.ledger.states.by_row(thread, windows, lines.of_row)
        for number, ns in zip(carved.key, carved.total, strict=True):
            if number in lines.enough:
                lost[number] += ns
    for row, followed in path.followed.items():
        if (number := lines.of_row[row]) in lines.enough:
            lost[number] += followed.ns
    for number, ns in lost.most_common(_MOST):
        yield _told(facts, path, lines, number, ns)


def _in_jobs(facts: Facts, lines: _Lines) -> Iterator[Finding | None]:
    """Lines with queries that are a third of several jobs. Whether workers, of which there may
    be many, ask anybody else for too much at a time, nobody knows."""
    table, begun = facts.model.states, dict[int, list[int]]()
    for number in sorted(lines.enough):
        name, site = facts.call(lines.head[number])
        if _step(name) not in (_STATEMENTS, _ANSWERS):
            continue
        rows, of_job = lines.begun.of(number), defaultdict[tuple[int, int], list[int]](list)
        threads = facts.model.trace.engine.take(table.who, rows, -1).tolist()
        often = {thread for thread, times in Counter(threads).items() if times >= _TIMES}
        for thread in often - begun.keys():
            begun[thread] = _begun(facts, thread)
        for row, thread in zip(rows, threads, strict=True) if often else ():
            if thread in often and (at := bisect_right(begun[thread], table.start_ns[row])):
                of_job[thread, at].append(row)
        jobs = {job: rows for job, rows in of_job.items() if len(rows) >= _TIMES}
        every = [row for rows in jobs.values() for row in rows]
        ns = sum(table.busy_end_ns[row] - table.start_ns[row] for row in every)
        whole = sum(_took(facts, thread, begun[thread], at) for thread, at in jobs)
        if len(jobs) < _JOBS or ns < LOST_NS or ns * _THIRD[1] < whole * _THIRD[0]:
            continue
        line = _line(facts, name, site, every, len(every))
        is_query = line is not None and line.step is _STATEMENTS
        yield _of_jobs(facts, line, [*jobs.values()], ns) if line and is_query else None


def _begun(facts: Facts, thread: int) -> list[int]:
    """When a thread got something to do: it went on from a wait for work, or began a job."""
    rows = facts.ledger.rows_of_threads
    mine = slice(rows.offset[thread], rows.offset[thread + 1])
    idle = compress(rows.end_ns[mine], bytes(rows.code[mine]).translate(_IS_IDLE))
    return sorted({*idle, *(job.began_ns for job in facts.jobs.of_thread.get(thread, ()))})


def _took(facts: Facts, thread: int, begun: list[int], at: int) -> int:
    """How long what a thread got to do then kept it, without the kernel."""
    until = (*begun, facts.model.states.last_ns[thread])[at]
    split = facts.split(thread, window(begun[at - 1], until))
    return sum(split.states.values()) - split.of((*NOT_ITS_FAULT, IDLE_WAIT))


def _of_jobs(facts: Facts, line: _Line, jobs: list[list[int]], ns: int) -> Finding:
    table, rows, threads = facts.model.states, max(jobs, key=len), facts.model.thread_names
    took = sorted(table.busy_end_ns[row] - table.start_ns[row] for row in rows)
    start, until = table.start_ns[rows[0]], table.busy_end_ns[rows[-1]]
    who = names([threads[table.who[rows[0]]]])
    text = (
        f"Awaits in turn: {who}{place_in(line.site)} waits {line.what} {len(rows):,} times, "
        f"one call after the other ({at(facts, start)}), usually for "
        f"{duration(took[len(took) // 2])}, before it looks for the next job. "
        f"{plural(len(jobs), 'job')} did so, {duration(ns)} in all. {line.step}"
    )
    evidence = facts.evidence(("thread", table.who[rows[0]]), start, until - start, line.site)
    return Finding("awaits in turn", ns, text, evidence)


def _told(facts: Facts, path: RunPath, lines: _Lines, number: int, ns: int) -> Finding | None:
    if ns < LOST_NS:
        return None
    table, rows = facts.model.states, lines.begun.of(number)
    on_path = path.begun(rows)
    starts = [table.start_ns[row] for row in on_path]
    if len(on_path) < (_FEW if ns >= _MUCH_NS else _TIMES):
        return None
    if len(on_path) < _EACH * path.visits(on_path):
        return None
    until = max(table.busy_end_ns[row] for row in on_path)
    whole = path.ns_without(NOT_ITS_FAULT, starts[0], until)
    name, site = facts.call(lines.head[number])
    line = _line(facts, name, site, on_path, len(rows))
    part = _MOSTLY if line is not None and line.step in (_ANSWERS, _DROPS) else _HALF
    if line is None or ns * part[1] < whole * part[0]:
        return None
    # The kernel may be late for the calls, too, which counts in `ns` alone.
    return _finding(facts, line, on_path, ns, max(ns, whole))


def _lines(facts: Facts) -> _Lines | None:
    """None where no line of such calls took long enough in all."""
    model, table, engine = facts.model, facts.model.states, facts.model.trace.engine
    is_known = having(model, table.call_name, lambda name: bool(_step(name)), _STARTS)
    if 1 not in is_known:
        return None
    pairs = engine.pairs(table.call_name, table.call_site)
    none = memoryview(bytes(len(table.state)))
    of_call = engine.group_keys(
        memoryview(is_known), engine.upto(0, len(is_known)), pairs.number, 1
    )
    of_row = keys(model, _is_call, table.row, of_call)
    tally = engine.tally(table.start_ns, table.end_ns, of_row, none, len(pairs.head), 1)
    enough = frozenset(at_least(tally.total, LOST_NS))
    if not enough:
        return None
    first_of = keys(model, lambda of: _is_call(of) and begins_call(of), table.row, of_call)
    begun = engine.lanes(table.start_ns, table.end_ns, table.state, first_of, len(pairs.head))
    return _Lines(of_row, begun, pairs.head, enough)


def _is_call(state: int) -> bool:
    return state & STATE_MASK == IO


def _step(name: str) -> str:
    """What to do about many such calls; "" nothing is known."""
    name = name.removeprefix(s.IO_PREFIX)
    return next((step for starts, step in _STEPS if name.startswith(starts)), "")


def _line(facts: Facts, name: str, site: str, rows: list[int], every: int) -> _Line | None:
    """What is called and where; None: it may wait for what others do when they like."""
    step = _step(name)
    stack = stack_of(facts.model, rows[0])
    own = innermost(frames := stack.split("\n"))
    if not step or not own or (name.startswith(_SQLITE) and is_locked(facts)):
        return None
    if step is not _ANSWERS:
        return _Line(f"in `{name}`", site, step)
    at_once = every - len(rows)  # of other threads meanwhile
    is_here = any(is_own(facts, row) for row in rows[:_LOOKED_AT])
    begun, parts = _answers(facts, rows)
    if not is_here and parts >= _EACH * max(begun, 1):
        if _are_drops(facts, rows):
            return _Line("for the next part of an answer", site, _DROPS)
        if begun < _FEW:
            return None  # a download, which takes as long as it must
    if at_once * _SEVERAL > every or is_here or not _asks(frames):
        return None
    if is_connecting(stack):
        return None  # told as new connections
    is_query = any(part in frame for frame in frames for part in _DATABASES)
    return (
        _Line("for a query", site, _STATEMENTS)
        if is_query
        else _Line(f"in `{name}` for answers", site, step)
    )


def _answers(facts: Facts, rows: list[int]) -> tuple[int, int]:
    """How many answers were waited for, and how many parts of the bodies that a library reads
    while its caller waits for all of it."""
    stacks = Counter(stack_of(facts.model, row) for row in rows[:_LOOKED_AT])
    begun = sum(
        times for stack, times in stacks.items() if any(one in stack for one in _BEGINS)
    )
    parts = sum(times for stack, times in stacks.items() if _is_part(stack.split("\n")))
    return begun, parts


def _are_drops(facts: Facts, rows: list[int]) -> bool:
    """Whether there is little in most of them."""
    sizes = sorted(size for row in rows[:_LOOKED_AT] if (size := size_read(facts, row)) > 0)
    return not sizes or sizes[len(sizes) // 2] < _DROP_BYTES


def _is_part(frames: list[str]) -> bool:
    inside = [*takewhile(lambda frame: is_library(frame) or not frame, frames)]
    called = place_of(inside[-1]).function.lower() if inside else ""
    is_whole = not any(part in called for part in _LISTENS)
    reads = any("/http/client.py:" in one and " HTTPResponse." in one for one in inside)
    return reads and is_whole and not any(one in frame for one in _BEGINS for frame in inside)


def _asks(frames: list[str]) -> bool:
    """Whether a client reads what it has asked for: a library's, which does not listen."""
    inside = [frame for frame in frames if is_library(frame)]
    functions = [place_of(frame).function.lower() for frame in inside]
    is_client = any("-packages/" in frame or "/http/client.py" in frame for frame in inside)
    if any(name.rpartition(".")[2].strip("_") in _CONNECTS for name in functions):
        return False
    return is_client and not any(part in name for name in functions for part in _LISTENS)


def _step_of(facts: Facts, line: _Line, rows: list[int]) -> str:
    """Where a good part of the answers is redirects, that they can be spared."""
    stacks = (stack_of(facts.model, row) for row in rows)
    led = sum(any(part in stack for part in _REDIRECTS) for stack in stacks)
    if line.step is not _ANSWERS or led * _SEVERAL < len(rows):
        return line.step
    return (
        f"{led:,} of these answers came after a redirect: ask at once for the address that it "
        f"leads to. {line.step}"
    )


def _finding(facts: Facts, line: _Line, rows: list[int], ns: int, whole: int) -> Finding:
    table, threads = facts.model.states, {facts.model.states.who[row] for row in rows}
    first = rows[0]
    start = table.start_ns[first]
    took = sorted(table.busy_end_ns[row] - table.start_ns[row] for row in rows)
    each = took[len(took) // 2]
    who = names(facts.model.thread_names[thread] for thread in threads)
    verb = "waits" if len(threads) == 1 else "wait"
    step, kind = _step_of(facts, line, rows), "awaits in turn"
    does = f"{verb} {line.what} {len(rows):,} times, one call after the other"
    if line.step is _DROPS:
        kind = "slow answer"
        does = f"{verb} {len(rows):,} times {line.what}, which comes bit by bit"
    text = (
        f"{kind.capitalize()}: {who}{place_in(line.site)} {does} ({at(facts, start)}), "
        f"usually for {duration(each)}. The "
        f"end of the program waited {duration(ns)} for these calls, {share(ns, whole)} of all "
        f"that it waited for in that time. {step}"
    )
    evidence = facts.evidence(("thread", table.who[first]), start, ns, line.site)
    processes = len({facts.model.thread_process[thread] for thread in threads})
    return Finding(kind, ns, text, evidence, processes=processes)
