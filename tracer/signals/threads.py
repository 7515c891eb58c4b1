"""Threads: who starts them, their names and ends; jobs of executors."""

import sys

from tracer.signals import CODE_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool


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

    def watch_jobs() -> None:
        item = sys.modules["concurrent.futures.thread"]._WorkItem
        tool.watch(item.__init__, "job submit", "PY_START")
        tool.watch(item.run, "job run", "PY_START")

    tool.after_import("threading", watch)
    tool.after_import("concurrent.futures.thread", watch_jobs)
    return lambda: None  # the tool removes its events itself
