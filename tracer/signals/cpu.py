"""CPU samples: where each thread is, at intervals of its own CPU time."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Samples all threads at `tool.cpu_hz` until the returned function is called.

    Raises RuntimeError where the system or the interpreter does not allow it.
    """
    core.start_sampler(tool.cpu_hz)
    return core.stop_sampler  # type: ignore[no-any-return]
