"""One of several equal children that takes far longer than the others, while their parent
waits for it alone; and the last job of a pool of processes whose others have no more."""

from collections.abc import Iterator
from itertools import compress

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.doing import mostly
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.uneven import targets, uneven
from viewer.analysis.findings.basis.waits import LongWaits, place_in
from viewer.analysis.findings.basis.words import at, middle
from viewer.analysis.ledger.resource import covers
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.processes.jobs import Job, Jobs, Pool
from viewer.analysis.resources.waits import longest_rows
from viewer.trace.columns import IO
from viewer.words import code

# Three others had ended in a tenth of the time, and the parent waited for this one alone for
# half a second. It waited itself for most of that: else it just had more to do.
_OTHERS = 3
_TIMES = 10
_MOSTLY = 80  # per cent
_WAITS = ("os.waitpid", "os.wait", "os.wait3", "os.wait4", "os.waitid", "select.poll.poll")
_NO_FAULT = ("computing", "accept", "poll", "select")  # it has work, or waits for clients
_MOST = 1_000
# A job of a pool, or a child that computes, that ran alone for half of the time that the whole
# batch took, and four times as long as the others did.
_HALF = 2
_LONGER = 4
_IN_POOL = ("AsyncResult.get", "Future.result", "futures.wait", "futures.as_completed",
            "IMapIterator.next", "executor")  # fmt: skip


def last_child(facts: Facts) -> Iterator[Finding]:
    """A parent waits for the slowest of equal children, or for the last job of a pool."""
    family = Family.of(facts.model)
    if len(family.members) < 2:
        return
    for alike in family.alike:
        yield from _of_children(facts, family, alike)
    for pool in Jobs.of(facts.model).pools:
        yield from _of_pool(facts, family, pool)


def _of_children(facts: Facts, family: Family, alike: list[int]) -> Iterator[Finding]:
    if len(alike) <= _OTHERS:
        return
    slowest = max(alike, key=family.end_ns.__getitem__)
    before, until = sorted(map(family.end_ns.__getitem__, alike))[-2:]
    since = max(family.start_ns[slowest], before)
    if until - since < LOST_NS:
        return
    members = [*map(family.members.__getitem__, alike)]
    usual, last = middle(member.ns for member in members), family.members[slowest]
    ns, took = last.end_ns - since, last.ns
    began_last = max(member.start_ns for member in members)
    row = _waits_for(facts, last.parent, since, last.end_ns)
    if row < 0 or last.main < 0 or began_last - last.start_ns > ns // 2:
        return
    whole = last.end_ns - min(member.start_ns for member in members)
    if took >= usual * _LONGER and ns * _HALF >= whole:
        worker = _uneven(facts, members, last, usual, since, row)
        if worker is not None:
            yield worker
            return
    if took < usual * _TIMES:
        return
    did = mostly(facts, [(("thread", last.main), since, last.end_ns)])
    if did.most < _MOSTLY or any(word in did.text for word in _NO_FAULT):
        return
    model, table = facts.model, facts.model.states
    name, site = facts.call(table.row[row])
    text = (
        f"Slow answer: {code(model.thread_names[table.who[row]])}{place_in(site)} waited "
        f"{duration(ns)} in `{name}` ({at(facts, since)}) for the last child alone, "
        f"{code(last.name)}, {did.text}; {len(members) - 1} others had ended after "
        f"{duration(usual)}, typically. Give what it waits for a time-out, or go on without "
        f"the last one."
    )
    evidence = facts.evidence(("thread", table.who[row]), since, ns, site)
    yield Finding("slow answer", ns, text, evidence, behind=did.behind)


def _uneven(
    facts: Facts, members: list[Member], last: Member, usual: int, since: int, row: int
) -> Finding | None:
    """It has more to do than the others, which were begun at the same line and run the same
    function. Of those that end at once the function may be unknown, but not of all."""
    table = facts.model.states
    found = targets(facts, [one.main for one in members if one.main >= 0])
    function, others = found.pop(last.main, ""), len(members) - 1
    sites = {one.start.site for one in members if one.start is not None}
    if not function or {*found.values()} != {function} or len(sites) > 1:
        return None
    name, site = facts.call(table.row[row])
    one, took = f"{code(last.name)} in {code(function)}", last.ns
    return uneven(
        facts, one, last.main, took, others, usual, table.who[row], name, site, since,
        last.end_ns,
    )  # fmt: skip


def _waits_for(facts: Facts, parent: int, since: int, until: int) -> int:
    """The row of a call in which the parent waits for a child for most of a time; -1 none."""
    table, met_ns, found = facts.model.states, 0, -1
    for row in longest_rows(facts, (IO,), MS, _MOST):
        if facts.model.thread_process[table.who[row]] != parent:
            continue
        met = min(table.end_ns[row], until) - max(table.start_ns[row], since)
        if met <= 0 or not facts.call(table.row[row])[0].endswith(_WAITS):
            continue
        met_ns += met
        found = row
    return found if covers(met_ns, until - since) else -1


def _of_pool(facts: Facts, family: Family, pool: Pool) -> Iterator[Finding]:
    ran = map((0).__lt__, pool.each_ran_ns)
    ends_ns = sorted(compress(pool.columns.end_ns.tolist(), ran))
    if len(ends_ns) <= _OTHERS or ends_ns[-1] - ends_ns[-2] < LOST_NS:
        return  # nobody waited for the last one alone
    begun = [job for job in pool.jobs if job.start_ns >= 0 and job.end_ns > job.start_ns]
    if len(begun) <= _OTHERS or len({job.worker for job in begun}) < 2:
        return
    last = max(begun, key=lambda job: job.end_ns)
    batch = [job for job in begun if (job.name, job.site) == (last.name, last.site)]
    batch = [job for job in batch if job.end_ns > last.submit_ns]
    others = [job for job in batch if job is not last]
    if len(others) < _OTHERS or not {job.worker for job in others} - {last.worker}:
        return
    since = max([last.start_ns, *(job.end_ns for job in begun if job is not last)])
    first, ns = min(job.start_ns for job in batch), last.end_ns - since
    usual = middle(job.ran_ns for job in others)
    is_alone = ns >= LOST_NS and ns * _HALF >= last.end_ns - first
    if not is_alone or last.ran_ns < usual * _LONGER or not _is_awaited(facts, last, since):
        return
    workers, whole = len({job.worker for job in begun}), last.end_ns - first
    member = family.members.get(last.worker)
    name = f" on {code(member.name)}" if member is not None else ""
    did = ""
    if member is not None and member.main >= 0:
        did = mostly(facts, [(("thread", member.main), since, last.end_ns)]).text
    text = (
        f"Uneven workers: the last job of {code(last.name, last.site)}{name} took "
        f"{duration(last.ran_ns)}, the others {duration(usual)}, typically. For "
        f"{duration(ns)} of the {duration(whole)} that all {len(batch)} took "
        f"({at(facts, since)}) {plural(workers - 1, 'other worker')} had nothing to do"
        f"{f'; it spent {did}' if did else ''}. Begin with the long ones, split them, or give "
        f"the pool smaller chunks (`chunksize=1`)."
    )
    evidence = facts.evidence(("thread", last.thread), since, ns, last.site)
    yield Finding("uneven workers", ns, text, evidence)


def _is_awaited(facts: Facts, job: Job, since: int) -> bool:
    """Whether who submitted it waits for its result then, for most of the time."""
    for wait in LongWaits.of(facts).all:
        met = min(wait.end_ns, job.end_ns) - max(wait.start_ns, since)
        is_mine = wait.who == ("thread", job.thread) and wait.name in _IN_POOL
        if is_mine and covers(met, job.end_ns - since):
            return True
    return False
