"""The validator's rules for jobs of pools: each step once, in order, with the same sizes."""

from itertools import pairwise

from tests.support.validator.slices import Slice
from tests.support.validator.strict import Event, Strict
from tracer import schema as s

_STEPS = (s.SUBMIT, s.JOB_SENT, s.RUNNING, s.RESULT_SENT, s.RESULT_RECEIVED)

type Steps = dict[str, Event]  # a job's; the begin of its slice is RUNNING


def check_jobs(trace: Strict, slices: list[Slice]) -> dict[tuple[int, int], Steps]:
    """By (pool, number) the steps of each job."""
    found: dict[tuple[int, int], Steps] = {}
    for event in trace.events:
        if event.category == s.CAT_JOB and event.type == s.TYPE_INSTANT:
            _add(found, event, event.name)
    for each in slices:
        if each.begin.category == s.CAT_JOB:
            assert trace.tracks[each.begin.track].name == s.TRACK_JOBS, f"where? {each.begin}"
            steps = _add(found, each.begin, s.RUNNING)
            result = steps.get(s.RESULT_SENT)
            assert result is None or (
                each.end_ns is not None and each.end_ns <= result.time_ns
            ), f"the result of a job that runs: {each.begin}"
    for steps in found.values():
        in_order = [steps[name] for name in _STEPS if name in steps]
        for earlier, later in pairwise(in_order):
            assert earlier.time_ns <= later.time_ns, f"{later} before {earlier}"
        for sent, read in ((s.JOB_SENT, s.RUNNING), (s.RESULT_SENT, s.RESULT_RECEIVED)):
            both = [steps[name] for name in (sent, read) if name in steps]
            sizes = {event.args.get(s.ARG_BYTES) for event in both}
            assert len(sizes - {None}) <= 1, f"sent and read differ: {steps}"
    return found


def _add(found: dict[tuple[int, int], Steps], event: Event, name: str) -> Steps:
    pool, job = event.args.get(s.ARG_POOL), event.args.get(s.ARG_JOB)
    assert isinstance(pool, int), f"whose? {event}"
    assert isinstance(job, int), f"whose? {event}"
    steps = found.setdefault((pool, job), {})
    assert name not in steps, f"twice: {steps[name]} and {event}"
    steps[name] = event
    return steps


def is_not_there(trace: Strict, target: Event) -> bool:
    """Whether an arrow into a job's step comes from a process that was not recorded."""
    if target.category != s.CAT_JOB:
        return False
    is_result = target.name == s.RESULT_RECEIVED
    return not any(
        event.category == s.CAT_JOB
        and (event.type == s.TYPE_SLICE_BEGIN if is_result else event.name == s.SUBMIT)
        and all(event.args[arg] == target.args[arg] for arg in (s.ARG_POOL, s.ARG_JOB))
        for event in trace.events
    )
