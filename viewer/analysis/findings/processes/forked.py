"""What a fork leaves behind: locks that stay locked, and threads that are not copied; and
servers that were killed."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import duration, plural
from viewer.analysis.endings import signal_name
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, name_of, place_in, users
from viewer.analysis.findings.basis.words import at, in_total, processes
from viewer.analysis.ledger.circles import Who
from viewer.analysis.processes.family import ORDERLY, Family, Member
from viewer.analysis.resources.waits import LOCKS, Wait
from viewer.words import code, place

_ACCEPTS = "._accept_connection2"  # asyncio's task for a new connection
_RESULTS = ("Future.result", "futures.wait", "executor")


def dead_servers(facts: Facts, at_ns: int) -> str:
    """`A` and `B`, which accept connections, had ended by SIGKILL before …: where all of the
    family that ever did so were dead at a time, and nothing replaced them; "" else."""
    family, model = Family.of(facts.model), facts.model
    if len(family.members) < 2:
        return ""
    accepting = {
        group
        for group in range(len(model.owners.group_head))
        if model.coroutine(group)[0].endswith(_ACCEPTS)
    }
    serving = {
        model.owners.task_process[task]
        for task, group in enumerate(model.owners.task_group)
        if group in accepting
    }
    killed = {
        process: min(told.time_ns for told in (member.told, member.said) if told is not None)
        for process in serving
        if (member := family.members[process]).ended is not None
        and member.ended.signal not in (None, *ORDERLY)
    }
    if not serving or killed.keys() != serving or max(killed.values()) > at_ns:
        return ""
    first = min(killed.values())
    if family.start_ns[family.order[-1]] > first:
        return ""
    ended = family.members[min(killed, key=killed.__getitem__)].ended
    assert ended is not None
    return (
        f"{processes(facts, killed)}, which accepted connections, had ended by "
        f"{signal_name(ended.signal or 0)} before ({at(facts, first)}), and nobody began in "
        f"their place. Watch them, and start new ones."
    )


def locks_left_by_forks(facts: Facts) -> Iterator[Finding]:
    """Waits for locks, in forked processes, that never ended: a killed child tries no more."""
    waits = LongWaits.of(facts)
    alike = defaultdict[tuple[str, str], list[Wait]](list)
    for wait in waits.all:
        if wait.is_open and wait.name in LOCKS and wait.slice not in waits.told:
            alike[wait.name, wait.site].append(wait)
    for vain in alike.values():
        is_long = sum(wait.ns for wait in vain) >= LOST_NS
        found = locked_at_fork(facts, vain) if is_long else None
        if found is not None:
            waits.told.update(wait.slice for wait in vain)
            yield found


def locked_at_fork(facts: Facts, vain: list[Wait]) -> Finding | None:
    """A lock that nobody has in this process, which was forked while other threads ran."""
    waits, model = LongWaits.of(facts), facts.model
    worst = max(vain, key=lambda wait: wait.ns)
    member = Family.of(model).members.get(waits.process(worst.who))
    if member is None or member.origin != "fork" or member.start is None:
        return None
    if worst.lock >= 0 and facts.ledger.holds.has(worst.lock):
        return None
    others = _alive_at(facts, member)
    if not others:
        return None
    lost = sum(wait.ns for wait in vain)
    forked = f" at {place(member.start.site)}" if member.start.site else ""
    text = (
        f"Deadlock {at(facts, worst.start_ns)}, for {duration(worst.ns)}: "
        f"{code(name_of(model, worst.who))}{place_in(worst.site)} waits for a `{worst.name}` "
        f"that nobody in its process has: {plural(len(vain), 'wait')} in vain, "
        f"{duration(lost)} in total. The process was forked{forked} while "
        f"{users(model, others)} ran in its parent: a lock that another thread has at a fork "
        f"stays locked in the child. Fork before threads start, use `spawn`, or make the lock "
        f"anew in `os.register_at_fork`."
    )
    return Finding("deadlock", lost, text, waits.evidence(worst))


def left_in_parent(facts: Facts, vain: list[Wait]) -> Finding | None:
    """Waits for threads that a fork did not copy: those of an executor whose jobs nobody
    begins in this process, or, where no other thread lives in it, any."""
    waits, model = LongWaits.of(facts), facts.model
    worst = max(vain, key=lambda wait: wait.ns)
    process = waits.process(worst.who)
    member = Family.of(model).members.get(process)
    if member is None or member.origin != "fork" or member.start is None:
        return None
    others = _alive_at(facts, member)
    pools = [
        pool
        for pool in facts.jobs.pools
        if any(("thread", thread) in others for thread in pool.threads)
    ]
    jobs = [
        job
        for job in facts.jobs.never_begun
        if job.thread >= 0 and model.thread_process[job.thread] == process
    ]
    if worst.name in _RESULTS and pools and jobs:
        waited = ", ".join(code(pool.name) for pool in pools[:2])
        what = f"for jobs of {waited}, whose threads stayed in"
        then = "Make the executor after the fork, or when it is first needed"
    elif others and _is_alone(facts, worst):
        what = f"for what no thread of its process can do: {users(model, others)} stayed in"
        then = "Start such threads after the fork"
    else:
        return None
    lost = sum(wait.ns for wait in vain)
    parent = code(Family.of(model).name(member.start.parent))
    of = {waits.process(wait.who) for wait in vain}
    who = users(model, (wait.who for wait in vain)) if len(of) == 1 else processes(facts, of)
    text = (
        f"Waited in vain: {who}{place_in(worst.site)} gave up {plural(len(vain), 'wait')} in "
        f"`{worst.name}`, {in_total(facts, lost, worst.ns, worst.start_ns)}, {what} {parent}, "
        f"from which {'this process was' if len(of) == 1 else 'they were'} forked: a fork "
        f"copies no thread but the one that calls it. {then} (`os.register_at_fork`, "
        f"gunicorn's `post_fork`)."
    )
    return Finding("wait in vain", lost, text, waits.evidence(worst), processes=len(of))


def _is_alone(facts: Facts, wait: Wait) -> bool:
    """Whether a thread waits in a process in which no other one lives meanwhile."""
    model, (kind, which) = facts.model, wait.who
    process = LongWaits.of(facts).process(wait.who)
    return kind == "thread" and not any(
        of == process
        and thread != which
        and model.states.first_ns[thread] < wait.end_ns
        and model.states.last_ns[thread] > wait.start_ns
        for thread, of in enumerate(model.thread_process)
    )


def _alive_at(facts: Facts, member: Member) -> list[Who]:
    """The parent's other threads at the fork."""
    model, start = facts.model, member.start
    assert start is not None
    return [
        ("thread", thread)
        for thread, process in enumerate(model.thread_process)
        if process == start.parent
        and thread != start.thread
        and model.states.first_ns[thread] <= start.time_ns <= model.states.last_ns[thread]
    ]
