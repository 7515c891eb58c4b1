"""The recorder: runs inside the traced program, on the standard library and its C core.

    import tracer

    with tracer.recording("requests.pftrace"):
        with tracer.region("parse", size_bytes=512):
            ...

Of a program's own events, `region`, `task`, `log` and `counter` are recorded by whatever
recording runs, this module's or that of `tracer run`; without one they cost next to nothing.
"""

from tracer.errors import TracerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.api import counter, log, recording, region, start, stop, task

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


def __getattr__(name: str) -> object:
    """The names of tracer.api when they are first used: the viewer reads traces without them,
    and without the C core that they bring along."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tracer import api

    value = globals()[name] = getattr(api, name)
    return value
