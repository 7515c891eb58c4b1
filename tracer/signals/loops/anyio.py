"""anyio: what tasks wait for in it, on asyncio and on trio. The tasks are theirs."""

import os
import sys

from tracer.signals.loops.waits import PACKAGE, find, label, label_pool, label_wrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Tool

# Module of anyio, code in which a task may wait, the name of that wait; on trio most have that
# of trio's code.
WAITS = (
    ("streams.memory", "MemoryObjectReceiveStream.receive", "MemoryObjectStream.receive"),
    ("streams.memory", "MemoryObjectSendStream.send", "MemoryObjectStream.send"),
    ("from_thread", "BlockingPortal.sleep_until_stopped", "BlockingPortal"),
    ("_core._synchronization", "Condition.wait", "Condition"),
    ("_backends._asyncio", "Lock.acquire", "Lock"),
    ("_backends._asyncio", "Semaphore.acquire", "Semaphore"),
    ("_backends._asyncio", "TaskGroup.__aexit__", "TaskGroup"),
    ("_backends._asyncio", "Process.wait", "subprocess"),
    ("_backends._asyncio", "_SignalReceiver.__anext__", "signal"),
    ("_backends._asyncio", "SocketStream.receive", "socket"),
    ("_backends._asyncio", "SocketStream.send", "socket"),
    ("_backends._asyncio", "UNIXSocketStream.receive", "socket"),
    ("_backends._asyncio", "UNIXSocketStream.send", "socket"),
    ("_backends._asyncio", "UNIXSocketStream.receive_fds", "socket"),
    ("_backends._asyncio", "UNIXSocketStream.send_fds", "socket"),
    ("_backends._asyncio", "TCPSocketListener.accept", "socket"),
    ("_backends._asyncio", "UNIXSocketListener.accept", "socket"),
    ("_backends._asyncio", "UDPSocket.receive", "socket"),
    ("_backends._asyncio", "UDPSocket.send", "socket"),
    ("_backends._asyncio", "ConnectedUDPSocket.receive", "socket"),
    ("_backends._asyncio", "ConnectedUDPSocket.send", "socket"),
    ("_backends._asyncio", "UNIXDatagramSocket.receive", "socket"),
    ("_backends._asyncio", "UNIXDatagramSocket.send", "socket"),
    ("_backends._asyncio", "ConnectedUNIXDatagramSocket.receive", "socket"),
    ("_backends._asyncio", "ConnectedUNIXDatagramSocket.send", "socket"),
    ("_backends._asyncio", "AsyncIOBackend.connect_tcp", "socket"),
    ("_backends._asyncio", "AsyncIOBackend.connect_unix", "socket"),
    ("_backends._asyncio", "AsyncIOBackend.wait_readable", "socket"),
    ("_backends._asyncio", "AsyncIOBackend.wait_writable", "socket"),
    ("_backends._asyncio", "AsyncIOBackend.getaddrinfo", "getaddrinfo"),
    ("_backends._asyncio", "AsyncIOBackend.getnameinfo", "getnameinfo"),
    ("_backends._asyncio", "AsyncIOBackend.run_sync_in_worker_thread", "executor"),
    ("_backends._trio", "Lock.acquire", "Lock"),
    ("_backends._trio", "TaskGroup.__aexit__", "TaskGroup"),
)
# Module, coroutine that runs the program's, the variable and the attribute that have that.
WRAPPERS = (
    ("_core._tasks", "TaskHandle._run_coro", "self", "_coro"),
    ("_backends._asyncio", "AsyncIOBackend.run:wrapper", "func", ""),
)
LIMITER = ("_backends._asyncio", "CapacityLimiter.acquire_on_behalf_of", "CapacityLimiter")


def arm(core: "ModuleType", tool: "Tool") -> None:
    """Names the waits of each module once the program imports it."""

    def own() -> None:
        folder = os.path.dirname(sys.modules["anyio"].__file__ or "")
        core.code_folder(folder + os.sep, True)

    tool.after_import("anyio", own)
    for module in dict.fromkeys(module for module, *_ in (*WAITS, *WRAPPERS)):
        tool.after_import(f"anyio.{module}", lambda module=module: _name(core, module))  # type: ignore[misc]
    tool.after_import("anyio._backends._asyncio", lambda: _watch(tool))


def _watch(tool: "Tool") -> None:
    due = find(sys.modules["anyio._backends._asyncio"], "CancelScope._timeout")
    if hasattr(due, "__code__"):
        tool.watch(due, "anyio scope due", "PY_RETURN")


def _name(core: "ModuleType", module: str) -> None:
    label(core, "anyio", [(*row, PACKAGE) for row in WAITS if row[0] == module])
    for where, path, variable, attribute in WRAPPERS:
        if where == module:
            label_wrapper(core, "anyio", module, path, variable, attribute)
    if module == LIMITER[0]:
        label_pool(core, "anyio", *LIMITER, ("_total_tokens", "_borrowers"))
