"""Child processes: who starts them, and what they run. They record nothing themselves."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

_STARTERS = ("posix", "_posixsubprocess")


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches the functions by which Python code starts a process."""
    for name in _STARTERS:
        tool.after_import(name, lambda name=name: core.watch_children(sys.modules[name]))  # type: ignore[misc]
    return lambda: core.unwatch_children()
