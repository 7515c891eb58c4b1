"""Locks: who waits, and who holds them; and everything made from them, such as futures."""

import sys

from tracer.signals.jobs import find
from tracer.signals.loops import task_locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

    from tracer.signals import Disarm, Tool

# C type ("": the module) -> the methods that acquire or release, and the one that says without
# waiting whether it is held (as core/signals/locks/reasons.h numbers them).
TYPES: "tuple[tuple[str, str, str, str, int], ...]" = (
    (
        *("_thread", "lock"),
        "acquire acquire_lock __enter__ release release_lock __exit__",
        *("locked", 0),
    ),
    (
        *("_thread", "RLock"),
        "acquire __enter__ _acquire_restore release __exit__ _release_save",
        *("_is_owned", 1),
    ),
    ("_queue", "SimpleQueue", "get put put_nowait", "empty", 2),
    ("_thread", "_ThreadHandle", "join _set_done", "is_done", 3),
    ("_thread", "", "_shutdown", "", 4),  # 3.13+: joins threads without their handles' methods
)

# Module -> functions in which a thread waits, and the name of the wait. The outermost counts.
WAITS: "dict[str, tuple[tuple[str, str], ...]]" = {
    "_frozen_importlib": (("_ModuleLock.acquire", "import"),),
    "threading": (
        ("Condition.wait", "Condition.wait"),
        ("Event.wait", "Event.wait"),
        ("Semaphore.acquire", "Semaphore"),
        ("Barrier.wait", "Barrier.wait"),
        ("Thread._wait_for_tstate_lock", "Thread.join"),  # until 3.12
        ("Thread.join", "Thread.join"),
        ("_shutdown", "Thread.join"),
        ("Thread.start", "Thread.start"),
    ),
    "queue": (
        ("Queue.get", "Queue.get"),
        ("Queue.put", "Queue.put"),
        ("Queue.join", "Queue.join"),
        ("_PySimpleQueue.get", "SimpleQueue.get"),
    ),
    "concurrent.futures._base": (
        ("Future.result", "Future.result"),
        ("Future.exception", "Future.result"),
        ("wait", "futures.wait"),
        ("as_completed", "futures.as_completed"),
    ),
    "concurrent.futures.thread": (
        ("_worker", "executor idle"),
        ("_WorkItem.run", ""),  # it runs the job, which is not idle
        ("ThreadPoolExecutor.shutdown", "executor shutdown"),
    ),
    "concurrent.futures.process": (("ProcessPoolExecutor.shutdown", "executor shutdown"),),
    "gevent._threading": (
        ("acquire_with_timeout", "Condition.wait"),
        ("_Condition.wait", "Condition.wait"),
    ),
    "gevent.threadpool": (
        ("_WorkerGreenlet.run", "executor idle"),
        ("_WorkerGreenlet._WorkerGreenlet__run_task", ""),
    ),
    "twisted._threads._threadworker": (("ThreadWorker.__init__.work", "executor idle"),),
    "twisted.python.threadpool": (("ThreadPool.callInThreadWithCallback.inContext", ""),),
    "waitress.task": (("ThreadedTaskDispatcher.handler_thread", "executor idle"),),
    "waitress.channel": (("HTTPChannel.service", ""),),
    "multiprocessing.pool": (
        ("ApplyResult.wait", "AsyncResult.get"),
        ("IMapIterator.next", "Pool.imap"),
    ),
}


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Wraps the methods of all lock types, and names waits as modules are loaded."""
    core.start_locks()
    for module, name, methods, probe, kind in TYPES:
        tool.after_import(module, _wrapper(core, module, name, methods.split(), probe, kind))

    def know_threads() -> None:
        threading = sys.modules["threading"]
        core.waited_threads(threading._active)
        last = getattr(threading.Thread, "_delete", None)  # of a thread's Python code
        if last is not None:  # else it ends when it lets the GIL go for good
            tool.watch(last, "thread end", "PY_START")

    tool.after_import("threading", know_threads)
    for module in WAITS:
        tool.after_import(module, lambda module=module: _name(core, tool, module))  # type: ignore[misc]
    disarm_tasks = task_locks.arm(core, tool)

    def disarm() -> None:
        disarm_tasks()
        core.unwrap_locks()
        core.waited_threads(None)

    return disarm


def _wrapper(
    core: "ModuleType", module: str, name: str, methods: "list[str]", probe: str, kind: int
) -> "Disarm":
    def wrap() -> None:
        loaded = sys.modules[module]
        known_as = "LockType" if name == "lock" else name
        found = getattr(loaded, known_as, None) if name else loaded
        if found is None:  # this version lacks the type
            return
        core.probe_lock(kind, getattr(found, probe, None))
        for method in methods:
            known = vars(found).get(method)
            owner = name or module
            if known is not None and not core.wrap_lock(f"{owner}_{method}", known):
                core.note("locks", f"{owner}.{method} is called in an unknown way", True)

    return wrap


def _name(core: "ModuleType", tool: "Tool", name: str) -> None:
    for path, wait in WAITS[name]:
        # Not getattr of the module: the program could see its traces in the attribute cache.
        # 3.12 exits silently after sys.exit(2**70) only while `_shutdown` is not in there.
        of, _, last = path.rpartition(".")
        place = vars(sys.modules[name])
        found = getattr(place.get(of), last, None) if of else place.get(last)
        if "." in of:  # a function within another one
            found = find(sys.modules[name], path)
        code: CodeType | None = getattr(found, "__code__", found if "." in of else None)
        if code is not None:
            core.name_wait(code, wait and f"lock wait: {wait}")
        if code is not None and wait == "Queue.get":
            tool.watch(code, "queue taken", "PY_START")
