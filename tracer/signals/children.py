"""Child processes: who starts them, what they run, and how they end."""

import sys

from tracer.signals import jobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

_STARTERS = ("posix", "_posixsubprocess")
# Who tells a process its name: module -> function, whose first argument is the name or has it.
_NAMES = {
    "multiprocessing.process": "BaseProcess._bootstrap",
    "billiard.process": "BaseProcess._bootstrap",  # Celery's
    "gunicorn.util": "_setproctitle",
}


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches the functions by which Python code starts a process, or waits for its end."""
    for name in _STARTERS:
        tool.after_import(name, lambda name=name: core.watch_children(sys.modules[name]))  # type: ignore[misc]
    tool.after_import("posix", lambda: core.watch_waits(sys.modules["posix"]))

    def watch_names(module: str, path: str) -> None:
        function = sys.modules[module]
        for name in path.split("."):
            function = getattr(function, name, None)  # type: ignore[assignment]
        if hasattr(function, "__code__"):
            tool.watch(function, "process named", "PY_START")

    def watch_server() -> None:
        popen = sys.modules["multiprocessing.popen_forkserver"].Popen
        server = sys.modules["multiprocessing.forkserver"].ForkServer
        tool.watch(server.ensure_running, "fork server runs", "PY_RETURN")
        tool.watch(popen._launch, "fork server launch", "PY_RETURN")
        tool.watch(popen.poll, "fork server poll", "PY_START PY_RETURN")

    for module, path in _NAMES.items():
        tool.after_import(module, lambda of=(module, path): watch_names(*of))  # type: ignore[misc]
    jobs.arm(core, tool)
    tool.after_import("multiprocessing.popen_forkserver", watch_server)

    def disarm() -> None:
        core.unwatch_waits()
        core.unwatch_children()

    return disarm
