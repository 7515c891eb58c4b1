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
    from tracer.memory import keepers

    core.start_heap(tool.heap_rate, tool.heap_seed)
    core.set_keeper(keepers.answer)

    def disarm() -> None:
        core.set_keeper(None)
        core.stop_heap()

    return disarm
