"""The report as JSON: stable keys, times in ns, integers."""

import json
from collections.abc import Sequence

from viewer.analysis.availability import Latency
from viewer.analysis.findings import Finding
from viewer.analysis.flight import Flight
from viewer.analysis.gc import GcRow
from viewer.analysis.health import Health
from viewer.analysis.io import IoRow
from viewer.analysis.locks import LockRow
from viewer.analysis.profiles.cpu import CpuRow
from viewer.analysis.regions import RegionRow
from viewer.analysis.report import Heading, Report
from viewer.analysis.tasks import By, Delay, TaskRow, Wait
from viewer.analysis.threads import GilWait, Held, ThreadRow
from viewer.render.json.memory import escape_json, memory_json
from viewer.render.json.processes import job_json, process_json
from viewer.render.json.spent import spent_json
from viewer.render.json.values import Json, spread_json
from viewer.trace.sites import via

_SCHEMA = 1


def render_json(report: Report, sections: Sequence[str]) -> str:
    return json.dumps(to_json(report, sections), indent=1, ensure_ascii=False) + "\n"


def to_json(report: Report, sections: Sequence[str]) -> dict[str, Json]:
    """A section that was not recorded is an empty list."""
    body: dict[str, Json] = {"schema": _SCHEMA, "trace": _heading(report.heading)}
    made: dict[str, Json] = {
        "findings": [_finding(finding) for finding in report.findings],
        "processes": [process_json(row, report.heading.start_ns) for row in report.processes],
        "jobs": [job_json(row) for row in report.jobs],
        "latency": _latency(report.latency),
        # Not all at once: of few rows, more of what delayed them is told apart.
        "tasks": [_task(row, report.by) for row in report.tasks],
        "regions": [_region(row) for row in report.regions],
        "threads": [_thread(row) for row in report.threads],
        "locks": [_lock(row) for row in report.locks[:]],
        "io": [_io(row) for row in report.io[:]],
        "gc": [_gc(row) for row in report.gc],
        "cpu": [_cpu(row) for row in report.cpu],
        "memory": memory_json(report.memory),
        "escape": escape_json(report.escape),
        "health": _health(report.health),
    }
    empty: Json = []
    body |= {name: made.get(name, empty) for name in sections}
    if "findings" in sections:
        body["spent"] = [spent_json(one) for one in report.spent]
    if "threads" in sections:
        body["thread_groups"] = [_thread_group(row) for row in report.thread_groups]
    return body


def _heading(heading: Heading) -> Json:
    return {
        "file": heading.file,
        "files": list(heading.given),
        "duration_ns": heading.duration_ns,
        "start_unix_ns": heading.start_unix_ns,
        "pid": heading.pid,
        "argv": list(heading.argv),
        "python": heading.python,
        "events": heading.events,
        "bytes": heading.size_bytes,
        "threshold_ns": heading.threshold_ns,
        **({"flight": _flight(heading.flight, heading.start_ns)} if heading.flight else {}),
    }


def _flight(flight: Flight, start_ns: int) -> Json:
    """Absent where the trace has everything from the beginning of the recording on."""
    return {
        "reaches_ns": flight.reaches_ns,
        "asked_ns": flight.asked_ns,
        "recorded_ns": flight.until_ns - flight.began_ns,
        "snapshot": flight.is_snapshot,
        "reason": flight.reason,
        "trigger": flight.trigger,
        "suppressed": flight.suppressed,
        "moment_ns": [ns - start_ns for ns in flight.moment_ns] if flight.trigger else [],
    }


def _finding(finding: Finding) -> Json:
    evidence = finding.evidence
    return {
        "finding": finding.finding,
        "severity_ns": finding.severity_ns,
        "text": finding.text,
        "next_step": finding.next_step,
        "evidence": {
            "start_ns": evidence.start_ns,
            "duration_ns": evidence.duration_ns,
            "track": evidence.track,
            "pid": evidence.pid,
            "tid": evidence.tid,
            "task": evidence.task,
            "lock": evidence.lock,
            "site": evidence.site,
            "via": via(evidence.site),
        },
    }


def _latency(latency: Latency | None) -> Json:
    if latency is None:
        return {"loops": [], "coroutines": []}
    return {
        "loops": [
            {
                "pid": row.pid,
                "process": row.process,
                "thread": row.thread,
                "windows": row.windows,
                "available": row.available,
                "unknown": row.unknown,
            }
            for row in latency.loops
        ],
        "coroutines": [
            {
                "coro": row.coro,
                "site": row.site,
                "via": via(row.site),
                "count": row.count,
                "ready_ns": [
                    {
                        "from": bucket.start_ns,
                        "to": bucket.end_ns if bucket.end_ns >= 0 else None,
                        "count": bucket.count,
                    }
                    for bucket in row.buckets
                ],
            }
            for row in latency.coroutines
        ],
    }


def _delays(delays: tuple[Delay, ...]) -> Json:
    return [
        {"who": d.who, "kind": d.kind, "ns": d.ns, "site": d.site, "via": via(d.site)}
        for d in delays
    ]


def _wait(wait: Wait | None) -> Json:
    if wait is None:
        return None
    return {
        "task": wait.task,
        "name": wait.name,
        "start_ns": wait.start_ns,
        "ns": wait.ns,
        "delayed_by": _delays(wait.delayed_by),
    }


def _task(row: TaskRow, by: By) -> Json:
    body: dict[str, Json] = {"task": row.task} if by is By.TASK else {}
    return body | {
        "coro": row.coro,
        "site": row.site,
        "via": via(row.site),
        "count": row.count,
        "names": list(row.names),
        "steps": row.steps,
        "ready_ns": spread_json(row.ready),
        "running_ns": spread_json(row.running),
        "await_ns": spread_json(row.awaiting),
        "longest_step_ns": row.running.max_ns,
        "delayed_by": _delays(row.delayed_by),
        "awaits": [
            {"what": a.what, "count": a.count, "total": a.total_ns, "max": a.max_ns}
            for a in row.awaits
        ],
        "wakers": [{"who": w.who, "count": w.count} for w in row.wakers],
        "worst": _wait(row.worst),
    }


def _thread(row: ThreadRow) -> Json:
    return {
        "pid": row.pid,
        "process": row.process,
        "tid": row.tid,
        "name": row.name,
        "wall_ns": row.wall_ns,
        "states": dict(row.states),
        "unknown_ns": row.unknown_ns,
        "idle_ns": row.idle_ns,
        "holding_gil": dict(row.holding),
        "gil_wait_ns": spread_json(row.gil_waits),
        "gil_wait": _held(row.held),
        "worst_gil_wait": _gil_wait(row.worst),
        "cpu_ns": row.cpu_ns,
        "run_delay_ns": row.run_delay_ns,
    }


def _thread_group(row: ThreadRow) -> Json:
    """Threads that differ only in a number; all numbers are sums."""
    return {
        "pid": row.pid,
        "process": row.process,
        "name": row.name,
        "threads": row.threads,
        "wall_ns": row.wall_ns,
        "states": dict(row.states),
        "unknown_ns": row.unknown_ns,
        "idle_ns": row.idle_ns,
        "holding_gil": dict(row.holding),
        "gil_waits": row.gil_waits.count,
        "gil_wait": _held(row.held),
    }


def _held(held: Held) -> dict[str, Json]:
    return {
        "held_by": [
            {"tid": h.tid, "name": h.name, "ns": h.ns, "states": dict(h.states)}
            for h in held.holders
        ],
        "free_ns": held.free_ns,
        "unknown_ns": held.unknown_ns,
        "others_ns": held.others_ns,
    }


def _gil_wait(wait: GilWait | None) -> Json:
    if wait is None:
        return None
    return {"start_ns": wait.start_ns, "ns": wait.ns, **_held(wait.held)}


def _lock(row: LockRow) -> Json:
    return {
        "pid": row.pid,
        "process": row.process,
        "lock": row.lock,
        "locks": row.locks,
        "kind": row.kind,
        "site": row.site,
        "via": via(row.site),
        "idle": row.is_idle,
        "waits": row.waits.count,
        "timed_out": row.timed_out,
        "wait_ns": spread_json(row.waits),
        "hold_ns": spread_json(row.holds),
        "holders": [
            {
                "who": h.who,
                "site": h.site,
                "via": via(h.site),
                "count": h.count,
                "ns": h.ns,
                "max": h.max_ns,
            }
            for h in row.holders
        ],
        "waiters": [
            {
                "who": w.who,
                "site": w.site,
                "via": via(w.site),
                "count": w.count,
                "ns": w.ns,
                "max": w.max_ns,
            }
            for w in row.waiters
        ],
        "waited_for": [
            {"who": c.who, "kind": c.kind, "site": c.site, "via": via(c.site), "ns": c.ns}
            for c in row.waited_for
        ],
        "woken_by": [{"who": who, "count": count} for who, count in row.woken_by],
    }


def _io(row: IoRow) -> Json:
    return {
        "pid": row.pid,
        "process": row.process,
        "callable": row.callable,
        "site": row.site,
        "via": via(row.site),
        "count": row.calls.count,
        "ns": spread_json(row.calls),
        "bytes": row.size_bytes,
        "holding_gil_ns": row.holding_gil_ns,
        "children": list(row.children),
        "writers": [
            {
                "process": one.process,
                "who": one.who,
                "site": one.site,
                "count": one.count,
                "ns": one.ns,
            }
            for one in row.writers
        ],
    }


def _region(row: RegionRow) -> Json:
    return {
        "name": row.name,
        "kind": row.kind,
        "count": row.count,
        "in_tasks": row.in_tasks,
        "failed": row.failed,
        "ns": spread_json(row.wall),
        "states": dict(row.states),
    }


def _gc(row: GcRow) -> Json:
    return {
        "generation": row.generation,
        "count": row.pauses.count,
        "ns": spread_json(row.pauses),
        "collected": row.collected,
        "uncollectable": row.uncollectable,
        "explicit": row.explicit,
        "calls": [{"site": site, "count": count} for site, count in row.calls],
        "freed_bytes": row.freed_bytes,
    }


def _cpu(row: CpuRow) -> Json:
    return {
        "function": row.function,
        "file": row.file,
        "line": row.line,
        "self_ns": row.self_ns,
        "cumulative_ns": row.cumulative_ns,
    }


def _health(health: Health) -> Json:
    return {
        "dropped_events": health.dropped_events,
        "lost_bytes": health.lost_bytes,
        "disabled": [{"hook": hook, "reason": reason} for hook, reason in health.disabled],
        "overhead_ns": health.overhead_ns,
        "sampled": list(health.sampled),
        "ended": health.ended,
        "ends": [
            {
                "pid": end.pid,
                "how": end.how,
                "text": end.text,
                "missing_ns": end.missing_ns,
                "missing_events": end.missing_events,
            }
            for end in health.ends
        ],
        "late": health.late,
        "signals": list(health.signals),
        "off": list(health.off),
        "notes": list(health.notes),
        "children": [
            {
                "how": row.how,
                "command": row.command,
                "site": row.site,
                "via": via(row.site),
                "count": row.count,
                "pids": list(row.pids),
                "start_ns": row.start_ns,
                "reason": row.reason,
            }
            for row in health.children
        ],
        "unread": list(health.unread),
        "unfinished_slices": health.unfinished_slices,
        "orphan_ends": health.orphan_ends,
    }
