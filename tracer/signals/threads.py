"""Threads: who starts them, their names and ends; jobs of executors."""

import sys

from tracer.signals import CODE_TYPE
from tracer.signals.jobs import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

# Module -> the functions by which its pool of threads is given a job, and runs it.
_POOLS: "dict[str, tuple[tuple[str, str], ...]]" = {
    "concurrent.futures.thread": (
        ("_WorkItem.__init__", "job submit"),
        ("_WorkItem.run", "job run"),
    ),
    "gevent.threadpool": (
        ("ThreadResult.__init__", "job submit"),
        ("_WorkerGreenlet._WorkerGreenlet__run_task", "job given"),
    ),
    "twisted._threads._team": (("Team.do", "job handed"),),
    "twisted.python.threadpool": (
        ("ThreadPool.callInThreadWithCallback.inContext", "job called"),
    ),
    "waitress.task": (("ThreadedTaskDispatcher.add_task", "job handed"),),
    "waitress.channel": (("HTTPChannel.service", "job run"),),
}

# Module -> the function that reads the head of an answer of HTTP; urllib3 and requests use the
# last one.
_ANSWERS = {
    "aiohttp.client_reqrep": "ClientResponse.start",
    "httpx._models": "Response.__init__",
    "http.client": "HTTPResponse.begin",
}


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches threads that start from now on, and names those that exist already."""

    def watch() -> None:
        threading = sys.modules["threading"]
        thread = threading.Thread
        tool.watch(thread.start, "thread start", "PY_START")
        tool.watch(thread._bootstrap_inner, "thread bootstrap", "PY_START")
        tool.watch(thread.name.fset, "thread name", "PY_START")
        # Each thread has a function of its own for that, and all run the code in this one.
        for code in threading._make_invoke_excepthook.__code__.co_consts:
            if isinstance(code, CODE_TYPE):
                tool.watch(code, "thread fails", "PY_START")
        for running in list(threading._active.values()):
            if running.native_id:
                core.name_thread(running.native_id, running.name)

    def watch_jobs(module: str) -> None:
        for path, role in _POOLS[module]:
            if (function := find(sys.modules[module], path)) is not None:
                tool.watch(function, role, "PY_START")

    def watch_answers(module: str) -> None:
        if (function := find(sys.modules[module], _ANSWERS[module])) is not None:
            tool.watch(function, "answer read", "PY_RETURN")

    def watch_scheduler() -> None:
        # The program may have a module of its own by that name.
        scheduler = vars(sys.modules["sched"]).get("scheduler")
        entered = vars(scheduler).get("enterabs") if type(scheduler) is type else None
        if type(entered) is type(arm):
            tool.watch(entered, "job entered", "PY_RETURN")

    tool.after_import("threading", watch)
    for name in _POOLS:
        tool.after_import(name, lambda name=name: watch_jobs(name))  # type: ignore[misc]
    tool.after_import("sched", watch_scheduler)
    for name in _ANSWERS:
        tool.after_import(name, lambda name=name: watch_answers(name))  # type: ignore[misc]
    core.mark_main_thread()
    tool.watch_failures()
    return lambda: None  # the tool removes its events itself
