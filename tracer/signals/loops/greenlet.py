"""greenlet and gevent: switches, what is scheduled on a hub, and what a greenlet waits for."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from tracer.signals import Disarm, Tool

# Module of gevent -> functions in which a greenlet waits, and the name of the wait. Of two
# that call each other the outer one counts.
WAITS: "dict[str, tuple[tuple[str, str], ...]]" = {
    "gevent.hub": (
        ("sleep", "sleep"),
        ("idle", "idle"),
        ("Hub.join", "hub"),
        ("Hub.wait", "io"),
    ),
    "gevent._hub_primitives": (
        ("wait_on_socket", "socket"),
        ("wait_on_watcher", "io"),
        ("wait_read", "socket"),
        ("wait_write", "socket"),
        ("wait_readwrite", "socket"),
        ("wait_on_objects", "wait"),
        ("_WaitIterator.__next__", "wait"),
    ),
    "gevent._semaphore": (
        ("Semaphore.acquire", "Semaphore"),
        ("Semaphore.__enter__", "Semaphore"),
        ("Semaphore.wait", "Semaphore"),
        ("Semaphore.release", ""),
        ("Semaphore.__exit__", ""),
        ("BoundedSemaphore.release", ""),
    ),
    "gevent.lock": (("RLock.acquire", "RLock"),),
    "gevent.thread": (("LockType.acquire", "Lock"), ("_ThreadHandle.join", "Thread.join")),
    "gevent.event": (
        ("Event.wait", "Event"),
        ("AsyncResult.get", "AsyncResult"),
        ("AsyncResult.wait", "AsyncResult"),
    ),
    "gevent.queue": (
        ("SimpleQueue.get", "Queue.get"),
        ("SimpleQueue.peek", "Queue.get"),
        ("SimpleQueue.__next__", "Queue.get"),
        ("SimpleQueue.put", "Queue.put"),
        ("Queue.join", "Queue.join"),
        ("Channel.get", "Queue.get"),
        ("Channel.__next__", "Queue.get"),
        ("Channel.put", "Queue.put"),
    ),
    "gevent.greenlet": (
        ("Greenlet.join", "greenlet"),
        ("Greenlet.get", "greenlet"),
        ("Greenlet.kill", "greenlet"),
        ("joinall", "wait"),
        ("killall", "wait"),
    ),
    "gevent.pool": (
        ("Pool.add", "pool slot"),
        ("Pool.start", "pool slot"),
        ("Pool.wait_available", "pool slot"),
        ("Group.join", "wait"),
        ("Group.kill", "wait"),
    ),
    "gevent.threadpool": (
        ("ThreadPool.spawn", "threadpool slot"),
        ("ThreadPool.join", "threadpool"),
    ),
    "gevent.select": (("select", "select"), ("poll.poll", "select")),
    "gevent.selectors": (("GeventSelector.select", "select"),),
    "gevent.subprocess": (
        ("Popen.wait", "subprocess"),
        ("Popen.communicate", "subprocess"),
        ("Popen._execute_child", "subprocess"),
    ),
    "gevent.os": (("waitpid", "subprocess"), ("nb_read", "io"), ("nb_write", "io")),
    "gevent.resolver.thread": (
        ("Resolver.gethostbyname", "getaddrinfo"),
        ("Resolver.gethostbyname_ex", "getaddrinfo"),
        ("Resolver.getaddrinfo", "getaddrinfo"),
        ("Resolver.gethostbyaddr", "getnameinfo"),
        ("Resolver.getnameinfo", "getnameinfo"),
    ),
}
TAKES = ("Semaphore.acquire", "Semaphore.__enter__")  # and "" gives back
LIBEV = "gevent.libev.corecext"
# Those that are compiled are imported under another name, which the module then takes on.
COMPILED = {
    "gevent._hub_primitives": "gevent._gevent_c_hub_primitives",
    "gevent._semaphore": "gevent._gevent_c_semaphore",
    "gevent.event": "gevent._gevent_cevent",
    "gevent.queue": "gevent._gevent_cqueue",
    "gevent.greenlet": "gevent._gevent_cgreenlet",
}


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches greenlet and gevent once the program imports them."""
    tool.after_import("greenlet", lambda: _watch(core, tool))
    tool.after_import("gevent.hub", lambda: _watch_hub(core, tool))
    for module, waits in WAITS.items():
        for name in {module, COMPILED.get(module, module)}:
            tool.after_import(name, _namer(core, name, waits))

    def disarm() -> None:
        core.unwatch_hub()
        core.unwatch_greenlet_waits()
        core.unwatch_greenlets()

    return disarm


def _watch(core: "ModuleType", tool: "Tool") -> None:
    greenlet = sys.modules["greenlet"]
    core.start_greenlet_waits()
    try:
        core.watch_greenlets(greenlet.greenlet, greenlet._C_API)
    except (AttributeError, RuntimeError, ValueError) as error:
        tool.problem("greenlets", str(error))


def _watch_hub(core: "ModuleType", tool: "Tool") -> None:
    hub = sys.modules["gevent.hub"]
    core.code_folder(os.path.dirname(hub.__file__ or "") + os.sep, True)
    tool.watch(hub.Hub.handle_error, "greenlet failed", "PY_START")

    def watch() -> None:
        pool, libev = map(sys.modules.get, ("gevent.threadpool", LIBEV))
        own = (pool._WorkerGreenlet,) if pool else ()  # they only wait for work
        try:
            core.watch_hub(hub.Hub, own, libev and libev.loop, hub.Waiter)
        except (AttributeError, RuntimeError, TypeError) as error:
            tool.problem("gevent", str(error))

    def watch_python_loop() -> None:
        loop = sys.modules["gevent._ffi.loop"].AbstractLoop
        tool.watch(loop.run_callback, "greenlet scheduled", "PY_RETURN")

    def watch_pool() -> None:
        watch()
        result = getattr(sys.modules["gevent.threadpool"], "ThreadResult", None)
        if result is not None:
            tool.watch(result.set, "greenlet job done", "PY_START")
            tool.watch(result.handle_error, "greenlet job done", "PY_START")
            tool.watch(result._on_async, "greenlet job taken", "PY_START PY_RETURN")

    def watch_threads() -> None:
        core.greenlet_threads(sys.modules["threading"].Thread._bootstrap.__code__)

    watch()
    tool.after_import("threading", watch_threads)
    tool.after_import("gevent.threadpool", watch_pool)
    tool.after_import(LIBEV, watch)
    tool.after_import("gevent._ffi.loop", watch_python_loop)
    for module in (LIBEV, "gevent.libev._corecffi", "gevent.libuv._corecffi"):
        tool.after_import(module, _poll_watcher(core, module))


def _poll_watcher(core: "ModuleType", module: str) -> "Disarm":
    return lambda: core.watch_hub_polls(sys.modules[module].__file__)


def _namer(core: "ModuleType", module: str, waits: "tuple[tuple[str, str], ...]") -> "Disarm":
    return lambda: _name(core, module, waits)


def _name(core: "ModuleType", module: str, waits: "tuple[tuple[str, str], ...]") -> None:
    for path, what in waits:
        of, _, last = path.rpartition(".")
        place = vars(sys.modules[module])  # not getattr: see locks.py
        holder = place.get(of) if of else None
        found = _method(holder, last) if of else place.get(last)
        takes = path in TAKES
        if found is None or core.watch_greenlet_wait(found, what and f"await {what}", takes):
            continue
        code = getattr(found, "__code__", None)
        if code is not None and what:
            core.label_code(code, f"await {what}", 0)


def _method(cls: "Any", name: str) -> "Any":
    """A method as it stands in its class, which may be a base of the given one."""
    for at in getattr(cls, "__mro__", ()):
        if name in vars(at):
            return vars(at)[name]
    return None
