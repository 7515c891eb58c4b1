"""Processes and their jobs as JSON; times in ns since the start of the trace."""

from viewer.analysis.processes.rows import JobRow, ProcessRow
from viewer.render.json.values import Json, spread_json
from viewer.trace.sites import via


def process_json(row: ProcessRow, base_ns: int) -> Json:
    """`process` is its number, which other rows name; `parent` is one, or null."""
    return {
        "process": row.process,
        "pid": row.pid,
        "name": row.name,
        "program": row.program,
        "origin": row.origin,
        "parent": row.parent if row.parent >= 0 else None,
        "start_ns": row.start_ns - base_ns,
        "end_ns": row.end_ns - base_ns,
        "how": row.how,
        "status": row.status,
        "signal": row.signal,
        "threads": row.threads,
        "tasks": row.tasks,
        "work_ns": row.work_ns,
        "gil_wait_ns": row.gil_wait_ns,
        "gc_ns": row.gc_ns,
        "jobs": row.jobs,
        "jobs_ns": row.jobs_ns,
    }


def job_json(row: JobRow) -> Json:
    return {
        "pool": row.pool,
        "process": row.process,
        "pid": row.pid,
        "name": row.name,
        "site": row.site,
        "via": via(row.site),
        "workers": row.workers,
        "count": row.jobs,
        "failed": row.failed,
        "unfinished": row.unfinished,
        "queued_ns": spread_json(row.queued),
        "ran_ns": spread_json(row.ran),
        "returned_ns": spread_json(row.returned),
        "sent_bytes": row.sent_bytes,
        "result_bytes": row.result_bytes,
    }
