"""The GIL: who has it, who waits for it; and libc's blocking calls, which its hooks name."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches every take and release. RuntimeError where this interpreter's GIL is unknown."""
    core.watch_gil(True)
    return lambda: core.unwatch_gil()
