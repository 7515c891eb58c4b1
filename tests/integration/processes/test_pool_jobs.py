"""Jobs of process pools: the trace has what the jobs and their parent say themselves."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Recorder
from tests.support.family import START_METHODS
from tests.support.jobs import CLOCK_NS, Job, jobs_of
from tracer import schema as s

PROGRAMS = Path(__file__).parents[2] / "support" / "programs"
PROGRAM, POINTS = PROGRAMS / "pool_jobs.py", PROGRAMS / "pool_points.py"
SIZE = 50_000  # as the program has it


def check(job: Job, rows: list[list[int]]) -> None:
    """One job, which ran these calls in turn, between what its parent did before and after."""
    before, after = rows[0][2], max(row[5] for row in rows)
    assert {row[1] for row in rows} == {job.worker}
    assert job.name == "timed"
    assert job.exception == ""
    times = [before, job.submit, job.sent, job.start, rows[0][3], rows[-1][4], job.end]
    times += [job.result, job.received, after]
    for earlier, later in pairwise(times):
        assert earlier <= later + CLOCK_NS, (times, job)
    assert job.sent_bytes == job.read_bytes > 0
    answers = sum(2 * SIZE * row[0] for row in rows)
    assert answers < job.result_bytes == job.received_bytes < answers + 1000


def known_answers(record: Recorder, method: str) -> tuple[list[list[Job]], dict[str, Any]]:
    trace = record(PROGRAM, method, options=("--no-cpu",))
    found, said = jobs_of(trace), json.loads(record.stdout)
    assert len(found) == 2
    return found, said


@pytest.mark.parametrize("method", START_METHODS)
def test_known_answers(record: Recorder, method: str) -> None:
    """Each job of each way to submit one, in order of its life and in the right worker."""
    (executor, pool), said = known_answers(record, method)
    *good, bad = executor
    for job, row in zip(good, said["executor"], strict=True):
        check(job, [row])
        assert job.sent_bytes > SIZE * row[0]
        assert job.site.endswith(" called")
    assert (bad.name, bad.exception) == ("failing", "KeyError")
    ways = said["pool"]
    chunks = [
        *([row] for row in ways["apply"]),
        ways["map"][:2],
        ways["map"][2:],
        *([row] for row in ways["imap"]),
        ways["starmap"],
    ]
    *good, bad = pool
    for job, rows in zip(good, chunks, strict=True):
        check(job, rows)
    assert len({job.submit for job in good[1:3]}) == 1  # one call of map() submits all chunks
    assert (bad.name, bad.exception) == ("failing", "KeyError")


@pytest.mark.broad
@pytest.mark.parametrize("method", START_METHODS)
def test_each_moment(record: Recorder, method: str) -> None:
    """Each moment and each duration of a job lies between the program's own readings of the
    clock right before and right after it, however long those are apart."""
    trace = record(POINTS, method, options=("--no-cpu",))
    found, said = jobs_of(trace), json.loads(record.stdout)
    assert [len(jobs) for jobs in found] == [len(rows) for rows in said] == [5, 5]
    for job, row in zip(found[0] + found[1], said[0] + said[1], strict=True):
        assert job.worker == row["pid"]
        times = [row["submit"][0], job.submit, row["submit"][1]]
        assert all(b - a >= -CLOCK_NS for a, b in pairwise(times)), (times, job, row)
        life = [
            *(job.submit, *row["pickled"], job.sent, *row["read"], job.start, *row["run"]),
            *(job.end, *row["result pickled"], job.result, *row["result read"]),
            *(job.received, row["got"]),
        ]
        assert all(b - a >= -CLOCK_NS for a, b in pairwise(life)), (life, job, row)
        for name, least, most in (
            (s.JOB_SENT, row["pickled"], (job.submit, job.sent)),
            ("", row["read"], (job.sent, job.start)),
            (s.RESULT_SENT, row["result pickled"], (job.end, job.result)),
            (s.RESULT_RECEIVED, row["result read"], (job.result, job.received)),
        ):
            took = job.pickling_ns[name]
            assert least[1] - least[0] <= took + CLOCK_NS, (name, job, row)
            assert took <= most[1] - most[0] + CLOCK_NS, (name, job, row)
