"""The recorder: runs inside the traced program, on the standard library and its C core.

    import tracer

    with tracer.recording("requests.pftrace"):
        with tracer.region("parse", size_bytes=512):
            ...

`region`, `task`, `log` and `counter` put the program's own events into whatever is being
recorded, by this module or by `tracer run`; when nothing is, they cost next to nothing.
"""

# What few programs call, and the module that has it, which is imported then.
_LATER = {
    "dump": "flight_recorder.snapshots",
    "flight": "flight_recorder.snapshots",
    "retained": "memory.keepers",
    "snapshot": "flight_recorder.snapshots",
}


def __getattr__(name: str) -> object:
    """A name that this module does not have yet, since few programs need it, or a signal
    handler or finalizer came while this thread imports the module. What is not available so
    early does nothing."""
    if name in ("counter", "log", "region", "task"):
        for source in ("_core", "api_absent"):
            try:
                return getattr(__import__(f"{__name__}.{source}", fromlist=[name]), name)
            except (ImportError, AttributeError):
                continue
    if name == "stop":
        return lambda: None
    if name in _LATER:
        return getattr(__import__(f"{__name__}.{_LATER[name]}", fromlist=[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


from tracer.api import (  # noqa: E402
    counter,
    listen,
    log,
    recording,
    region,
    start,
    stop,
    task,
)
from tracer.errors import TracerError  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.flight_recorder.snapshots import dump, flight, snapshot
    from tracer.memory.keepers import retained

__version__ = "0.1.0"
__all__ = [
    "TracerError",
    "counter",
    "dump",
    "flight",
    "listen",
    "log",
    "recording",
    "region",
    "retained",
    "snapshot",
    "start",
    "stop",
    "task",
]

if "TRACER" in __import__("os").environ:
    from tracer.armed import arm

    arm()
