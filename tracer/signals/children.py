"""Child processes: who starts them, what they run, and how they end."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

_STARTERS = ("posix", "_posixsubprocess")


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches the functions by which Python code starts a process, or waits for its end."""
    for name in _STARTERS:
        tool.after_import(name, lambda name=name: core.watch_children(sys.modules[name]))  # type: ignore[misc]
    tool.after_import("posix", lambda: core.watch_waits(sys.modules["posix"]))

    def watch_names() -> None:
        process = sys.modules["multiprocessing.process"].BaseProcess
        tool.watch(process._bootstrap, "process bootstrap", "PY_START")

    tool.after_import("multiprocessing.process", watch_names)

    def disarm() -> None:
        core.unwatch_waits()
        core.unwatch_children()

    return disarm
