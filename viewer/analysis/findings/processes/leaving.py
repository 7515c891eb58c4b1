"""What a program waits for when it is over: threads that sleep on, jobs that nobody needs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.doing import doing
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, in_total
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.analysis.regions import merged
from viewer.analysis.resources.waits import GETS, Wait, longest_rows
from viewer.analysis.states import stack_of
from viewer.trace.columns import CONTINUES, SLEEP, STATE_MASK
from viewer.trace.sites import is_library, own_frames, place_of
from viewer.words import code

# Who ends a program notices half a second. A thread that works on to the end of its job should
# not be cut off; one that sleeps for four fifths of that time could be woken.
_MOSTLY = 8, 10
_JOIN = "Thread.join"
_WHOLE = 30  # frames: of a deeper stack the outermost ones may not be recorded
_TIMER, _OVER = " Timer.run", " _shutdown"
# A pool is there to wait for its jobs. One that waits itself, in one call for a second and all
# that time, has nothing to do.
_SHUTDOWN, _IDLE_NS = "executor shutdown", 1_000_000_000
_LOOP_ENDS = " BaseEventLoop._do_shutdown"  # asyncio.run waits for its executor in a thread
_LAST_ITEM = (
    "Put a last item for each such job before the pool ends, or keep listeners out of pools."
)
_CANCEL = (
    "Call its `cancel()` when what it watches is done, or set `daemon = True` before "
    "`start()`."
)
_GIVE_UP = "Do it while the program runs, and with a short limit for all that is left then."
_PIECE_NS = 10_000_000
_MODULE = " <module>"
_MAIN = "MainThread"  # a thread of another name may run long before the program is over
_MOST = 1_000  # calls that are looked at, the longest ones
# What is left to do when the program is over, after whoever waited for results of the pool has
# gone: at most 50 ms pass from the end of a sleep to that of its thread.
_SOON_NS = 50_000_000
_LOOKS = 3  # sleeps before the last one: whoever is to end soon would not go on sleeping
_RESULTS = ("Future.result", "futures.wait", "futures.as_completed")
_WAKE_IT = (
    "Let the thread wait for an event instead of sleeping (`stop.wait(seconds)`), and set "
    "that event when nobody needs it any more."
)
_CANCEL_JOBS = "End the pool with `shutdown(wait=False, cancel_futures=True)`."
_STEP = (
    "Let the thread wait for an event instead of sleeping (`stop.wait(seconds)`), and set "
    "that event here; or join it with a time-out."
)


def slow_end(facts: Facts) -> Iterator[Finding]:
    """The main thread joins, in an exit handler, a thread that sleeps; or, when it is over, a
    timer that nobody cancels."""
    waits = LongWaits.of(facts)
    yield from _timers(facts, waits)
    yield from _jobs_that_wait(facts, waits)
    yield from _jobs_left(facts, waits)
    yield from _pollers(facts, waits)
    yield from _handlers(facts)
    for wait in waits.all:
        kind, thread = wait.ender or ("", -1)
        is_join = wait.name in (_JOIN, _SHUTDOWN) and wait.ns >= LOST_NS and not wait.failed
        is_join = is_join and wait.slice not in waits.told
        of_loop = any(frame.endswith(_LOOP_ENDS) for frame in wait.stack)
        if not is_join or kind != "thread":
            continue
        is_handler = _at_exit(facts, wait)
        if not (of_loop or is_handler or _sleeps_on(facts, wait)):
            continue
        split = facts.split(thread, window(wait.start_ns, wait.end_ns))
        if split.of((SLEEP,)) * _MOSTLY[1] < wait.ns * _MOSTLY[0]:
            continue
        did = doing(facts, [(("thread", thread), wait.start_ns, wait.end_ns)])
        name = code(facts.model.thread_names[thread])
        who, where, over = code(name_of(facts.model, wait.who)), place_in(wait.site), "program"
        if not is_handler:
            where = ""
        if of_loop:
            who, where, over = "the event loop", ", a job of its executor", "main task"
        text = (
            f"Slow end: {who} waits for the end of {name}{where}, when the {over} "
            f"is over: {duration(wait.ns)} ({at(facts, wait.start_ns)}), {did}."
        )
        step = _STEP if is_handler or of_loop else _WAKE_IT
        yield Finding("slow end", wait.ns, text, waits.evidence(wait), step)


def _timers(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """The interpreter waits for timers that have not run yet."""
    timers = [wait for wait in waits.all if wait.failed and _waits_as_timer(wait)]
    if not timers:
        return
    for wait in waits.all:
        if wait.name != _JOIN or wait.ns < LOST_NS or not wait.stack[-1].endswith(_OVER):
            continue
        for timer in timers:
            met = timer.met_ns(wait)
            if timer.who != wait.ender or met * _MOSTLY[1] < wait.ns * _MOSTLY[0]:
                continue
            name, began = code(name_of(facts.model, timer.who)), _started_at(facts, timer)
            text = (
                f"Slow end: {code(name_of(facts.model, wait.who))} waits for {name}, a "
                f"`threading.Timer`{began}, when the program is over: {duration(wait.ns)} "
                f"({at(facts, wait.start_ns)}), until its {duration(timer.ns)} are over. "
                f"Nobody cancelled it."
            )
            yield Finding("slow end", wait.ns, text, waits.evidence(wait), _CANCEL)


def _handlers(facts: Facts) -> Iterator[Finding]:
    """An exit handler sleeps itself, as between attempts to send something."""
    model, table = facts.model, facts.model.states
    by_handler = defaultdict[tuple[int, str], list[int]](list)
    for row in longest_rows(facts, (SLEEP,), _PIECE_NS, _MOST):
        is_main = model.thread_names[table.who[row]].startswith(_MAIN)
        if is_main and not table.state[row] & CONTINUES:
            stack = stack_of(model, row).split("\n")
            if _is_over(facts, table.who[row], stack):
                own = own_frames(stack)
                by_handler[table.who[row], own[-1]].append(row)
    for (thread, handler), rows in by_handler.items():
        ns = sum(table.busy_end_ns[row] - table.start_ns[row] for row in rows)
        start, end = table.start_ns[rows[0]], table.busy_end_ns[rows[-1]]
        if ns < LOST_NS or not _is_last(facts, thread, start, ns):
            continue
        did = doing(facts, [(("thread", thread), start, end)])
        text = (
            f"Slow end: when the program is over, {code(model.thread_names[thread])} is in "
            f"the exit handler {code(place_of(handler).function, handler)} for "
            f"{duration(end - start)} ({at(facts, start)}), {did}."
        )
        evidence = facts.evidence(("thread", thread), start, end - start, handler)
        yield Finding("slow end", ns, text, evidence, _GIVE_UP)


def _is_last(facts: Facts, thread: int, since_ns: int, ns: int) -> bool:
    """Whether that is half of all that a thread still did, and a module's code came before
    and not later: a greenlet, or what a server in C calls, has no modules below it, too."""
    model, rows = facts.model, facts.ledger.rows_of_threads
    if ns * 2 < model.states.last_ns[thread] - since_ns:
        return False
    before, later = rows.begun(thread, 0, since_ns), rows.begun(thread, since_ns)

    def is_in_module(n: int) -> bool:
        return _MODULE in stack_of(model, rows.row[n])

    return any(map(is_in_module, before[:_MOST])) and not any(map(is_in_module, later[:_MOST]))


def _jobs_that_wait(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """The end of an executor waits for a job that waits for more work all the time."""
    ends = [
        wait
        for wait in waits.all
        if wait.name == _SHUTDOWN and wait.ns >= _IDLE_NS and not wait.failed
    ]
    for wait in ends:
        for other in waits.overlapping(wait):
            met = other.met_ns(wait)
            is_idle = other.name in GETS and other.who == wait.ender
            if not is_idle or met * _MOSTLY[1] < wait.ns * _MOSTLY[0]:
                continue
            by = f", until {code(name_of(facts.model, other.ender))} put it there" if (
                other.ender is not None and not other.failed
            ) else ""  # fmt: skip
            text = (
                f"Slow end: {code(name_of(facts.model, wait.who))}{place_in(wait.site)} waits "
                f"for the end of a pool: {duration(wait.ns)} ({at(facts, wait.start_ns)}). "
                f"Meanwhile a job of it, on {code(name_of(facts.model, other.who))}, waits in "
                f"`{other.name}`{place_in(other.site)} for an item{by}."
            )
            waits.told.add(other.slice)
            yield Finding("slow end", wait.ns, text, waits.evidence(wait), _LAST_ITEM)
            break


def _jobs_left(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """The interpreter waits for jobs that began when the program was over, of a pool whose
    results the main thread had waited for before."""
    by_main = defaultdict[Who, list[Wait]](list)
    for wait in waits.all:
        if wait.name == _JOIN and wait.stack[-1].endswith(_OVER) and not wait.failed:
            by_main[wait.who].append(wait)
    for main, joins in by_main.items():
        since_ns, until_ns = joins[0].start_ns, joins[-1].end_ns
        got = {w.ender for w in waits.all if w.who == main and w.name in _RESULTS}
        wanted = {facts.jobs.pool_of.get(who[1], -1) for who in got if who is not None}
        later = (job for job in facts.jobs.all if job.began_ns > since_ns)
        left = [job for job in later if job.pool in wanted]
        times = merged([(job.began_ns, min(job.ended_ns, until_ns)) for job in left])
        ns = sum(end - start for start, end in times)
        if ns < LOST_NS:
            continue
        job = max(left, key=lambda job: job.ran_ns)
        did = doing(facts, [(("thread", job.thread), job.began_ns, job.ended_ns)])
        text = (
            f"Slow end: when the program is over, {code(name_of(facts.model, main))} waits "
            f"{duration(until_ns - since_ns)} ({at(facts, since_ns)}) for the end of a pool: "
            f"{plural(len(left), 'job')} of it, such as {code(job.name, job.site)}, began "
            f"only then, and nobody waits for their results; that one spent {did}."
        )
        waits.told.update(join.slice for join in joins)
        yield Finding("slow end", ns, text, waits.evidence(joins[0]), _CANCEL_JOBS)


def _pollers(facts: Facts, waits: LongWaits) -> Iterator[Finding]:
    """Somebody waits for the end of a thread that does little else than sleep between two
    looks, and ends when it wakes."""
    table, rows = facts.model.states, facts.ledger.rows_of_threads
    by_line = defaultdict[str, list[tuple[Wait, int]]](list)
    for wait in waits.all:
        is_join = wait.name == _JOIN and not wait.failed and wait.slice not in waits.told
        if not is_join or wait.ender is None or is_library(wait.site):
            continue
        states = rows.of(wait.ender[1])
        sleeps = [row for row in states if table.state[row] & STATE_MASK == SLEEP]
        before = [row for row in sleeps if table.end_ns[row] < wait.start_ns]
        if len(before) < _LOOKS or len({table.row[row] for row in sleeps}) > 1:
            continue
        last, life = sleeps[-1], waits.ends_ns(wait.ender) - waits.begins_ns(wait.ender)
        is_last = table.start_ns[last] < wait.start_ns
        is_last = is_last and table.end_ns[last] >= wait.end_ns - _SOON_NS
        if is_last and facts.total_ns(sleeps) * _MOSTLY[1] >= life * _MOSTLY[0]:
            by_line[wait.site].append((wait, last))
    for found in by_line.values():
        lost = sum(wait.ns for wait, _ in found)
        worst, last = max(found, key=lambda one: one[0].ns)
        if lost < LOST_NS:
            continue
        those = {wait.ender for wait, _ in found if wait.ender is not None}
        site = facts.call(table.row[last])[1]
        text = (
            f"Slow end: {code(name_of(facts.model, worst.who))}{place_in(worst.site)} waits "
            f"for the end of {users(facts.model, those)}: {plural(len(found), 'time')}, "
            f"{in_total(facts, lost, worst.ns, worst.start_ns)}, asleep{place_in(site)}. "
            f"It mostly sleeps, and checks only when it wakes whether it should end."
        )
        yield Finding("slow end", lost, text, waits.evidence(worst), _WAKE_IT)


def _sleeps_on(facts: Facts, wait: Wait) -> bool:
    """Whether the interpreter waits, when the program is over, for a thread that was asleep
    before, and does nothing more when it wakes."""
    if not wait.stack[-1].endswith(_OVER):
        return False
    table = facts.model.states
    return any(
        ("thread", table.who[row]) == wait.ender
        and table.start_ns[row] < wait.start_ns
        and table.busy_end_ns[row] >= wait.end_ns - _SOON_NS
        for row in longest_rows(facts, (SLEEP,), LOST_NS, _MOST)
    )


def _waits_as_timer(wait: Wait) -> bool:
    return any(frame.endswith(_TIMER) for frame in wait.stack)


def _started_at(facts: Facts, timer: Wait) -> str:
    """` started in `start_watchdog` (app.py:6)`; "" unknown."""
    site = facts.started_at(timer.who[1])
    return f" started{place_in(site)}" if site else ""


def _at_exit(facts: Facts, wait: Wait) -> bool:
    """Whether the main thread waits in a function of the program that no module called."""
    kind, thread = wait.who
    return kind == "thread" and _is_over(facts, thread, wait.stack)


def _is_over(facts: Facts, thread: int, stack: Sequence[str]) -> bool:
    """The same of a stack of a thread."""
    model = facts.model
    if len(stack) >= _WHOLE:
        return False
    process = model.thread_process[thread]
    is_main = model.threads[thread].tid == model.pid(process)
    has_hub = any(
        loop.process == process and loop.kind == s.TRACK_GREENLETS_PREFIX
        for loop in model.loops
    )
    is_users = any(frame and not is_library(frame) for frame in stack)
    return (
        is_main
        and is_users
        and not has_hub  # a greenlet has a stack of its own
        and all(place_of(frame).function != "<module>" for frame in stack)
    )
