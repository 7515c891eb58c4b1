"""Tasks and callbacks that go round again and again instead of waiting to be woken."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tracer import schema as s
from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.facts import COMPUTING, Facts, Finding
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.repeated import are_jobs
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.pools.backlog import takes_items
from viewer.analysis.ledger.resource import window
from viewer.analysis.states import numbers
from viewer.analysis.tasks import TaskRow
from viewer.trace.columns import AWAIT, LOOP_CALLBACK, PREEMPTED
from viewer.trace.sites import is_library, place_of
from viewer.words import code

# Yielding while working through a list is fine; ten thousand times without a rest is polling.
_YIELDS = 10_000
_TINY_STEP_NS = 20_000
# Asking every 2 ms means asking five hundred times a second.
_POLLS = 500
_POLL_NS = 2 * MS
_SMALL_STEP_NS = 100_000
# Of a crowd, whose loop gets round less often, fewer are enough for each of them.
_CROWD_POLLS = 2_500
_POLLS_EACH = 100
# Several that wait in a helper make each other late: what it asks for is not its own pace.
_CROWD_POLL_NS = 5 * MS
_MOSTLY = 9, 10
_SAMPLES = 20
_SLEEP = f"{s.AWAIT_PREFIX}sleep"


def busy_loop(facts: Facts) -> Iterator[Finding]:
    """A task that asks again and again instead of waiting to be woken."""
    for row in facts.tasks.at_least("turns", min(_YIELDS, _POLLS)):
        how = _polls(facts, row, _POLL_NS)
        is_own_pace = how is None  # unless a helper sleeps
        if how is None and row.count > 1:
            how = _polls(facts, row, _CROWD_POLL_NS)
        if how is None:
            continue
        model = facts.model
        heads = model.owners.group_head
        group = model.group_of(row.coro, row.site)
        task = heads[group]
        sleeps_in = _sleeps_in(facts, task, row.steps // row.count)
        is_helper = place_of(sleeps_in).function not in ("", row.coro)
        if (is_own_pace and not is_helper) or takes_items(facts, sleeps_in):
            continue
        if _runs_jobs(facts, task, sleeps_in, row.steps):
            continue
        start = model.trace.slices.start_ns[model.owners.task_head[task]]
        cost = row.running.total_ns
        end = start + row.running.total_ns + row.ready.total_ns + row.awaiting.total_ns
        helper = place_in(sleeps_in) if is_helper else ""
        helper = helper or _in_helper(facts, task, row.coro, start, end)
        text = (
            f"{code(row.coro, row.site)} polls{helper}: {how}. Its {row.steps:,} steps took "
            f"{duration(cost)} in total and {duration(row.running.p50_ns)} each, beginning "
            f"{at(facts, start)}. An event, a condition or a queue would wake it when "
            f"there is something to do."
        )
        evidence = facts.evidence(("task", task), start, end - start, row.site)
        yield Finding("busy loop", cost, text, evidence)


def _runs_jobs(facts: Facts, task: int, site: str, steps: int) -> bool:
    """Whether a worker of a pool, as a greenlet may be one, sleeps in a job each time."""
    own = (i for i in facts.awaits_of_task(task) if facts.awaited(i)[1] == site)
    first = next(own, -1)
    if not site or first < 0:
        return False
    stack = facts.model.trace.text_of_slice(first, s.ARG_STACK)
    return are_jobs(facts.jobs.all, stack, steps)


def _sleeps_in(facts: Facts, task: int, steps: int) -> str:
    """Where a task awaits `sleep` after most of its steps; "" nowhere."""
    awaited = map(facts.awaited, facts.awaits_of_task(task))
    sites = Counter(site for what, site in awaited if what == _SLEEP and site)
    return next((site for site, n in sites.most_common(1) if n * 2 >= steps), "")


def _in_helper(facts: Facts, task: int, coro: str, start: int, end: int) -> str:
    """` in `wait_for` (app.py:9)`: where a task that polls yields, by CPU samples, if that is
    not its own function."""
    thread = facts.ledger.thread_of_task(task)
    if thread < 0:
        return ""
    stacks = facts.stacks(facts.model.threads[thread].tid, [(start, end)])
    found, total = hot(facts.hot_places, stacks)
    own = [one for one in found if one.function != "<module>" and not is_library(one.site)]
    if total < _SAMPLES or not own or own[0].samples * 2 < sum(one.samples for one in own):
        return ""
    return "" if own[0].function == coro else f" in {code(own[0].function, own[0].site)}"


def _pause_ns(facts: Facts, row: TaskRow, longest_ns: int) -> int:
    """How long a task of the row mostly waits. Where the thread of its loop was kept from
    running for longer than it ran, it is woken late: what the shortest tenth take is what it
    asks for."""
    model, owned, rows = facts.model, facts.model.owners, facts.ledger.rows_of_tasks
    if row.awaiting.p50_ns <= longest_ns:
        return row.awaiting.p50_ns
    task = owned.group_head[model.group_of(row.coro, row.site)]
    which = slice(*rows.offset[task : task + 2])
    if (thread := facts.ledger.thread_of_task(task)) < 0:
        return row.awaiting.p50_ns
    table = model.states
    split = facts.split(thread, window(table.first_ns[thread], table.last_ns[thread]))
    if split.states[PREEMPTED] <= split.of(COMPUTING):
        return row.awaiting.p50_ns
    took = sorted(
        end - start
        for start, end, i in zip(
            rows.start_ns[which], rows.end_ns[which], rows.row[which], strict=True
        )
        if owned.kind[i] == AWAIT
    )
    return took[len(took) // 10] if took else row.awaiting.p50_ns


def _times(pause_ns: int, mean_ns: int) -> str:
    """`1.10 ms on average`: how long the pauses are."""
    if pause_ns * 2 >= mean_ns:
        return f"{duration(mean_ns)} on average"
    return (
        f"{duration(pause_ns)} at a time ({duration(mean_ns)} on average, as it is woken late)"
    )


def _polls(facts: Facts, row: TaskRow, longest_ns: int) -> str | None:
    """How the tasks of a row poll, with pauses of at most this; None when they do not."""
    woken = Counter({waker.who: waker.count for waker in row.wakers})
    yields = woken["nobody"] - row.count  # a new task counts as woken by nobody, too
    mostly = row.steps * _MOSTLY[0] // _MOSTLY[1]
    often = min(_POLLS * row.count, max(_CROWD_POLLS, _POLLS_EACH * row.count))
    # A time-out of zero ends an await at once, by the task itself.
    at_once = woken[row.coro] if row.count == 1 else 0
    if (
        yields >= _YIELDS * row.count
        and yields + at_once >= mostly
        and row.running.p50_ns <= _TINY_STEP_NS
    ):
        part = share(yields, row.steps)
        return f"it yields ({part} of its steps end in `sleep(0)`) and runs again"
    sleeps = [wait for wait in row.awaits if wait.what == "sleep"]
    if (
        sleeps
        and sleeps[0].count >= max(mostly, often)
        and row.running.p50_ns <= _SMALL_STEP_NS
        and (pause := _pause_ns(facts, row, longest_ns)) <= longest_ns
    ):
        mean = sleeps[0].total_ns // sleeps[0].count
        return f"it sleeps {sleeps[0].count:,} times, {_times(pause, mean)}"
    timed_out, waited = woken["timer"], row.awaiting
    if (
        timed_out - sum(wait.count for wait in sleeps) >= max(mostly, often)
        and row.running.p50_ns <= _SMALL_STEP_NS
        and (pause := _pause_ns(facts, row, longest_ns)) <= longest_ns
    ):
        mean = waited.total_ns // waited.count
        return f"{timed_out:,} of its waits ran into their time-out, of {_times(pause, mean)}"
    return None


# As with tasks: passing the loop ten thousand times without a rest is polling, and so is
# asking every 2 ms for five hundred times. A callback that works takes longer.
_AGAIN = 10_000
_TINY_NS = 20_000
_SMALL_NS = 100_000
# One chain of timers, not many: hardly any two are due at the same time.
_APART_NS = 400_000
_TIMER = "timer"
_MOST = 20  # callbacks that are looked at, the most frequent ones
_LOOKS = 200  # so many of them are looked at


def ticking_callbacks(facts: Facts) -> Iterator[Finding]:
    """Callbacks that `call_soon` or `call_later` runs again at once."""
    owned, engine = facts.model.owners, facts.model.trace.engine
    slices, every = facts.model.trace.slices, len(owned.call_name)
    if not every:
        return
    lanes = {lane: thread for thread, lane in facts.ledger.lane_of_thread.items()}
    keys = engine.group_keys(owned.kind, owned.owner, numbers(range(every)), LOOP_CALLBACK)
    stats = engine.grouped_stats(slices.start_ns, slices.end_ns, keys, every)
    text_of = facts.model.trace.text
    often = [
        callback
        for callback in range(every)
        if stats.count[callback] >= _POLLS
        and stats.p50[callback] <= _SMALL_NS
        and (site := text_of(owned.call_site[callback]))
        and not is_library(site)
    ]
    often.sort(key=lambda callback: -stats.count[callback])
    calls = facts.kinds((LOOP_CALLBACK,)) if often else memoryview(b"")
    runs = engine.longer(slices.start_ns, slices.end_ns, calls, 0) if often else calls
    for callback in often[:_MOST]:
        wanted = memoryview(bytes(int(i == callback) for i in range(every)))
        rows = engine.pick(runs, owned.owner, wanted)
        count, site = stats.count[callback], text_of(owned.call_site[callback])
        how = _how(facts, rows, stats.p50[callback])
        thread = lanes.get(facts.model.lane[rows[0]], -1)
        if not how or thread < 0:
            continue
        start, end = slices.start_ns[rows[0]], slices.end_ns[rows[-1]]
        name = text_of(owned.call_name[callback])
        text = (
            f"The callback {code(name, site)} polls: it schedules itself {how}, and the loop "
            f"ran it {count:,} times in {duration(end - start)} ({at(facts, start)}). An "
            f"event, a queue or `loop.call_soon_threadsafe` would wake it when there is "
            f"something to do."
        )
        evidence = facts.evidence(("thread", thread), start, end - start, site)
        yield Finding("busy loop", stats.total[callback], text, evidence)


def _how(facts: Facts, rows: Sequence[int], median_ns: int) -> str:
    """How a callback schedules itself, by its slices in order of time; "" if it does not."""
    starts, events = facts.model.trace.slices.start_ns, facts.model.trace.slices.event
    step = max(len(rows) // _LOOKS, 1)
    looked = [(rows[n - 1], rows[n]) for n in range(1, len(rows), step)]
    if len(rows) >= _AGAIN and median_ns <= _TINY_NS:
        itself = sum(_scheduled(facts, events[a], events[b]) for a, b in looked)
        if _mostly(itself, len(looked)):
            return "with `call_soon` each time"
    timers = sum(
        starts[b] - starts[a] >= _APART_NS and _by_timer(facts, events[b]) for a, b in looked
    )
    mean = (starts[rows[-1]] - starts[rows[0]]) // (len(rows) - 1)
    if mean <= _POLL_NS and _mostly(timers, len(looked)):
        return f"with `call_later`, every {duration(mean)}"
    return ""


def _scheduled(facts: Facts, by: int, event: int) -> bool:
    """Whether an arrow leads from one event to the other."""
    begun = {flow for flow, is_end in facts.ledger.flows.at(by) if not is_end}
    return any(is_end and flow in begun for flow, is_end in facts.ledger.flows.at(event))


def _by_timer(facts: Facts, event: int) -> bool:
    return facts.model.trace.args(event).get(s.ARG_WAKER) == _TIMER


def _mostly(part: int, whole: int) -> bool:
    return part * _MOSTLY[1] >= whole * _MOSTLY[0]
