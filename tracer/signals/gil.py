"""The GIL: who holds it, who waits for it; and libc's blocking calls, named by its hooks."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from tracer.signals import Disarm, Tool


# These load shared objects, whose blocking calls are watched from then on.
LOADERS = (("_imp", "create_dynamic"), ("_ctypes", "dlopen"))


def arm(core: "ModuleType", tool: "Tool") -> "Disarm":
    """Watches every acquisition and release. RuntimeError where this GIL is unknown."""
    core.watch_gil(True)
    for module, name in LOADERS:
        tool.after_import(module, lambda at=(module, name): _wrap(core, *at))  # type: ignore[misc]

    def disarm() -> None:
        core.unwrap_loaders()
        core.unwatch_gil()

    return disarm


def _wrap(core: "ModuleType", module: str, name: str) -> None:
    loader = getattr(sys.modules[module], name, None)
    if loader is not None and not core.wrap_loader(loader):
        core.note("gil", f"{module}.{name} is called in an unknown way", True)
