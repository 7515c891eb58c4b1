"""GC pauses: every collection, through gc.callbacks."""

import gc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches every collection until the returned function is called."""
    gc.callbacks.append(core.on_gc)

    def disarm() -> None:
        if core.on_gc in gc.callbacks:
            gc.callbacks.remove(core.on_gc)

    return disarm
