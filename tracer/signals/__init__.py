"""One signal per file: each has `arm(core, tool) -> disarm`.

`Tool` is the part of sys.monitoring that they share. A hook that cannot be armed says so in
the trace, and the others go on.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, ModuleType
    from typing import Any

    Disarm = Callable[[], None]

CODE_TYPE = type((lambda: None).__code__)

# Ids 0, 1, 2 and 5 have names: debugger, coverage, profiler, optimizer.
TOOL_IDS = (4, 3, 5, 0, 1, 2)
TOOL_NAME = "tracer"
DEFAULT_CPU_HZ = 100
DEFAULT_HEAP_RATE = 512 << 10


class Tool:
    """The recorder's sys.monitoring tool: which code objects it watches, and for whom.

    Raises RuntimeError when all six tool ids are taken.
    """

    def __init__(
        self,
        core: "ModuleType",
        cpu_hz: int = DEFAULT_CPU_HZ,
        heap_rate: int = DEFAULT_HEAP_RATE,
        heap_seed: int = 0,
    ) -> None:
        self.core = core
        self.problems: list[tuple[str, str]] = []
        self.cpu_hz = cpu_hz
        self.heap_rate = heap_rate
        self.heap_seed = heap_seed
        self._monitoring = monitoring = sys.monitoring
        self._watched: list[CodeType] = []
        self._pending: dict[str, Callable[[], None]] = {}
        free = [i for i in TOOL_IDS if monitoring.get_tool(i) is None]
        if not free:
            raise RuntimeError("all sys.monitoring tool ids are taken")
        self._id = free[0]
        monitoring.use_tool_id(self._id, TOOL_NAME)
        events = monitoring.events
        self._callbacks = {
            events.PY_START: core.on_py_start,
            events.PY_RETURN: core.on_py_return,
            events.LINE: core.on_line,
            events.CALL: core.on_call,
            events.C_RETURN: core.on_c_end,
            events.C_RAISE: core.on_c_end,
            events.RAISE: core.on_raise,
        }
        for event, callback in self._callbacks.items():
            monitoring.register_callback(self._id, event, callback)

    def problem(self, signal: str, reason: str) -> None:
        """Notes what is missing and why, in the trace and for the caller."""
        self.problems.append((signal, reason))
        self.core.note(signal, reason, True)

    def watch(self, function: "Any", role: str, events: str) -> None:
        """Sends the named local events ("PY_START PY_RETURN") of a function to a role; of the
        event "LINE" its last line."""
        code: CodeType = function if isinstance(function, CODE_TYPE) else function.__code__
        mask = 0
        for name in events.split():
            mask |= getattr(self._monitoring.events, name)
        last = max(line or 0 for *_, line in code.co_lines()) if events == "LINE" else 0
        self.core.watch(code, role, last)
        self._watched.append(code)
        self._monitoring.set_local_events(self._id, code, mask)

    def watch_timers(self, timer: "type", call_at: "Any") -> None:
        """Watches timers, and call_at() while there are many of them."""
        self.watch(call_at, "timer set", "PY_START")
        monitoring, code = self._monitoring, call_at.__code__
        how = (monitoring.set_local_events, self._id, code, monitoring.events.PY_START)
        self.core.watch_timers(timer, monitoring.get_tool, TOOL_NAME, *how)

    def learn_calls(self) -> None:
        """Gives call sites that block CALL events, to learn the callee's name."""
        monitoring = self._monitoring
        self.core.learn_calls(
            monitoring.set_local_events, self._id, monitoring.events.CALL, monitoring.DISABLE
        )

    def watch_failures(self) -> None:
        """Sends exceptions that are raised, in any code, to failures.c."""
        monitoring = self._monitoring
        how = (monitoring.set_events, monitoring.get_tool, self._id, TOOL_NAME)
        self.core.watch_failures(*how, monitoring.events.RAISE)

    def after_import(self, module: str, arm: "Callable[[], None]") -> None:
        """Calls `arm` now if the module is loaded, else as soon as it has been imported."""
        spec = getattr(sys.modules.get(module), "__spec__", None)
        if module in sys.modules and not getattr(spec, "_initializing", False):
            arm()
            return
        if not self._pending:
            self.core.await_imports(self._pending)
            importlib = sys.modules["_frozen_importlib"]
            self.watch(importlib._find_and_load, "import", "PY_RETURN")
        earlier = self._pending.get(module)

        def both() -> None:
            if earlier is not None:
                earlier()
            arm()

        self._pending[module] = both

    def close(self) -> None:
        """Switches all events off, each local one by itself: 3.12 and 3.13 keep those of a
        freed tool id."""
        self.core.unwatch_timers()
        if self._monitoring.get_tool(self._id) == TOOL_NAME:  # else the program took it over
            self.core.stop_learning()
            self.core.unwatch_failures()
            for code in self._watched:
                self._monitoring.set_local_events(self._id, code, 0)
            for event in self._callbacks:
                self._monitoring.register_callback(self._id, event, None)
            self._monitoring.free_tool_id(self._id)
        self._watched.clear()
        self._pending.clear()
        self.core.unwatch_all()
