"""Jobs of pools of processes (concurrent.futures' executor and multiprocessing's Pool), and
messages of multiprocessing's connections and queues.

Only functions are watched that each job passes once, or each message between processes.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from tracer.signals import Tool

# Module -> its functions, what their events mean, and which.
WATCHED: "dict[str, tuple[tuple[str, str, str], ...]]" = {
    "concurrent.futures.process": (
        ("_WorkItem.__init__", "pool work item", "PY_START"),
        ("_sendback_result", "pool job end", "PY_START"),
        ("_ExecutorManagerThread.process_result_item", "pool result item", "PY_START"),
    ),
    "multiprocessing.pool": (
        ("ApplyResult.__init__", "pool result made", "PY_RETURN"),
        ("MapResult.__init__", "pool result made", "PY_RETURN"),
        ("IMapIterator.__init__", "pool result made", "PY_RETURN"),
        ("IMapIterator._set_length", "pool batch drawn", "PY_START"),
        ("ApplyResult._set", "pool result set", "PY_START"),
        ("MapResult._set", "pool result set", "PY_START"),
        ("IMapIterator._set", "pool result set", "PY_START"),
        ("IMapUnorderedIterator._set", "pool result set", "PY_START"),
    ),
    "multiprocessing.queues": (
        ("Queue.get", "message got", "PY_RETURN"),
        ("SimpleQueue.get", "message got", "PY_RETURN"),
        ("SimpleQueue.put", "message put", "PY_START"),
    ),
    "multiprocessing.reduction": (("ForkingPickler.dumps", "pickle", "PY_START PY_RETURN"),),
    "multiprocessing.connection": (
        ("Connection._send_bytes", "message sent", "PY_START PY_RETURN"),
        ("Connection._recv_bytes", "message read", "PY_START PY_RETURN"),
        ("Pipe", "message pipe", "PY_RETURN"),
        ("Connection._close", "message end closed", "PY_START"),
        ("wait", "message awaited", "PY_START PY_RETURN"),
        ("_ConnectionBase.recv", "message received", "PY_RETURN"),
    ),
}

# Module -> what core/signals/jobs.c knows a job by.
KNOWN: "dict[str, dict[str, str]]" = {
    "concurrent.futures.process": {
        "submit": "ProcessPoolExecutor.submit",
        "process_worker": "_process_worker",
        "process_chunk": "_process_chunk",
        "process_failure": "_ExceptionWithTraceback",
        "call_item": "_CallItem",
        "result_item": "_ResultItem",
    },
    "multiprocessing.pool": {
        "apply_async": "Pool.apply_async",
        "map_async": "Pool._map_async",
        "imap": "Pool.imap",
        "imap_unordered": "Pool.imap_unordered",
        "handle_tasks": "Pool._handle_tasks",
        "handle_results": "Pool._handle_results",
        "pool_worker": "worker",
        "pool_failure": "ExceptionWithTraceback",
        "mapstar": "mapstar",
        "starmapstar": "starmapstar",
    },
    "multiprocessing.reduction": {"dumps": "ForkingPickler.dumps"},
    "multiprocessing.connection": {"pool_send": "_ConnectionBase.send"},
}


def arm(core: "ModuleType", tool: "Tool") -> None:
    """Watches the modules of pools once the program has imported them."""

    def watch(name: str) -> None:
        module = sys.modules[name]
        known = {key: _find(module, path) for key, path in KNOWN.get(name, {}).items()}
        core.setup_jobs({key: found for key, found in known.items() if found is not None})
        for path, role, events in WATCHED[name]:
            function = _find(module, path)
            if hasattr(function, "__code__"):
                tool.watch(function, role, events)

    for name in WATCHED:
        tool.after_import(name, lambda name=name: watch(name))  # type: ignore[misc]


def _find(module: "ModuleType", path: str) -> "Any":
    """A function or class, below static and class methods; None: this version has none."""
    found: Any = module
    for part in path.split("."):
        found = vars(found).get(part) if found is not None else None
    return getattr(found, "__func__", found)
