"""Threads that compute, and mostly in what only asks: a function of a library, reads that get
nothing, or calls to the kernel too short to be recorded one by one. CPU samples name them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from tracer import schema as s
from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.repeated import calls_by_thread
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.findings.loops.spinning import polling
from viewer.analysis.profiles.cpu import stack_calls, stack_places
from viewer.analysis.profiles.profile import Place
from viewer.analysis.resources.waits import Wait
from viewer.analysis.states import stack_of
from viewer.analysis.threads import ThreadRow
from viewer.trace.columns import (
    IO,
    STATE_MASK,
)
from viewer.trace.processes import number_of
from viewer.trace.sites import is_library, place_of

# A thread that computes for half a second, and mostly in questions; few samples must be
# clearer. Reads that get nothing count as questions, where a quarter of the samples are.
_SPINS_NS = 500 * MS
_SAMPLES = 20
_FEW, _ASKS_PART = 10, 4
# Or three quarters of its samples are in reads that get nothing, or a few bytes. Fifty took
# long enough to be recorded, and half of these, though one that gets more takes longer.
_SELDOM = 10
_READS, _READERS, _OF = 50, ("socket.recv", "os.read", "FileIO.read"), (3, 4)
_FEW_BYTES = 8
# Functions of libraries that only ask, by their names; where others of such a name work, with
# their class. Samples are taken in them or in what they call.
_BY_NAME = (
    "can_read done empty full get_nowait is_alive is_set locked put_nowait qsize "
    "receive_nowait recv_nowait"
)
_BY_CLASS = (
    "AsyncResult.ready AsyncResult.successful Future.running Popen.poll _ConnectionBase.poll "
    "EpollSelector.select _PollLikeSelector.select SelectSelector.select "
    "Connection.notifies"
)
_ASKS = frozenset((*_BY_NAME.split(), *_BY_CLASS.split()))
_WAIT_INSTEAD = {
    "can_read": "Give the call a time-out (`get_message(timeout=1)`), or use one that waits "
    "(`listen`).",
    "is_alive": "Let it wait for the end: `join`, or `multiprocessing.connection.wait` for "
    "the `sentinel` of several processes.",
}
_SELECT = (
    "It returns at once, because something stays ready or the time-out is 0: "
    "unregister what has ended, read everything that is there, or let it wait."
)
_LISTENS = (
    "It returns at once, as with a time-out of 0, or fails, as when the connection is closed: "
    "let it wait, and pause before the next attempt."
)
_SELECTS = ("EpollSelector.select", "_PollLikeSelector.select", "SelectSelector.select")
_WAIT_INSTEAD |= dict.fromkeys(_SELECTS, _SELECT)
# Whoever gets many messages so computes there, too, but also calls the system for them.
_LISTENING = ("Connection.notifies",)
_WAIT_INSTEAD |= dict.fromkeys(_LISTENING, _LISTENS)
_NOTHING = "nothing. Let the socket block, or wait for it (`select`, `selectors`)."
_BYTES = (
    "reads in tiny pieces",
    "a few bytes. Read larger pieces, or through a buffer (`makefile`, `BufferedReader`).",
)
_SOCKETS = ("/socket.py:", "/ssl.py:")
_WAIT = (
    "Let it wait for the answer: `get` instead of `get_nowait`, `wait` instead of `is_set`."
)


def asking_threads(facts: Facts) -> Iterator[Finding]:
    """Threads that spin in questions, or in reads that bring nothing."""
    yield from questions(facts)
    yield from _empty_reads(facts)


def questions(facts: Facts) -> Iterator[Finding]:
    """Threads that compute, and mostly in functions that only ask."""
    asked: list[str] | None = None
    for row in facts.threads if facts.samples else ():
        samples = facts.samples_of(row.tid)
        if spun_ns(row) < _SPINS_NS or len(samples) < _FEW:
            continue
        asked = asked if asked is not None else _asked(facts)
        counts = Counter[str]()
        for stack, times in samples.counts.items():
            counts[asked[stack]] += times
        total, n = len(samples), len(samples) - counts[""]
        if n * _ASKS_PART < total:
            continue
        reads = 0 if _are_most(n, total) else _samples_in_reads(facts, row, samples)
        if not _are_most(n + reads, total):
            continue
        site = next(site for site, _ in counts.most_common() if site)
        index = facts.ledger.thread(row.process, row.tid)
        function, _, line = site.partition("\n")
        what = (
            f"{function.rpartition('.')[0].rpartition('.')[2]}.{function.rpartition('.')[2]}"
        )
        asking = [at_ns for at_ns, stack in samples if asked[stack]]
        if what in _LISTENING and _calls(facts, index, asking[0], asking[-1]) * _SELDOM > n:
            continue
        how = (
            f"it computes for {duration(row.states[s.RUNNING])}, "
            f"{share(n + reads, total)} of that in polling calls ({what}"
            f"{', and reads that get nothing' if reads else ''}, {n + reads} of {total} CPU "
            f"samples). "
            f"{_WAIT_INSTEAD.get(what) or _WAIT_INSTEAD.get(what.rpartition('.')[2], _WAIT)}"
        )
        yield polling(
            facts, index, line, samples[0][0], samples[-1][0], row.states[s.RUNNING], how
        )


def _calls(facts: Facts, thread: int, start_ns: int, end_ns: int) -> int:
    """How many calls of a thread the trace has in this time."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    places = rows.begun(thread, start_ns, end_ns)
    return sum(table.state[rows.row[n]] & STATE_MASK == IO for n in places)


def _are_most(n: int, total: int) -> bool:
    return n * 2 >= total if total >= _SAMPLES else n * _OF[1] >= total * _OF[0]


def _samples_in_reads(facts: Facts, row: ThreadRow, samples: Sequence[tuple[int, int]]) -> int:
    """How many samples of a thread are at lines where its reads get nothing."""
    lines = {
        _line_of(facts, call)
        for (thread, call), reads in calls_by_thread(facts, IO, _FEW, _READERS).items()
        if thread == facts.ledger.thread(row.process, row.tid) and _get_nothing(facts, reads)
    }
    return sum(_hot_line(facts, stack) in lines for _, stack in samples)


def _line_of(facts: Facts, call: int) -> str:
    place = place_of(facts.call(call)[1])
    return f"{place.path}:{place.line}"


def _hot_line(facts: Facts, stack: int) -> str:
    place = facts.hot_places[stack]
    return f"{place.path}:{place.line}"


def _get_nothing(facts: Facts, reads: Sequence[int], at_most: int = 0) -> bool:
    """Whether half of some reads, evenly chosen, get nothing, or hardly anything."""
    model, slices = facts.model, facts.model.trace.slices
    looked = reads[:: max(len(reads) // _READS, 1)]
    ends = [slices.end_event[model.states.slice[read]] for read in looked]
    got = [number_of(model.trace.args(end), s.ARG_BYTES, 0) for end in ends if end >= 0]
    return sum(size <= at_most for size in got) * 2 >= len(looked)


def _empty_reads(facts: Facts) -> Iterator[Finding]:
    """Threads that read a socket that does not block and get nothing, or byte by byte."""
    model = facts.model
    calls = calls_by_thread(facts, IO, _READS, _READERS) if facts.samples else {}
    rows = {(row.pid, row.tid): row for row in facts.threads} if calls else {}
    for (thread, call), reads in calls.items():
        tid, pid = model.threads[thread].tid, model.pid(model.thread_process[thread])
        samples, row = facts.samples_of(tid), rows.get((pid, tid))
        if len(reads) < _READS or row is None or call in facts.of_transports:
            continue
        name, site = facts.call(call)
        there = _line_of(facts, call)
        at_it = sum(_hot_line(facts, stack) == there for _, stack in samples)
        if len(samples) < _SAMPLES or at_it * _OF[1] < len(samples) * _OF[0]:
            continue
        if spun_ns(row) >= _SPINS_NS and _get_nothing(facts, reads, _FEW_BYTES):
            verb, but = ("polls", _NOTHING) if _get_nothing(facts, reads) else _BYTES
            if but is _BYTES[1] and not _reads_itself(facts, reads[0]):
                continue  # a library's answers are short: all that it does is at that line
            ran = row.states[s.RUNNING]
            how = (
                f"it computes for {duration(ran)}, {share(at_it, len(samples))} of "
                f"{len(samples)} CPU samples are in `{name}`, and most of these calls bring "
                f"{but}"
            )
            since, until = samples[0][0], samples[-1][0]
            yield polling(facts, thread, site, since, until, ran, how, verb)


def _reads_itself(facts: Facts, read: int) -> bool:
    """Whether the program calls what reads, or a library does."""
    frames = stack_of(facts.model, read).split("\n")
    own = (frame for frame in frames if not any(part in frame for part in _SOCKETS))
    return not is_library(next(own, ""))


def spun_ns(row: ThreadRow) -> int:
    """How long it computed, or would have if the kernel had let it."""
    return row.states[s.RUNNING] + row.states[s.PREEMPTED]


def _asked(facts: Facts) -> list[str]:
    """By stack of the samples the question that the user's function asks, and the user's line;
    "" where it asks none."""
    return [_question(stack) for stack in stack_places(facts.model)]


def _question(stack: tuple[Place, ...]) -> str:
    asks = last = ""
    for place in stack:
        if is_library(f"{place.path}:{place.line} {place.function}"):
            last = place.function
            asks = place.function if _is_question(place.function) else asks
        else:
            module = place.path.rpartition("/")[2].removesuffix(".py") + "."
            function = place.function.removeprefix(module)
            if asks.endswith(_SELECTS) and last != asks:
                return ""  # a loop of a library waits there
            return f"{asks}\n{place.path}:{place.line} {function}" if asks else ""
    return ""


def _is_question(function: str) -> bool:
    of, _, name = function.rpartition(".")
    return name in _ASKS or f"{of.rpartition('.')[2]}.{name}" in _ASKS


# Whether something has come or ended: who gets an answer goes on.
_ASK_ONLY = (
    "os.waitpid", "os.wait3", "os.wait4", "os.waitid", "select.select", "select.poll.poll",
    "select.epoll.poll", "fcntl.flock", "fcntl.lockf", "socket.accept", "socket.connect_ex",
)  # fmt: skip
# What a file is like: that may be work (an index of all files). It is none of a thread that
# does so beside others for all its life, and for whose end or result nobody waits.
_LOOKS = ("os.stat", "os.lstat", "os.listdir", "os.scandir")
_LIFE = 8, 10
_MAIN = "MainThread"
_BE_TOLD = (
    "If it looks for changes, let it wait between checks, or be notified of them (inotify, "
    "`watchfiles`)."
)
_LET_IT_WAIT = "Let the call wait, with a time-out, instead of asking again."


def short_calls(facts: Facts) -> Iterator[Finding]:
    """A thread spins in calls of some microseconds each, without a pause."""
    model = facts.model
    calls = stack_calls(model) if facts.samples else []
    if not any(calls):
        return
    ask_by_name = cache(lambda: _ask_by_name(facts))  # hardly ever asked
    sampled = {tid for tid, samples in facts.samples.items() if len(samples) >= _SAMPLES}
    numbers = [n for n in facts.threads.numbers if model.threads[n].tid in sampled]
    for row in facts.threads.with_numbers(numbers):
        samples = facts.samples[row.tid]
        if spun_ns(row) < _SPINS_NS or row.threads > 1:
            continue
        asked = Counter((calls[stack], _line(facts, stack)) for _, stack in samples)
        (call, site), count = asked.most_common(1)[0]
        if count * 2 < len(samples) or call not in (*_ASK_ONLY, *_LOOKS) or not site:
            continue
        thread = facts.ledger.thread(row.process, row.tid)
        since, until = samples[0][0], samples[-1][0]
        is_work = call in _LOOKS and not _is_beside(facts, row, thread, until - since)
        if thread < 0 or is_work or (row.pid, row.tid) in ask_by_name():
            continue
        ran = row.states[s.RUNNING]
        how = (
            f"it computes for {duration(ran)}, {share(count, len(samples))} of "
            f"{len(samples)} CPU samples are in `{call}`, one short call after the other "
            f"without a pause. {_BE_TOLD if call in _LOOKS else _LET_IT_WAIT}"
        )
        yield polling(facts, thread, site, since, until, ran, how)


def _line(facts: Facts, stack: int) -> str:
    place = facts.hot_places[stack]
    module = place.path.rpartition("/")[2].removesuffix(".py") + "."
    site = f"{place.path}:{place.line} {place.function.removeprefix(module)}"
    return "" if not place.line or is_library(site) else site


def _ask_by_name(facts: Facts) -> set[tuple[int, int]]:
    """The threads in which a function of a library asks, of which is known what would wait
    instead, as (pid, tid)."""
    return {(one.evidence.pid, one.evidence.tid) for one in questions(facts)}


def _is_beside(facts: Facts, row: ThreadRow, thread: int, spins_ns: int) -> bool:
    """Whether the thread does nothing else beside others, and nobody waits for it."""
    if row.name == _MAIN or thread in facts.jobs.pool_of:
        return False
    if spins_ns * _LIFE[1] < row.wall_ns * _LIFE[0]:
        return False
    waits = LongWaits.of(facts).all
    waited = sum(wait.ns for wait in waits if _is_for(facts, wait, row, thread))
    return waited * 2 < spins_ns


def _is_for(facts: Facts, wait: Wait, row: ThreadRow, thread: int) -> bool:
    """Whether the thread ends a wait, or would: somebody joins it."""
    table = facts.model.states
    owner = table.owner[wait.row] if wait.who[0] == "thread" else -1
    joined = (table.owner_process[owner], table.owner_id[owner]) if owner >= 0 else None
    return wait.ender == ("thread", thread) or joined == (row.process, row.tid)
