"""trio: the life of its tasks, from creation to the end, and what its runs do.

It watches a few functions of trio itself, and no Instrument of ours is in the program's way.
"""

import os
import sys

from tracer.signals.loops.waits import INNER, LAST, OUTWARD, find, inner, label, label_pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from tracer.signals import Tool

# Module of trio, code in which a task may wait, the name of that wait, which label counts.
WAITS: tuple[tuple[str, str, str, int], ...] = (
    ("_timeouts", "sleep", "sleep", OUTWARD),
    ("_timeouts", "sleep_until", "sleep", OUTWARD),
    ("_timeouts", "sleep_forever", "sleep_forever", INNER),
    ("_sync", "Event.wait", "Event", INNER),
    ("_sync", "Semaphore.acquire", "Semaphore", INNER),
    ("_sync", "_LockImpl.acquire", "Lock", INNER),
    ("_sync", "Condition.wait", "Condition", INNER),
    ("_channel", "MemorySendChannel.send", "MemoryChannel.send", INNER),
    ("_channel", "MemoryReceiveChannel.receive", "MemoryChannel.receive", INNER),
    ("_threads", "to_thread_run_sync", "executor", INNER),
    ("_subprocess", "Process.wait", "subprocess", OUTWARD),
    ("_subprocess", "_run_process", "subprocess", OUTWARD),
    ("_signals", "SignalReceiver.__anext__", "signal", INNER),
    ("_core._run", "Nursery._nested_child_finished", "nursery", INNER),
    ("_core._run", "Nursery.start", "nursery.start", OUTWARD),
    ("_core._run", "Runner.wait_all_tasks_blocked", "wait_all_tasks_blocked", INNER),
    ("_core._traps", "cancel_shielded_checkpoint", "checkpoint", LAST),
    ("_core._run", "checkpoint", "checkpoint", LAST),
    ("_core._run", "checkpoint_if_cancelled", "checkpoint", LAST),
    ("_core._parking_lot", "ParkingLot.park", "ParkingLot", LAST),
    ("_core._io_epoll", "EpollIOManager.wait_readable", "socket", INNER),
    ("_core._io_epoll", "EpollIOManager.wait_writable", "socket", INNER),
    ("_core._io_kqueue", "KqueueIOManager.wait_readable", "socket", INNER),
    ("_core._io_kqueue", "KqueueIOManager.wait_writable", "socket", INNER),
)
LIMITER = ("_sync", "CapacityLimiter.acquire_on_behalf_of", "CapacityLimiter")
# What threads wait for in trio's code.
THREADS = {
    "trio._core._thread_cache:WorkerThread._work": "worker idle",
    "trio._threads:_send_message_to_trio": "from_thread.run",
}


def arm(core: "ModuleType", tool: "Tool") -> None:
    """Watches trio once the program imports it."""
    tool.after_import("trio", lambda: _watch(core, tool))


def _watch(core: "ModuleType", tool: "Tool") -> None:
    try:
        facts = _facts()
        core.setup_trio(facts)
    except (AttributeError, KeyError, RuntimeError, ValueError) as error:
        tool.problem("trio", str(error))
        return
    for library in ("trio", "outcome", "sniffio"):
        if library in sys.modules:
            folder = os.path.dirname(sys.modules[library].__file__ or "")
            core.code_folder(folder + os.sep, True)
    label(core, "trio", WAITS)
    label_pool(core, "trio", *LIMITER, ("_total_tokens", "_borrowers"))
    for path, what in THREADS.items():
        module, _, function = path.rpartition(":")
        code = getattr(find(sys.modules.get(module), function), "__code__", None)
        if code is not None:
            core.name_wait(code, f"lock wait: {what}", True)
    run, queue = sys.modules["trio._core._run"], sys.modules["trio._core._entry_queue"]
    runner, get_events = run.Runner, run.TheIOManager.get_events
    tool.watch(facts["run"], "trio run", "PY_START")
    tool.watch(runner.close, "trio close", "PY_RETURN")
    tool.watch(runner.reschedule, "trio reschedule", "")
    limiter = sys.modules["trio._sync"].CapacityLimiter
    tool.watch(limiter.acquire_on_behalf_of_nowait, "trio borrow", "PY_START")
    tool.watch(run.Task._attempt_abort, "trio abort", "PY_RETURN")
    tool.watch(runner.task_exited, "trio exit", "PY_RETURN")
    tool.watch(get_events, "trio poll", "")
    tool.watch(queue.EntryQueue.run_sync_soon, "trio submit", "PY_START")
    tool.watch(inner(facts["entry"], "run_cb"), "trio callback", "PY_START PY_RETURN")
    _adopt(core)


def _facts() -> "dict[str, Any]":
    """What the C core must know about trio: see trio.c."""
    run, traps = sys.modules["trio._core._run"], sys.modules["trio._core._traps"]
    queue = sys.modules["trio._core._entry_queue"].EntryQueue
    stepping, expire = run.unrolled_run.__code__, run.Deadlines.expire.__code__
    return {
        "context_run": sys.modules["contextvars"].Context.run,
        "append": sys.modules["collections"].deque.append,
        "task": run.Task,
        "runner": run.Runner,
        "waits": traps.WaitTaskRescheduled,
        "detaches": traps.PermanentlyDetachCoroutineObject,
        "error": sys.modules["outcome"].Error,
        "cancelled": sys.modules["trio"].Cancelled,
        "clock": run.SystemClock,
        "placeholder": sys.modules["trio._threads"].ThreadPlaceholder,
        "run": stepping,
        "init": run.Runner.init.__code__,
        "entry": queue.task.__code__,
        "process_events": run.TheIOManager.process_events.__code__,
        "expire": expire,
        "task_of_run": stepping.co_varnames.index("task"),
        "deadline_of_expire": expire.co_varnames.index("deadline"),
    }


def _adopt(core: "ModuleType") -> None:
    """The tasks that exist already in the run of the calling thread."""
    context = sys.modules["trio._core._run"].GLOBAL_RUN_CONTEXT
    runner = getattr(context, "runner", None)
    if runner is not None:
        core.adopt_trio(runner, list(runner.tasks), getattr(context, "task", None))
