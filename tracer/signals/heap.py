"""Allocations, sampled by bytes, with where they were made and when they were freed."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Samples an allocation every `tool.heap_rate` bytes, until
    the returned function is called.

    Raises RuntimeError where the interpreter does not allow it.
    """
    core.start_heap(tool.heap_rate, tool.heap_seed)
    return core.stop_heap  # type: ignore[no-any-return]
