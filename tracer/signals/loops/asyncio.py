"""asyncio: the life of tasks, from creation to the end, and what loops run.

It watches only a few functions of asyncio itself, not the program's coroutines.
"""

import os
import sys

from tracer.signals.loops import anyio, steps, trio, twisted, uvloop
from tracer.signals.loops.waits import INNER, OUTWARD, find, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, ModuleType
    from typing import Any

    from tracer.signals import Disarm, Tool

# Code in which a task may wait, and the name of that wait.
WAITS: tuple[tuple[str, str, str, int], ...] = (
    ("tasks", "sleep", "sleep", INNER),
    ("tasks", "_wait", "wait", INNER),
    ("tasks", "_AsCompletedIterator._wait_for_one", "as_completed", OUTWARD),
    ("taskgroups", "TaskGroup.__aexit__", "TaskGroup", INNER),
    ("taskgroups", "TaskGroup._aexit", "TaskGroup", INNER),
    ("threads", "to_thread", "executor", INNER),
    ("locks", "Lock.acquire", "Lock", INNER),
    ("locks", "Event.wait", "Event", INNER),
    ("locks", "Condition.wait", "Condition", INNER),
    ("locks", "Semaphore.acquire", "Semaphore", INNER),
    ("locks", "Barrier.wait", "Barrier", OUTWARD),
    ("queues", "Queue.get", "Queue.get", INNER),
    ("queues", "Queue.put", "Queue.put", INNER),
    ("queues", "Queue.join", "Queue.join", OUTWARD),
    ("streams", "StreamReader._wait_for_data", "socket", INNER),
    ("streams", "FlowControlMixin._drain_helper", "socket", INNER),
    ("streams", "StreamWriter.wait_closed", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_recv", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_recv_into", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_recvfrom", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_recvfrom_into", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_sendall", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_sendto", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_accept", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop.sock_connect", "socket", INNER),
    ("selector_events", "BaseSelectorEventLoop._sendfile_native", "socket", INNER),
    ("unix_events", "_UnixSelectorEventLoop._sock_sendfile_native", "socket", INNER),
    ("unix_events", "_UnixSelectorEventLoop._make_subprocess_transport", "subprocess", INNER),
    ("base_events", "_SendfileFallbackProtocol.drain", "socket", INNER),
    ("base_events", "BaseEventLoop._ensure_resolved", "executor", INNER),
    ("base_events", "BaseEventLoop._create_connection_transport", "socket", INNER),
    ("base_events", "BaseEventLoop.create_datagram_endpoint", "socket", INNER),
    ("base_events", "BaseEventLoop.start_tls", "socket", INNER),
    ("base_events", "BaseEventLoop.connect_read_pipe", "socket", INNER),
    ("base_events", "BaseEventLoop.connect_write_pipe", "socket", INNER),
    ("base_events", "BaseEventLoop.shutdown_default_executor", "executor", INNER),
    ("base_events", "Server.serve_forever", "Server.serve_forever", INNER),
    ("base_events", "Server.wait_closed", "Server.wait_closed", INNER),
    ("base_subprocess", "BaseSubprocessTransport._wait", "subprocess", INNER),
    ("subprocess", "Process.wait", "subprocess", INNER),
    ("subprocess", "Process.communicate", "subprocess", OUTWARD),
)


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches asyncio once the program imports it."""

    def watch() -> None:
        if "_asyncio" in sys.modules:  # if this was imported first, it is still being set up
            tool.after_import("_asyncio", lambda: _watch(core, tool))
        else:
            _watch(core, tool)

    tool.after_import("select", lambda: _watch_polls(core, tool))
    tool.after_import("asyncio", watch)
    trio.arm(core, tool)
    anyio.arm(core, tool)
    twisted.arm(core, tool)
    return lambda: None  # the tool removes its events itself


def _watch(core: "ModuleType", tool: "Tool") -> None:
    asyncio = sys.modules["asyncio"]
    core.code_folder(os.path.dirname(asyncio.__file__ or "") + os.sep, True)
    core.setup_asyncio(_facts(asyncio))
    label(core, "asyncio", WAITS)
    loop = asyncio.base_events.BaseEventLoop
    # Of a step that is running already, on whatever thread, only the return is seen.
    is_alone = len(sys._current_frames()) == 1 and not asyncio.events._get_running_loop()
    events = "" if is_alone else "PY_RETURN"
    tool.watch(asyncio.events.Handle._run, "step", events)
    for queues in (loop._call_soon, loop.call_soon_threadsafe):  # the latter does so on 3.14+
        tool.watch(queues, "call_soon", "")
    tool.watch(loop.run_forever, "run_forever", "PY_START PY_RETURN")
    # An exception (Ctrl-C in select) leaves run_forever without a return.
    if hasattr(loop, "_run_forever_cleanup"):  # 3.13+
        tool.watch(loop._run_forever_cleanup, "run_forever ends", "PY_START")
        tool.watch(loop.close, "close", "PY_RETURN")
    else:
        tool.watch(loop.close, "close", "PY_START PY_RETURN")
    for select in _selects():
        tool.watch(select, "select", "")
    tool.watch_timers(asyncio.events.TimerHandle, loop.call_at)
    # Each sleep calls it, but the timer has called back: it does not come to the last line.
    tool.watch(loop._timer_handle_cancelled, "timer cancelled", "LINE")
    transports = asyncio.transports._FlowControlMixin
    core.watch_unsent(transports)
    tool.watch(transports._maybe_pause_protocol, "transport written", "PY_START PY_RETURN")
    tool.watch(transports._maybe_resume_protocol, "transport sent", "PY_RETURN")
    task = asyncio.tasks._PyTask
    tool.watch(task._Task__eager_start, "eager", "PY_START")
    tool.watch(task.__init__, "task made", "PY_RETURN")
    tool.watch(task.set_name, "task name", "PY_START")
    uvloop.arm(core, tool)
    _adopt(core, asyncio)


def _facts(asyncio: "ModuleType") -> "dict[str, Any]":
    """What the C core must know about asyncio: see tasks.c and await.c."""
    tasks = asyncio.tasks
    c_task = getattr(tasks, "_CTask", None)
    return {
        **steps.facts(asyncio),
        "c_task": c_task,
        "context_run": asyncio.events.contextvars.Context.run,
        "py_task": tasks._PyTask,
        "py_step": tasks._PyTask._Task__step,
        "py_wakeup": tasks._PyTask._Task__wakeup,
        "handle": asyncio.events.Handle,
        "timer_handle": asyncio.events.TimerHandle,
        "threadsafe_handle": getattr(asyncio.events, "_ThreadSafeHandle", None),
        "append": sys.modules["collections"].deque.append,
        "current_task": tasks.current_task,
        "get_running": asyncio.events._get_running_loop,
        "set_running": asyncio.events._set_running_loop,
        "cython_waits": uvloop.WAITS,
        "cython_lookups": uvloop.LOOKUPS,
        "gathering_type": tasks._GatheringFuture,
        "executor_chain": _chaining(
            asyncio.futures._chain_future, "_call_check_cancel", "source"
        ),
        "shield_chain": _chaining(tasks.shield, "_outer_done_callback", "inner"),
    }


def _chaining(function: "Any", name: str, variable: str) -> "tuple[CodeType, int] | None":
    """The callback that a function defines, and which variable it closes over has what the
    future of that callback stands for."""
    found = [c for c in function.__code__.co_consts if getattr(c, "co_name", "") == name]
    if not found or variable not in found[0].co_freevars:
        return None
    return found[0], found[0].co_freevars.index(variable)


def _selects() -> "Iterator[Any]":
    selectors = sys.modules["selectors"]
    for value in vars(selectors).values():
        select = vars(value).get("select") if isinstance(value, type) else None
        if hasattr(select, "__code__") and not hasattr(select, "__isabstractmethod__"):
            yield select


def _watch_polls(core: "ModuleType", tool: "Tool") -> None:
    """What selectors call. This goes below what the signal "io" puts there."""
    select = sys.modules["select"]
    found = [find(select, path) for path in ("select", "epoll.poll", "kqueue.control")]
    if hasattr(select, "poll"):
        found.append(type(select.poll()).poll)
    core.watch_polls(function for function in found if function)


def _adopt(core: "ModuleType", asyncio: "ModuleType") -> None:
    """The tasks that exist already. Which loop a thread runs, it says at its next hook."""
    known = _scheduled(asyncio)
    known += list(getattr(asyncio.tasks, "_eager_tasks", ()))
    mine = asyncio.events._get_running_loop()
    listed = [mine] if mine else []
    if hasattr(asyncio.tasks, "_c_all_tasks"):  # each thread has a list of its own, in C
        listed += core.find_objects(asyncio.AbstractEventLoop)
    for loop in {id(loop): loop for loop in listed}.values():
        known += asyncio.all_tasks(loop)
    loops = {id(loop): loop for loop in (*listed, *map(_loop_of, known))}
    running = sum(map(_is_running, loops.values()))
    if running:
        uvloop.know_timers(core)
    core.adopt_tasks(known, running)


def _scheduled(asyncio: "ModuleType") -> "list[Any]":
    """An iteration over a WeakSet runs Python code: another thread may add to it meanwhile."""
    refs = list(getattr(getattr(asyncio.tasks, "_scheduled_tasks", None), "data", ()))
    return [task for ref in refs if (task := ref()) is not None]


def _loop_of(task: "Any") -> object:
    try:
        return task.get_loop()
    except Exception:  # a class of the program's
        return None


def _is_running(loop: "Any") -> bool:
    try:
        return loop.is_running() is True
    except Exception:  # the same
        return False
