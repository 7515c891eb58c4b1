"""Jobs of billiard's pool (Celery's prefork) and of loky's executor (joblib's): the trace has
what the jobs and their parent say themselves."""

import json
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.family import events
from tests.support.jobs import CLOCK_NS, jobs_of
from tracer import schema as s

PROGRAMS = Path(__file__).parents[2] / "support" / "programs"


@pytest.mark.default("billiard")
@pytest.mark.parametrize("package", ["billiard", "joblib"])
def test_known_answers(record: Recorder, package: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"needs {package}")
    program = {"billiard": "billiard_jobs.py", "joblib": "loky_jobs.py"}[package]
    trace = record(PROGRAMS / program, options=("--no-cpu",))
    (jobs, *others), rows = jobs_of(trace), json.loads(record.stdout)
    batches = {(job.name, job.end > 0) for each in others for job in each}
    assert batches == ({("batched", True)} if package == "joblib" else set())
    *good, bad = jobs
    for n, (job, row) in enumerate(zip(good, rows, strict=True), 1):
        pid, before, submitted, began, ended, after = row
        assert (job.name, job.worker, job.exception) == ("timed", pid, "")
        assert before <= job.submit + CLOCK_NS
        assert job.submit <= submitted + CLOCK_NS
        times = [job.submit, job.sent, job.start, began, ended, job.end]
        times += [job.result, job.received, after]
        assert all(b - a >= -CLOCK_NS for a, b in pairwise(times)), (times, job)
        # cloudpickle sends the function itself, too
        assert 1000 * n < job.sent_bytes == job.read_bytes < 1000 * n + 3000
        assert 2000 * n < job.result_bytes == job.received_bytes < 2000 * n + 500
    assert (bad.name, bad.exception) == ("failing", "KeyError")


# A result comes to Celery's process in another function than the one that knows its size.
ELSEWHERE = """\
from billiard.pool import ResultHandler
from celery.concurrency.asynpool import ResultHandler as Receiver

handler = ResultHandler(None, None, {}, *[None] * 6)
names = Receiver._recv_message.__code__.co_varnames
names = names[: names.index("body_size") + 1]
values = {"tell": handler.on_state_change}
exec(f"def flush({', '.join(names)}): tell((1, (5, None, None, None)))", values)
values["flush"](*[777] * len(names))
"""


def test_size_of_another_variable(record: Recorder) -> None:
    """Only Celery's own variable says how large a result is."""
    if find_spec("celery") is None:
        pytest.skip("needs celery")
    trace = record(ELSEWHERE, options=("--no-cpu",))
    (received,) = events(trace, s.RESULT_RECEIVED)
    assert received.args[s.ARG_JOB] == 5
    assert s.ARG_BYTES not in received.args
