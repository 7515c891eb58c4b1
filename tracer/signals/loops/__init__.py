"""Schedulers of tasks, one file for each kind."""

from tracer.signals.loops import asyncio, greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

KINDS = (asyncio, greenlet)


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches each kind once the program imports it."""
    disarms = [kind.arm(core, tool) for kind in KINDS]

    def disarm() -> None:
        for each in disarms:
            each()

    return disarm
