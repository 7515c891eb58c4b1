"""Context switches: which thread is on a CPU, blocked or preempted, from perf events."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

ASK_THE_KERNEL = 0


def arm(core: "ModuleType", tool: "Tool", refusal: int = ASK_THE_KERNEL) -> "Disarm":
    """Records every context switch. Where that is refused, says so and what to do, and counts
    CPU time and run delay per thread instead. `refusal` is an errno to simulate."""
    reason = core.kernel_start(refusal)
    if reason:
        tool.problem("sched", reason)
    return lambda: None  # the writer reads to the end of the recording, and closes
