"""Calls that wait outside of Python for what the program itself keeps: a child's full pipe, or
the handshake of a client that sends nothing."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, duration, plural
from tracer.units import size as size_of
from viewer.analysis.causes.part import GIVEN_UP
from viewer.analysis.findings.basis.facts import LOST_NS, Evidence, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.processes.family import Family
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import at_least, every, having, keys, mentioned, stack_of
from viewer.trace.columns import IO, SLEEP, STATE_MASK
from viewer.trace.reader import number_of
from viewer.words import code

# A client that sends nothing for half a second keeps everybody from connecting. So do those
# that send in pieces, if that takes a quarter of the time from the first one to the last.
_LONG_NS = 100 * MS
_PIECE_NS = 20 * MS
_PART = 4
_SERVES = (" BaseServer.serve_forever", " SyncWorker.run")
_READS_REQUEST = (" BaseHTTPRequestHandler.handle_one_request", " SocketUnreader.chunk")
_SOCKETS = ("/socket.py", "/ssl.py")
# A pipe holds 64 KiB: a child whose output was read only after the wait hung in `write`.
_CHILD_NS = 500 * MS
_WAITS_FOR_CHILD = (" Popen.wait", " Popen._wait")
_MULTIPROCESSING = "/multiprocessing/"
_READ = "Call `communicate` instead of `wait`, or read the pipe in a thread."
_READ_FIRST = "Take all that it puts into a queue or pipe out first, then join it."
_PIPE_BYTES = 1 << 16
_CHILD, _READING = f"{s.AWAIT_PREFIX}subprocess", f"{s.AWAIT_PREFIX}socket"
_THEN_NS = 50 * MS


class _Accept(NamedTuple):
    """A function that accepts a connection and does its handshake, too: in calls of such a
    name, called from one of `inner`."""

    function: str
    call: str
    inner: tuple[str, ...]
    said: str
    step: str


_ACCEPTS = (
    _Accept(" SSLSocket.accept", "do_handshake", ("",), "`do_handshake` inside `accept`",
            "Wrap the connection after `accept`, in the thread that serves it, and give it a "
            "time-out."),
    _Accept(" Listener.accept", "os.read", (" deliver_challenge", " answer_challenge"),
            "the handshake of the `authkey` inside `Listener.accept`",
            "Make the listener without `authkey`, and call `deliver_challenge` and "
            "`answer_challenge` in the thread that serves the connection."),
)  # fmt: skip


def outside_findings(facts: Facts) -> Iterator[Finding]:
    """Long calls whose end is in the hands of the program itself."""
    yield from _handshakes(facts)
    yield from _silent_clients(facts)
    yield from _full_pipes(facts)
    yield from _unread_streams(facts)
    yield from _both_write(facts)
    yield from other_stream(facts)


def _calls(facts: Facts, least_ns: int, wanted: str) -> list[int]:
    """Rows of States of such calls; `wanted` is part of their name."""
    table, trace = facts.model.states, facts.model.trace
    is_wanted = having(facts.model, table.call_name, lambda name: wanted in name, (wanted,))
    if 1 not in is_wanted:
        return []
    rows = facts.rows_of((IO,), least_ns)
    return list(trace.engine.pick(rows, table.row, memoryview(is_wanted)))


def _evidence(facts: Facts, row: int, ns: int = 0) -> Evidence:
    table = facts.model.states
    start, site = table.start_ns[row], facts.call(table.row[row])[1]
    return facts.evidence(
        ("thread", table.who[row]), start, ns or table.end_ns[row] - start, site
    )


def _stack(facts: Facts, row: int) -> list[str]:
    return stack_of(facts.model, row).split("\n")


# A client that sends nothing ----------------------------------------------------------------


def _handshakes(facts: Facts) -> Iterator[Finding]:
    """`accept` of a listening socket waits for the client's handshake: of TLS, of a key."""
    table = facts.model.states
    if not mentioned(facts.model, *(accept.function for accept in _ACCEPTS)):
        return
    by_site: dict[tuple[_Accept, str], list[int]] = defaultdict(list)
    for accept in _ACCEPTS:
        for row in _calls(facts, _LONG_NS, accept.call):
            stack = _stack(facts, row)
            is_inside = any(frame.endswith(accept.inner) for frame in stack)
            if is_inside and any(frame.endswith(accept.function) for frame in stack):
                by_site[accept, facts.call(table.row[row])[1]].append(row)
    for (accept, site), rows in by_site.items():
        lost = facts.total_ns(rows)
        if lost < LOST_NS:
            continue
        worst = facts.longest(rows)
        who = code(name_of(facts.model, ("thread", table.who[worst])))
        worst_ns, start = facts.row_ns(worst), table.start_ns[worst]
        text = (
            f"Handshake in accept: {who}{place_in(site)} waited in {accept.said}, "
            f"{plural(len(rows), 'time')}, {in_total(facts, lost, worst_ns, start)}: a "
            f"client that sends nothing keeps all others from connecting. {accept.step}"
        )
        yield Finding("handshake in accept", lost, text, _evidence(facts, worst))


def _silent_clients(facts: Facts) -> Iterator[Finding]:
    """A server's only thread waits for a request of which little or nothing comes."""
    table = facts.model.states
    if not mentioned(facts.model, *_SERVES):
        return
    by_thread: dict[int, list[int]] = defaultdict(list)
    for row in (*_calls(facts, _PIECE_NS, "recv"), *_calls(facts, _PIECE_NS, "read")):
        stack = _stack(facts, row)
        asked = next((f for f in stack if not f.partition(":")[0].endswith(_SOCKETS)), "")
        is_alone = any(f.endswith(_SERVES) for f in stack)
        if is_alone and asked.endswith(_READS_REQUEST):
            by_thread[table.who[row]].append(row)
    for rows in by_thread.values():
        worst = facts.longest(rows)
        long = [r for r in rows if facts.row_ns(r) >= _LONG_NS]
        is_in_pieces = facts.total_ns(long) < LOST_NS
        waits = rows if is_in_pieces else long
        lost = facts.total_ns(waits)
        span = max(table.end_ns[row] for row in waits) - min(table.start_ns[r] for r in waits)
        if lost < LOST_NS or (is_in_pieces and lost * _PART < span):
            continue
        name, site = facts.call(table.row[worst])
        thread = code(name_of(facts.model, ("thread", table.who[worst])))
        longest = (
            f"{plural(len(waits), 'time')}, "
            f"{in_total(facts, lost, facts.row_ns(worst), table.start_ns[worst])}. Meanwhile "
            f"it served nobody."
        )
        if is_in_pieces:
            text = (
                f"Slow client: {thread}{place_in(site)}, the only thread of a server, waited "
                f"in `{name}` for the rest of requests that their clients "
                f"send bit by bit, {longest} Let a proxy collect requests before it passes "
                f"them on, or serve each connection in a thread."
            )
        else:
            text = (
                f"Slow client: {thread}, the only thread of a server, waited "
                f"in `{name}` for the request of a client that had connected and sent "
                f"nothing, {longest} Serve each connection in a thread "
                f"(`ThreadingHTTPServer`), and give it a short time-out."
            )
        yield Finding("slow client", lost, text, _evidence(facts, worst))


# A child whose pipe nobody reads ------------------------------------------------------------


def _full_pipes(facts: Facts) -> Iterator[Finding]:
    """A thread waits for a child, and only then reads more than a pipe can hold."""
    table = facts.model.states
    chosen = _calls_for_children(facts)
    if not chosen:
        return
    waits: dict[tuple[int, int], list[int]] = defaultdict(list)
    is_chosen = memoryview(bytes(call in chosen for call in range(len(table.call_name))))
    long = facts.rows_of((SLEEP, IO), MS)
    for row in facts.model.trace.engine.pick(long, table.row, is_chosen):
        waits[table.who[row], table.row[row]].append(row)
    reads = defaultdict[int, list[int]](list)
    for row in _calls(facts, 0, "read"):
        reads[table.who[row]].append(row)
    told = LongWaits.of(facts).told
    for (thread, call), rows in waits.items():
        end_ns, is_told = table.end_ns[rows[-1]], table.slice[rows[-1]] in told
        if is_told or _bytes_read(facts, reads[thread], end_ns) < _PIPE_BYTES:
            continue
        ns, site = end_ns - table.start_ns[rows[0]], facts.call(call)[1]
        is_joined = any(_MULTIPROCESSING in frame for frame in _stack(facts, rows[0])[:3])
        name, remedy = ("Process.join", _READ_FIRST) if is_joined else ("Popen.wait", _READ)
        text = (
            f"Full pipe: {code(name_of(facts.model, ('thread', thread)))}{place_in(site)} "
            f"waited {duration(ns)} in `{name}` ({at(facts, table.start_ns[rows[0]])}) "
            f"for a child that could not go on: it writes to a pipe, which was full and which "
            f"nobody read until the wait was over. {remedy}"
        )
        yield Finding("full pipe", ns, text, _evidence(facts, rows[0], ns))


def _calls_for_children(facts: Facts) -> set[int]:
    """The calls (of States) that are waits for a child, where they took long in all."""
    model, table, engine = facts.model, facts.model.states, facts.model.trace.engine
    calls = len(table.call_name)
    call = keys(model, _is_call, table.row, every(calls))
    none = memoryview(bytes(len(call)))
    total = engine.tally(table.start_ns, table.end_ns, call, none, calls, 1).total
    first = engine.spans(table.end_ns, call, calls).first
    return {
        n
        for n in at_least(total, _CHILD_NS)
        if any(f.endswith(_WAITS_FOR_CHILD) for f in _stack(facts, first[n])[:3])
    }


def _is_call(state: int) -> bool:
    return state & STATE_MASK in (IO, SLEEP)


def _bytes_read(facts: Facts, reads: list[int], since_ns: int) -> int:
    """How much a thread read soon after a time, in calls that follow each other."""
    table, total = facts.model.states, 0
    until_ns = since_ns + _THEN_NS
    for row in reads[bisect_right(reads, since_ns, key=table.start_ns.__getitem__) :]:
        if table.start_ns[row] > until_ns:
            break
        until_ns = table.end_ns[row] + _THEN_NS
        total += _size(facts, row)
    return total


def _size(facts: Facts, row: int) -> int:
    """How many bytes a call read."""
    trace = facts.model.trace
    end = trace.slices.end_event[facts.model.states.slice[row]]
    return number_of(trace.args(end), s.ARG_BYTES) if end >= 0 else 0


def _unread_streams(facts: Facts) -> Iterator[Finding]:
    """A task waits for a child in vain, after asyncio has read as much as it does without a
    reader."""
    model, table, slices = facts.model, facts.model.states, facts.model.trace.slices
    long = [
        i for i in awaits_of(facts, _CHILD)
        if facts.slice_ns(i) >= _CHILD_NS
    ]  # fmt: skip
    if not long:
        return
    reads = _calls(facts, 0, "os.read")
    for i in long:
        start, end = slices.start_ns[i], slices.end_ns[i]
        process = model.owners.task_process[model.owners.owner[i]]
        near = [
            row for row in reads
            if start - _THEN_NS <= table.start_ns[row] <= end
            and model.thread_process[table.who[row]] == process
        ]  # fmt: skip
        last = max((table.end_ns[row] for row in near), default=end)
        size = sum(_size(facts, row) for row in near)
        if end - last < _CHILD_NS or size < _PIPE_BYTES:
            continue
        task = model.owners.owner[i]
        if not _is_in_vain(facts, task, i) or _is_read(facts, task, last, end):
            continue
        site = facts.awaited(i)[1]
        text = (
            f"Full pipe: {code(name_of(model, ('task', task)))}{place_in(site)} waited "
            f"{duration(end - start)} for a child ({at(facts, start)}) whose output nobody "
            f"read: asyncio stopped after {size_of(size)}, and "
            f"the child hung in a write to its full pipe. Call `communicate` instead of "
            f"`wait`, or read the stream in a task."
        )
        evidence = facts.evidence(("task", task), start, end - start, site)
        yield Finding("full pipe", end - last, text, evidence)


def _is_in_vain(facts: Facts, task: int, i: int) -> bool:
    is_open = bool(facts.model.trace.slices.unfinished[i])
    return is_open or LongWaits.of(facts).tree.ended_by(task, i).kind in GIVEN_UP


def _is_read(facts: Facts, task: int, since: int, until: int) -> bool:
    """Whether another task of the same creator reads a stream meanwhile."""
    owned, slices = facts.model.owners, facts.model.trace.slices
    family = {owned.task_id[task], owned.task_parent[task]}
    return any(
        slices.start_ns[i] < until
        and slices.end_ns[i] > since
        and owned.task_parent[owned.owner[i]] in family
        for i in awaits_of(facts, _READING)
    )


def _both_write(facts: Facts) -> Iterator[Finding]:
    """A process writes to its child's input, while the child writes to its output: both pipes
    are full, and nobody reads."""
    model, table, family = facts.model, facts.model.states, Family.of(facts.model)
    if len(family.members) < 2:
        return
    by_process = defaultdict[int, list[int]](list)
    for row in _calls(facts, _CHILD_NS, "write"):
        by_process[model.thread_process[table.who[row]]].append(row)
    for process, rows in by_process.items():
        member = family.members.get(process)
        for child in rows:
            for row in by_process.get(member.parent, []) if member is not None else ():
                start = max(table.start_ns[row], table.start_ns[child])
                ns = min(table.end_ns[row], table.end_ns[child]) - start
                if ns < _CHILD_NS or member is None:
                    continue
                name, site = facts.call(table.row[row])
                thread = code(name_of(model, ("thread", table.who[row])))
                text = (
                    f"Full pipe: {thread}{place_in(site)} hung in `{name}` for "
                    f"{duration(ns)} ({at(facts, start)}), while its child "
                    f"{code(member.name)} hung in "
                    f"`{facts.call(table.row[child])[0]}`: each waits until the other one "
                    f"reads. Call `communicate`, or read in a thread of its own."
                )
                yield Finding("full pipe", ns, text, _evidence(facts, row, ns))
                return


def other_stream(facts: Facts) -> Iterator[Finding]:
    """A task reads one output of a child in vain, while the child stands in a write: to its
    other output, which nobody reads."""
    model, table, family = facts.model, facts.model.states, Family.of(facts.model)
    if len(family.members) < 2:
        return
    writes = defaultdict[int, list[int]](list)  # by parent
    for row in _calls(facts, _CHILD_NS, "write"):
        member = family.members.get(model.thread_process[table.who[row]])
        if member is not None:
            writes[member.parent].append(row)
    slices, told = model.trace.slices, set[str]()
    for i in awaits_of(facts, _READING) if writes else ():
        start, end, task = slices.start_ns[i], slices.end_ns[i], model.owners.owner[i]
        process, site = model.owners.task_process[task], facts.awaited(i)[1]
        if end - start < _CHILD_NS or site in told or process not in writes:
            continue
        stuck = [
            row
            for row in writes[process]
            if 2 * (min(end, table.end_ns[row]) - max(start, table.start_ns[row]))
            >= end - start
        ]
        if not stuck or not _is_in_vain(facts, task, i):
            continue
        told.add(site)
        child = family.name(model.thread_process[table.who[stuck[0]]])
        ns = facts.row_ns(stuck[0])
        text = (
            f"Full pipe: {code(name_of(model, ('task', task)))}{place_in(site)} read one "
            f"output of a child in vain for {duration(end - start)} ({at(facts, start)}), "
            f"while its child {code(child)} hung in "
            f"`{facts.call(table.row[stuck[0]])[0]}` for {duration(ns)}: it writes to a "
            f"pipe that is full and that nobody reads, as that of its other output. Call "
            f"`communicate`, or read both at the same time."
        )
        evidence = facts.evidence(("task", task), start, end - start, site)
        yield Finding("full pipe", end - start, text, evidence)
