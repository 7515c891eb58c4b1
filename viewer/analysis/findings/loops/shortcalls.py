"""Threads that ask the kernel again and again in calls too short to be recorded one by one:
CPU samples name the call."""

from collections import Counter
from collections.abc import Iterator
from functools import cache

from tracer import schema as s
from tracer.units import duration, share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.findings.loops.spinning import polling, questions, spun_ns
from viewer.analysis.profiles.cpu import stack_calls
from viewer.analysis.resources.waits import Wait
from viewer.analysis.threads import ThreadRow
from viewer.trace.sites import is_library

# Half of the samples of a thread that computes for half a second: whoever does something with
# the answers spends his time on that.
_SPINS_NS = 500_000_000
_SAMPLES = 20
# Whether something has come or ended: who gets an answer goes on.
_ASKS = (
    "os.waitpid", "os.wait3", "os.wait4", "os.waitid", "select.select", "select.poll.poll",
    "select.epoll.poll", "fcntl.flock", "fcntl.lockf", "socket.accept", "socket.connect_ex",
)  # fmt: skip
# What a file is like: that may be work (an index of all files). It is none of a thread that
# does so beside others for all its life, and for whose end or result nobody waits.
_LOOKS = ("os.stat", "os.lstat", "os.listdir", "os.scandir")
_LIFE = 8, 10
_MAIN = "MainThread"
_BE_TOLD = (
    "If it looks for changes, let it wait between checks, or be told of them (inotify, "
    "`watchfiles`)."
)
_WAIT = "Let the call wait, with a time-out, instead of asking again."


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
        if count * 2 < len(samples) or call not in (*_ASKS, *_LOOKS) or not site:
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
            f"without a pause. {_BE_TOLD if call in _LOOKS else _WAIT}"
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
