"""The recorder: runs inside the traced program, on the standard library and its C core.

    import tracer

    with tracer.recording("requests.pftrace"):
        with tracer.region("parse", size_bytes=512):
            ...

Of a program's own events, `region`, `task`, `log` and `counter` are recorded by whatever
recording runs, this module's or that of `tracer run`; without one they cost next to nothing.
"""


def __getattr__(name: str) -> object:
    """A name this module does not have yet: a signal handler or finalizer asks, which came
    while this thread imports the module. What cannot be had so early does nothing."""
    if name in ("counter", "log", "region", "task"):
        for source in ("_core", "api_absent"):
            try:
                return getattr(__import__(f"{__name__}.{source}", fromlist=[name]), name)
            except (ImportError, AttributeError):
                continue
    if name == "stop":
        return lambda: None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


from tracer.api import counter, log, recording, region, start, stop, task  # noqa: E402
from tracer.errors import TracerError  # noqa: E402

__version__ = "0.1.0"
__all__ = [
    "TracerError",
    "counter",
    "log",
    "recording",
    "region",
    "start",
    "stop",
    "task",
]
