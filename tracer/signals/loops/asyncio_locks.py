"""asyncio's locks: which task holds one while others wait; and what else tasks wait for.

Nothing is watched until a task waits for a lock; the hooks of the tasks find the waits
themselves.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool

# Module, function that waits, whether a task can hold what it waits for (its `self`).
WAITS = (
    ("locks", "Lock.acquire", True),
    ("locks", "Event.wait", False),
    ("locks", "Condition.wait", False),
    ("locks", "Semaphore.acquire", False),
    ("locks", "Barrier.wait", False),
    ("queues", "Queue.get", False),
    ("queues", "Queue.put", False),
    ("queues", "Queue.join", False),
)


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Useful only when tasks are recorded; must be armed after them."""
    tool.after_import("asyncio", lambda: _watch(core, tool))
    return lambda: core.stop_async_locks()


def _watch(core: "ModuleType", tool: "Tool") -> None:
    asyncio = sys.modules["asyncio"]
    lock = asyncio.locks.Lock

    def on_first_wait() -> None:
        tool.watch(lock.acquire, "async lock acquired", "PY_RETURN")
        tool.watch(lock.release, "async lock released", "PY_RETURN")

    opcodes = getattr(sys.modules.get("opcode"), "opmap", {})
    core.start_async_locks(
        on_first_wait,
        lock.__aenter__.__code__,
        lock.__aexit__.__code__,
        opcodes.get("WITH_EXCEPT_START", -1),
    )
    for module, path, is_lock in WAITS:
        found = getattr(asyncio, module)
        for name in path.split("."):
            found = getattr(found, name)
        core.label_primitive(found.__code__, is_lock)
