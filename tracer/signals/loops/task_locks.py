"""Locks of tasks: which task holds one while others wait; and what else tasks wait for.

Nothing is watched until a task waits for a lock; the hooks of the tasks find the waits
themselves.
"""

import sys

from tracer.signals.loops import twisted
from tracer.signals.loops.waits import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from tracer.signals import Disarm, Tool

ON_ASYNCIO, ON_TRIO = "anyio._backends._asyncio", "anyio._backends._trio"
STREAMS = "anyio.streams.memory"
# By module whose import brings them: function that waits, and what it waits for, its `self`.
SIGNALS = {
    "asyncio": (
        ("asyncio.locks", "Event.wait", ""),
        ("asyncio.locks", "Condition.wait", ""),
        ("asyncio.locks", "Semaphore.acquire", ""),
        ("asyncio.locks", "Barrier.wait", ""),
        ("asyncio.queues", "Queue.get", ""),
        ("asyncio.queues", "Queue.put", ""),
        ("asyncio.queues", "Queue.join", ""),
        ("asyncio.streams", "FlowControlMixin._drain_helper", "asyncio.StreamWriter.drain"),
    ),
    "trio": (
        ("trio._sync", "Event.wait", "trio.Event"),
        ("trio._sync", "Condition.wait", "trio.Condition"),
        ("trio._sync", "Semaphore.acquire", "trio.Semaphore"),
        ("trio._sync", "CapacityLimiter.acquire_on_behalf_of", "trio.CapacityLimiter"),
        ("trio._channel", "MemorySendChannel.send", "trio.MemoryChannel.send"),
        ("trio._channel", "MemoryReceiveChannel.receive", "trio.MemoryChannel.receive"),
    ),
    ON_ASYNCIO: (
        (ON_ASYNCIO, "Semaphore.acquire", "anyio.Semaphore"),
        (ON_ASYNCIO, "CapacityLimiter.acquire_on_behalf_of", "anyio.CapacityLimiter"),
    ),
    "anyio._core._synchronization": (
        ("anyio._core._synchronization", "Condition.wait", "anyio.Condition"),
    ),
    ON_TRIO: (),
    STREAMS: (
        (STREAMS, "MemoryObjectSendStream.send", "anyio.MemoryObjectStream.send"),
        (STREAMS, "MemoryObjectReceiveStream.receive", "anyio.MemoryObjectStream.receive"),
    ),
}
# By the same: semaphores, which do not know who has their permits.
SEMAPHORES = {
    "asyncio": ("asyncio.locks", "Semaphore"),
    "trio": ("trio._sync", "Semaphore"),
    ON_ASYNCIO: (ON_ASYNCIO, "Semaphore"),
}
# Those of them that take an item from a queue.
_TAKES = ("Queue.get", ".receive")
# By the same: type of a lock, its name, the attribute that is the task that holds it, perhaps
# of another one ("": it has none, and the tasks are searched), and its methods whose return
# shows who holds it now.
LOCKS = {
    "asyncio": (("asyncio.locks", "Lock", "asyncio.Lock", "", ("acquire", "release")),),
    "trio": tuple(
        ("trio._sync", name, f"trio.{name}", "_owner", ("acquire_nowait", "release"))
        for name in ("Lock", "StrictFIFOLock")
    ),
    ON_ASYNCIO: (
        (
            *(ON_ASYNCIO, "Lock", "anyio.Lock", "_owner_task"),
            ("acquire", "acquire_nowait", "release"),
        ),
    ),
    ON_TRIO: (
        (
            *(ON_TRIO, "Lock", "anyio.Lock", "_Lock__original._owner"),
            ("acquire", "acquire_nowait", "release"),
        ),
    ),
}


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Useful only when tasks are recorded; must be armed after them."""
    opcodes = getattr(sys.modules.get("opcode"), "opmap", {})
    core.start_async_locks(opcodes.get("WITH_EXCEPT_START", -1))
    semaphores: list[Any] = []

    def watch_semaphores() -> None:
        for each in semaphores:
            _watch_semaphore(tool, each)

    core.start_permits(watch_semaphores)
    for module, (where, name) in SEMAPHORES.items():

        def on_import(where: str = where, name: str = name) -> None:
            semaphore = find(sys.modules.get(where), name)
            if semaphore is not None:
                semaphores.append(semaphore)
                _watch_semaphore(tool, semaphore)

        tool.after_import(module, on_import)
    for module in SIGNALS:
        tool.after_import(module, lambda module=module: _watch(core, tool, module))  # type: ignore[misc]
    twisted.arm_locks(core, tool)

    def disarm() -> None:
        core.stop_permits()
        core.stop_async_locks()

    return disarm


def _watch_semaphore(tool: "Tool", semaphore: "Any") -> None:
    """Also anew, where only the first calls were looked at."""
    for method, role, event in (
        (semaphore.acquire, "permit taken", "PY_RETURN"),
        (semaphore.release, "permit given", "PY_START"),
    ):
        tool.watch(method, role, "")
        tool.watch(method, role, event)


def _watch(core: "ModuleType", tool: "Tool", module: str) -> None:
    for where, name, kind, owner, methods in LOCKS.get(module, ()):
        lock = find(sys.modules.get(where), name)
        if lock is None:  # this version lacks it
            continue
        role = "owned lock" if owner else "async lock"

        def on_first_wait(
            lock: "Any" = lock, methods: "tuple[str, ...]" = methods, role: str = role
        ) -> None:
            for method in methods:
                event = "released" if method == "release" else "acquired"
                tool.watch(getattr(lock, method), f"{role} {event}", "PY_RETURN")

        core.label_primitive(lock.acquire.__code__, True, "")
        enter, leave = lock.__aenter__.__code__, lock.__aexit__.__code__
        names = tuple(owner.split(".")) if owner else ()
        core.know_lock(lock, kind, names, enter, leave, on_first_wait)
    for where, path, kind in SIGNALS[module]:
        function = find(sys.modules.get(where), path)
        if hasattr(function, "__code__"):
            core.label_primitive(function.__code__, False, kind)
            if path.endswith(_TAKES):
                tool.watch(function, "queue taken", "PY_START")
