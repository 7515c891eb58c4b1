"""Python runs this as it starts in a child of a recorded process: it records that process, and
then makes way for the program's own sitecustomize.

What led here is removed first, so the program finds os.environ, sys.path and sys.modules as
they would be without us. Another version of Python may run this file, too: nothing but plain
syntax, and nothing imported that Python has not loaded already.
"""

import os
import sys

ORDER = "TRACER_CHILD"
SEARCHED = "PYTHONPATH"


def take_order(folder: str) -> str:
    """Removes our two variables. Returns the order, "" if there is none."""
    order = os.environ.pop(ORDER, "")
    value = os.environ.get(SEARCHED, "")
    if value == folder or value.startswith(folder + ":"):
        was = order.partition("\n")[0][-1:]
        if was == "s" or (not order and value != folder):
            os.environ[SEARCHED] = value[len(folder) + 1 :]
        elif was == "e":
            os.environ[SEARCHED] = ""
        else:
            del os.environ[SEARCHED]
    return order


def load_package(root: str) -> None:
    """Imports the recorder's package, whatever sys.path says."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import spec_from_file_location

    name = "tracer"
    spec = spec_from_file_location(
        name, root + "/__init__.py", submodule_search_locations=[root]
    )
    if spec is None or spec.loader is None:
        raise ImportError("no package in " + root)
    sys.modules[name] = package = module_from_spec(spec)
    spec.loader.exec_module(package)


def record(order: str, folder: str) -> None:
    """Starts to record; whatever goes wrong, the program runs unrecorded."""
    names, paths = set(sys.modules), set(sys.path_importer_cache)
    try:
        load_package(folder.rpartition("/")[0])
        from tracer.processes import spawned

        spawned.begin(order)
    except Exception:  # a child cannot say it: its parent's trace has a child without one
        pass
    for name in set(sys.modules) - names:
        if name.partition(".")[0] == "tracer" or name in ("atexit", "gc"):
            del sys.modules[name]
    for path in set(sys.path_importer_cache) - paths:
        del sys.path_importer_cache[path]


def prepare() -> None:
    folder = __file__.rpartition("/")[0]
    order = take_order(folder)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
    if not order:  # a subinterpreter, for example
        return
    signals = sys.modules["_signal"]
    # A signal that comes meanwhile is handled afterwards, as if Python had started faster.
    before = signals.pthread_sigmask(signals.SIG_BLOCK, signals.valid_signals())
    try:
        record(order, folder)
    finally:
        signals.pthread_sigmask(signals.SIG_SETMASK, before)


prepare()
del sys.modules["sitecustomize"]
__import__("sitecustomize")  # the program's own; site expects the error of a missing one
