"""What a live recording answers, made by hand."""

from typing import Any

STATES = ("running", "GIL wait", "lock", "io", "sleep", "native", "preempted", "off cpu")
MS = 1_000_000


def states(**ns: int) -> dict[str, int]:
    return dict.fromkeys(STATES, 0) | {name.replace("_", " "): n for name, n in ns.items()}


def spans(count: int = 0, total: int = 0, longest: int = 0) -> dict[str, int]:
    return {"count": count, "total": total, "max": longest}


def loop(**changed: Any) -> dict[str, Any]:
    rows = changed.get("lag_buckets", [])
    return {
        "loop": 1,
        "name": "asyncio loop @MainThread",
        "runs": True,
        "ran_ns": 2_000 * MS,
        "idle_ns": 500 * MS,
        "steps": 100,
        "callbacks": 7,
        "tasks": 12,
        "ready": 3,
        "ready_longest_ns": 0,
        "now": None,
        "lag_ns": spans(sum(n for _, n in rows), 30 * MS, 9 * MS),
        "lag_buckets": rows,
    } | changed


def thread(name: str = "MainThread", tid: int = 7, **changed: Any) -> dict[str, Any]:
    return {
        "tid": tid,
        "name": name,
        "state": "running",
        "state_ns": MS,
        "states_ns": states(running=1_500 * MS, GIL_wait=250 * MS),
    } | changed


def coroutine(coro: str = "handler", **changed: Any) -> dict[str, Any]:
    return {
        "coro": coro,
        "site": f"app.py:3 {coro}",
        "live": 2,
        "made": 40,
        "running_ns": spans(80, 800 * MS, 100 * MS),
        "ready_ns": spans(80, 200 * MS, 50 * MS),
        "await_ns": spans(79, 900 * MS, 60 * MS),
    } | changed


def lock(**changed: Any) -> dict[str, Any]:
    return {
        "lock": 5,
        "kind": "lock wait: Lock",
        "site": "app.py:9 save",
        "waiters": 2,
        "waits_since_ns": 40 * MS,
        "owner": "worker-1",
        "owner_site": "app.py:8 save",
        "waited_ns": spans(10, 700 * MS, 90 * MS),
    } | changed


def wait(what: str = "await Event.wait", **changed: Any) -> dict[str, Any]:
    about = {"ns": 5_000 * MS, "what": what, "site": "app.py:20 serve"}
    return {"task": "Task-1"} | about | changed


def counters(**changed: Any) -> dict[str, Any]:
    """Two threads, one loop, one coroutine function, a lock, two seconds after the start."""
    collections = [
        {
            "generation": number,
            "pause_ns": spans(10 >> number, 10 * number * MS, 9 * MS),
            "collected": 50,
            "uncollectable": 0,
        }
        for number in range(3)
    ]
    return {
        "schema": 1,
        "pid": 4711,
        "start_unix_ns": 1_700_000_000_000_000_000,
        "duration_ns": 2_000 * MS,
        "mode": "file",
        "file": "/srv/app.pftrace",
        "argv": "app.py --port 8000",
        "python": "3.13.1",
        "recorder": {"overhead_ns": 5 * MS, "events": 1000, "bytes": 9000, "dropped": 0},
        "now_ns": 90_000 * MS,
        "tasks": {"live": 12, "ready": 3, "running": 1, "awaiting": 8},
        "memory": {"rss_bytes": 64 << 20},
        "thread_states_ns": states(running=1_500 * MS, GIL_wait=250 * MS),
        "gil": {"held_ns": 1_500 * MS, "waited_ns": 250 * MS, "holder": 7},
        "gc": collections,
        "loops": [loop()],
        "coroutines": [coroutine()],
        "coroutines_omitted": 0,
        "threads": [thread(), thread("worker-1", 8, state="io: socket.recv")],
        "threads_omitted": 0,
        "locks": [lock()],
        "locks_omitted": 0,
        "waits": [wait()],
        "waits_omitted": 0,
    } | changed
