"""Threads that ask again and again instead of waiting to be told."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence

from tracer import schema as s
from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.facts import COMPUTING, Facts, Finding
from viewer.analysis.findings.basis.repeated import calls_by_thread
from viewer.analysis.findings.basis.waits import inside, place_in, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.profiles.profile import Place
from viewer.analysis.states import marks, mentioned
from viewer.analysis.threads import ThreadRow
from viewer.trace.columns import (
    AWAIT,
    FAILED,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    SLEEP,
    STATE_MASK,
    Column,
)
from viewer.trace.reader import number_of
from viewer.trace.sites import is_library, place_of
from viewer.words import code, stem

# Asking every 2 ms means asking five hundred times a second, as with tasks. The pauses must be
# most of the time from the first to the last.
_POLLS = 500
_POLL_NS = 2 * MS
# Looking takes next to nothing; who does something each time paces its work.
_LOOK_NS = 200_000
# Connections that are made and never used: a hundred of those that took 20 us or more.
_CONNECTS = 100
_CONNECTING = " BaseSelectorEventLoop.sock_connect"
_MOST_AWAITS = 20_000  # or waits that timed out
_UNUSED = 10
_EACH_NS = 40 * MS
_USES = (".recv", ".recv_into", ".send", ".sendall", "recvfrom", "sendto")
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
    "It returns at once, for something that stays ready or with a time-out of 0: unregister "
    "what is at its end, read all that is there, or let it wait."
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
_WAIT = (
    "Let it wait for the answer: `get` instead of `get_nowait`, `wait` instead of `is_set`."
)


def spinning_threads(facts: Facts) -> Iterator[Finding]:
    """Threads that poll with tiny sleeps, with questions alone, or by connecting."""
    tasks = [*_connecting_tasks(facts)]
    yield from tasks
    connecting = dict(_unused_connections(facts))
    for thread, finding in connecting.items():
        if not tasks or thread not in facts.ledger.lane_of_thread:  # else it is the tasks'
            yield finding
    yield from _tiny_sleeps(facts, connecting)
    yield from _tiny_time_outs(facts)
    yield from questions(facts)
    yield from _empty_reads(facts)


def polling(
    facts: Facts, thread: int, site: str, start_ns: int, end_ns: int, cost: int, how: str,
    verb: str = "polls",
) -> Finding:  # fmt: skip
    """A thread polls at a line; `how` says how."""
    model = facts.model
    name = model.thread_names[thread]
    evidence = facts.evidence(("thread", thread), start_ns, end_ns - start_ns, site)
    about = frozenset((inside(name, site),))
    text = f"{code(name)} {verb}{place_in(site)}: {how}"
    return Finding("busy loop", cost, text, evidence, about=about)


def _tiny_sleeps(facts: Facts, told: Container[int]) -> Iterator[Finding]:
    table, names = facts.model.states, facts.model.thread_names
    alike: dict[tuple[str, str], list[tuple[int, Column]]] = defaultdict(list)
    take = facts.model.trace.engine.take
    for (thread, call), rows in calls_by_thread(facts, SLEEP, _POLLS, ("",), _POLL_NS).items():
        if len(rows) < _POLLS or thread in told:
            continue
        slept = sum(take(table.end_ns, rows, 0)) - sum(take(table.start_ns, rows, 0))
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        if slept > len(rows) * _POLL_NS or slept * 2 < end - start:
            continue
        if _worked_ns(facts, thread, start, end) > len(rows) * _LOOK_NS:
            continue
        if _wakes(facts)[thread] * 2 >= len(rows):
            continue  # what it wakes others for is its work
        alike[stem(names[thread]), facts.call(call)[1]].append((thread, rows))
    for (_, site), pollers in alike.items():
        thread, rows = max(pollers, key=lambda one: len(one[1]))
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        slept = facts.total_ns(rows)
        others: set[Who] = {("thread", one) for one, _ in pollers}
        who = f", as do {users(facts.model, others)} in all" if len(others) > 1 else ""
        how = (
            f"it sleeps {len(rows):,} times, {duration(slept // len(rows))} on average, for "
            f"{duration(end - start)} ({at(facts, start)}){who}. Wait for what it asks for "
            f"(an event, a condition, a queue), or sleep longer each time."
        )
        yield polling(facts, thread, site, start, end, end - start - slept, how)


class _Wakes(Counter[int]):
    """By thread how often it ended a wait of others."""


def _wakes(facts: Facts) -> Counter[int]:
    waker, waits = facts.model.states.waker, facts.rows_of((IDLE_WAIT,), 0)
    return facts.model.derive(_Wakes, lambda: _Wakes(map(waker.__getitem__, waits)))


def _worked_ns(facts: Facts, thread: int, start: int, end: int) -> int:
    """What the thread did itself in this time, besides its sleeps."""
    split = facts.split(thread, window(start, end))
    return split.of((*COMPUTING, IO))


def _tiny_time_outs(facts: Facts) -> Iterator[Finding]:
    """Threads that wait for an item, an event or a lock, and give up at once each time."""
    model, table = facts.model, facts.model.states
    failed = marks(
        model,
        lambda state: int(state & STATE_MASK in (IDLE_WAIT, LOCK_WAIT) and state & FAILED > 0),
    )
    found = model.trace.engine.longer(table.start_ns, table.end_ns, failed, 0)
    if len(found) < _POLLS:
        return
    by_place = defaultdict[tuple[int, str, str], list[int]](list)
    for row in found[:_MOST_AWAITS]:
        if facts.row_ns(row) <= _POLL_NS * 2:
            by_place[table.who[row], *facts.wait(row)].append(row)
    for (thread, name, site), rows in by_place.items():
        waited = facts.total_ns(rows)
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        is_tiny = len(rows) >= _POLLS and waited <= len(rows) * _POLL_NS
        if is_library(site) or not is_tiny or waited * 2 < end - start:
            continue
        more = "more than " if len(found) > _MOST_AWAITS else ""
        how = (
            f"`{name}` runs into its time-out {more}{len(rows):,} times, after "
            f"{duration(waited // len(rows))} on average, for {duration(end - start)} "
            f"({at(facts, start)}). Wait without a time-out and put a last item to end it, or "
            f"take a longer one."
        )
        yield polling(facts, thread, site, start, end, end - start, how)


def _unused_connections(facts: Facts) -> Iterator[tuple[int, Finding]]:
    """Threads that connect again and again, and never send or get anything."""
    table = facts.model.states
    connects = calls_by_thread(facts, IO, _CONNECTS, (".connect", "connect_ex"))
    if not connects:
        return
    used = Counter[int]()
    for (thread, _), rows in calls_by_thread(facts, IO, 1, _USES).items():
        used[thread] += len(rows)
    for (thread, call), rows in connects.items():
        start, end = table.start_ns[rows[0]], table.end_ns[rows[-1]]
        is_often = len(rows) >= _CONNECTS and end - start <= len(rows) * _EACH_NS
        # What a loop's thread sends takes too short a time to be in the trace.
        has_loop = thread in facts.ledger.thread_of_loop
        if used[thread] * _UNUSED > len(rows) or not is_often or has_loop:
            continue
        how = (
            f"it connects again and again, more than {len(rows):,} times in "
            f"{duration(end - start)} ({at(facts, start)}), and never sends anything. Wait "
            f"between two attempts, longer each time."
        )
        site = facts.call(call)[1]
        yield thread, polling(facts, thread, site, start, end, end - start, how)


def _connecting_tasks(facts: Facts) -> Iterator[Finding]:
    """Tasks that await nothing but connections, one after the other, for no use: whoever is
    connected awaits its transport, an answer, or its next attempt."""
    model, slices = facts.model, facts.model.trace.slices
    if not mentioned(facts.model, _CONNECTING):
        return
    found, others = defaultdict[int, list[int]](list), Counter[int]()
    awaits = model.trace.engine.longer(
        slices.start_ns, slices.end_ns, facts.kinds((AWAIT,)), 0
    )
    for i in awaits[:_MOST_AWAITS]:
        if model.owners.owner[i] < 0:
            continue
        group = model.owners.task_group[model.owners.owner[i]]
        stack = facts.stack(i)
        if _CONNECTING in stack.partition("\n")[0]:
            found[group].append(i)
        else:
            others[group] += 1
    for group, rows in found.items():
        start, end = slices.start_ns[rows[0]], slices.end_ns[rows[-1]]
        is_often = len(rows) >= _CONNECTS and end - start <= len(rows) * _EACH_NS
        if others[group] * _UNUSED > len(rows) or not is_often:
            continue
        task, site = model.owners.owner[rows[0]], facts.awaited(rows[0])[1]
        text = (
            f"{code(*model.coroutine(group))} polls{place_in(site)}: it connects again and "
            f"again, {len(rows):,} times in {duration(end - start)} ({at(facts, start)}), and "
            f"awaits nothing else. Wait between two attempts, longer each time."
        )
        evidence = facts.evidence(("task", task), start, end - start, site)
        yield Finding("busy loop", end - start, text, evidence)


def questions(facts: Facts) -> Iterator[Finding]:
    """Threads that compute, and mostly in functions that only ask."""
    model = facts.model
    asked: list[str] | None = None
    if not facts.samples:
        return
    for row in facts.threads:
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
        index = next(
            i
            for i, track in enumerate(model.threads)
            if track.tid == row.tid and model.pid(model.thread_process[i]) == row.pid
        )  # fmt: skip
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
    return sum(
        start_ns <= rows.start_ns[n] < end_ns and table.state[rows.row[n]] & STATE_MASK == IO
        for n in range(rows.offset[thread], rows.offset[thread + 1])
    )


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
            ran = row.states[s.RUNNING]
            how = (
                f"it computes for {duration(ran)}, {share(at_it, len(samples))} of "
                f"{len(samples)} CPU samples are in `{name}`, and most of these calls bring "
                f"{but}"
            )
            since, until = samples[0][0], samples[-1][0]
            yield polling(facts, thread, site, since, until, ran, how, verb)


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
