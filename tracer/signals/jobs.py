"""Jobs of pools of processes (concurrent.futures' executor, loky's, which is joblib's,
multiprocessing's Pool, and billiard's, which is Celery's prefork), and messages of
multiprocessing's connections and queues.

Only functions are watched that each job passes once, or each message between processes.
"""

import sys

from tracer.signals import CODE_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from tracer.signals import Tool

_EXECUTOR = (
    ("_WorkItem.__init__", "pool work item", "PY_START"),
    ("_sendback_result", "pool job end", "PY_START"),
    ("_ExecutorManagerThread.process_result_item", "pool result item", "PY_START"),
)
_LOKY = ("loky", "joblib.externals.loky")

# Module -> its functions, what their events mean, and which.
WATCHED: "dict[str, tuple[tuple[str, str, str], ...]]" = {
    "concurrent.futures.process": _EXECUTOR,
    **{f"{loky}.process_executor": _EXECUTOR for loky in _LOKY},
    **{
        f"{loky}.backend.reduction": (("dumps", "pickle", "PY_START PY_RETURN"),)
        for loky in _LOKY
    },
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
        ("Queue.put", "message queued", "PY_START"),
        ("JoinableQueue.put", "message queued", "PY_START"),
        ("Queue._feed", "message feeder", "PY_START"),
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
    "billiard.pool": (
        ("ApplyResult.__init__", "billiard submitted", "PY_RETURN"),
        ("Worker._make_protected_receive.receive", "billiard got", "PY_RETURN"),
        ("ResultHandler._make_methods.on_state_change", "billiard state", "PY_START"),
    ),
    "billiard.queues": (("_SimpleQueue.put", "billiard put", "PY_START PY_RETURN"),),
    "billiard.connection": (
        ("_ConnectionBase.send", "billiard send", "PY_START"),
        ("Connection._send_bytes", "billiard bytes", "PY_START PY_RETURN"),
        ("Connection._recv_bytes", "billiard read", "PY_RETURN"),
    ),
    "celery.worker.worker": (
        ("WorkController._process_task_sem", "billiard request", "PY_START"),
        ("WorkController._process_task", "billiard slot", "PY_START"),
    ),
    "celery.concurrency.asynpool": (
        (
            "AsynPool._create_write_handlers.send_job",
            "billiard pickle",
            "PY_START PY_RETURN",
        ),
        (
            "AsynPool._create_write_handlers._write_job",
            "billiard write",
            "PY_START PY_RETURN",
        ),
    ),
}

# Module -> what core/signals/jobs.c and billiard.c know a job by.
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
    **{
        f"{loky}.process_executor": {
            "loky_submit": "ProcessPoolExecutor.submit",
            "loky_worker": "_process_worker",
            "loky_chunk": "_process_chunk",
            "loky_failure": "_ExceptionWithTraceback",
            "loky_call": "_CallItem",
            "loky_result": "_ResultItem",
        }
        for loky in _LOKY
    },
    **{f"{loky}.backend.reduction": {"loky_dumps": "dumps"} for loky in _LOKY},
    "billiard.pool": {
        "billiard_apply": "Pool.apply_async",
        "billiard_tasks": "TaskHandler.body",
        "billiard_worker": "Worker.workloop",
    },
    "billiard.einfo": {
        "billiard_failure": "ExceptionInfo",
        "billiard_traced": "ExceptionWithTraceback",
    },
    "billiard.process": {"billiard_process": "current_process"},
    "celery.app.trace": {
        "celery_task": "trace_task_ret",
        "celery_fast_task": "fast_trace_task",
    },
    "celery.concurrency.asynpool": {
        "celery_receive": "ResultHandler._recv_message",
        "celery_size": "ResultHandler._recv_message",
    },
}


_BILLIARDS = ("billiard", "celery")
# Of these a function is known by the place of a variable.
VARIABLES = {"celery_size": "body_size"}


def arm(core: "ModuleType", tool: "Tool") -> None:
    """Watches the modules of pools once the program has imported them."""

    def watch(name: str) -> None:
        module = sys.modules[name]
        known = {key: _known(module, key, path) for key, path in KNOWN.get(name, {}).items()}
        setup = core.setup_billiard if name.startswith(_BILLIARDS) else core.setup_jobs
        setup({key: found for key, found in known.items() if found is not None})
        for path, role, events in WATCHED.get(name, ()):
            function = find(module, path)
            if isinstance(function, CODE_TYPE) or hasattr(function, "__code__"):
                tool.watch(function, role, events)

    for name in {**WATCHED, **KNOWN}:
        tool.after_import(name, lambda name=name: watch(name))  # type: ignore[misc]


def _known(module: "ModuleType", key: str, path: str) -> "Any":
    found = find(module, path)
    if key not in VARIABLES:
        return found
    variables: tuple[str, ...] = getattr(getattr(found, "__code__", None), "co_varnames", ())
    return variables.index(VARIABLES[key]) if VARIABLES[key] in variables else None


def find(module: "ModuleType", path: str) -> "Any":
    """A function or class, below static and class methods; of a function within another one
    its code; None: this version has none."""
    found: Any = module
    for part in path.split("."):
        code = getattr(found, "__code__", None)
        if code is None:
            found = vars(found).get(part) if found is not None else None
        else:
            inner = (each for each in code.co_consts if isinstance(each, CODE_TYPE))
            found = next((each for each in inner if each.co_name == part), None)
    return getattr(found, "__func__", found)
