"""Children that are a new Python: their place in the family, and how they begin to record.

The parent puts an order (order.py) into the environment (core/signals/spawned.c). In the
child, site/sitecustomize.py takes it out and calls begin() before the program begins.
Imports nothing that a plain `python` has not loaded already.
"""

import os
import sys

from tracer.options import Options
from tracer.processes.family import Family
from tracer.processes.order import Order, command
from tracer.recorder import Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

# What the child is, as core/signals/spawned.h has it.
PROCESS, SERVER, EXEC = "m", "f", "e"  # of multiprocessing: a process, its fork server
ORIGINS = {EXEC: "exec", SERVER: "forkserver"}  # else "spawn"


def begin(text: str) -> None:
    """Starts to record this process, or prepares its children for it, as the text says.

    Raises whatever goes wrong: then the process runs unrecorded."""
    from tracer import _core

    _core.kept["modules"] = [  # of this process, outside sys.modules
        module for name, module in sys.modules.items() if name.partition(".")[0] == "tracer"
    ]
    head, settings = text.split("\n", 1)
    flow, parent_pid, how = head.split(" ")
    order = Order(settings)
    if how[0] == SERVER:
        _serve(_core, order, int(parent_pid))
    else:
        _start(_core, order, int(flow), int(parent_pid), how[0])


def _start(core: "ModuleType", order: Order, flow: int, parent_pid: int, how: str) -> None:
    options = Options(path="", force=True, **order.values)  # type: ignore[arg-type]
    program = order.program
    if how not in (PROCESS, SERVER):
        words, names = command(sys.orig_argv)
        program = tuple(words[:names] if options.names_only else words)
    options.argv = program or ("",)
    family = Family(order.file)
    origin = ORIGINS.get(how, "spawn")
    family.rejoin(core, order.family, order.began_ns, origin, parent_pid)
    family.is_first = how == EXEC and bool(order.is_first)
    recording = Recording(options)
    try:
        recording.start_in_family(core, family, flow)
    except BaseException:
        recording.disarm()
        raise
    if family.is_first and options.says:
        from tracer import launch

        launch.finish_at_exit(recording, options.says, options.profiles)
    else:  # before the program can register anything, so that it comes last
        import atexit

        atexit.register(recording.stop)


def _serve(core: "ModuleType", order: Order, parent_pid: int) -> None:
    """In multiprocessing's fork server, which is not recorded: each child that it forks is, as
    one of the process that asked for it."""
    server = os.getpid()

    def after_in_child() -> None:
        nonlocal server
        if not server:
            return
        server = 0
        try:
            flow = core.served_flow(order.family, os.getpid())
            _start(core, order, flow, parent_pid, SERVER)
        except Exception:  # it runs unrecorded
            pass

    os.register_at_fork(after_in_child=after_in_child)
