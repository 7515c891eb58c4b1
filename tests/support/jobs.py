"""What a trace says of the jobs of pools of processes, event by event."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.support.validator.strict import read_strict
from tracer import schema as s

# The recorder's clock is made of the processor's counter and agrees with time.monotonic_ns()
# to a microsecond; twenty is what a pause between two readings of both may add.
CLOCK_NS = 20_000


@dataclass
class Job:
    """What the trace says of a job."""

    name: str = ""
    site: str = ""
    worker: int = 0
    exception: str = ""
    submit: int = 0
    sent: int = 0
    start: int = 0
    end: int = 0
    result: int = 0
    received: int = 0
    sent_bytes: int = 0
    read_bytes: int = 0
    result_bytes: int = 0
    received_bytes: int = 0
    pickling_ns: dict[str, int] = field(default_factory=dict)  # by event; "": the slice


def jobs_of(trace: Path) -> list[list[Job]]:
    """By pool, in order of their numbers: work ids; of a Pool, calls and chunks."""
    pools: dict[int, dict[int, Job]] = {}
    running: dict[int, Job] = {}
    for event in read_strict(trace.read_bytes()).events:
        if event.type == s.TYPE_SLICE_END and event.track in running:
            job = running.pop(event.track)
            job.end, job.exception = event.time_ns, str(event.args.get(s.ARG_EXCEPTION, ""))
        if event.category != s.CAT_JOB or event.type == s.TYPE_SLICE_END:
            continue
        pool, number = int(event.args[s.ARG_POOL]), int(event.args[s.ARG_JOB])
        job = pools.setdefault(pool, {}).setdefault(number, Job())
        size = int(event.args.get(s.ARG_BYTES, 0))
        is_slice = event.type == s.TYPE_SLICE_BEGIN
        took = int(event.args.get(s.ARG_PICKLING, 0))
        job.pickling_ns["" if is_slice else event.name] = took
        if event.name == s.SUBMIT:
            job.submit, job.name = event.time_ns, str(event.args[s.ARG_NAME])
            job.site = str(event.args[s.ARG_SITE])
            assert s.ARG_STACK in event.args
        elif event.name == s.JOB_SENT:
            job.sent, job.sent_bytes = event.time_ns, size
        elif event.name == s.RESULT_SENT:
            job.result, job.result_bytes = event.time_ns, size
        elif event.name == s.RESULT_RECEIVED:
            job.received, job.received_bytes = event.time_ns, size
        else:
            running[event.track] = job
            job.start, job.read_bytes, job.worker = event.time_ns, size, event.process.pid
            assert event.name == job.name
            assert s.ARG_STACK in event.args
    # Numbers of a Pool are chunk << 32 | call.
    ordered = [
        [found[key] for key in sorted(found, key=lambda n: (n & 0xFFFFFFFF, n >> 32))]
        for found in pools.values()
    ]
    return sorted(ordered, key=lambda jobs: jobs[0].submit)
