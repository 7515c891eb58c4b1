"""Twisted: coroutines (`inlineCallbacks`, `ensureDeferred`), and who has its locks.

A Deferred by itself is nothing that runs: what waits for one without a coroutine is not told.
"""

import sys

from tracer.signals.loops.waits import find, inner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Tool

_DEFER = "twisted.internet.defer"
# Module -> functions of its reactor, what core/signals/twisted calls those that call back, and
# what they are watched for.
_REACTORS = {
    "twisted.internet.base": (
        ("ReactorBase.mainLoop", "", "reactor", "PY_START PY_RETURN"),
        ("ReactorBase.runUntilCurrent", "timers", "", ""),
    ),
    "twisted.internet.epollreactor": (
        ("EPollReactor.doPoll", "", "reactor poll", "PY_START PY_RETURN"),
    ),
    "twisted.internet.pollreactor": (
        ("PollReactor.doPoll", "", "reactor poll", "PY_START PY_RETURN"),
    ),
    "twisted.internet.selectreactor": (
        ("SelectReactor.doSelect", "", "reactor poll", "PY_START PY_RETURN"),
        ("SelectReactor._doReadOrWrite", "reads", "reactor read", "PY_START"),
    ),
    "twisted.internet.posixbase": (
        ("_PollLikeMixin._doReadOrWrite", "reads", "reactor read", "PY_START"),
    ),
}


def arm(core: "ModuleType", tool: "Tool") -> None:
    """Watches Twisted once the program imports it."""
    tool.after_import(_DEFER, lambda: _watch(core, tool))
    tool.after_import("twisted.internet.task", lambda: _know_sleep(core))
    for module in _REACTORS:
        tool.after_import(module, lambda module=module: _know(core, tool, module))  # type: ignore[misc]


def arm_locks(core: "ModuleType", tool: "Tool") -> None:
    """Useful only where coroutines are watched: they have them."""
    tool.after_import(_DEFER, lambda: _watch_locks(core, tool))


def _watch(core: "ModuleType", tool: "Tool") -> None:
    defer = sys.modules[_DEFER]
    try:
        step = defer._inlineCallbacks
        variables = step.__code__.co_varnames
        if variables[:3] != ("result", "gen", "status"):
            raise AttributeError("this version of Twisted is not known")
        core.setup_twisted(
            {
                "module": defer,
                "status": defer._CancellationStatus,
                "failure": defer.Failure,
                "lock": defer.DeferredLock,
                "semaphore": defer.DeferredSemaphore,
                "queue": defer.DeferredQueue,
                "gathering": defer.DeferredList,
                "cancelled": defer.CancelledError,
                "made": inner(defer._cancellableInlineCallbacks.__code__, "<lambda>"),
                "step": step.__code__,
                "errback": defer.Deferred.errback.__code__,
                "at_finished": variables.index("stopIteration"),
            }
        )
    except (AttributeError, RuntimeError, ValueError) as error:
        tool.problem("twisted", str(error))
        return
    core.code_folder((defer.__file__ or "").removesuffix("py"), True)  # only this file
    tool.watch(step, "deferred step", "PY_START PY_RETURN")
    tool.watch(defer.Failure.__init__, "deferred failure", "PY_RETURN")


def _watch_locks(core: "ModuleType", tool: "Tool") -> None:
    defer = sys.modules[_DEFER]
    lock, semaphore = defer.DeferredLock, defer.DeferredSemaphore
    enter, leave = lock.__aenter__.__code__, lock.__aexit__.__code__
    core.know_lock(lock, "twisted.DeferredLock", (), enter, leave, lambda: None)
    for one in (lock, semaphore):
        tool.watch(one.acquire, "deferred acquire", "PY_START")
        knows = one.release.__code__.co_varnames == ("self", "d")
        tool.watch(one.release, "deferred release", "PY_START" + " PY_RETURN" * knows)


def _know_sleep(core: "ModuleType") -> None:
    later = getattr(sys.modules["twisted.internet.task"], "deferLater", None)
    if later is not None:
        core.know_twisted({"sleep": inner(later.__code__, "deferLaterCancel")})


def _know(core: "ModuleType", tool: "Tool", module: str) -> None:
    for path, name, role, events in _REACTORS[module]:
        function = find(sys.modules.get(module), path)
        if not hasattr(function, "__code__"):
            continue
        if name:
            core.know_twisted({name: function.__code__})
        if role:
            tool.watch(function, role, events)
