"""Tasks that never rest: they ask again and again instead of waiting to be woken."""

from collections import Counter
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration, share
from viewer.analysis.findings.basis.facts import COMPUTING, Facts, Finding
from viewer.analysis.findings.basis.hot import hot
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.resource import window
from viewer.analysis.tasks import TaskRow
from viewer.trace.columns import AWAIT, PREEMPTED
from viewer.trace.sites import is_library, place_of
from viewer.words import code

_MS = 1_000_000
# Yielding while working through a list is fine; ten thousand times without a rest is polling.
_YIELDS = 10_000
_TINY_STEP_NS = 20_000
# Asking every 2 ms means asking five hundred times a second.
_POLLS = 500
_POLL_NS = 2 * _MS
_SMALL_STEP_NS = 100_000
# Of a crowd, whose loop gets round less often, fewer are enough for each of them.
_CROWD_POLLS = 2_500
_POLLS_EACH = 100
# Several that wait in a helper make each other late: what it asks for is not its own pace.
_CROWD_POLL_NS = 5 * _MS
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
        sleeps_in = _sleeps_in(facts, task)
        is_helper = place_of(sleeps_in).function not in ("", row.coro)
        if is_own_pace and not is_helper:
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


def _sleeps_in(facts: Facts, task: int) -> str:
    """Where a task mostly awaits `sleep`; "" nowhere."""
    awaited = map(facts.awaited, facts.awaits_of_task(task))
    sites = Counter(site for what, site in awaited if what == _SLEEP and site)
    return next((site for site, _ in sites.most_common(1)), "")


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
