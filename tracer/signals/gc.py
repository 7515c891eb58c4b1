"""Garbage collections, as the interpreter reports them to its callbacks."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from tracer.signals import Disarm, Tool


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches every collection until the returned function is called."""
    is_ours = "gc" not in sys.modules
    import gc

    callbacks = gc.callbacks
    core.watch_collect(gc.collect)
    if core.watch_gc(callbacks):
        if is_ours:  # the program's import makes a new module with the interpreter's callbacks
            del sys.modules["gc"]
            tool.after_import("gc", lambda: _show(callbacks))
        return core.unwatch_gc  # type: ignore[no-any-return]
    callbacks.append(core.on_gc)

    def disarm() -> None:
        core.unwatch_gc()
        if core.on_gc in callbacks:
            callbacks.remove(core.on_gc)

    return disarm


def _show(callbacks: "list[Any]") -> None:
    sys.modules["gc"].callbacks = callbacks  # type: ignore[attr-defined]
