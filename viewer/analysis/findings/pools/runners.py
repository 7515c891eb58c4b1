"""Libraries that run jobs in their own threads: all of these are taken, and more jobs wait."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from tracer.units import MS, duration
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import BLOCKED, Facts, Finding
from viewer.analysis.findings.basis.inside import called_by, known_in
from viewer.analysis.findings.basis.waits import place_in, users
from viewer.analysis.findings.basis.words import at, names
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import all_at_once, covers, longest_gap, within
from viewer.analysis.states import mentioned, stack_of
from viewer.trace.columns import LOCK_WAIT, STATE_MASK
from viewer.trace.sites import innermost, place_of
from viewer.words import code

# All workers waited for the results of other jobs for half a second: only workers bring them.
_ASKED_NS = 500 * MS
_PAUSE_NS = 20 * MS  # between attempts, on a busy machine
# For a second none was free, and each was blocked for four fifths of it, mostly for a fifth of
# a second at a time: long jobs, not a burst of short ones. And for four fifths of it the
# library took no more jobs, since it had as many as it may; or those who waited for results
# were more than the workers, and these lost half a second.
_FULL_NS = 1_000 * MS
_LONG_NS = 200 * MS
_TELLING_NS = MS


class _Runner(NamedTuple):
    """`works` is the function that a worker stays in; `fetches`, where there is one, that of
    the thread that takes jobs ahead of them. `results`: in which one waits for a job's."""

    name: str
    job: str
    file: str
    works: str
    fetches: str
    results: tuple[str, frozenset[str]]


_RUNNERS = (
    _Runner("huey", "task", "/huey/consumer.py", "Worker.loop", "",
            ("/huey/api.py", frozenset(("Result.get", "Result.get_raw_result")))),
    _Runner("dramatiq", "message", "/dramatiq/worker.py", "WorkerThread.run",
            "ConsumerThread.run",
            ("/dramatiq/", frozenset(("Message.get_result", "ResultBackend.get_result")))),
)  # fmt: skip


_KNOWN = tuple((one.file, {one.works, one.fetches} - {""}, one) for one in _RUNNERS)


class _Stack(NamedTuple):
    """`job` is the user's function that the library called, "" where the worker has none; of
    others that ask for a result, the one that asks."""

    runner: _Runner
    is_worker: bool
    job: str
    asks: bool
    is_fetcher: bool = False


class _State(NamedTuple):
    start_ns: int
    end_ns: int
    state: int
    job: str
    asks: bool


type _Times = list[tuple[int, int]]
type _Threads = dict[int, list[_State]]


def runner_findings(facts: Facts) -> Iterator[Finding]:
    """Jobs that wait for each other's results, and jobs that wait for a worker."""
    if not mentioned(facts.model, *(runner.file for runner in _RUNNERS)):
        return
    for runner, workers, fetchers, askers in _threads(facts):
        found = _waiting(facts, runner, workers) or _full(
            facts, runner, workers, fetchers, askers
        )
        if found is not None:
            yield found


def _threads(facts: Facts) -> Iterator[tuple[_Runner, _Threads, _Threads, _Threads]]:
    """By runner and process the long states of the workers, of those that fetch jobs, and of
    those that ask for results."""
    model, table = facts.model, facts.model.states
    found: dict[tuple[int, _Runner], tuple[_Threads, _Threads, _Threads]] = defaultdict(
        lambda: (defaultdict(list), defaultdict(list), defaultdict(list))
    )
    for row in facts.rows_of(BLOCKED, _TELLING_NS):
        known = _of(stack_of(model, row))
        if known is None:
            continue
        workers, fetchers, askers = found[model.thread_process[table.who[row]], known.runner]
        others = fetchers if known.is_fetcher else askers
        (workers if known.is_worker else others)[table.who[row]].append(
            _State(
                table.start_ns[row],
                table.end_ns[row],
                table.state[row] & STATE_MASK,
                known.job,
                known.asks,
            )
        )
    for (_, runner), (workers, fetchers, askers) in found.items():
        for states in (*workers.values(), *fetchers.values(), *askers.values()):
            states.sort()
        if workers:
            yield runner, workers, fetchers, askers


@lru_cache(maxsize=4096)
def _of(stack: str) -> _Stack | None:
    frames = stack.split("\n")
    found = known_in(frames, _KNOWN)
    if found is None:
        asks = known_in(frames, [(*one.results, one) for one in _RUNNERS])
        return _Stack(asks[1], False, innermost(frames), True) if asks else None
    n, runner = found
    job, asked = called_by(frames, n), known_in(frames[:n], [(*runner.results, "")])
    is_worker = place_of(frames[n]).function == runner.works
    return _Stack(runner, is_worker, job, asked is not None and job != "", not is_worker)


# Jobs that wait for jobs --------------------------------------------------------------------


def _waiting(facts: Facts, runner: _Runner, workers: _Threads) -> Finding | None:
    """All workers wait for results that only a worker brings."""
    asked = [_joined([one for one in states if one.asks]) for states in workers.values()]
    start, end = max(all_at_once(asked), key=lambda time: time[1] - time[0], default=(0, 0))
    if end - start < _ASKED_NS:
        return None
    jobs = [
        one.job
        for states in workers.values()
        for one in states
        if one.asks and one.start_ns < end and one.end_ns > start
    ]
    job = max(set(jobs), key=lambda job: (jobs.count(job), job))
    text = (
        f"Thread-pool starvation: {_all(facts, runner, workers)} in "
        f"{code(place_of(job).function, job)}, which waits for the result of another "
        f"{runner.job}: for {duration(end - start)} ({at(facts, start)}) no worker of this "
        f"process was left to run it. Do not wait for a {runner.job} within a {runner.job}: "
        f"let the second one begin what follows, or give it a queue and workers of its own."
    )
    lost = sum(within(times, start, end) for times in asked)
    evidence = facts.evidence(("thread", next(iter(workers))), start, end - start, job)
    return Finding("thread-pool starvation", lost, text, evidence)


def _times(states: Iterable[_State]) -> _Times:
    return [(one.start_ns, one.end_ns) for one in states]


def _joined(states: list[_State]) -> _Times:
    """The times of the states, without the moments between attempts."""
    found = list[tuple[int, int]]()
    for one in states:
        if found and one.start_ns - found[-1][1] <= _PAUSE_NS:
            found[-1] = (found[-1][0], max(found[-1][1], one.end_ns))
        else:
            found.append((one.start_ns, one.end_ns))
    return found


# Jobs that wait for a worker ----------------------------------------------------------------


def _full(
    facts: Facts, runner: _Runner, workers: _Threads, fetchers: _Threads, askers: _Threads
) -> Finding | None:
    """No worker is free, and who fetches jobs for them may not take more, or more wait for
    results than there are workers."""
    idle = _times(one for states in workers.values() for one in states if not one.job)
    since = max(states[0].start_ns for states in workers.values())
    until = min(states[-1].end_ns for states in workers.values())
    for fetcher, states in fetchers.items():
        asks = [one for one in states if not _is_held_back(one)]
        held = _times(one for one in states if _is_held_back(one))
        start, end = longest_gap([*idle, *_times(asks)], since, until)
        if end - start >= _FULL_NS and covers(within(held, start, end), end - start):
            more = (
                f"{code(facts.model.thread_names[fetcher])} had as many {runner.job}s as it "
                f"may take and asked for no more meanwhile: the others wait for a worker"
            )
            return _starved(facts, runner, workers, (start, end), more, end - start)
    start, end = longest_gap(idle, since, until)
    asked = {who: within(_joined(states), start, end) for who, states in askers.items()}
    lost = sum(asked.values()) - (end - start) * len(workers)
    if end - start < _FULL_NS or lost < _ASKED_NS:
        return None
    who = users(facts.model, (("thread", one) for one, ns in asked.items() if ns))
    line = place_in(next(states[0].job for one, states in askers.items() if asked[one]))
    more = (
        f"Meanwhile {who} waited for the results of {runner.job}s{line}: more than there are "
        f"workers, which cost them {duration(lost)} in all"
    )
    return _starved(facts, runner, workers, (start, end), more, lost)


def _is_held_back(one: _State) -> bool:
    """Whether it waits for a permit to ask for more jobs."""
    return one.state == LOCK_WAIT


def _starved(
    facts: Facts,
    runner: _Runner,
    workers: _Threads,
    times: tuple[int, int],
    more: str,
    lost: int,
) -> Finding | None:
    start, end = times
    jobs = [one for states in workers.values() for one in states if one.job]
    long = [(a, b) for a, b in _times(jobs) if b - a >= _LONG_NS]
    if not covers(within(long, start, end), (end - start) * len(workers)):
        return None
    ns = defaultdict[str, int](int)
    for one in jobs:
        ns[one.job] += max(min(one.end_ns, end) - max(one.start_ns, start), 0)
    job = max(ns, key=lambda job: (ns[job], job))
    busy: list[tuple[Who, int, int]] = [(("thread", who), start, end) for who in workers]
    did = mostly(facts, busy)
    text = (
        f"Thread-pool starvation: {_all(facts, runner, workers)} busy with "
        f"{code(place_of(job).function, job)}{f', {did.text}' if did.text else ''}: for "
        f"{duration(end - start)} ({at(facts, start)}) none was free. {more}. Give "
        f"{code(place_of(job).function)} a queue and workers of its own, or start more "
        f"threads."
    )
    evidence = facts.evidence(("thread", next(iter(workers))), start, end - start, job)
    return Finding("thread-pool starvation", lost, text, evidence, behind=did.behind)


def _all(facts: Facts, runner: _Runner, workers: _Threads) -> str:
    """`all 2 workers of huey, `Worker-1` and `Worker-2`, are`."""
    named = names(facts.model.thread_names[thread] for thread in workers)
    if len(workers) == 1:
        return f"the only worker of {runner.name}, {named}, is"
    count = f"{len(workers)} " if len(workers) == 2 else ""
    return f"all {count}workers of {runner.name}, {named}, are"
