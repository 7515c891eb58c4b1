"""The critical path from one process into another: to a child, to a job, to who
started it, to who wrote what was waited for."""

from collections.abc import Callable

from viewer.analysis.causes.tree import Tree
from viewer.analysis.why.step import At, Did, Follow, Step, root


class Across:
    """The steps between processes; `doing` says what a thread did at a moment."""

    def __init__(self, tree: Tree, doing: Callable[[int, int], At]) -> None:
        self.tree, self.model, self.doing = tree, tree.model, doing
        self.elsewhere, self.family = tree.elsewhere, tree.elsewhere.family

    def behind(self, row: int, until: int) -> At | None:
        """The child or the job that a call of a thread (a row of States) waited for, or the
        thread that ended a loop's poll."""
        on = self.elsewhere.of_row(row)
        if on is None:
            ended = self.tree.polls.ended(row)
            by, at_ns = (ended[0].on, ended[1]) if ended is not None else (None, until)
            return self.doing(by[1], min(at_ns, until)) if by is not None else None
        if on[0] != "child":
            return (*on, until)
        process = self.elsewhere.child_of_row[row].process
        return ("process", process, until) if process >= 0 else None

    def process(self, process: int, until: int) -> Follow:
        """What the first thread of a process did last."""
        main, table = self.family.members[process].main, self.model.states
        if main < 0 or not table.last_ns[main]:
            yield root(Did.UNKNOWN, until)
            return None
        return "thread", main, min(until, table.last_ns[main])

    def job(self, number: int, until: int) -> Follow:
        """A job in its worker; before it, the worker's last job, or who submitted it."""
        job = self.elsewhere.jobs[number]
        if job.start_ns < 0:
            yield root(Did.UNKNOWN, until)
            return None
        end = min(job.end_ns, until)
        worker = self.family.name(job.worker)
        yield Step(Did.JOB, job.name, worker, job.site, job.start_ns, end)
        before = self.elsewhere.job_of_worker_before(number)
        if before >= 0:
            return "job", before, job.start_ns
        return (yield from self.idle(number, job.start_ns))

    def idle(self, number: int, until: int) -> Follow:
        """Who submitted a job that its worker, or a free one, waited for."""
        job = self.elsewhere.jobs[number]
        if job.thread < 0:
            yield root(Did.UNKNOWN, until)
            return None
        who, at = self.tree.lanes.name_of_thread(job.thread), job.submit_ns
        yield Step(Did.SUBMITTED, who, job.name, job.site, at, at)
        return self.doing(job.thread, at)

    def message(self, number: int, until: int) -> Follow:
        """Who wrote what a thread waited for."""
        written = self.elsewhere.written(number)
        who, at = self.tree.lanes.name_of_thread(written.thread), min(written.at_ns, until)
        yield Step(Did.WROTE, who, "", written.site, at, at)
        return self.doing(written.thread, at)

    def starter(self, thread: int, at: int) -> Follow:
        """Who started the process whose first thread this is."""
        member = self.family.members.get(self.model.thread_process[thread])
        start = member.start if member is not None and member.main == thread else None
        if member is None or start is None or start.thread < 0:
            yield root(Did.UNKNOWN, at)
            return None
        who, time = self.tree.lanes.name_of_thread(start.thread), start.time_ns
        yield Step(Did.CREATED, who, member.name, start.site, time, time)
        return self.doing(start.thread, time)
