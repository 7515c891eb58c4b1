"""Full pipes of children: nobody reads what these write, while somebody waits for them, or
asks again and again whether they have ended."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from tracer.units import size as size_of
from viewer.analysis.causes.part import GIVEN_UP
from viewer.analysis.findings.basis.calls import size_read
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.processes.family import Family
from viewer.analysis.processes.notes import notes
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.states import at_least, every, keys, stack_of
from viewer.trace.columns import IO, SLEEP, STATE_MASK
from viewer.trace.sites import is_library
from viewer.words import code

# A pipe holds 64 KiB: a child whose output was read only after the wait hung in `write`.
_WAITS_FOR_CHILD = (" Popen.wait", " Popen._wait")
_MULTIPROCESSING = "/multiprocessing/"
_READ = "Call `communicate` instead of `wait`, or read the pipe in a thread."
_READ_ON = (
    "Look for such errors (a line longer than the reader's `limit`, a record that cannot be "
    "parsed), and read on, or kill the child, when one comes."
)
_READ_FIRST = "First take out everything that it puts into a queue or pipe, then join it."
_PIPE_BYTES = 1 << 16
_CHILD, _READING = f"{s.AWAIT_PREFIX}subprocess", f"{s.AWAIT_PREFIX}socket"
_THEN_NS = 50 * MS


def full_pipes(facts: Facts) -> Iterator[Finding]:
    """Children that stand in a write, since nobody reads what they write."""
    yield from _full_pipes(facts)
    yield from _unread_streams(facts)
    yield from _both_write(facts)
    yield from other_stream(facts)


def stack_in(facts: Facts, row: int) -> list[str]:
    return stack_of(facts.model, row).split("\n")


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
    for row in facts.calls_with("read", 0):
        reads[table.who[row]].append(row)
    told = LongWaits.of(facts).told
    for (thread, call), rows in waits.items():
        end_ns, is_told = table.end_ns[rows[-1]], table.slice[rows[-1]] in told
        if is_told or _bytes_read(facts, reads[thread], end_ns) < _PIPE_BYTES:
            continue
        ns, site = end_ns - table.start_ns[rows[0]], facts.call(call)[1]
        is_joined = any(_MULTIPROCESSING in frame for frame in stack_in(facts, rows[0])[:3])
        name, remedy = ("Process.join", _READ_FIRST) if is_joined else ("Popen.wait", _READ)
        text = (
            f"Full pipe: {code(name_of(facts.model, ('thread', thread)))}{place_in(site)} "
            f"waited {duration(ns)} in `{name}` ({at(facts, table.start_ns[rows[0]])}) "
            f"for a child that could not go on: it writes to a pipe, which was full and which "
            f"nobody read until the wait was over. {remedy}"
        )
        yield Finding("full pipe", ns, text, facts.evidence_of(rows[0], ns))


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
        for n in at_least(total, LOST_NS)
        if any(f.endswith(_WAITS_FOR_CHILD) for f in stack_in(facts, first[n])[:3])
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
        total += max(size_read(facts, row), 0)
    return total


def _unread_streams(facts: Facts) -> Iterator[Finding]:
    """A task waits for a child in vain, after asyncio has read as much as it does without a
    reader."""
    model, table, slices = facts.model, facts.model.states, facts.model.trace.slices
    long = [
        i for i in awaits_of(facts, _CHILD)
        if facts.slice_ns(i) >= LOST_NS
    ]  # fmt: skip
    if not long:
        return
    reads = facts.calls_with("os.read", 0)
    for i in long:
        start, end = slices.start_ns[i], slices.end_ns[i]
        process = model.owners.task_process[model.owners.owner[i]]
        near = [
            row for row in reads
            if start - _THEN_NS <= table.start_ns[row] <= end
            and model.thread_process[table.who[row]] == process
        ]  # fmt: skip
        last = max((table.end_ns[row] for row in near), default=end)
        size = sum(max(size_read(facts, row), 0) for row in near)
        if end - last < LOST_NS or size < _PIPE_BYTES:
            continue
        task = model.owners.owner[i]
        reader = _failed_reader(facts, task, start, last)
        is_read = reader < 0 and _is_read(facts, task, last, end)
        if is_read or not _is_in_vain(facts, task, i):
            continue
        site = facts.awaited(i)[1]
        step = "Call `communicate` instead of `wait`, or read the stream in a task."
        why = ""
        if reader >= 0:
            how = facts.ledger.how_it_ended(reader).removeprefix(s.FAILED_PREFIX)
            said = code(name_of(model, ("task", reader)))
            why = f". {said}, which read it, failed ({how})"
            step = _READ_ON
        text = (
            f"Full pipe: {code(name_of(model, ('task', task)))}{place_in(site)} waited "
            f"{duration(end - start)} for a child ({at(facts, start)}) whose output nobody "
            f"read{why}: asyncio stopped after {size_of(size)}, and "
            f"the child hung in a write to its full pipe. {step}"
        )
        yield Finding("full pipe", end - last, text, facts.evidence_of_await(i))


def _is_in_vain(facts: Facts, task: int, i: int) -> bool:
    is_open = bool(facts.model.trace.slices.unfinished[i])
    return is_open or LongWaits.of(facts).tree.ended_by(task, i).kind in GIVEN_UP


def _failed_reader(facts: Facts, task: int, since: int, last: int) -> int:
    """The task of the same creator that had read a stream before and failed, as the last bytes
    came, or soon after; -1 none."""
    owned, slices = facts.model.owners, facts.model.trace.slices
    family = {owned.task_id[task], owned.task_parent[task]}
    readers = {
        owned.owner[i]
        for i in awaits_of(facts, _READING)
        if slices.start_ns[i] >= since - _THEN_NS
        and owned.task_parent[owned.owner[i]] in family
    }
    ended = LongWaits.of(facts).ends_ns
    for reader in readers:
        how = facts.ledger.how_it_ended(reader)
        is_then = abs(ended(("task", reader)) - last) <= LOST_NS // 2
        if how.startswith(s.FAILED_PREFIX) and is_then:
            return reader
    return -1


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
    for row in facts.calls_with("write", LOST_NS):
        by_process[model.thread_process[table.who[row]]].append(row)
    for process, rows in by_process.items():
        member = family.members.get(process)
        for child in rows:
            for row in by_process.get(member.parent, []) if member is not None else ():
                start = max(table.start_ns[row], table.start_ns[child])
                ns = min(table.end_ns[row], table.end_ns[child]) - start
                if ns < LOST_NS or member is None:
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
                yield Finding("full pipe", ns, text, facts.evidence_of(row, ns))
                return


def other_stream(facts: Facts) -> Iterator[Finding]:
    """A task reads one output of a child in vain, while the child stands in a write: to its
    other output, which nobody reads."""
    model, table, family = facts.model, facts.model.states, Family.of(facts.model)
    if len(family.members) < 2:
        return
    writes = defaultdict[int, list[int]](list)  # by parent
    for row in facts.calls_with("write", LOST_NS):
        member = family.members.get(model.thread_process[table.who[row]])
        if member is not None:
            writes[member.parent].append(row)
    slices, told = model.trace.slices, set[str]()
    for i in awaits_of(facts, _READING) if writes else ():
        start, end, task = slices.start_ns[i], slices.end_ns[i], model.owners.owner[i]
        process, site = model.owners.task_process[task], facts.awaited(i)[1]
        if end - start < LOST_NS or site in told or process not in writes:
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
            f"pipe that is full and that nobody reads, such as that of its other output. Call "
            f"`communicate`, or read both at the same time."
        )
        yield Finding("full pipe", end - start, text, facts.evidence_of_await(i))


# Five pauses one after the other, half a second in all, in which no child ended; it ended by
# itself as soon as its output was read.
_PAUSES = 5
_SOON_NS = 50 * MS
_OUTPUT = " Popen._communicate"
_MOST = 10_000  # pauses and reads that are looked at
_READ_BESIDE = (
    "Read the pipe while the child runs: `communicate(timeout=…)`, or a thread that reads."
)


def polled_pipes(facts: Facts) -> Iterator[Finding]:
    """A function sleeps until a child has ended that stands in a write meanwhile."""
    model, table = facts.model, facts.model.states
    if not facts.model.trace.instants(model.trace.events.name, s.CHILD_ENDED):
        return
    reads = [row for row in _every(facts, (IO,)) if _reads_output(facts, row)]
    if not reads:
        return
    ends = _ends(facts)
    pauses = defaultdict[int, list[int]](list)
    for row in _every(facts, (SLEEP,)):
        pauses[table.who[row]].append(row)
    by_line = defaultdict[tuple[int, str], list[list[int]]](list)
    since = dict[int, int]()
    for row in reads:
        thread, start = table.who[row], table.start_ns[row]
        before = since.get(thread, -1)
        since[thread] = table.end_ns[row]
        run = _run(facts, pauses[thread], before, start)
        run_start = table.start_ns[run[0]] if run else start
        lost = table.end_ns[run[-1]] - run_start if run else 0
        if (
            len(run) >= _PAUSES
            and lost >= LOST_NS
            and _ends_then(ends[thread], run_start, start)
        ):
            by_line[thread, facts.call(table.row[run[0]])[1]].append(run)
    for (thread, site), runs in by_line.items():
        worst = max(runs, key=lambda run: table.end_ns[run[-1]] - table.start_ns[run[0]])
        lost = sum(table.end_ns[run[-1]] - table.start_ns[run[0]] for run in runs)
        start, end = table.start_ns[worst[0]], table.end_ns[worst[-1]]
        text = (
            f"Full pipe: {code(model.thread_names[thread])}{place_in(site)} looked again and "
            f"again for the end of a child, {plural(sum(map(len, runs)), 'pause')}, "
            f"{duration(lost)} in total ({at(facts, start)}): the child writes to a pipe, "
            f"which was full and which nobody read until then. {_READ_BESIDE}"
        )
        evidence = facts.evidence(("thread", thread), start, end - start, site)
        yield Finding("full pipe", lost, text, evidence, processes=2)


def _ends(facts: Facts) -> dict[int, list[int]]:
    """By thread when it was told that a child had ended by itself."""
    noted, told = notes(facts.model, s.CHILD_ENDED)
    found = defaultdict[int, list[int]](list)
    by = told.numbers(s.ARG_SIGNAL, 0)
    for thread, ns, killed_by in zip(noted.thread, noted.time_ns, by, strict=True):
        if not killed_by:
            found[thread].append(ns)
    return found


def _ends_then(ends: list[int], since_ns: int, read_ns: int) -> bool:
    """Whether no child ended in the pauses, and one did soon after the read began."""
    after = [ns for ns in ends if since_ns <= ns <= read_ns + _SOON_NS]
    return bool(after) and min(after) >= read_ns


def _every(facts: Facts, states: tuple[int, ...]) -> list[int]:
    """Rows of calls of user code or of `communicate`, in order of begin; none where there are
    too many."""
    rows = facts.rows_of(states, 0)
    return list(rows) if len(rows) <= _MOST else []


def _reads_output(facts: Facts, row: int) -> bool:
    name = facts.call(facts.model.states.row[row])[0]
    return name.endswith("read") and _OUTPUT in stack_of(facts.model, row)


def _run(facts: Facts, pauses: list[int], after_ns: int, until_ns: int) -> list[int]:
    """The pauses of one line before a read of the same function, one after the other."""
    table, found = facts.model.states, list[int]()
    for row in reversed(pauses):
        if table.start_ns[row] >= until_ns:
            continue
        last = found[-1] if found else -1
        limit = table.start_ns[last] if last >= 0 else until_ns
        same = last < 0 or table.row[row] == table.row[last]
        if table.start_ns[row] < after_ns or not same or limit - table.end_ns[row] > _SOON_NS:
            break
        found.append(row)
    site = facts.call(table.row[found[0]])[1] if found else ""
    return found[::-1] if site and not is_library(site) else []
