"""The recorder: runs inside the traced program, on the standard library and its C core.

    import tracer

    with tracer.recording("requests.pftrace"):
        with tracer.region("parse", size_bytes=512):
            ...

Of a program's own events, `region`, `task`, `log` and `counter` are recorded by whatever
recording runs, this module's or that of `tracer run`; without one they cost next to nothing.
"""

from tracer.api import counter, log, recording, region, start, stop, task
from tracer.errors import TracerError

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
