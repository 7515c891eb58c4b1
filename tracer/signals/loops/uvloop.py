"""uvloop: what its loops run and when they are idle. Tasks themselves are asyncio's."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Tool

# Coroutines of its loop in which a task may wait, and the names of these waits.
SOCKET = (
    *("sock_recv", "sock_recv_into", "sock_sendall", "sock_accept", "sock_connect"),
    *("create_connection", "create_unix_connection", "connect_accepted_socket", "start_tls"),
    *("create_datagram_endpoint", "connect_read_pipe", "connect_write_pipe"),
)
WAITS = {f"Loop.{name}": "await socket" for name in SOCKET} | {
    "Loop.getaddrinfo": "await getaddrinfo",
    "Loop.getnameinfo": "await getnameinfo",
    "Loop.create_server": "await getaddrinfo",
    "Loop.__subprocess_run": "await subprocess",
    "Loop.shutdown_default_executor": "await executor",
    "Server.serve_forever": "await Server.serve_forever",
    "Server.wait_closed": "await Server.wait_closed",
}
# Of those that await a coroutine of asyncio's, what they wait for in there: asyncio.wait().
LOOKUPS = {"Loop.create_connection": "await getaddrinfo"}


def arm(core: "ModuleType", tool: "Tool") -> None:
    """Watches uvloop once the program imports it; asyncio is watched already."""
    tool.after_import("uvloop.loop", lambda: _watch(core, tool))
    tool.after_import("uvloop", lambda: _watch_run(core))


def _watch(core: "ModuleType", tool: "Tool") -> None:
    try:
        core.watch_uvloop(sys.modules["uvloop.loop"].Loop)
    except (AttributeError, RuntimeError) as error:
        tool.problem("uvloop", str(error))


def know_timers(core: "ModuleType") -> None:
    """When those are due that its loops have already: nothing else shows that one calls."""
    timers = getattr(sys.modules.get("uvloop.loop"), "TimerHandle", None)
    if timers is not None:
        waiting = (timer for timer in core.find_objects(timers) if not timer.cancelled())
        core.old_timers(sorted(timer.when() for timer in waiting))


def _watch_run(core: "ModuleType") -> None:
    """uvloop.run() puts a coroutine of its own around the program's."""
    code = getattr(getattr(sys.modules["uvloop"], "run", None), "__code__", None)
    for const in getattr(code, "co_consts", ()):
        if getattr(const, "co_name", None) == "wrapper":
            core.watch_wrapper(code, const)
